"""Who has done better: the one rule behind `best_performance` and the suggested order.

The higher success rate comes first; where two rates cannot be told apart, the lower median
latency. Rates are told apart by their 95 % Wilson score intervals (Wilson 1927), as they are shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from core.values.wording import count, percent, percent_range, seconds_in_words

PROVEN = 10  # rated attempts from which on a success rate is worth comparing

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """What a provider has done lately. Latency: median seconds of answers, None without any."""

    ok: int = 0
    rated: int = 0  # calls that say something of its quality
    latency: float | None = None

    @property
    def proven(self) -> bool:
        return self.rated >= PROVEN

    @property
    def rate(self) -> float:
        return self.ok / self.rated if self.rated else 0.0

    @property
    def range(self) -> tuple[float, float]:
        """Where the rate lies, 0..1, to a tenth of a percent."""
        return _range(self.ok, self.rated)

    @property
    def seconds(self) -> float:
        """Latency to compare by."""
        return math.inf if self.latency is None else self.latency


def worse(record: TrackRecord, other: TrackRecord) -> bool:
    """Whether the most that its rate may be lies below the least that the other's must be."""
    return record.range[1] < other.range[0]


def ranked(items: Iterable[_T], record: Callable[[_T], TrackRecord]) -> list[_T]:
    """Best first; those that are equal stay in the order they come in.

    Each stands above the next because it is better beyond doubt, or because the two cannot be told
    apart and it is no slower. That this should hold of any two is too much to ask: a may be
    better than b beyond doubt, and c, of few calls, like either, slower than b and faster than a.
    So they are taken from the lowest rate up, and each lets past it whoever is faster and, as far
    as can be told, as good. Nobody comes to stand below one that is both slower and no better.
    """
    order: list[tuple[TrackRecord, _T]] = []
    known = [(record(item), item) for item in items]
    for mine, item in sorted(reversed(known), key=lambda one: (one[0].rate, -one[0].seconds)):
        place = 0
        while place < len(order) and _lets_past(mine, order[place][0]):
            place += 1
        order.insert(place, (mine, item))
    return [item for _, item in order]


def _lets_past(mine: TrackRecord, other: TrackRecord) -> bool:
    return other.seconds < mine.seconds and not worse(other, mine)


@lru_cache(maxsize=256)  # asked about everybody at each choice, and one of them has changed
def _range(ok: int, rated: int) -> tuple[float, float]:
    low, high = wilson(ok, rated)
    return round(low, 3), round(high, 3)


def wilson(ok: int, rated: int) -> tuple[float, float]:
    """The range, 0..1, that a success rate of `ok` in `rated` lies in with 95 % confidence."""
    n, z = rated, 1.96
    if n == 0:
        return 0.0, 1.0
    rate = ok / n
    centre = rate + z * z / (2 * n)
    spread = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def evidence(record: TrackRecord) -> str:
    """`98 % of 212 calls (95.2 to 99.2 %), 1.9 s`"""
    if not record.rated:
        return "not asked yet"
    calls = count(record.rated, "call")
    if not record.proven:
        return f"{calls}: too few to judge"
    said = f"{percent(record.rate)} of {calls} ({percent_range(*record.range)})"
    return said if record.latency is None else f"{said}, {seconds_in_words(record.latency)}"


def reasons(records: Sequence[TrackRecord]) -> list[str]:
    """Why each of these stands above the next that can be judged; empty where nothing is to say."""
    said = []
    for place, record in enumerate(records):
        below = next((each for each in records[place + 1 :] if each.proven), None)
        if below is None or not record.proven:
            said.append("")
        elif worse(below, record):
            said.append("more reliable than the next")
        else:
            said.append(
                "as reliable as the next, and faster"
                if record.seconds < below.seconds
                else "like the next"
            )
    return said
