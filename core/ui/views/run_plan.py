"""Run plan: a goal goes in, attempts are watched, a plan comes out."""

from __future__ import annotations

import time

import streamlit as st

from core.errors import BadRequest, RunError
from core.plan import json_text
from core.providers import label_of
from core.runs import Run
from core.strategies import STRATEGIES
from core.ui import show
from core.ui.services import services
from core.words import story

_EXAMPLES = (
    "Plan a weekend in Lisbon for two, under 900 euros",
    "Research how small clinics schedule appointments",
    "Hire a part-time bookkeeper within six weeks",
)


def _form() -> None:
    engine = services().engine
    goal = st.text_area(
        "Goal",
        key="goal",
        height=120,
        persist_state="session",
        placeholder="What do you want to get done?",
    )
    if not (goal or "").strip():
        st.caption("For example:")
        for example in _EXAMPLES:
            st.button(
                example, key=f"example {example}", type="tertiary", on_click=_use, args=(example,)
            )
    if st.button(
        "Run plan",
        type="primary",
        icon=":material/play_arrow:",
        shortcut="Ctrl+Enter",
        width="stretch",
    ):
        _submit(goal or "")
    names = list(STRATEGIES)
    chosen = st.radio(
        "Strategy",
        names,
        index=names.index(engine.strategy),
        format_func=lambda name: STRATEGIES[name].label,
        captions=[STRATEGIES[name].help for name in names],
    )
    if chosen != engine.strategy:
        engine.choices.set("strategy", chosen)
    _order()


def _use(example: str) -> None:
    st.session_state["goal"] = example


def _order() -> None:
    engine = services().engine
    practising = engine.practising
    router = engine.router(simulated=practising)
    able = engine.eligible(simulated=practising)
    order = engine.priority
    st.markdown("Order", help="Strategies that follow your order start at the top.")
    for place, name in enumerate(order):
        row = st.container(horizontal=True, vertical_alignment="center", gap="small")
        state = (
            show.state_in_words(router.health(name), router.clock())
            if name in able
            else "not set up"
        )
        row.markdown(f"{place + 1}. {show.plain(label_of(name))} :gray[{show.plain(state)}]")
        row.button(
            "Up",
            key=f"up {name}",
            help=f"Move {label_of(name)} up",
            disabled=place == 0,
            type="tertiary",
            on_click=_move,
            args=(order, place, -1),
        )
        row.button(
            "Down",
            key=f"down {name}",
            help=f"Move {label_of(name)} down",
            disabled=place == len(order) - 1,
            type="tertiary",
            on_click=_move,
            args=(order, place, 1),
        )


def _move(order: tuple[str, ...], place: int, by: int) -> None:
    moved = list(order)
    moved[place], moved[place + by] = moved[place + by], moved[place]
    services().engine.choices.set("priority", moved)


def _submit(goal: str) -> None:
    try:
        st.query_params["run"] = services().engine.submit(goal, source="ui")
    except BadRequest as error:
        st.error(show.plain(str(error)))
    except RunError as error:
        st.error(show.plain(f"{error.message} {error.action}"))
    else:
        st.rerun()


def _result() -> None:
    engine = services().engine
    run_id = st.query_params.get("run") or st.session_state.get("last_run")
    if not run_id:
        with st.container(border=True):
            st.markdown("**Nothing has run yet.** Write a goal and press Run plan.")
            st.caption("Each attempt shows here as it happens, and then the plan.")
        return
    st.session_state["last_run"] = run_id
    if st.query_params.get("run") != run_id:
        st.query_params["run"] = run_id
    run = engine.run(run_id) or engine.stored_run(run_id)
    if run is None:
        st.warning("There is no run at this address. Choose one under History, or run a new plan.")
        return
    live = not run.done.is_set()

    @st.fragment(run_every=0.5 if live else None)
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
    if run.plan is not None:
        show.plan_view(run.plan)
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
        _submit(record.goal)


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


st.title("Run plan")
form, result = st.columns([5, 7], gap="large")
with form:
    _form()
with result:
    _result()
