"""A plan's execution, as the Run page offers it and shows it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.running.budget import cost_of, working_seconds
from core.running.run import Run
from core.running.steps.progress import StepView
from core.ui import show
from core.ui.components.markdown_view import read_view
from core.ui.components.plan_graph import plan_graph
from core.ui.run import again, forecast
from core.ui.run.editing import editor
from core.ui.run.going_on import carry_on, fault_view
from core.ui.run.options import limit_fields
from core.ui.services import services
from core.values.registry import label_of
from core.values.runs import Limits
from core.values.statuses import STATUSES
from core.values.telling.attempts import attempt_in_words
from core.values.wording import seconds_in_words

_LIVE_TEXT = 600  # characters of what is being written


def body(run: Run, *, live: bool) -> None:
    """A run's plan to look at, or its steps as they come along, and what came of them."""
    run = services().engine.runs.get(run.record.id) or run
    if run.plan is None:
        if run.error is not None and run.error.kind == "limit":
            fault_view(run.record.id)
            _go_on(run, ())
        return
    if is_offered(run):
        _offered(run)
    elif run.progress.begun or run.executing:
        _carried_out(run, live=live)


def to_read(run: Run) -> None:
    """A run to read: the answer, then the plan and its steps, folded."""
    steps = run.steps()
    if not steps:
        st.caption("There is no plan yet." if not run.done.is_set() else "There is no plan.")
        return
    if steps[-1].state == "done":
        with st.container(border=True):
            _result(run, steps[-1])
            _who(steps[-1], st)
    else:
        done = sum(view.state == "done" for view in steps[:-1])
        st.caption(f"There is no answer yet: {done} of {len(steps) - 1} steps are done.")
    st.subheader("Steps", anchor=False)
    for view in steps[:-1]:
        _folded(run, view)


def _folded(run: Run, view: StepView) -> None:
    assert view.step is not None
    label = show.step_name(view.index, view.step)
    status = STATUSES[view.state]
    if view.state != "done":
        label += f" ({status.label.lower()})"
    with st.expander(label, icon=status.material, key=f"read {run.record.id} {view.index}"):
        st.markdown(f"**{show.plain(view.step.description)}**")
        st.caption(show.step_facts(view.step.dependencies, view.step.tool_name))
        if view.state == "done":
            _result(run, view)
        elif view.reason:
            st.markdown(show.plain(view.reason))
        _attempts(view)
        _who(view, st)


def is_offered(run: Run) -> bool:
    """Whether there is a plan that nobody has begun to carry out."""
    begun = run.progress.begun or run.executing
    return run.plan is not None and not begun and run.done.is_set()


def offer(run: Run) -> None:
    """What a plan that is ready waits for: to be carried out, changed, or made anew."""
    with st.container(border=True):
        st.caption(show.plain(forecast.for_plan(run)))
        bar = st.container(horizontal=True, vertical_alignment="center")
        if bar.button(
            "Run these steps", type="primary", icon=":material/play_arrow:", key="carry out"
        ):
            carry_on(run.record.id)
        bar.toggle("Edit the plan", key=_editing(run))
        with bar.popover("Change the goal", icon=":material/edit_note:", type="tertiary"):
            _other_goal(run)


def _editing(run: Run) -> str:
    return f"edit {run.record.id}"


def _offered(run: Run) -> None:
    plan = run.plan
    assert plan is not None
    fault = st.container()  # of what is edited below it, too
    st.subheader("Plan", anchor=False)
    show.plan_head(plan)
    if st.session_state.get(_editing(run)):
        editor(run)
    else:
        show.plan_steps(plan)
    with fault:
        fault_view(run.record.id)


def _other_goal(run: Run) -> None:
    goal = st.text_area("Goal", run.record.goal, key=f"goal of {run.record.id}", height=120)
    if st.button("Plan again", icon=":material/replay:", key="plan again"):
        again.start(services().engine.replan, run.record.id, goal or "")


def _carried_out(run: Run, *, live: bool) -> None:
    plan, steps = run.plan, run.steps()
    assert plan is not None
    fault = st.container()  # of what is edited below it, too
    _progress(run, steps)
    if not live and run.record.status != "completed":
        _go_on(run, steps)
    with fault:
        fault_view(run.record.id)
    final = steps[-1]
    if final.state in ("running", "done", "failed"):
        _answer(run, final)
    states = {view.index: str(view.state) for view in steps[:-1]}
    if run.record.status == "completed":
        with st.expander("Plan", icon=":material/account_tree:"):
            show.plan_head(plan, states)
    else:
        plan_graph(plan, states)
    for view in steps[:-1]:
        if run.record.status == "completed":
            _folded(run, view)
        else:
            _step(run, view)


def _progress(run: Run, steps: Sequence[StepView]) -> None:
    done = sum(view.state in ("done", "skipped") for view in steps[:-1])
    total = len(steps) - 1
    came_to = run.totals(now=time.time())
    facts = [f"{done} of {total} steps", came_to.took, came_to.asked, came_to.cost]
    written = steps[-1].state in ("done", "skipped")
    whole = 1.0 if written else done / (total + 1)
    st.progress(whole, text=show.plain(" · ".join(filter(None, facts))))
    if run.record.request.private:
        private_badge()


def private_badge() -> None:
    st.badge(
        "Private: it stays on this computer",
        icon=":material/lock:",
        color="green",
        help="Only BitNet is asked; each attempt shows whom.",
    )


