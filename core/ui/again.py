"""Starting runs from a page, and the same again."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.errors import BadRequest, RunError
from core.types import RunRecord
from core.ui import show
from core.ui.services import services

_KEPT = ("temperature", "max_tokens", "context", "timeout", "execute")  # options of a run


def submit(goal: str, **options: Any) -> None:
    """Start a run and go where it shows; or say on the page why it did not start."""
    try:
        run_id = services().engine.submit(goal, source="ui", **options)
    except BadRequest as error:
        st.error(show.plain(str(error)))
    except RunError as error:
        st.error(show.plain(f"{error.message} {error.action}"))
    else:
        st.switch_page("views/run_plan.py", query_params={"run": run_id})


def run_again(record: RunRecord, *, first: str | None = None) -> None:
    """The same goal with the same options; with `first`, that provider is asked before others."""
    options = {key: record.options[key] for key in _KEPT if key in record.options}
    if first is None:
        strategy, priority = record.strategy, record.options.get("priority")
    else:
        able = services().engine.eligible(simulated=services().engine.practising)
        strategy, priority = "priority", [first, *(name for name in able if name != first)]
    submit(record.goal, strategy=strategy, priority=priority, **options)
