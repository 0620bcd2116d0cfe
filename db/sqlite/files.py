"""Opening the history's file: its lock, its health check, its connection."""

from __future__ import annotations

import errno
import os
import sqlite3
import struct
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from db.migrations import MIGRATIONS, migrate, version_of
from db.sqlite import ours
from db.sqlite.refusals import HistoryInUse, HistoryNotLockable, HistoryTooNew

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock_inode(descriptor: int) -> None:
    # A lock of the open file, far behind what SQLite locks: a lock of the process would end with
    # any connection that is closed, and on a network drive one of the whole file bars SQLite.
    if sys.platform == "linux":
        whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 1 << 62, 1, 0)
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, whole)


_QUICKLY_WRITTEN = 64 << 20  # bytes
_CACHE = 8 << 10  # KB a connection keeps: a reader the rollups of three months


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def inode(path: Path) -> int:
    """Which file this is; 0 if there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def hold(path: Path) -> int:
    """Keep other processes from writing until the descriptor that is returned is closed.

    Raises:
        HistoryInUse: another process writes to it.
        HistoryNotLockable: nothing can be locked there.
        OSError: the lock file cannot be made.
    """
    descriptor = os.open(beside(path, ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    _locked(descriptor, path, _lock)
    return descriptor


def hold_inode(path: Path) -> int | None:
    """The same by whatever name the file is opened; it is made if it is missing.

    None: it may only be read, by anybody.

    Raises: as `hold`.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and path.exists():
            return None
        raise
    _locked(descriptor, path, _lock_inode)
    return descriptor


def _locked(descriptor: int, path: Path, lock: Callable[[int], None]) -> None:
    try:
        lock(descriptor)
    except OSError as error:
        if error.errno == errno.EINVAL:  # a kernel that knows no such locks
            return
        os.close(descriptor)
        taken = error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
        raise (HistoryInUse(path) if taken else HistoryNotLockable(path)) from error


def connect(path: Path, *, busy_timeout: float) -> sqlite3.Connection:
    """To write: in autocommit mode, with the schema of this version. The only one per process.

    Raises:
        HistoryTooNew: a later version wrote it; it is left as it is, byte for byte.
        sqlite3.Error: it cannot be opened or written, or is damaged.
    """
    _refuse_newer(path)
    connection = sqlite3.connect(
        path,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        # Of a new file only: what is removed later can be given back to the disk bit by bit.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        if connection.execute("PRAGMA application_id").fetchone()[0] != ours.APPLICATION_ID:
            # Before the log, so that a new file's own first bytes say whose it is.
            connection.execute(f"PRAGMA application_id = {ours.APPLICATION_ID}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA journal_size_limit = {64 << 20}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        migrate(connection)
        _be_able_to_shrink(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _be_able_to_shrink(connection: sqlite3.Connection, path: Path) -> None:
    # A file from before may be written anew for it, if that is quick. In a larger one new calls
    # fill what is unused, and nothing is given back.
    (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    if not mode and path.stat().st_size <= _QUICKLY_WRITTEN:
        with suppress(sqlite3.OperationalError):  # a full disk: then not yet
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("VACUUM")


def wait_for_locks(connection: sqlite3.Connection, seconds: float) -> None:
    """How long SQLite itself waits for a lock of another connection."""
    connection.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Raises: sqlite3.Error: there is no such file, or it cannot be read."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro",
        uri=True,
        timeout=5.0,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_CACHE}")
    return connection


def is_sound(path: Path) -> bool:
    """Whether SQLite finds no damage in it. About 1 s per 100 MB."""
    try:
        with closing(connect_to_read(path)) as connection:
            return finds_no_damage(connection)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        return False


def finds_no_damage(connection: sqlite3.Connection) -> bool:
    try:
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        return False


def set_aside(path: Path) -> Path:
    """Rename a damaged history and what belongs to it; nothing of it is lost."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = beside(path, f".damaged-{moment}")
    for suffix in ("-wal", "-shm", ""):
        if (part := beside(path, suffix)).exists():
            part.rename(beside(aside, suffix))
    return aside


def _refuse_newer(path: Path) -> None:
    # Asked through a connection that only reads: another one would check-point as it closes.
    if not path.is_file() or not path.stat().st_size:
        return
    connection = connect_to_read(path)
    try:
        version = version_of(connection)
    finally:
        connection.close()
    if version > len(MIGRATIONS):
        raise HistoryTooNew(version, len(MIGRATIONS))
