"""An order suggested by a provider's own record, with the evidence for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.strategies import PROVEN, wilson
from core.words import seconds_in_words


@dataclass(frozen=True, slots=True)
class Record:
    """What a provider has done lately. Latency: median seconds of answers, None without any."""

    ok: int = 0
    rated: int = 0  # calls that say something of its quality
    latency: float | None = None

    @property
    def proven(self) -> bool:
        return self.rated >= PROVEN


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`order` is of everyone; `moved` are the judged ones that would go up, in that order."""

    order: tuple[str, ...]
    moved: tuple[str, ...]


def suggest(order: Sequence[str], records: Mapping[str, Record]) -> Suggestion | None:
    """A better order; None when too little is known or nothing would change.

    The rule is that of the strategy `best_performance`: success rate first, and where the rates'
    95 % intervals cannot be told apart, the lower median latency. Whoever cannot be judged yet
    keeps its place, so that the suggestion changes only what there is evidence for.
    """
    judged = [name for name in order if records.get(name, Record()).proven]
    if len(judged) < 2:
        return None
    best = iter(sorted(judged, key=_rank(judged, records)))
    better = tuple(next(best) if name in judged else name for name in order)
    if better == tuple(order):
        return None
    moved = [name for name in better if better.index(name) < list(order).index(name)]
    return Suggestion(better, tuple(moved))


def evidence(record: Record) -> str:
    """`98 % of 212 calls (95 to 99 %), 1.9 s`"""
    if not record.rated:
        return "not asked yet"
    calls = f"{record.rated} call{'' if record.rated == 1 else 's'}"
    if not record.proven:
        return f"{calls}: too few to judge"
    low, high = wilson(record.ok, record.rated)
    said = (
        f"{record.ok / record.rated:.0%} of {calls} ({round(low * 100)} to {round(high * 100)} %)"
    )
    said = said.replace("%", " %", 1)
    return said if record.latency is None else f"{said}, {seconds_in_words(record.latency)}"


def _rank(
    judged: Sequence[str], records: Mapping[str, Record]
) -> Callable[[str], tuple[bool, float, float]]:
    floor = max(wilson(records[name].ok, records[name].rated)[0] for name in judged)

    def key(name: str) -> tuple[bool, float, float]:
        record = records[name]
        worse = wilson(record.ok, record.rated)[1] < floor
        latency = math.inf if record.latency is None else record.latency
        return worse, -record.ok / record.rated if worse else 0.0, latency

    return key
