"""What the charts have in common: a provider's colour, dash and shape, and how one is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.values.registry import PROVIDERS, label_of

if TYPE_CHECKING:
    import pandas as pd

    from core.values.periods import Scale

Spec = dict[str, Any]
Mark = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """`spec` is in Vega-Lite, with its data. `alt` says what there is to be seen.

    `marks` are what it is drawn from, each with an `id` that the chart's selection `pick` gives
    back. They are plain rows: pandas takes longer for a column of twenty than Python for all.
    """

    spec: Spec
    alt: str
    marks: list[Mark]


@dataclass(frozen=True, slots=True)
class Look:
    """A provider's own in every chart; the dash and the shape for whoever cannot tell colours."""

    colour: str  # at least 3:1 on the light and on the dark background
    dash: tuple[int, ...]
    shape: str


_LOOKS = (
    Look("#2f7ff0", (1, 0), "circle"),
    Look("#00805f", (7, 2), "square"),
    Look("#c96a12", (2, 2), "triangle-up"),
    Look("#9540a7", (8, 2, 2, 2), "diamond"),
    Look("#ec2f76", (4, 2), "triangle-down"),
    Look("#8a8a00", (10, 3), "cross"),
    Look("#808799", (1, 3), "triangle-right"),
    Look("#0e8fa3", (12, 2, 2, 2), "triangle-left"),
    Look("#a05a2c", (5, 5), "stroke"),
)
# In the order of the providers' rows; whoever comes after the last looks like a stranger.
LOOKS = dict(zip(PROVIDERS, _LOOKS, strict=False))
STRANGER = Look("#808080", (3, 5), "arrow")  # in the history, but no longer known
NEUTRAL = "#7b849a"
_PADDING = {"left": 0, "right": 6, "top": 2, "bottom": 0}


def short(provider: str) -> str:
    """Its label without what stands in brackets."""
    return label_of(provider).split(" (")[0]


def known_first(providers: Iterable[str]) -> list[str]:
    """Each once, in the order of the table of providers."""
    found = set(providers)
    return [*(name for name in PROVIDERS if name in found), *sorted(found - PROVIDERS.keys())]


def looks(marks: Sequence[Mark]) -> Spec:
    """What a template's scales of providers are filled in with."""
    providers = known_first(mark["provider"] for mark in marks)
    own = [LOOKS.get(name, STRANGER) for name in providers]
    return {
        "providers": providers,
        "labels": [short(name) for name in providers],
        "colours": [look.colour for look in own],
        "dashes": [look.dash for look in own],
        "shapes": [look.shape for look in own],
    }


def times(cut: Scale) -> list[Spec]:
    # As expressions: of plain numbers, several layers together make a domain of none.
    return [{"expr": f"{edge * 1000:.0f}"} for edge in (cut.edges[0], cut.edges[-1])]


def rows_of(frame: pd.DataFrame) -> list[Mark]:
    columns = {str(name): column.tolist() for name, column in frame.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def drawn(
    template: Spec,
    alt: str,
    marks: Sequence[Mark],
    *,
    height: int,
    changes: Sequence[Mark] = (),
    padding: Mapping[str, int] = _PADDING,
    shown: Sequence[Mark] | None = None,
    **values: Any,
) -> Chart:
    """`values` are what its "$name" stand for. `shown`: the marks of which it has data, if not all.

    `changes` of the template are left out where there are none.
    """
    spec: Spec = {name: _filled(part, values) for name, part in template.items()}
    spec["datasets"] = {"marks": _table(marks if shown is None else shown)}
    if changes:
        spec["datasets"]["changes"] = _table(changes)
    else:
        spec["layer"] = [layer for layer in spec["layer"] if "data" not in layer]
    return Chart({**spec, "height": height, "padding": padding}, alt, [*marks])


def _filled(part: Any, values: Spec) -> Any:
    if isinstance(part, dict):
        return {name: _filled(inner, values) for name, inner in part.items()}
    name = part[0] if isinstance(part, list) else part
    if isinstance(name, str) and name[:1] == "$":
        return values[name[1:]]
    return [_filled(inner, values) for inner in part] if isinstance(part, list) else part


def _table(rows: Sequence[Mark]) -> Any:
    # A part of the first page, not of the start.
    import pyarrow as pa  # type: ignore[import-untyped] # has no stubs

    return pa.Table.from_pylist(list(rows))
