"""Plans carried out: by the real SDKs over loopback, into real histories."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.config.settings import read_settings
from core.planning.edit import edited_step, without_step
from core.planning.planner import LLMPlanner
from core.planning.prompts import EXAMPLE_GOAL, PLAN_EXAMPLE
from core.providers.connect import connect
from core.routing.router import MultiProviderStrategy
from core.running.run import Run
from core.running.run_json import run_as_json
from core.running.steps.orchestrator import AutonomousOrchestrator, WorkResult
from core.running.steps.step_prompt import SKIPPED
from core.values.errors import BadRequest
from core.values.runs import Limits, RunRequest
from core.values.texts import CAPPED, MAX_ANSWER
from core.web.run_documents import as_html, as_json, as_markdown, steps_as_csv
from tests import standin
from tests.running.asking import answer_of
from tests.running.desk import (
    GOAL,
    LAST,
    WIRES,
    Desk,
    asked_for,
    desk_of,
    killed,
    plan_text,
    step_in,
    worker,
)  # fmt: skip
from tests.standin import Act, Received, Yard


@pytest.fixture
def yard() -> Iterator[Yard]:
    with Yard() as yard:
        for name in yard:
            yard[name].script = worker()
        yield yard


@pytest.fixture
def desk(tmp_path: Path, yard: Yard) -> Iterator[Desk]:
    with desk_of(tmp_path, yard, *WIRES) as desk:
        yield desk


def states(run: Run) -> list[str]:
    return [view.state for view in run.steps()]


def events_of(run: Run) -> list[tuple[str, dict[str, Any]]]:
    async def followed() -> list[tuple[str, dict[str, Any]]]:
        return [(event.type, event.data) async for event in run.feed.follow()]

    return asyncio.run(followed())


def path_over_critical_path(run: Run) -> float:
    """The time the steps took, over that of the longest chain of calls that wait for another."""
    assert run.plan is not None
    last = len(run.plan.steps)
    took = dict.fromkeys(range(last + 1), 0.0)  # seconds, attempts that failed included
    begun, ended = float("inf"), 0.0
    for attempt in run.attempts:
        if attempt.step is not None:
            seconds = (attempt.latency_ms or 0.0) / 1000
            took[attempt.step] += seconds
            begun = min(begun, attempt.started_at)
            ended = max(ended, attempt.started_at + seconds)
    longest: dict[int, float] = {}
    for index, step in enumerate(run.plan.steps):
        before = max((longest[each] for each in step.dependencies), default=0.0)
        longest[index] = before + took[index]
    return (ended - begun) / (max(longest.values()) + took[last])


# In order, side by side


@pytest.mark.parametrize("name", WIRES)
def test_a_plan_takes_as_long_as_its_critical_path_and_every_request_is_a_row(
    name: str, tmp_path: Path, yard: Yard
) -> None:
    yard[name].script = worker(
        lambda step: standin.answer(f"Result {step}.", delay=0.5), needs=[[], [], [0, 1]]
    )
    with desk_of(tmp_path, yard, name) as desk:
        desk.ran("A first run, so that the SDK is there", execute=False)
        run = desk.ran()
        assert run.error is None
        assert path_over_critical_path(run) < 1.1
        assert states(run) == ["done"] * 4
        calls = desk.archive.calls_of(run.record.id)
        assert sorted(call.step for call in calls if call.step is not None) == [0, 1, 2, 3]
        assert len(yard[name].requests) == desk.archive.count_calls()


def test_practice_carries_out_a_plan_within_a_tenth_of_its_critical_path(
    tmp_path: Path, yard: Yard
) -> None:
    environ = {"CONSOLE_PRACTICE": "on"}
    with desk_of(tmp_path, yard, **environ) as desk:
        run = desk.ran("Plan a 3-day trip to Lisbon for two under 900 euros", side_by_side=10)
        assert run.error is None
        assert path_over_critical_path(run) < 1.1
        assert run.record.simulated
        assert run.final_answer
        assert run.execution_status == "executed"
    assert yard.requests == []


def test_a_step_is_given_the_goal_its_words_and_what_it_builds_on(desk: Desk, yard: Yard) -> None:
    run = desk.ran(context="The budget is 900 euros.")
    by_step = {step_in(received): received.prompt for received in yard.requests}
    assert GOAL in by_step[4]
    assert "The budget is 900 euros." in by_step[4]
    assert "Do part e of the party." in by_step[4]
    assert "Result of step 2." in by_step[4]
    assert "Result of step 3." in by_step[4]
    assert "Result of step 0." not in by_step[4]
    assert all(f"Result of step {step}." in by_step[LAST] for step in range(LAST))
    assert run.final_answer == f"Result of step {LAST}."


@pytest.mark.parametrize("limit", [1, 2])
def test_no_more_steps_run_at_once_than_the_user_said(limit: int, desk: Desk, yard: Yard) -> None:
    for name in WIRES:
        yard[name].script = worker(
            lambda step: standin.answer("Done.", delay=0.05), needs=[[], [], [], [], []]
        )
    run = desk.ran(side_by_side=limit)
    spans = [
        (attempt.started_at, attempt.started_at + (attempt.latency_ms or 0) / 1000)
        for attempt in run.attempts
        if attempt.step is not None
    ]
    at_once = [sum(start <= moment < end for start, end in spans) for moment, _ in spans]
    assert max(at_once) == limit


def test_what_most_steps_wait_for_begins_first(desk: Desk, yard: Yard) -> None:
    needs: list[list[int]] = [[], [], [1], [2]]
    for name in WIRES:
        yard[name].script = worker(needs=needs)
    desk.ran(side_by_side=1)
    assert asked_for(yard, needs) == [1, 2, 0, 3, 4]


# What is done stays done


def test_a_failed_step_lets_the_other_branch_finish_and_is_told_with_its_reason(
    desk: Desk, yard: Yard
) -> None:
    for name in WIRES:
        yard[name].script = worker(
            lambda step: standin.refusal() if step == 0 else standin.answer(f"Result {step}.")
        )
    run = desk.ran(strategy="priority", side_by_side=1)
    assert run.error is not None
    assert "Step 1 could not be done" in run.error.message
    assert "declined to answer" in run.error.message
    assert run.execution_status == "partly"
    stored = desk.stored(run)
    for each in (run, stored):
        assert [view.index for view in each.steps() if view.state == "failed"] == [0]
    assert [view.text for view in stored.steps()] == [view.text for view in run.steps()]


def two_faced(fails: Callable[[], bool], step_that_fails: int) -> Callable[[Received], Act]:
    return worker(
        lambda step: (
            standin.refusal()
            if step == step_that_fails and fails()
            else standin.answer(f"Result of step {step}.")
        )
    )


@pytest.fixture
def failed(desk: Desk, yard: Yard) -> tuple[Run, Callable[[], None]]:
    """A run whose step 2 failed, and what mends it."""
    broken = [True]
    for name in WIRES:
        yard[name].script = two_faced(lambda: bool(broken), 2)
    run = desk.ran()
    assert states(run)[:4] == ["done", "done", "failed", "done"]
    return run, broken.clear


def test_trying_again_repeats_no_finished_step(
    desk: Desk, yard: Yard, failed: tuple[Run, Callable[[], None]]
) -> None:
    run, mend = failed
    before = len(yard.requests)
    mend()
    again = desk.went_on(run)
    assert again.record.status == "completed"
    assert sorted(asked_for(yard)[before - 1 :]) == [2, 4, 5, 6, LAST]
    ordinals = [attempt.ordinal for attempt in again.attempts]
    assert ordinals == [*range(len(ordinals))]
    assert desk.stored(run).record.status == "completed"


def test_another_provider_is_asked_first_for_what_failed(
    desk: Desk, failed: tuple[Run, Callable[[], None]]
) -> None:
    run, mend = failed
    mend()
    again = desk.went_on(run, first="google")
    answered = again.steps()[2].answered
    assert answered is not None
    assert answered.provider == "google"


def test_a_skipped_step_is_told_to_those_that_build_on_it(
    desk: Desk, yard: Yard, failed: tuple[Run, Callable[[], None]]
) -> None:
    run, _ = failed
    again = desk.went_on(run, skip=[2])
    assert again.record.status == "completed"
    assert states(again)[2] == "skipped"
    assert again.execution_status == "partly"
    told = [r.prompt for r in yard.requests if step_in(r) == 4]
    assert SKIPPED in told[-1]
    assert states(desk.stored(run)) == states(again)
    with pytest.raises(BadRequest, match="not done yet"):
        desk.engine.carry_on(run.record.id, skip=[0])


def test_a_finished_step_cannot_be_edited_and_an_unfinished_one_can(
    desk: Desk, yard: Yard, failed: tuple[Run, Callable[[], None]]
) -> None:
    run, mend = failed
    assert run.plan is not None
    mend()
    with pytest.raises(BadRequest, match="Step 1 is settled"):
        desk.engine.carry_on(run.record.id, plan=edited_step(run.plan, 0, description="Other."))
    edited = without_step(run.plan, 6)
    again = desk.went_on(run, plan=edited)
    assert again.record.status == "completed"
    assert len(again.steps()) == LAST
    assert json.loads(desk.stored(run).record.plan or "")["steps"] == edited.model_dump()["steps"]


def test_stopping_closes_the_connections_and_keeps_what_is_done(desk: Desk, yard: Yard) -> None:
    hanging = [True]
    for name in WIRES:
        yard[name].script = worker(
            lambda step: standin.hang() if step >= 2 and hanging else standin.answer("Done.")
        )
    run_id = desk.start()
    assert standin.eventually(lambda: {2, 3} <= set(asked_for(yard)), within=10)
    asked = [r for r in yard.requests if (step_in(r) or 0) >= 2]
    assert desk.engine.cancel(run_id)
    assert standin.eventually(lambda: desk.engine.runs.get(run_id).done.is_set(), within=5)
    assert all(standin.eventually(lambda r=r: r.disconnected_at is not None) for r in asked)
    run = desk.ended(run_id)
    assert run.record.status == "cancelled"
    assert states(run)[:4] == ["done", "done", "waiting", "waiting"]
    assert states(desk.stored(run)) == states(run)
    hanging.clear()
    assert desk.went_on(run).record.status == "completed"
    assert asked_for(yard).count(0) == asked_for(yard).count(1) == 1


def test_what_was_answered_as_the_run_was_stopped_is_not_asked_again(
    desk: Desk, yard: Yard
) -> None:
    needs: list[list[int]] = [[], [0]]
    for name in WIRES:
        yard[name].script = worker(lambda step: standin.answer("Done.", delay=0.3), needs)
    run_id = desk.start()
    assert standin.eventually(lambda: asked_for(yard, needs) == [0], within=10)
    with closing(
        sqlite3.connect(desk.engine.history.path, isolation_level=None)
    ) as another_program:
        another_program.execute("BEGIN IMMEDIATE")
        time.sleep(0.6)  # until the answer is there, and cannot be written
        assert desk.engine.cancel(run_id)
        time.sleep(0.1)
        another_program.execute("ROLLBACK")
    run = desk.ended(run_id)
    assert run.record.status == "cancelled"
    assert [attempt.status for attempt in run.attempts] == ["ok", "ok"]
    assert states(run) == ["done", "waiting", "waiting"]
    assert desk.went_on(run).record.status == "completed"
    assert asked_for(yard, needs) == [0, 1, 2]


def test_a_run_ends_in_whichever_moment_it_is_stopped(tmp_path: Path, yard: Yard) -> None:
    with desk_of(tmp_path, yard, "openai") as desk:
        desk.engine.control.drills.start("openai")  # each run fails within milliseconds
        for number in range(100):
            run_id = desk.start()
            time.sleep(number % 25 / 5000)
            desk.engine.cancel(run_id)
            run = desk.ended(run_id)
            assert desk.stored(run).record.status == run.record.status != "running"


def test_two_that_close_the_engine_at_once_both_see_it_closed(desk: Desk) -> None:
    desk.ran()
    with ThreadPoolExecutor(4) as pool:
        for closing_it in [pool.submit(desk.engine.close) for _ in range(4)]:
            closing_it.result(30)
    assert desk.engine.complaint() is not None  # its thread has ended


def test_a_run_ends_in_the_history_and_goes_on_in_another_process(
    tmp_path: Path, yard: Yard
) -> None:
    """The first is killed in the middle; what it finished is asked of nobody again."""
    holding = [True]
    yard["openai"].script = worker(
        lambda step: standin.hang() if step >= 4 and holding else standin.answer(f"Text {step}.")
    )
    finished = {0, 1, 2, 3}
    path, environment = tmp_path / "console.db", yard.env("openai")
    with killed(path, environment, goal=GOAL, execute=True) as run_id:
        assert standin.eventually(lambda: {4, 5} <= set(asked_for(yard)), within=20)
    holding.clear()
    with desk_of(tmp_path, yard, "openai") as desk:
        found = answer_of(desk.engine, "GET", f"/runs/{run_id}").json()
        assert found["error"]["kind"] == "interrupted"
        assert found["execution_status"] == "partly"
        assert [result["status"] for result in found["execution_results"]][:4] == ["done"] * 4
        done = answer_of(desk.engine, "POST", f"/runs/{run_id}/continue").json()
    assert done["execution_status"] == "executed"
    assert [result["content"] for result in done["execution_results"]][:2] == ["Text 0.", "Text 1."]
    counts = {step: asked_for(yard).count(step) for step in range(LAST + 1)}
    assert {step for step, count in counts.items() if count == 1} >= finished
    assert sum(counts.values()) == LAST + 1 + 2  # the two that were under way


def test_a_key_gives_the_same_run_after_it_went_on_in_another_process(
    tmp_path: Path, yard: Yard
) -> None:
    yard["openai"].script = worker(lambda step: standin.status(500))
    asked = {"idempotency_key": "once", "strategy": "priority"}
    with desk_of(tmp_path, yard, "openai") as desk:
        run_id = desk.ran(**asked).record.id
        with pytest.raises(BadRequest, match="another request"):
            desk.start(**{**asked, "strategy": "random"})
    yard["openai"].script = worker()
    with desk_of(tmp_path, yard, "openai") as desk:
        stored = desk.engine.runs.stored(run_id)
        assert stored is not None
        assert desk.went_on(stored).record.status == "completed"
        assert desk.start(**asked) == run_id
    with desk_of(tmp_path, yard, "openai") as desk:
        assert desk.start(**asked) == run_id


# Limits


def test_a_limit_of_calls_stops_politely_and_a_higher_one_goes_on(desk: Desk, yard: Yard) -> None:
    run = desk.ran(limits=Limits(calls=4))
    assert run.error is not None
    assert run.error.kind == "limit"
    assert "4 calls, its limit" in run.error.message
    assert len(yard.requests) == 4
    assert states(run).count("done") == 3
    assert "failed" not in states(run)
    still = desk.went_on(run)
    assert still.error is not None
    assert len(yard.requests) == 4
    again = desk.went_on(run, limits=Limits(calls=50))
    assert again.record.status == "completed"
    assert len(yard.requests) == 1 + LAST + 1


def test_what_a_fire_drill_pretends_is_no_call_of_the_limit(desk: Desk, yard: Yard) -> None:
    desk.engine.control.drills.start("anthropic")
    asked = {"strategy": "priority", "execute": False, "limits": Limits(calls=1)}
    run = desk.ran(**asked)
    assert run.record.status == "completed"
    assert [attempt.drilled for attempt in run.attempts] == [True, False]
    assert len(yard.requests) == 1


def priced(step: int) -> Act:
    return standin.answer("Done.", usage=(100_000, 10_000))


def test_a_limit_of_money_for_a_run_stops_it(desk: Desk, yard: Yard) -> None:
    for name in WIRES:
        yard[name].script = worker(priced)
    run = desk.ran(limits=Limits(usd=0.000_001), side_by_side=1)
    assert run.error is not None
    assert run.error.kind == "limit"
    assert "The run has cost" in run.error.message
    assert run.execution_status in ("planned", "partly")


def test_a_limit_of_money_for_a_day_counts_what_earlier_runs_spent(
    tmp_path: Path, yard: Yard
) -> None:
    for name in WIRES:
        yard[name].script = worker(priced)
    with desk_of(tmp_path, yard, *WIRES) as desk:
        assert desk.ran().record.status == "completed"
    with desk_of(tmp_path, yard, *WIRES) as desk:  # told by the history, not by memory
        before = len(yard.requests)
        desk.engine.choices.set("limits", {"usd_per_day": 0.01})
        run = desk.ran()
        assert run.error is not None
        assert "spent today" in run.error.message
        assert len(yard.requests) == before


def test_a_limit_of_time_stops_it_and_says_so(desk: Desk, yard: Yard) -> None:
    for name in WIRES:
        yard[name].script = worker(lambda step: standin.answer("Done.", delay=0.3))
    run = desk.ran(limits=Limits(seconds=0.5))
    assert run.error is not None
    assert run.error.kind == "limit"
    assert "worked for 0.5 s, its limit" in run.error.message
    again = desk.went_on(run, limits=Limits(seconds=60))
    assert again.record.status == "completed"


# Private runs


def test_a_private_run_asks_bitnet_alone_and_its_attempts_prove_it(
    tmp_path: Path, yard: Yard
) -> None:
    with desk_of(tmp_path, yard) as desk:
        assert standin.eventually(
            lambda: "bitnet" in desk.engine.lineup.eligible(simulated=False), within=10
        )
        run = desk.ran(private=True, priority=("openai",), strategy="random")
        assert run.record.status == "completed"
        assert {attempt.provider for attempt in run.attempts} == {"bitnet"}
        assert {name for name in yard if yard[name].requests} == {"bitnet"}


def test_a_private_run_that_fails_asks_nobody_else(tmp_path: Path, yard: Yard) -> None:
    yard["bitnet"].script = worker(lambda step: standin.status(503))
    with desk_of(tmp_path, yard) as desk:
        assert standin.eventually(
            lambda: "bitnet" in desk.engine.lineup.eligible(simulated=False), within=10
        )
        run = desk.ran(private=True)
        assert run.record.status == "failed"
        run = desk.went_on(run, first="openai")
        assert {name for name in yard if yard[name].requests} == {"bitnet"}


def test_a_private_run_is_refused_where_bitnet_is_not_set_up(desk: Desk, yard: Yard) -> None:
    with pytest.raises(BadRequest, match="BitNet is not set up"):
        desk.start(private=True)
    assert yard.requests == []


def test_a_private_run_is_refused_where_bitnet_is_elsewhere(tmp_path: Path, yard: Yard) -> None:
    from core.running.eligibility import why_not_private

    elsewhere = read_settings({"BITNET_BASE_URL": "http://192.0.2.1:8080/v1"}, None)
    said = why_not_private(elsewhere, able=["bitnet"], practising=False)
    assert said is not None
    assert "BITNET_BASE_URL points at another one" in said
    here = read_settings({"BITNET_BASE_URL": "http://[::1]:8080/v1"}, None)
    assert why_not_private(here, able=["bitnet"], practising=False) is None


def test_a_private_run_does_not_go_on_where_bitnet_has_moved_away(
    tmp_path: Path, yard: Yard
) -> None:
    yard["bitnet"].script = worker(lambda step: standin.status(503))
    with desk_of(tmp_path, yard) as desk:
        assert standin.eventually(
            lambda: "bitnet" in desk.engine.lineup.eligible(simulated=False), within=10
        )
        run_id = desk.ran(private=True).record.id
    asked = len(yard.requests)
    elsewhere = yard.env()["BITNET_BASE_URL"].replace("127.0.0.1", "0.0.0.0")
    with desk_of(tmp_path, yard, BITNET_BASE_URL=elsewhere) as desk:
        assert standin.eventually(
            lambda: "bitnet" in desk.engine.lineup.eligible(simulated=False), within=10
        )
        stored = desk.engine.runs.stored(run_id)
        assert stored is not None
        run = desk.went_on(stored)
    assert run.error is not None
    assert "BITNET_BASE_URL points at another one" in run.error.message
    assert len(yard.requests) == asked


# Look before it runs


def test_a_plan_waits_for_its_reader_and_keeps_what_he_changed(desk: Desk, yard: Yard) -> None:
    run = desk.ran(approve=True)
    assert run.record.status == "completed"
    assert run.execution_status == "planned"
    assert asked_for(yard) == []
    assert run.plan is not None
    desk.engine.save_plan(
        run.record.id, edited_step(run.plan, 0, description="Do part a with care.")
    )
    assert json.loads(desk.stored(run).record.plan or "")["steps"][0]["description"].endswith(
        "care."
    )
    done = desk.went_on(run)
    assert done.execution_status == "executed"
    assert any("Do part a with care." in received.prompt for received in yard.requests)
    with pytest.raises(BadRequest, match="final answer is written"):
        desk.engine.save_plan(run.record.id, without_step(run.plan, 0))


def test_two_windows_cannot_run_the_same_plan_twice(desk: Desk, yard: Yard) -> None:
    for name in WIRES:
        yard[name].script = worker(lambda step: standin.answer("Done.", delay=0.1))
    run = desk.ran(approve=True)
    desk.engine.carry_on(run.record.id)
    with pytest.raises(BadRequest, match="under way"):
        desk.engine.carry_on(run.record.id)
    desk.ended(run.record.id)
    assert len(asked_for(yard)) == LAST + 1


def test_a_changed_goal_is_planned_again_on_the_same_terms(desk: Desk) -> None:
    run = desk.ran(approve=True, side_by_side=2, max_tokens=900)
    other = desk.ended(desk.engine.replan(run.record.id, "Another goal"))
    assert other.record.id != run.record.id
    assert other.record.goal == "Another goal"
    asked = other.record.request
    assert (asked.approve, asked.side_by_side, asked.max_tokens) == (True, 2, 900)


def test_two_providers_plan_the_same_goal_and_either_can_be_run(desk: Desk, yard: Yard) -> None:
    ids = desk.engine.compare(RunRequest(GOAL), ["openai", "google"])
    runs = [desk.ended(run_id) for run_id in ids]
    assert [run.record.provider for run in runs] == ["openai", "google"]
    assert asked_for(yard) == []
    assert desk.went_on(runs[1]).execution_status == "executed"
    with pytest.raises(BadRequest, match="two or three"):
        desk.engine.compare(RunRequest(GOAL), ["openai"])
    with pytest.raises(BadRequest, match="not set up"):
        desk.engine.compare(RunRequest(GOAL), ["openai", "kimi"])


# Long results


def test_results_that_do_not_fit_are_shortened_and_the_run_says_so(
    tmp_path: Path, yard: Yard
) -> None:
    yard["bitnet"].script = worker(
        lambda step: standin.answer(f"Step {step}. " + "word " * 8_000), needs=[[], [0], [0, 1]]
    )
    with desk_of(tmp_path, yard, "bitnet") as desk:
        assert standin.eventually(
            lambda: "bitnet" in desk.engine.lineup.eligible(simulated=False), within=10
        )
        run = desk.ran()
        assert run.record.status == "completed"
    told = next(r.prompt for r in yard["bitnet"].requests if step_in(r, [[], [0], [0, 1]]) == 2)
    assert re.search(r"\[shortened: [\d,]+ of 40,0\d\d characters kept\]", told)
    assert len(told) < 4_096 * 3
    cuts = run.cuts(2)
    assert [cut.step for cut in cuts] == [0, 1]
    assert cuts[0].kept < cuts[1].kept  # the older gives way first
    assert run_as_json(run)["execution_results"][2]["shortened"]


# The stream


@pytest.mark.parametrize("name", WIRES)
def test_half_of_a_character_in_an_answer_spoils_nothing(
    name: str, tmp_path: Path, yard: Yard
) -> None:
    half = "Half \ud83d of it."
    yard[name].script = worker(lambda step: standin.answer(half, interval=0.01))
    with desk_of(tmp_path, yard, name) as desk:
        run = desk.ran()
        yard[name].script = standin.status(400, message=half)
        refused = desk.ran(execute=False)
    assert run.record.status == "completed"
    assert set(run.results().values()) == {"Half ? of it."}
    assert "Half ? of it." in str(run_as_json(refused))
    for one in (run, refused):
        assert json.dumps([run_as_json(one), events_of(one)], ensure_ascii=False).encode()


THOUGHT = "<think>\nFirst I would guess a dozen.\n</think>\n\n"


def test_what_a_model_thinks_aloud_is_no_result_but_is_kept_with_its_call(
    desk: Desk, yard: Yard
) -> None:
    for name in WIRES:
        yard[name].script = worker(lambda step: standin.answer(f"{THOUGHT}Result of step {step}."))
    run = desk.ran()
    for each in (run, desk.stored(run)):
        assert each.results() == {step: f"Result of step {step}." for step in range(LAST + 1)}
        taken_away = [as_markdown(each), as_html(each), as_json(each), steps_as_csv(each)]
        assert not any("guess a dozen" in text for text in taken_away)
    assert not any("guess a dozen" in received.prompt for received in yard.requests)
    calls = desk.archive.calls_of(run.record.id)
    kept = [desk.archive.call_text(call.id)[1] for call in calls if call.step is not None]
    assert all(text.startswith(THOUGHT) for text in kept)


@pytest.mark.parametrize(("finish", "kind"), [("stop", "bad_response"), ("length", "truncated")])
def test_an_answer_of_thinking_alone_is_none_and_the_next_provider_is_asked(
    finish: str, kind: str, tmp_path: Path, yard: Yard
) -> None:
    yard["anthropic"].script = worker(lambda step: standin.answer("<think>Hm, 41", finish=finish))
    with desk_of(tmp_path, yard, "anthropic", "openai", LLM_STRATEGY="priority") as desk:
        run = desk.ran()
        assert run.record.status == "completed"
        failed = [each for each in run.attempts if each.status == "failed"]
        assert {each.error_kind for each in failed} == {kind}
        assert desk.archive.call_text(failed[0].id)[1] == "<think>Hm, 41"


def test_while_a_step_is_written_its_thinking_is_not_shown_as_its_result(
    desk: Desk, yard: Yard
) -> None:
    slowly = standin.answer(f"{THOUGHT}{'Result. ' * 15}", interval=0.05)
    for name in WIRES:
        yard[name].script = worker(lambda step: slowly)
    run_id = desk.start()
    seen = set()
    while not desk.engine.runs.get(run_id).done.wait(0.02):
        seen |= {view.text[:6] for view in desk.engine.runs.get(run_id).steps()}
    assert any(text.startswith("Resu") for text in seen)
    assert not any("<" in text or "First" in text for text in seen)


def test_the_example_of_the_instructions_is_no_plan_for_another_goal(
    tmp_path: Path, yard: Yard
) -> None:
    yard["anthropic"].script = lambda _: standin.answer(PLAN_EXAMPLE)
    with desk_of(tmp_path, yard, "anthropic", "openai", LLM_STRATEGY="priority") as desk:
        run = desk.ran(execute=False)
        same = desk.ran(EXAMPLE_GOAL, execute=False)
    assert run.record.provider == "openai"
    assert [each.error_kind for each in run.attempts] == ["invalid_plan", "invalid_plan", None]
    assert "repeats the example" in run.attempts[0].message
    assert same.record.provider == "anthropic"


def test_the_stream_carries_no_thinking_for_an_answer(tmp_path: Path, yard: Yard) -> None:
    def script(received: Received) -> Act:
        if step_in(received) is None:
            return standin.answer(f"<think>ALOUD {plan_text([[]])}</think>\n{plan_text([[]])}")
        return standin.answer("ALOUD, for a while\n</think>\n\nThe result.")  # nothing opened it

    yard["openai"].script = script
    with desk_of(tmp_path, yard, "openai") as desk:
        body = {"goal": GOAL, "execute": True}
        answer = answer_of(desk.engine, "POST", "/plan/stream", json=body)
    said: dict[int, str] = {}
    for data in re.findall(r"event: token\ndata: (.+)\n", answer.text):
        token = json.loads(data)
        before = "" if token.get("anew") else said.get(token["ordinal"], "")
        said[token["ordinal"]] = before + token["text"]
    assert said == {0: plan_text([[]]), 1: "The result.", 2: "The result."}


def test_a_run_read_from_the_history_says_what_helps(tmp_path: Path, yard: Yard) -> None:
    yard["anthropic"].script = lambda _: standin.status(402)
    yard["openai"].script = lambda _: standin.status(413)
    yard["google"].script = worker(lambda step: standin.status(503))
    with desk_of(tmp_path, yard, *WIRES, LLM_STRATEGY="priority") as desk:
        runs = [desk.ran(), desk.ran(priority=("openai",))]
        actions = [run.error.action for run in map(desk.stored, runs) if run.error]
    assert actions == [
        "Top up the account with Anthropic, or continue it; what is done is kept.",
        "Shorten the goal or its context.",
    ]


def test_limits_of_two_models_are_no_fault_of_the_request(tmp_path: Path, yard: Yard) -> None:
    said = "max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens"
    for name in ("anthropic", "google"):
        violation = {"fieldViolations": [{"field": "generation_config.max_output_tokens"}]}
        error = {"message": said, "code": 400, "status": "INVALID_ARGUMENT", "details": [violation]}
        yard[name].script = lambda _, error=error: standin.status(400, {"error": error})
    with desk_of(tmp_path, yard, *WIRES, LLM_PRIORITY="anthropic,google,openai") as desk:
        run = desk.ran(execute=False, max_tokens=200_000, strategy="priority")
    assert run.record.provider == "openai"


def test_the_stream_tells_each_step(tmp_path: Path, yard: Yard) -> None:
    with desk_of(tmp_path, yard, "openai") as desk:
        body = {"goal": GOAL, "execute": True}
        answer = answer_of(desk.engine, "POST", "/plan/stream", json=body)
        events = [
            (kind, json.loads(data))
            for kind, data in re.findall(r"event: (\w+)\ndata: (.+)\n", answer.text)
        ]
        run_id = events[0][1]["run_id"]
        exported = [
            answer_of(desk.engine, "GET", f"/runs/{run_id}{ending}") for ending in (".md", ".html")
        ]
    kinds = [kind for kind, _ in events]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_completed"
    for kind in ("step_started", "step_completed"):
        steps = [data["step"] for name, data in events if name == kind]
        assert sorted(steps) == [*range(LAST + 1)]
    assert {data["run_id"] for _, data in events} == {run_id}
    assert any(name == "token" and data["step"] == LAST for name, data in events)
    assert all(answer.status_code == 200 for answer in exported)
    assert all("Result of step 3." in answer.text for answer in exported)


# In Python


def test_the_orchestrator_plans_and_carries_out_a_goal_by_itself(yard: Yard) -> None:
    async def both() -> WorkResult:
        providers = connect(yard.env("openai"))
        orchestrator = AutonomousOrchestrator(LLMPlanner(MultiProviderStrategy(providers)))
        try:
            return await orchestrator.plan_and_execute(GOAL)
        finally:
            for provider in providers.values():
                await provider.aclose()

    outcome = asyncio.run(both())
    assert outcome.results == tuple(f"Result of step {step}." for step in range(LAST))
    assert outcome.answer == f"Result of step {LAST}."
    assert outcome.planned.provider == "openai"


def test_a_result_too_long_to_be_kept_is_cut_and_says_so(desk: Desk, yard: Yard) -> None:
    long = "é" * (MAX_ANSWER + 500_000)

    def act(step: int) -> Act:
        return standin.answer(long if step == 0 else f"Result of step {step}.")

    for name in yard:
        yard[name].script = worker(act, [[], [0]])
    run = desk.ran()
    assert run.record.status == "completed"
    text = run.steps()[0].text
    assert len(text) < MAX_ANSWER + 100
    assert text.endswith("\n\n[The rest was left out: 1,500,000 characters in all.]")
    answered = run.steps()[0].answered
    assert answered is not None
    assert answered.message == CAPPED
    assert run.steps()[1].answered is not None
    told = sum(len(data["text"]) for kind, data in events_of(run) if kind == "token")
    assert told < MAX_ANSWER + 10_000
    kept = desk.archive.call_text(answered.id)
    assert kept is not None
    assert kept[1] == text
