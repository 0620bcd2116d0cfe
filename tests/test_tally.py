"""Counts and pages by stretches of rows are those of a scan, whatever is written and asked for."""

import sqlite3
from collections import Counter
from contextlib import closing
from itertools import product
from random import Random
from typing import Any

import pytest

from core.values.history.filters import CallFilter, RunFilter
from db.lists import conditions, tally
from db.sqlite import files
from db.sqlite.rows import CALL_COLUMNS, RUN_COLUMNS

PROVIDERS, MODELS, STRATEGIES = ("a", "b", "c"), ("m", "n"), ("random", "priority")
STATUSES, KINDS = ("ok", "failed", "running", "cancelled"), (None, "timeout", "auth")
START, STRETCH = 1_790_000_000.0, 1 << 12


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    path = tmp_path_factory.mktemp("tally") / "console.db"
    with closing(files.connect(path, busy_timeout=1.0)) as opened:
        opened.execute("BEGIN")
        fill(opened, Random(0))
        opened.execute("COMMIT")
        yield opened


def fill(connection, rng):
    """15,000 calls with gaps, one provider hardly ever; 3,000 runs; a clock that jumps."""
    ids = sorted(rng.sample(range(1, 20_000), 15_000))
    for place, call_id in enumerate(ids):
        status = rng.choices(STATUSES, (80, 15, 0.2, 5))[0]
        put_call(
            connection,
            call_id,
            provider=rng.choices(PROVIDERS, (70, 30, 0.05))[0],
            model=rng.choice(MODELS),
            strategy=rng.choice(STRATEGIES),
            status=status,
            error_kind=rng.choice(KINDS[1:]) if status == "failed" else None,
            simulated=place % 3 == 0,
            drilled=place % 50 == 0,
            latency_ms=place % 700,
            started_at=START + place + (5_000 if 7_000 < place < 7_050 else 0),
        )
    for number in range(1, 3_001):
        status = rng.choices(("completed", "failed", "running"), (90, 9, 1))[0]
        put_run(
            connection,
            f"r{number}",
            provider=rng.choice(PROVIDERS) if status == "completed" else None,
            status=status,
            error_kind="deadline" if status == "failed" else None,
            started_at=START + number,
            strategy=rng.choice(STRATEGIES),
        )
        if number % 10 == 0:
            asked = ("failed", 0, "a"), ("ok", 1, "c" if number % 1_000 == 0 else "b")
            for status, ordinal, provider in asked:
                put_call(
                    connection,
                    20_000 + number + ordinal,
                    run_id=f"r{number}",
                    ordinal=ordinal,
                    provider=provider,
                    status=status,
                )


def put_call(connection, call_id, **changes):
    row = {
        "id": call_id, "ordinal": 0, "provider": "a", "model": "m", "strategy": "random",
        "status": "ok", "started_at": START, "simulated": False, "config": "", "drilled": False,
    } | changes  # fmt: skip
    insert(connection, "call", CALL_COLUMNS, row)


def put_run(connection, run_id, **changes):
    row = {
        "id": run_id, "goal": "g", "status": "completed", "strategy": "random", "simulated": False,
        "started_at": START, "source": "ui", "options": "{}", "request_digest": "",
    } | changes  # fmt: skip
    insert(connection, "run", RUN_COLUMNS, row)


def insert(connection, table, columns, row):
    columns = [name for name in columns if name in row]  # older schemas have not all of them
    marks = ", ".join("?" * len(columns))
    values = [row[name] for name in columns]
    connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)


def scanned(connection, listed, wanted, before=tally.MOST):
    where, values = conditions.where(wanted)
    rows = connection.execute(
        f"""
        SELECT {listed.key} FROM {listed.table}
         WHERE {where} AND {listed.key} < ?
         ORDER BY {listed.key} DESC
        """,
        (*values, before),
    )
    return [key for (key,) in rows]


