"""One run as it happens, and once it has ended."""

from __future__ import annotations

import time

import streamlit as st

from core.errors import HistoryUnavailable
from core.plan import json_text
from core.runs import Run
from core.ui import again, execution, show
from core.ui.services import services
from core.words import story

_EVERY = 0.5  # seconds between two looks at a run under way


def watch(run_id: str) -> None:
    """Draw the run with that id, and go on drawing while it is under way."""
    engine = services().engine
    try:
        run = engine.run(run_id) or engine.stored_run(run_id)
    except HistoryUnavailable as error:
        st.error(show.plain(f"{error.message} {error.action}"), icon=":material/database_off:")
        return
    if run is None:
        st.warning("There is no run at this address. Choose one under History, or run a new plan.")
        return
    live = not run.done.is_set()

    @st.fragment(run_every=_EVERY if live else None)
    def view() -> None:
        _view(run)
        if live and run.done.is_set():
            st.rerun()

    view()


def _view(run: Run) -> None:
    record = run.record
    live = not run.done.is_set()
    _head(run, live=live)
    st.markdown(f"**{show.plain(record.goal[:300])}**")
    if run.attempts and not live:
        st.markdown(show.plain(story(run.attempts)))
    if run.error is not None:
        st.error(show.plain(f"{run.error.message} {run.error.action}"), icon=":material/error:")
    show.attempt_lines(run.attempts, now=time.time())
    if live:
        _writing(run)
    execution.body(run, live=live)
    if run.plan is not None and not live:
        _downloads(run)


def _head(run: Run, *, live: bool) -> None:
    record = run.record
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left.container(horizontal=True, vertical_alignment="center"):
        show.status_badge(record.status)
        if record.simulated:
            show.practice_badge()
    right = right.container(horizontal=True, horizontal_alignment="right")
    if live:
        if right.button("Stop", icon=":material/stop_circle:", key="stop"):
            services().engine.cancel(record.id)
    elif right.button("Run again", icon=":material/replay:", key="again"):
        again.run_again(record)


def _writing(run: Run) -> None:
    if not run.attempts:
        st.caption("Starting.")
        return
    text = run.texts.get(run.attempts[-1].ordinal, "").strip()
    if text and run.plan is None:
        st.code(text[-600:], language=None, wrap_lines=True)


def _downloads(run: Run) -> None:
    assert run.plan is not None
    st.download_button(
        "Download the plan",
        json_text(run.plan),
        file_name="plan.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
    )
