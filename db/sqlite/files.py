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

from db.sqlite import ours, schema_versions
from db.sqlite.refusals import HistoryInUse, HistoryNotLockable

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
_PAGES = 1_000  # copied at once
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

    A file of an earlier version is copied before it is brought up to this one.

    Raises:
        HistoryTooNew: a later version wrote it; it is left as it is, byte for byte.
        HistoryTooOld: so is one of a version that can no longer be read.
        sqlite3.Error: it cannot be opened or written, or is damaged.
    """
    version = _version_of(path)
    schema_versions.check(version)
    if 0 < version < schema_versions.CURRENT:
        copy(path, beside(path, f".before-{schema_versions.CURRENT}"))
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
        schema_versions.bring_up(connection)
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


def copy(path: Path, target: Path) -> None:
    """The history as it is now in one file, while others read and write; its owner's alone.

    A file that is there is replaced, once the copy is whole.

    Raises: sqlite3.Error, OSError: it cannot be read, or the copy cannot be written.
    """
    arriving = beside(target, ".part")
    arriving.unlink(missing_ok=True)
    try:
        os.close(os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with (
            closing(connect_to_read(path)) as source,
            closing(sqlite3.connect(arriving, isolation_level=None)) as copied,
        ):
            # Within a transaction it copies what there was at its begin; without one it would
            # begin anew at each commit of the writer's, and never end.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(copied, pages=_PAGES, sleep=0)
            source.execute("ROLLBACK")
            copied.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        with arriving.open("rb+") as written:
            os.fsync(written.fileno())
        arriving.replace(target)
    finally:
        arriving.unlink(missing_ok=True)


def _version_of(path: Path) -> int:
    # Asked through a connection that only reads: another one would check-point as it closes.
    if not path.is_file() or not path.stat().st_size:
        return 0
    with closing(connect_to_read(path)) as connection:
        return schema_versions.version_of(connection)
