"""What goes is what was shown, in small slices; what is copied is all there is."""

import asyncio
import io
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from core.values.calls import Attempt, Message
from core.values.errors import HistoryUnavailable
from core.values.history.filters import CallFilter, RunFilter
from core.values.history.retention import RetentionPolicy
from core.values.outcomes import ErrorKind
from core.values.runs import RunRecord, RunRequest
from db.choices import Choices
from db.lists.paging import CALLS, first_since
from db.lists.queries import Archive
from db.sqlite import files
from db.sqlite.refusals import HistoryInUse, HistoryTooNew
from db.sqlite.rows import CALL_COLUMNS
from db.sqlite.writer import SqliteHistory
from db.upkeep import backup, removal, upkeep
from db.upkeep.backup import NotAHistory
from db.upkeep.upkeep import Upkeep
from tests.indexing import indexed

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_790_000_000.0
DAY = 24 * 3600.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "console.db"


@pytest.fixture
def history(path):
    opened = SqliteHistory.open(path)
    yield opened
    opened.close()


@pytest.fixture
def archive(path, history):
    opened = Archive(path)
    yield opened
    opened.close()


@pytest.fixture
def keeper(history):
    made = Upkeep(history, Choices(history), clock=lambda: NOW)
    yield made
    made.close()


def fill(history, ages, *, said="a plan with tea in it", running=()):
    """A run with a failed and an answered call for each age in days; some go on `running`."""

    async def write():
        for age in ages:
            began = NOW - age * DAY
            asked = RunRequest(f"Plan tea {age}", context="secret", source="ui")
            run = RunRecord(f"r{age}", asked, "random", False, began)
            await history.begin_run(run)
            for ordinal, status in enumerate(("failed", "ok")):
                call = Attempt(
                    history.next_call_id(), ordinal, "openai", "m", "random", began, run_id=run.id
                )
                await history.begin(call, (Message("user", f"tea {age}"),))
                if age not in running:
                    kind = ErrorKind.TIMEOUT if status == "failed" else None
                    ended = replace(call, status=status, error_kind=kind, latency_ms=9.0)
                    await history.end(ended, said if status == "ok" else None)
            if age not in running:
                done = replace(run, status="completed", provider="openai", plan='{"why": "tea"}')
                await history.end_run(replace(done, finished_at=began + 1))

    asyncio.run(write())
    indexed(history)


