"""Plan a goal, then carry the plan out, step by step as dependencies allow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from core.llm_planner import LLMPlanner, Planned
from core.multi_provider_strategy import Ask
from core.prompts import step_messages
from core.types import Request

SIDE_BY_SIDE = 3  # steps that run at once


@dataclass(frozen=True, slots=True)
class Goal:
    text: str
    context: str | None = None
    temperature: float | None = 0.3
    max_tokens: int = 2000


@dataclass(frozen=True, slots=True)
class Outcome:
    """`results` are per step, in the plan's order: step, provider, model, content."""

    planned: Planned
    results: tuple[dict[str, Any], ...] = ()


class AutonomousOrchestrator:
    """The layer above the planner."""

    def __init__(self, planner: LLMPlanner) -> None:
        self._planner = planner

    async def plan_and_execute(self, goal: str) -> Outcome:
        """Plan `goal` and carry out every step.

        Raises:
            RunError: nobody gave a plan, or a step found nobody to do it.
        """
        return await self.carry_out(Goal(goal), Ask(Request(())))

    async def plan(
        self, goal: Goal, ask: Ask, *, on_plan: Callable[[Planned], None] = lambda planned: None
    ) -> Outcome:
        planned = await self._planner.create_plan(
            goal.text,
            context=goal.context,
            temperature=goal.temperature,
            max_tokens=goal.max_tokens,
            ask=ask,
        )
        on_plan(planned)
        return Outcome(planned)

    async def carry_out(
        self, goal: Goal, ask: Ask, *, on_plan: Callable[[Planned], None] = lambda planned: None
    ) -> Outcome:
        planned = (await self.plan(goal, ask, on_plan=on_plan)).planned
        steps = _Steps(self._planner, goal, ask, planned)
        return Outcome(planned, await steps.run())


class _Steps:
    """The steps of one plan under way."""

    def __init__(self, planner: LLMPlanner, goal: Goal, ask: Ask, planned: Planned) -> None:
        self._strategy = planner.strategy
        self._goal, self._ask, self._plan = goal, ask, planned.plan
        self._free = asyncio.Semaphore(SIDE_BY_SIDE)
        self._results: dict[int, dict[str, Any]] = {}

    async def run(self) -> tuple[dict[str, Any], ...]:
        done = [asyncio.Event() for _ in self._plan.steps]
        try:
            async with asyncio.TaskGroup() as group:
                for index in range(len(done)):
                    group.create_task(self._step(index, done))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return tuple(self._results[index] for index in range(len(done)))

    async def _step(self, index: int, done: list[asyncio.Event]) -> None:
        step = self._plan.steps[index]
        for dependency in step.dependencies:
            await done[dependency].wait()
        known = [self._results[dependency]["content"] for dependency in step.dependencies]
        async with self._free:
            messages = step_messages(self._goal.text, step.description, known)
            request = Request(messages, self._goal.temperature, self._goal.max_tokens)
            answer = await self._strategy.ask(replace(self._ask, request=request, step=index))
        self._results[index] = {
            "step": index,
            "provider": answer.provider,
            "model": answer.attempts[-1].model,
            "content": answer.reply.content,
        }
        done[index].set()
