"""The figures of a period: exact where they count, within 1 % where they measure."""

import math
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest

from core.running.totals import totals
from core.values.calls import Usage
from core.values.history.summary import Summary
from core.values.outcomes import ErrorKind
from core.values.periods import Period
from core.values.runs import RunRecord, RunRequest
from db.choices import Choices
from db.figures.figures import KINDS
from db.figures.performance import Performance
from db.figures.rollup import SHORTEST
from db.lists.queries import Archive
from db.sample.believable import believable
from db.sample.fill import fill
from db.upkeep.removal import remove_numbers
from tests.recording import START, answers, failed, record

ALL = Period(0.0, START * 2)


def of(kind: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), kind)


PROVIDER = {"provider": "str"}
NUMBERS = of("int64", "calls ok rated")
RATES = of("float64", "success_rate p50 p95 cost_usd")
FRAMES = {
    "by_model": {
        **PROVIDER, "model": "str", **NUMBERS, **of("float64", "success_rate p50 p95 p99"),
        "refused": "int64", **of("float64", "ttft tokens_per_second cost_usd"),
        **of("int64", "unpriced plans"), **of("float64", "plan_cost valid_plan_rate"),
    },
    "latency_over_time": {
        **PROVIDER, **of("float64", "start until"), **NUMBERS, **of("float64", "p50 p95"),
    },
    "over_time": {**PROVIDER, "start": "float64", **NUMBERS, "success_rate": "float64"},
    "totals_over_time": {"start": "float64", **NUMBERS, **RATES},
    "latency_distribution": {**PROVIDER, **of("float64", "low high"), "calls": "int64"},
    "failures": {**PROVIDER, "error_kind": "str", "calls": "int64"},
    "saved_over_time": {"start": "float64", **of("int64", "runs completed saved")},
}  # fmt: skip


@pytest.fixture
def performance(history):
    return Performance(history.path)


QUARTER = START // SHORTEST * SHORTEST


def a_run(run_id, status="completed", **changes):
    return replace(RunRecord(run_id, RunRequest("goal"), "random", False, START, status), **changes)


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
        record(history, {}, failed(), runs=[a_run("r")])
    frame = asked(performance, name)
    assert {column: str(kind) for column, kind in frame.dtypes.items()} == FRAMES[name]
    assert len(frame) == full


def test_a_period_without_calls_has_no_figures(performance):
    nothing = Summary(0, 0, 0, None, None, None, None, None, 0, 0, 0, 0)
    assert performance.summary(ALL, simulated=False) == nothing
    assert performance.changes(ALL) == []


def test_every_outcome_has_its_place_in_the_counts():
    assert sorted(kind.outcome.code for kind in ErrorKind) == [*range(1, len(ErrorKind) + 1)]
    # They are stored: those of a kind stay as they are.
    assert KINDS[:4] == ("ok", "auth", "permission", "billing")
    assert KINDS[17:19] == ("interrupted", "internal")


