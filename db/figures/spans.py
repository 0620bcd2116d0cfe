"""Reads what spans of time came to: rollups where they are whole, the calls where not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from math import ceil, floor
from typing import Any, NamedTuple, TypeVar

from core.values.periods import Period
from db.figures.figures import COUNTS, FACTS, SUMS, Figures
from db.figures.rollup import MADE, SAVED, SHORTEST, SPANS
from db.lists.queries import Archive

_FOREVER = 1e11  # UTC seconds; the year 5138
_T = TypeVar("_T")
Columns = dict[str, Sequence[Any]]
_KEY = ("bucket", "provider", "model")
_Model = tuple[str, str]  # with its provider before it
_Piece = tuple[int, int, float, float]  # bucket, span of its cells (0: none), since, until


class Spans:
    """What a history's rollups and calls say. Every method may be called from any thread.

    Nothing is read twice within one moment of the archive's.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def calls(self, period: Period, *, simulated: bool) -> Columns:
        """All columns by provider and model, in their order."""
        return self.calls_over_time(period, (), simulated=simulated, sums=SUMS, texts=COUNTS)

    def calls_over_time(
        self,
        period: Period,
        edges: Sequence[float],
        *,
        simulated: bool,
        sums: Sequence[str],
        texts: Sequence[str],
    ) -> Columns:
        """These columns by bucket, provider and model, in their order.

        A bucket goes from one edge to the next, the last to the period's end, and none beyond
        the period.
        """
        key = (period, tuple(edges), simulated, sums, texts)
        return self._once(key, lambda: self._calls(*key))

    def runs(
        self, period: Period, edges: Sequence[float] | None, *, simulated: bool
    ) -> list[list[int]]:
        """Per bucket with runs: the bucket, runs, completed, saved; `edges` as above.

        Without, whatever the buckets are that have been read.
        """
        key = ("runs", period, simulated)
        if edges is not None:
            self._archive.known.pop(key, None)
        return self._once(key, lambda: self._read_runs(period, edges or (), simulated=simulated))

    def _once(self, key: object, read: Callable[[], _T]) -> _T:
        known = self._archive.known
        if key not in known:
            known[key] = read()
        found: _T = known[key]
        return found

    def _read_runs(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> list[list[int]]:
        found: dict[int, list[int]] = {}
        with self._archive.reading() as connection:
            prepared = self._prepare(connection, period, simulated=simulated)
            cut = pieces(prepared.runs, tuple(edges), prepared.made)
            for some in _asked(connection, _OF_RUNS, cut, simulated=simulated):
                for bucket, *sums in json.loads(some):
                    before = found.get(bucket, (0, 0, 0))
                    found[bucket] = [a + b for a, b in zip(before, sums, strict=True)]
        return [[bucket, *some] for bucket, some in sorted(found.items())]

    def _calls(
        self,
        period: Period,
        edges: tuple[float, ...],
        simulated: bool,
        sums: Sequence[str],
        texts: Sequence[str],
    ) -> Columns:
        with self._archive.reading() as connection:
            prepared = self._prepare(connection, period, simulated=simulated)
            cut = pieces(prepared.calls, edges, prepared.made)
            found = _asked(connection, _of_calls(sums, texts), cut, simulated=simulated)
            cut_off = [
                ((bucket, *model), figures)
                for bucket, width, low, high in cut
                if not width
                for model, figures in self._cut_off(
                    connection, low, high, simulated=simulated
                ).items()
            ]
        columns: Columns = {}
        for name, packed in zip((*_KEY, *sums), found, strict=False):
            columns[name] = json.loads(packed)
        for name, joined in zip(texts, found[len(columns) :], strict=True):
            columns[name] = [] if joined is None else joined.split(" ")
        return _with(columns, cut_off, (*sums, *texts)) if cut_off else columns

    def _cut_off(
        self, connection: sqlite3.Connection, low: float, high: float, *, simulated: bool
    ) -> dict[_Model, Figures]:
        key = (low, high, simulated)
        return self._once(key, lambda: _of_rows(connection, low, high, simulated=simulated))

    def _prepare(
        self, connection: sqlite3.Connection, period: Period, *, simulated: bool
    ) -> _Prepared:
        return self._once(
            ("prepared", period, simulated),
            lambda: _prepared(connection, period, simulated=simulated),
        )


@cache
def _of_calls(sums: Sequence[str], texts: Sequence[str]) -> str:
    """A column of JSON each, and of texts all in one."""
    totals = [f"sum({name}) AS {name}" for name in sums]
    totals += [f"group_concat({name}, '') AS {name}" for name in texts]
    columns = [f"json_group_array({name})" for name in (*_KEY, *sums)]
    # Not as JSON, which would look at each letter.
    columns += [f"group_concat({name}, ' ')" for name in texts]
    key = ", ".join(_KEY)
    return f"""
        SELECT {", ".join(columns)}
          FROM (
            SELECT {key}, {", ".join(totals)}
              FROM piece CROSS JOIN call_rollup
                ON simulated = :simulated AND span = width AND start >= low AND start < high
             GROUP BY {key}
             ORDER BY {key}
          )
    """


_ENDED_CALL = "call INDEXED BY call_outcome WHERE status <> 'running'"
_ENDED_RUN = "run INDEXED BY run_newest WHERE status <> 'running'"
_CALLS = f"""
    SELECT json_group_array(json_array(provider, model, {", ".join(FACTS)}))
      FROM {_ENDED_CALL}
       AND started_at >= :low AND started_at < :high AND simulated = :simulated AND NOT drilled
"""
_RUN_ROLLUP = """
    SELECT json_group_array(json_array(bucket, runs, completed, saved))
      FROM (
        SELECT bucket, sum(runs) AS runs, sum(completed) AS completed, sum(saved) AS saved
          FROM piece CROSS JOIN run_rollup
            ON simulated = :simulated AND span = width AND start >= low AND start < high
         GROUP BY bucket
      )
"""
_RUN = f"""
    SELECT json_group_array(json_array(bucket, runs, completed, saved))
      FROM (
        SELECT bucket,
               count(*) AS runs,
               count(*) FILTER (WHERE status = 'completed') AS completed,
               count(*) FILTER (WHERE {SAVED}) AS saved
          FROM piece CROSS JOIN {_ENDED_RUN}
           AND width = 0 AND started_at >= low AND started_at < high
           AND simulated = :simulated
         GROUP BY bucket
      )
"""
_OF_RUNS = f"SELECT ({_RUN_ROLLUP}), ({_RUN})"


def _asked(
    connection: sqlite3.Connection, question: str, pieces: Sequence[_Piece], *, simulated: bool
) -> tuple[Any, ...]:
    """What it makes of `piece`, in one row: busy threads hold up each."""
    row: tuple[Any, ...] = connection.execute(
        f"""
        WITH piece(bucket, width, low, high) AS MATERIALIZED (
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(:pieces)
        )
        {question}
        """,
        {"pieces": json.dumps(pieces), "simulated": simulated},
    ).fetchone()
    return row


class _Prepared(NamedTuple):
    """A period to whole cells, where that takes nothing more in: then no call or run has to be
    looked at. Not at the oldest that is left, for its cell counts those that were removed. And for
    each of SPANS, up to where its spans are there (of runs they all are).
    """

    calls: Period
    runs: Period
    made: tuple[int, ...]


def _prepared(connection: sqlite3.Connection, period: Period, *, simulated: bool) -> _Prepared:
    since, until = max(period.since, 0.0), min(period.until, _FOREVER)
    low, high = floor(since / SHORTEST) * SHORTEST, ceil(until / SHORTEST) * SHORTEST
    takes_in = [
        f"""
        EXISTS (SELECT 1 FROM {ended} AND started_at >= :low AND started_at < :since)
        OR NOT EXISTS (SELECT 1 FROM {ended} AND started_at < :low),
        EXISTS (SELECT 1 FROM {ended} AND started_at >= :until AND started_at < :high)
        OR NOT EXISTS (SELECT 1 FROM {ended} AND started_at < :high - {SHORTEST})
        """
        for ended in (_ENDED_CALL, _ENDED_RUN)
    ]
    *taken_in, made = connection.execute(
        f"SELECT {', '.join(takes_in)}, {MADE}",
        {"low": low, "since": since, "until": until, "high": high, "simulated": simulated},
    ).fetchone()
    calls, runs = (
        Period(since if before else low, until if after else high)
        for before, after in (taken_in[:2], taken_in[2:])
    )
    return _Prepared(calls, runs, tuple(json.loads(made)))


@lru_cache(maxsize=8)  # calls and runs are asked for by the same
def pieces(period: Period, edges: tuple[float, ...], made: tuple[int, ...]) -> list[_Piece]:
    """What the rollup has whole, in the longest spans, and what only the calls can tell.

    `made` is for each of SPANS up to where its spans are there.
    """
    found = list[_Piece]()
    for bucket, (low, high) in enumerate(pairwise([*(edges or [period.since]), period.until])):
        low, high = max(low, period.since), min(high, period.until)
        first, last = ceil(low / SHORTEST) * SHORTEST, floor(high / SHORTEST) * SHORTEST
        if first >= last:
            found.append((bucket, 0, low, high))
            continue
        found += [(bucket, 0, low, first), (bucket, 0, last, high)]
        span = SHORTEST
        for wider, to in zip(SPANS[1:], made[1:], strict=True):
            up, down = -(-first // wider) * wider, min(last // wider * wider, to)
            if up >= down:
                break
            found += [(bucket, span, first, up), (bucket, span, down, last)]
            span, first, last = wider, up, down
        found.append((bucket, span, first, last))
    return [piece for piece in found if piece[2] < piece[3]]


def _of_rows(
    connection: sqlite3.Connection, low: float, high: float, *, simulated: bool
) -> dict[_Model, Figures]:
    """By provider and model, of the calls themselves.

    Not of the whole cell without those left out: of a sum some last digits would remain, and the
    cell counts calls that have been removed.
    """
    values = {"low": low, "high": high, "simulated": simulated}
    (packed,) = connection.execute(_CALLS, values).fetchone()
    calls: dict[_Model, list[Any]] = {}
    for provider, model, *facts in json.loads(packed):
        calls.setdefault((provider, model), []).append(facts)
    return {model: Figures.of(some) for model, some in calls.items()}


def _with(
    columns: Columns,
    some: Sequence[tuple[tuple[Any, ...], Figures]],
    names: Sequence[str],
) -> Columns:
    """`columns` with some figures of a bucket, a provider and a model added."""
    width = len(_KEY)
    rows = {row[:width]: [*row[width:]] for row in zip(*columns.values(), strict=True)}
    for key, figures in some:
        known = {
            **dict(zip(SUMS, figures.sums, strict=True)),
            **dict(zip(COUNTS, figures.texts(), strict=True)),
        }
        news = [known[name] for name in names]
        before = rows.get(key)
        rows[key] = [a + b for a, b in zip(before, news, strict=True)] if before else news
    in_order = [(*key, *row) for key, row in sorted(rows.items())]
    return dict(zip(columns, zip(*in_order, strict=True), strict=True))
