"""The charts of the page: each with the calls behind a mark, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from core.insight.chart_parts import Chart, Mark
from core.ui.performance.links import Link, Scope
from core.ui.performance.period_data import PeriodData
from core.ui.performance.table import IN_COLUMN, in_words
from core.values.history.summary import FEWEST
from core.values.outcomes import ErrorKind

Lead = Callable[[Mark, Scope], Link]


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    help: str
    charts: Mapping[str, str]  # of PeriodData.charts, each with its name where there are several
    columns: tuple[str, ...]  # of its numbers: keys of _COLUMNS
    lead: Lead
    empty: str  # said in the place of a chart without marks


@dataclass(frozen=True, slots=True)
class Column:
    label: str
    said: Callable[[float], str] | None = None  # of a number, in words


_COLUMNS: dict[str, Column] = {
    "label": Column("Provider"),
    "reason": Column("Reason"),
    "when": Column("When"),
    "took": Column("Took"),
    "success_rate": Column("Success", IN_COLUMN["percent"]),
    "share": Column("Share"),
    "number": Column("Share of answers"),
    "calls": Column("Calls", IN_COLUMN["number"]),
    "ok": Column("Answers", IN_COLUMN["number"]),
    "rated": Column("Of calls", IN_COLUMN["number"]),
    "p50": Column("p50", IN_COLUMN["seconds"]),
    "p95": Column("p95", IN_COLUMN["seconds"]),
    "saved": Column("Saved runs", IN_COLUMN["number"]),
    "runs": Column("Of runs", IN_COLUMN["number"]),
}


def _bucket(mark: Mark, scope: Scope) -> Link:
    here = scope.within(mark["since"], mark["until"])
    of = f" of {mark['label']}, {mark['when']}"
    return here.calls(mark["calls"], of, provider=mark["provider"])


def _answers_of_bucket(mark: Mark, scope: Scope) -> Link:
    here = scope.within(mark["since"], mark["until"])
    of = f" of {mark['label']}, {mark['when']}"
    return here.calls(mark["ok"], of, thing="answer", provider=mark["provider"], status="ok")


def _latencies(mark: Mark, scope: Scope) -> Link:
    # The shortest bar counts those that took no time at all, too.
    above = {"slower_than": repr(mark["low"])} if mark["low"] else {}
    return scope.calls(
        mark["calls"],
        f" of {mark['label']}, {mark['took']}",
        thing="answer",
        provider=mark["provider"],
        status="ok",
        up_to=repr(mark["high"]),
        **above,
    )


def _failures(mark: Mark, scope: Scope) -> Link:
    of = f" of {mark['label']}: {ErrorKind(mark['error_kind']).outcome.reason.lower()}"
    filters = {"provider": mark["provider"], "error_kind": mark["error_kind"]}
    return scope.calls(mark["calls"], of, thing="failure", **filters)


def _answers(mark: Mark, scope: Scope) -> Link:
    of = f" of {mark['label']}"
    return scope.calls(mark["ok"], of, thing="answer", provider=mark["provider"], status="ok")


def _saved_runs(mark: Mark, scope: Scope) -> Link:
    here = scope.within(mark["since"], mark["until"])
    return here.runs(mark["saved"], f", {mark['when']}", thing="saved run", saved="true")


PANELS: dict[str, Panel] = {
    "success": Panel(
        "Success rate",
        "Each mark stands on ten calls or more, over a longer time where calls are few.",
        {"success": "Success rate"},
        ("label", "when", "success_rate", "ok", "rated"),
        _bucket,
        "No call in this period says anything about a provider.",
    ),
    "latency": Panel(
        "Latency",
        "p95: 19 of 20 answers took no longer. p50: half of them took no longer. Each mark stands"
        f" on {FEWEST[0.95]} answers or more, over a longer time where they are few.",
        {"p95": "p95", "p50": "p50"},
        ("label", "when", "p50", "p95", "ok"),
        _answers_of_bucket,
        f"Too few answers in this period: p95 takes {FEWEST[0.95]} of one provider.",
    ),
    "distribution": Panel(
        "How long answers took",
        "The higher a bar, the more of this provider's answers took that long.",
        {"distribution": "How long answers took"},
        ("label", "took", "share", "calls"),
        _latencies,
        "No provider answered in this period.",
    ),
    "share": Panel(
        "Share of answers",
        "Who gave how many of all answers.",
        {"share": "Share of answers"},
        ("label", "number", "ok"),
        _answers,
        "No provider answered in this period.",
    ),
    "failures": Panel(
        "Failures by reason",
        "The most frequent ones; all of them are in its numbers. Also those that say nothing of a"
        " provider, such as a refusal.",
        {"failures": "Failures by reason"},
        ("label", "reason", "calls"),
        _failures,
        "Nothing failed in this period.",
    ),
    "saved": Panel(
        "Runs saved by fallback",
        "A provider failed in them and another one answered: without it they would have failed.",
        {"saved": "Runs saved by fallback"},
        ("when", "saved", "runs"),
        _saved_runs,
        "No run needed saving in this period.",
    ),
}


def panels(data: PeriodData, scope: Scope, *, key: str) -> None:
    """`key` sets the widgets of one period apart from those of another."""
    with st.grid(2, min_column_width=330, border=True) as grid:
        for name, panel in PANELS.items():
            with grid.cell():
                drawn = {chart: data.charts[chart] for chart in panel.charts}
                _panel(panel, drawn, scope, f"{name} {key}")


@st.fragment
def _panel(panel: Panel, drawn: Mapping[str, Chart], scope: Scope, key: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(panel.title, anchor=False, help=panel.help)
        name = next(iter(drawn))
        if len(drawn) > 1:
            st.space("stretch")
            name = st.segmented_control(
                panel.title,
                list(drawn),
                default=name,
                required=True,
                format_func=panel.charts.__getitem__,
                key=f"which {key}",
                label_visibility="collapsed",
            )
    chart = drawn[name]
    if not chart.marks:
        st.caption(panel.empty)
        return
    event = st.vega_lite_chart(
        chart.spec,
        key=f"chart {name} {key}",
        on_select="rerun",
        selection_mode="pick",
        alt=chart.alt,
    )
    _follow(_picked(event, chart), panel, scope)
    numbers = st.expander("Numbers", on_change="rerun", key=f"numbers {key}")
    if numbers.open:
        with numbers:
            _numbers(panel, chart, scope, f"table {name} {key}")


def _picked(event: Any, chart: Chart) -> Mark | None:
    picked = event.selection.get("pick") or [{}]
    wanted = picked[0].get("id")
    return next((mark for mark in chart.marks if mark["id"] == wanted), None)


def _follow(mark: Mark | None, panel: Panel, scope: Scope) -> None:
    if mark is None:
        st.caption("Choose a mark to see the calls behind it.")
    else:
        panel.lead(mark, scope).follow()


def _numbers(panel: Panel, chart: Chart, scope: Scope, key: str) -> None:
    columns = [_COLUMNS[name] for name in panel.columns]
    said = {column.label: column.said for column in columns if column.said}
    picked = st.dataframe(
        in_words(_table(chart.marks, panel.columns), said, few={"p95"} & said.keys()),
        hide_index=True,
        placeholder="",
        height=min(36 * (len(chart.marks) + 1), 300),
        on_select="rerun",
        selection_mode=["single-row", "single-cell"],
        key=key,
        alt=f"{panel.title} in numbers.",
    )
    rows = picked.selection.rows or [cell[0] for cell in picked.selection.cells]
    if rows and rows[0] < len(chart.marks):
        panel.lead(chart.marks[rows[0]], scope).follow()
    else:
        st.caption("Choose a row to see the calls behind it.")


def _table(marks: Sequence[Mark], names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({_COLUMNS[name].label: [mark[name] for mark in marks] for name in names})
