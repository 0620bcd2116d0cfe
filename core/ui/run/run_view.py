"""A run on the page: live while it happens, and whole once it has ended."""

from __future__ import annotations

import time

import streamlit as st

from core.planning.partial_plan import draft
from core.routing.strategies import STRATEGIES
from core.running.run import Run
from core.ui import show
from core.ui.address import redraw
from core.ui.components.copy_button import copy_button
from core.ui.components.into_view import into_view
from core.ui.components.passed_over import passed_over_view
from core.ui.components.waterfall import waterfall
from core.ui.run import again, execution
from core.ui.run.story import story_view
from core.ui.services import services
from core.values.errors import HistoryUnavailable
from core.values.telling.attempts import ticker
from core.values.thinking import answer_so_far
from core.values.wording import seconds_in_words
from core.web.run_documents import as_html, as_json, as_markdown, steps_as_csv

_EVERY = 0.5  # seconds between two looks at a run under way
_TAIL = 600  # characters of an answer that is being written, where it is no plan


def found(run_id: str) -> Run | None:
    """The run with that id; where there is none to be had, the page says why."""
    engine = services().engine
    try:
        run = engine.runs.find(run_id)
    except HistoryUnavailable as error:
        st.error(show.plain(f"{error.message} {error.action}"), icon=":material/database_off:")
        return None
    if run is None:
        st.warning("There is no run at this address. Choose one under History, or run a new plan.")
    return run


def watch(run_id: str) -> None:
    """Draw the run with that id, and go on drawing while it is under way."""
    run = found(run_id)
    if run is None:
        return
    live = not run.done.is_set()

    @st.fragment(run_every=_EVERY if live else None)
    def view() -> None:
        _view(run, live=live)
        if live and run.done.is_set():
            redraw()

    with st.container(key="one_run"):
        view()
        # Once when it begins, and once more when it waits for what only a person can say.
        waits = f" {run.phase}" if execution.is_offered(run) else ""
        into_view(f"{run_id}{waits}" if again.looked_at(run_id) else "", around="one_run")


def _view(run: Run, *, live: bool) -> None:
    _head(run, live=live)
    st.markdown(f"**{show.plain(run.record.goal[:300])}**")
    if live:
        _under_way(run)
    else:
        story_view(run)
        if execution.is_offered(run):
            execution.offer(run)
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            again.again_buttons(run)
            _take_away(run)
    execution.body(run, live=live)
    if run.attempts:
        st.subheader("Attempts", anchor=False)
        waterfall(run, live=live, said=ticker(run.attempts) if live else "")
    passed_over_view(run.record)


def _head(run: Run, *, live: bool) -> None:
    """How it stands, since when, and what can be done with it."""
    record = run.record
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        show.status_badge(run.phase)
        if record.simulated:
            show.practice_badge()
        show.when(record.started_at)
        facts = [STRATEGIES[record.strategy].label]
        if not live and (took := run.totals().took):
            facts.append(took)
        st.caption(show.plain(" · ".join(facts)), width="stretch")
        if live and st.button("Stop", icon=":material/stop_circle:", key="stop"):
            services().engine.cancel(record.id)


def _under_way(run: Run) -> None:
    """Who is being asked, for how long, and what has been written so far."""
    now = time.time()
    asked = [attempt for attempt in run.attempts if attempt.status == "running"]
    since = min((attempt.started_at for attempt in asked), default=None)
    seconds = "" if since is None else f" {seconds_in_words(int(now - since))}"
    said = ticker(run.attempts, seconds=now - run.record.started_at)
    st.markdown(f":shimmer[{show.plain(said)}]{seconds}")
    if run.plan is None and run.attempts:
        _writing(answer_so_far(run.texts.get(run.attempts[-1].ordinal, "")).strip())


def _writing(text: str) -> None:
    found = draft(text)
    if found is None:
        if text and not text.startswith(("{", "```")):
            st.code(text[-_TAIL:], language=None, wrap_lines=True)
        return
    with st.container(border=True, gap="xsmall"):
        lines = [show.plain(found.reasoning)] if found.reasoning else []
        for number, (who, what) in enumerate(found.steps, start=1):
            lines.append(f"**{number}. {show.plain(show.agent(who))}** {show.plain(what)}")
        lines[-1] += " ▌"
        for line in lines:
            st.markdown(line)


def _take_away(run: Run) -> None:
    if run.plan is None:
        return
    st.page_link(
        "run/run.py",
        label="On its own",
        icon=":material/open_in_full:",
        query_params={"run": run.record.id},
        help="This run to read, on a page whose address can be kept",
    )
    copy_button(as_markdown(run), key="copy")
    download_button(run)


def download_button(run: Run) -> None:
    """What there is of a run, in any of four forms."""
    with st.popover("Download", icon=":material/download:"):
        for kind, text, ending, mime in (
            ("Markdown", as_markdown(run), "md", "text/markdown"),
            ("Web page", as_html(run), "html", "text/html"),
            ("JSON", as_json(run), "json", "application/json"),
            ("CSV of the steps", steps_as_csv(run), "csv", "text/csv"),
        ):
            st.download_button(
                kind,
                text,
                file_name=f"plan-{run.record.id[:8]}.{ending}",
                mime=mime,
                icon=":material/download:",
                type="tertiary",
                on_click="ignore",
                key=f"download {ending}",
            )