def everything(path):
    """Every row of every table, those of FTS5 included."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'"
        ).fetchall()
        return {
            table: sorted(map(repr, connection.execute(f"SELECT * FROM {table}")))
            for (table,) in tables
        }


def apply(keeper, policy):
    keeper.start(policy)
    return keeper.wait(30)


# -- size


def test_an_empty_history_takes_up_little_and_holds_nothing(keeper):
    usage = keeper.usage()
    assert (usage.calls, usage.texts, usage.runs, usage.text_bytes) == (0, 0, 0, 0)
    assert (usage.oldest_call, usage.oldest_text) == (None, None)
    assert usage.file_bytes > 0
    assert usage.disk_free_bytes > 0
    assert not keeper.preview(RetentionPolicy(texts_days=1, numbers_days=1, most_bytes=1))


def test_the_size_tells_what_there_is(history, keeper):
    fill(history, [40, 3, 1], said="x" * 10_000)
    usage = keeper.usage()
    assert (usage.calls, usage.texts, usage.runs) == (6, 6, 3)
    assert usage.oldest_call == usage.oldest_text == NOW - 40 * DAY
    assert 30_000 < usage.text_bytes < 60_000
    assert usage.file_bytes > 30_000


# -- what goes


def test_old_texts_go_and_the_numbers_stay(history, archive, keeper):
    fill(history, [100, 40, 20, 1])
    before = archive.totals(simulated=False)
    policy = RetentionPolicy(texts_days=30)

    shown = keeper.preview(policy)
    assert (shown.texts, shown.calls, shown.runs) == (4, 0, 0)
    assert shown.oldest == NOW - 100 * DAY
    assert shown.bytes > 0
    progress = apply(keeper, policy)
    assert progress.error is None
    assert progress.finished_at == NOW
    assert (progress.done.texts, progress.done.calls, progress.done.runs) == (4, 0, 0)

    assert [archive.call_text(call) is None for call in range(1, 9)] == [True] * 4 + [False] * 4
    assert archive.count_calls() == 8
    assert archive.totals(simulated=False) == before
    gone, kept = archive.run("r40"), archive.run("r20")
    assert (gone.request, gone.plan) == (RunRequest("", source="ui"), None)
    assert (kept.goal, kept.plan) == ("Plan tea 20", '{"why": "tea"}')
    assert keeper.usage().texts == 4
    assert not keeper.preview(policy)


def test_what_is_gone_is_not_found_and_what_stays_is(history, archive, keeper):
    fill(history, [40, 1])
    assert archive.count_calls(CallFilter(text="tea")) == 4
    apply(keeper, RetentionPolicy(texts_days=30))
    assert archive.page_of_calls(limit=9, wanted=CallFilter(text="tea"))["id"].tolist() == [4, 3]
    found = archive.page_of_runs(limit=9, wanted=RunFilter(text="tea"))["id"].tolist()
    assert found == ["r1"]


def test_old_numbers_go_with_their_runs_and_the_sums_stay(history, archive, keeper):
    fill(history, [400, 40, 1])
    sums = "SELECT * FROM call_rollup ORDER BY simulated, span, start, provider, model"
    before = archive.rows(sums), archive.rows("SELECT * FROM run_rollup ORDER BY start, span")
    policy = RetentionPolicy(texts_days=30, numbers_days=365)
    shown = keeper.preview(policy)
    assert (shown.texts, shown.calls, shown.runs) == (4, 2, 1)
    done = apply(keeper, policy).done
    assert (done.texts, done.calls, done.runs) == (4, 2, 1)
    assert archive.run("r400") is None
    assert archive.count_calls() == 4
    assert archive.count_runs() == 2
    assert archive.page_of_runs(limit=9)["id"].tolist() == ["r1", "r40"]
    after = archive.rows(sums), archive.rows("SELECT * FROM run_rollup ORDER BY start, span")
    assert after == before


def test_the_oldest_texts_go_until_the_file_is_small_enough(history, archive, keeper):
    fill(history, range(60, 0, -1), said="word " * 4_000)
    size = keeper.usage().file_bytes
    policy = RetentionPolicy(most_bytes=size // 2)
    shown = keeper.preview(policy)
    assert shown.texts > 0
    assert shown.calls == 0
    done = apply(keeper, policy).done
    assert done.calls == 0
    assert abs(done.texts - shown.texts) < 60  # an estimate
    usage = keeper.usage()
    assert usage.file_bytes <= size // 2 + 4096 * 4
    kept = [archive.call_text(call) is not None for call in range(1, 121)]
    assert kept == sorted(kept)  # the oldest went
    assert True in kept


def test_the_numbers_go_when_the_texts_are_not_enough(history, archive, keeper):
    fill(history, range(60, 0, -1))
    apply(keeper, RetentionPolicy(most_bytes=1))
    assert archive.count_calls() == archive.count_runs() == 0
    assert archive.rows("SELECT count(*) FROM run_asked") == [(0,)]


def test_what_still_runs_never_goes(history, archive, keeper):
    fill(history, [400, 300, 1], running=(300,))
    policy = RetentionPolicy(texts_days=2, numbers_days=2, most_bytes=1)
    apply(keeper, policy)
    assert archive.page_of_runs(limit=9)["id"].tolist() == ["r300"]
    assert archive.page_of_calls(limit=9)["id"].tolist() == [4, 3]
    assert archive.call_text(3) is not None


def resume(history, age, *, today=0.0, end=True):
    """The run of `age` days ago goes on, with one more call."""

    async def write():
        began = NOW - today * DAY
        run = RunRecord(f"r{age}", RunRequest(f"Plan tea {age}"), "random", False, NOW - age * DAY)
        await history.begin_run(run)
        call = Attempt(history.next_call_id(), 2, "openai", "m", "random", began, run_id=run.id)
        await history.begin(call, (Message("user", "more tea"),))
        await history.end(replace(call, status="ok", latency_ms=9.0), "more")
        if end:
            done = replace(run, status="completed", provider="openai", plan='{"why": "tea"}')
            await history.end_run(replace(done, finished_at=began + 1))

    asyncio.run(write())
    indexed(history)


def test_a_run_stays_whole_as_long_as_one_of_its_calls(history, archive, keeper):
    fill(history, [40])
    resume(history, 40)
    apply(keeper, RetentionPolicy(texts_days=30))
    kept = archive.run("r40")
    assert (kept.goal, kept.plan) == ("Plan tea 40", '{"why": "tea"}')
    apply(keeper, RetentionPolicy(numbers_days=30))
    assert archive.page_of_calls(limit=9)["run_id"].tolist() == ["r40"]
    assert archive.run("r40").goal == "Plan tea 40"
    apply(keeper, RetentionPolicy(numbers_days=-1))  # a day from now
    assert (archive.run("r40"), archive.count_calls()) == (None, 0)


def test_of_a_run_that_goes_on_nothing_goes(history, archive, keeper):
    fill(history, [400])
    resume(history, 400, end=False)
    apply(keeper, RetentionPolicy(texts_days=30, numbers_days=30))
    assert archive.page_of_calls(limit=9)["id"].tolist() == [3, 2, 1]
    assert archive.call_text(1) is not None


def test_the_words_of_a_run_that_asked_nobody_go_by_its_age(history, archive, keeper):
    async def write():
        for age in (40, 1):
            run = RunRecord(f"r{age}", RunRequest("Plan tea"), "random", False, NOW - age * DAY)
            await history.begin_run(run)
            await history.end_run(replace(run, status="failed", finished_at=NOW))

    asyncio.run(write())
    indexed(history)
    policy = RetentionPolicy(texts_days=30)
    assert keeper.preview(policy).goals == 1
    assert apply(keeper, policy).done.goals == 1
    assert (archive.run("r40").goal, archive.run("r1").goal) == ("", "Plan tea")
    found = archive.page_of_runs(limit=9, wanted=RunFilter(text="tea"))["id"].tolist()
    assert found == ["r1"]
    assert not keeper.preview(policy)


def test_a_clock_that_was_wrong_takes_nothing_too_soon(history, archive, keeper):
    fill(history, [40, -400, 39, 1])  # one of them from a year ahead
    apply(keeper, RetentionPolicy(texts_days=30, numbers_days=30))
    kept = archive.page_of_runs(limit=9)["id"].tolist()
    assert kept in (["r1", "r-400"], ["r1", "r39", "r-400"])


def test_nothing_chosen_keeps_everything(history, path, keeper):
    fill(history, [4_000, 1])
    before = everything(path)
    apply(keeper, RetentionPolicy())
    assert everything(path) == before


@pytest.mark.parametrize(
    ("choice", "policy"),
    [
        (None, RetentionPolicy()),
        ("30 days", RetentionPolicy()),
        ({"texts_days": 30}, RetentionPolicy(texts_days=30.0)),
        ({"texts_days": -1, "numbers_days": "x", "most_bytes": True}, RetentionPolicy()),
        ({"texts_days": float("inf"), "most_bytes": 1e9}, RetentionPolicy(most_bytes=10**9)),
    ],
)
def test_what_was_chosen_is_read_with_care(choice, policy):
    assert RetentionPolicy.chosen(choice) == policy
    assert RetentionPolicy.chosen(policy.as_choice()) == policy


def test_the_keeper_applies_what_was_chosen(history, archive, keeper, monkeypatch):
    fill(history, [40, 1])
    monkeypatch.setattr(upkeep, "_AFTER_START", 0.01)
    Choices(history).set("retention", RetentionPolicy(texts_days=30).as_choice())
    made = Upkeep(history, Choices(history), clock=lambda: NOW)
    made.keep()
    until = time.monotonic() + 10
    while archive.call_text(1) and time.monotonic() < until:
        time.sleep(0.01)
    made.close()
    assert archive.call_text(1) is None
    assert archive.call_text(3) is not None


def test_the_disk_gets_its_space_back(history, path, keeper):
    fill(history, range(100, 0, -1), said="word " * 4_000)
    before = keeper.usage()
    done = apply(keeper, RetentionPolicy(texts_days=10)).done
    history.submit(lambda connection: None).result()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    after = keeper.usage()
    assert after.unused_bytes == 0
    assert done.bytes > 0
    assert path.stat().st_size < before.file_bytes / 2


def test_a_slice_holds_the_writer_up_for_a_fraction_of_the_whole(history, keeper, monkeypatch):
    fill(history, range(400, 0, -1), said="many different words " * 400)
    slices = []
    timed = upkeep._timed

    def seen(act, few, connection):
        found, seconds = timed(act, few, connection)
        slices.append(seconds)
        return found, seconds

    monkeypatch.setattr(upkeep, "_timed", seen)
    apply(keeper, RetentionPolicy(texts_days=1, numbers_days=1))
    assert len(slices) > 10
    assert max(slices) < sum(slices) / 4


def steps(connection, act):
    """SQLite's own, in hundreds: what it had to do, however busy the computer is."""
    taken = 0

    def count():
        nonlocal taken
        taken += 1

    connection.set_progress_handler(count, 100)
    act()
    connection.set_progress_handler(None, 0)
    return taken


