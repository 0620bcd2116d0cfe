"""What the charts have in common: a provider's colour, dash and shape, axes, and marked changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.values.registry import PROVIDERS, label_of

if TYPE_CHECKING:
    import pandas as pd

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


def short(provider: str) -> str:
    """Its label without what stands in brackets."""
    return label_of(provider).split(" (")[0]


def known_first(providers: Iterable[str]) -> list[str]:
    """Each once, in the order of the table of providers."""
    found = set(providers)
    return [*(name for name in PROVIDERS if name in found), *sorted(found - PROVIDERS.keys())]


def by_look(providers: Sequence[str], attribute: str) -> Spec:
    """A scale from the providers' labels to what sets each of them apart."""
    looks = [LOOKS.get(name, STRANGER) for name in providers]
    values = [getattr(look, attribute) for look in looks]
    return {"domain": [short(name) for name in providers], "range": values}


LEGEND: Spec = {
    "orient": "top",
    "title": None,
    "columns": {"expr": "max(2, floor(width / 96))"},
    "symbolSize": 60,
    "symbolStrokeWidth": 2,
    "padding": 0,
    "offset": 8,
}


def provider_colour(providers: Sequence[str], *, legend: bool = True) -> Spec:
    return {
        "field": "label",
        "type": "nominal",
        "scale": by_look(providers, "colour"),
        "legend": LEGEND if legend else None,
    }


_CLOCK = (
    "hours(datum.value) + minutes(datum.value) > 0 ? timeFormat(datum.value, '%H:%M')"
    " : timeFormat(datum.value, month(datum.value) + date(datum.value) > 1 ? '%-d %b' : '%Y')"
)


def time_axis(since: float, until: float) -> Spec:
    """Moments are plotted in milliseconds since the epoch; the browser shows its own time."""
    return {
        "type": "temporal",
        "title": None,
        # As expressions: of plain numbers, several layers together make a domain of none.
        "scale": {"domain": [{"expr": f"{edge * 1000:.0f}"} for edge in (since, until)]},
        "axis": {
            "grid": False,
            "labelExpr": _CLOCK,
            "labelBound": True,
            "tickCount": {"expr": "max(3, floor(width / 80))"},
        },
    }


PICK: Spec = {
    "name": "pick",
    "select": {"type": "point", "fields": ["id"], "toggle": False, "clear": "dblclick"},
}
PICKED: Spec = {"param": "pick", "empty": False}


def rows_of(frame: pd.DataFrame) -> list[Mark]:
    names = frame.columns.tolist()
    columns = [frame[name].tolist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def framed(
    layers: Sequence[Spec],
    marks: Sequence[Mark],
    *,
    height: int,
    changes: Sequence[Mark] = (),
    **more: Any,
) -> Spec:
    return {
        "datasets": {"marks": _table(marks), "changes": _table(changes)},
        "data": {"name": "marks"},
        "height": height,
        "padding": {"left": 0, "right": 6, "top": 2, "bottom": 0},
        "layer": [*(_CHANGED if changes else ()), *layers],
        "config": {"view": {"stroke": None}},
        **more,
    }


def _table(rows: Sequence[Mark]) -> Any:
    # A part of the first page, not of the start.
    import pyarrow as pa  # type: ignore[import-untyped] # has no stubs

    return pa.Table.from_pylist(list(rows))


_OF_CHANGE: Spec = {
    "x": {"field": "ms", "type": "temporal"},
    "color": {"value": NEUTRAL},
    "tooltip": [{"field": "said", "title": "Changed"}, {"field": "when", "title": "When"}],
    "description": {"field": "said"},
}
# A rule at each change, and a flag to point at.
_CHANGED: list[Spec] = [
    {
        "data": {"name": "changes"},
        "mark": {"type": "rule", "strokeDash": [3, 3], "strokeWidth": 1.5},
        "encoding": _OF_CHANGE,
    },
    {
        "data": {"name": "changes"},
        "mark": {"type": "point", "shape": "triangle-down", "filled": True, "size": 110},
        "encoding": {**_OF_CHANGE, "y": {"value": 0}, "opacity": {"value": 1}},
    },
]
