"""Compare: the same goal with two or three providers at once, and one of the plans to run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import streamlit as st

from core.config.keys import Keys
from core.planning.comparison import in_a_row, only_here
from core.running.run import Run
from core.running.totals import totals
from core.ui import show
from core.ui.address import redraw
from core.ui.run import again
from core.ui.run.going_on import asked, fault_view
from core.ui.services import services
from core.values.errors import BadRequest, HistoryUnavailable, KeyFound, RunError
from core.values.registry import label_of
from core.values.runs import RunRequest
from core.values.telling.attempts import ticker
from core.values.telling.run_story import story

_EVERY = 0.5  # seconds between two looks at runs under way
_MOST = 3  # plans side by side


def _form() -> None:
    engine = services().engine
    able = engine.lineup.eligible()
    if len(able) < 2:
        st.info("Comparing takes two providers that can be asked. Set up another one first.")
        st.page_link("providers/providers.py", label="Providers", icon=":material/dns:")
        return
    goal = st.text_area(
        "Goal",
        key="goal to compare",
        height=90,
        persist_state="session",
        placeholder="Say what you want to get done. Each provider plans it by itself.",
        on_change=again.forget_key,
    )
    chosen = st.pills(
        "Providers, two or three",
        able,
        selection_mode="multi",
        default=able[:2],
        format_func=label_of,
        key="compared",
    )
    if st.button(
        "Compare plans", type="primary", icon=":material/compare_arrows:", key="compare plans"
    ):
        again.forget_key()
        _begin(goal or "", chosen)
    again.key_question("compare")


def _begin(goal: str, chosen: Sequence[str], keys: Keys = "refuse") -> None:
    try:
        ids = services().engine.compare(RunRequest(goal, source="ui"), chosen, keys=keys)
    except KeyFound:
        again.ask_about_key("compare", partial(_begin, goal, chosen))
    except BadRequest as error:
        st.error(show.plain(str(error)))
    except RunError as error:
        st.error(show.plain(f"{error.message} {error.action}"))
    else:
        st.query_params["runs"] = ",".join(ids)
        st.rerun()


def _compared(ids: Sequence[str]) -> None:
    engine = services().engine
    try:
        found = [engine.runs.find(run_id) for run_id in ids]
    except HistoryUnavailable as error:
        st.error(show.plain(f"{error.message} {error.action}"), icon=":material/database_off:")
        return
    runs = [run for run in found if run is not None]
    if len(runs) < len(ids):
        st.warning("A run that was compared here is no longer kept.")
    if not runs:
        return
    live = not all(run.done.is_set() for run in runs)

    @st.fragment(run_every=_EVERY if live else None)
    def view() -> None:
        _side_by_side(runs)
        if live and all(run.done.is_set() for run in runs):
            redraw()

    view()


def _side_by_side(runs: Sequence[Run]) -> None:
    for run in runs:
        fault_view(run.record.id)
    planned = [run for run in runs if run.plan is not None]
    plans = [run.plan for run in planned if run.plan is not None]
    alone = only_here(plans) if len(plans) > 1 else [set[int]() for _ in plans]
    marks = {run.record.id: mark for run, mark in zip(planned, alone, strict=True)}
    st.markdown(f"**{show.plain(runs[0].record.goal[:300])}**")
    if len(plans) > 1:
        st.markdown(show.plain(_differences(planned, alone)))
    for run, column in zip(runs, st.columns(len(runs), gap="medium"), strict=True):
        with column, st.container(border=True):
            _plan(run, marks.get(run.record.id, set()))


def _differences(runs: Sequence[Run], alone: Sequence[set[int]]) -> str:
    said = []
    for run, mark in zip(runs, alone, strict=True):
        assert run.plan is not None
        steps = len(run.plan.steps)
        said.append(
            f"{_name(run)} plans {steps} step{'' if steps == 1 else 's'},"
            f" {in_a_row(run.plan)} of them in a row, {len(mark) or 'none'} that no other has."
        )
    return " ".join(said)


def _name(run: Run) -> str:
    asked_for = run.record.request.priority or [run.record.provider or ""]
    return label_of(asked_for[0])


def _plan(run: Run, alone: set[int]) -> None:
    live = not run.done.is_set()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"#### {show.plain(_name(run))}", width="stretch", anchors=False)
        show.status_badge(run.phase)
        if run.record.simulated:
            show.practice_badge()
    if live:
        said = ticker(run.attempts, seconds=time.time() - run.record.started_at)
        st.markdown(f":shimmer[{show.plain(said)}]")
    if run.plan is None:
        if run.error is not None:
            st.markdown(f":red[:material/error:] {show.plain(run.error.message)}")
        return
    planning = [attempt for attempt in run.attempts if attempt.step is None]
    came_to = totals(planning, simulated=run.record.simulated, now=time.time())
    facts = [came_to.took, came_to.cost, story(planning, run.record.decisions)]
    st.caption(show.plain(" · ".join(filter(None, facts))))
    show.plan_facts(run.plan)
    if run.record.status != "running":
        _pick(run)
    st.markdown(show.plain(run.plan.reasoning))
    show.plan_steps(run.plan, only_here=alone)


def _pick(run: Run) -> None:
    run_id = run.record.id
    label = "Open this run" if run.progress.begun else "Run this plan"
    if st.button(label, icon=":material/play_arrow:", key=f"pick {run_id}", width="stretch") and (
        run.progress.begun or asked(run_id, services().engine.carry_on, run_id)
    ):
        st.switch_page("run/run_plan.py", query_params={"run": run_id})


st.title("Compare")
st.caption("The same goal with two or three providers at once: look at the plans, and run one.")
_form()
if compared := st.query_params.get("runs"):
    _compared([run_id for run_id in compared.split(",") if run_id][:_MOST])
else:
    with st.container(border=True):
        st.markdown("**Nothing is compared yet.** Write a goal and choose who should plan it.")
        st.caption("The plans show here side by side, with what only one of them has marked.")
