"""Reads what stretches of time came to: rollups where they are whole, the calls where not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import pairwise
from math import ceil, floor
from typing import Any

from core.types import Period
from db.figures import COUNTS, FACTS, SUMS, Figures
from db.queries import Archive
from db.rollup import MADE, SAVED, SHORTEST, SPANS

_FOREVER = 1e11  # UTC seconds; the year 5138
_KEPT = 4  # periods whose figures are remembered
Columns = dict[str, Sequence[Any]]
_Piece = tuple[int, int, float, float]  # bucket, span of its cells (0: none), since, until


class Stretches:
    """What a history's rollups and calls say. Every method may be called from any thread."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._known: dict[tuple[Any, ...], Columns] = {}
        self._runs: tuple[object, list[list[int]]] = (None, [])

    def calls(self, period: Period, *, simulated: bool) -> Columns:
        """All columns by provider, in their order. Not read twice while nothing was recorded."""
        return self._once(period, (), simulated=simulated, sums=SUMS, texts=COUNTS)

    def calls_over_time(
        self,
        period: Period,
        edges: Sequence[float],
        *,
        simulated: bool,
        sums: Sequence[str],
        texts: Sequence[str],
    ) -> Columns:
        """These columns by bucket and provider, in their order.

        A bucket goes from one edge to the next, the last to the period's end, and none beyond
        the period. Not read twice either.
        """
        return self._once(period, tuple(edges), simulated=simulated, sums=sums, texts=texts)

    def runs(
        self, period: Period, edges: Sequence[float] | None, *, simulated: bool
    ) -> list[list[int]]:
        """Per bucket with runs: the bucket, runs, completed, saved; `edges` as above.

        Without, whatever the buckets are that have been read.
        """
        key = (period, simulated, self._archive.version())
        of, runs = self._runs
        if edges is not None or of != key:
            runs = self._read_runs(period, edges or (), simulated=simulated)
            self._runs = key, runs
        return runs

    def _read_runs(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> list[list[int]]:
        found: dict[int, list[int]] = {}
        with self._archive.reading() as connection:
            period, made = _prepared(connection, _ENDED_RUN, period, simulated=simulated)
            cut = pieces(period, tuple(edges), made)
            for some in _packed(connection, (_RUN_ROLLUP, _RUN), cut, simulated=simulated):
                for bucket, *sums in some:
                    before = found.get(bucket, (0, 0, 0))
                    found[bucket] = [a + b for a, b in zip(before, sums, strict=True)]
        return [[bucket, *some] for bucket, some in sorted(found.items())]

    def _once(
        self,
        period: Period,
        edges: Sequence[float],
        *,
        simulated: bool,
        sums: Sequence[str],
        texts: Sequence[str],
    ) -> Columns:
        key = (period, edges, simulated, sums, texts, self._archive.version())
        found = self._known.get(key)
        if found is None:
            found = self._calls(period, edges, simulated=simulated, sums=sums, texts=texts)
            self._known = dict([*self._known.items()][1 - _KEPT :]) | {key: found}
        return found

    def _calls(
        self,
        period: Period,
        edges: Sequence[float],
        *,
        simulated: bool,
        sums: Sequence[str],
        texts: Sequence[str],
    ) -> Columns:
        names = ("bucket", "provider", *sums, *texts)
        with self._archive.reading() as connection:
            period, made = _prepared(connection, _ENDED_CALL, period, simulated=simulated)
            sql = _of_rollup(sums, texts), _CALL
            cut = pieces(period, tuple(edges), made)
            known, calls = _packed(connection, sql, cut, simulated=simulated)
        rows = _with(known, calls, sums, texts) if calls else known
        columns = zip(*rows, strict=True) if rows else [()] * len(names)
        return dict(zip(names, columns, strict=True))


@cache
def _of_rollup(sums: Sequence[str], texts: Sequence[str]) -> str:
    totals = [f"sum({name}) AS {name}" for name in sums]
    totals += [f"group_concat({name}, '') AS {name}" for name in texts]
    return f"""
        SELECT json_group_array(json_array({", ".join(("bucket", "provider", *sums, *texts))}))
          FROM (
            SELECT bucket, provider, {", ".join(totals)}
              FROM piece CROSS JOIN call_rollup
                ON simulated = :simulated AND span = width AND start >= low AND start < high
             GROUP BY bucket, provider
             ORDER BY bucket, provider
          )
    """


_ENDED_CALL = "call INDEXED BY call_outcome WHERE status <> 'running'"
_ENDED_RUN = "run INDEXED BY run_newest WHERE status <> 'running'"
_CALL = f"""
    SELECT json_group_array(json_array(bucket, provider, {", ".join(FACTS)}))
      FROM piece CROSS JOIN {_ENDED_CALL}
       AND width = 0 AND started_at >= low AND started_at < high
       AND simulated = :simulated AND NOT drilled
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


def _packed(
    connection: sqlite3.Connection,
    questions: Sequence[str],
    pieces: Sequence[_Piece],
    *,
    simulated: bool,
) -> list[list[list[Any]]]:
    """What each question makes of `piece`, all in one row: busy threads hold up each."""
    row = connection.execute(
        f"""
        WITH piece(bucket, width, low, high) AS MATERIALIZED (
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(:pieces)
        )
        SELECT {", ".join(f"({question})" for question in questions)}
        """,
        {"pieces": json.dumps(pieces), "simulated": simulated},
    ).fetchone()
    return [json.loads(packed) for packed in row]


def _prepared(
    connection: sqlite3.Connection, ended: str, period: Period, *, simulated: bool
) -> tuple[Period, tuple[int, ...]]:
    """The period to whole cells, where that takes nothing more in: then no call has to be looked
    at. And for each of SPANS, up to where its stretches are there (of runs they all are).
    """
    since, until = max(period.since, 0.0), min(period.until, _FOREVER)
    low, high = floor(since / SHORTEST) * SHORTEST, ceil(until / SHORTEST) * SHORTEST
    before, after, made = connection.execute(
        f"""
        SELECT EXISTS (SELECT 1 FROM {ended} AND started_at >= :low AND started_at < :since),
               EXISTS (SELECT 1 FROM {ended} AND started_at >= :until AND started_at < :high),
               {MADE}
        """,
        {"low": low, "since": since, "until": until, "high": high, "simulated": simulated},
    ).fetchone()
    widened = Period(since if before else low, until if after else high)
    return widened, tuple(json.loads(made))


@lru_cache(maxsize=8)  # calls and runs are asked for by the same
def pieces(period: Period, edges: tuple[float, ...], made: tuple[int, ...]) -> list[_Piece]:
    """What the rollup has whole, in the longest stretches, and what only the calls can tell.

    `made` is for each of SPANS up to where its stretches are there.
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


def _with(
    rows: Sequence[Sequence[Any]],
    calls: Sequence[Sequence[Any]],
    sums: Sequence[str],
    texts: Sequence[str],
) -> list[Sequence[Any]]:
    """`rows` with `calls` added."""
    found: dict[tuple[int, str], Figures] = {}
    for bucket, provider, *facts in calls:
        found.setdefault((bucket, provider), Figures()).count(facts)
    by_key = {(bucket, provider): rest for bucket, provider, *rest in rows}
    for key, figures in found.items():
        known = {
            **dict(zip(SUMS, figures.sums, strict=True)),
            **dict(zip(COUNTS, figures.texts(), strict=True)),
        }
        news = [known[name] for name in (*sums, *texts)]
        before = by_key.get(key)
        by_key[key] = [a + b for a, b in zip(before, news, strict=True)] if before else news
    return [(*key, *rest) for key, rest in sorted(by_key.items())]
