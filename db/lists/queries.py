"""The reading side: single records, pages for people, and what is learnt at start.

Reads never wait for the writer, and never see half of a commit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from core.values.calls import Attempt
from core.values.history.filters import EVERY_CALL, EVERY_RUN, CallFilter, RunFilter
from core.values.ports import Database
from core.values.runs import RunRecord
from db.figures import rollup
from db.lists import conditions, lists
from db.sqlite.about import database
from db.sqlite.readers import Readers
from db.sqlite.rows import (
    CALL_COLUMNS,
    RUN_COLUMNS,
    attempt_from,
    key_digest,
    run_from,
)

if TYPE_CHECKING:
    import pandas as pd

_CALL = ", ".join(CALL_COLUMNS)
_RUN = ", ".join(RUN_COLUMNS)
_NEXT = 3  # calls after a failure: the first answer may have been under way when it ended
# FROM and WHERE of what the figures count.
_COUNTED = """
    call INDEXED BY call_outcome
     WHERE status <> 'running' AND simulated = :simulated AND NOT drilled
"""


class Archive(Readers):
    """`core.values.ports.Archive` and `Records`; each method from any thread.

    Each raises HistoryUnavailable when the file cannot be read.
    """

    def database(self) -> Database:
        return database()

    def first_figure(self, *, simulated: bool) -> float | None:
        """When the oldest span began that anything is counted in; None without one.

        UTC seconds. Figures stay when their calls are removed.
        """
        ((first,),) = self.rows(
            "SELECT min(start) FROM call_rollup WHERE simulated = ? AND span = ?",
            simulated,
            rollup.SHORTEST,
        )
        return None if first is None else float(first)

    def removed_until(self, *, simulated: bool) -> float | None:
        """Calls from before then (UTC seconds) were removed, and the figures count them still.

        To a quarter of an hour where nothing was called since; None where none was removed.
        """
        # A run that goes on keeps its calls, however old: they say nothing of the others.
        oldest = self.rows(
            f"""
            SELECT started_at FROM {_COUNTED}
               AND coalesce(run_id, '') NOT IN (SELECT id FROM run WHERE status = 'running')
             ORDER BY started_at
             LIMIT 1
            """,
            simulated=simulated,
        )
        first = oldest[0][0] if oldest else math.inf
        gone = self.rows(
            f"""
            SELECT start + span FROM call_rollup AS figure
             WHERE simulated = :simulated AND span = :span AND start <= :first
               AND calls > (
                   SELECT count(*) FROM {_COUNTED}
                      AND started_at >= figure.start AND started_at < figure.start + :span
                      AND provider = figure.provider AND model = figure.model)
             ORDER BY start DESC
             LIMIT 1
            """,
            simulated=simulated,
            span=rollup.SHORTEST,
            first=first,
        )
        return min(first, float(gone[0][0])) if gone else None

    def run(self, run_id: str) -> RunRecord | None:
        rows = self.rows(f"SELECT {_RUN} FROM run WHERE id = ?", run_id)
        return run_from(rows[0]) if rows else None

    def run_by_idempotency_key(self, key: str) -> RunRecord | None:
        rows = self.rows(f"SELECT {_RUN} FROM run WHERE idempotency_key = ?", key_digest(key))
        return run_from(rows[0]) if rows else None

    def calls_of(self, run_id: str) -> list[Attempt]:
        rows = self.rows(f"SELECT {_CALL} FROM call WHERE run_id = ? ORDER BY ordinal, id", run_id)
        return [attempt_from(row) for row in rows]

    def answers_of(self, run_id: str) -> dict[int, str]:
        """What the steps of a run were answered, by the calls' ordinals."""
        rows = self.rows(
            """
            SELECT ordinal, response
              FROM call JOIN call_text ON call_id = id
             WHERE run_id = ? AND step IS NOT NULL AND status = 'ok' AND response IS NOT NULL
             ORDER BY ordinal, id
            """,
            run_id,
        )
        return dict(rows)

    def cost_since(self, moment: float) -> float:
        """US dollars of the calls since then (UTC seconds) whose price is known."""
        rows = self.rows(
            """
            SELECT total(cost_usd) FROM call
             WHERE status <> 'running' AND started_at >= ?
            """,
            moment,
        )
        return float(rows[0][0])

    def call(self, call_id: int) -> Attempt | None:
        rows = self.rows(f"SELECT {_CALL} FROM call WHERE id = ?", call_id)
        return attempt_from(rows[0]) if rows else None

    def call_text(self, call_id: int) -> tuple[str, str | None] | None:
        rows = self.rows("SELECT request, response FROM call_text WHERE call_id = ?", call_id)
        return rows[0] if rows else None

    def page_of_runs(
        self,
        *,
        wanted: RunFilter = EVERY_RUN,
        limit: int,
        page: int = 1,
        ranked: bool = False,
    ) -> pd.DataFrame:
        with self.reading() as connection:
            return lists.page_of_runs(connection, wanted, limit=limit, page=page, ranked=ranked)

    def page_of_calls(
        self,
        *,
        wanted: CallFilter = EVERY_CALL,
        limit: int,
        page: int = 1,
        before_id: int | None = None,
        ranked: bool = False,
    ) -> pd.DataFrame:
        with self.reading() as connection:
            return lists.page_of_calls(
                connection, wanted, limit=limit, page=page, before_id=before_id, ranked=ranked
            )

    def count_runs(self, wanted: RunFilter = EVERY_RUN) -> int:
        with self.reading() as connection:
            return lists.count_runs(connection, wanted)

    def count_calls(self, wanted: CallFilter = EVERY_CALL) -> int:
        with self.reading() as connection:
            return lists.count_calls(connection, wanted)

    def chains(self, run_ids: Sequence[str]) -> dict[str, list[list[Any]]]:
        rows = self.rows(
            f"""
            SELECT run_id, json_group_array(json_array(id, provider, status, step))
              FROM (SELECT run_id, id, provider, status, step
                      FROM call
                     WHERE run_id IN ({", ".join("?" * len(run_ids))})
                     ORDER BY run_id, ordinal, id)
             GROUP BY run_id
             ORDER BY run_id
            """,
            *run_ids,
        )
        return {run_id: json.loads(calls) for run_id, calls in rows}

    def steps_of(self, run_ids: Sequence[str]) -> dict[str, int]:
        rows = self.rows(
            f"""
            SELECT id, json_array_length(plan, '$.steps')
              FROM run
             WHERE id IN ({", ".join("?" * len(run_ids))}) AND json_valid(plan)
             ORDER BY id
            """,
            *run_ids,
        )
        return {run_id: steps for run_id, steps in rows if steps is not None}

    def models(self) -> list[str]:
        return [model for (model,) in self.rows(conditions.each("model", "call"))]

    def recent_attempts(self, *, simulated: bool, per_provider: int = 200) -> list[Attempt]:
        """The last ones of each provider that have ended, oldest first."""
        providers = self.rows(
            """
            WITH RECURSIVE each(provider) AS (
                SELECT min(provider) FROM call WHERE simulated = :simulated
                UNION ALL
                SELECT (SELECT min(provider) FROM call
                         WHERE simulated = :simulated AND provider > each.provider)
                  FROM each WHERE provider IS NOT NULL
            )
            SELECT provider FROM each WHERE provider IS NOT NULL ORDER BY provider
            """,
            simulated=simulated,
        )
        rows = [
            row
            for (provider,) in providers
            for row in self.rows(
                f"""
                SELECT {_CALL} FROM call
                 WHERE simulated = ? AND provider = ? AND status <> 'running' AND NOT drilled
                 ORDER BY id DESC
                 LIMIT ?
                """,
                simulated,
                provider,
                per_provider,
            )
        ]
        return [attempt_from(row) for row in sorted(rows)]

    def around_failures(self, moment: float, *, simulated: bool) -> list[Attempt]:
        """The calls since then (UTC seconds) that failed, and of each provider the few that came
        next after one, in order: what its rests can be told from."""
        ((packed,),) = self.rows(
            f"""
            WITH failed AS MATERIALIZED (
                SELECT id, simulated, provider FROM call INDEXED BY call_outcome
                 WHERE status <> 'running' AND started_at >= ? AND simulated = ?
                   AND status = 'failed' AND NOT drilled
            )
            SELECT json_group_array(json_array({_CALL})) FROM (
                SELECT {_CALL} FROM call NOT INDEXED
                 WHERE status <> 'running' AND NOT drilled AND id IN (
                       SELECT id FROM failed
                        UNION
                       SELECT next.id FROM failed CROSS JOIN call AS next ON next.id IN (
                              SELECT later.id FROM call AS later INDEXED BY call_by_provider
                               WHERE later.simulated = failed.simulated
                                 AND later.provider = failed.provider AND later.id > failed.id
                               ORDER BY later.id
                               LIMIT {_NEXT}))
                 ORDER BY id)
            """,
            moment,
            simulated,
        )
        return [attempt_from(row) for row in json.loads(packed)]

    def totals(self, *, simulated: bool) -> dict[str, tuple[int, int, float]]:
        """Per provider: answers, failures, and the sum of the answers' latencies in ms.

        Failures that say nothing of the provider are not among them; who only has such is here.
        """
        with self.reading() as connection:
            pieces = rollup.longest(connection, simulated=simulated)
            rows = connection.execute(
                f"""
                WITH piece(width, low, high) AS (VALUES {", ".join(["(?, ?, ?)"] * len(pieces))})
                SELECT provider, sum(ok), sum(rated - ok), total(latency_ms)
                  FROM piece CROSS JOIN call_rollup
                    ON simulated = ? AND span = width AND start >= low AND start < high
                 GROUP BY provider
                 ORDER BY provider
                """,
                (*chain.from_iterable(pieces), simulated),
            ).fetchall()
        return {provider: (ok, failed, latency) for provider, ok, failed, latency in rows}

    def settings(self) -> list[tuple[str, str]]:
        """What the user chose: key and JSON text."""
        return self.rows("SELECT key, value FROM setting ORDER BY key")

    def changes(
        self, key: str | None, limit: int
    ) -> list[tuple[str, str | None, str | None, float]]:
        """Key, old and new JSON text, and the moment; newest first."""
        return self.rows(
            """
            SELECT key, old, new, changed_at
              FROM change
             WHERE :key IS NULL OR key = :key
             ORDER BY id DESC
             LIMIT :limit
            """,
            key=key,
            limit=limit,
        )
