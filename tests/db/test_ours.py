"""What is no history of ours is refused in a sentence, and nothing of it is touched."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from core.values.errors import HistoryUnavailable
from db.sqlite import files
from db.sqlite.refusals import NotOurHistory
from db.sqlite.writer import SqliteHistory
from db.upkeep import backup
from tests.db.old_files import SCHEMA_9
from tests.process import ROOT, STREAMLIT, Console

PROSE = "Dear diary, this is no database.\n" * 200


def database(path, *statements, journal="DELETE"):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        for statement in statements:
            connection.execute(statement)


def left_by_a_kill(path, statements):
    """A database whose content is in its log alone."""
    script = f"""
        import os, signal, sqlite3
        connection = sqlite3.connect({str(path)!r}, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript({statements!r})
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert done.returncode == -signal.SIGKILL


def another_sqlite(path):
    database(
        path, "CREATE TABLE note (id INTEGER PRIMARY KEY, text)", "INSERT INTO note VALUES (1, 'x')"
    )


def another_in_wal(path):
    database(path, "CREATE TABLE note (id)", journal="WAL")


def another_after_a_kill(path):
    left_by_a_kill(path, "CREATE TABLE note (id); INSERT INTO note VALUES (1)")


def another_with_our_names(path):
    database(
        path,
        *(f"CREATE TABLE {name} (id)" for name in ("run", "call", "call_text", "setting")),
        "PRAGMA user_version = 3",
    )


def another_with_a_number(path):
    database(path, "PRAGMA application_id = 252006673")


def another_damaged(path):
    another_sqlite(path)
    path.write_bytes(path.read_bytes()[:2000] + b"\xff" * 3000)


def log_of_another(path):
    path.with_name(path.name + "-wal").write_text(PROSE)


def text(path):
    path.write_text(PROSE)


def one_byte(path):
    path.write_bytes(b"\n")


def header_alone(path):
    path.write_bytes(b"SQLite format 3\0")


def our_own_source(path):
    shutil.copy(ROOT / "db" / "schema.py", path)


def zeros(path):
    path.write_bytes(bytes(1 << 16))


def link_to_text(path):
    path.with_name("diary.txt").write_text(PROSE)
    path.symlink_to("diary.txt")


def link_in_a_circle(path):
    path.symlink_to(path)


def folder(path):
    path.mkdir()


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def of_the_system(path):
    path.symlink_to("/proc/self/status")


def listening(path):
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))


FOREIGN = (
    another_sqlite, another_in_wal, another_after_a_kill, another_with_our_names,
    another_with_a_number, another_damaged, log_of_another, text, one_byte, header_alone,
    our_own_source, zeros, link_to_text, link_in_a_circle, folder, pipe, device, of_the_system,
    listening,
)  # fmt: skip


def everything_in(place: Path) -> dict:
    """Names, what they are and when they were written, and what is in the files."""
    return {
        each.name: (
            each.lstat().st_mode,
            each.lstat().st_mtime_ns,
            each.read_bytes() if each.is_file() and not each.is_symlink() else None,
        )
        for each in sorted(place.iterdir())
    }


