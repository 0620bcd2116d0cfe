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
from db.sqlite import files, ours, schema_versions
from db.sqlite.refusals import NotOurHistory


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
            files.copy(path, target)
            return target.stat().st_size
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            files.copy(path, whole := Path(folder) / "copy.db")
            with whole.open("rb") as copy:
                shutil.copyfileobj(copy, target, 1 << 20)
            return whole.stat().st_size
    except (sqlite3.Error, OSError) as error:
        raise HistoryUnavailable(
            "The history could not be copied.",
            "Check that there is room for the copy and that its folder may be written to.",
        ) from error


def restore(path: Path, copy: Path) -> Path | None:
    """Put `copy` in the history's place; where the one that was there is kept.

    Raises:
        HistoryInUse: Manyways is running with it.
        HistoryTooNew, HistoryTooOld: a version wrote the copy that this one cannot read.
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
        files.copy(copy, arriving)
        aside = _set_aside(path)
        arriving.rename(path)
    finally:
        for descriptor in (lock, of_file):
            if descriptor is not None:
                os.close(descriptor)
    return aside


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
            version = schema_versions.version_of(connection)
    except (sqlite3.Error, NotOurHistory) as error:
        raise NotAHistory(copy) from error
    if not version:  # nothing is in it yet
        raise NotAHistory(copy)
    schema_versions.check(version)


def _set_aside(path: Path) -> Path | None:
    """The old history, its log and what it had spooled, none of which belongs to the new one."""
    there = path.exists()  # without it its log may still be, and would be read into the new one
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = files.beside(path, f".replaced-{moment}")
    for suffix in ("-wal", "-shm", ".spool.jsonl", ".suspect", ""):
        if (part := files.beside(path, suffix)).exists():
            part.rename(files.beside(aside, suffix))
    return aside if there else None