def test_a_slice_does_not_look_at_every_row(history, path):
    fill(history, [2, 1])
    history.close()
    taken = []
    for rows in (5_000, 40_000):
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            copy_calls(connection, rows)
            acts = (
                lambda c: removal.remove_texts(c, NOW - 1.5 * DAY, 20),
                lambda c: removal.remove_numbers(c, NOW - 1.5 * DAY, 20),
            )
            connection.execute("BEGIN")
            taken.append([steps(connection, partial(act, connection)) for act in acts])
            connection.execute("ROLLBACK")
    for few, many in zip(*taken, strict=True):
        assert many < 2 * few + 30


def copy_calls(connection, until):
    """Of the first call and its text, with ids up to `until`, the times going on."""
    (first,) = connection.execute("SELECT max(id) + 1 FROM call").fetchone()
    numbers = """
        WITH RECURSIVE number(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM number WHERE n < ?)
    """
    connection.execute("INSERT OR REPLACE INTO unindexed VALUES ('call', ?)", (until + 1,))
    names = ", ".join(name for name in CALL_COLUMNS if name not in ("id", "started_at"))
    connection.execute(
        f"""
        {numbers}
        INSERT INTO call (id, started_at, {names})
        SELECT n, started_at + n, {names} FROM number CROSS JOIN call WHERE id = 1
        """,
        (first, until),
    )
    connection.execute(
        f"""
        {numbers}
        INSERT INTO call_text
        SELECT n, request, response FROM number CROSS JOIN call_text WHERE call_id = 1
        """,
        (first, until),
    )


