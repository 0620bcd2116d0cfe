"""The filters of the History page: they live in its address, and nowhere else.

So a filtered view can be sent to a colleague, is kept by a reload, and is what the export gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode

import streamlit as st

from core.routing.strategies import STRATEGIES
from core.ui import show
from core.ui.actions import follow
from core.ui.address import go_to, now
from core.ui.history.chips import OF_FIGURES, chips
from core.ui.history.list_rows import reason
from core.ui.services import services
from core.values.errors import HistoryUnavailable
from core.values.history.filters import (
    CHOICES,
    YES_OR_NO,
    CallFilter,
    RunFilter,
    filter_from,
    run_filter_from,
)
from core.values.outcomes import RUN_ENDS, ErrorKind
from core.values.periods import EARLIEST, LATEST, PRESETS, midnight, preset, zone
from core.values.registry import PROVIDERS, label_of
from core.values.statuses import statuses_of
from core.values.wording import exact_time, sentence

View = Literal["runs", "calls"]
PERIODS = {name: f"Last {row.label}" for name, row in PRESETS.items() if row.days}
_DATES = "dates"
_PATH = "history"
_FILTERS = (*CHOICES, "simulated", "text", "period", "since", "until", "sort")
_MORE = ("answered_by", "error_kind", "model", "strategy", "simulated")  # behind a button
_VIEWS = {"runs": "Runs", "calls": "Calls"}
_SORTS = {"": "Newest first", "best": "Best match first"}
_PRACTICE = {"": "Practice and real", "false": "Real only", "true": "Practice only"}
_ALL = (*_FILTERS, *OF_FIGURES)


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What the address asks for. `filters` are as they stand there."""

    view: View
    page: int
    filters: Mapping[str, tuple[str, ...]]

    @property
    def text(self) -> str:
        return self.filters.get("text", ("",))[-1]

    @property
    def ranked(self) -> bool:
        """Whether the best matches come first, not the newest."""
        return bool(self.text) and self.filters.get("sort") == ("best",)

    def wanted(self, *, now: float) -> CallFilter | RunFilter:
        """
        Raises:
            BadRequest: a filter cannot be read.
        """
        given = self.resolved(now=now)
        return filter_from(given) if self.view == "calls" else run_filter_from(given)

    def resolved(self, *, now: float) -> dict[str, tuple[str, ...]]:
        """The filters with moments in the place of a period, as the export takes them."""
        given = {name: values for name, values in self.filters.items() if name != "sort"}
        period = given.pop("period", ("",))[-1]
        if period in PERIODS and "since" not in given and "until" not in given:
            there = _here()
            given["since"] = (f"{preset(period, now=now, zone=there).since:.0f}",)
        return given

    def address(self, *, page: int | None = None, **more: str) -> str:
        """This view as the query of an address."""
        pairs: dict[str, Any] = {"view": self.view, **self.filters}
        if page and page > 1:
            pairs["page"] = str(page)
        return urlencode(pairs | more, doseq=True)


def asked() -> HistoryQuery:
    """What the address of this moment asks for."""
    given = {
        name: tuple(filter(None, st.query_params.get_all(name)))
        for name in _ALL
        if any(st.query_params.get_all(name))
    }
    named = st.query_params.get("view")
    view: View = "runs" if named == "runs" or (named != "calls" and not given) else "calls"
    page = st.query_params.get("page", "1")
    return HistoryQuery(view, max(1, int(page)) if page.isdecimal() and len(page) < 9 else 1, given)


def ask(**changes: Sequence[str] | str | None) -> None:
    """Change the address; whatever is changed, it begins without a drawer, and at the first page
    unless another is asked for."""
    view = asked().view
    now = {name: list(st.query_params.get_all(name)) for name in _ALL}
    for name, value in changes.items():
        now[name] = [value] if isinstance(value, str) else list(value or ())
    now.setdefault("view", [view])
    go_to(
        {name: kept for name, values in now.items() if (kept := [v for v in values if v])}, of=_PATH
    )


def beside(**shown: str | None) -> None:
    """Show a call or a run beside the list, or none, and leave the list as it is."""
    wanted = now() | {name: [key] if key else [] for name, key in shown.items()}
    go_to({name: values for name, values in wanted.items() if values}, of=_PATH)


def clear() -> None:
    ask(**dict.fromkeys(_ALL))


def export_query(now: HistoryQuery, *, moment: float) -> str:
    """The same filters as the export takes them."""
    return urlencode({"view": now.view, **now.resolved(now=moment)}, doseq=True)


def view_switch(now: HistoryQuery) -> None:
    _switch("view", "Show", _VIEWS, now.view, _view_chosen)


