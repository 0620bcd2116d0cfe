"""The history's size, the policy of what is kept, and what a removal removes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class HistorySize:
    """Moments in UTC seconds since the epoch, None without any. `text_bytes` are an estimate."""

    path: Path
    file_bytes: int
    log_bytes: int  # what has yet to come into the file, beside it
    text_bytes: int  # with their index
    unused_bytes: int  # within the file: new calls fill them, or they are given back
    disk_free_bytes: int
    calls: int
    texts: int  # calls whose text is kept
    runs: int
    oldest_call: float | None
    oldest_text: float | None


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes, or what went. `bytes` are an estimate before, and a fact after."""

    texts: int = 0
    calls: int = 0
    runs: int = 0
    goals: int = 0  # of runs that asked nobody
    bytes: int = 0
    oldest: float | None = None  # when the first call concerned began, UTC seconds

    def __bool__(self) -> bool:
        return bool(self.texts or self.calls or self.runs or self.goals)


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """What is kept; None: for good. `most_bytes` is for the file: the oldest texts go first."""

    texts_days: float | None = None
    numbers_days: float | None = None
    most_bytes: int | None = None

    @classmethod
    def chosen(cls, value: Any) -> RetentionPolicy:
        """From the choice "retention"; what cannot be read there is kept for good."""
        given = value if isinstance(value, Mapping) else {}
        texts, numbers, most = (
            _positive(given.get(name)) for name in ("texts_days", "numbers_days", "most_bytes")
        )
        return cls(texts, numbers, None if most is None else int(most))

    def as_choice(self) -> dict[str, float | None]:
        return {
            "texts_days": self.texts_days,
            "numbers_days": self.numbers_days,
            "most_bytes": self.most_bytes,
        }


@dataclass(frozen=True, slots=True)
class RemovalProgress:
    """`finished_at` is in UTC seconds, None before the first time; `error` is a sentence."""

    running: bool = False
    expected: Removal = field(default_factory=Removal)
    done: Removal = field(default_factory=Removal)
    finished_at: float | None = None
    error: str | None = None


def _positive(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 < value < inf else None
