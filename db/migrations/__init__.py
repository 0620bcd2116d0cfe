"""Brings a history up to the schema of this version, one transaction a step."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from db.migrations import v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11
from db.sqlite.refusals import HistoryTooNew

# Statements, and what takes more than one; the first makes version 1.
Steps = Sequence[str | Callable[[sqlite3.Connection], None]]
MIGRATIONS: tuple[Steps, ...] = (
    v1.STATEMENTS,
    v2.STATEMENTS,
    v3.STATEMENTS,
    v4.STATEMENTS,
    v5.STATEMENTS,
    v6.STATEMENTS,
    v7.STATEMENTS,
    v8.STATEMENTS,
    v9.STATEMENTS,
    v10.STATEMENTS,
    v11.STATEMENTS,
)


def migrate(connection: sqlite3.Connection, migrations: Sequence[Steps] = MIGRATIONS) -> None:
    """Take each step that this database has not had. `connection` is in autocommit mode.

    Raises:
        HistoryTooNew: a later version wrote it; nothing was changed.
    """
    version = version_of(connection)
    if version > len(migrations):
        raise HistoryTooNew(version, len(migrations))
    for number, steps in enumerate(migrations[version:], start=version + 1):
        _take(connection, number, steps)


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _take(connection: sqlite3.Connection, number: int, steps: Steps) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in steps:
            if callable(step):
                step(connection)
            else:
                connection.execute(step)
        connection.execute(f"PRAGMA user_version = {number}")
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")
