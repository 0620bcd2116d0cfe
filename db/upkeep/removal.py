"""Removal of old rows: a few at a time, the oldest first, never what still runs.

A run's goal and plan go with the last text of its calls, and the run with the last of its calls;
where it asked nobody, by its own age.
Rows are looked for up to the first that is too young, so a clock that jumped keeps some longer
and takes none too soon.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from db.lists import conditions, paging, search
from db.lists.paging import first_since

DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Slice:
    """What one step took away; nothing: there is no more."""

    texts: int = 0
    calls: int = 0
    runs: int = 0
    goals: int = 0  # of runs that asked nobody

    def __bool__(self) -> bool:
        return bool(self.texts or self.calls or self.runs or self.goals)


# Of a run that goes on nothing is removed: what was done of it will be needed.
_OVER = """
    status <> 'running'
    AND coalesce(run_id, '') NOT IN (SELECT id FROM run WHERE status = 'running')
"""
_ASKED_NOBODY = """
    run INDEXED BY run_said
     WHERE goal <> '' AND number < ? AND started_at < ? AND status <> 'running'
       AND NOT EXISTS (SELECT 1 FROM call WHERE run_id = run.id)
"""
_FORGET_ASKED = f"""
    DELETE FROM run_asked
     WHERE provider IN ({conditions.each("provider", "run_asked")})
       AND number IN (SELECT value FROM json_each(?))
"""

Remove = Callable[[sqlite3.Connection, float, int], Slice]  # before when (UTC seconds), how many


def remove_texts(connection: sqlite3.Connection, before: float, rows: int) -> Slice:
    """Of at most `rows` calls that began before then, and of the runs they leave without any."""
    ids = _ids(
        connection,
        f"""
        SELECT call_id FROM call_text CROSS JOIN call ON id = call_id
         WHERE call_id < ? AND started_at < ? AND {_OVER}
         ORDER BY call_id
         LIMIT ?
        """,
        first_since(connection, paging.CALLS, before),
        before,
        rows,
    )
    if not ids:
        return _remove_goals(connection, before, rows)
    runs = _runs_of(connection, ids)
    _forget_texts(connection, ids)
    _blank(connection, _without(connection, runs, "call JOIN call_text ON call_id = call.id"))
    return Slice(texts=len(ids))


def _remove_goals(connection: sqlite3.Connection, before: float, rows: int) -> Slice:
    numbers = _ids(
        connection,
        f"SELECT number FROM {_ASKED_NOBODY} ORDER BY number LIMIT ?",
        first_since(connection, paging.RUNS, before),
        before,
        rows,
    )
    _blank(connection, numbers)
    return Slice(goals=len(numbers))


def goals_to_go(connection: sqlite3.Connection, before: float) -> int:
    """How many runs that asked nobody began before then and still have their words."""
    high = first_since(connection, paging.RUNS, before)
    row = connection.execute(f"SELECT count(*) FROM {_ASKED_NOBODY}", (high, before)).fetchone()
    return int(row[0])


def remove_numbers(connection: sqlite3.Connection, before: float, rows: int) -> Slice:
    """At most `rows` calls that began before then, or as many runs that have none left."""
    ids = _ids(
        connection,
        f"""
        SELECT id FROM call NOT INDEXED
         WHERE id < ? AND started_at < ? AND {_OVER}
         ORDER BY id
         LIMIT ?
        """,
        first_since(connection, paging.CALLS, before),
        before,
        rows,
    )
    if not ids:
        return _remove_runs(connection, before, rows)
    runs = _runs_of(connection, ids)
    texts = _forget_texts(connection, ids)
    _delete(connection, "call", "id", ids)
    return Slice(texts, len(ids), _delete_runs(connection, _without(connection, runs, "call")))


def _remove_runs(connection: sqlite3.Connection, before: float, rows: int) -> Slice:
    """Those that never made a call, or whose calls are gone."""
    numbers = _ids(
        connection,
        """
        SELECT number FROM run NOT INDEXED
         WHERE number < ? AND started_at < ? AND status <> 'running'
           AND NOT EXISTS (SELECT 1 FROM call WHERE run_id = run.id)
         ORDER BY number
         LIMIT ?
        """,
        first_since(connection, paging.RUNS, before),
        before,
        rows,
    )
    return Slice(runs=_delete_runs(connection, numbers))


def _ids(connection: sqlite3.Connection, sql: str, *values: object) -> list[int]:
    return [row[0] for row in connection.execute(sql, values).fetchall()]


def _without(connection: sqlite3.Connection, numbers: Sequence[int], kept: str) -> list[int]:
    """Those of the runs that have none of `kept`, which is FROM of calls."""
    return _ids(
        connection,
        f"""
        SELECT number FROM run
         WHERE number IN (SELECT value FROM json_each(?))
           AND NOT EXISTS (SELECT 1 FROM {kept} WHERE call.run_id = run.id)
         ORDER BY number
        """,
        json.dumps(numbers),
    )


def _delete(connection: sqlite3.Connection, table: str, key: str, keys: Sequence[int | str]) -> int:
    sql = f"DELETE FROM {table} WHERE {key} IN (SELECT value FROM json_each(?))"
    return connection.execute(sql, (json.dumps(keys),)).rowcount


def _runs_of(connection: sqlite3.Connection, ids: Sequence[int]) -> list[int]:
    return _ids(
        connection,
        """
        SELECT DISTINCT number FROM run
         WHERE status <> 'running' AND id IN (
               SELECT run_id FROM call WHERE id IN (SELECT value FROM json_each(?)))
         ORDER BY number
        """,
        json.dumps(ids),
    )


def _forget_texts(connection: sqlite3.Connection, ids: Sequence[int]) -> int:
    texts = search.texts_of(connection, search.CALLS, ids, key="call.id")
    search.forget(connection, search.CALLS, texts)
    return _delete(connection, "call_text", "call_id", ids)


def _forget_goals(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    texts = search.texts_of(connection, search.RUNS, numbers, key="run.number")
    search.forget(connection, search.RUNS, texts)


def _blank(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    _forget_goals(connection, numbers)
    connection.execute(
        """
        UPDATE run
           SET goal = '', plan = NULL, options = json_remove(options, '$.context')
         WHERE number IN (SELECT value FROM json_each(?))
        """,
        (json.dumps(numbers),),
    )


def _delete_runs(connection: sqlite3.Connection, numbers: Sequence[int]) -> int:
    _forget_goals(connection, numbers)
    connection.execute(_FORGET_ASKED, (json.dumps(numbers),))
    return _delete(connection, "run", "number", numbers)
