"""Where plans for the same goal differ."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.planning.plan import Plan, waves

_ALIKE = 0.25  # share of words that two steps for the same thing have in common
_WORD = re.compile(r"\w{4,}")  # shorter ones say little of what a step is about


def only_here(plans: Sequence[Plan]) -> list[set[int]]:
    """Per plan, the steps like which no other plan has one."""
    words = [[_words(plan, index) for index in range(len(plan.steps))] for plan in plans]
    return [
        {
            index
            for index, own in enumerate(mine)
            if not any(
                _alike(own, other)
                for theirs in words[:number] + words[number + 1 :]
                for other in theirs
            )
        }
        for number, mine in enumerate(words)
    ]


def in_a_row(plan: Plan) -> int:
    """How many steps wait for one another at most."""
    return len(waves(plan))


def _words(plan: Plan, index: int) -> frozenset[str]:
    return frozenset(_WORD.findall(plan.steps[index].description.lower()))


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    if not one or not other:
        return one == other
    return len(one & other) / min(len(one), len(other)) >= _ALIKE
