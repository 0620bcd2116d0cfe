"""Brings a history up to the schema of this version, one transaction a step."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from db.errors import HistoryTooNew
from db.migrations import v1, v2, v3

# Statements; the first makes version 1.
MIGRATIONS: tuple[Sequence[str], ...] = (
    v1.STATEMENTS,
    v2.STATEMENTS,
    v3.STATEMENTS,
)


def migrate(
    connection: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS
) -> None:
    """Take each step that this database has not had. `connection` is in autocommit mode.

    Raises:
        HistoryTooNew: a later version wrote it; nothing was changed.
    """
    version = version_of(connection)
    if version > len(migrations):
        raise HistoryTooNew(version, len(migrations))
    for number, statements in enumerate(migrations[version:], start=version + 1):
        _take(connection, number, statements)


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _take(connection: sqlite3.Connection, number: int, statements: Sequence[str]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    except sqlite3.Error:
        connection.rollback()
        raise
    connection.execute("COMMIT")