def test_calls_are_rated_by_what_is_the_providers_own(history, performance):
    record(
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


@pytest.mark.parametrize("kind", ErrorKind)
def test_whether_a_failure_counts_is_said_by_its_row_alone(kind, history, performance):
    status = kind.value if kind in (ErrorKind.CANCELLED, ErrorKind.INTERRUPTED) else "failed"
    record(history, {}, failed(kind, status=status))
    rated = 1 + kind.outcome.rated
    summary = performance.summary(ALL, simulated=False)
    assert (summary.rated, summary.success_rate) == (rated, 1 / rated)
    (row,) = rows(performance.by_model(ALL, simulated=False))
    assert row["rated"] == rated
    (row,) = rows(performance.over_time(ALL, (0.0,), simulated=False))
    assert row["rated"] == rated


def test_19_of_20_took_no_longer_than_p95_and_99_of_100_than_p99(history, performance):
    record(history, *answers(*range(1, 40)))  # of which one in twenty is one, nearly two
    assert performance.summary(ALL, simulated=False).p95 == pytest.approx(38, rel=0.0101)
    record(history, *answers(*range(40, 101)))
    found = performance.summary(ALL, simulated=False)
    assert [found.p50, found.p95, found.p99] == pytest.approx([50, 95, 99], rel=0.0101)


@pytest.mark.parametrize(("number", "p95", "p99"), [(1, 0, 0), (19, 0, 0), (20, 1, 0), (99, 1, 0)])
def test_a_percentile_that_no_answer_can_tell_is_not_told(number, p95, p99, history, performance):
    record(history, *answers(*range(1, number + 1)))
    found = performance.summary(ALL, simulated=False)
    assert [found.p95 is not None, found.p99 is not None] == [p95, p99]
    assert found.p50 is not None
    for name in ("by_model", "totals_over_time"):
        (row,) = rows(asked(performance, name))
        assert math.isnan(row["p95"]) != p95
    (row,) = rows(performance.by_model(ALL, simulated=False))
    assert math.isnan(row["p99"]) != p99


def test_two_answers_tell_no_p95(history, performance):
    record(history, *answers(1, 30))
    found = performance.summary(ALL, simulated=False)
    assert (found.p50, found.p95, found.p99) == (pytest.approx(1, rel=0.0101), None, None)


def test_latencies_over_time_are_of_as_many_buckets_as_a_p95_takes(history, performance):
    edges = (START, START + 10, START + 20, START + 30, START + 40)
    days = [(0, 12), (1, 11), (3, 25), (4, 3)]
    for bucket, number in days:
        took = range(1, number + 1)
        record(history, *answers(*took[::2], started_at=edges[bucket], model="one"))
        record(history, *answers(*took[1::2], started_at=edges[bucket], model="another"))
    record(history, *answers(7, started_at=edges[2], provider="kimi"))
    record(history, *answers(*range(1, 21), started_at=edges[2], provider="nvidia"))
    period = Period(START, START + 50)
    found = rows(performance.latency_over_time(period, edges, simulated=False))
    assert [(row["provider"], row["start"], row["until"], row["ok"]) for row in found] == [
        ("kimi", edges[2], edges[3], 1),
        ("nvidia", edges[2], edges[3], 20),
        ("openai", edges[0], edges[2], 23),
        ("openai", edges[3], period.until, 28),
    ]
    assert math.isnan(found[0]["p95"])
    assert [row["p95"] for row in found[1:]] == pytest.approx([19, 11, 24], rel=0.0101)
    assert [row["p50"] for row in found] == pytest.approx([7, 10, 6, 11], rel=0.0101)


def test_a_new_model_does_not_inherit_the_record_of_the_one_before(history, performance):
    at = QUARTER + 100
    record(
        history,
        *[failed(model="old", started_at=at) for _ in range(10)],
        *answers(*[1] * 10, model="new", started_at=at + 5000),
        {"provider": "kimi", "started_at": at},
    )
    period = Period(QUARTER + 50, QUARTER + 9000)  # neither end is that of a stretch
    found = rows(performance.by_model(period, simulated=False))
    assert [(row["provider"], row["model"], row["ok"], row["rated"]) for row in found] == [
        ("kimi", "gpt", 1, 1),
        ("openai", "new", 10, 10),
        ("openai", "old", 0, 10),
    ]
    of_all = rows(performance.over_time(period, (period.since,), simulated=False))
    assert [(row["calls"], row["success_rate"]) for row in of_all] == [(1, 1), (20, 0.5)]
    later = rows(performance.by_model(Period(at + 10, QUARTER + 9000), simulated=False))
    assert [(row["model"], row["success_rate"]) for row in later] == [("new", 1)]
    over_time = performance.over_time(
        period, (period.since, at + 10), simulated=False, by_model=True
    )
    assert [(row["model"], row["start"], row["ok"]) for row in rows(over_time)] == [
        ("gpt", period.since, 1),
        ("old", period.since, 0),
        ("new", at + 10, 10),
    ]


def test_whoever_declines_is_not_rated_for_it_but_counted(history, performance):
    record(history, *answers(*[1] * 8), *[failed(ErrorKind.REFUSED) for _ in range(12)])
    summary = performance.summary(ALL, simulated=False)
    assert (summary.success_rate, summary.refused, summary.calls) == (1.0, 12, 20)
    (row,) = rows(performance.by_model(ALL, simulated=False))
    assert (row["success_rate"], row["refused"], row["calls"]) == (1.0, 12, 20)


def test_practice_costs_nothing_whatever_is_written_of_it(history, performance):
    usage = Usage(100, 50)
    record(
        history,
        {"simulated": True, "cost_usd": 39.6, "usage": usage},
        {"simulated": True, "usage": usage},
    )
    summary = performance.summary(ALL, simulated=True)
    assert (summary.cost_usd, summary.unpriced) == (0.0, 0)
    (row,) = rows(performance.by_model(ALL, simulated=True))
    assert (row["cost_usd"], row["plan_cost"]) == (0.0, 0.0)
    (row,) = rows(performance.totals_over_time(ALL, (0.0,), simulated=True))
    assert row["cost_usd"] == 0.0


def test_practice_stands_apart_and_fire_drills_nowhere(history, performance):
    record(history, {}, {"simulated": True}, {"simulated": True}, failed(drilled=True))
    assert performance.summary(ALL, simulated=False).calls == 1
    assert performance.summary(ALL, simulated=True).calls == 2
    assert performance.failures(ALL, simulated=False).empty
    assert history.totals(simulated=False) == {"openai": (1, 0, 100.0)}
    assert [attempt.id for attempt in history.recent_attempts(simulated=False)] == [1]


def test_a_plans_cost_has_the_invalid_ones_in_it(history, performance):
    usage = Usage(100, 50)
    record(
        history,
        {"cost_usd": 0.25, "usage": usage, "latency_ms": 500.0},
        failed(ErrorKind.INVALID_PLAN, cost_usd=0.25, usage=usage),
        {"cost_usd": 9.0, "step": 0},
        {"provider": "kimi"},
    )
    kimi, openai = rows(performance.by_model(ALL, simulated=False))
    assert (openai["plans"], openai["plan_cost"], openai["valid_plan_rate"]) == (1, 0.5, 0.5)
    assert openai["tokens_per_second"] == pytest.approx(100)
    assert openai["cost_usd"] == 9.5
    assert kimi["cost_usd"] != kimi["cost_usd"]
    assert kimi["plan_cost"] != kimi["plan_cost"]
    summary = performance.summary(ALL, simulated=False)
    assert (summary.cost_usd, summary.unpriced) == (9.5, 1)


CUT = {"status": "cancelled", "error_kind": ErrorKind.CANCELLED}
WITHOUT_A_PRICE = [
    ({}, 1),
    ({"cost_usd": 0.0}, 0),
    ({"provider": "bitnet"}, 0),
    (failed(ErrorKind.TIMEOUT), 1),
    (failed(ErrorKind.TIMEOUT, provider="bitnet"), 0),
    (failed(ErrorKind.INVALID_PLAN), 1),
    (failed(ErrorKind.INVALID_PLAN, cost_usd=0.1), 0),
    (failed(ErrorKind.REFUSED, http_status=200), 1),
    (failed(ErrorKind.CONNECTION), 0),
    (failed(ErrorKind.CONNECTION, ttft_ms=40.0), 1),
    (failed(ErrorKind.OVERLOADED, http_status=529), 0),
    (failed(ErrorKind.SERVER_ERROR, http_status=500), 0),
    (failed(ErrorKind.TIMEOUT, drilled=True), 0),
    (CUT, 1),
    (CUT | {"status": "interrupted", "error_kind": ErrorKind.INTERRUPTED, "latency_ms": None}, 1),
]


@pytest.mark.parametrize("since", [0.0, START - 7], ids=["rolled up", "row by row"])
def test_calls_without_a_price_are_the_same_in_a_run_and_in_the_figures(
    since, history, performance
):
    calls = [call | {"model": f"{place:02}"} for place, (call, _) in enumerate(WITHOUT_A_PRICE)]
    run = a_run("r")
    record(history, *(call | {"run_id": run.id} for call in calls), runs=[run])
    period = Period(since, START + 70)
    expected = {f"{place:02}": number for place, (_, number) in enumerate(WITHOUT_A_PRICE)}
    with closing(Archive(history.path)) as archive:
        attempts = archive.calls_of(run.id)
    assert {each.model: totals([each]).unpriced for each in attempts} == expected
    figures = performance.by_model(period, simulated=False)
    drilled = {each.model for each in attempts if each.drilled}
    assert dict(zip(figures["model"], figures["unpriced"], strict=True)) == {
        model: number for model, number in expected.items() if model not in drilled
    }
    total = sum(expected.values())
    assert performance.summary(period, simulated=False).unpriced == total
    assert totals(attempts).unpriced == total


@pytest.mark.parametrize("simulated", [False, True])
def test_a_run_is_saved_when_another_answered_in_the_place_of_one_that_failed(
    simulated, history, performance
):
    record(
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
        failed(ErrorKind.INTERNAL, provider="kimi", run_id="ours"),  # no provider failed
        {"run_id": "ours"},
        runs=[
            a_run("saved", simulated=simulated),
            a_run("lost", "failed", simulated=simulated),
            a_run("mended", simulated=simulated),
            a_run("drill", simulated=simulated),
            a_run("step", simulated=simulated),
            a_run("ours", simulated=simulated),
            a_run("going", "running", simulated=simulated),
        ],
    )
    summary = performance.summary(ALL, simulated=simulated)
    assert (summary.runs, summary.runs_ok, summary.runs_saved) == (6, 5, 2)
    assert rows(performance.saved_over_time(ALL, (START, START + 1), simulated=simulated)) == [
        {"start": START, "runs": 6, "completed": 5, "saved": 2}
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


# -- periods and buckets, whatever the time zone


def local_midnights(zone, first, days):
    """UTC seconds of the midnights that begin so many days in a row, and of the one after."""
    begin = datetime.fromisoformat(first)
    return [
        (begin + timedelta(days=day)).replace(tzinfo=ZoneInfo(zone)).timestamp()
        for day in range(days + 1)
    ]


def counted(path, low, high):
    """From the calls themselves: per provider calls, successes and their latencies."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            """
            SELECT provider, status, latency_ms / 1000 FROM call
             WHERE started_at >= ? AND started_at < ? ORDER BY latency_ms
            """,
            (low, high),
        ).fetchall()
    return {
        provider: (
            sum(name == provider for name, _, _ in rows),
            [took for name, status, took in rows if (name, status) == (provider, "ok")],
        )
        for provider in {name for name, _, _ in rows}
    }


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Ten days around the end of summer time in Europe and its beginning on Lord Howe Island."""
    path = tmp_path_factory.mktemp("filled") / "filled.db"
    until = datetime(2026, 10, 30, tzinfo=UTC).timestamp()
    fill(path, believable(6000, days=30, until=until))
    return path


SAID = ((50, 1), (95, 20))  # a percentile, and how many answers it takes


def ranked(took, part):
    """The least that so many hundredths of them did not exceed."""
    return took[max(0, math.ceil(part * len(took) / 100) - 1)]


def agrees(performance, path, edges, period):
    """Counts by provider, and percentiles of all together."""
    expected, together = {}, {}
    for low, high in pairwise([*edges, period.until]):
        found = counted(path, max(low, period.since), min(high, period.until))
        expected |= {(low, name): (calls, len(took)) for name, (calls, took) in found.items()}
        if found:
            together[low] = sorted(seconds for _, took in found.values() for seconds in took)
    frame = performance.over_time(period, edges, simulated=True)
    found = {(row.start, row.provider): (row.calls, row.ok) for row in frame.itertuples()}
    assert found == expected
    totals = performance.totals_over_time(period, edges, simulated=True)
    assert totals["start"].tolist() == [*together]
    for row in totals.itertuples():
        if took := together[row.start]:
            exact = [ranked(took, part) if len(took) >= least else math.nan for part, least in SAID]
            assert [row.p50, row.p95] == pytest.approx(exact, rel=0.0101, nan_ok=True)


@pytest.mark.parametrize(
    ("zone", "first", "hours"),
    [
        ("UTC", "2026-10-21", 24),
        ("Europe/Berlin", "2026-10-22", 25),
        ("America/New_York", "2026-10-20", 24),
        ("Asia/Kolkata", "2026-10-20", 24),
        ("Asia/Kathmandu", "2026-10-20", 24),
        ("Australia/Lord_Howe", "2026-10-01", 23.5),
        ("Australia/Adelaide", "2026-10-01", 23),
    ],
)
def test_days_are_those_of_the_viewer_also_when_clocks_change(zone, first, hours, filled):
    edges = local_midnights(zone, first, 7)
    lengths = {(after - before) / 3600 for before, after in pairwise(edges)}
    assert lengths == {24, hours}
    period = Period(edges[0], edges[-1])
    agrees(Performance(filled), filled, edges[:-1], period)


def test_all_providers_together_are_their_sums_and_the_percentiles_of_all(filled):
    edges = local_midnights("Europe/Berlin", "2026-10-22", 7)
    period, performance = Period(edges[0], edges[-1]), Performance(filled)
    totals = performance.totals_over_time(period, edges[:-1], simulated=True)
    each = performance.over_time(period, edges[:-1], simulated=True)
    sums = each.groupby("start")[["calls", "ok", "rated"]].sum()
    assert totals.set_index("start")[["calls", "ok", "rated"]].equals(sums)
    for (low, high), p95 in zip(pairwise(edges), totals["p95"], strict=True):
        found = counted(filled, low, high).values()
        took = sorted(seconds for _, some in found for seconds in some)
        assert len(took) >= 20
        assert p95 == pytest.approx(ranked(took, 95), rel=0.0101)


@pytest.mark.parametrize("seed", range(12))
def test_a_period_may_begin_and_end_anywhere(seed, filled):
    rng = Random(seed)
    end = datetime(2026, 10, 30, tzinfo=UTC).timestamp()
    since, until = sorted(end - rng.random() ** 3 * 20 * 86400 for _ in range(2))
    period = Period(since, until)
    edges = sorted(rng.uniform(since - 4000, until) for _ in range(rng.randrange(1, 6)))
    edges[0] = min(edges[0], since)
    performance = Performance(filled)
    agrees(performance, filled, edges, period)
    agrees(performance, filled, [since], period)

    summary = performance.summary(period, simulated=True)
    expected = counted(filled, since, until)
    assert summary.calls == sum(calls for calls, _ in expected.values())
    calls = performance.by_model(period, simulated=True).groupby("provider")["calls"].sum()
    assert calls.to_dict() == {provider: calls for provider, (calls, _) in expected.items()}
    spread = performance.latency_distribution(period, simulated=True)
    assert spread["calls"].sum() == summary.ok
    assert (spread["low"] < spread["high"]).all()
    failures = performance.failures(period, simulated=True)["calls"].sum()
    with closing(sqlite3.connect(filled)) as connection:
        during = "started_at >= ? AND started_at < ?"
        assert (
            failures
            == connection.execute(
                f"SELECT count(*) FROM call WHERE status = 'failed' AND {during}", (since, until)
            ).fetchone()[0]
        )
        runs = connection.execute(
            f"SELECT count(*), sum(status = 'completed') FROM run WHERE {during}", (since, until)
        ).fetchone()
    assert (summary.runs, summary.runs_ok) == (runs[0], runs[1] or 0)
    saved = performance.saved_over_time(period, edges, simulated=True)
    assert saved["runs"].sum() == summary.runs
    assert saved["saved"].sum() == summary.runs_saved


def test_what_came_just_before_a_period_leaves_no_digits_behind(history, performance):
    before = [
        {
            "started_at": QUARTER + at,
            "latency_ms": 700.1 + at * 3.3,
            "cost_usd": 0.1 / (at + 3),
            "usage": Usage(10, 50 + at),
        }
        for at in range(0, 120, 10)
    ]
    within = failed(started_at=QUARTER + 600, cost_usd=0.0)
    record(history, *before, within)
    period = Period(QUARTER + 300, QUARTER + 3600)
    assert performance.summary(period, simulated=False).cost_usd == 0
    (row,) = rows(performance.by_model(period, simulated=False))
    assert row["cost_usd"] == 0
    assert math.isnan(row["tokens_per_second"])


@pytest.mark.parametrize("since", [360, 332])  # after some that are left, and before them all
def test_removed_calls_are_not_in_a_period_that_begins_after_them(since, history, performance):
    record(history, *({"started_at": QUARTER + at} for at in range(5, 900, 10)))
    cut = QUARTER + 330
    assert history.submit(lambda writer: remove_numbers(writer, cut, 1000)).result().calls == 33
    found = performance.summary(Period(QUARTER + since, QUARTER + 3600), simulated=False)
    assert found.calls == sum(at >= since for at in range(5, 900, 10))


def test_nor_in_one_that_ends_before_them(history, performance):
    record(history, *({"started_at": QUARTER + at} for at in range(605, 1_800, 10)))
    history.submit(lambda writer: remove_numbers(writer, QUARTER + SHORTEST, 1000)).result()
    found = performance.summary(Period(QUARTER, QUARTER + 600), simulated=False)
    assert found.calls == 0


# -- what is kept of what was removed


def removed(history, moment):
    history.submit(lambda writer: remove_numbers(writer, moment, 1000)).result()


def test_the_first_figure_stays_when_the_calls_are_removed(history):
    archive = Archive(history.path)
    assert archive.first_figure(simulated=False) is None
    at = [QUARTER + 10, QUARTER + 20, QUARTER + 5000]
    record(history, *({"started_at": moment} for moment in at))
    record(history, {"simulated": True, "started_at": QUARTER + 9000})
    removed(history, QUARTER + 3000)
    assert archive.first_figure(simulated=False) == QUARTER
    removed(history, QUARTER * 2)
    assert archive.first_figure(simulated=False) == QUARTER
    assert archive.first_figure(simulated=True) == QUARTER + 9000
    archive.close()


def test_it_is_known_up_to_when_calls_were_removed(history):
    archive = Archive(history.path)

    def until():
        return archive.removed_until(simulated=False)

    assert until() is None
    record(history, *({"started_at": QUARTER + at} for at in (10, 20, 30, 5000)))
    record(history, failed(started_at=QUARTER - 3000, drilled=True))
    assert until() is None
    removed(history, QUARTER + 15)
    assert until() == QUARTER + 20  # within a stretch, whose others are there
    removed(history, QUARTER + 3000)
    assert until() == QUARTER + SHORTEST  # and not as late as the first that is left
    assert archive.removed_until(simulated=True) is None
    removed(history, QUARTER * 2)
    assert QUARTER + 5000 < until() <= QUARTER + 5000 + SHORTEST
    archive.close()


def test_a_call_of_a_run_that_goes_on_does_not_hide_that_later_ones_were_removed(history):
    archive = Archive(history.path)
    record(history, {"run_id": "goes on"}, runs=[a_run("goes on", "running")])
    record(history, {"started_at": START + 5000}, {"started_at": START + 9000})
    removed(history, START + 6000)
    assert START + 5000 < archive.removed_until(simulated=False) <= START + 5000 + SHORTEST
    archive.close()
