"""The providers of a period side by side, with how far each rate can be trusted."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.chart_parts import known_first
from core.providers import label_of
from core.ranking import PROVEN, wilson
from core.ui.performance_links import Scope
from core.ui.performance_reading import Reading
from core.words import count

_SECONDS = "%.1f s"
_NUMBERS = {
    "Success": ("%.1f %%", "Answers among the calls that say something about the provider."),
    "Calls": ("localized", None),
    "p50": (_SECONDS, "Half of the answers took no longer."),
    "p95": (_SECONDS, "19 of 20 answers took no longer."),
    "p99": (_SECONDS, "99 of 100 answers took no longer."),
    "First word": (_SECONDS, "Until the first word of an answer arrived; the middle one of all."),
    "Speed": ("%.0f tokens/s", "How fast it writes."),
    "Cost per plan": ("$ %.5f", "Failed tries at a plan included. Empty: unknown."),
    "Valid plans": ("%.1f %%", "Of its answers to a goal, those that were plans that hold."),
}


def providers(reading: Reading, scope: Scope, *, key: str) -> None:
    order = known_first(reading.providers["provider"])
    frame = reading.providers.set_index("provider").loc[order].reset_index()
    lowest = min((rate for rates in reading.trends.values() for rate in rates), default=0.0)
    shown = _shown(frame, reading, practice=scope.simulated)
    picked = st.dataframe(
        shown,
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
            "Trend": st.column_config.LineChartColumn(
                help="Success rate over the period.", y_min=lowest - 0.02, y_max=1, width="small"
            ),
            **{
                name: st.column_config.NumberColumn(format=format_, help=help_)
                for name, (format_, help_) in _NUMBERS.items()
            },
        },
        alt="Providers of this period, one in each row. Choose a row to see its calls.",
    )
    rows = picked.selection.rows or [cell[0] for cell in picked.selection.cells]
    if rows and rows[0] < len(frame):
        row = frame.iloc[rows[0]]
        scope.calls(
            row["calls"], f" of {label_of(row['provider'])}", provider=row["provider"]
        ).show()
    else:
        st.caption("Choose a row to see the calls behind it.")


def _shown(frame: pd.DataFrame, reading: Reading, *, practice: bool) -> pd.DataFrame:
    sure = frame["rated"] >= PROVEN
    return pd.DataFrame(
        {
            "Provider": [label_of(name) for name in frame["provider"]],
            "Success": (frame["success_rate"] * 100).where(sure),
            "Range": [
                doubt(ok, rated) for ok, rated in zip(frame["ok"], frame["rated"], strict=True)
            ],
            "Trend": [reading.trends.get(name, []) for name in frame["provider"]],
            "Calls": frame["calls"],
            "p50": frame["p50"],
            "p95": frame["p95"],
            "p99": frame["p99"],
            "First word": frame["ttft"],
            "Speed": frame["tokens_per_second"],
            "Valid plans": frame["valid_plan_rate"] * 100,
            # Practice costs nothing, whatever the price lists know.
            "Cost per plan": frame["plan_cost"].fillna(0.0) if practice else frame["plan_cost"],
        }
    )


def doubt(ok: int, rated: int) -> str:
    """`96.8 to 98.3 %`, or `3 calls: too few to judge`."""
    if rated < PROVEN:
        return f"{count(rated, 'call')}: too few to judge"
    low, high = (f"{bound * 100:.1f}" for bound in wilson(ok, rated))
    return f"{low} to {high} %"
