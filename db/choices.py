"""The choices made in the console, with a log of every change for undo."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from core.values.errors import HistoryUnavailable
from core.values.ports import Change
from db.lists.queries import Archive
from db.sqlite.writer import SqliteHistory


class Choices:
    """`core.values.calls.Choices`: JSON values by key. Reads are from memory, writes are durable.

    A write raises HistoryUnavailable while the disk says no; then the old value still holds.
    """

    def __init__(self, history: SqliteHistory, *, clock: Callable[[], float] = time.time) -> None:
        self._history = history
        self._clock = clock
        self._archive = Archive(history.path)
        self._values: dict[str, Any] | None = None

    def get(self, key: str) -> Any:
        """None where nothing was chosen."""
        return self._known().get(key)

    def set(self, key: str, value: Any) -> None:
        """`value` as JSON can hold it; None goes back to the default."""
        new, now = _text(value), self._clock()
        self._keep(key, lambda connection: _change(connection, key, new, now))

    def undo(self, key: str) -> None:
        """Take the last change of `key` back, which is a change too; twice brings it back."""
        now = self._clock()
        self._keep(key, lambda connection: _undo(connection, key, now))

    def changes(self, key: str | None = None, *, limit: int = 50) -> list[Change]:
        """Newest first; of all keys without a `key`."""
        return [
            Change(name, _value(old), _value(new), changed_at)
            for name, old, new, changed_at in self._archive.changes(key, limit)
        ]

    def close(self) -> None:
        self._archive.stop()

    def _known(self) -> dict[str, Any]:
        if self._values is None:
            try:
                rows = self._archive.settings()
            except HistoryUnavailable:
                return {}  # the defaults hold, and it is asked again
            self._archive.close()
            self._values = {key: json.loads(value) for key, value in rows}
        return self._values

    def _keep(self, key: str, act: Callable[[sqlite3.Connection], str | None]) -> None:
        kept = _value(self._history.submit(act).result())
        self._known()[key] = kept


def _change(connection: sqlite3.Connection, key: str, new: str | None, now: float) -> str | None:
    row = connection.execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()
    old = row[0] if row else None
    if old == new:
        return new
    if new is None:
        connection.execute("DELETE FROM setting WHERE key = ?", (key,))
    else:
        connection.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", (key, new))
    connection.execute(
        "INSERT INTO change (key, old, new, changed_at) VALUES (?, ?, ?, ?)", (key, old, new, now)
    )
    return new


def _undo(connection: sqlite3.Connection, key: str, now: float) -> str | None:
    last = connection.execute(
        "SELECT old FROM change WHERE key = ? ORDER BY id DESC LIMIT 1", (key,)
    ).fetchone()
    return _change(connection, key, last[0] if last else None, now)


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)