def test_others_write_while_old_records_go(history, archive, keeper):
    fill(history, range(200, 1, -1))
    keeper.start(RetentionPolicy(texts_days=1, numbers_days=1))
    fill(history, [1])
    assert keeper.wait(30).error is None
    assert archive.page_of_runs(limit=9)["id"].tolist() == ["r1"]


def test_a_removal_that_is_stopped_goes_on_another_time(history, archive, keeper):
    fill(history, range(60, 1, -1))
    keeper.start(RetentionPolicy(numbers_days=1))
    keeper.close()
    another = Upkeep(history, Choices(history), clock=lambda: NOW)
    assert apply(another, RetentionPolicy(numbers_days=1)).error is None
    another.close()
    assert archive.count_calls() == 0


def test_a_file_from_before_can_shrink_too(path):
    SqliteHistory.open(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    SqliteHistory.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def test_the_first_row_since_a_moment_is_found_among_gaps(tmp_path):
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("CREATE TABLE call (id INTEGER PRIMARY KEY, started_at REAL)")
        assert first_since(connection, CALLS, 5.0) == 0
        rows = [(3, 1.0), (4, 2.0), (90, 3.0), (91, 3.0), (1_000, 7.0)]
        connection.executemany("INSERT INTO call VALUES (?, ?)", rows)
        for moment in (0.0, 1.0, 1.5, 2.0, 3.0, 3.5, 7.0, 8.0, float("inf")):
            wanted = [key for key, began in rows if began < moment]
            first = first_since(connection, CALLS, moment)
            assert [key for key, _ in rows if key < first] == wanted


# -- copies


def test_a_copy_has_every_row(history, path, keeper, tmp_path):
    fill(history, range(30, 0, -1))
    Choices(history).set("strategy", "priority")
    copy = tmp_path / "copy.db"
    size = keeper.backup(copy)
    assert size == copy.stat().st_size
    assert everything(copy) == everything(path)
    assert sorted(found.name for found in tmp_path.glob("copy*")) == ["copy.db"]

    stream = io.BytesIO()
    assert keeper.backup(stream) == len(stream.getvalue())
    copy.write_bytes(stream.getvalue())
    assert everything(copy) == everything(path)


def test_a_copy_made_while_calls_are_made_is_of_one_moment(history, path, keeper, tmp_path):
    fill(history, range(60, 0, -1), said="word " * 5_000)
    stop = threading.Event()

    def go_on():
        age = 1_000
        while not stop.is_set():
            fill(history, [age])
            age += 1

    other = threading.Thread(target=go_on)
    other.start()
    copies = [tmp_path / f"{number}.db" for number in range(3)]
    for copy in copies:
        keeper.backup(copy)
    stop.set()
    other.join()
    rows = [everything(copy) for copy in copies]
    for before, after in pairwise([*rows, everything(path)]):
        ids = [{row.split(",")[0] for row in some["call_text"]} for some in (before, after)]
        assert ids[0] < ids[1]
    with closing(sqlite3.connect(copies[-1])) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (lone,) = connection.execute(
            "SELECT count(*) FROM call WHERE id NOT IN (SELECT call_id FROM call_text)"
        ).fetchone()
    assert lone == 0


def test_a_copy_that_cannot_be_written_says_so(history, keeper, tmp_path):
    with pytest.raises(HistoryUnavailable, match="could not be copied"):
        keeper.backup(tmp_path / "nowhere" / "copy.db")


def copied_before_its_last_run(path, folder):
    """A copy of a history, and the log that the history's last run had left beside it."""
    copy = folder / "copy.db"
    with closing(SqliteHistory.open(path)) as history:
        fill(history, [3, 2, 1])
        backup.backup(path, copy)
        fill(history, [0])
        return copy, files.beside(path, "-wal").read_bytes()


def test_a_restored_history_is_the_copy_and_the_old_one_is_kept(path, tmp_path):
    copy, _ = copied_before_its_last_run(path, tmp_path)
    with_all, copied = everything(path), everything(copy)

    aside = backup.restore(path, copy)

    assert everything(path) == copied
    assert everything(aside) == with_all
    assert everything(copy) == copied
    with closing(SqliteHistory.open(path)) as history, closing(Archive(path)) as archive:
        assert history.notice is None
        assert archive.count_runs() == 3
        assert archive.count_calls(CallFilter(text="tea")) == 6


def test_a_history_is_restored_where_there_is_none(path, tmp_path):
    with closing(SqliteHistory.open(path)) as history:
        fill(history, [1])
    target = tmp_path / "new" / "console.db"
    assert backup.restore(target, path) is None
    assert everything(target) == everything(path)


def test_the_log_of_a_history_that_was_lost_is_kept_out_of_the_restored_one(path, tmp_path):
    copy, log = copied_before_its_last_run(path, tmp_path)
    path.unlink()
    files.beside(path, "-wal").write_bytes(log)
    assert backup.restore(path, copy) is None
    with closing(SqliteHistory.open(path)) as history, closing(Archive(path)) as archive:
        assert history.notice is None
        assert archive.count_runs() == 3


def test_a_history_in_use_is_not_replaced(history, path, tmp_path):
    copy = tmp_path / "copy.db"
    backup.backup(path, copy)
    before = everything(path)
    with pytest.raises(HistoryInUse):
        backup.restore(path, copy)
    assert everything(path) == before


@pytest.mark.parametrize("what", ["missing", "text", "damaged", "another", "newer", "folder"])
def test_what_is_no_history_is_not_restored(what, path, tmp_path):
    copy = tmp_path / "copy.db"
    with closing(SqliteHistory.open(path)) as history:
        fill(history, range(40, 0, -1))
    if what == "folder":
        copy.mkdir()
    elif what == "text":
        copy.write_text("not a database")
    elif what == "damaged":
        whole = path.read_bytes()
        copy.write_bytes(whole[: len(whole) // 2])
    elif what == "another":
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("CREATE TABLE something (id)")
    elif what == "newer":
        copy.write_bytes(path.read_bytes())
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA user_version = 999")
    before = everything(path)
    with pytest.raises(HistoryTooNew if what == "newer" else NotAHistory):
        backup.restore(path, copy)
    assert everything(path) == before


def test_the_commands_copy_and_put_back(path, tmp_path):
    copy = tmp_path / "copy.db"

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "db.upkeep.upkeep", *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    with closing(SqliteHistory.open(path)) as history:
        fill(history, [2, 1])
        code, said = run("backup", path, copy)
        assert (code, "copied" in said) == (0, True)
        code, said = run("restore", path, copy)
        assert code == 1
        assert "already open" in said
        assert "Traceback" not in said
    assert run("restore", path, copy)[0] == 0
    assert everything(path) == everything(copy)
    code, said = run("size", path)
    assert code == 0
    assert "2 runs and 4 calls" in said
    assert run("backup", tmp_path / "nowhere.db", copy)[0] == 1
    assert run("backup", path)[0] == 2
