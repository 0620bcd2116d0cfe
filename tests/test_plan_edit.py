"""A reader's changes to a plan, and texts made to fit."""

import json
import random

import pytest

from core.planning.edit import (
    added_step,
    check_kept,
    edited_step,
    movable,
    moved_step,
    without_step,
)
from core.planning.estimate import Typical, estimate, in_a_row
from core.planning.fitting import fitted, kept_and_whole
from core.planning.plan import MAX_STEPS, Plan, json_text, read_plan
from core.values.errors import BadRequest


def plan_of(*needs: list[int]) -> Plan:
    steps = [
        {
            "agent_type": "task",
            "description": f"Part {index}",
            "parameters": {},
            "dependencies": wanted,
        }
        for index, wanted in enumerate(needs)
    ]
    plan = {"reasoning": "So.", "confidence": 0.5, "estimated_duration": 1, "steps": steps}
    return read_plan(json.dumps(plan))


def shape(plan: Plan) -> list[tuple[str, list[int]]]:
    return [(step.description, step.dependencies) for step in plan.steps]


DIAMOND = plan_of([], [0], [0], [1, 2])


def test_a_step_gets_other_words_and_the_rest_stays() -> None:
    edited = edited_step(DIAMOND, 1, description="  Other words  ")
    assert edited.steps[1].description == "Other words"
    assert edited.steps[2:] == DIAMOND.steps[2:]


@pytest.mark.parametrize("blank", ["", "   ", "\n"])
def test_a_step_without_words_cannot_be_saved(blank: str) -> None:
    with pytest.raises(BadRequest, match="step 2 should do"):
        edited_step(DIAMOND, 1, description=blank)
    with pytest.raises(BadRequest, match="a step needs words"):
        added_step(DIAMOND, 0, description=blank)


def test_a_cycle_is_refused_with_its_steps_named() -> None:
    with pytest.raises(BadRequest, match="Steps 1, 2 and 4 wait for each other"):
        edited_step(DIAMOND, 0, dependencies=[3])
    with pytest.raises(BadRequest, match="Step 2 cannot build on itself"):
        edited_step(DIAMOND, 1, dependencies=[1])
    with pytest.raises(BadRequest, match="does not exist"):
        edited_step(DIAMOND, 1, dependencies=[9])


def test_a_step_that_builds_on_a_later_one_moves_behind_it() -> None:
    edited = edited_step(DIAMOND, 1, dependencies=[2])
    assert shape(edited) == [("Part 0", []), ("Part 2", [0]), ("Part 1", [1]), ("Part 3", [1, 2])]


def test_what_was_built_on_a_removed_step_is_built_on_what_that_was_built_on() -> None:
    assert shape(without_step(DIAMOND, 1)) == [
        ("Part 0", []),
        ("Part 2", [0]),
        ("Part 3", [0, 1]),
    ]
    with pytest.raises(BadRequest, match="at least one"):
        without_step(plan_of([]), 0)


def test_a_step_moves_as_far_as_what_it_builds_on_allows() -> None:
    assert shape(moved_step(DIAMOND, 2, 1))[1] == ("Part 2", [0])
    assert shape(moved_step(DIAMOND, 2, 1))[3] == ("Part 3", [1, 2])
    with pytest.raises(BadRequest, match="Step 2 builds on step 1, so it cannot come before it"):
        moved_step(DIAMOND, 1, 0)
    assert not movable(DIAMOND, 3, 2)
    assert not movable(DIAMOND, 3, 4)


def test_a_step_is_added_anywhere() -> None:
    assert shape(added_step(DIAMOND, 1, description="New", dependencies=[0])) == [
        ("Part 0", []),
        ("New", [0]),
        ("Part 1", [0]),
        ("Part 2", [0]),
        ("Part 3", [2, 3]),
    ]
    with pytest.raises(BadRequest, match="before it"):
        added_step(DIAMOND, 1, description="New", dependencies=[1])
    with pytest.raises(BadRequest, match=f"at most {MAX_STEPS}"):
        added_step(plan_of(*[[] for _ in range(MAX_STEPS)]), 0, description="One more")


