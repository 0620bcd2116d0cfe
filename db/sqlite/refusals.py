"""The errors of a history that cannot be opened or written, with what helps."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from core.values.errors import HistoryUnavailable, ManywaysError

_ACCESS = "Give Manyways access to its data folder"
# What is the matter, by SQLite's code, and what helps.
_REASONS = {
    sqlite3.SQLITE_FULL: ("The disk is full", "Free some space"),
    sqlite3.SQLITE_READONLY: (
        "The history's file is read-only",
        "Let Manyways write to its data folder",
    ),
    **dict.fromkeys(
        (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED),
        ("Another program keeps the history's file locked", "Close the other program"),
    ),
    sqlite3.SQLITE_IOERR: ("The disk reports errors", "Check the disk"),
    sqlite3.SQLITE_CANTOPEN: ("The history's file cannot be opened", _ACCESS),
    **dict.fromkeys(
        (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
        (
            "The history's file is damaged",
            "Start Manyways again, which sets that file aside and begins a new one",
        ),
    ),
}
_OTHERWISE = ("The history's folder cannot be written to", _ACCESS)
_TAKEN = "Another file has taken the history's place, so no new run can start."


class HistoryInUse(ManywaysError):
    """Another process writes to this history."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path.name} is already open in another Manyways; "
            "close that one, or set DATABASE_URL to another file."
        )


class HistoryNotLockable(ManywaysError):
    """Where it lies files cannot be locked, so that two processes could write to it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path.name} lies on a disk on which files cannot be locked, as network drives and "
            "shared folders at times are; set DATABASE_URL to a file on this computer's own disk."
        )


class NotOurHistory(ManywaysError):
    """Something else is where the history should be; it is left untouched."""

    def __init__(self, path: Path) -> None:
        what = "is a folder and so" if path.is_dir() else "is"
        super().__init__(
            f"{path.name or path} {what} no history of Manyways's, so it was left as it is; "
            "set DATABASE_URL to another file, or to one that is not there yet."
        )


class HistoryTooNew(ManywaysError):
    """The history was written by a later version; it is left untouched."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"This history was written by a newer Manyways (format {found}; this one knows "
            f"{known}); update Manyways, or set DATABASE_URL to another file."
        )


class HistoryTooOld(ManywaysError):
    """The history was written by a version before those that can be read; it is left untouched."""

    def __init__(self, found: int, oldest: int) -> None:
        super().__init__(
            f"This history was written by an early Manyways (format {found}; this one reads "
            f"{oldest} and later); open it once with Manyways 1.0, which brings it up to date, or "
            "set DATABASE_URL to another file."
        )


def is_locked(error: Exception) -> bool:
    """Whether another program is in the way, which passes."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_the_disks(error: Exception) -> bool:
    """Whether the file or its disk is at fault, not what was to be written."""
    ours = isinstance(error, OSError | ManywaysError)
    return ours or is_locked(error) or _code(error) in _REASONS


def in_words(error: Exception) -> str:
    if isinstance(error, ManywaysError):
        return _TAKEN
    return _sentence(_REASONS.get(_code(error), _OTHERWISE)[0])


def unavailable(said: str | None) -> HistoryUnavailable:
    """`said` is a sentence of `in_words`, where there is one."""
    helps = _HELPS.get(said or "", "Look into the log")
    return HistoryUnavailable(
        said or "The history cannot be written, so nothing was asked.", f"{helps}, then try again."
    )


def _sentence(reason: str) -> str:
    return f"{reason}, so no new run can start; answers already given are kept."


def _code(error: Exception) -> int:
    """SQLite's primary result code, 0 where there is none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


_HELPS = {
    _TAKEN: "Start Manyways again",
    **{_sentence(reason): action for reason, action in (*_REASONS.values(), _OTHERWISE)},
}
