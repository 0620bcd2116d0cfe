"""What recent attempts say of a provider: a fold, one attempt at a time.

The live copy is advanced by the functions that rebuild it from the history at start, so that a
restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import median

from core.routing import breaker as breakers
from core.routing.breaker import Breaker, Policy
from core.routing.ranking import TrackRecord
from core.values.calls import Attempt
from core.values.outcomes import ErrorKind

WINDOW = 50  # rated attempts that a success rate looks back on
_JITTER = 0.01  # seconds by which two clocks may differ without either having been set
Recent = tuple[float | None, ...]  # oldest first: seconds of a success, None for a failure


@dataclass(frozen=True, slots=True)
class Circuit:
    """What was learnt of one address, model and key: another one of the three begins anew."""

    breaker: Breaker = field(default_factory=Breaker)
    streak: int = 0  # failures in a row that were its own
    last_failure: Attempt | None = None  # since the last success
    last_answered: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """One provider. Times are seconds of the monotonic clock."""

    name: str
    circuit: Circuit = field(default_factory=Circuit)
    last_used: float | None = None
    recent: Recent = ()  # of the model that is asked now
    succeeded: int = 0  # ever
    failed: int = 0  # ever, of those that say something of it
    latency_sum: float = 0.0  # seconds, of all successes

    @property
    def breaker(self) -> Breaker:
        return self.circuit.breaker

    @property
    def streak(self) -> int:
        return self.circuit.streak

    @property
    def last_failure(self) -> Attempt | None:
        return self.circuit.last_failure

    @property
    def last_answered(self) -> float | None:
        return self.circuit.last_answered

    @property
    def record(self) -> TrackRecord:
        """Over the recent window."""
        return _record(self.recent)

    @property
    def called(self) -> bool:
        """Ever; it may be that no outcome said anything of it."""
        return self.last_used is not None or self.succeeded + self.failed > 0


@lru_cache(maxsize=256)  # asked about everybody at each choice, and one of them has changed
def _record(recent: Recent) -> TrackRecord:
    latencies = [seconds for seconds in recent if seconds is not None]
    return TrackRecord(len(latencies), len(recent), median(latencies) if latencies else None)


def began(health: Health, *, now: float, lease_until: float) -> Health:
    before = health.circuit
    moved = breakers.began(before.breaker, now=now, lease_until=lease_until)
    circuit = before if moved is before.breaker else replace(before, breaker=moved)
    # Spelt out here and below: replace() costs as much as all the rest of choosing.
    return Health(
        health.name,
        circuit,
        now,
        health.recent,
        health.succeeded,
        health.failed,
        health.latency_sum,
    )


def ended(health: Health, attempt: Attempt, *, began: float, now: float, policy: Policy) -> Health:
    """After `attempt`, which ran from `began` to `now`."""
    kind, before = attempt.error_kind, health.circuit
    moved = breakers.ended(
        before.breaker,
        # Cut off before its fair share of time: nobody's fault.
        ErrorKind.INTERNAL if _cut_short(attempt, policy) else kind,
        began=began,
        now=now,
        policy=policy,
        retry_after=attempt.retry_after,
    )
    if attempt.status == "ok":
        seconds = (attempt.latency_ms or 0.0) / 1000
        return Health(
            health.name,
            Circuit(moved, last_answered=now),
            health.last_used,
            (*health.recent[1 - WINDOW :], seconds),
            health.succeeded + 1,
            health.failed,
            health.latency_sum + seconds,
        )
    if attempt.status != "failed" or kind is None:
        return replace(health, circuit=replace(before, breaker=moved))
    outcome = kind.outcome
    streak = before.streak + (outcome.circuit != "neutral")
    return Health(
        health.name,
        Circuit(moved, streak, attempt, before.last_answered),
        health.last_used,
        (*health.recent[1 - WINDOW :], None) if outcome.rated else health.recent,
        health.succeeded,
        health.failed + outcome.rated,
        health.latency_sum,
    )


def let_in(health: Health, *, now: float) -> Health:
    """A person wants it asked at once."""
    breaker = breakers.let_in(health.breaker, now=now)
    return replace(health, circuit=replace(health.circuit, breaker=breaker))


def rebuilt(
    health: Health, attempts: Iterable[Attempt], *, now: float, clock_offset: float, policy: Policy
) -> Health:
    """`health` after `attempts` of its provider, from the history, in the order they happened.

    `now` is by the history's wall clock, which `clock_offset` turns into the monotonic one.
    Totals stay as they are: they come from the whole history, not from the attempts at hand.
    """
    folded = health
    past = _as_they_happened(attempts, now=now)
    for _, stage in stages(health, past, clock_offset=clock_offset, policy=policy):
        folded = stage
    return replace(
        folded,
        succeeded=health.succeeded,
        failed=health.failed,
        latency_sum=health.latency_sum,
    )


def stages(
    health: Health, attempts: Iterable[Attempt], *, clock_offset: float, policy: Policy
) -> Iterator[tuple[float, Health]]:
    """Each moment at which an attempt began or ended, and `health` as it was from then on."""
    events: list[tuple[float, int, int, Attempt]] = []
    for place, attempt in enumerate(attempts):
        start = attempt.started_at + clock_offset
        events.append((start, place, 0, attempt))
        if attempt.latency_ms is not None:
            events.append((start + attempt.latency_ms / 1000, place, 1, attempt))
    for moment, _, is_end, attempt in sorted(events, key=lambda event: event[:3]):
        start = attempt.started_at + clock_offset
        if is_end:
            health = ended(health, attempt, began=start, now=moment, policy=policy)
        else:
            lease = start + policy.attempt_timeout + 5.0
            health = began(health, now=start, lease_until=lease)
        yield moment, health


def _as_they_happened(attempts: Iterable[Attempt], *, now: float) -> list[Attempt]:
    """Oldest first, and none later than now or than the one after it.

    A clock that was set back leaves attempts in what is the future now, and no rest may last
    until then.
    """
    placed, latest = [], now
    for attempt in sorted(attempts, key=lambda attempt: attempt.id, reverse=True):
        start, took = attempt.started_at, (attempt.latency_ms or 0.0) / 1000
        if start > latest + _JITTER or start + took > now + _JITTER:
            attempt = replace(attempt, started_at=latest - took)
        placed.append(attempt)
        latest = attempt.started_at
    return placed[::-1]


def _cut_short(attempt: Attempt, policy: Policy) -> bool:
    return (
        attempt.error_kind is ErrorKind.TIMEOUT
        and (attempt.latency_ms or 0.0) < policy.fair_share * 1000 - 5
    )