def test_finished_steps_stay_what_they_are() -> None:
    check_kept(DIAMOND, added_step(DIAMOND, 4, description="New"), done={0, 1})
    with pytest.raises(BadRequest, match="Step 1 is settled"):
        check_kept(DIAMOND, added_step(DIAMOND, 0, description="New"), done={0})
    with pytest.raises(BadRequest, match="final answer is written"):
        check_kept(DIAMOND, without_step(DIAMOND, 3), done={0, 1, 2, 3, 4})


def changed(plan: Plan, rng: random.Random) -> Plan:
    size = len(plan.steps)
    at, some = rng.randrange(size), [index for index in range(size) if rng.random() < 0.3]
    match rng.randrange(4):
        case 0:
            return without_step(plan, at)
        case 1:
            return moved_step(plan, at, rng.randrange(size))
        case 2:
            return edited_step(plan, at, dependencies=some)
        case _:
            return added_step(plan, at, description=str(rng.random()), dependencies=some)


def test_whatever_is_done_to_a_plan_it_can_be_run() -> None:
    rng = random.Random(3)
    plan = DIAMOND
    for _ in range(2_000):
        try:
            plan = changed(plan, rng)
        except BadRequest:
            continue
        assert read_plan(json_text(plan)) == plan


# Texts made to fit


def test_what_fits_is_not_touched() -> None:
    texts = ["a" * 100, "", "ü" * 100]
    assert fitted(texts, 300) == texts


def test_the_longest_gives_way_first_and_the_older_of_two_sooner() -> None:
    old, short, new = fitted(["a" * 40_000, "b" * 100, "c" * 40_000], 30_000)
    assert short == "b" * 100
    assert len(old) < len(new)
    assert old.endswith(" of 40,000 characters kept]")
    assert len(old) + len(short) + len(new) <= 30_000


@pytest.mark.parametrize("letter", ["z", "é", "本", "🎈"])
def test_it_fits_whatever_it_is_written_in_and_says_what_is_kept(letter: str) -> None:
    whole = letter * 10_000
    (shown,) = fitted([whole], 5_000)
    assert len(shown.encode()) <= 5_000
    cut = kept_and_whole(whole, shown)
    assert cut is not None
    assert cut == (shown.count(letter), 10_000)
    assert f"[shortened: {cut[0]:,} of 10,000 characters kept]" in shown


# Estimates


def test_an_estimate_stands_on_ones_own_calls() -> None:
    typical = [Typical(10, 5, 2.0, 0.05), Typical(10, 15, 4.0, None, unpriced=15)]
    made = estimate([[], [], [0, 1]], typical, side_by_side=3)
    assert made.basis == 20
    assert made.calls == 4
    assert made.seconds == pytest.approx(3.5 * 3)
    assert (made.usd, made.unpriced) == (pytest.approx(0.01), 3)  # of one in four calls
    alone = estimate([[], [], [0, 1]], typical, side_by_side=1)
    assert alone.seconds == pytest.approx(3.5 * 4)


def test_the_call_that_plans_takes_its_time_and_costs_its_money_too() -> None:
    typical = [Typical(20, 10, 2.0, 0.1)]
    made = estimate([[], [], [0, 1]], typical, side_by_side=3)
    whole = estimate([[], [], [0, 1]], typical, side_by_side=3, planning=1)
    assert (made.calls, whole.calls) == (8, 10)
    assert (made.seconds, whole.seconds) == (6.0, 8.0)
    assert (made.usd, whole.usd) == (pytest.approx(0.04), pytest.approx(0.05))


def test_of_prices_that_are_known_in_part_the_rest_is_counted() -> None:
    nobody = estimate([[]], [Typical(10, 10, 2.0, None, unpriced=10)], side_by_side=3)
    assert (nobody.usd, nobody.unpriced) == (None, 2)
    some = estimate([[]], [Typical(10, 10, 2.0, 0.05, unpriced=5)], side_by_side=3)
    assert (some.usd, some.unpriced) == (pytest.approx(0.01), 1)
    everybody = estimate([[]], [Typical(10, 10, 2.0, 0.05)], side_by_side=3)
    assert everybody.unpriced == 0


def test_without_a_history_the_number_of_calls_is_all_that_is_known() -> None:
    made = estimate(in_a_row(7), [Typical(0, 0, None, None)], side_by_side=3)
    assert (made.calls, made.seconds, made.usd, made.basis) == (8, None, None, 0)
