"""Counts and pages are those of a scan, whatever is asked for and whichever index leads there."""

from contextlib import closing
from itertools import product
from random import Random

import pytest

from core.values.history.filters import CallFilter, RunFilter
from db.lists import conditions, paging
from db.sqlite import files
from db.sqlite.rows import CALL_COLUMNS, RUN_COLUMNS

PROVIDERS, MODELS, STRATEGIES = ("a", "b", "c"), ("m", "n"), ("random", "priority")
STATUSES, KINDS = ("ok", "failed", "running", "cancelled"), ("timeout", "auth")
START = 1_790_000_000.0
DAY = 24 * 3600.0


@pytest.fixture(
    scope="module",
    params=[5_000, 400 * DAY, -400 * DAY],
    ids=["a clock that was fast", "by a year", "slow by a year"],
)
def connection(tmp_path_factory, request):
    path = tmp_path_factory.mktemp("lists") / "console.db"
    with closing(files.connect(path, busy_timeout=1.0)) as opened:
        opened.execute("BEGIN")
        fill(opened, Random(0), off=request.param)
        opened.execute("COMMIT")
        yield opened


@pytest.fixture(params=[0, 30_000], ids=["by scan", "by index"])
def way(request, monkeypatch):
    monkeypatch.setattr(paging, "_FEW", request.param)


def fill(connection, rng, *, off):
    """3,000 calls with gaps, one provider hardly ever; 600 runs; a clock `off` for a while, by
    that many seconds, and just where a search by halves looks first."""
    ids = sorted(rng.sample(range(1, 4_000), 3_000))
    for place, call_id in enumerate(ids):
        status = rng.choices(STATUSES, (80, 15, 0.2, 5))[0]
        put_call(
            connection,
            call_id,
            provider=rng.choices(PROVIDERS, (70, 30, 0.2))[0],
            model=rng.choice(MODELS),
            strategy=rng.choice(STRATEGIES),
            status=status,
            error_kind=rng.choice(KINDS) if status == "failed" else None,
            simulated=place % 3 == 0,
            drilled=place % 50 == 0,
            latency_ms=place % 700,
            started_at=START + 100 * place + (off if 1_400 < place < 1_510 else 0),
        )
    for number in range(1, 601):
        status = rng.choices(("completed", "failed", "running"), (90, 9, 1))[0]
        put_run(
            connection,
            f"r{number}",
            provider=rng.choice(PROVIDERS) if status == "completed" else None,
            status=status,
            error_kind="deadline" if status == "failed" else None,
            started_at=START + number + (off if 290 < number < 310 else 0),
            strategy=rng.choice(STRATEGIES),
        )
        if number % 10 == 0:
            asked = ("failed", 0, "a"), ("ok", 1, "c" if number % 200 == 0 else "b")
            for status, ordinal, provider in asked:
                put_call(
                    connection,
                    4_000 + number + ordinal,
                    run_id=f"r{number}",
                    ordinal=ordinal,
                    provider=provider,
                    status=status,
                    started_at=START + 400_000 + number,
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


def scanned(connection, listed, wanted, before=paging.MOST):
    where, values = conditions.where(wanted)
    rows = connection.execute(
        f"""
        SELECT {listed.key} FROM {listed.table} NOT INDEXED
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
    {"since": START + 139_000, "until": START + 142_000.5},
    {"since": START + 240_100},
    {"until": 1.0},
    {"since": START + 30_000, "until": START + 180_000, "status": ("failed",), "provider": ("b",)},
    {"counted": True},
    {"counted": True, "since": START + 30_000, "provider": ("a",), "simulated": True},
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
    {"provider": ("b",), "since": START + 100, "until": START + 300},
    {"provider": ("nobody",)},
    {"model": ("m",)},
    {"answered_by": ("a",)},
    {"answered_by": ("b", "c"), "counted": True},
    {"status": ("failed", "running")},
    {"error_kind": ("deadline",), "strategy": ("random",)},
    {"since": START + 100, "until": START + 300},
    {"simulated": True},
    {"counted": True},
    {"saved": True},
    {"saved": False, "status": ("failed",)},
]
CASES = [
    *((paging.CALLS, CallFilter(**wanted)) for wanted in CALL_FILTERS),
    *((paging.RUNS, RunFilter(**wanted)) for wanted in RUN_FILTERS),
]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("listed", "wanted"), CASES)
def test_counts_and_pages_are_those_of_a_scan(listed, wanted, connection):
    found = scanned(connection, listed, wanted)
    assert paging.count(connection, listed, wanted) == len(found)
    offsets = {0, 1, 25, 400, len(found) // 2, max(0, len(found) - 3), len(found), len(found) + 30}
    for offset, limit in product(sorted(offsets), (1, 25)):
        page = paging.page(connection, listed, wanted, limit=limit, offset=offset)
        assert page == found[offset : offset + limit]
    for before in (0, 1, 500, 3_001):
        below = scanned(connection, listed, wanted, before)
        for offset in (0, 40):
            page = paging.page(connection, listed, wanted, limit=25, offset=offset, before=before)
            assert page == below[offset : offset + 25]


def test_a_filter_finds_some_of_everything(connection):
    """Or the test above proves nothing."""
    empty = [wanted for listed, wanted in CASES if not scanned(connection, listed, wanted)]
    assert empty == [
        *(CallFilter(provider=("nobody",)), CallFilter(until=1.0)),
        RunFilter(provider=("a",), model=("n",)),
        *(RunFilter(provider=("nobody",)), RunFilter(simulated=True)),
    ]


def test_with_a_filter_no_more_are_counted_than_is_cared_for(connection, monkeypatch):
    monkeypatch.setattr(paging, "COUNTED_TO", 20)
    assert paging.count(connection, paging.CALLS, CallFilter(provider=("a",))) == 20
    assert paging.count(connection, paging.RUNS, RunFilter(provider=("a",))) == 20
    assert paging.count(connection, paging.CALLS, CallFilter()) > 3_000


def test_a_call_that_began_while_the_clock_was_fast_is_found_by_its_time(tmp_path):
    with closing(files.connect(tmp_path / "x.db", busy_timeout=1.0)) as opened:
        put_call(opened, 1, started_at=START + 60 * DAY, status="running")
        for number in range(2, 8):
            put_call(opened, number, started_at=START + number * 100)
        opened.execute("UPDATE call SET status = 'ok' WHERE id = 1")
        wanted = CallFilter(since=START + 50 * DAY)
        assert paging.page(opened, paging.CALLS, wanted, limit=25) == [1]


def test_nothing_counts_as_nothing(tmp_path):
    with closing(files.connect(tmp_path / "x.db", busy_timeout=1.0)) as empty:
        for listed, wanted in CASES:
            assert paging.count(empty, listed, wanted) == 0
            assert paging.page(empty, listed, wanted, limit=25, offset=25) == []
