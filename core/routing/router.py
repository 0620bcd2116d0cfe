"""The router: what is known of each provider, and who is asked first.

The router is the only thing that retries. It asks each provider at most once in a walk, but for
up to three repeats, each without one more parameter that the vendor rejected by name, one request
to repair an answer that is not what was asked for, and one more turn for whoever has answered
another run meanwhile.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from core.routing import health as healths
from core.routing import skips
from core.routing.attempt import Asking
from core.routing.breaker import Breaker, Policy
from core.routing.deadline import Deadlines
from core.routing.health import Health, Recent
from core.routing.strategies import STRATEGIES
from core.routing.walk import Answer, Ask, Parameters, Walk
from core.values.calls import Attempt, Message, Reply, Request, Skip, Usage
from core.values.errors import BadRequest
from core.values.outcomes import OUTCOMES
from core.values.ports import Calls, Provider
from core.values.registry import label_of
from core.values.texts import check_text

__all__ = ["Answer", "Ask", "MultiProviderStrategy"]


class MultiProviderStrategy:
    """Holds what is known of each provider, and walks them.

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
        self.providers = llm_provider
        self.policy = policy or Policy()
        self.simulated = simulated
        # A fire drill, and until when (UTC seconds): asked before anything is sent.
        self.pretends_down = pretends_down
        self.price = price  # US dollars of what a model was asked and answered
        self.clock = clock
        self.history = history or _Unrecorded()
        self.configs = configs or {}
        self.wall = wall
        self.rng = rng or random.Random()
        self.redact = redact
        self.healths = {name: Health(name) for name in llm_provider}
        self.shelf: dict[tuple[str, str], Recent] = {}  # by provider and model not asked now
        self.dropped: dict[str, dict[Parameters, frozenset[str]]] = {}  # by provider
        self.deadlines = Deadlines()
        self.waiting: set[asyncio.Future[None]] = set()  # for any request to end

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
        deadline = ask.deadline
        if deadline is None:
            deadline = self.clock() + self.policy.run_timeout
        asking = Asking(self, ask, self.configs)
        return await Walk(self, ask, deadline, self.providers, asking).run()

    def known(self, names: Iterable[str] | None = None) -> list[Health]:
        """What is known of those in `names` that are here, or of all, in that order."""
        asked = self.providers if names is None else (n for n in names if n in self.providers)
        return [self.healths[name] for name in asked]

    def why_not(self, name: str) -> Skip | None:
        """Why it is not asked now; None where it may be."""
        if until := self.pretends_down(name):
            return Skip(name, "drilled", until=round(until, 1))
        return skips.why_not(self.healths[name], now=self.clock(), wall=self.wall())

    def available(self, names: Iterable[str] | None = None) -> list[str]:
        """Those of `names`, or of all, that may be asked now and need nobody to see to them."""
        return [
            health.name
            for health in self.known(names)
            if not health.breaker.needs_you and self.why_not(health.name) is None
        ]

    def health(self, name: str) -> Health:
        return self.healths.get(name) or Health(name)

    def replace_providers(
        self, llm_provider: Mapping[str, Provider], configs: Mapping[str, str]
    ) -> None:
        """Other models or keys: what was learnt of a changed provider's circuit is forgotten, and
        its record is that of its model."""
        for name, provider in llm_provider.items():
            health = self.healths.get(name) or Health(name)
            before = self.providers.get(name)
            if before is None or before.model != provider.model:
                if before is not None:
                    self.shelf[name, before.model] = health.recent
                health = replace(health, recent=self.shelf.pop((name, provider.model), ()))
            if name in self.healths and configs.get(name) != self.configs.get(name):
                # What the old one still owes an answer to must not move the new one's circuit.
                anew = Breaker(closed_at=self.clock())
                health = replace(
                    health, breaker=anew, streak=0, last_failure=None, last_answered=None
                )
                self.dropped.pop(name, None)
            self.healths[name] = health
        self.providers, self.configs = llm_provider, configs

    def remember(
        self, attempts: Sequence[Attempt], totals: Mapping[str, tuple[int, int, float]]
    ) -> None:
        """Take up where the history left off.

        `attempts` are recent ones, oldest first; `totals` are per provider of the whole history:
        answers, failures, and the sum of the answers' latencies in ms.
        """
        now = self.wall()
        offset = self.clock() - now
        fold = partial(healths.rebuilt, now=now, clock_offset=offset, policy=self.policy)
        for name in {*self.healths, *totals}:
            ok, failed, latency_ms = totals.get(name, (0, 0, 0.0))
            blank = Health(name, succeeded=ok, failed=failed, latency_sum=latency_ms / 1000)
            mine = [attempt for attempt in attempts if attempt.provider == name]
            folded = fold(blank, mine)
            current = [attempt for attempt in mine if attempt.config == self.configs.get(name, "")]
            if len(current) != len(mine):
                # The circuit is of this address, model and key alone.
                alone = fold(blank, current)
                folded = replace(
                    folded,
                    breaker=alone.breaker,
                    streak=alone.streak,
                    last_failure=alone.last_failure,
                    last_answered=alone.last_answered,
                )
            self.healths[name] = replace(folded, recent=self._recent(name, mine, fold))

    def _recent(
        self,
        name: str,
        attempts: Sequence[Attempt],
        fold: Callable[[Health, Sequence[Attempt]], Health],
    ) -> Recent:
        """Of the model that is asked now; those of others are put on the shelf."""
        for model in {attempt.model for attempt in attempts}:
            of_it = [attempt for attempt in attempts if attempt.model == model]
            self.shelf[name, model] = fold(Health(name), of_it).recent
        asked = self.providers.get(name)
        return self.shelf.pop((name, asked.model), ()) if asked else ()

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
    outcome = OUTCOMES[health.breaker.reason]
    return f"{label_of(health.name)} {outcome.said}. {outcome.action}"
