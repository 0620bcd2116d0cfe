"""History: every run and every call, newest first, and one call in full."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from core.providers import label_of
from core.strategies import STRATEGIES
from core.ui import show
from core.ui.services import services
from core.words import attempt_in_words, money, seconds_in_words

_PAGE = 25  # rows


def _calls() -> None:
    records = services().records
    before = st.session_state.get("before")
    frame = records.page_of_calls(limit=_PAGE + 1, before_id=before)
    if frame.empty:
        _nothing_yet()
        return
    more = len(frame) > _PAGE
    frame = frame.head(_PAGE)
    shown = pd.DataFrame(
        {
            "When": pd.to_datetime(frame["started_at"], unit="s", utc=True),
            "Provider": [label_of(name) for name in frame["provider"]],
            "Model": frame["model"],
            "Outcome": frame["status"],
            "Reason": [_reason(kind) for kind in frame["error_kind"]],
            "Seconds": frame["latency_ms"] / 1000,
            "Tokens out": frame["output_tokens"],
            "Practice": frame["simulated"].astype(bool),
        }
    )
    picked = st.dataframe(
        shown,
        hide_index=True,
        on_select="rerun",
        selection_mode=["single-row", "single-cell"],
        key=f"calls before {before}",
        height=35 * (len(shown) + 1) + 3,
        column_config={
            "When": st.column_config.DatetimeColumn(
                timezone=st.context.timezone, format="D MMM YYYY, HH:mm:ss"
            ),
            "Seconds": st.column_config.NumberColumn(format="%.2f"),
        },
        alt="Calls, newest first. Choose a row to see the call in full.",
    )
    rows = picked.selection.rows or [cell[0] for cell in picked.selection.cells]
    _turn_pages(frame, more=more)
    if rows:
        st.query_params["call"] = str(frame["id"].iloc[rows[0]])
    if call := st.query_params.get("call"):
        _drawer(call)


def _reason(kind: object) -> str:
    return str(kind).replace("_", " ") if isinstance(kind, str) else ""


def _turn_pages(frame: pd.DataFrame, *, more: bool) -> None:
    newest, older, _ = st.columns([1, 1, 6])
    if newest.button("Newest", disabled=st.session_state.get("before") is None):
        st.session_state["before"] = None
        st.rerun()
    if older.button("Older", disabled=not more):
        st.session_state["before"] = int(frame["id"].iloc[-1])
        st.rerun()


def _close() -> None:
    st.query_params.pop("call", None)


@st.dialog("Call", position="right", width="medium", on_dismiss=_close)
def _drawer(call_id: str) -> None:
    records = services().records
    call = (
        records.call(int(call_id))
        if call_id.isascii() and call_id.isdigit() and len(call_id) < 18
        else None
    )
    if call is None:
        st.warning("There is no call at this address.")
        return
    with st.container(horizontal=True):
        show.status_badge(call.status)
        if call.simulated:
            show.practice_badge()
    st.markdown(show.plain(attempt_in_words(call)))
    if call.message:
        st.markdown(show.plain(call.message))
    took = "unknown" if call.latency_ms is None else seconds_in_words(call.latency_ms / 1000)
    usage = call.usage
    facts = {
        "Provider": label_of(call.provider),
        "Model": call.model,
        "Strategy": STRATEGIES[call.strategy].label,
        "Time": took,
        "Tokens in, out": f"{_or_unknown(usage.input_tokens)}, {_or_unknown(usage.output_tokens)}",
        "Cost": "$0 (practice)" if call.simulated else money(call.cost_usd),
        "HTTP status": _or_unknown(call.http_status),
    }
    with st.container(border=True, gap="small"):
        for name, fact in facts.items():
            left, right = st.columns([1, 2], gap="small")
            left.caption(name)
            right.markdown(show.plain(fact))
    if call.run_id:
        st.page_link(
            "views/run_plan.py",
            label="Open its run",
            query_params={"run": call.run_id},
            icon=":material/open_in_new:",
        )
    text = records.call_text(call.id)
    if text is None:
        st.caption("The texts of this call are no longer kept.")
        return
    request, response = text
    st.markdown("**Request**")
    for message in json.loads(request):
        st.caption(message["role"].capitalize())
        st.code(message["content"], language=None, wrap_lines=True)
    st.markdown("**Answer**")
    st.code(response or "There was no answer.", language=None, wrap_lines=True)


def _or_unknown(value: object) -> str:
    return "unknown" if value is None else str(value)


def _nothing_yet() -> None:
    st.info("Nothing has run yet. Run a plan, and every call it makes shows here.")
    st.page_link("views/run_plan.py", label="Run a plan", icon=":material/play_circle:")


st.title("History")
_calls()
