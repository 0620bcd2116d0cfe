"""A line of the spool that cannot be read stops nothing: it is kept aside, and named."""

import json
import sqlite3
import stat
from contextlib import closing

import pytest

from db.lists.queries import Archive
from db.sqlite import files, spool
from db.sqlite.rows import CALL_COLUMNS, RUN_COLUMNS
from db.sqlite.writer import SqliteHistory
from tests.process import Console

CALL = dict.fromkeys(CALL_COLUMNS) | {
    "id": 7,
    "run_id": "r",
    "ordinal": 0,
    "provider": "openai",
    "model": "m",
    "strategy": "priority",
    "status": "ok",
    "http_status": 200,
    "started_at": 1_790_000_000.5,
    "latency_ms": 12.5,
    "simulated": False,
    "config": "",
    "drilled": False,
}
RUN = dict.fromkeys(RUN_COLUMNS) | {
    "id": "r",
    "goal": "Plan it",
    "status": "completed",
    "strategy": "priority",
    "started_at": 1_790_000_000.5,
    "source": "api",
    "simulated": False,
    "options": "{}",
    "request_digest": "d",
}


def line(*tables, encode=json.dumps):
    return encode([list(each) for each in tables]).encode()


def call(**changes):
    return line(("call", list((CALL | changes).values())))


def run(**changes):
    return line(("run", list((RUN | changes).values())))


GOOD = line(("call", list(CALL.values())), ("call_text", [7, "[]", "paid for"]))
BAD = {
    "null": b"null",
    "a number": b"17",
    "a text": b'"call"',
    "a list of numbers": b"[1, 2]",
    "an object": b'{"call": [1]}',
    "an empty pair": b"[[]]",
    "no row": b'[["call", null]]',
    "a row that is an object": b'[["call", {"id": 1}]]',
    "an unknown table": b'[["sqlite_master", [1, 2, 3]]]',
    "a table that is a list": b'[[["call"], [1]]]',
    "too few columns": b'[["call", [1, 2]]]',
    "too many columns": line(("call_text", [8, "[]", "x", 1])),
    "bad UTF-8": b'[["call_text", [8, "[]", "\xff\xfe"]]]',
    "half of a character": rb'[["call_text", [8, "[]", "\ud800"]]]',
    "NUL bytes": bytes(500),
    "a byte order mark": b"\xef\xbb\xbfnull",
    "cut off": b'[["call", [1, "cut o',
    "deep": b"[" * 200_000,
    "deep within": b'[["call", ' + b"[" * 100_000 + b"]" * 100_000 + b"]]",
    "digits without end": b'[["call_text", [' + b"9" * 100_000 + b', "[]", null]]]',
    "an id of more than 64 bits": call(id=1 << 70),
    "an id after which there is none": call(id=(1 << 63) - 1),
    "an id below all others": call(id=-1),
    "an id that is a text": call(id="7"),
    "an id that is true": call(id=True),
    "no id": call(id=None),
    "nested values": call(message=["x"]),
    "a moment that is a text": call(started_at="yesterday"),
    "a moment that is no number": call(started_at=float("nan")),
    "a latency without end": call(latency_ms=float("inf")),
    "an unknown status": call(status="fine"),
    "an unknown kind of error": call(status="failed", error_kind="gremlins"),
    "a flag that is a number": call(simulated=2),
    "a provider that is missing": call(provider=None),
    "options that are no JSON": run(options="{"),
    "options that are a list": run(options="[]"),
    "half of it good": line(("call_text", [9, "[]", "x"]), ("nowhere", [1])),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "console.db"
    SqliteHistory.open(path).close()
    return path


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_line_that_cannot_be_read_is_kept_aside_and_the_rest_is_taken(bad, path):
    last = line(("run", list(RUN.values())))
    spooled = files.beside(path, ".spool.jsonl")
    spooled.write_bytes(b"\n".join([b"", GOOD, bad, b"", last, b""]))

    with closing(SqliteHistory.open(path)) as history:
        (aside,) = path.parent.glob("console.db.spool.jsonl.unread-*Z")
        assert aside.name in history.notice
        assert history.notice.startswith("One outcome")
        assert history.degraded is None
        assert 7 < history.next_call_id() < 1000
        assert [each.id for each in history.recent_attempts(simulated=False)] == [7]
    assert aside.read_bytes() == bad + b"\n"
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert not spooled.exists()
    with closing(Archive(path)) as archive:
        assert archive.call_text(7) == ("[]", "paid for")
        assert archive.run("r").status == "completed"
        assert archive.count_calls() == 1
        assert archive.rows("SELECT count(*) FROM call_text") == [(1,)]


def test_a_line_of_any_length_takes_little_memory(path, monkeypatch):
    monkeypatch.setattr("db.sqlite.spool._LONGEST", 10_000)
    spooled = files.beside(path, ".spool.jsonl")
    huge = b"x" * (5 << 20)
    spooled.write_bytes(b"\n".join([GOOD, huge, run(), huge]))
    with closing(SqliteHistory.open(path)) as history:
        assert history.notice.startswith("2 outcomes")
    (aside,) = path.parent.glob("*.unread-*Z")
    assert aside.read_bytes() == huge + b"\n" + huge + b"\n"
    with closing(Archive(path)) as archive:
        assert (archive.count_calls(), archive.run("r").goal) == (1, "Plan it")


def test_a_row_of_a_version_without_the_last_columns_is_taken(path):
    older = line(("run", list(RUN.values())[:-1]), ("call", list(CALL.values())))
    files.beside(path, ".spool.jsonl").write_bytes(older + b"\n")
    with closing(SqliteHistory.open(path)) as history:
        assert history.notice is None
    with closing(Archive(path)) as archive:
        assert (archive.count_calls(), archive.run("r").goal) == (1, "Plan it")


def test_where_the_disk_is_full_the_spool_stays_as_it_is(path):
    spooled = files.beside(path, ".spool.jsonl")
    long = line(("call", list(CALL.values())), ("call_text", [7, "[]", "x" * 500_000]))
    spooled.write_bytes(GOOD + b"\n" + long + b"\n")
    with closing(files.connect(path, busy_timeout=1)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            spool.replay(connection, spooled)
        assert connection.execute("SELECT count(*) FROM call").fetchone() == (0,)
    assert spooled.read_bytes() == GOOD + b"\n" + long + b"\n"
    assert [*path.parent.glob("*.unread-*")] == []


def test_the_console_starts_all_the_same_and_says_so(tmp_path):
    with Console(tmp_path) as console:
        console.stop()
        files.beside(console.database, ".spool.jsonl").write_bytes(
            b"\n".join([GOOD, *BAD.values(), b"\n"])
        )
    with Console(tmp_path) as console:
        with closing(sqlite3.connect(console.database)) as connection:
            assert connection.execute("SELECT id, status FROM call").fetchall() == [(7, "ok")]
        assert "cannot be read" in console.log.read_text()
        assert "Traceback" not in console.log.read_text()


def test_whoever_else_uses_the_computer_cannot_read_a_spool(path, tmp_path):
    spool.append(tmp_path / "spool", [])
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o600
