"""Carrying a plan out, as the Run page offers and shows it."""

from __future__ import annotations

from typing import Any

from core.runs import Run
from core.ui import show


def options() -> dict[str, Any]:
    """Draw what can be chosen under the form; what of it goes to `Engine.submit`."""
    return {}


def body(run: Run, *, live: bool) -> None:
    """Draw a run's plan and what came of its steps."""
    if run.plan is not None:
        show.plan_view(run.plan)
