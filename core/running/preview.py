"""Who would answer a run that started now, and why: what the walk would do, without doing it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from core.routing.health import Health
from core.routing.ranking import evidence
from core.routing.route import Failure, Prepare, Try, View, after, begin, next_move
from core.routing.skips import why_not
from core.routing.strategies import STRATEGIES
from core.values.calls import Skip, SkipReason
from core.values.outcomes import ErrorKind
from core.values.telling.attempts import skip_in_short
from core.values.wording import seconds_in_words

Kind = Literal[
    "ready", "back", "resting", "needs_you", "switched_off", "not_set_up", "drilled", "kept_out"
]
Turn = Literal["first", "then", "last", "never"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a provider is right now. `words` fit after its name."""

    kind: Kind
    words: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider's place in a run that started now.

    `last`: only when nobody before it answers; `never`: not in this run. `why` says why it has
    this place, `record` how it did of late; both may be empty.
    """

    name: str
    turn: Turn
    standing: Standing
    why: str = ""
    record: str = ""


def standing(health: Health, *, now: float) -> Standing:
    """Of one that may be asked; `now` is of the router's clock."""
    breaker = health.breaker
    if breaker.until is None:
        return Standing("ready", "ready")
    if skip := why_not(health, now=now, wall=now):
        return passed_over(skip, now=now)
    if breaker.needs_you and breaker.reason is not None:
        return Standing("needs_you", breaker.reason.outcome.said)
    return Standing("back", "rested, to be tried")


def passed_over(skip: Skip, *, now: float) -> Standing:
    """Of one that is not asked now; `now` is of the clock that its rest is told by."""
    if skip.reason == "resting" and skip.until is None:
        return Standing("back", skip_in_short(skip))
    back = f"in {seconds_in_words(skip.until - now)}" if skip.until is not None else ""
    return Standing(_KINDS[skip.reason], skip_in_short(skip, back=back))


_KINDS: dict[SkipReason, Kind] = {
    "resting": "resting",
    "needs_attention": "needs_you",
    "switched_off": "switched_off",
    "no_key": "not_set_up",
    "drilled": "drilled",
    "private": "kept_out",
    "not_asked_for": "kept_out",
}
NEVER_ASKED: tuple[Kind, ...] = ("switched_off", "not_set_up", "drilled", "kept_out")


def who_would_answer(
    healths: Sequence[Health],
    strategy: str,
    *,
    now: float,
    absentees: Mapping[str, Standing] | None = None,
) -> list[Candidate]:
    """Everyone, in the order a run that started now would ask them.

    `healths` are of those who may be asked, by priority; `absentees` are the others. Under a
    strategy that draws, those before `last` stand in the user's order: the draw is the run's own.
    """
    row = STRATEGIES[strategy]
    ordered = list(healths) if row.drawn else row.order(healths, _Usual())
    known = {health.name: health for health in ordered}
    asked = _asked_if_all_fail(known, now=now)
    found = []
    for place, name in enumerate(name for name, last in asked.items() if not last):
        turn: Turn = "first" if place == 0 and not row.drawn else "then"
        found.append(_candidate(known[name], turn, row.reason(known[name], place), now))
    resting = [health for health in ordered if asked.get(health.name, True)]
    resting.sort(key=lambda health: health.breaker.until or 0.0)
    for health in resting:
        if health.name in asked:
            found.append(_candidate(health, "last", "asked if nobody else answers", now))
        else:
            found.append(_candidate(health, "never", "", now))
    for name, said in (absentees or {}).items():
        found.append(Candidate(name, "never", said))
    return found


def _asked_if_all_fail(healths: Mapping[str, Health], *, now: float) -> dict[str, bool]:
    """Whom a walk in that order asks without waiting for anybody, and whether as a last resort."""
    view = View(healths, now, now)
    route, asked = begin(tuple(healths), view, deadline=math.inf), {}
    while True:
        route, move = next_move(route, view)
        if isinstance(move, Try):
            asked[move.name] = move.last_resort
            route = after(route, Failure(ErrorKind.REFUSED, now))
        elif not isinstance(move, Prepare):
            return asked


def in_a_sentence(candidates: Sequence[Candidate], strategy: str, label: str) -> str:
    """Who is first and why; `label` is the first candidate's name as people know it."""
    if not candidates or candidates[0].turn == "never":
        if any(candidate.standing.kind in ("resting", "back") for candidate in candidates):
            return "Nobody could answer at once: a run waits a few seconds, or fails."
        return "Nobody could answer now."
    first = candidates[0]
    if first.turn == "last":
        return f"Everyone rests; {label} would be asked first all the same."
    if first.turn == "then":
        ready = sum(candidate.turn == "then" for candidate in candidates)
        return f"Drawn by lot among {ready}." if ready > 1 else f"{label} is the only one ready."
    because = f": {first.why}" if first.why else ""
    return f"{label} would be asked first{because}."


def _candidate(health: Health, turn: Turn, why: str, now: float) -> Candidate:
    record = evidence(health.record) if health.recent else ""
    return Candidate(health.name, turn, standing(health, now=now), why, record)


class _Usual(Random):
    """Chance as it mostly falls: a preview shows what nine runs in ten do."""

    def random(self) -> float:
        return 1.0
