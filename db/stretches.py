"""Reads what stretches of time came to: rollups where they are whole, the calls where not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from math import ceil, floor
from typing import Any

from core.types import Period
from db.figures import COUNTS, FACTS, SUMS, Figures
from db.queries import Archive
from db.rollup import SAVED, SHORTEST, SPANS, made_to

_FOREVER = 1e11  # UTC seconds; the year 5138
_KEPT = 4  # periods whose figures are remembered
Columns = dict[str, Sequence[Any]]
_Piece = tuple[int, int, float, float]  # bucket, span of its cells (0: none), since, until


class Stretches:
    """What a history's rollups and calls say. Every method may be called from any thread."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._known: dict[tuple[Any, ...], Columns] = {}

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
        self, period: Period, edges: Sequence[float] = (), *, simulated: bool
    ) -> list[list[int]]:
        """Per bucket with runs: the bucket, runs, completed, saved."""
        found: dict[int, list[int]] = {}
        with self._archive.reading() as connection:
            whole, partial = _pieces(_widened(connection, _ENDED_RUN, period), edges, {})
            for pieces, of in ((whole, _RUN_ROLLUP), (partial, _RUN)):
                for bucket, *some in _packed(connection, of, pieces, simulated=simulated):
                    before = found.get(bucket, (0, 0, 0))
                    found[bucket] = [a + b for a, b in zip(before, some, strict=True)]
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
            made = dict(zip(SPANS, made_to(connection, simulated=simulated), strict=True))
            whole, partial = _pieces(_widened(connection, _ENDED_CALL, period), edges, made)
            rows: Sequence[Sequence[Any]] = _packed(
                connection, _of_rollup(sums, texts), whole, simulated=simulated
            )
            calls = _packed(connection, _CALL, partial, simulated=simulated)
        if calls:
            rows = _with(rows, calls, sums, texts)
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
       AND started_at >= low AND started_at < high
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
           AND started_at >= low AND started_at < high AND simulated = :simulated
         GROUP BY bucket
      )
"""


def _packed(
    connection: sqlite3.Connection, sql: str, pieces: Sequence[_Piece], *, simulated: bool
) -> list[list[Any]]:
    """What `sql` makes of `piece`: one row, for busy threads hold up each that is read."""
    if not pieces:
        return []
    row = connection.execute(
        f"""
        WITH piece(bucket, width, low, high) AS MATERIALIZED (
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(:pieces)
        )
        {sql}
        """,
        {"pieces": json.dumps(pieces), "simulated": simulated},
    ).fetchone()
    found: list[list[Any]] = json.loads(row[0])
    return found


def _widened(connection: sqlite3.Connection, ended: str, period: Period) -> Period:
    """To whole cells, where that takes nothing more in: then no call has to be looked at."""
    since, until = max(period.since, 0.0), min(period.until, _FOREVER)
    low, high = floor(since / SHORTEST) * SHORTEST, ceil(until / SHORTEST) * SHORTEST
    before, after = connection.execute(
        f"""
        SELECT EXISTS (SELECT 1 FROM {ended} AND started_at >= ? AND started_at < ?),
               EXISTS (SELECT 1 FROM {ended} AND started_at >= ? AND started_at < ?)
        """,
        (low, since, until, high),
    ).fetchone()
    return Period(since if before else low, until if after else high)


def _pieces(
    period: Period, edges: Sequence[float], made: Mapping[int, int]
) -> tuple[list[_Piece], list[_Piece]]:
    """What the rollup has whole, in the longest stretches, and what only the calls can tell.

    `made` is up to where the stretches of a span are there; all, if it is not in it.
    """
    whole, partial = list[_Piece](), list[_Piece]()
    for bucket, (low, high) in enumerate(pairwise([*(edges or [period.since]), period.until])):
        low, high = max(low, period.since), min(high, period.until)
        first, last = ceil(low / SHORTEST) * SHORTEST, floor(high / SHORTEST) * SHORTEST
        if first >= last:
            partial.append((bucket, 0, low, high))
            continue
        partial += [(bucket, 0, low, first), (bucket, 0, last, high)]
        for span, wider in pairwise(SPANS):
            up, down = -(-first // wider) * wider, last // wider * wider
            down = min(down, made.get(wider, down))
            if up >= down:
                up = down = last
            whole += [(bucket, span, first, up), (bucket, span, down, last)]
            first, last = up, down
        whole.append((bucket, SPANS[-1], first, last))
    whole, partial = ([piece for piece in some if piece[2] < piece[3]] for some in (whole, partial))
    return whole, partial


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
