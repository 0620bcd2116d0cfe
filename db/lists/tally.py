"""How many calls or runs a filter finds, and which of them stand on a page, without a scan.

Triggers (`db.migrations.v4`, `v5`, `v7` and `v8`) keep how many there are of each provider, model,
strategy and outcome, in all and of each stretch of a thousand rows or more, and how many there are
of each stretch. The 10,000th page is found by walking from the newest stretch to the one or two
that it lies in, and reading these. What still runs is in no sum, and is few.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.values.history.filters import Filter, RunFilter
from db.lists import conditions

MOST = (1 << 63) - 1  # more than any key
_FOREVER = 1e300  # seconds


@dataclass(frozen=True, slots=True)
class Listed:
    """A table that people page through, newest first, by an ascending whole-number key."""

    table: str
    key: str
    width: int  # a stretch is `1 << width` rows, as the triggers have it


_NOT_INDEXED = {"ok", "running"}  # by call_unanswered
CALLS, RUNS = Listed("call", "id", 12), Listed("run", "number", 10)


def count(
    connection: sqlite3.Connection,
    listed: Listed,
    wanted: Filter,
    *,
    low: int = 0,
    high: int = MOST,
    most: int = MOST,
) -> int:
    """Those with a key from `low` up to but without `high`; of runs by whom they
    asked `most` where there are as many, for these are counted one by one."""
    if isinstance(wanted, RunFilter) and conditions.asked(wanted)[0]:
        return _count_asked(connection, wanted, low, high, most)
    own, _ = conditions.of_rows(wanted)
    if (low, high, wanted.since, wanted.until, own) == (0, MOST, None, None, []):
        where, values = conditions.choices(wanted)
        (ended,) = connection.execute(
            f"SELECT coalesce(sum(number), 0) FROM {listed.table}_total WHERE {where}", values
        ).fetchone()
        more, fewer = (of(connection, listed, wanted, low, high) for of in (_running, _drilled))
        return int(ended) + len(more) - len(fewer)
    return sum(number for _, number in _stretches(connection, listed, wanted, low, high))


def _count_asked(
    connection: sqlite3.Connection, wanted: RunFilter, low: int, high: int, most: int
) -> int:
    runs, values = _asked(connection, wanted, low, high)
    (number,) = connection.execute(
        f"SELECT count(*) FROM (SELECT DISTINCT asked {runs} LIMIT ?)", (*values, most)
    ).fetchone()
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
    end = _end(connection, listed)
    high = min(before, end)
    # On most pages by key, and most first pages, the newest stretch has enough. Calls without an
    # answer are one in a dozen or fewer, and their index is narrow.
    stretches = 32 if _unanswered(listed, wanted) else 1
    low = 0 if wanted == type(wanted)() else max(0, high - (stretches << listed.width))
    if not offset:
        keys = _keys(connection, listed, wanted, low, high, limit, 0)
        if len(keys) == limit or low == 0:
            return keys
    if isinstance(wanted, RunFilter) and conditions.asked(wanted)[0]:
        return _keys_of_asked(connection, wanted, 0, high, limit, offset)
    if high == end:  # the newest stretch is wanted whole, so its rows need not be counted
        high = ((end >> listed.width) + 1) << listed.width
    keys = []
    for stretch, number in _walk(connection, listed, wanted, high):
        if offset >= number:
            offset -= number
            continue
        first, end = _bounds(listed, stretch, 0, high)
        keys += _keys(connection, listed, wanted, first, end, limit - len(keys), offset)
        offset = 0
        if len(keys) == limit:
            break
    return keys


def keys_of(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> list[int]:
    """What `sql` selects, all at once."""
    # One row, for the interpreter's lock is given up at each, and a busy engine makes each wait.
    (packed,) = connection.execute(
        f"WITH some(key) AS ({sql}) SELECT json_group_array(key) FROM some", values
    ).fetchone()
    keys: list[int] = json.loads(packed)
    return keys


def forget_empty(connection: sqlite3.Connection) -> None:
    """What is left of removed rows."""
    for listed in (CALLS, RUNS):
        for counts in ("tally", "total", "stretch"):
            connection.execute(f"DELETE FROM {listed.table}_{counts} WHERE number = 0")


def _walk(
    connection: sqlite3.Connection, listed: Listed, wanted: Filter, high: int
) -> Iterator[tuple[int, int]]:
    """All below `high` as `_stretches`, asked for as far as they are wanted."""
    many = 4
    while high > 0:
        low = max(0, ((high - 1 >> listed.width) + 1 - many) << listed.width)
        yield from _stretches(connection, listed, wanted, low, high)
        high, many = low, 2 * many


def _stretches(
    connection: sqlite3.Connection, listed: Listed, wanted: Filter, low: int, high: int
) -> Iterator[tuple[int, int]]:
    """Number and how many it holds, newest first."""
    sums = _sums(connection, listed, wanted, low, high)
    for key in _running(connection, listed, wanted, low, high):
        known = sums.get(key >> listed.width, 0)
        sums[key >> listed.width] = None if known is None else known + 1
    for key in _drilled(connection, listed, wanted, low, high):
        known = sums.get(key >> listed.width)
        sums[key >> listed.width] = None if known is None else known - 1
    for stretch in sorted(sums, reverse=True):
        number = sums[stretch]
        if number is None:
            first, end = _bounds(listed, stretch, low, high)
            number = _count_rows(connection, listed, wanted, first, end)
        yield stretch, number


def _sums(
    connection: sqlite3.Connection, listed: Listed, wanted: Filter, low: int, high: int
) -> dict[int, int | None]:
    """By stretch; None where only some of it is wanted, so that its rows have to be counted."""
    where, values = conditions.choices(wanted)
    own, _ = conditions.of_rows(wanted)
    since = -_FOREVER if wanted.since is None else wanted.since
    until = _FOREVER if wanted.until is None else wanted.until
    stretches = (low >> listed.width, (high - 1) >> listed.width, since, until)
    source = f"{listed.table}_stretch WHERE stretch BETWEEN ? AND ? AND last >= ? AND first < ?"
    if values:
        source = f"""
            {listed.table}_tally
             WHERE stretch IN (SELECT stretch FROM {source})
               AND last >= ? AND first < ? AND {where}
        """
        values = [since, until, *values]
    (packed,) = connection.execute(
        f"""
        SELECT json_group_array(json_array(stretch, number, partly)) FROM (
            SELECT stretch, sum(number) AS number,
                   max({bool(own)} OR first < ? OR last >= ?
                       OR stretch << {listed.width} < ?
                       OR (stretch + 1) << {listed.width} > ?) AS partly
              FROM {source} AND number > 0
             GROUP BY stretch)
        """,
        (since, until, low, high, *stretches, *values),
    ).fetchone()
    return {stretch: None if partly else number for stretch, number, partly in json.loads(packed)}


def _running(
    connection: sqlite3.Connection, listed: Listed, wanted: Filter, low: int, high: int
) -> list[int]:
    if wanted.status and "running" not in wanted.status:
        return []
    where, values = conditions.where(wanted)
    return keys_of(
        connection,
        f"""
        SELECT {listed.key} FROM {listed.table} INDEXED BY {listed.table}_unfinished
         WHERE status = 'running' AND {listed.key} >= ? AND {listed.key} < ? AND {where}
         ORDER BY {listed.key}
        """,
        (low, high, *values),
    )


def _drilled(
    connection: sqlite3.Connection, listed: Listed, wanted: Filter, low: int, high: int
) -> list[int]:
    """Those in the sums that are not wanted, because no figure counts them."""
    if not wanted.counted or listed is not CALLS:
        return []
    where, values = conditions.where(replace(wanted, counted=False))
    return keys_of(
        connection,
        f"""
        SELECT id FROM call INDEXED BY call_drilled
         WHERE drilled AND status <> 'running' AND id >= ? AND id < ? AND {where}
        """,
        (low, high, *values),
    )


def _bounds(listed: Listed, stretch: int, low: int, high: int) -> tuple[int, int]:
    return max(low, stretch << listed.width), min(high, (stretch + 1) << listed.width)


def _count_rows(
    connection: sqlite3.Connection, listed: Listed, wanted: Filter, low: int, high: int
) -> int:
    where, values = conditions.where(wanted)
    (number,) = connection.execute(
        f"""
        SELECT count(*) FROM {_rows(listed, wanted)}
           AND {listed.key} >= ? AND {listed.key} < ? AND {where}
        """,
        (low, high, *values),
    ).fetchone()
    return int(number)


def _keys(
    connection: sqlite3.Connection,
    listed: Listed,
    wanted: Filter,
    low: int,
    high: int,
    limit: int,
    offset: int,
) -> list[int]:
    if isinstance(wanted, RunFilter) and conditions.asked(wanted)[0]:
        return _keys_of_asked(connection, wanted, low, high, limit, offset)
    where, values = conditions.where(wanted)
    return keys_of(
        connection,
        f"""
        SELECT {listed.key} FROM {_rows(listed, wanted)}
           AND {listed.key} >= ? AND {listed.key} < ? AND {where}
         ORDER BY {listed.key} DESC
         LIMIT ? OFFSET ?
        """,
        (low, high, *values, limit, offset),
    )


def _keys_of_asked(
    connection: sqlite3.Connection, wanted: RunFilter, low: int, high: int, limit: int, offset: int
) -> list[int]:
    runs, values = _asked(connection, wanted, low, high)
    return keys_of(
        connection,
        f"SELECT DISTINCT asked {runs} ORDER BY asked DESC LIMIT ? OFFSET ?",
        (*values, limit, offset),
    )


def _asked(
    connection: sqlite3.Connection, wanted: RunFilter, low: int, high: int
) -> tuple[str, list[Any]]:
    """FROM and WHERE of the numbers, `asked`, of runs that asked whom they have to."""
    whom, names = conditions.asked(wanted)
    asked = f"""
        FROM (SELECT number AS asked FROM run_asked
               WHERE {whom} AND number >= ? AND number < ?)
    """
    others = replace(wanted, provider=(), model=())
    where, values = conditions.where(others)
    if where == "TRUE":  # the runs themselves need not be looked at
        return asked, [*names, low, high]
    stretches = {key >> RUNS.width for key in _running(connection, RUNS, others, low, high)}
    stretches |= _sums(connection, RUNS, others, low, high).keys()
    low, _ = _bounds(RUNS, min(stretches, default=0), low, high)
    _, high = _bounds(RUNS, max(stretches, default=-1), low, high)
    asked += f" CROSS JOIN run ON run.number = asked WHERE {where}"
    return asked, [*names, low, high, *values]


def _rows(listed: Listed, wanted: Filter) -> str:
    """FROM and WHERE of what is looked through by key.

    By key alone: an index of a provider would have all of its rows read and sorted.
    """
    if _unanswered(listed, wanted):
        return "call INDEXED BY call_unanswered WHERE status <> 'ok' AND status <> 'running'"
    return f"{listed.table} NOT INDEXED WHERE TRUE"


def _unanswered(listed: Listed, wanted: Filter) -> bool:
    """Whether only calls without an answer can be meant: they have an index of their own."""
    by_status = wanted.status and _NOT_INDEXED.isdisjoint(wanted.status)
    return listed is CALLS and bool(wanted.error_kind or by_status)


def _end(connection: sqlite3.Connection, listed: Listed) -> int:
    (last,) = connection.execute(f"SELECT max({listed.key}) FROM {listed.table}").fetchone()
    return 0 if last is None else last + 1
