"""The table of a period's providers, with a range for each rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core.insight.chart_parts import known_first
from core.insight.sparks import rate_axis
from core.routing.ranking import PROVEN, wilson
from core.ui.performance.links import Link, Scope
from core.ui.performance.period_data import PeriodData
from core.values.history.summary import FEWEST
from core.values.registry import label_of
from core.values.wording import count, money, percent, percent_range, seconds_in_words

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

Said = Callable[[Any], str]
# Numbers as they stand below one another.
IN_COLUMN: dict[str, Said] = {
    "percent": partial(percent, aligned=True),
    "seconds": partial(seconds_in_words, aligned=True),
    "number": "{:,.0f}".format,
}
_PIXELS = 240  # twice as many as a trend is wide
_TOO_FEW = "too few"
_NUMBERS: dict[str, tuple[Said, str | None]] = {
    "Success": (
        IN_COLUMN["percent"],
        "Answers among the calls that say something about the provider.",
    ),
    "Calls": (IN_COLUMN["number"], None),
    "Refusals": (
        IN_COLUMN["number"],
        "Calls that it declined to answer. They are no part of its success rate.",
    ),
    "p50": (IN_COLUMN["seconds"], "Half of the answers took no longer."),
    "p95": (
        IN_COLUMN["seconds"],
        f"19 of 20 answers took no longer. It takes {FEWEST[0.95]} answers to tell.",
    ),
    "p99": (
        IN_COLUMN["seconds"],
        f"99 of 100 answers took no longer. It takes {FEWEST[0.99]} answers to tell.",
    ),
    "First word": (
        IN_COLUMN["seconds"],
        "Until the first word of an answer arrived; the middle one of all.",
    ),
    "Speed": ("{:,.0f} tokens/s".format, "How fast it writes."),
    "Valid plans": (
        IN_COLUMN["percent"],
        "Of its answers to a goal, those that were plans that hold.",
    ),
    "Cost per plan": (money, "Failed tries at a plan included. Empty: unknown."),
}


def providers(data: PeriodData, scope: Scope, *, key: str) -> None:
    frame = _in_order(data.models)
    shown = _shown(frame, data)
    said = {name: say for name, (say, _) in _NUMBERS.items()}
    if scope.simulated:
        shown = shown.drop(columns="Cost per plan")  # practice costs nothing
    low = rate_axis([rate for rates in data.trends.values() for rate in rates]).low
    trend = f"Trend, {percent_range(low, 1, digits=0)}"
    picked = st.dataframe(
        in_words(shown.rename(columns={"Trend": trend}), said, few=("p95", "p99")),
        hide_index=True,
        placeholder="",  # unknown
        on_select="rerun",
        selection_mode=["single-row", "single-cell"],
        key=key,
        column_config={
            "Provider": st.column_config.TextColumn(pinned=True),
            "Range": st.column_config.TextColumn(
                help="Where the true rate lies, 19 times of 20 (Wilson score interval)."
            ),
            trend: st.column_config.LineChartColumn(
                help=f"Success rate over the period, on an axis from {percent(low)} to 100 %.",
                y_min=low,
                y_max=1,
                width=130,
            ),
            **{
                name: st.column_config.NumberColumn(help=help_)
                for name, (_, help_) in _NUMBERS.items()
            },
        },
        alt="Providers of this period, one in each row. Choose a row to see its calls.",
    )
    rows = picked.selection.rows or [cell[0] for cell in picked.selection.cells]
    if rows and rows[0] < len(frame):
        _link(frame.iloc[rows[0]], scope, several=_several(frame).iloc[rows[0]]).follow()
    else:
        st.caption("Choose a row to see the calls behind it.")


def in_words(frame: pd.DataFrame, said: Mapping[str, Said], *, few: Collection[str] = ()) -> Styler:
    """Cells that sort as numbers and read as every other number of the console.

    `few` are columns that need more answers than others; what is unknown elsewhere is empty.
    """
    known: dict[Any, Any] = {name: say for name, say in said.items() if name in frame}
    # Not NaN: a cell of nothing is empty whatever it is to say. So they also come last.
    frame = frame.fillna(dict.fromkeys(few, math.inf))
    known |= {name: partial(_if_enough, said[name]) for name in few}
    return frame.style.format(known, na_rep="")


def _if_enough(said: Said, value: float) -> str:
    return _TOO_FEW if math.isinf(value) else said(value)


def straight(values: Sequence[float]) -> list[float]:
    """With so many more between them that the cell, which draws curves, draws straight lines."""
    steps = max(2, _PIXELS // max(len(values) - 1, 1))
    between = [a + (b - a) * step / steps for a, b in pairwise(values) for step in range(steps)]
    return [*between, *values[-1:]]


def _in_order(models: pd.DataFrame) -> pd.DataFrame:
    order = known_first(models["provider"])
    places = models["provider"].map({name: place for place, name in enumerate(order)})
    return models.loc[places.sort_values(kind="stable").index].reset_index(drop=True)


def _several(frame: pd.DataFrame) -> pd.Series[bool]:
    """Whether more than one model of its provider was asked."""
    return frame["provider"].duplicated(keep=False)


def _link(row: pd.Series, scope: Scope, *, several: bool) -> Link:
    label = label_of(row["provider"])
    if not several:
        return scope.calls(row["calls"], f" of {label}", provider=row["provider"])
    of = f" of {label}, {row['model']}"
    return scope.calls(row["calls"], of, provider=row["provider"], model=row["model"])


def _shown(frame: pd.DataFrame, data: PeriodData) -> pd.DataFrame:
    sure, several = frame["rated"] >= PROVEN, _several(frame)
    shown = {
        "Provider": [label_of(name) for name in frame["provider"]],
        "Model": frame["model"],
        "Success": frame["success_rate"].where(sure),
        "Range": [doubt(ok, rated) for ok, rated in zip(frame["ok"], frame["rated"], strict=True)],
        "Trend": [
            straight(data.trends.get((name, model if one_of_many else None), []))
            for name, model, one_of_many in zip(
                frame["provider"], frame["model"], several, strict=True
            )
        ],
        "Calls": frame["calls"],
        "Refusals": frame["refused"],
        "p50": frame["p50"],
        "p95": frame["p95"],
        "p99": frame["p99"],
        "First word": frame["ttft"],
        "Speed": frame["tokens_per_second"],
        "Valid plans": frame["valid_plan_rate"],
        "Cost per plan": frame["plan_cost"],
    }
    if not several.any():
        del shown["Model"]  # each provider has its own all the time
    return pd.DataFrame(shown)


def doubt(ok: int, rated: int) -> str:
    """`96.8 to 98.3 %`, or `3 calls: too few to judge`."""
    if rated < PROVEN:
        return f"{count(rated, 'call')}: too few to judge"
    return percent_range(*wilson(ok, rated))
