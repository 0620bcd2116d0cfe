"""Who is asked first: four orderings, each answering with the whole order at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from core.health import Health
from core.words import count, percent, seconds_in_words

Order = Callable[[Sequence[Health], Random], list[Health]]  # input comes in priority order

PROVEN = 10  # rated attempts from which on a success rate is worth comparing
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
    """Success rate first; where rates can't be told apart, the lower median latency.

    Rates are compared by their 95 % Wilson score intervals (Wilson 1927): a provider is worse
    only when the most it may have lies below the least that the best must have.
    """
    proven = [health for health in healths if _is_proven(health)]
    unproven = [health for health in healths if not _is_proven(health)]
    unproven.sort(key=lambda health: len(health.recent))
    ranges = {health.name: wilson(health.successes, len(health.recent)) for health in proven}
    floor = max((least for least, _ in ranges.values()), default=0.0)
    level = [health for health in proven if ranges[health.name][1] >= floor]
    worse = [health for health in proven if ranges[health.name][1] < floor]
    level.sort(key=lambda health: math.inf if health.latency is None else health.latency)
    worse.sort(key=lambda health: -(health.success_rate or 0.0))
    if unproven and rng.random() < EXPLORED:
        return [unproven[0], *level, *unproven[1:], *worse]
    return [*level, *unproven, *worse]


def _of_any_order(healths: Sequence[Health], made: Sequence[Health]) -> float:
    return 1 / math.factorial(len(made))


def _of_trying(healths: Sequence[Health], made: Sequence[Health]) -> float:
    """Of trying somebody unproven first, or of not doing so, where there was a choice."""
    if len({_is_proven(health) for health in healths}) < 2:
        return 1.0
    return 1 - EXPLORED if _is_proven(made[0]) else EXPLORED


def _is_proven(health: Health) -> bool:
    return len(health.recent) >= PROVEN


def wilson(ok: int, rated: int) -> tuple[float, float]:
    """The range, 0..1, that a success rate of `ok` in `rated` lies in with 95 % confidence."""
    n, z = rated, 1.96
    if n == 0:
        return 0.0, 1.0
    rate = ok / n
    centre = rate + z * z / (2 * n)
    spread = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return (centre - spread) / scale, (centre + spread) / scale


def record_in_words(health: Health) -> str:
    """`99 % of 50 calls, 1.9 s`: what its rated attempts of late say of it."""
    rate, latency = health.success_rate, health.latency
    if rate is None:
        return "not tried yet"
    n = len(health.recent)
    words = f"{percent(rate, digits=0)} of {count(n, 'call')}"
    if latency is not None:
        words += f", {seconds_in_words(latency, aligned=True)}"
    return words if n >= PROVEN else f"{words}: too few to judge"


def _record(health: Health, place: int) -> str:
    return record_in_words(health)


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