def sort_switch(now: HistoryQuery) -> None:
    """Which of what was found comes first."""
    _switch("sort", "Order", _SORTS, "best" if now.ranked else "", _chosen)


def bar(now: HistoryQuery, models: Iterable[str]) -> None:
    """The filters as widgets: the usual ones in a line, the others behind a button."""
    calls = now.view == "calls"
    statuses = statuses_of("call" if calls else "run")
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filters"):
        _search(now)
        _time(now)
        of_calls = "Provider" if calls else "Provider asked"
        _several("provider", of_calls, now, PROVIDERS, label_of, "Any provider")
        _several("status", "Outcome", now, statuses, _labelled(statuses), "Any outcome")
        _more(now, models)
        if now.filters:
            st.button(
                "Clear filters", icon=":material/filter_alt_off:", type="tertiary", on_click=clear
            )
    _dates(now)
    chips(now.filters, ask)


def _more(now: HistoryQuery, models: Iterable[str]) -> None:
    calls = now.view == "calls"
    reasons = [*(() if calls else RUN_ENDS), *ErrorKind]
    used = sum(name in now.filters for name in _MORE)
    label = f"More filters ({used})" if used else "More filters"
    with st.popover(label, icon=":material/tune:", key="more_filters"):
        if not calls:
            _several("answered_by", "Answered by", now, PROVIDERS, label_of, "Any provider", 300)
        _several("error_kind", "Reason", now, reasons, reason, "Any reason", 300)
        of_calls = "Model" if calls else "Model asked"
        _several("model", of_calls, now, models, str, "Any model", 300)
        _several(
            "strategy", "Strategy", now, STRATEGIES, _labelled(STRATEGIES), "Any strategy", 300
        )
        practice = YES_OR_NO.get(now.filters.get("simulated", ("",))[-1].lower())
        chosen = "" if practice is None else str(practice).lower()
        _one("simulated", "Practice or real", _PRACTICE, chosen, _chosen, 300)


def _search(now: HistoryQuery) -> None:
    _follow("text", now.text)
    st.text_input(
        "Search",
        key=_key("text"),
        icon=":material/search:",
        placeholder="Search requests and answers"
        if now.view == "calls"
        else "Search goals and plans",
        max_chars=1000,
        label_visibility="collapsed",
        on_change=_chosen,
        args=("text",),
        width=255,
    )


def _several(
    name: str,
    label: str,
    now: HistoryQuery,
    options: Iterable[str],
    said: Callable[[str], str],
    any_of: str,
    width: int = 160,
) -> None:
    """Any number of some choices; one that came with the address is among them, known or not."""
    chosen = list(now.filters.get(name, ()))
    _follow(name, chosen)
    st.multiselect(
        label,
        list(dict.fromkeys([*options, *chosen])),
        key=_key(name),
        format_func=said,
        placeholder=any_of,
        label_visibility="visible" if width == 300 else "collapsed",
        on_change=_chosen,
        args=(name,),
        width=width,
    )


def _one(
    name: str,
    label: str,
    words: Mapping[str, str],
    chosen: str,
    on_change: Callable[[str], None],
    width: int = 160,
) -> None:
    """One of several; what came with the address and is none of them is the first."""
    _follow(name, chosen if chosen in words else "")
    st.selectbox(
        label,
        list(words),
        key=_key(name),
        format_func=words.__getitem__,
        label_visibility="visible" if width == 300 else "collapsed",
        on_change=on_change,
        args=(name,),
        width=width,
    )


def _switch(
    name: str, label: str, words: Mapping[str, str], chosen: str, on_change: Callable[[str], None]
) -> None:
    _follow(name, chosen)
    st.segmented_control(
        label,
        list(words),
        key=_key(name),
        format_func=words.__getitem__,
        required=True,
        label_visibility="collapsed",
        on_change=on_change,
        args=(name,),
    )


def _labelled(rows: Mapping[str, Any]) -> Callable[[str], str]:
    return lambda name: rows[name].label if name in rows else name


def _time(now: HistoryQuery) -> None:
    words = {"": "Any time", **PERIODS, _DATES: "Two dates"}
    exact = "since" in now.filters or "until" in now.filters
    chosen = _DATES if exact else now.filters.get("period", ("",))[-1]
    _one("period", "Time", words, chosen, _period_chosen)


def _period_chosen(_: str) -> None:
    chosen = st.session_state[_key("period")]
    if chosen == _DATES:
        today = datetime.now(_here()).date()
        _ask_between(today - timedelta(days=6), today)
    else:
        ask(period=chosen, since=None, until=None)


