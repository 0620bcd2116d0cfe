"""Reads what stretches of time came to: rollups where they are whole, the calls where not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, floor
from typing import Any

from core.types import Period
from db.figures import COUNTS, FACTS, SUMS, Figures
from db.queries import Archive
from db.rollup import SAVED, SPANS

_FOREVER = 1e11  # UTC seconds; the year 5138
_Piece = tuple[int, int, float, float]  # bucket, span of its cells (0: none), since, until


class Stretches:
    """By bucket: from one edge to the next, the last to the period's end, none beyond the period.

    Without edges the period is one bucket.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def calls(
        self,
        period: Period,
        edges: Sequence[float] = (),
        *,
        simulated: bool,
        sums: Sequence[str] = (),
        texts: Sequence[str] = (),
    ) -> dict[str, Sequence[Any]]:
        """These columns by bucket and provider, in their order."""
        names = ("bucket", "provider", *sums, *texts)
        whole, partial = _pieces(period, edges)
        rows: Sequence[Sequence[Any]] = self._packed(
            f"""
            SELECT json_array({", ".join(names)}) AS row
              FROM (
                SELECT {
                ", ".join(
                    (
                        "bucket",
                        "provider",
                        *(f"sum({name}) AS {name}" for name in sums),
                        *(f"group_concat({name}, '') AS {name}" for name in texts),
                    )
                )
            }
                  FROM piece CROSS JOIN call_rollup
                    ON simulated = :simulated
                   AND span = width AND start >= low AND start < high
                 GROUP BY bucket, provider
                 ORDER BY bucket, provider
              )
            """,
            pieces=whole,
            simulated=simulated,
        )
        if some := self._partial(partial, simulated=simulated):
            rows = _with(rows, some, sums, texts)
        return (
            dict(zip(names, zip(*rows, strict=True), strict=True))
            if rows
            else dict.fromkeys(names, ())
        )

    def _partial(
        self, pieces: Sequence[_Piece], *, simulated: bool
    ) -> dict[tuple[int, str], Figures]:
        """From the calls themselves, by bucket and provider."""
        found: dict[tuple[int, str], Figures] = {}
        if pieces:
            for bucket, provider, *facts in self._packed(
                f"""
                SELECT json_array(bucket, provider, {", ".join(FACTS)}) AS row
                  FROM piece CROSS JOIN call INDEXED BY call_outcome
                    ON started_at >= low AND started_at < high
                 WHERE status <> 'running' AND simulated = :simulated AND NOT drilled
                """,
                pieces=pieces,
                simulated=simulated,
            ):
                found.setdefault((bucket, provider), Figures()).count(facts)
        return found

    def runs(
        self, period: Period, edges: Sequence[float] = (), *, simulated: bool
    ) -> list[list[int]]:
        """Per bucket with runs: the bucket, runs, completed, saved."""
        whole, partial = _pieces(period, edges)
        found: dict[int, list[int]] = {}
        for pieces, of in ((whole, _RUN_ROLLUP), (partial, _RUN)):
            for bucket, *some in (
                self._packed(of, pieces=pieces, simulated=simulated) if pieces else ()
            ):
                before = found.get(bucket, (0, 0, 0))
                found[bucket] = [a + b for a, b in zip(before, some, strict=True)]
        return [[bucket, *some] for bucket, some in sorted(found.items())]

    def _packed(self, sql: str, *, pieces: Sequence[_Piece], simulated: bool) -> list[list[Any]]:
        """What `sql` selects from `piece`, as one row: busy threads hold up each that is read."""
        rows = self._archive.rows(
            f"""
            WITH piece(bucket, width, low, high) AS MATERIALIZED (
                SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3
                  FROM json_each(:pieces)
            )
            SELECT '[' || coalesce(group_concat(row), '') || ']' FROM ({sql})
            """,
            pieces=json.dumps(pieces),
            simulated=simulated,
        )
        found: list[list[Any]] = json.loads(rows[0][0])
        return found


_RUN_ROLLUP = """
    SELECT json_array(bucket, sum(runs), sum(completed), sum(saved)) AS row
      FROM piece CROSS JOIN run_rollup
        ON simulated = :simulated AND span = width AND start >= low AND start < high
     GROUP BY bucket
"""
_RUN = f"""
    SELECT json_array(
               bucket,
               count(*),
               count(*) FILTER (WHERE status = 'completed'),
               count(*) FILTER (WHERE {SAVED})
           ) AS row
      FROM piece CROSS JOIN run INDEXED BY run_newest
        ON started_at >= low AND started_at < high
     WHERE status <> 'running' AND simulated = :simulated
     GROUP BY bucket
"""


def _pieces(period: Period, edges: Sequence[float]) -> tuple[list[_Piece], list[_Piece]]:
    """What the rollup has whole, in the longest stretches, and what only the calls can tell."""
    whole, partial = list[_Piece](), list[_Piece]()
    for bucket, (low, high) in enumerate(pairwise([*(edges or [period.since]), period.until])):
        low, high = max(low, period.since, 0.0), min(high, period.until, _FOREVER)
        first, last = ceil(low / SPANS[0]) * SPANS[0], floor(high / SPANS[0]) * SPANS[0]
        if first >= last:
            partial.append((bucket, 0, low, high))
            continue
        partial += [(bucket, 0, low, first), (bucket, 0, last, high)]
        for span, wider in pairwise(SPANS):
            up, down = -(-first // wider) * wider, last // wider * wider
            if up >= down:
                up = down = last
            whole += [(bucket, span, first, up), (bucket, span, down, last)]
            first, last = up, down
        whole.append((bucket, SPANS[-1], first, last))
    whole, partial = ([piece for piece in some if piece[2] < piece[3]] for some in (whole, partial))
    return whole, partial


def _with(
    rows: Sequence[Sequence[Any]],
    some: Mapping[tuple[int, str], Figures],
    sums: Sequence[str],
    texts: Sequence[str],
) -> list[Sequence[Any]]:
    """`rows` with `some` added."""
    by_key = {(bucket, provider): rest for bucket, provider, *rest in rows}
    for key, figures in some.items():
        known = {
            **dict(zip(SUMS, figures.sums, strict=True)),
            **dict(zip(COUNTS, figures.texts(), strict=True)),
        }
        news = [known[name] for name in (*sums, *texts)]
        before = by_key.get(key)
        by_key[key] = [a + b for a, b in zip(before, news, strict=True)] if before else news
    return [(*key, *rest) for key, rest in sorted(by_key.items())]
