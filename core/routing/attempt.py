"""One request to one provider: recorded before and after, kept to its time, and judged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.routing.ask import Ask
from core.routing.book import Book
from core.routing.drill import SAID
from core.values.calls import Attempt, Reply, Request, Usage
from core.values.errors import InvalidAnswer, ProviderError, RunError, no_text
from core.values.outcomes import ErrorKind
from core.values.ports import Calls, Provider, Watcher
from core.values.redaction import InPieces
from core.values.statuses import CallStatus
from core.values.texts import CAPPED, MAX_ANSWER, capped, sendable, vendors_words
from core.values.thinking import told_apart
from core.values.wording import seconds_in_words

_log = logging.getLogger("manyways")
CUT_OFF = "Its answer was cut off at the length limit."
_LEASE_SLACK = 5.0  # seconds a lease outlives its request's deadline
_UNKNOWN = Usage()


@dataclass(frozen=True, slots=True)
class Desk:
    """What every request of a router goes through."""

    history: Calls
    simulated: bool
    redact: Callable[[str], str]
    price: Callable[[str, str, Usage], float | None]  # US dollars; None: unknown


@dataclass(slots=True)
class Sent:
    """What came of one request. `value` is what the reply was read as, all of it."""

    reply: Reply | None = None  # as it is kept, without what the model thought aloud
    written: str | None = None  # with it: what is recorded
    capped: bool = False
    value: Any = None
    failure: ProviderError | None = None


@dataclass(slots=True)
class Asking:
    """Asks one provider after the other; `attempts` are those that have ended."""

    book: Book
    desk: Desk
    ask: Ask
    configs: Mapping[str, str]
    attempts: list[Attempt] = field(default_factory=list)

    async def once(
        self, name: str, provider: Provider, request: Request, *, begun: float, limit: float
    ) -> Sent:
        """One request, cut off after `limit` seconds. `begun` is now, by the router's clock.

        Raises:
            RunError: our own failure; a provider's is in what comes back.
        """
        watcher = self.ask.watcher
        intent = self._intent(name, provider.model)
        self.book.began(intent, now=begun, lease_until=begun + limit + _LEASE_SLACK)
        listener = None
        if watcher:
            listener = _Listener(watcher, intent.ordinal, self.desk.redact, self.book.clock)
        sent = Sent()
        try:
            await self.desk.history.begin(intent, request.messages)
            if watcher:
                watcher.attempt_started(intent)
            await self._send(sent, provider, request, limit=limit, listener=listener)
            done = self._outcome(intent, sent, begun=begun, listener=listener)
        except asyncio.CancelledError:
            stopped = self._cut(intent, begun, "cancelled", ErrorKind.CANCELLED, "It was stopped.")
            await self._end(stopped, sent.written, begun=begun)
            raise
        except RunError:
            # The history could not be written, so nothing was sent: only the lease goes back.
            stopped = self._cut(intent, begun, "cancelled", ErrorKind.CANCELLED, "It was stopped.")
            self.book.ended(stopped, began=begun)
            raise
        except Exception as error:
            # A bug of ours must not look like a broken vendor.
            words = "Manyways itself failed here."
            failed = self._cut(intent, begun, "failed", ErrorKind.INTERNAL, words)
            await self._end(failed, sent.written, begun=begun)
            raise self._ours() from error
        await self._end(done, sent.written, begun=begun)
        return sent

    async def pretended(self, name: str, provider: Provider, request: Request) -> None:
        """An attempt of a fire drill: recorded like any other, sent to nobody, judged by nothing.

        Raises:
            RunError: it cannot be recorded.
        """
        watcher = self.ask.watcher
        intent = replace(self._intent(name, provider.model), drilled=True)
        failed = replace(
            intent, status="failed", error_kind=ErrorKind.CONNECTION, message=SAID, latency_ms=0.0
        )
        try:
            await self.desk.history.begin(intent, request.messages)
        except asyncio.CancelledError:
            await self._end(failed, None, begun=None)
            raise
        if watcher:
            watcher.attempt_started(intent)
        await self._end(failed, None, begun=None)

    def _intent(self, name: str, model: str) -> Attempt:
        desk, ask = self.desk, self.ask
        return Attempt(
            desk.history.next_call_id(),
            next(ask.ordinals),
            name,
            model,
            ask.strategy,
            self.book.wall(),
            ask.run_id,
            ask.step,
            desk.simulated,
            self.configs.get(name, ""),
        )

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
            async with asyncio.timeout(limit) as deadline:
                reply = await provider.complete(
                    request, on_text=listener.text if listener else None
                )
        except TimeoutError:
            if not deadline.expired():
                raise
            words = f"No answer within {seconds_in_words(limit)}."
            sent.failure = ProviderError(ErrorKind.TIMEOUT, words)
        except ProviderError as error:
            error.message = vendors_words(error.message, self.desk.redact)
            sent.failure = error
        else:
            self._read(sent, reply)
        finally:
            if listener:
                listener.end()

    def _read(self, sent: Sent, reply: Reply) -> None:
        said = self.desk.redact(reply.content)
        sent.written = capped(said)
        sent.capped = sent.written is not said
        content = told_apart(said).answer
        if content is not reply.content:
            reply = replace(reply, content=content)
        sent.reply = replace(reply, content=capped(content)) if sent.capped else reply
        if not content.strip():
            sent.failure = no_text(truncated=reply.truncated)
            return
        if self.ask.read is None:
            return
        try:
            sent.value = self.ask.read(reply)
        except InvalidAnswer as error:
            kind, fault = ErrorKind.INVALID_PLAN, error.fault
            if reply.truncated:
                kind, fault = ErrorKind.TRUNCATED, CUT_OFF
            sent.failure = ProviderError(kind, fault)

    def _outcome(
        self, intent: Attempt, sent: Sent, *, begun: float, listener: _Listener | None
    ) -> Attempt:
        reply, failure = sent.reply, sent.failure
        latency = (self.book.clock() - begun) * 1000
        first_at = listener.first_at if listener else None
        usage, cost, http_status, request_id = _UNKNOWN, None, None, None
        if reply is not None:
            usage, request_id, http_status = reply.usage, reply.request_id, 200
            cost = 0.0
            if not intent.simulated:
                cost = self.desk.price(intent.provider, intent.model, usage)
        status: CallStatus = "ok"
        kind, said, retry_after = None, None, None
        if failure is not None:
            status, kind, said = "failed", failure.kind, failure.message
            http_status = failure.http_status or http_status
            request_id = failure.request_id or request_id
            retry_after = failure.retry_after
        elif sent.capped:
            said = CAPPED
        elif reply is not None and reply.truncated:
            said = CUT_OFF
        return Attempt(  # spelt out: replace() takes twice as long
            intent.id,
            intent.ordinal,
            intent.provider,
            intent.model,
            intent.strategy,
            intent.started_at,
            intent.run_id,
            intent.step,
            intent.simulated,
            intent.config,
            status=status,
            error_kind=kind,
            http_status=http_status,
            message=said,
            latency_ms=latency,
            ttft_ms=None if first_at is None else (first_at - begun) * 1000,
            usage=usage,
            cost_usd=cost,
            retry_after=retry_after,
            request_id=request_id,
        )

    def _cut(
        self, intent: Attempt, begun: float, status: CallStatus, kind: ErrorKind, said: str
    ) -> Attempt:
        latency = (self.book.clock() - begun) * 1000
        return replace(intent, status=status, error_kind=kind, message=said, latency_ms=latency)

    async def _end(self, done: Attempt, written: str | None, *, begun: float | None) -> None:
        if begun is not None:  # else nothing was sent, and nobody is judged by it
            self.book.ended(done, began=begun)
        self.attempts.append(done)
        try:
            await self.desk.history.end(done, written)
        finally:
            # Once handed over it is written, even if this run is cancelled while it waits.
            if self.ask.watcher:
                self.ask.watcher.attempt_ended(done)

    def _ours(self) -> RunError:
        return RunError(
            "Manyways itself failed while it asked a provider.",
            "Try again; if it stays, look into the log.",
            attempts=self.attempts,
        )


class _Listener:
    """Passes text on, as much as is kept, and keeps the moment of the first."""

    __slots__ = ("_clock", "_left", "_ordinal", "_redact", "_watcher", "first_at")

    def __init__(
        self,
        watcher: Watcher,
        ordinal: int,
        redact: Callable[[str], str],
        clock: Callable[[], float],
    ) -> None:
        self._watcher, self._ordinal, self._clock = watcher, ordinal, clock
        self._redact = InPieces(redact)
        self._left = MAX_ANSWER
        self.first_at: float | None = None

    def text(self, text: str) -> None:
        if self.first_at is None:
            self.first_at = self._clock()
        self._pass_on(text)

    def end(self) -> None:
        self._pass_on("", last=True)

    def _pass_on(self, piece: str, *, last: bool = False) -> None:
        try:
            text = self._redact(sendable(piece), last=last)[: self._left]
            self._left -= len(text)
            if text:
                self._watcher.token(self._ordinal, text)
        except Exception:  # noqa: BLE001 - the watcher's fault, whatever it is
            # Raised through the adapter it would look like the provider's failure.
            _log.exception("a watcher failed")
