"""The walk: providers asked in a strategy's order until one answers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from core.routing import skips
from core.routing.attempt import Asking
from core.routing.breaker import FORCED_EVERY
from core.routing.strategies import STRATEGIES
from core.values.calls import Attempt, Decision, Message, Reply, Request, Skip
from core.values.errors import (
    AllProvidersFailed,
    DeadlineExceeded,
    NoProviderConfigured,
    ProviderError,
    RunError,
)
from core.values.outcomes import OUTCOMES, ErrorKind
from core.values.ports import Provider, Watcher
from core.values.registry import label_of
from core.values.wording import attempt_in_words, seconds_in_words, skip_clause

if TYPE_CHECKING:
    from core.routing.router import MultiProviderStrategy


_REPEATS = 3  # each without one more parameter that the vendor refused by name
# What a vendor may refuse of a request. A value that it refuses says nothing of another value.
Parameters = tuple[float | None, int, bool]  # temperature, max_tokens, and whether JSON is wanted


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answered with what, after which attempts. `value` is what `read` made of it."""

    reply: Reply
    provider: str
    value: Any
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """What a walk is after. `deadline` is in seconds of the router's clock."""

    request: Request
    strategy: str = "round_robin"
    order: tuple[str, ...] | None = None  # who may be asked, by priority; None: everyone
    read: Callable[[Reply], Any] | None = None  # raises InvalidAnswer
    repair: Callable[[str], Message] | None = None  # a fault in words -> the message that names it
    deadline: float | None = None
    run_id: str | None = None
    step: int | None = None
    # Of the whole run; a RunError that it raises ends the walk before anything is sent.
    ordinals: Iterator[int] = field(default_factory=itertools.count)
    watcher: Watcher | None = None
    # Provider and model -> what that one is asked instead of `request`.
    tailored: Callable[[str, str], Request] | None = None
    absent: tuple[Skip, ...] = ()  # whom the caller left out of `order`, and why
    chosen: bool = False  # `order` was named for this run, not taken from the settings
    # Told what was decided before anything is sent, and whenever that has changed.
    decided: Callable[[Decision], None] | None = None


