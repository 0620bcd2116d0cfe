"""The full-text index of goals, plans, requests and answers, kept as calls and runs end.

Whatever ends is put down, and indexed a moment later with all that ended meanwhile: a commit of
its own in the index costs more than the call itself. What was put down is found after a crash.
What a system message says is not in it: it is the same for every call, and would be found in each.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter

from core.values.history.words import Term, searchable
from core.values.texts import escaped

_AT_ONCE = 64  # rows in one statement


def said_in(request: str) -> str:
    """What the messages say, without the system's."""
    messages = json.loads(request)
    return escaped("\n".join(m["content"] for m in messages if m["role"] != "system"))


@dataclass(frozen=True, slots=True)
class Source:
    """What has words: its table, its key there, and its two columns of words."""

    table: str
    key: str
    columns: tuple[str, str]
    texts: str  # key and both texts, of those that have ended
    row: str  # where a filter finds what it asks for
    said: Callable[[str], str] = str  # the first text as it is read

    @property
    def words(self) -> str:
        return f"{self.table}_words"


CALLS = Source(
    "call",
    "id",
    ("asked", "answered"),
    """SELECT id, request AS one, response AS two
         FROM call JOIN call_text ON call_id = id
        WHERE status <> 'running'""",
    "call",
    said_in,
)
RUNS = Source(
    "run",
    "number",
    ("goal", "plan"),
    "SELECT number AS id, goal AS one, plan AS two FROM run WHERE status <> 'running'",
    "run INDEXED BY run_listed",
)
SOURCES = (CALLS, RUNS)


@contextmanager
def kept_up(
    connection: sqlite3.Connection,
    *,
    calls: Collection[int],
    runs: Collection[str],
    first: bool = False,
) -> Iterator[None]:
    """Whichever of these calls and runs end inside are to be indexed. In the caller's transaction.

    What had ended before is left out of the index first, for its text may be another one after.
    With `first` no call had.
    """
    ended = ((CALLS, "call.id", () if first else calls), (RUNS, "run.id", runs))
    for source, key, keys in ended:
        forget(connection, source, texts_of(connection, source, keys, key=key))
    yield
    for keys, found in (
        (calls, "SELECT 'call', value FROM json_each(?)"),
        (runs, "SELECT 'run', number FROM json_each(?) CROSS JOIN run ON run.id = value"),
    ):
        if keys:
            connection.execute(f"INSERT OR IGNORE INTO to_index {found}", (json.dumps([*keys]),))


def index_new(connection: sqlite3.Connection, rows: int) -> int:
    """Index at most `rows` of each kind that have been put down; how many it did."""
    done = 0
    for source in SOURCES:
        keys = _to_index(connection, source, "ORDER BY key LIMIT ?", rows)
        if keys:
            key = f"{source.table}.{source.key}"
            index(connection, source, texts_of(connection, source, keys, key=key))
            connection.execute(
                "DELETE FROM to_index WHERE source = ? AND key <= ?", (source.table, keys[-1])
            )
            done += len(keys)
    return done


def is_behind(connection: sqlite3.Connection) -> bool:
    """Whether there is anything for `index_new`."""
    return connection.execute("SELECT 1 FROM to_index LIMIT 1").fetchone() is not None


def _to_index(
    connection: sqlite3.Connection, source: Source, which: str, *values: object
) -> list[int]:
    (packed,) = connection.execute(
        f"""
        SELECT json_group_array(key)
          FROM (SELECT key FROM to_index WHERE source = ? {which})
        """,
        (source.table, *values),
    ).fetchone()
    keys: list[int] = json.loads(packed)
    return keys


@dataclass(frozen=True, slots=True)
class Text:
    """What is in the index of one call or run: `one` was asked, `two` came of it."""

    key: int
    one: str
    two: str


def index(connection: sqlite3.Connection, source: Source, texts: Collection[Text]) -> None:
    """Each once: another time, and it would be found twice."""
    columns = f"rowid, {', '.join(source.columns)}"
    _each(connection, source, texts, f"INSERT INTO {source.words} ({columns})", "(?, ?, ?)")


def forget(connection: sqlite3.Connection, source: Source, texts: Collection[Text]) -> None:
    """`texts` as they were indexed, and are still kept."""
    if not texts:
        return
    wanted = json.dumps([text.key for text in texts])
    which = "AND key IN (SELECT value FROM json_each(?))"
    to_index = {*_to_index(connection, source, which, wanted)}
    texts = [text for text in texts if text.key not in to_index]
    columns = f"{source.words}, rowid, {', '.join(source.columns)}"
    sql = f"INSERT INTO {source.words} ({columns})"
    _each(connection, source, texts, sql, "('delete', ?, ?, ?)")


def index_older(connection: sqlite3.Connection, rows: int) -> int:
    """Index the newest `rows` texts of those that were there before the index; how many it did."""
    for source in SOURCES:
        if (below := _below(connection, source)) is None:
            continue
        sql = f"{source.texts} AND {source.key} < ? ORDER BY {source.key} DESC LIMIT ?"
        some = _read(connection, source, sql, below, rows)
        if some:
            _set_below(connection, source, some[-1].key)
            index(connection, source, some)
            return len(some)
        _set_below(connection, source, None)
    return 0


def match_of(terms: Iterable[Term]) -> str:
    """What is asked for in the language of FTS5."""
    return " AND ".join(f'"{" ".join(term.words)}"{" *" * term.begins}' for term in terms)


def texts_of(
    connection: sqlite3.Connection, source: Source, keys: Collection[int | str], *, key: str
) -> list[Text]:
    """Of those that have ended, by their `key`."""
    if not keys:
        return []
    wanted = json.dumps([*keys])
    sql = f"{source.texts} AND {key} IN (SELECT value FROM json_each(?))"
    return _read(connection, source, sql, wanted)


def _read(connection: sqlite3.Connection, source: Source, sql: str, *values: object) -> list[Text]:
    # One row, for the interpreter's lock is given up at each.
    (packed,) = connection.execute(
        f"SELECT json_group_array(json_array(id, one, two)) FROM ({sql})", values
    ).fetchone()
    return [Text(key, source.said(one), two or "") for key, one, two in json.loads(packed)]


def _each(
    connection: sqlite3.Connection, source: Source, texts: Collection[Text], sql: str, row: str
) -> None:
    if not texts:
        return
    below = _below(connection, source) or 0
    rows = [
        (text.key, searchable(text.one), searchable(text.two))
        # In this order: FTS5 writes out all it holds when a key is below the one before.
        for text in sorted(texts, key=attrgetter("key"))
        # Of a text that is no longer kept there is nothing to forget, and FTS5 counts.
        if text.key >= below and (text.one or text.two)
    ]
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        values = tuple(chain.from_iterable(some))
        connection.execute(f"{sql} VALUES {', '.join([row] * len(some))}", values)


def _below(connection: sqlite3.Connection, source: Source) -> int | None:
    row = connection.execute(
        "SELECT below FROM unindexed WHERE source = ?", (source.table,)
    ).fetchone()
    return row[0] if row else None


def _set_below(connection: sqlite3.Connection, source: Source, below: int | None) -> None:
    if below is None:
        connection.execute("DELETE FROM unindexed WHERE source = ?", (source.table,))
    else:
        connection.execute("UPDATE unindexed SET below = ? WHERE source = ?", (below, source.table))
