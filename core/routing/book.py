"""The router's state: each provider's health now, and what a request in flight does to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from core.routing import health as healths
from core.routing.breaker import Breaker, Policy
from core.routing.health import Circuit, Health, Recent
from core.routing.route import View
from core.values.calls import Attempt, Request
from core.values.ports import Provider

# What a vendor may refuse of a request. A value that it refuses says nothing of another value.
Parameters = tuple[float | None, int, bool]  # temperature, max_tokens, and whether JSON is wanted


class Book:
    """Who can be asked, by which model and key, and what was learnt of each.

    It belongs to one event loop.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        *,
        configs: Mapping[str, str],
        policy: Policy,
        clock: Callable[[], float],
        wall: Callable[[], float],
        pretends_down: Callable[[str], float | None],
    ) -> None:
        self.providers = providers
        self.configs = configs
        self.policy = policy
        self.clock = clock
        self.wall = wall
        # A fire drill, and until when (UTC seconds): asked before anything is sent.
        self.pretends_down = pretends_down
        self.healths = {name: Health(name) for name in providers}
        self._shelf: dict[tuple[str, str], Recent] = {}  # by provider and model not asked now
        self._dropped: dict[str, dict[Parameters, frozenset[str]]] = {}  # by provider
        self._waiting: set[asyncio.Future[None]] = set()  # for any request to end

    def known(self, names: Iterable[str] | None = None) -> list[Health]:
        """What is known of those in `names` that are here, or of all, in that order."""
        asked = self.providers if names is None else (n for n in names if n in self.providers)
        return [self.healths[name] for name in asked]

    def health(self, name: str) -> Health:
        return self.healths.get(name) or Health(name)

    def view(self, configs: Mapping[str, str] | None = None) -> View:
        """How things stand now, for a walk that asks by these models and keys."""
        replaced: frozenset[str] = frozenset()
        if configs is not None and configs is not self.configs:
            names = (name for name in self.healths if configs.get(name) != self.configs.get(name))
            replaced = frozenset(names)
        return View(
            self.healths, self.clock(), self.wall(), self.policy, self.pretends_down, replaced
        )

    # -- requests

    def takes_turn(self, name: str) -> None:
        """Who begins meanwhile, while this one is prepared, is to see that it is its turn."""
        if not self.pretends_down(name):
            self.healths[name] = replace(self.healths[name], last_used=self.clock())

    def began(self, attempt: Attempt, *, now: float, lease_until: float) -> None:
        before = self.healths[attempt.provider]
        self._advance(attempt, healths.began(before, now=now, lease_until=lease_until))

    def ended(self, attempt: Attempt, *, began: float) -> None:
        """What the outcome means for the provider's health, and for those who wait for one."""
        before, now = self.healths[attempt.provider], self.clock()
        self._advance(
            attempt, healths.ended(before, attempt, began=began, now=now, policy=self.policy)
        )
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def any_ended(self, *, until: float) -> None:
        """Wait for the end of any request, but no longer than that."""
        ended = asyncio.get_running_loop().create_future()
        self._waiting.add(ended)
        try:
            # A millisecond late rather than early: early would find the door still shut.
            await asyncio.wait([ended], timeout=max(0.0, until - self.clock()) + 0.001)
        finally:
            self._waiting.discard(ended)

    def _advance(self, attempt: Attempt, after: Health) -> None:
        name, before = attempt.provider, self.healths[attempt.provider]
        if attempt.config != self.configs.get(name, ""):
            # Of another model or key than is asked now, whose circuit it says nothing of.
            after = replace(after, circuit=before.circuit)
        asked, recent = self.providers.get(name), before.recent
        if asked is not None and asked.model != attempt.model and after.recent is not recent:
            shelf, key = self._shelf, (name, attempt.model)
            shelf[key] = (*shelf.get(key, ())[1 - healths.WINDOW :], after.recent[-1])
            after = replace(after, recent=recent)
        self.healths[name] = after

    # -- parameters that are refused

    def dropped(self, name: str, request: Request) -> frozenset[str]:
        """What this one refuses of such a request."""
        return self._dropped.get(name, {}).get(_parameters(request), frozenset())

    def refuses(self, name: str, request: Request, parameter: str) -> None:
        refused = self._dropped.setdefault(name, {})
        refused[_parameters(request)] = self.dropped(name, request) | {parameter}

    # -- other models and keys, and a restart

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
                    self._shelf[name, before.model] = health.recent
                health = replace(health, recent=self._shelf.pop((name, provider.model), ()))
            if name in self.healths and configs.get(name) != self.configs.get(name):
                # What the old one still owes an answer to must not move the new one's circuit.
                anew = Circuit(Breaker(closed_at=self.clock()))
                health = replace(health, circuit=anew)
                self._dropped.pop(name, None)
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
                folded = replace(folded, circuit=fold(blank, current).circuit)
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
            self._shelf[name, model] = fold(Health(name), of_it).recent
        asked = self.providers.get(name)
        return self._shelf.pop((name, asked.model), ()) if asked else ()


def _parameters(request: Request) -> Parameters:
    return request.temperature, request.max_tokens, request.json_schema is not None
