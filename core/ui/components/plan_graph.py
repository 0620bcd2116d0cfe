"""A plan drawn: a box a step, and a line from each step to those that wait for it."""

from __future__ import annotations

from collections.abc import Mapping

from core.planning.plan import Plan, waves
from core.ui.components.component import component
from core.values.statuses import STATUSES

_component = component("manyways_plan_graph", __file__, "<ol></ol>")


def plan_graph(plan: Plan, states: Mapping[int, str] | None = None) -> None:
    """`states` are those of steps by their index; none before anything is done."""
    levels = {index: level for level, wave in enumerate(waves(plan)) for index in wave}
    states = states or {}
    _component(
        key="plan graph",
        data={
            "label": "The steps of the plan, and which of them wait for which",
            "steps": [
                {
                    "title": step.agent_type.replace("_", " ").capitalize(),
                    "about": step.description,
                    "level": levels[index],
                    "after": step.dependencies,
                    "state": states.get(index, ""),
                    "icon": _icon(states.get(index)),
                }
                for index, step in enumerate(plan.steps)
            ],
        },
    )


def _icon(state: str | None) -> str:
    """Of a step that waits it is seen that it does."""
    return STATUSES[state].icon if state and state != "waiting" else ""
