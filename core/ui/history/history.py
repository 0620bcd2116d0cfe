"""History: every run and every call, newest first; one of them in full beside the list."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st

from core.ui import show
from core.ui.address import redraw
from core.ui.components.removed import removed_in_words
from core.ui.history import details, filter_bar, list_rows
from core.ui.history.filter_bar import HistoryQuery
from core.ui.history.list_table import table
from core.ui.services import services
from core.values.errors import BadRequest, HistoryUnavailable
from core.values.history.filters import COUNTED_TO, EVERY_CALL, EVERY_RUN, RANKED_AMONG, CallFilter
from core.values.periods import Period, zone
from core.values.ports import Records

if TYPE_CHECKING:
    import pandas as pd

_PAGE = 25  # rows
_LOOK_EVERY = 1.0  # seconds between two looks at whether anything is new
_WORDS = {"runs": ("run", "runs"), "calls": ("call", "calls")}


class HistoryKey(NamedTuple):
    """What was asked of which version: under the same key nothing is read again."""

    version: int
    asked: HistoryQuery
    wanted: Any


@dataclass(frozen=True, slots=True)
class HistoryData:
    key: HistoryKey
    count: int
    page: int
    pages: int
    frame: pd.DataFrame
    chains: dict[str, list[list[Any]]]
    steps: dict[str, int]
    models: list[str]
    ever: bool  # has anything ever run?


def _history() -> None:
    now = filter_bar.asked()
    try:
        data = _read(now)
    except BadRequest as error:
        st.warning(show.plain(f"{error} Clear the filters to see everything."))
        _clear_button()
        return
    if not data.ever:
        _nothing_yet()
        _watch(data, drawn=False)
        return
    _top(data)
    filter_bar.bar(now, data.models)
    _count_line(data)
    if removed := _removed(data.key.wanted):
        st.caption(removed)
    if data.count:
        _list(data)
    else:
        _nothing_found(now)
    drawn = _drawer()
    _watch(data, drawn=drawn)


# -- data, once for each state of the history


def _read(now: HistoryQuery) -> HistoryData:
    records = services().records
    key = HistoryKey(records.version(), now, now.wanted(now=time.time()))
    kept: HistoryData | None = st.session_state.get("history_data")
    if kept and kept.key == key:
        return kept
    with st.skeleton(height=600):
        data = _read_anew(records, key)
    st.session_state["history_data"] = data
    return data


def _read_anew(records: Records, key: HistoryKey) -> HistoryData:
    now, wanted = key.asked, key.wanted
    calls = isinstance(wanted, CallFilter)
    count = records.count_calls(wanted) if calls else records.count_runs(wanted)
    reach = min(count, RANKED_AMONG) if now.ranked else count
    pages = max(1, -(-reach // _PAGE))
    page = min(now.page, pages)
    ask = records.page_of_calls if calls else records.page_of_runs
    frame = ask(wanted=wanted, limit=_PAGE, page=page, ranked=now.ranked)
    runs = [run for run in frame["run_id"].unique() if run] if calls else []
    return HistoryData(
        key,
        count,
        page,
        pages,
        frame,
        records.chains(runs),
        records.steps_of(runs),
        records.models(),
        ever=count > 0 or records.count_calls(EVERY_CALL) + records.count_runs(EVERY_RUN) > 0,
    )


# -- the list


def _top(data: HistoryData) -> None:
    now = data.key.asked
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        filter_bar.view_switch(now)
        st.space("stretch")
        filter_bar.saved(now)
        _export(now)


def _export(now: HistoryQuery) -> None:
    query = filter_bar.export_query(now, moment=time.time())
    with st.popover("Export", icon=":material/download:", key="export"):
        one = _WORDS[now.view][0]
        st.caption(f"Every {one} that these filters let through, not only this page.")
        st.link_button(
            "Table (CSV)",
            f"autonomous/export.csv?{query}",
            icon=":material/table:",
            help="For a spreadsheet: the numbers, without the texts.",
            width="stretch",
        )
        st.link_button(
            "JSON lines",
            f"autonomous/export.jsonl?{query}",
            icon=":material/data_object:",
            help="For programs: with the texts.",
            width="stretch",
        )


def _count_line(data: HistoryData) -> None:
    now = data.key.asked
    one, many = _WORDS[now.view]
    capped = data.key.wanted.costly and data.count >= COUNTED_TO
    more = " or more" if capped else ""
    words = f"{data.count:,}{more} {one if data.count == 1 else many}"
    if now.filters:
        words += " with these filters"
    if data.pages > 1:
        first = (data.page - 1) * _PAGE + 1
        words += f", {first:,} to {first + len(data.frame) - 1:,} shown"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(words)
        if now.text:
            st.space("stretch")
            filter_bar.sort_switch(now)


def _removed(wanted: Any) -> str:
    """What is no longer there of what a figure counts, where its link was followed."""
    if not wanted.counted or wanted.simulated is None or wanted.since is None:
        return ""
    until = services().records.removed_until(simulated=wanted.simulated)
    period = Period(wanted.since, wanted.until or time.time())
    return removed_in_words(period, until, zone(st.context.timezone))


def _list(data: HistoryData) -> None:
    now = data.key.asked
    calls = now.view == "calls"
    address = f"?{now.address(page=data.page)}&{'call' if calls else 'run'}="
    searching = bool(now.text)
    columns = list_rows.columns(
        list_rows.CALL_COLUMNS if calls else list_rows.RUN_COLUMNS, searching=searching
    )
    how = list_rows.How(st.context.timezone, address, searching)
    shown = (
        list_rows.call_rows(data.frame, data.chains, data.steps, how=how)
        if calls
        else list_rows.run_rows(data.frame, how=how)
    )
    table(
        columns,
        shown,
        label=f"{_WORDS[now.view][1].capitalize()}, newest first",
        key=f"history_table_{now.view}",
        picked=st.query_params.get("call" if calls else "run"),
        on_open=_open_call if calls else _open_run,
    )
    if data.pages > 1:
        _turn(data)


def _turn(data: HistoryData) -> None:
    if st.session_state.get("history_page") != data.page:
        st.session_state["history_page"] = data.page
    with st.container(horizontal=True, horizontal_alignment="center"):
        st.pagination(data.pages, max_visible_pages=9, key="history_page", on_change=_turned)


def _turned() -> None:
    page = st.session_state["history_page"]
    filter_bar.ask(page=str(page) if page > 1 else None)


# -- one of them, beside the list


def _open_call(name: str) -> None:
    filter_bar.beside(call=name)


def _open_run(name: str) -> None:
    filter_bar.beside(run=name)


def _close() -> None:
    filter_bar.beside(call=None, run=None)


def _drawer() -> bool:
    if call := st.query_params.get("call"):
        _call_drawer(call)
        return True
    if run := st.query_params.get("run"):
        _run_drawer(run)
        return True
    return False


@st.dialog("Call", position="right", width="medium", on_dismiss=_close)
def _call_drawer(address: str) -> None:
    call = details.call_of(address)
    if call is None:
        st.warning("There is no call at this address.")
        return
    text = filter_bar.asked().text
    _live(
        lambda: details.call_view(details.call_of(address) or call, whole=False, text=text),
        call.status,
    )


@st.dialog("Run", position="right", width="medium", on_dismiss=_close)
def _run_drawer(address: str) -> None:
    records = services().records
    run = records.run(address)
    if run is None:
        st.warning("There is no run at this address.")
        return
    _live(lambda: details.run_view(records.run(address) or run), run.status)


def _live(view: Callable[[], None], status: str) -> None:
    """While it runs, what is shown of it keeps up."""

    @st.fragment(run_every=_LOOK_EVERY if status == "running" else None)
    def shown() -> None:
        view()

    shown()


# -- what comes while the page is open


@st.fragment(run_every=_LOOK_EVERY)
def _watch(data: HistoryData, *, drawn: bool) -> None:
    """Look whether anything was recorded; read again only then.

    Whoever reads an older page, or one call beside the list, is told and not disturbed.
    """
    try:
        version = services().records.version()
        if version == data.key.version:
            return
        if drawn or data.page > 1:
            _news(data, version)
            return
    except HistoryUnavailable:
        pass  # the page itself says so
    redraw()


def _news(data: HistoryData, version: int) -> None:
    known, count = st.session_state.get("history_news", (None, 0))
    if known != version:
        wanted = data.key.wanted
        records = services().records
        count = (
            records.count_calls(wanted)
            if isinstance(wanted, CallFilter)
            else records.count_runs(wanted)
        )
        st.session_state["history_news"] = (version, count)
    new = count - data.count
    if new > 0:
        one, many = _WORDS[data.key.asked.view]
        # Of the fragment alone a click would redraw no more than the fragment.
        if st.button(
            f"{new:,} new {one if new == 1 else many}, show", icon=":material/arrow_upward:"
        ):
            filter_bar.ask()
            st.rerun()


# -- when there is nothing


def _nothing_yet() -> None:
    with st.container(border=True):
        st.markdown("**Nothing has run yet.**")
        st.markdown(
            "Run a plan, and every call it makes shows here: who was asked, what came back, how"
            " long it took and what it cost."
        )
        st.page_link("run/run_plan.py", label="Run a plan", icon=":material/play_circle:")


def _nothing_found(now: HistoryQuery) -> None:
    with st.container(border=True):
        st.markdown(f"**No {_WORDS[now.view][0]} matches these filters.**")
        st.markdown("Choose fewer, a longer time, or other words.")
        _clear_button()


def _clear_button() -> None:
    st.button(
        "Clear filters", key="clear", icon=":material/filter_alt_off:", on_click=filter_bar.clear
    )


def _unreadable(error: HistoryUnavailable) -> None:
    st.error(show.plain(f"{error.message} {error.action}"), icon=":material/database_off:")
    st.button("Try again", icon=":material/refresh:")
    _try_again()


@st.fragment(run_every=5)
def _try_again() -> None:
    with suppress(HistoryUnavailable):
        services().records.version()
        redraw()


st.title("History")
try:
    _history()
except HistoryUnavailable as error:
    _unreadable(error)