def _dates(now: HistoryQuery) -> None:
    """Two dates of the viewer's calendar; moments within a day are said in words."""
    since, until = _moment(now, "since"), _moment(now, "until")
    if since is None and until is None:
        return
    first, last = _day(since), _day(None if until is None else until - 1)
    if st.session_state.get("history_between") != (since, until):
        st.session_state["history_between"] = (since, until)
        ends = tuple(day for day in (first, last) if day)
        st.session_state[_key("dates")] = ends
    with st.container(horizontal=True, vertical_alignment="center"):
        st.date_input(
            "From and to, both included",
            value=[],
            key=_key("dates"),
            format="DD/MM/YYYY",
            on_change=_dates_chosen,
            label_visibility="collapsed",
            width=290,
        )
        if not (_midnight(since) and _midnight(until)):
            st.caption(show.plain(_between(since, until)))


def _dates_chosen() -> None:
    ends = st.session_state[_key("dates")]
    if len(ends) == 2:
        _ask_between(*ends)


def _here() -> tzinfo:
    return zone(st.context.timezone)


def _ask_between(first: date, last: date) -> None:
    there = _here()
    # The day after the last begins 23, 24 or 25 hours later.
    start, end = midnight(first, there), midnight(last + timedelta(days=1), there)
    ask(period=None, since=str(round(start)), until=str(round(end)))


def _moment(now: HistoryQuery, name: str) -> float | None:
    try:
        value = float(now.filters[name][-1])
        datetime.fromtimestamp(value, _here())
    except (KeyError, ValueError, OverflowError, OSError):
        return None
    return min(max(value, midnight(EARLIEST, UTC)), midnight(LATEST, UTC))


def _day(moment: float | None) -> date | None:
    return None if moment is None else datetime.fromtimestamp(moment, _here()).date()


def _midnight(moment: float | None) -> bool:
    day = _day(moment)
    return moment is not None and day is not None and midnight(day, _here()) == moment


def _between(since: float | None, until: float | None) -> str:
    parts = [
        f"{word} {exact_time(moment, st.context.timezone)}"
        for word, moment in (("from", since), ("until", until))
        if moment is not None
    ]
    return sentence(" ".join(parts))


# -- a widget follows the address, and the address a widget


def _key(name: str) -> str:
    return f"history_{name}"


def _follow(name: str, value: Any) -> None:
    follow(_key(name), value)


def _chosen(name: str) -> None:
    ask(**{name: st.session_state[_key(name)]})


def _view_chosen(_: str) -> None:
    # Runs and calls end in different ways, so those choices do not carry over.
    others = dict.fromkeys(("answered_by", "status", "error_kind", "slower_than", "up_to", "saved"))
    ask(view=st.session_state[_key("view")], **others)


# -- saved filters


_SAVED = "saved_filters"  # name -> query of the address


def saved(now: HistoryQuery) -> None:
    """Keep this view under a name, take a kept one, or forget it."""
    kept = _kept()
    with st.popover("Saved", icon=":material/bookmark:", key="saved_filters"):
        if not kept:
            st.caption("Choose filters, give them a name, and find them here next time.")
        for name, query in kept.items():
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.button(
                    show.plain(name),
                    key=f"use {name}",
                    icon=":material/filter_alt:",
                    type="tertiary",
                    width="stretch",
                    on_click=_use,
                    args=(query,),
                )
                st.button(
                    "Delete",
                    key=f"forget {name}",
                    icon=":material/delete:",
                    type="tertiary",
                    help=f"Delete {show.plain(name)}",
                    on_click=_forget,
                    args=(name,),
                )
        with st.form("save_filters", border=False, clear_on_submit=True):
            st.text_input("Name", key="filter_name", max_chars=60, placeholder="Slow answers")
            st.form_submit_button(
                "Save these filters",
                icon=":material/bookmark_add:",
                on_click=_save,
                args=(now.address(),),
            )


def _kept() -> Mapping[str, str]:
    return services().engine.choices.get(_SAVED) or {}


def _save(query: str) -> None:
    name = st.session_state["filter_name"].strip()
    if name:
        _keep({**_kept(), name: query})
    else:
        st.toast("Give these filters a name first.")


def _forget(name: str) -> None:
    _keep({other: query for other, query in _kept().items() if other != name})


def _keep(kept: Mapping[str, str]) -> None:
    try:
        services().engine.choices.set(_SAVED, dict(kept) or None)
    except HistoryUnavailable as error:
        st.toast(show.plain(f"{error.message} {error.action}"))


def _use(query: str) -> None:
    go_to(parse_qs(query), of=_PATH)
