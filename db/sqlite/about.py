"""The version of SQLite that runs here, and its known bugs."""

from __future__ import annotations

import sqlite3

from core.values.ports import Database

_SOUND = (3, 51, 3)
_NOTE = (
    "SQLite before 3.51.3 can damage a file that two connections write at the same moment. "
    "Manyways writes through one alone; let no other program write into the file."
)


def database() -> Database:
    note = None if sqlite3.sqlite_version_info >= _SOUND else _NOTE
    return Database("SQLite", sqlite3.sqlite_version, note)
