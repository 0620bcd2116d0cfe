"""Ask providers in a strategy's order until one answers; each attempt recorded.

The router is the only thing that retries. It asks each provider at most once in a walk, but for
one repeat without a parameter that the vendor rejected by name, and one request to repair an
answer that is not what was asked for.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core import health as healths
from core.breaker import Policy
from core.errors import (
    OUTCOMES,
    AllProvidersFailed,
    BadRequest,
    DeadlineExceeded,
    ErrorKind,
    InvalidAnswer,
    NoProviderConfigured,
    ProviderError,
    RunError,
)
from core.health import Health
from core.providers import label_of
from core.providers.prices import cost_usd
from core.strategies import STRATEGIES
from core.types import Attempt, Calls, CallStatus, Message, Provider, Reply, Request, Watcher
from core.words import seconds_in_words

_log = logging.getLogger("switchyard")
_LEASE_SLACK = 5.0  # seconds a lease outlives its request's deadline


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
    ordinals: Iterator[int] = field(default_factory=itertools.count)  # of the whole run
    watcher: Watcher | None = None


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
    ) -> None:
        self.providers = llm_provider
        self.policy = policy or Policy()
        self.simulated = simulated
        self.clock = clock
        self._history = history or _Unrecorded()
        self._configs = configs or {}
        self._wall = wall
        self._rng = rng or random.Random()
        self._redact = redact
        self._healths = {name: Health(name) for name in llm_provider}
        self._dropped: dict[str, frozenset[str]] = {}
        self._waiting: set[asyncio.Future[None]] = set()  # for any request to end

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
        return await _Walk(self, ask, deadline).run()

    def order(self, strategy: str, names: Iterable[str] | None = None) -> list[Health]:
        """Everyone in `names` (by priority), in the order the strategy would ask them now."""
        asked = self.providers if names is None else names
        known = [self._healths[name] for name in asked if name in self._healths]
        return STRATEGIES[strategy].order(known, self._rng)

    def health(self, name: str) -> Health:
        return self._healths.get(name) or Health(name)

    def replace_providers(
        self, llm_provider: Mapping[str, Provider], configs: Mapping[str, str]
    ) -> None:
        """Other models or keys: what was learnt of a changed provider's circuit is forgotten."""
        for name in llm_provider:
            if name not in self._healths:
                self._healths[name] = Health(name)
            elif configs.get(name) != self._configs.get(name):
                self._healths[name] = replace(self._healths[name], breaker=Health(name).breaker)
                self._dropped.pop(name, None)
        self.providers, self._configs = llm_provider, configs

    def remember(
        self, attempts: Sequence[Attempt], totals: Mapping[str, tuple[int, int, float]]
    ) -> None:
        """Take up where the history left off.

        `attempts` are recent ones, oldest first; `totals` are per provider of the whole history:
        answers, failures, and the sum of the answers' latencies in ms.
        """
        offset = self.clock() - self._wall()
        for name in {*self._healths, *totals}:
            ok, failed, latency_ms = totals.get(name, (0, 0, 0.0))
            blank = Health(name, succeeded=ok, failed=failed, latency_sum=latency_ms / 1000)
            mine = [attempt for attempt in attempts if attempt.provider == name]
            folded = healths.rebuilt(blank, mine, clock_offset=offset, policy=self.policy)
            current = [attempt for attempt in mine if attempt.config == self._configs.get(name, "")]
            if len(current) != len(mine):
                # The circuit is of this address, model and key alone.
                alone = healths.rebuilt(blank, current, clock_offset=offset, policy=self.policy)
                folded = replace(folded, breaker=alone.breaker)
            self._healths[name] = folded

    def get_stats_summary(self) -> dict[str, Any]:
        """Per provider that was ever called: counts, rates and circuit, in the API's form."""
        now = self.clock()
        called = {name: h for name, h in self._healths.items() if h.succeeded + h.failed}
        return {
            "providers": {name: _stats(health, now) for name, health in called.items()},
            "total_calls": sum(h.succeeded + h.failed for h in called.values()),
            "available_providers": list(self.providers),
        }

    def _advance(self, name: str, health: Health) -> None:
        self._healths[name] = health


@dataclass(slots=True)
class _Sent:
    """What came of one request."""

    reply: Reply | None = None
    value: Any = None
    failure: ProviderError | InvalidAnswer | None = None


