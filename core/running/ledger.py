"""What all runs together have spent since midnight on this computer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

from core.values.calls import Attempt
from core.values.ports import Watcher


class Ledger:
    """Read from the history when a run begins, and added to as calls end."""

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
