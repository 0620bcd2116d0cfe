"""A made-up history is written as the console would have written it."""

import asyncio
import json
import math
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from core.planning.plan import read_plan
from core.values.calls import Usage
from core.values.periods import Period
from db.figures import counts
from db.figures.figures import COUNTS
from db.figures.performance import Performance
from db.sample.believable import CHARACTERS, believable
from db.sample.fill import fill
from db.sqlite.writer import SqliteHistory
from tests.indexing import indexed

ROOT = Path(__file__).resolve().parents[2]
UNTIL = 1_790_000_000.0
DAY = 86_400.0


def stories(calls, **changes):
    return believable(calls, **{"days": 30, "until": UNTIL, **changes})


def tables(path):
    """Every row of every table, those of one table in the order of its first columns."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute(
            "SELECT name FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        found = {}
        for (name,) in names:
            rows = connection.execute(f"SELECT * FROM {name}").fetchall()
            found[name] = [comparable(name, row) for row in sorted(rows, key=repr)]
        for name in ("call_words", "run_words"):
            connection.execute(
                f"CREATE VIRTUAL TABLE temp.{name}_in USING fts5vocab('main', {name}, 'instance')"
            )
            found[name] = connection.execute(
                f"SELECT * FROM {name}_in ORDER BY term, doc, col, [offset]"
            ).fetchall()
        return found


class Sum:
    """Of fractions, which depends a little on their order."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return math.isclose(self.value, other.value, abs_tol=1e-9)


def comparable(table, row):
    if table != "call_rollup":
        return row
    sums = [Sum(value) if isinstance(value, float) else value for value in row[: -len(COUNTS)]]
    return [*sums, *map(counts.unpacked, row[-len(COUNTS) :])]


async def write(history, some):
    for story in some:
        await history.begin_run(
            replace(
                story.run,
                status="running",
                finished_at=None,
                provider=None,
                model=None,
                plan=None,
                error_kind=None,
                error=None,
            )
        )
        for exchange in story.exchanges:
            attempt = exchange.attempt
            begun = replace(
                attempt,
                status="running",
                error_kind=None,
                message=None,
                http_status=None,
                latency_ms=None,
                ttft_ms=None,
                usage=Usage(),
                cost_usd=None,
                request_id=None,
            )
            await history.begin(begun, exchange.messages)
            await history.end(attempt, exchange.response)
        await history.end_run(story.run)


def alike(one, two):
    return all(
        abs(a - b) <= 1e-9 * max(1.0, abs(a)) if isinstance(a, float) else a == b
        for a, b in zip(one, two, strict=True)
    )


def test_a_filled_file_holds_what_the_consoles_own_writer_would_have_written(tmp_path):
    some = [*stories(400)]
    fill(tmp_path / "filled.db", some)
    history = SqliteHistory.open(tmp_path / "written.db")
    asyncio.run(write(history, some))
    indexed(history)
    history.close()

    filled, written = tables(tmp_path / "filled.db"), tables(tmp_path / "written.db")
    assert filled.keys() == written.keys()
    for name, rows in filled.items():
        assert len(rows) == len(written[name]), name
        assert all(map(alike, rows, written[name])), name
    assert len(filled["call"]) == len(filled["call_text"]) == 400
    assert filled["call_rollup"]
    assert filled["call_words"]


def test_the_history_has_what_a_real_one_has():
    some = [*stories(5000)]
    calls = [exchange.attempt for story in some for exchange in story.exchanges]
    assert len(calls) == 5000
    assert [call.id for call in calls] == [*range(1, 5001)]
    assert all(call.simulated for call in calls)
    assert all(story.run.simulated for story in some)
    assert {call.provider for call in calls} == CHARACTERS.keys()
    assert {story.run.status for story in some} >= {"completed", "cancelled"}
    assert len({call.error_kind for call in calls}) > 6
    assert all(UNTIL - 30 * DAY <= story.run.started_at <= UNTIL for story in some)
    fallbacks = [
        story for story in some if len({one.attempt.provider for one in story.exchanges}) > 1
    ]
    assert len(fallbacks) > 50
    night_and_day = Counter(int(call.started_at % DAY // 3600) for call in calls)
    assert night_and_day[10] > 3 * night_and_day[2]


def test_its_plans_are_plans_and_its_texts_many():
    some = [*stories(400)]
    for story in some:
        if story.run.plan:
            assert read_plan(story.run.plan).steps
    goals = [story.run.goal for story in some]
    assert len(set(goals)) > 0.9 * len(goals)
    assert any(not goal.isascii() for goal in goals)


def test_the_same_seed_tells_the_same_history_and_another_another():
    assert [*stories(50)] == [*stories(50)]
    assert [*stories(50)] != [*stories(50, seed=1)]


def test_a_file_that_is_not_empty_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "mine.db"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        fill(path, stories(10))
    assert path.read_text() == "mine"
    assert [*tmp_path.iterdir()] == [path]
    path.rename(path := tmp_path / "mine.db-wal")  # it would be read into the new file
    with pytest.raises(FileExistsError):
        fill(tmp_path / "mine.db", stories(10))
    assert [*tmp_path.iterdir()] == [path]


def test_a_filling_that_is_cut_short_leaves_nothing(tmp_path):
    def broken():
        yield from stories(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "filled.db", broken())
    assert [*tmp_path.iterdir()] == []


def test_the_command_shows_how_far_it_is_and_how_to_open_the_file(tmp_path):
    path = tmp_path / "new" / "filled.db"
    command = [sys.executable, "-m", "db.sample.fill", "--calls", "300", "--days", "2"]
    command += ["--database", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "300 of 300 calls" in done.stderr
    assert f"DATABASE_URL=sqlite:///{path}" in done.stderr
    summary = Performance(path).summary(Period(0, 1e10), simulated=True)
    assert summary.calls == 300
    with closing(sqlite3.connect(path)) as connection:
        (request,) = connection.execute(
            "SELECT request FROM call_text WHERE call_id = 1"
        ).fetchone()
    assert json.loads(request)[1]["role"] == "user"

    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "is not empty" in again.stderr
