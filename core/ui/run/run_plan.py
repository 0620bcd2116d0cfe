"""Run plan: a goal goes in, attempts are watched, a plan comes out."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.routing.strategies import STRATEGIES
from core.ui import actions as acting
from core.ui import show
from core.ui.components import who
from core.ui.components.order_list import Row, order_list
from core.ui.run import again, execution, run_view
from core.ui.run.welcome import welcome
from core.ui.services import services
from core.values.registry import label_of

_EXAMPLES = (
    "Plan a weekend in Lisbon for two, under 900 euros",
    "Research how small clinics schedule appointments",
    "Hire a part-time bookkeeper within six weeks",
)
_LENGTHS = {"Short": 1000, "Usual": 2000, "Long": 4000, "Very long": 8000}  # tokens


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
    options = execution.after()
    private = bool(options.get("private"))
    with preview:
        who.first_view(private=private)
    _strategy()
    _order()
    with st.expander("More", icon=":material/tune:"):
        options |= _more()
        options |= execution.options()
    if pressed:
        again.submit(goal or "", **options)
    with question:
        again.key_question("run plan")
    return private


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


def _more() -> dict[str, Any]:
    """Temperature and length, kept for as long as the window is open."""
    temperature = st.slider(
        "Temperature",
        0.0,
        2.0,
        0.3,
        0.1,
        key="temperature",
        persist_state="session",
        help="Low: to the point and much the same each time. High: more varied.",
    )
    length = st.select_slider(
        "Length of the answer",
        list(_LENGTHS),
        "Usual",
        key="length",
        persist_state="session",
        help="How much a provider may write. More takes longer and costs more.",
    )
    return {"temperature": temperature, "max_tokens": _LENGTHS[length]}


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