CALL_FILTERS = [
    {},
    {"provider": ("a",)},
    {"provider": ("a", "b"), "status": ("failed",)},
    {"provider": ("c",)},
    {"provider": ("nobody",)},
    {"status": ("running",)},
    {"status": ("running", "ok"), "model": ("n",)},
    {"error_kind": ("timeout",)},
    {"error_kind": ("auth", "timeout"), "strategy": ("priority",)},
    {"simulated": True},
    {"simulated": False, "provider": ("b",), "model": ("m",)},
    {"since": START + 6_990, "until": START + 7_020.5},
    {"since": START + 12_010},
    {"until": START},
    {"since": START + 3_000, "until": START + 9_000, "status": ("failed",), "provider": ("b",)},
    {"counted": True},
    {"counted": True, "since": START + 3_000, "provider": ("a",), "simulated": True},
    {"slower_than": 0.3},
    {"slower_than": 0.1, "up_to": 0.15, "status": ("ok",)},
]
RUN_FILTERS = [
    {},
    {"provider": ("a",)},
    {"provider": ("c",)},
    {"provider": ("a", "b"), "status": ("failed",)},
    {"provider": ("a",), "answered_by": ("b",)},
    {"provider": ("a",), "model": ("n",)},
    {"provider": ("b",), "since": START + 700, "until": START + 900},
    {"provider": ("nobody",)},
    {"model": ("m",)},
    {"answered_by": ("a",)},
    {"answered_by": ("b", "c"), "counted": True},
    {"status": ("failed", "running")},
    {"error_kind": ("deadline",), "strategy": ("random",)},
    {"since": START + 700, "until": START + 900},
    {"simulated": True},
    {"counted": True},
    {"saved": True},
    {"saved": False, "status": ("failed",)},
]
CASES = [
    *((tally.CALLS, CallFilter(**wanted)) for wanted in CALL_FILTERS),
    *((tally.RUNS, RunFilter(**wanted)) for wanted in RUN_FILTERS),
]


@pytest.mark.parametrize(("listed", "wanted"), CASES)
def test_a_count_is_that_of_a_scan(listed, wanted, connection):
    keys = scanned(connection, listed, wanted)
    assert tally.count(connection, listed, wanted) == len(keys)
    for low, high in ((0, 1), (100, 9_000), (STRETCH, 2 * STRETCH), (4_095, 4_097), (5, 5)):
        number = sum(low <= key < high for key in keys)
        assert tally.count(connection, listed, wanted, low=low, high=high) == number


