"""Changes that a reader makes to a plan. Each gives a plan whose steps can all be run.

Steps are named as the pages number them: the first is step 1. Each function raises BadRequest,
in words, where the change would leave a step that can never start.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import ValidationError

from core.planning.plan import MAX_STEPS, Plan, PlanStep
from core.values.errors import BadRequest

_NEW = "task"  # what a step is called whose kind nobody named


def edited_step(
    plan: Plan,
    index: int,
    *,
    description: str | None = None,
    agent_type: str | None = None,
    dependencies: Collection[int] | None = None,
) -> Plan:
    """With other words, or other steps that it builds on, earlier or later ones.

    Where a step now builds on a later one, that one moves before it.
    """
    step = plan.steps[index]
    changed = _step(
        index,
        {
            **step.model_dump(),
            "description": step.description if description is None else description.strip(),
            "agent_type": (agent_type or step.agent_type).strip(),
            "dependencies": sorted(step.dependencies if dependencies is None else dependencies),
        },
    )
    return _plan(plan, _in_order([*plan.steps[:index], changed, *plan.steps[index + 1 :]]))


def without_step(plan: Plan, index: int) -> Plan:
    """Without a step. What was built on it is built on what that was built on."""
    if len(plan.steps) == 1:
        raise BadRequest("A plan needs at least one step.")
    inherited = plan.steps[index].dependencies
    steps = []
    for number, step in enumerate(plan.steps):
        if number == index:
            continue
        needs = list(step.dependencies)
        if index in needs:
            needs = [need for need in needs if need != index] + inherited
        steps.append(_needing(step, {need - (need > index) for need in needs}))
    return _plan(plan, steps)


def moved_step(plan: Plan, index: int, to: int) -> Plan:
    """With step `index` at place `to`; the steps between make room."""
    order = list(range(len(plan.steps)))
    order.insert(to, order.pop(index))
    place = {old: new for new, old in enumerate(order)}
    for old, step in enumerate(plan.steps):
        for need in step.dependencies:
            if place[need] > place[old]:
                raise BadRequest(
                    f"Step {old + 1} builds on step {need + 1}, so it cannot come before it."
                )
    return _plan(plan, _renumbered(plan.steps, order))


def added_step(
    plan: Plan,
    at: int,
    *,
    description: str,
    agent_type: str = _NEW,
    dependencies: Collection[int] = (),
) -> Plan:
    """With a new step at place `at`. `dependencies` are earlier steps, as they are numbered now."""
    if len(plan.steps) >= MAX_STEPS:
        raise BadRequest(f"A plan has at most {MAX_STEPS} steps.")
    if any(not 0 <= need < at for need in dependencies):
        raise BadRequest("A new step can build on the steps before it.")
    facts = {"agent_type": agent_type.strip() or _NEW, "description": description.strip()}
    new = _step(at, {**facts, "dependencies": sorted(dependencies)})
    shifted = [
        _needing(step, {need + (need >= at) for need in step.dependencies}) for step in plan.steps
    ]
    return _plan(plan, [*shifted[:at], new, *shifted[at:]])


def check_kept(before: Plan | None, after: Plan, *, done: Collection[int]) -> None:
    """Refuse a plan that changes what is done.

    Raises:
        BadRequest: a settled step is not where and what it was, or all is done.
    """
    if before is None or after == before:
        return
    if len(before.steps) in done:
        raise BadRequest("The final answer is written; run the goal again to change its plan.")
    for index in done:
        if after.steps[index : index + 1] != before.steps[index : index + 1]:
            raise BadRequest(f"Step {index + 1} is settled, so it stays as it is.")


def movable(plan: Plan, index: int, to: int) -> bool:
    """Whether `moved_step` would do it."""
    if not 0 <= to < len(plan.steps):
        return False
    try:
        moved_step(plan, index, to)
    except BadRequest:
        return False
    return True


def _step(index: int, facts: dict[str, Any]) -> PlanStep:
    if not facts["description"]:
        raise BadRequest(f"Say what step {index + 1} should do; a step needs words.")
    try:
        return PlanStep.model_validate(facts)
    except ValidationError as error:
        field = str(error.errors(include_url=False)[0]["loc"][0])
        raise BadRequest(
            f"The {_FIELDS.get(field, field)} of step {index + 1} is too long."
        ) from None


_FIELDS = {"agent_type": "kind", "description": "description"}


def _in_order(steps: Sequence[PlanStep]) -> list[PlanStep]:
    """The steps, each after those that it builds on, and otherwise as they were."""
    graph = {index: set(step.dependencies) for index, step in enumerate(steps)}
    for index, needs in graph.items():
        if not needs <= graph.keys():
            raise BadRequest(f"Step {index + 1} builds on a step that does not exist.")
        if index in needs:
            raise BadRequest(f"Step {index + 1} cannot build on itself.")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        numbers = sorted({index + 1 for index in error.args[1]})
        names = f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
        raise BadRequest(f"Steps {names} wait for each other, so none could start.") from None
    order: list[int] = []
    while len(order) < len(steps):
        order.append(next(i for i in graph if i not in order and graph[i] <= set(order)))
    return _renumbered(steps, order)


def _renumbered(steps: Sequence[PlanStep], order: Sequence[int]) -> list[PlanStep]:
    place = {old: new for new, old in enumerate(order)}
    return [
        _needing(steps[old], {place[need] for need in steps[old].dependencies}) for old in order
    ]


def _needing(step: PlanStep, needs: Collection[int]) -> PlanStep:
    return step.model_copy(update={"dependencies": sorted(needs)})


def _plan(plan: Plan, steps: Sequence[PlanStep]) -> Plan:
    return Plan.model_validate(
        {**plan.model_dump(), "steps": [step.model_dump() for step in steps]}
    )