@dataclass(slots=True)
class _Walk:
    router: MultiProviderStrategy
    ask: Ask
    deadline: float
    attempts: list[Attempt] = field(default_factory=list)
    objectors: set[str] = field(default_factory=set)  # who found the request itself wrong

    async def run(self) -> Answer:
        router, clock = self.router, self.router.clock
        ordered = [health.name for health in router.order(self.ask.strategy, self.ask.order)]
        if not ordered:
            raise NoProviderConfigured(
                "No provider is set up.",
                "Set a key such as ANTHROPIC_API_KEY, or switch practice providers on.",
            )
        resting: list[str] = []
        for place, name in enumerate(ordered):
            # Before the circuit is asked: between that and the lease nothing may be awaited.
            await router.providers[name].prepare()
            if not router.health(name).breaker.admits(clock()):
                resting.append(name)
                continue
            others = self._still_to_ask(ordered[place + 1 :], resting)
            if answer := await self._try(name, others=others):
                return answer
        while True:
            if answer := await self._last_resort(ordered):
                return answer
            if not await self._somebody_may_be_back(ordered):
                raise self._failed(ordered)

    async def _last_resort(self, ordered: Sequence[str]) -> Answer | None:
        """Ask those who rest, soonest back first; whoever failed in this walk has had its turn."""
        router, clock = self.router, self.router.clock
        resting = self._unasked(ordered)
        resting.sort(key=lambda name: router.health(name).breaker.until or 0.0)
        for place, name in enumerate(resting):
            await router.providers[name].prepare()
            breaker = router.health(name).breaker
            if breaker.admits(clock()) or breaker.admits_last_resort(clock()):
                others = self._still_to_ask((), resting[place + 1 :])
                if answer := await self._try(name, others=others):
                    return answer
        return None

    async def _somebody_may_be_back(self, ordered: Sequence[str]) -> bool:
        """Wait until a provider not asked yet may be back; False when that is too far off.

        That is when another run's request to a resting provider ends, or, within a fair share
        of time, when a vendor wants to be asked again by its own word.
        """
        now = self.router.clock()
        breakers = [self.router.health(name).breaker for name in self._unasked(ordered)]
        patience = min(self.deadline, now + self.router.policy.fair_share)
        stated = [b.until for b in breakers if b.stated and b.until and b.until <= patience]
        leased = any(b.until and b.lease_until > now for b in breakers)
        if self.deadline <= now or not (stated or leased):
            return False
        wake = min(stated, default=self.deadline) - now
        ended = asyncio.get_running_loop().create_future()
        self.router._waiting.add(ended)
        try:
            # A millisecond late rather than early: early would find the door still shut.
            await asyncio.wait([ended], timeout=max(0.0, wake) + 0.001)
        finally:
            self.router._waiting.discard(ended)
        return True

    def _unasked(self, ordered: Sequence[str]) -> list[str]:
        asked = {attempt.provider for attempt in self.attempts}
        return [name for name in ordered if name not in asked]

    def _still_to_ask(self, closed: Sequence[str], resting: Sequence[str]) -> int:
        now, health = self.router.clock(), self.router.health
        return sum(health(name).breaker.admits(now) for name in closed) + sum(
            health(name).breaker.admits_last_resort(now) for name in resting
        )

    async def _try(self, name: str, *, others: int) -> Answer | None:
        """One provider's turn: a request, and at most one repeat and one repair."""
        request = self.ask.request
        repeated = repaired = False
        while True:
            dropped = self.router._dropped.get(name, frozenset())
            asked = replace(request, dropped=dropped) if dropped else request
            sent = await self._request(name, asked, others=others)
            reply, failure = sent.reply, sent.failure
            if failure is None and reply is not None:
                return Answer(reply, name, sent.value, tuple(self.attempts))
            if isinstance(failure, ProviderError):
                if repeated or failure.parameter is None:
                    return None
                repeated = True
                self.router._dropped[name] = dropped | {failure.parameter}
                continue
            if failure is None or reply is None or repaired or self.ask.repair is None:
                return None
            repaired = True
            request = replace(
                self.ask.request,
                messages=(
                    *self.ask.request.messages,
                    Message("assistant", reply.content),
                    self.ask.repair(failure.fault),
                ),
            )

    async def _request(self, name: str, request: Request, *, others: int) -> _Sent:
        """One request, recorded before and after.

        Raises:
            RunError: our own failure, or the run's deadline has passed.
        """
        router = self.router
        provider = router.providers[name]
        begun = router.clock()
        limit = self._limit(begun, others=others)
        attempt = self._intent(name, provider.model)
        lease = begun + limit + _LEASE_SLACK
        router._advance(name, healths.began(router._healths[name], now=begun, lease_until=lease))
        watcher = self.ask.watcher
        listener = _Listener(watcher, attempt.ordinal, router) if watcher else None
        sent = _Sent()
        stopped = _ended(attempt, "cancelled", ErrorKind.CANCELLED, "It was stopped.")
        try:
            await router._history.begin(attempt, request.messages)
            if watcher:
                watcher.attempt_started(attempt)
            await self._send(sent, provider, request, limit=limit, listener=listener)
            done = self._outcome(attempt, sent, begun=begun, listener=listener)
        except asyncio.CancelledError:
            await self._record(self._settle(stopped, begun), sent.reply)
            raise
        except RunError:
            # The history could not be written, so nothing was sent: only the lease goes back.
            self._settle(stopped, begun)
            raise
        except Exception as error:
            # A bug of ours must not look like a broken vendor.
            ours = _ended(attempt, "failed", ErrorKind.INTERNAL, "Switchyard itself failed here.")
            await self._record(self._settle(ours, begun), sent.reply)
            raise self._ours() from error
        await self._record(self._settle(done, begun), sent.reply)
        self._note_objection(name, sent.failure)
        return sent

    async def _send(
        self,
        sent: _Sent,
        provider: Provider,
        request: Request,
        *,
        limit: float,
        listener: _Listener | None,
    ) -> None:
        try:
            async with asyncio.timeout(limit) as timer:
                sent.reply = await provider.complete(
                    request, on_text=listener.text if listener else None
                )
        except TimeoutError:
            if not timer.expired():
                raise
            words = f"No answer within {seconds_in_words(limit)}."
            sent.failure = ProviderError(ErrorKind.TIMEOUT, words)
        except ProviderError as error:
            sent.failure = error
        else:
            sent.reply = self._scrubbed(sent.reply)
            try:
                sent.value = self.ask.read(sent.reply) if self.ask.read else None
            except InvalidAnswer as error:
                sent.failure = _cut_off() if sent.reply.truncated else error

    def _intent(self, name: str, model: str) -> Attempt:
        router = self.router
        return Attempt(
            router._history.next_call_id(),
            next(self.ask.ordinals),
            name,
            model,
            self.ask.strategy,
            router._wall(),
            self.ask.run_id,
            self.ask.step,
            router.simulated,
            router._configs.get(name, ""),
        )

    def _settle(self, done: Attempt, begun: float) -> Attempt:
        """What the outcome means for the provider's health."""
        router, name = self.router, done.provider
        now = router.clock()
        if done.latency_ms is None:
            done = replace(done, latency_ms=(now - begun) * 1000)
        health = router._healths[name]
        router._advance(
            name, healths.ended(health, done, began=begun, now=now, policy=router.policy)
        )
        for waiter in router._waiting:
            if not waiter.done():
                waiter.set_result(None)
        return done

    async def _record(self, done: Attempt, reply: Reply | None) -> None:
        self.attempts.append(done)
        # Once handed over it is written, even if this run is cancelled while it waits.
        await self.router._history.end(done, reply.content if reply else None)
        if self.ask.watcher:
            self.ask.watcher.attempt_ended(done)

    def _ours(self) -> RunError:
        return RunError(
            "Switchyard itself failed while it asked a provider.",
            "Try again; if it stays, look into the log.",
            attempts=self.attempts,
        )

    def _note_objection(self, name: str, failure: ProviderError | InvalidAnswer | None) -> None:
        """Two providers that find the request itself wrong are believed."""
        if not isinstance(failure, ProviderError) or failure.kind not in _ABOUT_THE_REQUEST:
            return
        if failure.parameter is None:
            self.objectors.add(name)
        if len(self.objectors) == 2:
            raise self._objected(failure)

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

    def _outcome(
        self, attempt: Attempt, sent: _Sent, *, begun: float, listener: _Listener | None
    ) -> Attempt:
        reply, failure = sent.reply, sent.failure
        latency = (self.router.clock() - begun) * 1000
        facts: dict[str, Any] = {"latency_ms": latency}
        if listener and listener.first_at is not None:
            facts["ttft_ms"] = (listener.first_at - begun) * 1000
        if reply is not None:
            facts |= {
                "usage": reply.usage,
                "cost_usd": 0.0
                if attempt.simulated
                else cost_usd(attempt.provider, attempt.model, reply.usage),
                "request_id": reply.request_id,
                "http_status": 200,
            }
        if failure is None:
            return replace(attempt, status="ok", **facts)
        if isinstance(failure, InvalidAnswer):
            said = self.router._redact(failure.fault)
            return _ended(attempt, "failed", ErrorKind.INVALID_PLAN, said, **facts)
        facts["http_status"] = failure.http_status or facts.get("http_status")
        facts["request_id"] = failure.request_id or facts.get("request_id")
        facts["retry_after"] = failure.retry_after
        said = self.router._redact(failure.message)
        return _ended(attempt, "failed", failure.kind, said, **facts)

    def _scrubbed(self, reply: Reply) -> Reply:
        content = self.router._redact(reply.content)
        return reply if content is reply.content else replace(reply, content=content)

    def _failed(self, ordered: Sequence[str]) -> RunError:
        now = self.router.clock()
        if now >= self.deadline:
            return self._late()
        waits = []
        for name in ordered:
            breaker = self.router.health(name).breaker
            if breaker.until is not None and not breaker.needs_you:
                waits.append(max(breaker.until - now, 1.0))
        soonest = min(waits, default=None)
        back = f", or wait {seconds_in_words(soonest)} until one is back" if soonest else ""
        if not self.attempts:
            return AllProvidersFailed(
                "Every provider is resting after failures, so nobody was asked.",
                f"Try again in {seconds_in_words(soonest)}, when the first is back."
                if soonest
                else "See to the providers' keys and accounts.",
                retry_after=soonest,
            )
        last: dict[str, Attempt] = {attempt.provider: attempt for attempt in self.attempts}
        reasons = "; ".join(
            f"{label_of(name)} {OUTCOMES[attempt.error_kind].said}"
            for name, attempt in last.items()
            if attempt.error_kind
        )
        first = next(iter(last.values())).error_kind
        action = OUTCOMES[first].action if first and len(last) == 1 else "Read the reasons below"
        return AllProvidersFailed(
            f"No provider gave an answer: {reasons}.",
            f"{action.rstrip('.')}{back}.",
            attempts=self.attempts,
            retry_after=soonest,
        )

    def _late(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            "Time ran out before a provider had answered.",
            "Allow more time for a run, or put a faster provider first.",
            attempts=self.attempts,
        )

    def _objected(self, failure: ProviderError) -> RunError:
        outcome = OUTCOMES[failure.kind]
        names = " and ".join(sorted(label_of(name) for name in self.objectors))
        return AllProvidersFailed(
            f"{names} both found fault with the request: {failure.message[:200].rstrip('.')}.",
            outcome.action,
            attempts=self.attempts,
        )


