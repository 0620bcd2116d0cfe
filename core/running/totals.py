"""What a run came to: its calls, the time they took, and their money, in figures and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.running.budget import busy_spans, cost_of, working_seconds
from core.values.calls import Attempt
from core.values.wording import cost as cost_in_words
from core.values.wording import count, money, seconds_in_words

_PAUSE = 1.0  # seconds without a call that a person took
_LONG_PAUSE = 5.0  # that nobody took: shorter ones are the console's own work


@dataclass(frozen=True, slots=True)
class Pause:
    """Nobody was being asked. `before` is where it stands on an axis of work alone, in seconds."""

    at: float  # UTC seconds since the epoch
    seconds: float
    before: float
    for_you: bool  # a person had to say how it goes on

    @property
    def words(self) -> str:
        return f"Waited {seconds_in_words(self.seconds)}{' for you' if self.for_you else ''}"


@dataclass(frozen=True, slots=True)
class Totals:
    """`seconds` and `usd` are of the calls of which they are known."""

    calls: int  # sent
    drilled: int
    seconds: float
    timeless: int  # calls of which nobody knows how long they took
    usd: float
    unpriced: int  # see `core.values.calls.may_have_cost`
    simulated: bool

    @property
    def took(self) -> str | None:
        """`6.1 s`, `at least 6.1 s`; None where nothing is known of it."""
        if self.seconds == 0 and (self.timeless or not self.calls):
            return None
        return f"{'at least ' if self.timeless else ''}{seconds_in_words(self.seconds)}"

    @property
    def cost(self) -> str:
        """`$0.0061`, `at least $0.0067, 2 calls without a price`, `nothing (practice)`."""
        return cost_in_words(self.usd, unpriced=self.unpriced, simulated=self.simulated)

    @property
    def short_cost(self) -> str:
        """The same where there is little room: `≥ $0.0067`, `unknown`, `practice`."""
        if self.simulated:
            return "practice"
        if not self.unpriced:
            return money(self.usd)
        return f"≥ {money(self.usd)}" if self.usd else "unknown"

    @property
    def asked(self) -> str:
        """`8 calls`, `8 calls, and 1 pretended in a fire drill`."""
        said = count(self.calls, "call")
        return f"{said}, and {self.drilled} pretended in a fire drill" if self.drilled else said


def totals(
    attempts: Sequence[Attempt], *, simulated: bool = False, now: float | None = None
) -> Totals:
    """With `now` (UTC seconds since the epoch) what is under way counts until then."""
    sent = [attempt for attempt in attempts if not attempt.drilled]
    return Totals(
        calls=len(sent),
        drilled=len(attempts) - len(sent),
        seconds=working_seconds(sent, now=now),
        timeless=sum(each.latency_ms is None and each.status != "running" for each in sent),
        usd=cost_of(sent),
        unpriced=sum(each.unpriced for each in sent),
        simulated=simulated,
    )


def call_cost(attempt: Attempt) -> str | None:
    """What one call cost, wherever it is shown; None: nothing, as it was refused, or not yet."""
    if attempt.simulated:
        return "practice"
    known = attempt.cost_usd is not None or attempt.unpriced
    return money(attempt.cost_usd) if known else None


def pauses(
    attempts: Sequence[Attempt], *, at_once: bool = False, now: float | None = None
) -> list[Pause]:
    """Where nobody was asked for long enough to be told, in order.

    `at_once`: the plan was to be carried out without anybody's looking at it first.
    """
    found, worked = [], 0.0
    for (start, end), (begins, _) in pairwise(busy_spans(attempts, now=now)):
        worked += end - start
        for_you = _was_a_persons(attempts, until=begins, at_once=at_once)
        if begins - end >= (_PAUSE if for_you else _LONG_PAUSE):
            found.append(Pause(end, begins - end, worked, for_you))
    return found


def _was_a_persons(attempts: Sequence[Attempt], *, until: float, at_once: bool) -> bool:
    """A plan was read before its steps began, or a stopped run was continued."""
    before = [each for each in attempts if each.started_at < until]
    last = before[-1]
    planned = all(each.step is None for each in before) and last.status == "ok"
    return last.status == "cancelled" or (planned and not at_once)