def _go_on(run: Run, steps: Sequence[StepView]) -> None:
    """What can be done about a run that has not come to its end."""
    failed = [view for view in steps if view.state == "failed"]
    run_id = run.record.id
    with st.container(border=True):
        left = sum(view.state not in ("done", "skipped") for view in steps[:-1])
        said = f"{left} step{'' if left == 1 else 's'}" if left else "Only the final answer"
        if steps:
            st.markdown(f"**{said} to go.** What is done is kept and asked of nobody again.")
        limited = run.error is not None and run.error.kind == "limit"
        limits = limit_fields(_raised(run), key=f"raise {run_id}") if limited else None
        bar = st.container(horizontal=True, vertical_alignment="bottom")
        label = "Try again" if failed else "Continue"
        if bar.button(
            label,
            type="primary",
            icon=":material/play_arrow:",
            key="go on",
            disabled=limited and limits is None,
        ):
            carry_on(run_id, limits=limits)
        if failed:
            _with_another(run, bar)
            words = "Skip the final answer" if failed[-1] is steps[-1] else _skipping(failed)
            if bar.button(words, icon=":material/skip_next:", key="skip"):
                carry_on(run_id, skip=[view.index for view in failed])
        editing = left and bar.toggle("Edit what is to come", key=f"edit rest of {run_id}")
    if editing:
        editor(run)


def _skipping(failed: Sequence[StepView]) -> str:
    numbers = " and ".join(str(view.index + 1) for view in failed)
    return f"Skip step{'' if len(failed) == 1 else 's'} {numbers}"


def _with_another(run: Run, bar: Any) -> None:
    """Another provider first, for what failed."""
    engine = services().engine
    able = engine.lineup.eligible(simulated=run.record.simulated)
    if run.record.request.private or len(able) < 2:
        return
    with bar.popover("With another provider", icon=":material/swap_horiz:"):
        for name in able:
            words = f"{label_of(name)} first"
            if st.button(words, key=f"first {name}", type="tertiary"):
                carry_on(run.record.id, first=name)


def _raised(run: Run) -> Limits:
    """The limits of a run, with each that it has reached twice as high."""
    now = run.record.request.limits or Limits()
    calls = now.calls
    if calls is not None and len(run.attempts) >= calls:
        calls *= 2
    usd = now.usd
    if usd is not None and cost_of(run.attempts) >= usd:
        usd *= 2
    seconds = now.seconds
    if seconds is not None and working_seconds(run.attempts) >= seconds * 0.9:
        seconds *= 2
    same = (calls, usd, seconds) == (now.calls, now.usd, now.seconds)
    day = now.usd_per_day * 2 if same and now.usd_per_day is not None else now.usd_per_day
    return Limits(seconds, calls, usd, day)


def _answer(run: Run, final: StepView) -> None:
    with st.container(border=True):
        head = st.container(horizontal=True, vertical_alignment="center")
        head.markdown("#### Answer", width="stretch")
        _who(final, head)
        if final.state == "done":
            _result(run, final)
        elif final.state == "failed":
            st.markdown(show.plain(final.reason or "It could not be written."))
        else:
            _being_written(final)
        _attempts(final)


def _step(run: Run, view: StepView) -> None:
    step = view.step
    assert step is not None
    status = STATUSES[view.state]
    with st.container(border=True, gap="small"):
        head = st.container(horizontal=True, vertical_alignment="center", gap="small")
        head.markdown(f"**{show.step_name(view.index, step)}**", width="stretch")
        _who(view, head)
        head.badge(status.label, icon=status.material, color=status.colour)
        st.markdown(show.plain(step.description))
        st.caption(show.step_facts(step.dependencies, step.tool_name))
        if view.state == "running":
            _being_written(view)
        elif view.state == "failed":
            st.markdown(f":red[:material/error:] {show.plain(view.reason or 'It failed.')}")
        elif view.state == "done":
            with st.expander("Result", key=f"result {run.record.id} {view.index}"):
                _result(run, view)
        _attempts(view)


def _who(view: StepView, where: Any) -> None:
    if by := view.answered:
        took = seconds_in_words((by.latency_ms or 0.0) / 1000)
        where.caption(show.plain(f"{label_of(by.provider)} · {took}"), width="content")


def _result(run: Run, view: StepView) -> None:
    if view.text:
        read_view(view.text)
    else:
        st.caption("The text of this result is no longer kept.")
    _notes(run, view)


def _being_written(view: StepView) -> None:
    last = view.attempts[-1] if view.attempts else None
    if last is not None and last.status == "running":
        waited = seconds_in_words(max(0.0, time.time() - last.started_at))
        doing = "writing" if view.text.strip() else "at work"
        st.caption(show.plain(f"{label_of(last.provider)} is {doing} · {waited}"))
    if text := view.text.strip():
        st.code(text[-_LIVE_TEXT:], language=None, wrap_lines=True)


def _notes(run: Run, view: StepView) -> None:
    for cut in run.cuts(view.index):
        st.caption(
            f":material/content_cut: The result of step {cut.step + 1} was too long to be given"
            f" whole: {cut.kept:,} of {cut.whole:,} characters were."
        )
    if (by := view.answered) and by.message:
        st.caption(f":material/content_cut: {show.plain(by.message)}")


def _attempts(view: StepView) -> None:
    """Who was asked, where that was more than the one who answered."""
    if len(view.attempts) < 2 and view.state != "failed":
        return
    lines = []
    for attempt in view.attempts:
        row = STATUSES[attempt.status]
        lines.append(f":{row.colour}[{row.material}] {show.plain(attempt_in_words(attempt))}")
    st.markdown("  \n".join(f":small[{line}]" for line in lines))
