"""How a provider fared hour by hour or day by day: the cells of the strip on its card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from core.routing.breaker import Policy
from core.routing.health import Health, stages
from core.values.calls import Attempt
from core.values.wording import seconds_in_words

State = Literal["ok", "mixed", "failing", "resting", "idle"]

# What a cell's state is called, best first.
STATES: dict[State, str] = {
    "ok": "answered",
    "mixed": "some failures",
    "failing": "failing",
    "resting": "resting",
    "idle": "not asked",
}
_GOOD = 0.95  # success rate from which on a cell counts as answered


@dataclass(frozen=True, slots=True)
class Rest:
    """When a provider was left alone. UTC seconds since the epoch."""

    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Count:
    """Calls of one cell; `rated` are those that say something of the provider."""

    calls: int = 0
    ok: int = 0
    rated: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    since: float  # UTC seconds since the epoch
    until: float
    count: Count
    rested: float  # seconds

    @property
    def state(self) -> State:
        if self.count.rated:
            rate = self.count.ok / self.count.rated
            return "ok" if rate >= _GOOD else "mixed" if rate > 0 else "failing"
        if self.rested >= 1:
            return "resting"
        return "ok" if self.count.ok else "idle"


def rests(attempts: Iterable[Attempt], *, policy: Policy) -> list[Rest]:
    """When the provider of `attempts` rested, by the transitions that its circuit went through."""
    found: list[Rest] = []
    until: float | None = None
    for moment, health in stages(Health(""), attempts, clock_offset=0.0, policy=policy):
        now_until = health.breaker.until
        if now_until == until:
            continue
        if found and moment < found[-1].until:  # it ended early, or goes on
            found[-1] = replace(found[-1], until=moment)
        if now_until is not None:
            found.append(Rest(moment, now_until))
        until = now_until
    return found


def cells(
    edges: Sequence[float], counts: Mapping[float, Count], rested: Sequence[Rest]
) -> tuple[Cell, ...]:
    """One cell from each of `edges` (ascending) to the next; `counts` are by a cell's edge."""
    return tuple(
        Cell(
            since,
            until,
            counts.get(since, Count()),
            sum(max(0.0, min(rest.until, until) - max(rest.since, since)) for rest in rested),
        )
        for since, until in pairwise(edges)
    )


def in_words(cell: Cell) -> str:
    """`11 of 12 calls answered, rested 2 min`"""
    count = cell.count
    said = "not asked"
    if count.calls:
        plural = "" if count.calls == 1 else "s"
        said = f"{count.ok} of {count.calls} call{plural} answered"
    return f"{said}, rested {seconds_in_words(cell.rested)}" if cell.rested >= 1 else said
