"""The writer: what was acknowledged is there, whatever happens to the process or the disk."""

import asyncio
import json
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import db.sqlite.writer
from core.values.calls import Attempt, Message, Usage
from core.values.errors import HistoryUnavailable
from core.values.outcomes import ErrorKind
from core.values.runs import RunRecord, RunRequest
from db.lists.queries import Archive
from db.sqlite.refusals import HistoryInUse
from db.sqlite.writer import SqliteHistory

resource = pytest.importorskip("resource")  # a full disk is made with it
ROOT = Path(__file__).resolve().parents[2]
HELLO = (Message("system", "You plan."), Message("user", "Plan this task"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "console.db"


@pytest.fixture
def history(path):
    opened = SqliteHistory.open(path)
    yield opened
    opened.close()


@pytest.fixture
def impatient(monkeypatch):
    for name, seconds in (
        ("_BUSY_TIMEOUT", 0.05),
        ("_INTENT_WAITS", 0.6),
        ("_OUTCOME_WAITS", 0.2),
        ("_RETRY_EVERY", 0.05),
    ):
        monkeypatch.setattr(db.sqlite.writer, name, seconds)


@pytest.fixture
def full_disk():
    """A disk that takes not one byte more in files of over 16 KB; small ones still grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(on):
        resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 10 if on else soft, hard))

    yield limit
    limit(False)


def attempt(history, provider="openai", **changes):
    made = Attempt(
        history.next_call_id(), 0, provider, "gpt-4o", "priority", 1_790_000_000.123456, run_id="r"
    )
    return replace(made, **changes)


def answered(begun, **changes):
    return replace(
        begun, status="ok", latency_ms=1890.25, http_status=200, usage=Usage(10, 20, 5), **changes
    )


def run_record(run_id="r", idempotency_key=None, **changes):
    request = RunRequest("Plan it", source="ui", idempotency_key=idempotency_key)
    return RunRecord(run_id, request, "priority", False, 1_790_000_000.5, **changes)


def wait_for(condition, seconds=5.0):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


class Locked:
    """Another program that keeps the history's file locked."""

    def __init__(self, path):
        self._connection = sqlite3.connect(path, isolation_level=None)

    def __enter__(self):
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_):
        self._connection.close()


# -- what is written


def test_a_call_is_in_the_file_before_its_first_byte_and_its_outcome_before_it_is_shown(
    path, history
):
    archive = Archive(path)
    begun = attempt(history)

    async def call():
        await history.begin(begun, HELLO)
        assert archive.call(begun.id) == begun
        request, response = archive.call_text(begun.id)
        assert [message["content"] for message in json.loads(request)] == [
            "You plan.",
            "Plan this task",
        ]
        assert response is None
        done = answered(begun, cost_usd=0.01, ttft_ms=80.5, request_id="req_1", retry_after=None)
        await history.end(done, "The plan")
        assert archive.call(begun.id) == done
        assert archive.call_text(begun.id) == (request, "The plan")

    asyncio.run(call())


def test_a_failure_keeps_its_reason_and_the_request(path, history):
    begun = attempt(history, step=2, simulated=True, config="a1b2")
    done = replace(
        begun,
        status="failed",
        error_kind=ErrorKind.RATE_LIMITED,
        http_status=429,
        message="Slow down",
        latency_ms=12.0,
        retry_after=30.0,
    )

    async def call():
        await history.begin(begun, HELLO)
        await history.end(done, None)

    asyncio.run(call())
    assert Archive(path).call(begun.id) == done
    assert "Plan this task" in Archive(path).call_text(begun.id)[0]


def test_a_run_comes_back_as_it_was_written(path, history):
    record = run_record(idempotency_key="k")
    ended = replace(
        record,
        status="completed",
        provider="openai",
        model="gpt-4o",
        finished_at=1_790_000_002.5,
        plan='{"steps": []}',
    )

    async def both():
        await history.begin_run(record)
        assert Archive(path).run("r").status == "running"
        await history.end_run(ended)

    asyncio.run(both())
    stored = Archive(path).run("r")
    assert replace(stored, request=record.request) == ended
    assert replace(stored.request, idempotency_key="k") == record.request
    assert Archive(path).run_by_idempotency_key("k") == stored
    assert Archive(path).run_by_idempotency_key("another") is None


def test_the_idempotency_key_itself_is_not_kept(path, history):
    async def begin():
        await history.begin_run(run_record(idempotency_key="sk-looks-like-a-secret"))

    asyncio.run(begin())
    history.close()
    assert b"sk-looks" not in path.read_bytes()


@pytest.mark.parametrize(
    "text",
    ["nul \0 inside", "emoji \U0001f469‍\U0001f4bb", "‮right to left", "'; DROP TABLE call; --"],
)
def test_hostile_text_round_trips(text, path, history):
    begun = attempt(history)

    async def call():
        await history.begin_run(run_record(error=text))
        await history.begin(begun, (Message("user", text),))
        await history.end(answered(begun, message=text), text)

    asyncio.run(call())
    request, response = Archive(path).call_text(begun.id)
    assert json.loads(request)[0]["content"] == text
    assert response == text
    assert Archive(path).call(begun.id).message == text
    assert Archive(path).run("r").error == text


def test_lone_surrogates_are_escaped_not_dropped(path, history):
    begun = attempt(history)

    async def call():
        await history.begin(begun, (Message("user", "half \ud83d of it"),))
        await history.end(answered(begun), "half \ud83d of it")

    asyncio.run(call())
    request, response = Archive(path).call_text(begun.id)
    assert json.loads(request)[0]["content"] == "half \ud83d of it"
    assert response == r"half \ud83d of it"


def test_a_count_that_64_bits_cannot_hold_is_unknown(path, history):
    begun = attempt(history)

    async def call():
        await history.begin(begun, HELLO)
        await history.end(replace(answered(begun), usage=Usage(10**30, 5)), "x")

    asyncio.run(call())
    assert Archive(path).call(begun.id).usage == Usage(None, 5)


def test_no_secret_reaches_the_file(path):
    history = SqliteHistory.open(path, redact=lambda text: text.replace("sk-canary", "***"))
    begun = attempt(history, model="sk-canary")
    record = run_record(error="sk-canary", plan="sk-canary", model="sk-canary")
    record = replace(record, request=RunRequest("sk-canary", context="sk-canary"))

    async def call():
        await history.begin_run(record)
        await history.begin(begun, (Message("user", "my key is sk-canary"),))
        await history.end(answered(begun, message="sk-canary", request_id="sk-canary"), "sk-canary")

    asyncio.run(call())
    wal = path.with_name("console.db-wal").read_bytes()
    history.close()
    assert b"canary" not in wal
    assert b"canary" not in path.read_bytes()
    assert Archive(path).call_text(begun.id)[1] == "***"


def test_a_record_that_cannot_be_stored_takes_no_other_down(path, history):
    good, bad = attempt(history), attempt(history, ordinal=10**30)

    async def both():
        return await asyncio.gather(
            history.begin(good, HELLO), history.begin(bad, HELLO), return_exceptions=True
        )

    fine, refused = asyncio.run(both())
    assert fine is None
    assert isinstance(refused, HistoryUnavailable)
    assert Archive(path).call(good.id) == good
    assert history.degraded is None


def test_many_at_once_are_all_there_with_ids_of_their_own(path, history):
    async def one():
        begun = attempt(history)
        await history.begin(begun, HELLO)
        await history.end(answered(begun), "x" * 1000)
        return begun.id

    async def many():
        return await asyncio.gather(*(one() for _ in range(300)))

    ids = []
    threads = [threading.Thread(target=lambda: ids.extend(asyncio.run(many()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids) == list(range(1, 901))
    assert Archive(path).totals(simulated=False) == {"openai": (900, 0, 900 * 1890.25)}


def test_a_caller_that_has_gone_disturbs_nobody(path, history):
    begun = attempt(history)

    async def leave():
        history.begin(begun, HELLO).cancel()
        history.begin(attempt(history), HELLO)

    asyncio.run(leave())
    assert history.submit(lambda connection: "still there").result(5) == "still there"
    assert Archive(path).call(begun.id) == begun


def test_what_the_writer_is_asked_to_do_fails_alone(history):
    def breaks(connection):
        raise KeyError("ours")

    with pytest.raises(KeyError):
        history.submit(breaks).result(5)
    assert history.submit(lambda connection: 1).result(5) == 1


# -- stopping, by whatever means


def test_closing_commits_what_waits_and_leaves_one_file(path, history):
    begun = attempt(history)

    async def begin():
        waiting = history.begin(begun, HELLO)
        await asyncio.to_thread(history.close)
        await waiting
        with pytest.raises(HistoryUnavailable):
            await history.end(answered(begun), "too late")

    asyncio.run(begin())
    assert not path.with_name("console.db-wal").exists()
    assert sorted(file.name for file in path.parent.iterdir()) == ["console.db", "console.db.lock"]


def test_a_restart_goes_on_counting_and_marks_what_was_cut_off(path, history):
    first, second = attempt(history), attempt(history)

    async def begin():
        await history.begin_run(run_record())
        await history.begin(first, HELLO)
        await history.end(answered(first), "x")
        await history.begin(second, HELLO)

    asyncio.run(begin())
    history.close()
    again = SqliteHistory.open(path)
    assert again.next_call_id() == 3
    again.close()

    archive = Archive(path)
    assert archive.call(first.id).status == "ok"
    cut_off = archive.call(second.id)
    assert (cut_off.status, cut_off.error_kind) == ("interrupted", ErrorKind.INTERRUPTED)
    assert cut_off.message
    run = archive.run("r")
    assert (run.status, run.error_kind) == ("interrupted", "interrupted")
    assert run.finished_at == run.started_at  # the last sign of life that is known
    assert archive.calls_of("r") == [archive.call(first.id), cut_off]


KILLED = textwrap.dedent("""
    import asyncio, sys, time
    from dataclasses import replace
    from core.values.calls import Attempt, Message
    from db.sqlite.writer import SqliteHistory

    def say(*words):
        sys.stdout.write(" ".join(map(str, words)) + "\\n")
        sys.stdout.flush()

    async def worker(history):
        while True:
            begun = Attempt(history.next_call_id(), 0, "openai", "m", "random", time.time())
            await history.begin(begun, (Message("user", "x" * 500),))
            say("begun", begun.id)
            await history.end(replace(begun, status="ok", latency_ms=1.0), f"answer {begun.id}")
            say("ended", begun.id)

    async def main():
        history = SqliteHistory.open(sys.argv[1])
        await asyncio.gather(*(worker(history) for _ in range(int(sys.argv[2]))))

    asyncio.run(main())
""")


@pytest.mark.parametrize("workers", ["1", "8"])
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(workers, path):
    acknowledged = {"begun": set(), "ended": set()}
    for life in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), workers],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            for number, line in enumerate(process.stdout):
                if line.endswith("\n"):
                    what, call_id = line.split()
                    acknowledged[what].add(int(call_id))
                if number == 40 + 37 * life:
                    process.send_signal(signal.SIGKILL)

    SqliteHistory.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("""
            SELECT id, status, response FROM call JOIN call_text ON call_id = id ORDER BY id
        """).fetchall()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    stored = {call_id: (status, response) for call_id, status, response in rows}
    assert len(acknowledged["ended"]) > 100
    assert acknowledged["begun"] <= stored.keys()
    assert all(stored[call_id] == ("ok", f"answer {call_id}") for call_id in acknowledged["ended"])
    assert {status for status, _ in stored.values()} <= {"ok", "interrupted"}


def test_whoever_begins_a_call_is_not_held_up_by_what_the_writer_is_doing(path, history):
    doing, may_end = threading.Event(), threading.Event()

    def takes_long(connection):
        doing.set()
        may_end.wait(10)

    async def begin():
        history.submit(takes_long)
        doing.wait(10)
        begun = attempt(history)
        waiting = history.begin(begun, HELLO)
        assert not waiting.done()
        may_end.set()
        await waiting
        assert Archive(path).call(begun.id) == begun

    asyncio.run(begin())


def test_the_disk_is_waited_for_by_outcomes_alone(path, history):
    def in_force():
        names = ("synchronous", "busy_timeout", "wal_autocheckpoint")
        return [history._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    async def call():
        begun = attempt(history)
        await history.begin(begun, HELLO)
        assert in_force() == [1, 0, 0]
        await history.end(answered(begun), "x")
        assert in_force() == [2, 0, 0]

    asyncio.run(call())


def test_an_outcome_reaches_the_disk_itself_before_it_is_acknowledged(history):
    levels = []
    asked = history._synchronise

    async def call():
        history._synchronise = lambda level: (levels.append(level), asked(level))
        begun = attempt(history)
        await history.begin(begun, HELLO)
        await history.end(answered(begun), "x")

    asyncio.run(call())
    assert levels[:2] == ["NORMAL", "FULL"]
    assert history.submit(
        lambda connection: connection.execute("PRAGMA synchronous").fetchone()
    ).result(5) == (2,)


def test_a_second_process_is_told_so_in_a_sentence(path, history):
    script = f"from db.sqlite.writer import SqliteHistory; SqliteHistory.open({str(path)!r})"
    other = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert other.returncode == 1
    assert "HistoryInUse: console.db is already open in another Manyways" in other.stderr
    with pytest.raises(HistoryInUse):
        SqliteHistory.open(path)
    history.close()
    SqliteHistory.open(path).close()


# -- when the disk says no


def test_on_a_full_disk_nothing_is_asked_and_answers_already_paid_for_are_kept(
    path, history, full_disk, impatient
):
    begun = attempt(history)
    archive = Archive(path)

    async def during():
        await history.begin_run(run_record())
        await history.begin(begun, HELLO)
        full_disk(True)
        await history.end(answered(begun), "paid for")
        await history.end_run(run_record(status="completed"))
        with pytest.raises(HistoryUnavailable, match="no new run can start"):
            await history.begin(attempt(history), HELLO)

    asyncio.run(during())
    assert history.degraded
    assert archive.call(begun.id).status == "running"
    spool = path.with_name("console.db.spool.jsonl")
    assert "paid for" in spool.read_text()

    full_disk(False)
    assert wait_for(lambda: history.degraded is None and not spool.exists())
    assert archive.call(begun.id) == answered(begun)
    assert archive.call_text(begun.id)[1] == "paid for"
    assert archive.run("r").status == "completed"


def test_what_was_spooled_outlives_the_process(path, history, full_disk, impatient):
    begun = attempt(history)

    async def during():
        await history.begin(begun, HELLO)
        full_disk(True)
        await history.end(answered(begun), "paid for")

    asyncio.run(during())
    history.close()
    full_disk(False)
    spool = path.with_name("console.db.spool.jsonl")
    with spool.open("a") as file:
        file.write('\n[["call", [1, "cut o')

    SqliteHistory.open(path).close()

    assert not spool.exists()
    assert Archive(path).call(begun.id) == answered(begun)
    assert "Plan this task" in Archive(path).call_text(begun.id)[0]


def test_with_no_spool_either_the_answer_waits_in_memory(path, history, full_disk, impatient):
    begun = attempt(history)
    spool = path.with_name("console.db.spool.jsonl")
    spool.mkdir()

    async def during():
        await history.begin(begun, HELLO)
        full_disk(True)
        await history.end(answered(begun), "paid for")

    asyncio.run(during())
    spool.rmdir()
    full_disk(False)
    assert wait_for(lambda: history.degraded is None)
    assert Archive(path).call(begun.id) == answered(begun)


def test_a_short_lock_of_another_program_is_waited_for_quietly(path, history, impatient):
    begun = attempt(history)

    async def during():
        waiting = history.begin(begun, HELLO)
        await asyncio.sleep(0.2)
        assert not waiting.done()
        return waiting

    async def whole():
        with Locked(path):
            waiting = await during()
        await waiting

    asyncio.run(whole())
    assert history.degraded is None
    assert Archive(path).call(begun.id) == begun


def test_a_long_lock_spools_outcomes_and_turns_intents_away(path, history, impatient):
    begun = attempt(history)

    async def during():
        await history.begin(begun, HELLO)
        with Locked(path):
            intent = history.begin(attempt(history), HELLO)
            await history.end(answered(begun), "paid for")
            assert history.degraded.startswith("Another program")
            with pytest.raises(HistoryUnavailable, match="Another program") as refused:
                await intent
            assert refused.value.action == "Close the other program, then try again."

    asyncio.run(during())
    assert history._requests == {}  # of those who were turned away nothing is kept
    assert wait_for(lambda: history.degraded is None)
    assert Archive(path).call(begun.id) == answered(begun)


def test_closing_while_locked_out_spools_what_waits(path, history):
    begun = attempt(history)

    async def during():
        await history.begin(begun, HELLO)
        with Locked(path):
            end = history.end(answered(begun), "paid for")
            await asyncio.to_thread(history.close)
            await end

    asyncio.run(during())
    SqliteHistory.open(path).close()
    assert Archive(path).call(begun.id) == answered(begun)


def test_a_place_that_cannot_be_written_to_starts_degraded_and_recovers(tmp_path, impatient):
    place = tmp_path / "data"
    place.write_text("in the way")
    history = SqliteHistory.open(place / "console.db")
    assert history.degraded
    assert history.recent_attempts(simulated=False) == []
    assert history.totals(simulated=False) == {}
    with pytest.raises(HistoryUnavailable):
        history.next_call_id()

    place.unlink()
    assert wait_for(lambda: history.degraded is None)
    begun = attempt(history)

    async def begin():
        await history.begin(begun, HELLO)

    asyncio.run(begin())
    history.close()
    assert Archive(place / "console.db").call(begun.id).status == "running"


def test_a_file_that_is_moved_away_gets_no_more_writes(path, history):
    async def begin():
        begun = attempt(history)
        await history.begin(begun, HELLO)
        return begun

    archive = Archive(path)
    asyncio.run(begin())
    assert archive.count_calls() == 1
    moved = path.with_name("moved.db")
    path.rename(moved)
    history._looked = 0.0  # it looks once a second
    last = asyncio.run(begin())
    assert archive.call(last.id) == last
    assert archive.count_calls() == 1


# -- damage


def damaged(how, path):
    content = path.read_bytes()
    if how == "header":
        path.write_bytes(b"x" * 100 + content[100:])
    elif how == "middle":
        path.write_bytes(content[: 4096 * 2] + b"\xff" * 4096 * 4 + content[4096 * 6 :])
    elif how == "cut off":
        path.write_bytes(content[: 4096 * 3])
    return path.read_bytes()


@pytest.mark.parametrize("how", ["header", "middle", "cut off"])
def test_a_damaged_file_is_set_aside_whole_and_a_new_one_is_begun(how, path, history):
    async def fill():
        for _ in range(20):
            begun = attempt(history)
            await history.begin(begun, HELLO)
            await history.end(answered(begun), "x" * 2000)

    asyncio.run(fill())
    history.close()
    content = damaged(how, path)

    again = SqliteHistory.open(path)
    assert again.next_call_id() == 1
    again.close()
    (aside,) = path.parent.glob("console.db.damaged-*Z")
    assert re.search(r"damaged-\d{8}T\d{6}Z$", aside.name)
    assert aside.name in again.notice
    assert aside.read_bytes() == content


def test_a_large_damaged_file_is_found_in_use_and_set_aside_at_the_next_start(
    path, history, monkeypatch
):
    async def fill():
        for _ in range(20):
            begun = attempt(history)
            await history.begin(begun, HELLO)
            await history.end(answered(begun), "x" * 2000)

    asyncio.run(fill())
    history.close()
    content = path.read_bytes()
    path.write_bytes(content[:-4096] + b"\xff" * 4096)
    monkeypatch.setattr(db.sqlite.writer, "_CHECKED_AT_ONCE", 1000)

    again = SqliteHistory.open(path)
    assert wait_for(lambda: again.notice)
    again.close()
    once_more = SqliteHistory.open(path)
    once_more.close()
    assert "kept as" in once_more.notice
    assert not path.with_name("console.db.suspect").exists()


def test_an_empty_file_is_a_new_history(path):
    path.parent.mkdir()
    path.touch()
    history = SqliteHistory.open(path)
    assert (history.notice, history.next_call_id()) == (None, 1)
    history.close()


def test_who_reads_while_it_stops_is_broken_off_and_leaves_nothing_behind(path, history):
    archive = Archive(path)
    archive.version()
    told = []

    def read_for_ever():
        try:
            archive.rows(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                " SELECT count(*) FROM n, call WHERE i < 0"
                " UNION ALL SELECT count(*) FROM n"
            )
        except HistoryUnavailable as error:
            told.append(error)

    reader = threading.Thread(target=read_for_ever)
    reader.start()
    assert wait_for(lambda: archive._in_use)
    archive.stop()
    history.close()
    reader.join(5)
    assert told
    assert sorted(file.name for file in path.parent.iterdir()) == ["console.db", "console.db.lock"]
    with pytest.raises(HistoryUnavailable):
        archive.version()
