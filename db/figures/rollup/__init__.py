"""What each span of time came to, kept as calls and runs end.

`python -m db.figures.rollup DATABASE` builds it anew.

A quarter of an hour is the shortest: every time zone's hours and days begin with one. Longer
spans hold the same again, so that a year is read from a few hundred rows; those of calls are
made once they are over, of the shorter ones, so that a call has one small row to change. The
command builds all anew from calls and runs; spans whose calls have been removed keep what they
have.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise
from math import inf
from typing import Any, TypeVar

from core.values.outcomes import ErrorKind
from db.figures import counts
from db.figures.figures import COUNTS, FACTS, SUMS, Figures
from db.sqlite.rows import CALL_COLUMNS, Row

# Seconds; each divides the next. Few of them make up a day, wherever it begins, or a year.
SPANS = (900, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 24 * 3600, 8 * 24 * 3600, 32 * 24 * 3600)
SHORTEST = SPANS[0]
RUN_SUMS = ("runs", "completed", "failed", "cancelled", "saved")
# Failures after which nobody else is asked, our own among them.
_ENDS_IT = tuple(kind.value for kind in ErrorKind if kind.outcome.next_provider == "no")
# A condition on `run`: it would have failed, had nobody else been asked.
SAVED = f"""(
    run.status = 'completed' AND EXISTS (
        SELECT 1
          FROM call AS failed JOIN call AS answer
            ON answer.run_id = failed.run_id AND answer.step IS failed.step
         WHERE failed.run_id = run.id AND failed.status = 'failed' AND NOT failed.drilled
           AND coalesce(failed.error_kind, '') NOT IN {_ENDS_IT}
           AND answer.status = 'ok' AND answer.ordinal > failed.ordinal
           AND answer.provider <> failed.provider
    )
)"""

_T = TypeVar("_T")
Cell = tuple[int, int, str, str]  # simulated, start, provider, model
Calls = dict[Cell, Figures]
Runs = dict[tuple[int, int], list[int]]  # by simulated and start, in the order of RUN_SUMS

_KEY = ("simulated", "span", "start", "provider", "model")
_RUN_KEY = ("simulated", "span", "start")
_CELL = f"simulated, CAST(started_at AS INTEGER) / {SHORTEST} * {SHORTEST}"
_CALL = f"json_array({_CELL}, provider, model, {', '.join(FACTS)})"
_RUN = f"json_array({_CELL}, status, {SAVED})"
_AT_ONCE = 64  # rows in one statement
_HOUR = 3600  # seconds whose calls are held at once
_FOREVER = 1 << 40  # UTC seconds


@contextmanager
def kept_up(
    connection: sqlite3.Connection,
    *,
    calls: Collection[int],
    runs: Collection[str],
    ending: bool = True,
    outcomes: Sequence[Row] | None = None,
) -> Iterator[None]:
    """Whatever becomes of these calls and runs inside, the rollups say so after.

    They are read before and after, and the difference counts: an outcome that is written twice
    does so once. `outcomes` are rows of `call`, given where no call had ended before: then none is
    read. Unless `ending`, a run that had not ended does not. In a transaction of the caller's.
    """
    known = None if outcomes is None else _facts(outcomes)
    before = [] if known is not None else _ended(connection, _CALLS_BY_ID, calls)
    runs_before = _ended(connection, _RUNS_BY_ID, runs)
    yield
    after = known if known is not None else _ended(connection, _CALLS_BY_ID, calls)
    roll_up(connection, folded(after, away=before))
    if ending or runs_before:
        runs_after = _ended(connection, _RUNS_BY_ID, runs)
        add_runs(connection, folded_runs(runs_after, away=runs_before))


def folded(calls: Iterable[Sequence[Any]], *, away: Iterable[Sequence[Any]] = ()) -> Calls:
    """By cell, without those to take `away`. Of each: simulated, start, provider, model, FACTS."""
    cells: dict[Cell, tuple[list[Any], list[Any]]] = {}
    for which, some in enumerate((calls, away)):
        for simulated, start, provider, model, *facts in some:
            cells.setdefault((simulated, start, provider, model), ([], []))[which].append(facts)
    found = {cell: Figures.of(added) for cell, (added, _) in cells.items()}
    for cell, (_, gone) in cells.items():
        if gone:
            found[cell] = found[cell].merged(Figures.of(gone), -1)
    return {cell: figures for cell, figures in found.items() if figures}


def folded_runs(runs: Iterable[Sequence[Any]], *, away: Iterable[Sequence[Any]] = ()) -> Runs:
    """The same of runs: simulated, start, status, saved."""
    found: Runs = {}
    for some, weight in ((runs, 1), (away, -1)):
        for simulated, start, status, saved in some:
            sums = found.setdefault((simulated, start), [0] * len(RUN_SUMS))
            news = (1, *(status == name for name in RUN_SUMS[1:-1]), saved)
            for place, new in enumerate(news):
                sums[place] += weight * new
    return {cell: sums for cell, sums in found.items() if any(sums)}


def roll_up(connection: sqlite3.Connection, calls: Calls) -> None:
    """Add them to the shortest spans and to longer ones that are there; make those now over.

    Of each of SPANS all are there up to the last of them, see `made_to`.
    """
    if not calls:
        return
    for simulated in {cell[0] for cell in calls}:
        some = {cell: figures for cell, figures in calls.items() if cell[0] == simulated}
        starts = [cell[1] for cell in some]
        before, *made = made_to(connection, simulated=simulated)
        latest = max(before - SHORTEST, *starts)
        add_calls(connection, some, spans=SPANS[:1])
        for (narrower, span), to in zip(pairwise(SPANS), made, strict=True):
            over = latest // span * span
            if there := {cell: new for cell, new in some.items() if cell[1] < to}:
                add_calls(connection, there, spans=(span,))
            if (before - SHORTEST) // span * span < over or any(to <= one < over for one in starts):
                _make_span(connection, simulated, narrower, span, to, over)


def made_to(connection: sqlite3.Connection, *, simulated: bool | int) -> list[int]:
    """For each of SPANS, up to where they are there, UTC seconds."""
    (packed,) = connection.execute(f"SELECT {MADE}", {"simulated": simulated}).fetchone()
    made: list[int] = json.loads(packed)
    return made


# The same as JSON.
MADE = "json_array({})".format(
    ", ".join(
        "coalesce((SELECT max(start) FROM call_rollup"
        f" WHERE simulated = :simulated AND span = {span}) + {span}, 0)"
        for span in SPANS
    )
)


def longest(connection: sqlite3.Connection, *, simulated: bool) -> list[tuple[int, int, int]]:
    """Span, since and until: together the longest spans there are hold each call once."""
    found, low = [], 0
    made = made_to(connection, simulated=simulated)
    for span, to in [*zip(SPANS, made, strict=True)][:0:-1]:
        high = max(low, to)
        found.append((span, low, high))
        low = high
    return [*found, (SHORTEST, low, _FOREVER)]


def _make_span(
    connection: sqlite3.Connection, simulated: int, narrower: int, span: int, low: int, high: int
) -> None:
    """Those of `span` seconds from `low` to `high`, of those of the `narrower` span."""
    columns = ", ".join(("start", "provider", "model", *SUMS, *COUNTS))
    rows = connection.execute(
        f"""
        SELECT {columns} FROM call_rollup
         WHERE simulated = ? AND span = ? AND start >= ? AND start < ?
        """,
        (simulated, narrower, low, high),
    ).fetchall()
    calls: Calls = {}
    for start, provider, model, *rest in rows:
        sums, texts = rest[: len(SUMS)], rest[len(SUMS) :]
        calls[simulated, start, provider, model] = Figures(sums, *map(counts.unpacked, texts))
    add_calls(connection, calls, spans=(span,))


def add_calls(
    connection: sqlite3.Connection, calls: Calls, *, spans: Sequence[int] = SPANS
) -> None:
    cells = []
    for span in spans:
        calls = _widened(calls, span)
        cells += [
            ((simulated, span, start, provider, model), figures)
            for (simulated, start, provider, model), figures in calls.items()
        ]
    for some in _batches(cells):
        texts = _texts(connection, [key for key, _ in some])
        rows = [
            (*key, *figures.sums, *map(counts.added, text, figures.counts()))
            for (key, figures), text in zip(some, texts, strict=True)
        ]
        connection.execute(_put("call_rollup", _KEY, SUMS, COUNTS, len(rows)), _flat(rows))
    if any(figures.sums[0] < 0 for _, figures in cells):
        connection.execute("DELETE FROM call_rollup WHERE calls = 0")


def add_runs(connection: sqlite3.Connection, runs: Runs, *, spans: Sequence[int] = SPANS) -> None:
    sums: dict[tuple[int, int, int], list[int]] = {}
    for span in spans:
        for (simulated, start), some in runs.items():
            key = (simulated, span, start // span * span)
            before = sums.get(key)
            sums[key] = [a + b for a, b in zip(before, some, strict=True)] if before else some
    for rows in _batches([(*key, *some) for key, some in sums.items()]):
        connection.execute(_put("run_rollup", _RUN_KEY, RUN_SUMS, (), len(rows)), _flat(rows))
    if any(some[0] < 0 for some in runs.values()):
        connection.execute("DELETE FROM run_rollup WHERE runs = 0")


def rebuild(connection: sqlite3.Connection) -> None:
    """Anew from calls and runs. In a transaction of the caller's; about 15 s per million."""
    for low in _hours(connection, _CALLS):
        add_calls(connection, folded(_CALLS.between(connection, low, low + _HOUR)))
    for low in _hours(connection, _RUNS):
        add_runs(connection, folded_runs(_RUNS.between(connection, low, low + _HOUR)))


