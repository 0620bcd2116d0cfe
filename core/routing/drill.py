"""Fire drills: pretend that a provider is down, to see that the others take over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

LENGTH = 600.0  # seconds
SAID = "Pretended down (fire drill)."


@dataclass(frozen=True, slots=True)
class Drill:
    """One provider is pretended down. Times are UTC seconds since the epoch."""

    provider: str
    until: float


class Drills:
    """Those under way. They live in memory: a restart ends them. Any thread may call it."""

    def __init__(self, *, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._until: dict[str, float] = {}

    def start(self, provider: str, *, seconds: float = LENGTH) -> Drill:
        """Pretend it is down from now on; one that runs already starts anew."""
        drill = Drill(provider, self._wall() + seconds)
        self._until = {**self._until, provider: drill.until}
        return drill

    def end(self, provider: str) -> None:
        self._until = {name: until for name, until in self._until.items() if name != provider}

    def down(self, provider: str) -> bool:
        """Is it pretended down now?"""
        return self.until(provider) is not None

    def until(self, provider: str) -> float | None:
        """How long it is pretended down; None: it is not. The walk asks before it sends."""
        until = self._until.get(provider)
        return until if until is not None and self._wall() < until else None

    def under_way(self) -> tuple[Drill, ...]:
        """Soonest over first."""
        now = self._wall()
        drills = [Drill(name, until) for name, until in self._until.items() if now < until]
        return tuple(sorted(drills, key=lambda drill: drill.until))
