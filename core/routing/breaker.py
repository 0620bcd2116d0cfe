"""The circuit of one provider: pure transitions, `now` handed in.

    closed ──3 failures in a row──▶ open ──60 s──▶ half-open ──success──▶ closed
                                      ▲──────────failure──────────┘

Half-open, and in the last resort, one request is let through under a lease that expires. Only
the holder of the lease moves an open circuit; what began before it closed does not move a
closed one. The same functions advance the live circuit and rebuild it from the history.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from core.values.outcomes import ErrorKind

State = Literal["closed", "open", "half_open"]

FORCED_EVERY = 5.0  # seconds between two requests that the last resort makes to one provider


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient we are. Seconds."""

    threshold: int = 3  # failures in a row that open a circuit
    cooldown: float = 60.0
    attempt_timeout: float = 45.0
    run_timeout: float = 120.0

    @property
    def fair_share(self) -> float:
        """The least time a provider is left with by those before it.

        Silence is held against a provider only after it had that much.
        """
        return min(self.attempt_timeout, self.run_timeout / 12)


@dataclass(frozen=True, slots=True)
class Breaker:
    """Times are seconds of one monotonic clock."""

    failures: int = 0  # in a row, countable
    until: float | None = None  # rests until then; None: closed
    reason: ErrorKind | None = None  # what opened it
    stated: bool = False  # the vendor itself named the time
    closed_at: float = -math.inf
    leased_at: float = -math.inf
    lease_until: float = -math.inf

    def state(self, now: float) -> State:
        if self.until is None:
            return "closed"
        return "open" if now < self.until else "half_open"

    def admits(self, now: float) -> bool:
        """May it be asked now? Open: no. Half-open: when nobody holds the lease."""
        return self.until is None or (now >= self.until and now >= self.lease_until)

    def admits_last_resort(self, now: float) -> bool:
        forced_at = self.forced_at
        return forced_at is not None and now >= self.lease_until and now >= forced_at

    @property
    def forced_at(self) -> float | None:
        """When the last resort may ask it again, were nobody's request in its way."""
        if self.until is None or self.stated or self.needs_you:
            return None
        return self.leased_at + FORCED_EVERY

    @property
    def needs_you(self) -> bool:
        """No waiting helps: a key, a bill or a model has to be seen to."""
        return self.reason is not None and self.reason.outcome.needs_you


def began(breaker: Breaker, *, now: float, lease_until: float) -> Breaker:
    """After a request was sent at `now`."""
    if breaker.until is None:
        return breaker
    return replace(breaker, leased_at=now, lease_until=lease_until)


def ended(
    breaker: Breaker,
    kind: ErrorKind | None,
    *,
    began: float,
    now: float,
    policy: Policy,
    retry_after: float | None = None,
) -> Breaker:
    """After the request that began at `began` ended at `now`; `kind` is None for a success."""
    closed = breaker.until is None
    if began < breaker.closed_at if closed else began != breaker.leased_at:
        return breaker
    if kind is None:
        if breaker.until is None:
            return breaker if breaker.failures == 0 else replace(breaker, failures=0)
        return Breaker(closed_at=now)
    circuit = kind.outcome.circuit
    if circuit == "neutral":
        return breaker if breaker.until is None else replace(breaker, lease_until=-math.inf)
    if circuit == "rests" and retry_after is not None:
        return _opened(breaker, kind, until=now + retry_after, stated=True)
    failures = breaker.failures + 1
    if breaker.until is not None or circuit == "opens" or failures >= policy.threshold:
        return _opened(breaker, kind, until=now + policy.cooldown)
    return replace(breaker, failures=failures)


def let_in(breaker: Breaker, *, now: float) -> Breaker:
    """A person wants it asked at once: half-open, whatever it rests for."""
    if breaker.until is None:
        return breaker
    return replace(breaker, until=min(breaker.until, now), stated=False)


def _opened(breaker: Breaker, kind: ErrorKind, *, until: float, stated: bool = False) -> Breaker:
    return Breaker(
        failures=breaker.failures + 1,
        until=until,
        reason=kind,
        stated=stated,
        leased_at=breaker.leased_at,
    )
