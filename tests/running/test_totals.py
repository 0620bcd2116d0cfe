"""What a run came to: time worked, time waited, calls and money, known and unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from core.running.budget import working_seconds
from core.running.run import Run
from core.running.totals import pauses, totals
from core.values.calls import Attempt
from core.values.outcomes import ErrorKind
from core.values.runs import RunRecord, RunRequest

NOW = 1_790_000_000.0


def call(begins: float = 0.0, lasts: float | None = 1.0, **changes: object) -> Attempt:
    answer = Attempt(1, 0, "openai", "m", "priority", NOW + begins, status="ok", cost_usd=0.002)
    return replace(answer, latency_ms=None if lasts is None else lasts * 1000, **changes)


def failed(kind: ErrorKind, http_status: int | None = None, **changes: object) -> Attempt:
    return call(
        status="failed", error_kind=kind, http_status=http_status, **{"cost_usd": None, **changes}
    )


def test_the_time_that_a_person_took_is_not_worked():
    attempts = [call(0, 2), call(182, 3, step=0), call(183, 3, step=1)]
    assert working_seconds(attempts) == 6
    assert totals(attempts).took == "6 s"
    (gap,) = pauses(attempts)
    assert (gap.seconds, gap.before, gap.words) == (180, 2, "Waited 3 min for you")


def test_what_is_under_way_has_worked_until_now():
    attempts = [call(0, 2), call(100, None, status="running", step=0, cost_usd=None)]
    assert working_seconds(attempts) == 2
    assert working_seconds(attempts, now=NOW + 104) == 6
    came_to = totals(attempts, now=NOW + 104)
    assert (came_to.took, came_to.cost) == ("6 s", "$0.0020")
    assert working_seconds(attempts, now=NOW) == 2  # a clock that was set back takes nothing away


@pytest.mark.parametrize(
    ("attempts", "at_once", "words"),
    [
        ([call(0, 1), call(1.5, 1, step=0)], False, []),  # too short to tell
        ([call(0, 1), call(61, 1, step=0)], False, ["Waited 60 s for you"]),
        ([call(0, 1), call(61, 1, step=0)], True, ["Waited 60 s"]),  # nobody was to look at it
        ([failed(ErrorKind.OVERLOADED), call(4, 1)], False, []),  # the console's own work
        ([failed(ErrorKind.OVERLOADED), call(9, 1)], False, ["Waited 8 s"]),  # for a provider
        (
            [call(0, 1), call(1, 1, step=0, status="cancelled"), call(62, 1, step=0)],
            True,
            ["Waited 60 s for you"],
        ),
        (
            [call(0, 1), call(11, 9, step=0), call(12, 1, step=1), call(50, 1, step=2)],
            False,
            ["Waited 10 s for you", "Waited 30 s"],
        ),
    ],
)
def test_a_wait_is_named_and_whose_it_was_where_that_is_known(attempts, at_once, words):
    assert [gap.words for gap in pauses(attempts, at_once=at_once)] == words


CUT = {"status": "interrupted", "error_kind": ErrorKind.INTERRUPTED, "cost_usd": None}


@pytest.mark.parametrize(
    ("attempts", "took", "cost"),
    [
        ([], None, "$0"),
        ([call(), call(1, cost_usd=0.0041)], "2 s", "$0.0061"),
        # An answer whose plan did not hold was paid for all the same.
        ([failed(ErrorKind.INVALID_PLAN, 200, cost_usd=0.0059), call(1)], "2 s", "$0.0079"),
        ([call(cost_usd=None)], "1 s", "unknown, 1 call without a price"),
        ([call(cost_usd=None), call(1)], "2 s", "at least $0.0020, 1 call without a price"),
        (
            [call(cost_usd=0.0067), call(1, cost_usd=None), failed(ErrorKind.TIMEOUT)],
            "2 s",
            "at least $0.0067, 2 calls without a price",
        ),
        # What was refused, or never got there, costs nothing.
        ([failed(ErrorKind.BILLING, 402), failed(ErrorKind.CONNECTION), call()], "1 s", "$0.0020"),
        # A process that was killed took its time, and its bill, with it.
        ([call(0, None, **CUT)], None, "unknown, 1 call without a price"),
        (
            [call(0, 2), call(2, None, step=0, **CUT)],
            "at least 2 s",
            "at least $0.0020, 1 call without a price",
        ),
        ([call(status="cancelled", cost_usd=None)], "1 s", "unknown, 1 call without a price"),
        # What runs here costs nothing, however it ends.
        ([call(status="cancelled", cost_usd=None, provider="bitnet")], "1 s", "$0"),
        ([failed(ErrorKind.TIMEOUT, provider="bitnet")], "1 s", "$0"),
        # Broken off, or overloaded, in the middle of an answer.
        ([failed(ErrorKind.CONNECTION, ttft_ms=300.0)], "1 s", "unknown, 1 call without a price"),
        ([failed(ErrorKind.OVERLOADED, 529, ttft_ms=9)], "1 s", "unknown, 1 call without a price"),
        # Turned away within a 200.
        ([failed(ErrorKind.OVERLOADED, 200), failed(ErrorKind.BAD_REQUEST)], "1 s", "$0"),
    ],
)
def test_time_and_money_of_every_call_count_and_the_unknown_is_said(
    attempts: Sequence[Attempt], took: str | None, cost: str
) -> None:
    came_to = totals(attempts)
    assert (came_to.took, came_to.cost) == (took, cost)


def test_practice_costs_nothing_and_says_practice():
    attempts = [call(simulated=True, cost_usd=0.0), call(simulated=True, cost_usd=None)]
    came_to = totals(attempts, simulated=True)
    assert (came_to.cost, came_to.short_cost) == ("nothing (practice)", "practice")


def test_a_drilled_call_was_never_made():
    drilled = failed(ErrorKind.CONNECTION, drilled=True)
    came_to = totals([drilled, call()])
    assert (came_to.calls, came_to.drilled, came_to.cost) == (1, 1, "$0.0020")
    assert came_to.asked == "1 call, and 1 pretended in a fire drill"
    assert totals([call(), call()]).asked == "2 calls"


PLAN = (
    '{"reasoning": "r", "confidence": 1, "estimated_duration": 1, "steps": [{"agent_type": "a",'
    ' "description": "d", "tool_name": null, "parameters": {}, "dependencies": []}]}'
)


@pytest.mark.parametrize(
    ("status", "approve", "begun", "phase"),
    [
        ("completed", True, False, "planned"),
        ("completed", True, True, "completed"),
        ("completed", False, False, "completed"),  # a plan was all that was asked for
        ("failed", True, False, "failed"),
    ],
)
def test_a_plan_that_waits_for_its_reader_is_ready_and_the_run_not_at_its_end(
    status, approve, begun, phase
):
    record = RunRecord(
        "r", RunRequest("g", approve=approve), "priority", False, NOW, status,
        plan=PLAN, execution={"begun": begun},
    )  # fmt: skip
    assert Run.finished(record, [call()]).phase == phase


def test_who_planned_and_who_wrote_the_answer_are_told_apart():
    record = RunRecord("r", RunRequest("g"), "priority", False, NOW, "completed", plan=PLAN)
    by = [call(provider="google"), call(step=0), call(step=1, provider="kimi")]
    answered = Run.finished(record, by).answered()
    assert {what: each.provider for what, each in answered.items()} == {
        "plan": "google",
        "answer": "kimi",
    }
