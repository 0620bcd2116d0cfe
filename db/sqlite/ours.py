"""The check that a file is a history of Manyways; any other is left untouched.

A file is ours if its header says so or, where an earlier version made it, if it has our tables. A
damaged file can say neither: it is ours if the lock beside it names it as the last one in use.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from db.sqlite import schema_versions
from db.sqlite.refusals import NotOurHistory

APPLICATION_ID = 0x4D414E59  # "MANY", in the header of every history
_COLUMNS: Mapping[str, set[str]] = {
    "run": {"id", "goal", "strategy", "request_digest"},
    "call": {"id", "ordinal", "provider", "latency_ms"},
    "call_text": {"call_id", "request", "response"},
    "setting": {"key", "value"},
}
_MARK = "manyways"
_MAGIC = b"SQLite format 3\0"
_HEADER, _ID_AT = 100, 68  # bytes of SQLite's header, and where in it the number stands


@dataclass(frozen=True, slots=True)
class _Facts:
    application: int
    version: int
    tables: Mapping[str, set[str]]  # names of columns

    @property
    def ours(self) -> bool:
        if self.application:
            return self.application == APPLICATION_ID
        if self.version > schema_versions.CURRENT:  # of whatever shape: it is refused by its number
            return "call" in self.tables
        return self.version > 0 and all(
            columns <= self.tables.get(table, set()) for table, columns in _COLUMNS.items()
        )

    @property
    def blank(self) -> bool:
        return not (self.application or self.version or self.tables)


def check(path: Path) -> bool:
    """Whether there is a history of ours; False: one may be made here. Changes nothing.

    Raises:
        NotOurHistory: something else is there.
        OSError, sqlite3.Error: it cannot be looked at.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return _nothing_yet(path)
    except OSError as error:
        if path.is_symlink():
            raise NotOurHistory(path) from error  # it leads round in a circle
        raise
    if not stat.S_ISREG(found.st_mode):
        raise NotOurHistory(path)
    if not found.st_size and _reads_empty(path):
        return _nothing_yet(path)
    if not _is_ours(path, found.st_ino):
        raise NotOurHistory(path)
    return True


def why_not(path: Path) -> str | None:
    """A sentence where something else is there; what cannot be looked at yet is no reason."""
    with suppress(OSError, sqlite3.Error):
        try:
            check(path)
        except NotOurHistory as error:
            return str(error)
    return None


def mark(lock: int, inode: int) -> None:
    """Note in the lock's file which file is the history, should that no longer be able to say."""
    if os.name == "posix":
        os.truncate(lock, 0)
        os.pwrite(lock, f"{_MARK} {inode}\n".encode(), 0)


def _is_ours(path: Path, inode: int) -> bool:
    facts = _facts_of(path)
    if facts is None or facts.blank:
        facts = _facts_with_log(path) or facts
    if facts is None:
        return _is_marked(path, inode) or _header_is_ours(path)
    return facts.ours or (facts.blank and _header(path).startswith(_MAGIC))


def _nothing_yet(path: Path) -> bool:
    # SQLite empties the logs that lie beside a new file, whoever has written them.
    if any(_is_filled(_beside(path, log)) for log in ("-wal", "-journal")) and not _is_marked(path):
        raise NotOurHistory(path)
    return False


def _reads_empty(path: Path) -> bool:
    """Whether it is; files of the system have no size, and may be full nevertheless."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        return not os.read(descriptor, 1)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def _facts_of(path: Path) -> _Facts | None:
    """As its own pages have it, without its log; None: it is damaged, or no database at all."""
    # "Immutable" leaves no trace: no lock, no log, nothing beside it.
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            return _read(connection)
    except sqlite3.OperationalError:
        if os.access(path, os.R_OK):
            return None
        raise
    except sqlite3.DatabaseError:
        return None


def _facts_with_log(path: Path) -> _Facts | None:
    """As its log has it, which a process that was killed leaves behind; read in a copy."""
    if not _is_filled(_beside(path, "-wal")):
        return None
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        shutil.copyfile(path, copy)
        shutil.copyfile(_beside(path, "-wal"), _beside(copy, "-wal"))
        try:
            with closing(sqlite3.connect(copy)) as connection:
                return _read(connection)
        except sqlite3.DatabaseError:
            return None


def _read(connection: sqlite3.Connection) -> _Facts:
    application, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    )
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    columns = "SELECT name FROM pragma_table_info(?)"
    tables = {
        name: {column for (column,) in connection.execute(columns, (name,))} for (name,) in names
    }
    return _Facts(application, version, tables)


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEADER)


def _header_is_ours(path: Path) -> bool:
    header = _header(path)
    there = header[_ID_AT : _ID_AT + 4] == APPLICATION_ID.to_bytes(4, "big")
    return header.startswith(_MAGIC) and there


def _is_marked(path: Path, inode: int | None = None) -> bool:
    """Whether the lock beside it says that a history of ours was here: that file, if one is."""
    lock = _beside(path, ".lock")
    with suppress(OSError, ValueError):
        if lock.is_file():
            said = lock.read_text(encoding="ascii").split()
            return said[:1] == [_MARK] and (inode is None or said[1:] == [str(inode)])
    return False


def _is_filled(log: Path) -> bool:
    return os.path.lexists(log) and (not log.is_file() or log.stat().st_size > 0)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