@dataclass(frozen=True, slots=True)
class _Source:
    """What a rollup is built from."""

    name: str  # of what it counts, in the plural
    ended: str  # FROM and WHERE
    row: str  # JSON
    key: Sequence[str]
    sums: Sequence[str]
    texts: Sequence[str] = ()

    @property
    def rollup(self) -> str:
        return f"{self.name[:-1]}_rollup"

    def between(self, connection: sqlite3.Connection, low: float, high: float) -> Any:
        during = "started_at >= ? AND started_at < ?"
        row = connection.execute(
            f"SELECT json_group_array({self.row}) FROM {self.ended} AND {during}", (low, high)
        ).fetchone()
        return json.loads(row[0])


def _hours(connection: sqlite3.Connection, source: _Source) -> Iterator[float]:
    """Those to be built anew, emptied."""
    first = _first(connection, source, -inf)
    if first is None:
        return
    since = _since(connection, source, int(first) // SHORTEST * SHORTEST)
    connection.execute(f"DELETE FROM {source.rollup} WHERE start + span > ?", (since,))
    for span in SPANS[1:]:
        _lift(connection, source, span, since)
    low = float(since)
    while (first := _first(connection, source, low)) is not None:
        yield (low := max(low, int(first) // SHORTEST * SHORTEST))
        low += _HOUR


def _first(connection: sqlite3.Connection, source: _Source, low: float) -> float | None:
    row = connection.execute(
        f"SELECT min(started_at) FROM {source.ended} AND started_at >= ?", (low,)
    ).fetchone()
    first: float | None = row[0]
    return first


def _since(connection: sqlite3.Connection, source: _Source, start: int) -> int:
    """`start`, or the next cell if some of what that one counts has been removed."""
    known = connection.execute(
        f"SELECT total({source.name}) FROM {source.rollup} WHERE span = ? AND start = ?",
        (SHORTEST, start),
    ).fetchone()[0]
    there = len(source.between(connection, start, start + SHORTEST))
    return start + SHORTEST if known > there else start


def _lift(connection: sqlite3.Connection, source: _Source, span: int, until: int) -> None:
    """Begin the span of `span` seconds that `until` falls into with what is kept of it."""
    places = {"span": ":span", "start": ":start"}
    connection.execute(
        f"""
        INSERT INTO {source.rollup} ({", ".join((*source.key, *source.sums, *source.texts))})
        SELECT {
            ", ".join(
                (
                    *(places.get(name, name) for name in source.key),
                    *(f"sum({name})" for name in source.sums),
                    *(f"group_concat({name}, '')" for name in source.texts),
                )
            )
        }
          FROM {source.rollup}
         WHERE span = {SHORTEST} AND start >= :start AND start < :until
         GROUP BY {", ".join(name for name in source.key if name not in places)}
        """,
        {"span": span, "start": until // span * span, "until": until},
    )


# One row, for the interpreter's lock is given up at each.
_CALLS_BY_ID = f"""
    SELECT json_group_array({_CALL})
      FROM json_each(?) AS wanted CROSS JOIN call ON call.id = wanted.value
     WHERE status <> 'running' AND NOT drilled
"""
_RUNS_BY_ID = f"""
    SELECT json_group_array({_RUN})
      FROM json_each(?) AS wanted CROSS JOIN run ON run.id = wanted.value
     WHERE status <> 'running'
"""


def _ended(connection: sqlite3.Connection, sql: str, ids: Collection[int | str]) -> list[Any]:
    """Those of them that have ended."""
    if not ids:
        return []
    (packed,) = connection.execute(sql, (json.dumps([*set(ids)]),)).fetchone()
    found: list[Any] = json.loads(packed)
    return found


_FACTS_AT = [CALL_COLUMNS.index(name) for name in ("provider", "model", *FACTS)]
_AT = {name: CALL_COLUMNS.index(name) for name in ("simulated", "started_at", "drilled")}


def _facts(calls: Iterable[Row]) -> list[list[Any]]:
    """The same of rows of `call` that have ended."""
    return [
        [
            int(row[_AT["simulated"]]),
            int(row[_AT["started_at"]]) // SHORTEST * SHORTEST,
            *(row[at] for at in _FACTS_AT),
        ]
        for row in calls
        if not row[_AT["drilled"]]
    ]


def _widened(calls: Calls, span: int) -> Calls:
    if span == SHORTEST:
        return calls
    found: Calls = {}
    for (simulated, start, provider, model), figures in calls.items():
        cell = (simulated, start // span * span, provider, model)
        there = found.get(cell)
        found[cell] = figures if there is None else there.merged(figures)
    return found


def _texts(connection: sqlite3.Connection, keys: Sequence[Sequence[Any]]) -> list[list[str]]:
    """Per key its COUNTS as they are, empty without any."""
    row = connection.execute(_read(len(keys)), _flat(keys)).fetchone()
    return [texts or [""] * len(COUNTS) for texts in json.loads(row[0])]


@cache
def _read(keys: int) -> str:
    on = " AND ".join(f"{name} = ?" for name in _KEY)
    texts = f"(SELECT json_array({', '.join(COUNTS)}) FROM call_rollup WHERE {on})"
    return f"SELECT json_array({', '.join([texts] * keys)})"


@cache
def _put(
    table: str, key: Sequence[str], sums: Sequence[str], texts: Sequence[str], rows: int
) -> str:
    columns = (*key, *sums, *texts)
    row = f"({', '.join('?' * len(columns))})"
    news = [f"{name} = {name} + excluded.{name}" for name in sums]
    news += [f"{name} = excluded.{name}" for name in texts]
    return f"""
        INSERT INTO {table} ({", ".join(columns)})
        VALUES {", ".join([row] * rows)}
        ON CONFLICT ({", ".join(key)}) DO UPDATE SET {", ".join(news)}
    """


def _batches(rows: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for at in range(0, len(rows), _AT_ONCE):
        yield rows[at : at + _AT_ONCE]


def _flat(rows: Iterable[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(chain.from_iterable(rows))


_CALLS = _Source(
    "calls",
    "call INDEXED BY call_outcome WHERE status <> 'running' AND NOT drilled",
    _CALL,
    _KEY,
    SUMS,
    COUNTS,
)
_RUNS = _Source(
    "runs", "run INDEXED BY run_newest WHERE status <> 'running'", _RUN, _RUN_KEY, RUN_SUMS
)
