"""The router: asks the providers in a strategy's order until one answers.

The router is the only thing that retries. It asks each provider at most once in a walk, but for
up to three repeats, each without one more parameter that the vendor rejected by name, one request
to repair an answer that is not what was asked for, and one more turn for whoever has answered
another run meanwhile.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from core.routing import route
from core.routing.ask import Answer, Ask
from core.routing.attempt import Asking, Desk
from core.routing.book import Book
from core.routing.breaker import Policy
from core.routing.health import Health
from core.routing.strategies import STRATEGIES
from core.routing.walk import walk
from core.values.calls import Attempt, Message, Reply, Request, Skip, Usage
from core.values.errors import BadRequest
from core.values.ports import Calls, Provider
from core.values.registry import label_of
from core.values.texts import check_text

__all__ = ["Answer", "Ask", "MultiProviderStrategy"]


class MultiProviderStrategy(Book):
    """What is known of each provider, and the walks among them.

    It belongs to one event loop. Without a `history` nothing is recorded.
    """

    def __init__(
        self,
        llm_provider: Mapping[str, Provider],
        history: Calls | None = None,
        *,
        configs: Mapping[str, str] | None = None,
        policy: Policy | None = None,
        simulated: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        redact: Callable[[str], str] = lambda text: text,
        pretends_down: Callable[[str], float | None] = lambda name: None,
        price: Callable[[str, str, Usage], float | None] = lambda name, model, usage: None,
    ) -> None:
        super().__init__(
            llm_provider,
            configs=configs or {},
            policy=policy or Policy(),
            clock=clock,
            wall=wall,
            pretends_down=pretends_down,
        )
        self.simulated = simulated
        self.redact = redact
        self.rng = rng or random.Random()
        self._desk = Desk(history or _Unrecorded(), simulated, redact, price)

    async def call_with_fallback(
        self,
        messages: Sequence[Mapping[str, str]],
        temperature: float | None = 0.3,
        max_tokens: int = 2000,
        strategy: str = "round_robin",
    ) -> tuple[Reply, str]:
        """The first answer in the strategy's order, and who gave it.

        Raises:
            RunError: nobody answered; it carries every attempt.
            BadRequest: the messages or the strategy are not what they should be.
        """
        request = Request(_messages(messages), temperature, max_tokens)
        answer = await self.ask(Ask(request, strategy))
        return answer.reply, answer.provider

    async def ask(self, ask: Ask) -> Answer:
        """Walk the providers until one gives an answer that `ask.read` accepts.

        Raises:
            RunError: nobody did; it carries every attempt.
        """
        if ask.strategy not in STRATEGIES:
            raise BadRequest(f"There is no strategy called “{ask.strategy[:40]}”.")
        asking = Asking(self, self._desk, ask, self.configs)
        return await walk(self, ask, asking, self.rng).run()

    def why_not(self, name: str) -> Skip | None:
        """Why it is not asked now; None where it may be."""
        return route.why_not(name, self.view())

    def available(self, names: Iterable[str] | None = None) -> list[str]:
        """Those of `names`, or of all, that may be asked now and need nobody to see to them."""
        return [
            health.name
            for health in self.known(names)
            if not health.breaker.needs_you and self.why_not(health.name) is None
        ]

    def get_stats_summary(self) -> dict[str, Any]:
        """Per provider that was ever called: counts, rates and circuit, in the API's form.

        What is counted are answers, and failures that say something of the provider.
        """
        now = self.clock()
        called = {name: h for name, h in self.healths.items() if h.called}
        return {
            "providers": {name: _stats(health, now) for name, health in called.items()},
            "total_calls": sum(h.succeeded + h.failed for h in called.values()),
            "available_providers": self.available(),
        }


class _Unrecorded:
    """A history that keeps nothing: for use as a library, without a database."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)

    def next_call_id(self) -> int:
        return next(self._ids)

    async def begin(self, attempt: Attempt, messages: Sequence[Message]) -> None:
        pass

    async def end(self, attempt: Attempt, response: str | None) -> None:
        pass


def _messages(messages: Sequence[Mapping[str, str]]) -> tuple[Message, ...]:
    made = []
    for message in messages:
        role, content = message.get("role"), message.get("content")
        if role not in ("system", "user", "assistant") or not isinstance(content, str):
            raise BadRequest("Each message needs a role (system, user or assistant) and a content.")
        check_text(content, "message")
        made.append(Message(role, content))  # type: ignore[arg-type] # checked on the line above
    return tuple(made)


def _stats(health: Health, now: float) -> dict[str, Any]:
    breaker = health.breaker
    answers, total = health.succeeded, health.succeeded + health.failed
    waiting = breaker.until - now if breaker.until is not None else 0.0
    return {
        "total_calls": total,
        "successful_calls": answers,
        "failed_calls": health.failed,
        "success_rate": f"{100 * health.succeeded / total:.1f}%" if total else None,
        "avg_latency": f"{health.latency_sum / answers:.2f}s" if answers else None,
        "is_healthy": breaker.until is None,
        "consecutive_failures": health.streak,
        "circuit": breaker.state(now),
        "retry_in_seconds": round(waiting, 1) if waiting > 0 else None,
        "needs_attention": _attention(health) if breaker.needs_you else None,
    }


def _attention(health: Health) -> str:
    assert health.breaker.reason is not None
    outcome = health.breaker.reason.outcome
    return f"{label_of(health.name)} {outcome.said}. {outcome.action}"