@pytest.mark.parametrize(("listed", "wanted"), CASES)
def test_every_page_is_that_of_a_scan(listed, wanted, connection):
    keys = scanned(connection, listed, wanted)
    offsets = {0, 1, 24, 25, 4_000, len(keys) // 2, len(keys) - 3, len(keys), len(keys) + 30}
    for offset, limit in product(sorted(offset for offset in offsets if offset >= 0), (1, 25)):
        page = tally.page(connection, listed, wanted, limit=limit, offset=offset)
        assert page == keys[offset : offset + limit]
    for before in (0, 1, 500, STRETCH, 9_001, 30_000):
        below = scanned(connection, listed, wanted, before)
        page = tally.page(connection, listed, wanted, limit=25, before=before)
        assert page == below[:25]
        page = tally.page(connection, listed, wanted, limit=25, offset=40, before=before)
        assert page == below[40:65]


@pytest.mark.parametrize("more", [{}, {"status": ("completed",)}, {"since": START + 100}])
def test_runs_by_whom_they_asked_are_counted_no_further_than_is_cared_for(more, connection):
    wanted = RunFilter(provider=("a",), **more)
    assert tally.count(connection, tally.RUNS, wanted, most=20) == 20
    whole = len(scanned(connection, tally.RUNS, wanted))
    assert tally.count(connection, tally.RUNS, wanted, most=whole + 1) == whole


def test_nothing_counts_as_nothing(tmp_path):
    with closing(files.connect(tmp_path / "x.db", busy_timeout=1.0)) as empty:
        for listed, wanted in ((tally.CALLS, CallFilter()), (tally.RUNS, RunFilter())):
            assert tally.count(empty, listed, wanted) == 0
            assert tally.page(empty, listed, wanted, limit=25) == []
            assert tally.page(empty, listed, wanted, limit=25, offset=25) == []


def test_whatever_is_written_the_tally_is_that_of_the_rows(tmp_path):
    rng = Random(1)
    with closing(files.connect(tmp_path / "x.db", busy_timeout=1.0)) as connection:
        connection.execute("BEGIN")
        for step in range(3_000):
            key = rng.randrange(1, 600)
            act = rng.random()
            if act < 0.1:
                connection.execute("DELETE FROM call WHERE id = ?", (key * 16,))
                connection.execute("DELETE FROM run WHERE id = ?", (f"r{key // 3}",))
                continue
            facts = {
                "provider": rng.choice(PROVIDERS),
                "status": rng.choice(STATUSES),
                "error_kind": rng.choice(KINDS),
                "simulated": rng.random() < 0.5,
            }
            changed = ", ".join(f"{name} = :{name}" for name in facts)
            values = {**facts, "call": key * 16, "run": f"r{key}", "of": f"r{key // 3}"}
            try:
                put_call(
                    connection, key * 16, run_id=values["of"], started_at=START + step, **facts
                )
            except sqlite3.IntegrityError:
                connection.execute(
                    f"UPDATE call SET {changed}, run_id = :of WHERE id = :call", values
                )
            try:
                put_run(connection, f"r{key}", started_at=START + step, **facts)
            except sqlite3.IntegrityError:
                connection.execute(f"UPDATE run SET {changed} WHERE id = :run", values)
        asked = connection.execute("SELECT provider, number, model FROM run_asked").fetchall()
        assert (
            asked
            == connection.execute(
                """
            SELECT DISTINCT call.provider, number, call.model FROM call JOIN run ON run.id = run_id
             ORDER BY 1, 2, 3
            """
            ).fetchall()
        )
        assert len(asked) > 100
        tally.forget_empty(connection)
        for listed in (tally.CALLS, tally.RUNS):
            facts = "provider, model, strategy, status, error_kind, simulated"
            kept = connection.execute(
                f"SELECT stretch, {facts}, number FROM {listed.table}_tally"
            ).fetchall()
            counted = connection.execute(
                f"""
                SELECT {listed.key} >> {listed.width}, provider, coalesce(model, ''), strategy,
                       status, coalesce(error_kind, ''), simulated, count(*)
                  FROM {listed.table}
                 WHERE status <> 'running'
                 GROUP BY 1, 2, 3, 4, 5, 6, 7
                """
            ).fetchall()
            assert sorted(kept) == sorted(counted)
            in_all = Counter[Any]()
            for _, *key, number in counted:
                in_all[tuple(key)] += number
            total = connection.execute(f"SELECT {facts}, number FROM {listed.table}_total")
            assert {tuple(key): number for *key, number in total} == in_all
            by_stretch = Counter[int]()
            for stretch, *_, number in counted:
                by_stretch[stretch] += number
            stretches = f"SELECT stretch, number FROM {listed.table}_stretch"
            assert dict(connection.execute(stretches).fetchall()) == by_stretch


def test_rows_from_before_the_tally_are_in_it(tmp_path):
    from db.migrations import MIGRATIONS, migrate

    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS[:3])
        connection.execute("BEGIN")
        fill(connection, Random(2))
        connection.execute("COMMIT")
        migrate(connection)
        for listed, wanted in CASES:
            keys = scanned(connection, listed, wanted)
            assert tally.count(connection, listed, wanted) == len(keys)
        numbered = connection.execute("SELECT number, id FROM run ORDER BY number").fetchall()
        assert numbered[0] == (1, "r1")
        assert connection.execute("SELECT * FROM unindexed ORDER BY source").fetchall() == [
            ("call", max(scanned(connection, tally.CALLS, CallFilter())) + 1),
            ("run", 3_001),
        ]