_ABOUT_THE_REQUEST = tuple(
    kind for kind, outcome in OUTCOMES.items() if outcome.next_provider == "until two agree"
)


class _Listener:
    """Passes text on and keeps the moment of the first."""

    __slots__ = ("_ordinal", "_router", "_watcher", "first_at")

    def __init__(self, watcher: Watcher, ordinal: int, router: MultiProviderStrategy) -> None:
        self._watcher, self._ordinal, self._router = watcher, ordinal, router
        self.first_at: float | None = None

    def text(self, text: str) -> None:
        if self.first_at is None:
            self.first_at = self._router.clock()
        try:
            self._watcher.token(self._ordinal, self._router._redact(text))
        except Exception:  # noqa: BLE001 - the watcher's fault, whatever it is
            # Raised through the adapter it would look like the provider's failure.
            _log.exception("a watcher failed")


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


def _ended(
    attempt: Attempt, status: CallStatus, kind: ErrorKind, message: str | None, **facts: Any
) -> Attempt:
    return replace(attempt, status=status, error_kind=kind, message=message, **facts)


def _cut_off() -> ProviderError:
    return ProviderError(
        ErrorKind.TRUNCATED, "Its answer was cut off at the length limit.", http_status=200
    )


def _messages(messages: Sequence[Mapping[str, str]]) -> tuple[Message, ...]:
    made = []
    for message in messages:
        role, content = message.get("role"), message.get("content")
        if role not in ("system", "user", "assistant") or not isinstance(content, str):
            raise BadRequest("Each message needs a role (system, user or assistant) and a content.")
        made.append(Message(role, content))  # type: ignore[arg-type] # checked on the line above
    return tuple(made)


def _stats(health: Health, now: float) -> dict[str, Any]:
    breaker = health.breaker
    total = health.succeeded + health.failed
    average = health.latency_sum / health.succeeded if health.succeeded else 0.0
    waiting = breaker.until - now if breaker.until is not None else 0.0
    return {
        "total_calls": total,
        "successful_calls": health.succeeded,
        "failed_calls": health.failed,
        "success_rate": f"{100 * health.succeeded / total:.1f}%",
        "avg_latency": f"{average:.2f}s",
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
