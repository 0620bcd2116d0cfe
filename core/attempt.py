"""One request to one provider: recorded before and after, kept to its time, and judged."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core import health as healths
from core.errors import ErrorKind, InvalidAnswer, ProviderError, RunError
from core.providers.prices import cost_usd
from core.types import Attempt, CallStatus, Provider, Reply, Request, Watcher
from core.words import seconds_in_words

if TYPE_CHECKING:
    from core.multi_provider_strategy import MultiProviderStrategy
    from core.walk import Ask

_log = logging.getLogger("switchyard")
_LEASE_SLACK = 5.0  # seconds a lease outlives its request's deadline


@dataclass(slots=True)
class Sent:
    """What came of one request."""

    reply: Reply | None = None
    value: Any = None
    failure: ProviderError | InvalidAnswer | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks one provider after the other; `attempts` are those of the walk so far."""

    router: MultiProviderStrategy
    ask: Ask
    attempts: list[Attempt]

    async def once(self, name: str, request: Request, *, limit: float) -> Sent:
        """One request, cut off after `limit` seconds, recorded before and after.

        Raises:
            RunError: our own failure; a provider's is in what comes back.
        """
        router = self.router
        provider = router.providers[name]
        begun = router.clock()
        attempt = self._intent(name, provider.model)
        lease = begun + limit + _LEASE_SLACK
        router.healths[name] = healths.began(router.healths[name], now=begun, lease_until=lease)
        watcher = self.ask.watcher
        listener = _Listener(watcher, attempt.ordinal, router) if watcher else None
        sent = Sent()
        stopped = _ended(attempt, "cancelled", ErrorKind.CANCELLED, "It was stopped.")
        try:
            await router.history.begin(attempt, request.messages)
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
        return sent

    async def _send(
        self,
        sent: Sent,
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
            router.history.next_call_id(),
            next(self.ask.ordinals),
            name,
            model,
            self.ask.strategy,
            router.wall(),
            self.ask.run_id,
            self.ask.step,
            router.simulated,
            router.configs.get(name, ""),
        )

    def _settle(self, done: Attempt, begun: float) -> Attempt:
        """What the outcome means for the provider's health."""
        router, name = self.router, done.provider
        now = router.clock()
        if done.latency_ms is None:
            done = replace(done, latency_ms=(now - begun) * 1000)
        health = router.healths[name]
        router.healths[name] = healths.ended(
            health, done, began=begun, now=now, policy=router.policy
        )
        for waiter in router.waiting:
            if not waiter.done():
                waiter.set_result(None)
        return done

    async def _record(self, done: Attempt, reply: Reply | None) -> None:
        self.attempts.append(done)
        # Once handed over it is written, even if this run is cancelled while it waits.
        await self.router.history.end(done, reply.content if reply else None)
        if self.ask.watcher:
            self.ask.watcher.attempt_ended(done)

    def _ours(self) -> RunError:
        return RunError(
            "Switchyard itself failed while it asked a provider.",
            "Try again; if it stays, look into the log.",
            attempts=self.attempts,
        )

    def _outcome(
        self, attempt: Attempt, sent: Sent, *, begun: float, listener: _Listener | None
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
            said = self.router.redact(failure.fault)
            return _ended(attempt, "failed", ErrorKind.INVALID_PLAN, said, **facts)
        facts["http_status"] = failure.http_status or facts.get("http_status")
        facts["request_id"] = failure.request_id or facts.get("request_id")
        facts["retry_after"] = failure.retry_after
        said = self.router.redact(failure.message)
        return _ended(attempt, "failed", failure.kind, said, **facts)

    def _scrubbed(self, reply: Reply) -> Reply:
        content = self.router.redact(reply.content)
        return reply if content is reply.content else replace(reply, content=content)


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
            self._watcher.token(self._ordinal, self._router.redact(text))
        except Exception:  # noqa: BLE001 - the watcher's fault, whatever it is
            # Raised through the adapter it would look like the provider's failure.
            _log.exception("a watcher failed")


def _ended(
    attempt: Attempt, status: CallStatus, kind: ErrorKind, message: str | None, **facts: Any
) -> Attempt:
    return replace(attempt, status=status, error_kind=kind, message=message, **facts)


def _cut_off() -> ProviderError:
    return ProviderError(
        ErrorKind.TRUNCATED, "Its answer was cut off at the length limit.", http_status=200
    )
