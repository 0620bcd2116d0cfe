"""The planner: from a goal to a plan that holds, by the prompt, the router and the parser."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from core.planning.plan import EXAMPLE, Plan, read_plan
from core.planning.prompts import EXAMPLE_GOAL, PLAN_SCHEMA, plan_messages, repair_message
from core.routing.ask import Answer, Ask
from core.routing.router import MultiProviderStrategy
from core.values.calls import Attempt, Reply, Request
from core.values.errors import InvalidAnswer
from core.values.texts import check_text


@dataclass(frozen=True, slots=True)
class Planned:
    plan: Plan
    provider: str
    model: str
    attempts: tuple[Attempt, ...]


class LLMPlanner:
    """Turns goals into plans, by way of one strategy's walk over the providers."""

    def __init__(self, strategy: MultiProviderStrategy) -> None:
        self.strategy = strategy

    async def create_plan(
        self,
        goal: str,
        *,
        context: str | None = None,
        temperature: float | None = 0.3,
        max_tokens: int = 2000,
        ask: Ask | None = None,
    ) -> Planned:
        """A plan for `goal`. `ask` carries the rest of the walk: strategy, order, deadline ...

        Raises:
            RunError: nobody gave a valid plan; it carries every attempt.
            BadRequest: the goal or its context cannot be sent to anyone.
        """
        check_text(goal, "goal")
        check_text(context or "", "context")
        request = Request(plan_messages(goal, context), temperature, max_tokens, PLAN_SCHEMA)
        base = ask or Ask(request)
        answer = await self.strategy.ask(
            replace(base, request=request, read=partial(_read, goal), repair=repair_message)
        )
        return _planned(answer)


def _read(goal: str, reply: Reply) -> Plan:
    plan = read_plan(reply.content)
    if plan == EXAMPLE and goal.strip() != EXAMPLE_GOAL:
        raise InvalidAnswer("the answer repeats the example instead of planning this goal")
    return plan


def _planned(answer: Answer) -> Planned:
    model = answer.attempts[-1].model
    return Planned(answer.value, answer.provider, model, answer.attempts)
