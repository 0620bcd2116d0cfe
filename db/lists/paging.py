"""Which rows are on a page, and how many there are: by their keys, from plain indexes.

A filter is read in the list's order until a page is full, or as many are counted as a person cares
for, which takes few rows where many are wanted. Where few are, an index leads to them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.values.history.filters import COUNTED_TO, Filter, RunFilter
from db.lists import conditions
from db.sqlite.rows import CLOCK_OFF

MOST = (1 << 63) - 1  # more than any key
_FEW = 30_000  # rows that an index may lead to


@dataclass(frozen=True, slots=True)
class Listed:
    """A table that people page through, newest first, by an ascending whole-number key."""

    table: str
    key: str


CALLS, RUNS = Listed("call", "id"), Listed("run", "number")
_UNANSWERED = "call INDEXED BY call_unanswered WHERE status <> 'ok' AND status <> 'running'"
_UNFINISHED = "call INDEXED BY call_unfinished WHERE status = 'running'"


def count(connection: sqlite3.Connection, listed: Listed, wanted: Filter) -> int:
    """All of them; where there is a filter up to COUNTED_TO, which then means: or more."""
    if wanted == type(wanted)():
        sql, values = f"SELECT count(*) FROM {listed.table}", list[Any]()
    else:
        found, values = _found(connection, listed, wanted, MOST)
        sql = f"SELECT count(*) FROM ({found} LIMIT {COUNTED_TO})"
    (number,) = connection.execute(sql, values).fetchone()
    return int(number)


def page(
    connection: sqlite3.Connection,
    listed: Listed,
    wanted: Filter,
    *,
    limit: int,
    offset: int = 0,
    before: int = MOST,
) -> list[int]:
    """The keys below `before`, newest first, without the first `offset`."""
    found, values = _found(connection, listed, wanted, before)
    sql = f"{found} ORDER BY {listed.key}"
    if offset and before == MOST and wanted == type(wanted)():
        behind = count(connection, listed, wanted) - offset
        if behind < offset:  # from the nearer end
            some = (max(0, min(limit, behind)), max(0, behind - limit))
            return keys_of(connection, f"{sql} LIMIT ? OFFSET ?", (*values, *some))[::-1]
    return keys_of(connection, f"{sql} DESC LIMIT ? OFFSET ?", (*values, limit, offset))


def keys_of(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> list[int]:
    """What `sql` selects, all at once."""
    # One row, for the interpreter's lock is given up at each, and a busy engine makes each wait.
    (packed,) = connection.execute(
        f"WITH some(key) AS ({sql}) SELECT json_group_array(key) FROM some", values
    ).fetchone()
    keys: list[int] = json.loads(packed)
    return keys


def first_since(connection: sqlite3.Connection, listed: Listed, moment: float) -> int:
    """The first key whose row began at `moment` or later; one after the last if none did."""
    first, last = ends(connection, listed.table, listed.key)
    low, high = (0, 0) if first is None or last is None else (first, last + 1)
    while low < high:  # keys ascend with time, so that 20 looks find one among a million
        middle = (low + high) // 2
        row = connection.execute(
            f"""
            SELECT {listed.key}, started_at FROM {listed.table}
             WHERE {listed.key} >= ? ORDER BY {listed.key} LIMIT 1
            """,
            (middle,),
        ).fetchone()
        if row is None or row[1] >= moment:
            high = middle
        else:
            low = row[0] + 1
    return low


def ends(
    connection: sqlite3.Connection, table: str, key: str
) -> tuple[int, int] | tuple[None, None]:
    """The first and the last key there is."""
    # Asked for in one breath, SQLite would look at every row.
    first, last = connection.execute(
        f"SELECT (SELECT min({key}) FROM {table}), (SELECT max({key}) FROM {table})"
    ).fetchone()
    return first, last


def _found(
    connection: sqlite3.Connection, listed: Listed, wanted: Filter, before: int
) -> tuple[str, list[Any]]:
    """SQL for the keys, up to its ORDER BY, and its values."""
    source, leading = _source(connection, wanted)
    where, values = conditions.where(wanted)
    low, high = 0, before
    ordered = _in_order_of_time(connection, listed)
    if ordered and wanted.since is not None:
        low = first_since(connection, listed, wanted.since - 2 * CLOCK_OFF)
    if ordered and wanted.until is not None:
        high = min(high, first_since(connection, listed, wanted.until + 2 * CLOCK_OFF))
    sql = f"SELECT {listed.key} FROM {source} AND {listed.key} >= ? AND {listed.key} < ?"
    return f"{sql} AND {where}", [*leading, low, high, *values]


def _in_order_of_time(connection: sqlite3.Connection, listed: Listed) -> bool:
    """But for some days."""
    sql = "SELECT count(*) FROM unordered WHERE source = ?"
    (unordered,) = connection.execute(sql, (listed.table,)).fetchone()
    return not unordered


def _source(connection: sqlite3.Connection, wanted: Filter) -> tuple[str, list[Any]]:
    """FROM, and the WHERE that an index serves, with its values."""
    if isinstance(wanted, RunFilter):
        whom, names = conditions.asked(wanted)
        number = f"SELECT number FROM run_asked WHERE {whom}"
        if names and _are_few(connection, number, names):
            return f"run INDEXED BY run_listed WHERE number IN ({number})", names
        return "run INDEXED BY run_listed WHERE TRUE", []
    if wanted.status == ("running",):
        return _UNFINISHED, []
    # By key alone, or an index of a provider would have all of its rows read and sorted.
    if wanted.error_kind or (wanted.status and not {"ok", "running"}.intersection(wanted.status)):
        return _UNANSWERED, []
    for index, where, values in _rare(wanted):
        source = f"call INDEXED BY {index} WHERE {where}"
        if _are_few(connection, f"SELECT 1 FROM {source}", values):
            return source, values
    return "call NOT INDEXED WHERE TRUE", []


def _rare(wanted: Filter) -> Iterator[tuple[str, str, list[Any]]]:
    """Indexes that may lead to few calls."""
    asked = f" AND provider IN ({conditions.marks(wanted.provider)})" if wanted.provider else ""
    if models := wanted.model:
        where = f"model IN ({conditions.marks(models)}){asked}"
        yield "call_by_model", where, [*models, *wanted.provider]
    if asked or wanted.simulated is not None:
        simulated = (0, 1) if wanted.simulated is None else (wanted.simulated,)
        where = f"simulated IN ({conditions.marks(simulated)}){asked}"
        yield "call_by_provider", where, [*simulated, *wanted.provider]


def _are_few(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> bool:
    counted = f"SELECT count(*) FROM ({sql} LIMIT {_FEW + 1})"
    (number,) = connection.execute(counted, values).fetchone()
    return bool(number <= _FEW)