@dataclass(slots=True)
class Walk:
    """Asks whom the router knew when it began, whatever is chosen meanwhile."""

    router: MultiProviderStrategy
    ask: Ask
    deadline: float
    providers: Mapping[str, Provider]
    asking: Asking
    # Who found the request itself wrong, by what it is that they object to.
    objectors: dict[str, set[str]] = field(default_factory=dict)
    # When whoever was asked failed; for ever, where asking once more makes no sense.
    failed: dict[str, float] = field(default_factory=dict)
    # Who could not be asked when the order was made or its turn came, and has not been since.
    skipped: dict[str, Skip] = field(default_factory=dict)
    decision: Decision | None = None  # without those skipped

    async def run(self) -> Answer:
        clock = self.router.clock
        ordered = self._order()
        if not ordered:
            raise NoProviderConfigured(
                "No provider is set up.",
                "Set a key such as ANTHROPIC_API_KEY, or switch practice providers on.",
            )
        resting: list[str] = []
        for place, name in enumerate(ordered):
            self._take_turn(name)
            # Before the circuit is asked: between that and the lease nothing may be awaited.
            await self._prepare(name)
            if not self.router.healths[name].breaker.admits(clock()):
                self._pass_over(name)
                resting.append(name)
                continue
            others = self._still_to_ask(ordered[place + 1 :], resting)
            if answer := await self._try(name, others=others):
                return answer
        ran_out = clock()
        while True:
            if answer := await self._last_resort(ordered):
                return answer
            if not await self._somebody_may_be_back(ordered, ran_out=ran_out):
                raise self._failed(ordered)

    def _take_turn(self, name: str) -> None:
        """Who begins meanwhile, while this one is prepared, is to see that it is its turn."""
        router, now = self.router, self.router.clock()
        health = router.healths[name]
        if health.breaker.admits(now) and not router.pretends_down(name):
            router.healths[name] = replace(health, last_used=now)

    async def _prepare(self, name: str) -> None:
        # Whatever fails here fails in its own request as well, where it is recorded and judged.
        with contextlib.suppress(Exception):
            await self.providers[name].prepare()

    def _order(self) -> list[str]:
        """Who is to be asked, first to last; what was decided is told."""
        router, ask = self.router, self.ask
        healths = router.known(ask.order)
        ordered = STRATEGIES[ask.strategy].order(healths, router.rng)
        names = [health.name for health in ordered]
        if ask.decided:
            chance = STRATEGIES[ask.strategy].probability(healths, ordered) if ordered else 1.0
            drawn = chance < 1
            self.decision = Decision(
                ask.strategy,
                tuple(names),
                step=ask.step,
                drawn=drawn,
                probability=chance if drawn else None,
                chosen=ask.chosen,
            )
        for name in names:
            if skip := router.why_not(name):
                self.skipped[name] = skip
        self._tell()
        return names

    def _pass_over(self, name: str) -> None:
        skip = self.router.why_not(name)
        if skip and skip != self.skipped.get(name):
            self.skipped[name] = skip
            self._tell()

    def _is_asked(self, name: str) -> None:
        if self.skipped.pop(name, None):
            self._tell()

    def _tell(self) -> None:
        if self.ask.decided and self.decision:
            skipped = (*self.skipped.values(), *self.ask.absent)
            self.ask.decided(replace(self.decision, skipped=skipped))

    async def _last_resort(self, ordered: Sequence[str]) -> Answer | None:
        """Ask who has a turn left, soonest back first."""
        left = self._left(ordered)
        left.sort(key=lambda name: self.router.healths[name].breaker.until or 0.0)
        for place, name in enumerate(left):
            await self._prepare(name)
            if self._after_all(name):
                others = self._still_to_ask((), left[place + 1 :])
                if answer := await self._try(name, others=others):
                    return answer
        return None

    async def _somebody_may_be_back(self, ordered: Sequence[str], *, ran_out: float) -> bool:
        """Wait until one with a turn left may be back; False when that is too far off.

        That is when another run's request to a resting provider ends, or, within a fair share
        of time, when a vendor wants to be asked again by its own word, or when the last resort
        may ask one again that was answering a moment ago. `ran_out`: when nobody else was left.
        """
        now, policy = self.router.clock(), self.router.policy
        left = self._left(ordered)
        if any(self._after_all(name) for name in left):
            return True
        drilled = self.router.pretends_down
        known = {name: self.router.healths[name].breaker for name in left if not drilled(name)}
        patience = min(self.deadline, now + policy.fair_share)
        back = [b.until for b in known.values() if b.stated and b.until and b.until <= patience]
        # Half of the time that is left at most: who is asked then must have some to answer in.
        patience = min((ran_out + self.deadline) / 2, ran_out + FORCED_EVERY)
        for name, breaker in known.items():
            again = breaker.forced_at
            if again and again <= patience and self._answered_after(name, now - policy.cooldown):
                back.append(again)
        back = [moment for moment in back if moment > now]
        leased = any(b.until and b.lease_until > now for b in known.values())
        if self.deadline <= now or not (back or leased):
            return False
        wake = min(back, default=self.deadline) - now
        ended = asyncio.get_running_loop().create_future()
        self.router.waiting.add(ended)
        try:
            # A millisecond late rather than early: early would find the door still shut.
            await asyncio.wait([ended], timeout=max(0.0, wake) + 0.001)
        finally:
            self.router.waiting.discard(ended)
        return True

    def _left(self, ordered: Sequence[str]) -> list[str]:
        """Who has a turn left: who was not asked, and who answered another run since it failed."""
        return [
            name
            for name in ordered
            if name not in self.failed or self._answered_after(name, self.failed[name])
        ]

    def _answered_after(self, name: str, moment: float) -> bool:
        """By the model and key that this walk asks."""
        answered = self.router.healths[name].last_answered
        same = self.asking.configs.get(name) == self.router.configs.get(name)
        # A wall clock that was set back makes the history's answers seem to be still to come.
        return same and answered is not None and moment < answered <= self.router.clock()

    def _still_to_ask(self, closed: Sequence[str], resting: Sequence[str]) -> int:
        now, known = self.router.clock(), self.router.healths
        willing = sum(known[name].breaker.admits(now) for name in closed)
        return willing + sum(self._after_all(name) for name in resting)

    def _after_all(self, name: str) -> bool:
        now, breaker = self.router.clock(), self.router.healths[name].breaker
        return breaker.admits(now) or breaker.admits_last_resort(now)

    async def _try(self, name: str, *, others: int) -> Answer | None:
        """One provider's turn: a request, a few repeats at most, and one repair."""
        ask, router = self.ask, self.router
        whole = ask.request
        if ask.tailored:
            whole = ask.tailored(name, self.providers[name].model)
        request = whole
        if router.pretends_down(name):
            self._pass_over(name)
            await self.asking.pretended(name, self.providers[name], request)
            self.failed[name] = math.inf
            return None
        repeats, repaired = 0, False
        while True:
            dropped = router.dropped.get(name, {}).get(_parameters(request), frozenset())
            asked = replace(request, dropped=dropped) if dropped else request
            begun = router.clock()
            limit = self._limit(begun, others=others)
            self._is_asked(name)
            sent = await self.asking.once(
                name, self.providers[name], asked, begun=begun, limit=limit
            )
            reply, failure = sent.reply, sent.failure
            if failure is None:
                assert reply is not None
                return Answer(reply, name, sent.value, tuple(self.asking.attempts))
            self._note_objection(name, failure)
            if failure.parameter is not None and repeats < _REPEATS:
                repeats += 1
                refused = router.dropped.setdefault(name, {})
                refused[_parameters(request)] = dropped | {failure.parameter}
            elif failure.kind is ErrorKind.INVALID_PLAN and reply and ask.repair and not repaired:
                repaired = True
                said = Message("assistant", reply.content)
                messages = (*whole.messages, said, ask.repair(failure.message))
                request = replace(whole, messages=messages)
            else:
                passing = OUTCOMES[failure.kind].circuit in ("counts", "rests")
                once_more = passing and name not in self.failed
                # Not now: while the failure was written down it may have answered another run.
                ended = begun + (self.asking.attempts[-1].latency_ms or 0.0) / 1000
                self.failed[name] = ended if once_more else math.inf
                return None

    def _note_objection(self, name: str, failure: ProviderError) -> None:
        """Two providers that object to the same thing in the request itself are believed."""
        if failure.kind not in _ABOUT_THE_REQUEST or failure.parameter is not None:
            return
        too_long = failure.kind is ErrorKind.CONTEXT_TOO_LONG
        what = failure.kind if too_long else failure.field
        if what is None:
            return
        objectors = self.objectors.setdefault(what, set())
        objectors.add(name)
        if len(objectors) == 2:
            raise self._objected(failure, objectors)

    def _limit(self, now: float, *, others: int) -> float:
        """Seconds this attempt may take, so that everyone still to come gets a fair share."""
        remaining = self.deadline - now
        if remaining <= 0:
            raise self._late()
        if others == 0:
            return remaining
        policy = self.router.policy
        kept = max(remaining - others * policy.fair_share, remaining / (others + 1))
        return min(policy.attempt_timeout, kept)

    def _failed(self, ordered: Sequence[str]) -> RunError:
        now = self.router.clock()
        if now >= self.deadline:
            return self._late()
        waits = []
        for name in ordered:
            breaker = self.router.healths[name].breaker
            if breaker.until is not None and not breaker.needs_you:
                waits.append(max(breaker.until - now, 1.0))
        soonest = min(waits, default=None)
        if not self.asking.attempts:
            reasons = "; ".join(
                f"{label_of(skip.provider)} {skip_clause(skip, now=self.router.wall())}"
                for skip in self._passed_over()
            )
            return AllProvidersFailed(
                f"Nobody could be asked: {reasons}.",
                self._action("", soonest),
                retry_after=soonest,
            )
        if all(attempt.drilled for attempt in self.asking.attempts):
            return AllProvidersFailed(
                "Every provider that could be asked is pretended down in a fire drill"
                f"{self._not_asked()}.",
                "End the fire drill, or put another provider into the order.",
                attempts=self.asking.attempts,
            )
        last: dict[str, Attempt] = {attempt.provider: attempt for attempt in self.asking.attempts}
        reasons = "; ".join(
            attempt_in_words(attempt).rstrip(".") for attempt in last.values() if attempt.error_kind
        )
        first = next(iter(last.values())).error_kind
        action = OUTCOMES[first].action if first and len(last) == 1 else "Read the reasons below"
        return AllProvidersFailed(
            f"No provider gave an answer: {reasons}{self._not_asked()}.",
            self._action(action, soonest),
            attempts=self.asking.attempts,
            retry_after=soonest,
        )

    def _action(self, otherwise: str, soonest: float | None) -> str:
        """What helps: a person, where one can, or waiting. `soonest` is in seconds."""
        helps = self._helps()
        kinds = [attempt.error_kind for attempt in self.asking.attempts if attempt.error_kind]
        waiting = f"wait {seconds_in_words(soonest)} until one is back" if soonest else ""
        if helps and not waiting and any(not OUTCOMES[kind].needs_you for kind in kinds):
            waiting = "try again in a minute"
        parts = [part for part in (helps or otherwise.rstrip("."), waiting) if part]
        said = ", or ".join(parts) or "Try again in a minute"
        return f"{said[:1].upper()}{said[1:]}."

    def _late(self) -> DeadlineExceeded:
        helps = self._helps()
        return DeadlineExceeded(
            f"Time ran out before a provider had answered{self._not_asked()}.",
            "Allow more time for a run, or put a faster provider first"
            f"{f', or {helps[:1].lower()}{helps[1:]}' if helps else ''}.",
            attempts=self.asking.attempts,
        )

    def _passed_over(self) -> tuple[Skip, ...]:
        """Those that could have been asked, had they not rested or been switched off."""
        off = (skip for skip in self.ask.absent if skip.reason == "switched_off")
        return (*self.skipped.values(), *off)

    def _not_asked(self) -> str:
        now = self.router.wall()
        return skips.not_asked(self._passed_over(), self.asking.attempts, now=now)

    def _helps(self) -> str:
        return skips.helps(self.skipped.values(), self.asking.attempts)

    def _objected(self, failure: ProviderError, objectors: set[str]) -> RunError:
        outcome = OUTCOMES[failure.kind]
        names = " and ".join(sorted(label_of(name) for name in objectors))
        return AllProvidersFailed(
            f"{names} both found fault with the request: {failure.message[:200].rstrip('.')}.",
            outcome.action,
            attempts=self.asking.attempts,
        )


def _parameters(request: Request) -> Parameters:
    return request.temperature, request.max_tokens, request.json_schema is not None


_ABOUT_THE_REQUEST = tuple(
    kind
    for kind, outcome in OUTCOMES.items()
    if outcome.next_provider == "until two object to the same"
)
