"""Run plan: a goal goes in, attempts are watched, a plan comes out."""

from __future__ import annotations

import streamlit as st

from core.routing.strategies import STRATEGIES
from core.ui import actions as acting
from core.ui import show
from core.ui.components import who
from core.ui.components.order_list import Row, order_list
from core.ui.run import again, options, run_view
from core.ui.run.welcome import welcome
from core.ui.services import services
from core.values.registry import label_of
from core.values.runs import RunRequest

_EXAMPLES = (
    "Plan a weekend in Lisbon for two, under 900 euros",
    "Research how small clinics schedule appointments",
    "Hire a part-time bookkeeper within six weeks",
)


def _form() -> bool:
    """Draw it, and start a run when that was asked for; whether the goal is a private one."""
    goal = st.text_area(
        "Goal",
        key="goal",
        height=110,
        persist_state="session",
        placeholder="Say what you want to get done, for example: plan a six-week pilot"
        " for five clinics.",
        on_change=again.forget_key,
    )
    if not (goal or "").strip():
        _examples()
    pressed = st.button(
        "Run plan",
        type="primary",
        icon=":material/play_arrow:",
        shortcut="Ctrl+Enter",
        width="stretch",
        key="run plan",
    )
    question, preview = st.container(), st.container()
    request = options.after(RunRequest(goal or "", source="ui"))
    with preview:
        who.first_view(private=request.private)
    _strategy()
    _order()
    with st.expander("More", icon=":material/tune:"):
        request = options.more(request)
    if pressed:
        again.start(services().engine.submit, request)
    with question:
        again.key_question("run plan")
    return request.private


def _examples() -> None:
    with st.container(gap="xxsmall"):
        st.caption("For example:")
        for example in _EXAMPLES:
            st.button(
                example,
                key=f"example {example}",
                icon=":material/north_west:",
                type="tertiary",
                on_click=_use,
                args=(example,),
            )


def _use(example: str) -> None:
    st.session_state["goal"] = example


def _strategy() -> None:
    acting.follow("strategy", services().engine.lineup.strategy)
    st.radio(
        "Strategy",
        list(STRATEGIES),
        format_func=lambda name: STRATEGIES[name].label,
        captions=[row.help for row in STRATEGIES.values()],
        key="strategy",
        on_change=acting.keep,
        args=("strategy", "strategy"),
    )


@st.fragment(run_every=2)
def _order() -> None:
    rows = [
        Row(name, label_of(name), said.kind, show.STANDINGS[said.kind][0], said.words)
        for name, said in who.standings().items()
    ]
    st.markdown(
        ":small[Your order]",
        help="Drag a row, or use the arrows. My order asks from the top; the others begin with it.",
    )
    order_list(rows, key="order", label="Your order of the providers", on_order=_reorder)


def _reorder(order: list[str]) -> None:
    acting.done(services().engine.control.choose, "priority", order)


def _result(*, private: bool) -> None:
    run_id = st.query_params.get("run") or st.session_state.get("last_run")
    if not run_id:
        _nothing_yet(private=private)
        return
    if st.session_state.get("last_run") != run_id:
        again.look_at(run_id)
    st.session_state["last_run"] = run_id
    if st.query_params.get("run") != run_id:
        st.query_params["run"] = run_id
    run_view.watch(run_id)


def _nothing_yet(*, private: bool) -> None:
    with st.container(border=True):
        st.markdown("**Nothing has run yet.** Write a goal and press Run plan.")
        st.caption("Each attempt shows here as it happens, and then the plan.")
    who.everyone_view(private=private)


st.title("Run plan")
if "run" not in st.query_params:
    welcome()
form, result = st.columns([5, 7], gap="large")
with form, st.container(border=True):
    goal_is_private = _form()
with result:
    _result(private=goal_is_private)
