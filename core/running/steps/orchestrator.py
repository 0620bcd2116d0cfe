"""Plan a goal, then carry the plan out, step by step as dependencies allow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from core.planning.plan import Plan
from core.planning.planner import LLMPlanner, Planned
from core.routing.ask import Answer, Ask
from core.running.steps.progress import SIDE_BY_SIDE
from core.running.steps.step_prompt import SKIPPED, briefing, needed
from core.values.calls import Request
from core.values.errors import RunError, StepFailed
from core.values.runs import RunRequest

# After these nothing new is begun: what comes next would end the same way.
_FOR_ALL = {"limit", "deadline", "no_provider_configured", "internal"}


@dataclass(frozen=True, slots=True)
class WorkResult:
    """`results` are the steps' texts in the plan's order; `answer` is the one to the goal."""

    planned: Planned
    results: tuple[str, ...]
    answer: str


class Watches(Protocol):
    """Who wants to see the steps while they happen."""

    def step_started(self, index: int) -> None: ...

    def step_done(self, index: int, answer: Answer) -> None: ...

    def step_failed(self, index: int, error: RunError) -> None: ...


@dataclass(frozen=True, slots=True)
class Work:
    """A plan to carry out, and how much of it is there already.

    `done` holds the texts of finished steps, `skipped` the steps that are not to be done; the
    final answer is one more step, after the last. `ask_of` gives a step its own walk.
    """

    plan: Plan
    done: Mapping[int, str] = field(default_factory=dict)
    skipped: frozenset[int] = frozenset()
    side_by_side: int = SIDE_BY_SIDE
    ask_of: Callable[[int, Ask], Ask] = lambda index, ask: ask


class AutonomousOrchestrator:
    """The layer above the planner."""

    def __init__(self, planner: LLMPlanner) -> None:
        self._planner = planner

    async def plan_and_execute(self, goal: str) -> WorkResult:
        """Plan `goal`, carry out every step, and answer it.

        Raises:
            RunError: nobody gave a plan, or a step found nobody to do it.
            BadRequest: the goal cannot be sent to anyone.
        """
        asked, ask = RunRequest(goal), Ask(Request(()))
        planned = await self.plan(asked, ask)
        results = await self.carry_out(asked, Work(planned.plan), ask)
        last = len(planned.plan.steps)
        return WorkResult(planned, tuple(results[index] for index in range(last)), results[last])

    async def plan(self, asked: RunRequest, ask: Ask) -> Planned:
        return await self._planner.create_plan(
            asked.goal,
            context=asked.context,
            temperature=asked.temperature,
            max_tokens=asked.max_tokens,
            ask=ask,
        )

    async def carry_out(
        self, asked: RunRequest, work: Work, ask: Ask, *, watches: Watches | None = None
    ) -> dict[int, str]:
        """The results of every step and, after the last, the answer to the goal.

        When a step fails, those that do not wait for it are still done.

        Raises:
            RunError: a step found nobody to do it, or a limit was reached.
        """
        return await _Steps(self._planner, asked, work, ask, watches).run()


class _Steps:
    """The steps of one plan under way."""

    def __init__(
        self,
        planner: LLMPlanner,
        asked: RunRequest,
        work: Work,
        ask: Ask,
        watches: Watches | None,
    ) -> None:
        self._strategy = planner.strategy
        self._asked, self._work, self._ask, self._watches = asked, work, ask, watches
        last = len(work.plan.steps)
        self._needs = {index: set(needed(work.plan, index)) for index in range(last + 1)}
        self._urgency = _longest_paths(self._needs)
        self._results = {**dict.fromkeys(work.skipped, SKIPPED), **work.done}
        self._failures: dict[int, RunError] = {}
        self._tasks: dict[asyncio.Task[Answer], int] = {}

    async def run(self) -> dict[int, str]:
        try:
            while self._begin_what_is_ready():
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in [task for task in self._tasks if task.done()]:
                    self._settle(self._tasks.pop(task), task)
        finally:
            # Stopped, or failed by our own fault: each call is recorded before this ends.
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._failures:
            raise self._said()
        return self._results

    def _begin_what_is_ready(self) -> bool:
        """Whether anything is under way after it."""
        busy = {*self._results, *self._failures, *self._tasks.values()}
        ready = [
            index
            for index, needs in self._needs.items()
            if index not in busy and needs <= self._results.keys()
        ]
        if any(error.kind in _FOR_ALL for error in self._failures.values()):
            ready = []
        # Where more could begin than may, those first that most is waiting for.
        ready.sort(key=lambda index: -self._urgency[index])
        for index in ready[: max(0, self._work.side_by_side - len(self._tasks))]:
            self._tasks[asyncio.create_task(self._step(index))] = index
        return bool(self._tasks)

    async def _step(self, index: int) -> Answer:
        if self._watches:
            self._watches.step_started(index)

        def tailored(provider: str, model: str) -> Request:
            plan, results = self._work.plan, self._results
            return briefing(
                self._asked, plan, index, results, provider=provider, model=model
            ).request

        ask = replace(self._ask, step=index, read=None, repair=None, tailored=tailored)
        return await self._strategy.ask(self._work.ask_of(index, ask))

    def _settle(self, index: int, task: asyncio.Task[Answer]) -> None:
        try:
            answer = task.result()
        except RunError as error:
            self._failures[index] = error
            if self._watches:
                self._watches.step_failed(index, error)
            return
        self._results[index] = answer.reply.content
        if self._watches:
            self._watches.step_done(index, answer)

    def _said(self) -> RunError:
        for error in self._failures.values():
            if error.kind in _FOR_ALL:
                return error
        index, error = min(self._failures.items())
        others = sorted(index for index in self._failures)[1:]
        return StepFailed(
            f"{_named(self._work.plan, index)}: {error.message.rstrip('.')}.{_also(others)}",
            f"{error.action.rstrip('.')}; or put another provider first, or skip it;"
            " what is done is kept.",
            cause=error,
        )


def _named(plan: Plan, index: int) -> str:
    if index == len(plan.steps):
        return "The final answer could not be written"
    return f"Step {index + 1} could not be done"


def _also(others: Sequence[int]) -> str:
    if not others:
        return ""
    numbers = ", ".join(str(index + 1) for index in others)
    return f" Neither could step{'s' if len(others) > 1 else ''} {numbers}."


def _longest_paths(needs: Mapping[int, set[int]]) -> dict[int, int]:
    """Per step, how many steps follow it, one after the other."""
    lengths = dict.fromkeys(needs, 0)
    for index in sorted(needs, reverse=True):  # dependencies point backwards
        for each in needs[index]:
            lengths[each] = max(lengths[each], lengths[index] + 1)
    return lengths
