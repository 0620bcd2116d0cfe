"""Backup into one file while the history is in use, and restore."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from core.values.errors import HistoryUnavailable, ManywaysError
from db.migrations import MIGRATIONS, version_of
from db.sqlite import files, ours
from db.sqlite.refusals import HistoryTooNew, NotOurHistory

_PAGES = 1_000  # copied at once


class NotAHistory(ManywaysError):
    """The file to restore is not a whole history."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name} is not a whole Manyways history; nothing was changed.")


def backup(path: Path, target: Path | BinaryIO) -> int:
    """Copy the history as it is now, while others read and write; the bytes of the copy.

    A file that is there is replaced, once the copy is whole.

    Raises:
        HistoryUnavailable: the history cannot be read, or the copy cannot be written.
        NotOurHistory: one of the two is something else, and was left as it is.
    """
    try:
        ours.check(path)
        if isinstance(target, Path):
            ours.check(target)
            return _backup_to(path, target)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            size = _backup_to(path, whole := Path(folder) / "copy.db")
            with whole.open("rb") as copy:
                shutil.copyfileobj(copy, target, 1 << 20)
            return size
    except (sqlite3.Error, OSError) as error:
        raise HistoryUnavailable(
            "The history could not be copied.",
            "Check that there is room for the copy and that its folder may be written to.",
        ) from error


def restore(path: Path, copy: Path) -> Path | None:
    """Put `copy` in the history's place; where the one that was there is kept.

    Raises:
        HistoryInUse: Manyways is running with it.
        HistoryTooNew: a later version wrote the copy.
        NotAHistory: the copy is damaged or something else.
        NotOurHistory: what is in its place is something else, and was left as it is.
        OSError: the copy cannot be read, or the folder cannot be written to.
    """
    _examine(copy)
    path = Path(os.path.realpath(path))
    there = _is_there(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = files.hold(path)
    of_file = files.hold_inode(path) if there else None
    try:
        arriving = files.beside(path, ".restoring")
        arriving.unlink(missing_ok=True)
        _backup_to(copy, arriving)
        aside = _set_aside(path)
        arriving.rename(path)
    finally:
        for descriptor in (lock, of_file):
            if descriptor is not None:
                os.close(descriptor)
    return aside


def _backup_to(path: Path, target: Path) -> int:
    arriving = files.beside(target, ".part")
    arriving.unlink(missing_ok=True)
    try:
        with (
            closing(files.connect_to_read(path)) as source,
            closing(sqlite3.connect(arriving, isolation_level=None)) as copy,
        ):
            # Within a transaction it copies what there was at its begin; without one it would
            # begin anew at each commit of the writer's, and never end.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(copy, pages=_PAGES, sleep=0)
            source.execute("ROLLBACK")
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        with arriving.open("rb+") as written:
            os.fsync(written.fileno())
        arriving.replace(target)
    finally:
        arriving.unlink(missing_ok=True)
    return target.stat().st_size


def _is_there(path: Path) -> bool:
    try:
        return ours.check(path)
    except NotOurHistory:
        if path.exists():
            raise
    return False  # only the log of one that was lost, which is set aside


def _examine(copy: Path) -> None:
    try:
        if not ours.check(copy) or not files.is_sound(copy):
            raise NotAHistory(copy)
        with closing(files.connect_to_read(copy)) as connection:
            version = version_of(connection)
    except (sqlite3.Error, NotOurHistory) as error:
        raise NotAHistory(copy) from error
    if not version:  # nothing is in it yet
        raise NotAHistory(copy)
    if version > len(MIGRATIONS):
        raise HistoryTooNew(version, len(MIGRATIONS))


def _set_aside(path: Path) -> Path | None:
    """The old history, its log and what it had spooled, none of which belongs to the new one."""
    there = path.exists()  # without it its log may still be, and would be read into the new one
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = files.beside(path, f".replaced-{moment}")
    for suffix in ("-wal", "-shm", ".spool.jsonl", ".suspect", ""):
        if (part := files.beside(path, suffix)).exists():
            part.rename(files.beside(aside, suffix))
    return aside if there else None
