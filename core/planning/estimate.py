"""What carrying out a plan will probably take, by what calls took before."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.planning.plan import Plan


@dataclass(frozen=True, slots=True)
class Typical:
    """A provider's recent calls."""

    calls: int  # sent
    answers: int
    seconds: float | None  # a typical answer took
    usd: float | None  # all of them cost, as far as prices are known
    unpriced: int = 0  # calls without a price


@dataclass(frozen=True, slots=True)
class Estimate:
    """`calls` with those that will probably fail. `basis` is how many answers it stands on.

    `usd` is without the `unpriced` of the calls, whose price will not be known.
    """

    calls: int
    seconds: float | None
    usd: float | None
    basis: int
    unpriced: int = 0


def estimate(
    needs: Sequence[Sequence[int]],
    typical: Iterable[Typical],
    *,
    side_by_side: int,
    planning: int = 0,
    done: int = 0,
) -> Estimate:
    """For steps with these dependencies and the final answer, of which `done` are there already,
    after so many calls for `planning`.

    Each provider counts by the answers it has given; what nobody's history tells is None.
    """
    known = [each for each in typical if each.answers]
    answers = sum(each.answers for each in known)
    per_answer = sum(each.calls for each in known) / answers if answers else 1.0
    seconds = _mean([(each.seconds, each.answers) for each in known])
    left = len(needs) + 1 - done
    rounds = planning + math.ceil(_rounds(needs, side_by_side) * left / (len(needs) + 1))
    calls = math.ceil((planning + left) * per_answer)
    # What failed may have cost something too, so money is by the answer and not by the call.
    share = (planning + left) / answers if answers else 0.0
    unpriced = sum(each.unpriced for each in known)
    priced = [each.usd for each in known if each.usd is not None]
    return Estimate(
        calls,
        None if seconds is None else seconds * rounds,
        sum(priced) * share if priced else None,
        answers,
        min(calls, math.ceil(unpriced * share)),
    )


def needs_of(plan: Plan) -> list[list[int]]:
    return [step.dependencies for step in plan.steps]


def in_a_row(steps: int) -> list[list[int]]:
    """So many steps of a plan not known yet: half of them side by side, as plans are."""
    return [[max(index - 2, 0)] if index else [] for index in range(steps)]


def _rounds(needs: Sequence[Sequence[int]], side_by_side: int) -> int:
    """How often calls follow one another, each as long as the others, the final one included."""
    done: set[int] = set()
    rounds = 1
    while len(done) < len(needs):
        ready = [i for i, wanted in enumerate(needs) if i not in done and done.issuperset(wanted)]
        done.update(ready[:side_by_side])
        rounds += 1
    return rounds


def _mean(values: Iterable[tuple[float | None, int]]) -> float | None:
    known = [(value, weight) for value, weight in values if value is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None
