"""Who is asked first: four orderings, each answering with the whole order at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from core.routing.health import Health
from core.routing.ranking import TrackRecord, evidence, ranked, worse

Order = Callable[[Sequence[Health], Random], list[Health]]  # input comes in priority order

EXPLORED = 0.1  # share of runs in which an unproven provider is tried first


@dataclass(frozen=True, slots=True)
class Strategy:
    label: str
    help: str
    order: Order
    reason: Callable[[Health, int], str]  # why it stands there; the place counts from 0
    drawn: bool = False  # nobody can say beforehand who is first
    chance: str = ""  # a sentence where chance has a part in it
    # Of those in priority order, and the order that was made: how probable that one was, 0..1.
    probability: Callable[[Sequence[Health], Sequence[Health]], float] = lambda healths, made: 1.0


def round_robin(healths: Sequence[Health], rng: Random) -> list[Health]:
    # Longest unused first is a rotation, without a counter to keep in step.
    return sorted(
        healths, key=lambda health: -math.inf if health.last_used is None else health.last_used
    )


def by_priority(healths: Sequence[Health], rng: Random) -> list[Health]:
    return list(healths)


def shuffled(healths: Sequence[Health], rng: Random) -> list[Health]:
    return rng.sample(healths, len(healths))


def best_performance(healths: Sequence[Health], rng: Random) -> list[Health]:
    """Whoever is ranked first by its record; the unproven before those that are clearly worse."""
    proven = ranked([health for health in healths if health.record.proven], _record_of)
    unproven = [health for health in healths if not health.record.proven]
    unproven.sort(key=lambda health: health.record.rated)
    place = _first_worse([health.record for health in proven])
    if unproven and rng.random() < EXPLORED:
        return [unproven[0], *proven[:place], *unproven[1:], *proven[place:]]
    return [*proven[:place], *unproven, *proven[place:]]


def _record_of(health: Health) -> TrackRecord:
    return health.record


def _of_any_order(healths: Sequence[Health], made: Sequence[Health]) -> float:
    return 1 / math.factorial(len(made))


def _of_trying(healths: Sequence[Health], made: Sequence[Health]) -> float:
    """Of trying somebody unproven first, or of not doing so, where there was a choice."""
    if len({health.record.proven for health in healths}) < 2:
        return 1.0
    return 1 - EXPLORED if made[0].record.proven else EXPLORED


def _first_worse(records: Sequence[TrackRecord]) -> int:
    """The place of the first that is worse than another one beyond doubt."""
    best = max(records, key=lambda record: record.range[0], default=TrackRecord())
    return next((at for at, each in enumerate(records) if worse(each, best)), len(records))


def _record(health: Health, place: int) -> str:
    return evidence(health.record)


def _turn(health: Health, place: int) -> str:
    if health.last_used is None:
        return "not asked yet"
    return "waited longest" if place == 0 else "asked more recently"


def _choice(health: Health, place: int) -> str:
    return f"number {place + 1} in your order"


def _lot(health: Health, place: int) -> str:
    return "drawn by lot each time"


STRATEGIES: dict[str, Strategy] = {
    "round_robin": Strategy(
        "Take turns",
        "Share the work evenly: whoever waited longest goes first.",
        round_robin,
        _turn,
    ),
    "best_performance": Strategy(
        "Best so far",
        "Whoever answers most reliably, then fastest, goes first.",
        best_performance,
        _record,
        chance=f"One run in {round(1 / EXPLORED)} tries somebody too little known to judge first.",
        probability=_of_trying,
    ),
    "random": Strategy(
        "By lot",
        "Draw the order anew for each run.",
        shuffled,
        _lot,
        drawn=True,
        chance="Each run draws the order anew, so any of them may be first.",
        probability=_of_any_order,
    ),
    "priority": Strategy("My order", "Always your first choice first.", by_priority, _choice),
}
