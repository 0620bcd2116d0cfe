"""Starting runs from a page, and the same again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.errors import BadRequest, RunError
from core.providers import label_of
from core.runs import Run
from core.ui import show
from core.ui.services import services

_LOOKED_AT = "looked at here"
_KEPT = ("temperature", "max_tokens", "context", "timeout", "execute")  # options of a run


def submit(goal: str, **options: Any) -> None:
    """Start a run and go where it shows; or say on the page why it did not start."""
    start(services().engine.submit, goal, source="ui", **options)


def start(begin: Callable[..., str], *values: Any, **named: Any) -> None:
    """`begin` a run and go where it shows; or say on the page why it did not start."""
    try:
        run_id = begin(*values, **named)
    except BadRequest as error:
        st.error(show.plain(str(error)))
    except RunError as error:
        st.error(show.plain(f"{error.message} {error.action}"))
    else:
        look_at(run_id)
        st.switch_page("views/run_plan.py", query_params={"run": run_id})


def look_at(run_id: str) -> None:
    """Somebody wants to see this run in this window: who started it, or followed a link to it."""
    st.session_state[_LOOKED_AT] = run_id


def looked_at(run_id: str) -> bool:
    return bool(st.session_state.get(_LOOKED_AT) == run_id)


def run_again(run: Run, *, first: str | None = None, max_tokens: int | None = None) -> None:
    """The same goal with the same options; with `first`, that provider is asked before others."""
    record, terms = run.record, run.terms
    options = {name: record.options[name] for name in _KEPT if record.options.get(name) is not None}
    if max_tokens is not None:
        options["max_tokens"] = max_tokens
    strategy, priority = record.strategy, record.options.get("priority")
    if first is not None:
        able = services().engine.lineup.eligible(simulated=services().engine.lineup.practising)
        strategy, priority = "priority", [first, *(name for name in able if name != first)]
    submit(
        record.goal,
        strategy=strategy,
        priority=priority,
        approve=terms.approve,
        private=terms.private,
        limits=terms.limits,
        side_by_side=terms.side_by_side,
        **options,
    )


def again_buttons(run: Run) -> None:
    """Run again, and run again with another provider first."""
    engine = services().engine
    if st.button("Run again", icon=":material/replay:", key="again"):
        run_again(run)
    others = [
        name
        for name in engine.lineup.eligible(simulated=engine.lineup.practising)
        if name != run.record.provider
    ]
    if others and not run.terms.private:
        first = st.menu_button(
            "Another first",
            others,
            format_func=lambda name: show.plain(label_of(name)),
            icon=":material/swap_vert:",
            key="another first",
            help="Run it again, and ask somebody else first this time",
        )
        if first:
            run_again(run, first=first)
