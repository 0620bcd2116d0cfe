"""Run: one run on a page of its own, to read: its answer, and its steps folded beneath."""

from __future__ import annotations

import streamlit as st

from core.running.run import Run
from core.ui import show
from core.ui.address import redraw
from core.ui.components.copy_button import copy_button
from core.ui.run import execution
from core.ui.run.run_view import download_button, found
from core.web.run_documents import rewritten

_EVERY = 1.0  # seconds between two looks at a run under way


def _page(run_id: str) -> None:
    run = found(run_id)
    if run is None:
        return
    live = not run.done.is_set()

    @st.fragment(run_every=_EVERY if live else None)
    def view() -> None:
        _read(run, live=live)
        if live and run.done.is_set():
            redraw()

    view()


def _read(run: Run, *, live: bool) -> None:
    record = run.record
    st.title(show.plain(record.goal[:200]), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        show.status_badge(run.phase)
        if record.simulated:
            show.practice_badge()
        if record.request.private:
            execution.private_badge()
        show.when(record.started_at)
    if not live:
        st.markdown(show.plain(run.story))
    if run.error is not None:
        st.markdown(show.plain(run.error.message))
    execution.to_read(run)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if run.plan is not None and not live:
            if run.final_answer:
                copy_button(rewritten(run.final_answer), key="copy answer")
            download_button(run)
        st.page_link(
            "run/run_plan.py",
            label="Open it in Run plan",
            icon=":material/play_circle:",
            query_params={"run": record.id},
        )


if run_id := st.query_params.get("run"):
    _page(run_id)
else:
    st.title("Run")
    st.info("Choose a run under History to read it here.")
    st.page_link("history/history.py", label="History", icon=":material/history:")