@pytest.mark.parametrize("make", FOREIGN)
def test_what_is_no_history_is_refused_and_untouched(make, tmp_path):
    make(path := tmp_path / "mine.db")
    before = everything_in(tmp_path)
    with pytest.raises(NotOurHistory, match=r" is( a folder and so)? no history of"):
        SqliteHistory.open(path)
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("make", [text, another_in_wal, link_to_text, pipe, folder])
@pytest.mark.parametrize("password", ["", "a pass phrase"])
def test_the_console_says_so_and_does_not_start(make, password, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    make(path := place / "mine.db")
    before = everything_in(place)
    environment = {"DATABASE_URL": f"sqlite:///{path}", "CONSOLE_PASSWORD": password}
    with Console(tmp_path, environment, wait=False) as console:
        assert console.process.wait(60) == 1
        said = console.log.read_text()
    assert "no history of Manyways's" in said
    assert "DATABASE_URL" in said
    assert "Traceback" not in said
    assert everything_in(place) == before


def test_a_copy_or_a_restored_history_replaces_nothing_else(tmp_path):
    with closing(SqliteHistory.open(tmp_path / "console.db")):
        pass
    text(diary := tmp_path / "diary.txt")
    before = diary.read_bytes()
    with pytest.raises(NotOurHistory):
        backup.restore(diary, tmp_path / "console.db")
    with pytest.raises(NotOurHistory):
        backup.backup(tmp_path / "console.db", diary)
    assert diary.read_bytes() == before
    assert sorted(each.name for each in tmp_path.glob("diary*")) == ["diary.txt"]


def test_another_file_in_its_place_gets_no_writes_while_it_is_in_use(tmp_path):
    path = tmp_path / "console.db"
    with closing(SqliteHistory.open(path)) as history:
        another_sqlite(tmp_path / "other.db")
        before = (tmp_path / "other.db").read_bytes()
        (tmp_path / "other.db").rename(path)
        history._looked = 0.0  # it looks once a second
        waiting = history.submit(lambda connection: connection.execute("SELECT 1").fetchone())
        with pytest.raises(HistoryUnavailable, match="Another file"):
            waiting.result(5)
        assert "Another file" in (history.degraded or "")
    assert path.read_bytes() == before


# -- what is ours


def test_a_history_that_was_killed_before_its_log_was_read_in_is_known(tmp_path):
    path = tmp_path / "console.db"
    rows = "PRAGMA user_version = 9; INSERT INTO setting VALUES ('a', '1')"
    left_by_a_kill(path, SCHEMA_9 + rows)
    with closing(SqliteHistory.open(path)) as history:
        kept = history.submit(lambda c: c.execute("SELECT value FROM setting").fetchone()).result(5)
    assert kept == ("1",)


@pytest.mark.parametrize("make", [None, Path.touch, lambda path: database(path, "VACUUM")])
def test_where_nothing_is_yet_a_history_is_begun(make, tmp_path):
    path = tmp_path / "console.db"
    if make:
        make(path)
    with closing(SqliteHistory.open(path)) as history:
        assert (history.notice, history.next_call_id()) == (None, 1)


def test_a_damaged_history_of_ours_is_known_by_its_header_or_its_lock(tmp_path):
    for name, damage in (
        ("header", lambda b: b[:100] + b"\xff" * 5000),
        ("lock", lambda b: b"?" * 90),
    ):
        path = tmp_path / f"{name}.db"
        SqliteHistory.open(path).close()
        damaged = damage(path.read_bytes())
        path.write_bytes(damaged)
        if name == "header":
            files.beside(path, ".lock").unlink()
        with closing(SqliteHistory.open(path)) as history:
            (aside,) = tmp_path.glob(f"{name}.db.damaged-*Z")
            assert aside.read_bytes() == damaged
            assert aside.name in history.notice


def test_a_damaged_file_that_took_its_place_is_not_taken_for_it(tmp_path):
    path, other = tmp_path / "console.db", tmp_path / "other"
    SqliteHistory.open(path).close()
    other.write_bytes(b"?" * 9000)
    other.replace(path)  # the lock beside it names the one before
    with pytest.raises(NotOurHistory):
        SqliteHistory.open(path)
    assert path.read_bytes() == b"?" * 9000


# -- one history, one console

HOLD = """
import sys, time
from db.sqlite.writer import SqliteHistory
from tests.db.old_files import SCHEMA_9
history = SqliteHistory.open(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
history.close()
"""


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
@pytest.mark.parametrize("first_by_link", [False, True])
def test_by_a_link_two_consoles_do_not_share_a_history(link, first_by_link, tmp_path):
    path, other = tmp_path / "console.db", tmp_path / "elsewhere" / "other.db"
    SqliteHistory.open(path).close()
    other.parent.mkdir()
    link(other, path)
    names = (other, path) if first_by_link else (path, other)

    def opened(name):
        return subprocess.Popen(
            [sys.executable, "-c", HOLD, str(name)], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    with opened(names[0]) as first:
        assert first.stdout.readline() == "open\n"
        with opened(names[1]) as second:
            said = second.communicate()[1]
            assert "already open in another Manyways" in said
        first.communicate()
    with opened(names[1]) as again:
        assert again.stdout.readline() == "open\n"
        again.communicate()
        assert again.returncode == 0


NO_LOCKS = """
#include <errno.h>
#include <sys/file.h>
int flock(int descriptor, int operation) { errno = ENOLCK; return -1; }
"""


@pytest.mark.skipif(not shutil.which("gcc"), reason="the disk without locks is compiled")
def test_where_files_cannot_be_locked_it_says_so(tmp_path):
    library = tmp_path / "nolocks.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-xc", "-", "-o", library],
        input=NO_LOCKS,
        text=True,
        check=True,
    )
    preloaded = {"LD_PRELOAD": str(library)}
    with Console(tmp_path, preloaded, wait=False, command=STREAMLIT) as console:
        assert console.process.wait(60) == 1
        said = console.log.read_text()
    assert "cannot be locked" in said
    assert "already open" not in said
    assert "Traceback" not in said
    assert not console.database.exists()
