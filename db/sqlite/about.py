"""The SQLite that runs here, and what is known to be wrong with it."""

from __future__ import annotations

import sqlite3

_SOUND = (3, 51, 3)


def sqlite_version() -> str:
    return sqlite3.sqlite_version


def sqlite_note() -> str | None:
    """One sentence on a bug of this version that is worth knowing; None for a sound one."""
    if sqlite3.sqlite_version_info >= _SOUND:
        return None
    return (
        "SQLite before 3.51.3 can damage a file that two connections write at the same moment. "
        "Manyways writes through one alone; let no other program write into the file."
    )
