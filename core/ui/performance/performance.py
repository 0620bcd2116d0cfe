"""Performance: how providers fared in a period, against the one before, and what was changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TypeVar

import streamlit as st

from core.ui import show
from core.ui.address import go_to, redraw
from core.ui.performance import period_data as reads
from core.ui.performance.cards import cards
from core.ui.performance.links import Scope
from core.ui.performance.panels import panels
from core.ui.performance.period_data import DATES, Asked, PeriodData
from core.ui.performance.table import providers
from core.ui.services import services
from core.values import periods
from core.values.errors import HistoryUnavailable
from core.values.periods import PRESETS

_LOOK_EVERY = 2.0  # seconds between two looks at whether anything is new
_CHOICES = {**{name: row.label for name, row in PRESETS.items()}, DATES: "Two dates"}
_T = TypeVar("_T", str, bool)
_KINDS = {False: "Real", True: "Practice"}


def _performance() -> None:
    kinds = reads.kinds()
    now = reads.asked(kinds)
    _top(now, kinds)
    data = reads.read(now, first=kinds.get(now.simulated))
    _watch(data.question.version)
    _heading(data)
    if not data.summary.calls:
        _nothing(kinds)
        return
    there = periods.zone(st.context.timezone)
    scope = Scope(data.question.period, now.simulated, data.removed_until, there)
    if scope.removed:
        st.caption(scope.removed)
    key = f"{now.period} {now.first} {now.last} {now.simulated}"
    cards(data, scope)
    st.subheader("Providers", anchor=False)
    providers(data, scope, key=f"providers {key}")
    panels(data, scope, key=key)
    _changes(data)


def _top(now: Asked, kinds: Mapping[bool, float]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Performance", anchor=False)
        st.space("stretch")
        if len(kinds) > 1:
            _choice("simulated", "Practice or real", _KINDS, now.simulated)
        _choice("period", "Period", _CHOICES, now.period)
    if now.period == DATES:
        _dates(now)


def _choice(name: str, label: str, choices: Mapping[_T, str], chosen: _T) -> None:
    """A choice that lives in the address."""
    key = f"performance {name}"
    if st.session_state.get(key) != chosen:
        st.session_state[key] = chosen
    st.segmented_control(
        label,
        list(choices),
        format_func=choices.__getitem__,
        required=True,
        key=key,
        label_visibility="collapsed",
        wrap=True,
        on_change=_chosen,
        args=(name,),
    )


def _chosen(name: str) -> None:
    value = st.session_state[f"performance {name}"]
    if name == "simulated":
        _ask(simulated=str(value).lower())
    elif value == DATES:
        today = reads.today(periods.zone(st.context.timezone))
        _ask_between(today - timedelta(days=6), today)
    else:
        _ask(**{"from": None, "to": None, "period": value})


def _dates(now: Asked) -> None:
    key = "performance dates"
    if st.session_state.get("performance between") != (now.first, now.last):
        st.session_state["performance between"] = (now.first, now.last)
        st.session_state[key] = (now.first, now.last)
    st.date_input(
        "From and to, both included",
        value=[],
        key=key,
        format="DD/MM/YYYY",
        on_change=_dates_chosen,
        width=290,
    )


def _dates_chosen() -> None:
    ends = st.session_state["performance dates"]
    if len(ends) == 2:
        _ask_between(*ends)


def _ask_between(first: date, last: date) -> None:
    _ask(**{"period": None, "from": first.isoformat(), "to": last.isoformat()})


def _ask(**changes: str | None) -> None:
    asked = {**st.query_params.to_dict(), **changes}
    go_to({name: value for name, value in asked.items() if value}, of="performance")


def _heading(data: PeriodData) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if data.question.simulated:
            show.practice_badge()
        words = [reads.words_of(data), data.compared]
        st.caption(show.plain(", ".join(filter(None, words))))


def _changes(data: PeriodData) -> None:
    if not data.changes:
        return
    st.subheader("What was changed", anchor=False)
    st.caption("Marked in the charts over time by a dashed line with a triangle.")
    for change in reversed(data.changes):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(change["when"], width=190)
            st.markdown(show.plain(change["said"]), width="stretch")


def _nothing(kinds: Mapping[bool, float]) -> None:
    if kinds:
        st.info("No calls in this period yet. Choose a longer one above, or run a plan.")
    else:
        st.info(
            "No calls in this period yet. Run a plan: how fast and how reliably each provider"
            " answered shows here at once."
        )
    st.page_link("run/run_plan.py", label="Run a plan", icon=":material/play_circle:")


@st.fragment(run_every=_LOOK_EVERY)
def _watch(version: int) -> None:
    """What is shown is drawn anew once anything was recorded, and not before."""
    try:
        if services().records.version() != version:
            redraw()
    except HistoryUnavailable:
        return  # what was read stays; the banner above says what is the matter


try:
    _performance()
except HistoryUnavailable as error:
    st.error(show.plain(f"{error.message} {error.action}"), icon=":material/database_off:")
    st.button("Try again", icon=":material/refresh:")
