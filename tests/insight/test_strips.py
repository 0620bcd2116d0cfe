"""How a provider fared, cell by cell."""

import pytest

from core.insight.strips import STATES, Cell, Count, Rest, cells, in_words, rests
from core.routing.breaker import Policy
from core.values.calls import Attempt
from core.values.outcomes import ErrorKind

POLICY = Policy(threshold=3, cooldown=60)


def attempt(at: float, kind: ErrorKind | None = None, **more: object) -> Attempt:
    status = "failed" if kind else "ok"
    facts = {"status": status, "error_kind": kind, "latency_ms": 1000.0, **more}
    return Attempt(int(at), 0, "a", "m", "priority", at, **facts)


def test_three_failures_in_a_row_are_a_rest_as_long_as_the_policy_says():
    failed = [attempt(at, ErrorKind.OVERLOADED) for at in (0, 10, 20)]
    assert rests(failed, policy=POLICY) == [Rest(21, 81)]
    assert rests(failed[:2], policy=POLICY) == []


def test_a_rest_ends_with_the_first_answer():
    failed = [attempt(at, ErrorKind.OVERLOADED) for at in (0, 10, 20)]
    assert rests([*failed, attempt(40)], policy=POLICY) == [Rest(21, 41)]


def test_a_rest_is_as_long_as_the_vendor_asked():
    asked = attempt(0, ErrorKind.RATE_LIMITED, retry_after=300.0)
    assert rests([asked], policy=POLICY) == [Rest(1, 301)]


def test_a_rest_that_is_cut_by_an_edge_counts_on_both_sides():
    first, second = cells([0, 100, 200], {}, [Rest(70, 120)])
    assert (first.rested, second.rested) == (30, 20)


@pytest.mark.parametrize(
    ("count", "rested", "state"),
    [
        (Count(), 0, "idle"),
        (Count(), 30, "resting"),
        (Count(20, 20, 20), 0, "ok"),
        (Count(20, 19, 20), 30, "ok"),
        (Count(20, 10, 20), 0, "mixed"),
        (Count(3, 0, 3), 30, "failing"),
        (Count(2, 0, 0), 0, "idle"),  # stopped by a person: nothing is said of the provider
    ],
)
def test_a_cell_is_one_of_the_states(count, rested, state):
    cell = Cell(0, 3600, count, rested)
    assert cell.state == state
    assert state in STATES


def test_a_cell_is_told_in_words():
    assert in_words(Cell(0, 1, Count(), 0)) == "not asked"
    assert in_words(Cell(0, 1, Count(12, 11, 12), 120)) == "11 of 12 calls answered, rested 2 min"
    assert in_words(Cell(0, 1, Count(1, 1, 1), 0)) == "1 of 1 call answered"
