"""The limits of a run (time, calls, money) and the meter that keeps to them."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from core.values.calls import Attempt
from core.values.errors import LimitReached
from core.values.ports import Watcher
from core.values.runs import Limits
from core.values.wording import count, money, seconds_in_words

_ACTION = "Raise this limit and continue; what is done is kept."


class Meter:
    """Numbers the calls of a run; asked for one more than a limit allows, it says which."""

    def __init__(
        self,
        limits: Limits,
        attempts: Sequence[Attempt],
        *,
        spent_today: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._limits = limits
        self._attempts = attempts  # of the run, and growing
        self._spent_today = spent_today
        made = max((attempt.ordinal for attempt in attempts), default=-1) + 1
        self._ordinals = itertools.count(made)
        self._made = made

    def __iter__(self) -> Meter:
        return self

    def __next__(self) -> int:
        """The next call's ordinal.

        Raises:
            LimitReached: that call would be over a limit.
        """
        self._check()
        self._made += 1
        return next(self._ordinals)

    def _check(self) -> None:
        limits = self._limits
        made = self._made - sum(attempt.drilled for attempt in self._attempts)
        if limits.calls is not None and made >= limits.calls:
            raise LimitReached(f"The run has made {count(made, 'call')}, its limit.", _ACTION)
        if limits.usd is not None and (spent := cost_of(self._attempts)) >= limits.usd:
            raise LimitReached(
                f"The run has cost {money(spent)}; its limit is {money(limits.usd)}.", _ACTION
            )
        if limits.usd_per_day is not None and (today := self._spent_today()) >= limits.usd_per_day:
            raise LimitReached(
                f"{money(today)} were spent today; the limit for a day is"
                f" {money(limits.usd_per_day)}.",
                "Raise this limit and continue, or continue tomorrow; what is done is kept.",
            )


class Ledger:
    """What all runs together have spent since midnight on this computer.

    Read from the history when a run begins, and added to as calls end.
    """

    def __init__(
        self, cost_since: Callable[[float], float], *, wall: Callable[[], float] = time.time
    ) -> None:
        self._cost_since = cost_since
        self._wall = wall
        self._day = float("-inf")
        self._spent = 0.0  # US dollars
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Look into the history, if it is a new day or the first look."""
        midnight = midnight_before(self._wall())
        with self._lock:
            if midnight != self._day:
                self._spent, self._day = self._cost_since(midnight), midnight

    def today(self) -> float:
        """US dollars, of the calls whose price is known."""
        return self._spent

    def noting(self, watcher: Watcher) -> Watcher:
        """`watcher`, with each ended call put into the ledger first."""
        return _Noting(self, watcher)

    def add(self, attempt: Attempt) -> None:
        with self._lock:
            self._spent += attempt.cost_usd or 0.0


class _Noting:
    __slots__ = ("_ledger", "_watcher", "attempt_started", "token")

    def __init__(self, ledger: Ledger, watcher: Watcher) -> None:
        self._ledger, self._watcher = ledger, watcher
        self.attempt_started, self.token = watcher.attempt_started, watcher.token

    def attempt_ended(self, attempt: Attempt) -> None:
        self._ledger.add(attempt)
        self._watcher.attempt_ended(attempt)


def midnight_before(moment: float) -> float:
    """The local midnight before `moment`; both in UTC seconds since the epoch."""
    here = datetime.fromtimestamp(moment).astimezone()
    return here.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def out_of_time(limits: Limits) -> LimitReached:
    words = seconds_in_words(limits.seconds or 0.0)
    return LimitReached(f"The run has worked for {words}, its limit.", _ACTION)


def cost_of(attempts: Sequence[Attempt]) -> float:
    """US dollars, of the calls whose price is known."""
    return sum(attempt.cost_usd or 0.0 for attempt in attempts)


def working_seconds(attempts: Sequence[Attempt], *, now: float | None = None) -> float:
    """Seconds in which at least one call was under way; the time a person took is not in it.

    With `now` (UTC seconds since the epoch) what is under way counts until then.
    """
    return sum(end - start for start, end in busy_spans(attempts, now=now))


def busy_spans(
    attempts: Sequence[Attempt], *, now: float | None = None
) -> list[tuple[float, float]]:
    """From when until when something was under way, in UTC seconds since the epoch, in order."""
    found: list[tuple[float, float]] = []
    for start, end in sorted((each.started_at, _end(each, now)) for each in attempts):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _end(attempt: Attempt, now: float | None) -> float:
    if attempt.latency_ms is not None:
        return attempt.started_at + attempt.latency_ms / 1000
    running = attempt.status == "running" and now is not None
    return max(attempt.started_at, now or 0.0) if running else attempt.started_at
