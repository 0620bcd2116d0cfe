"""Starts, continues and changes a run's execution, and shows the error where that is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.planning.plan import Plan
from core.ui import actions as acting
from core.ui import show
from core.ui.services import services

_FAULT = "plan_fault"


def carry_on(run_id: str, **how: Any) -> None:
    """Go on with a run, and look at it anew; or say why not."""
    if asked(run_id, services().engine.carry_on, run_id, **how):
        st.rerun()


def change(run_id: str, made: Callable[[], Plan]) -> None:
    """`changed`, for callbacks."""
    changed(run_id, made)


def changed(run_id: str, made: Callable[[], Plan]) -> bool:
    """Keep what `made` makes of a plan; whether it was kept. A refusal is said by `fault_view`."""
    return asked(run_id, lambda: services().engine.save_plan(run_id, made()))


def asked(run_id: str, act: Callable[..., Any], *values: Any, **named: Any) -> bool:
    """Whether it was done; if not, `fault_view` says why."""
    fault = acting.why_not(act, *values, **named)
    st.session_state[_FAULT] = (run_id, fault)
    return fault is None


def fault_view(run_id: str) -> None:
    """Why the last thing asked of this run was refused, until something else is done with it."""
    # Not taken away once shown: a page may be drawn twice, and the second time would hide it.
    of, fault = st.session_state.get(_FAULT, (None, None))
    if of == run_id and fault:
        st.error(show.plain(fault), icon=":material/error:")
