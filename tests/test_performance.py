"""The figures of a period: exact where they count, within 1 % where they measure."""

import asyncio
from dataclasses import replace

import pytest

from core.errors import ErrorKind
from core.types import Attempt, Message, Period, RunRecord, Usage
from db.figures import KINDS
from db.history import SqliteHistory
from db.performance import Performance, Summary
from db.settings import Choices

START = 1_790_000_000.0
ALL = Period(0.0, START * 2)
NUMBERS = {"calls": "int64", "ok": "int64", "rated": "int64"}
FRAMES = {
    "by_provider": {
        "provider": "str",
        **NUMBERS,
        "success_rate": "float64",
        "p50": "float64",
        "p95": "float64",
        "p99": "float64",
        "ttft": "float64",
        "tokens_per_second": "float64",
        "cost_usd": "float64",
        "plans": "int64",
        "plan_cost": "float64",
        "valid_plan_rate": "float64",
    },
    "over_time": {
        "provider": "str",
        "start": "float64",
        **NUMBERS,
        "success_rate": "float64",
        "p50": "float64",
        "p95": "float64",
        "cost_usd": "float64",
    },
    "latency_distribution": {
        "provider": "str",
        "low": "float64",
        "high": "float64",
        "calls": "int64",
    },
    "failures": {"provider": "str", "error_kind": "str", "calls": "int64"},
    "saved_over_time": {
        "start": "float64",
        "runs": "int64",
        "completed": "int64",
        "saved": "int64",
    },
}


@pytest.fixture
def history(tmp_path):
    opened = SqliteHistory.open(tmp_path / "console.db")
    yield opened
    opened.close()


@pytest.fixture
def performance(history):
    return Performance(history.path)


def fill(history, *calls, runs=()):
    """Each call is what differs from an answer of OpenAI's in 100 ms."""

    async def write():
        for run in runs:
            await history.begin_run(replace(run, status="running"))
        for number, changes in enumerate(calls):
            begun = Attempt(history.next_call_id(), number, "openai", "gpt", "random", START)
            done = replace(begun, **{"status": "ok", "latency_ms": 100.0, **changes})
            await history.begin(replace(done, status="running"), (Message("user", "?"),))
            if done.status != "running":
                await history.end(done, "!")
        for run in runs:
            if run.status != "running":
                await history.end_run(run)

    asyncio.run(write())


def failed(kind=ErrorKind.TIMEOUT, **changes):
    return {"status": "failed", "error_kind": kind, **changes}


def a_run(run_id, status="completed", **changes):
    return replace(RunRecord(run_id, "goal", "random", "ui", False, START, {}, status), **changes)


def asked(performance, name, period=ALL, *, edges=(0.0,), simulated=False):
    ask = getattr(performance, name)
    over_time = name.endswith("over_time")
    return (
        ask(period, edges, simulated=simulated) if over_time else ask(period, simulated=simulated)
    )


def rows(frame):
    return frame.to_dict("records")


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("full", [False, True])
def test_a_frame_has_its_columns_full_or_empty(name, full, history, performance):
    if full:
        fill(history, {}, failed(), runs=[a_run("r")])
    frame = asked(performance, name)
    assert {column: str(kind) for column, kind in frame.dtypes.items()} == FRAMES[name]
    assert len(frame) == full


def test_a_period_without_calls_has_no_figures(performance):
    nothing = Summary(0, 0, 0, None, None, None, None, None, 0, 0, 0, 0)
    assert performance.summary(ALL, simulated=False) == nothing
    assert performance.changes(ALL) == []


def test_every_outcome_has_its_place_in_the_counts():
    assert set(KINDS) == {"ok", *(kind.value for kind in ErrorKind)}


def test_calls_are_rated_by_what_is_the_providers_own(history, performance):
    fill(
        history,
        {},
        failed(),
        failed(ErrorKind.BAD_REQUEST),
        {"status": "cancelled", "error_kind": ErrorKind.CANCELLED},
        {"status": "running"},
    )
    summary = performance.summary(ALL, simulated=False)
    assert (summary.calls, summary.ok, summary.rated, summary.success_rate) == (4, 1, 2, 0.5)
    assert rows(performance.failures(ALL, simulated=False)) == [
        {"provider": "openai", "error_kind": "bad_request", "calls": 1},
        {"provider": "openai", "error_kind": "timeout", "calls": 1},
    ]


def test_practice_stands_apart_and_fire_drills_nowhere(history, performance):
    fill(history, {}, {"simulated": True}, {"simulated": True}, failed(drilled=True))
    assert performance.summary(ALL, simulated=False).calls == 1
    assert performance.summary(ALL, simulated=True).calls == 2
    assert performance.failures(ALL, simulated=False).empty
    assert history.totals(simulated=False) == {"openai": (1, 0, 100.0)}
    assert [attempt.id for attempt in history.recent_attempts(simulated=False)] == [1]


def test_a_plans_cost_has_the_invalid_ones_in_it(history, performance):
    usage = Usage(100, 50)
    fill(
        history,
        {"cost_usd": 0.25, "usage": usage, "latency_ms": 500.0},
        failed(ErrorKind.INVALID_PLAN, cost_usd=0.25, usage=usage),
        {"cost_usd": 9.0, "step": 0},
        {"provider": "kimi"},
    )
    kimi, openai = rows(performance.by_provider(ALL, simulated=False))
    assert (openai["plans"], openai["plan_cost"], openai["valid_plan_rate"]) == (1, 0.5, 0.5)
    assert openai["tokens_per_second"] == pytest.approx(100)
    assert openai["cost_usd"] == 9.5
    assert kimi["cost_usd"] != kimi["cost_usd"]
    assert kimi["plan_cost"] != kimi["plan_cost"]
    summary = performance.summary(ALL, simulated=False)
    assert (summary.cost_usd, summary.unpriced) == (9.5, 1)


@pytest.mark.parametrize("simulated", [False, True])
def test_a_run_is_saved_when_another_answered_in_the_place_of_one_that_failed(
    simulated, history, performance
):
    fill(
        history,
        failed(provider="anthropic", run_id="saved"),
        {"run_id": "saved"},
        failed(provider="anthropic", run_id="lost"),
        failed(run_id="mended"),
        {"run_id": "mended"},
        failed(provider="kimi", run_id="drill", drilled=True),
        {"run_id": "drill"},
        failed(provider="kimi", run_id="step", step=1),
        {"run_id": "step", "step": 1},
        runs=[
            a_run("saved", simulated=simulated),
            a_run("lost", "failed", simulated=simulated),
            a_run("mended", simulated=simulated),
            a_run("drill", simulated=simulated),
            a_run("step", simulated=simulated),
            a_run("going", "running", simulated=simulated),
        ],
    )
    summary = performance.summary(ALL, simulated=simulated)
    assert (summary.runs, summary.runs_ok, summary.runs_saved) == (5, 4, 2)
    assert rows(performance.saved_over_time(ALL, (START, START + 1), simulated=simulated)) == [
        {"start": START, "runs": 5, "completed": 4, "saved": 2}
    ]


def test_changes_are_those_of_the_period_in_their_order(history, performance):
    moments = iter([START, START + 10, START + 20])
    choices = Choices(history, clock=lambda: next(moments))
    for strategy in ("random", "priority", None):
        choices.set("strategy", strategy)
    found = performance.changes(Period(START + 10, START + 30))
    assert [(one.old, one.new, one.changed_at) for one in found] == [
        ("random", "priority", START + 10),
        ("priority", None, START + 20),
    ]
