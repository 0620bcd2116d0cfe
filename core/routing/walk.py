"""The walk: a route driven in real time, until a provider answers."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from core.routing import giving_up
from core.routing.ask import Answer, Ask
from core.routing.attempt import Asking, Sent
from core.routing.book import Book
from core.routing.giving_up import Story
from core.routing.health import Health
from core.routing.route import (
    Failure,
    GiveUp,
    Prepare,
    Route,
    Try,
    View,
    Wait,
    after,
    begin,
    next_move,
)
from core.routing.strategies import STRATEGIES
from core.values.calls import Decision, Message, Request, Skip
from core.values.errors import ProviderError, RunError
from core.values.outcomes import ErrorKind
from core.values.ports import Provider


def decide(ask: Ask, healths: Sequence[Health], rng: Random) -> Decision:
    """The order that the strategy makes, and how it came about."""
    strategy = STRATEGIES[ask.strategy]
    ordered = strategy.order(healths, rng)
    chance = strategy.probability(healths, ordered) if ask.decided and ordered else 1.0
    return Decision(
        ask.strategy,
        tuple(health.name for health in ordered),
        step=ask.step,
        drawn=chance < 1,
        probability=chance if chance < 1 else None,
        chosen=ask.chosen,
    )


@dataclass(slots=True)
class Walk:
    """Asks whom the book named when it began, whatever is chosen meanwhile."""

    book: Book
    ask: Ask
    asking: Asking
    providers: Mapping[str, Provider]
    decision: Decision  # without those skipped
    route: Route
    told: Mapping[str, Skip] | None = None  # who was said to be skipped
    request: Request = field(init=False)  # to whoever's turn it is
    last: ProviderError | None = None

    async def run(self) -> Answer:
        self._tell()
        while True:
            view = self.book.view(self.asking.configs)
            self.route, move = next_move(self.route, view)
            self._tell()
            # Between the look at the circuits and the lease nothing may be awaited.
            if isinstance(move, Try):
                if answer := await self._try(move, view):
                    return answer
            elif isinstance(move, Prepare):
                await self._prepare(move.name)
            elif isinstance(move, Wait):
                await self.book.any_ended(until=move.until)
            else:
                raise self._error(move, view)

    async def _prepare(self, name: str) -> None:
        self.book.takes_turn(name)
        # Whatever fails here fails in its own request as well, where it is recorded and judged.
        with contextlib.suppress(Exception):
            await self.providers[name].prepare()

    def _tell(self) -> None:
        if self.ask.decided and self.told != self.route.skipped:
            self.told = self.route.skipped
            skipped = (*self.told.values(), *self.ask.absent)
            self.ask.decided(replace(self.decision, skipped=skipped))

    async def _try(self, move: Try, view: View) -> Answer | None:
        """One request, or none in a fire drill."""
        name, provider = move.name, self.providers[move.name]
        if move.again is None:
            tailored = self.ask.tailored
            self.request = tailored(name, provider.model) if tailored else self.ask.request
        if move.drilled:
            await self.asking.pretended(name, provider, self.request)
            self.route = after(self.route, Failure(ErrorKind.CONNECTION, view.now, drilled=True))
            return None
        dropped = self.book.dropped(name, self.request)
        asked = replace(self.request, dropped=dropped) if dropped else self.request
        sent = await self.asking.once(name, provider, asked, begun=view.now, limit=move.limit)
        if sent.failure is None:
            assert sent.reply is not None
            return Answer(sent.reply, name, sent.value, tuple(self.asking.attempts))
        self._failed(name, sent, sent.failure, begun=view.now)
        return None

    def _failed(self, name: str, sent: Sent, failure: ProviderError, *, begun: float) -> None:
        self.last = failure
        # Not now: while the failure was written down it may have answered another run.
        ended = begun + (self.asking.attempts[-1].latency_ms or 0.0) / 1000
        repair, parameter = self.ask.repair, failure.parameter
        self.route = after(
            self.route,
            Failure(
                failure.kind,
                ended,
                parameter,
                failure.field,
                repairable=sent.reply is not None and repair is not None,
            ),
        )
        if self.route.again == "without" and parameter is not None:
            self.book.refuses(name, self.request, parameter)
        elif self.route.again == "repair" and repair and sent.reply:
            said = Message("assistant", sent.reply.content)
            messages = (*self.request.messages, said, repair(failure.message))
            self.request = replace(self.request, messages=messages)

    def _error(self, move: GiveUp, view: View) -> RunError:
        story = Story(self.route, view.wall, self.asking.attempts, self.ask.absent, self.last)
        return giving_up.error(move, story)


def walk(book: Book, ask: Ask, asking: Asking, rng: Random) -> Walk:
    """About to begin."""
    view = book.view()
    deadline = view.now + view.policy.run_timeout if ask.deadline is None else ask.deadline
    decision = decide(ask, book.known(ask.order), rng)
    route = begin(decision.order, view, deadline=deadline)
    return Walk(book, ask, asking, book.providers, decision, route)
