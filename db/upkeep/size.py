"""How large the history is, and how much of it would go."""

from __future__ import annotations

import shutil
import sqlite3
from math import inf
from pathlib import Path

from core.values.history.filters import EVERY_CALL, EVERY_RUN
from core.values.history.retention import HistorySize, Removal
from db.lists import paging
from db.lists.paging import ends, first_since
from db.sqlite import files
from db.upkeep.removal import goals_to_go

_SAMPLE = 100  # texts whose length is taken for that of all
_INDEX = 0.4  # bytes of the index for each byte of text
_NUMBERS = 600  # bytes of a call's row and of what points to it


def usage_of(connection: sqlite3.Connection, path: Path) -> HistorySize:
    size, pages, unused = pages_of(connection)
    log = files.beside(path, "-wal")
    first_text = _first_text(connection)
    calls = paging.count(connection, paging.CALLS, EVERY_CALL)
    texts = calls - _calls(connection, 0, first_text)
    return HistorySize(
        path=path,
        file_bytes=size * pages,
        log_bytes=log.stat().st_size if log.exists() else 0,
        text_bytes=int(texts * _bytes_a_text(connection)),
        unused_bytes=size * unused,
        disk_free_bytes=shutil.disk_usage(path.parent).free,
        calls=calls,
        texts=texts,
        runs=paging.count(connection, paging.RUNS, EVERY_RUN),
        oldest_call=_oldest(connection),
        oldest_text=_began(connection, first_text) if texts else None,
    )


def removal_by(
    connection: sqlite3.Connection,
    *,
    texts_before: float | None,
    numbers_before: float | None,
    most_bytes: int | None,
) -> Removal:
    """Moments in UTC seconds since the epoch; None: for good."""
    text_bytes = _bytes_a_text(connection)
    first_text = _first_text(connection)
    texts_end, calls_end = (
        0 if before is None else first_since(connection, paging.CALLS, before)
        for before in (texts_before, numbers_before)
    )
    texts_end = max(texts_end, calls_end)
    texts = _calls(connection, first_text, texts_end)
    calls = _calls(connection, 0, calls_end)
    freed = texts * text_bytes + calls * _NUMBERS
    over = 0.0 if most_bytes is None else _used(connection) - freed - most_bytes
    if over > 0:  # the oldest texts that are left, then the oldest calls
        more = min(int(over / text_bytes) + 1, _calls(connection, max(first_text, texts_end), inf))
        over -= more * text_bytes
        fewer = min(int(over / _NUMBERS) + 1, _calls(connection, calls_end, inf))
        texts, calls = texts + more, calls + (fewer if over > 0 else 0)
        freed = texts * text_bytes + calls * _NUMBERS
    runs = 0
    if numbers_before is not None:
        (runs,) = connection.execute(
            "SELECT count(*) FROM run INDEXED BY run_newest WHERE started_at < ?", (numbers_before,)
        ).fetchone()
    goals = 0 if texts_before is None else goals_to_go(connection, texts_before)
    oldest = _began(connection, 0 if calls else first_text) if texts or calls or runs else None
    return Removal(texts, calls, runs, goals, int(freed), oldest)


def pages_of(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Bytes of one, how many there are, and how many of those are unused."""
    size, pages, unused = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count")
    )
    return size, pages, unused


def _used(connection: sqlite3.Connection) -> int:
    size, pages, unused = pages_of(connection)
    return size * (pages - unused)


def _calls(connection: sqlite3.Connection, low: int, high: float) -> int:
    """Those with an id from `low` up to but without `high`."""
    (number,) = connection.execute(
        "SELECT count(*) FROM call WHERE id >= ? AND id < ?", (low, min(high, paging.MOST))
    ).fetchone()
    return int(number)


def _first_text(connection: sqlite3.Connection) -> int:
    (first,) = connection.execute("SELECT min(call_id) FROM call_text").fetchone()
    return paging.MOST - 1 if first is None else int(first)


def _oldest(connection: sqlite3.Connection) -> float | None:
    """When the first call began, by the clock: it may have been set back since."""
    begins = connection.execute(
        """
        SELECT (SELECT min(started_at) FROM call WHERE status <> 'running'),
               (SELECT min(started_at) FROM call WHERE status = 'running')
        """
    ).fetchone()
    return min((moment for moment in begins if moment is not None), default=None)


def _began(connection: sqlite3.Connection, key: int) -> float | None:
    row = connection.execute(
        "SELECT started_at FROM call WHERE id >= ? ORDER BY id LIMIT 1", (key,)
    ).fetchone()
    return None if row is None else float(row[0])


def _bytes_a_text(connection: sqlite3.Connection) -> float:
    """With its index: the average of some from the oldest to the newest."""
    first, last = ends(connection, "call_text", "call_id")
    low, high = first or 0, last or 0
    lengths = [
        row[0]
        for place in range(_SAMPLE)
        if (
            row := connection.execute(
                """
                SELECT length(CAST(request AS BLOB)) + length(CAST(coalesce(response, '') AS BLOB))
                  FROM call_text
                 WHERE call_id >= ?
                 ORDER BY call_id
                 LIMIT 1
                """,
                (low + (high - low) * place // _SAMPLE,),
            ).fetchone()
        )
    ]
    average: float = sum(lengths) / max(1, len(lengths))
    return max(1.0, (1 + _INDEX) * average)
