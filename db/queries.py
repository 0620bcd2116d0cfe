"""The reading side: single records, pages for people, and exports.

Reads never wait for the writer, and never see half of a commit.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from core.errors import HistoryUnavailable
from core.types import Attempt, RunRecord
from db import files
from db.filters import EVERY_CALL, CallFilter, filter_from
from db.rows import CALL_COLUMNS, RUN_COLUMNS, Row, attempt_from, key_digest, run_from

if TYPE_CHECKING:
    import pandas as pd

_CALL = ", ".join(CALL_COLUMNS)
_RUN = ", ".join(RUN_COLUMNS)
_CHUNK = 500  # rows an export holds at once
_MOST = (1 << 63) - 1
_NO_FILE = -1

# fmt: off
_RUN_PAGE = [
    "id", "goal", "status", "strategy", "provider", "model", "source", "error_kind", "error",
    "simulated", "started_at", "finished_at", "chain",
]
# fmt: on
# The frames' columns that are not text.
_RUN_FRAME = {
    "chain": "object",
    "simulated": "bool",
    "started_at": "float64",
    "finished_at": "float64",
}
_CALL_FRAME = {
    **dict.fromkeys(("id", "ordinal"), "int64"),
    **dict.fromkeys(("step", "http_status"), "Int64"),
    **dict.fromkeys(("input_tokens", "output_tokens", "cached_tokens"), "Int64"),
    **dict.fromkeys(("started_at", "latency_ms", "ttft_ms"), "float64"),
    **dict.fromkeys(("cost_usd", "retry_after"), "float64"),
    "simulated": "bool",
}


class Archive:
    """`core.types.Archive` and the pages' records. Every method may be called from any thread.

    Each raises HistoryUnavailable when the file cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._idle: SimpleQueue[tuple[int, sqlite3.Connection]] = SimpleQueue()

    def run(self, run_id: str) -> RunRecord | None:
        rows = self._rows(f"SELECT {_RUN} FROM run WHERE id = ?", run_id)
        return run_from(rows[0]) if rows else None

    def run_by_idempotency_key(self, key: str) -> RunRecord | None:
        rows = self._rows(f"SELECT {_RUN} FROM run WHERE idempotency_key = ?", key_digest(key))
        return run_from(rows[0]) if rows else None

    def calls_of(self, run_id: str) -> list[Attempt]:
        """In the order they were made."""
        rows = self._rows(f"SELECT {_CALL} FROM call WHERE run_id = ? ORDER BY ordinal, id", run_id)
        return [attempt_from(row) for row in rows]

    def call(self, call_id: int) -> Attempt | None:
        rows = self._rows(f"SELECT {_CALL} FROM call WHERE id = ?", call_id)
        return attempt_from(rows[0]) if rows else None

    def call_text(self, call_id: int) -> tuple[str, str | None] | None:
        """The messages as JSON text, and the answer if there was one."""
        rows = self._rows("SELECT request, response FROM call_text WHERE call_id = ?", call_id)
        return rows[0] if rows else None

    def page_of_runs(self, *, limit: int, before: float | None = None) -> pd.DataFrame:
        """Newest first, those that started earlier than `before` (UTC seconds since the epoch).

        Columns: id, goal, status, strategy, provider, model, source, error_kind, error (str,
        empty where there is none), simulated (bool), started_at, finished_at (float64, UTC
        seconds since the epoch, NaN while it runs), chain (its calls in order, a list of
        [provider, status]).
        """
        rows = self._rows(
            f"""
            SELECT {", ".join(_RUN_PAGE[:-1])},
                   (SELECT json_group_array(json_array(provider, status))
                      FROM (SELECT provider, status FROM call
                             WHERE run_id = page.id ORDER BY ordinal, id))
              FROM run AS page
             WHERE started_at < ?
             ORDER BY started_at DESC, id DESC
             LIMIT ?
            """,
            float("inf") if before is None else before,
            limit,
        )
        rows = [(*row, json.loads(chain)) for *row, chain in rows]
        return _frame(rows, _RUN_PAGE, _RUN_FRAME)

    def page_of_calls(
        self, *, limit: int, before_id: int | None = None, wanted: CallFilter = EVERY_CALL
    ) -> pd.DataFrame:
        """Newest first, those with an id below `before_id`.

        Columns: id, ordinal (int64), run_id, provider, model, strategy, status, error_kind,
        message, config, request_id (str, empty where there is none), simulated (bool), step,
        http_status, input_tokens, output_tokens, cached_tokens (Int64, NA where unknown),
        started_at (float64, UTC seconds since the epoch), latency_ms, ttft_ms, cost_usd,
        retry_after (float64, NaN where unknown).
        """
        where, values = wanted.where()
        rows = self._rows(
            f"SELECT {_CALL} FROM call WHERE id < ? AND {where} ORDER BY id DESC LIMIT ?",
            _MOST if before_id is None else before_id,
            *values,
            limit,
        )
        return _frame(rows, CALL_COLUMNS, _CALL_FRAME)

    def count_calls(self, wanted: CallFilter = EVERY_CALL) -> int:
        where, values = wanted.where()
        return int(self._rows(f"SELECT count(*) FROM call WHERE {where}", *values)[0][0])

    def export_calls(self, wanted: CallFilter = EVERY_CALL) -> Iterator[dict[str, Any]]:
        """Every call with its text, oldest first, in little memory. Keys: the columns' names."""
        where, values = wanted.where()
        names = [*CALL_COLUMNS, "request", "response"]
        last = 0
        while rows := self._rows(
            f"""
            SELECT {_CALL}, request, response
              FROM call LEFT JOIN call_text ON call_id = id
             WHERE id > ? AND {where}
             ORDER BY id
             LIMIT {_CHUNK}
            """,
            last,
            *values,
        ):
            last = rows[-1][0]
            for row in rows:
                yield dict(zip(names, row, strict=True))

    def recent_attempts(self, *, simulated: bool, per_provider: int = 200) -> list[Attempt]:
        """The last ones of each provider that have ended, oldest first."""
        providers = self._rows(
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
            for row in self._rows(
                f"""
                SELECT {_CALL} FROM call
                 WHERE simulated = ? AND provider = ? AND status <> 'running'
                 ORDER BY id DESC
                 LIMIT ?
                """,
                simulated,
                provider,
                per_provider,
            )
        ]
        return [attempt_from(row) for row in sorted(rows)]

    def totals(self, *, simulated: bool) -> dict[str, tuple[int, int, float]]:
        """Per provider: answers, failures, and the sum of the answers' latencies in ms."""
        rows = self._rows(
            """
            SELECT provider,
                   count(*) FILTER (WHERE status = 'ok'),
                   count(*) FILTER (WHERE status = 'failed'),
                   total(latency_ms) FILTER (WHERE status = 'ok')
              FROM call INDEXED BY call_outcome
             WHERE status <> 'running' AND simulated = ?
             GROUP BY provider
             ORDER BY provider
            """,
            simulated,
        )
        return {provider: (ok, failed, latency) for provider, ok, failed, latency in rows}

    def settings(self) -> list[tuple[str, str]]:
        """What the user chose: key and JSON text."""
        return self._rows("SELECT key, value FROM setting ORDER BY key")

    def changes(
        self, key: str | None, limit: int
    ) -> list[tuple[str, str | None, str | None, float]]:
        """Key, old and new JSON text, and the moment; newest first."""
        return self._rows(
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

    def close(self) -> None:
        """Close what is idle; it may be used again."""
        self._take(_NO_FILE)

    def _rows(self, sql: str, *values: Any, **named: Any) -> list[tuple[Any, ...]]:
        with self._reader() as connection:
            return connection.execute(sql, named or values).fetchall()

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        # Handed round rather than one a thread: pages come with a new thread each time.
        inode = files.inode(self._path)
        connection = self._take(inode)
        try:
            connection = connection or files.connect_to_read(self._path)
            yield connection
        except BaseException as error:
            if connection:
                connection.close()
            if isinstance(error, sqlite3.Error):
                raise _unreadable() from error
            raise
        self._idle.put((inode, connection))

    def _take(self, inode: int) -> sqlite3.Connection | None:
        """An idle connection to the file that is there now, not to one that was replaced."""
        with suppress(Empty):
            while True:
                known, connection = self._idle.get_nowait()
                if known == inode:
                    return connection
                connection.close()
        return None


def export_csv(path: str | Path, filters: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Pieces of a CSV file of calls, oldest first, without their text.

    Raises:
        BadRequest: a filter cannot be read.
    """
    wanted = filter_from(filters)
    return _csv(Archive(path), wanted)


def export_jsonl(path: str | Path, filters: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Pieces of a JSON lines file of calls, oldest first, with what was asked and answered.

    Raises:
        BadRequest: a filter cannot be read.
    """
    wanted = filter_from(filters)
    return _jsonl(Archive(path), wanted)


def _csv(archive: Archive, wanted: CallFilter) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(CALL_COLUMNS)
    with closing(archive):
        for number, call in enumerate(archive.export_calls(wanted), start=1):
            writer.writerow([_inert(call[name]) for name in CALL_COLUMNS])
            if number % _CHUNK == 0:
                yield _emptied(buffer)
    yield _emptied(buffer)


def _jsonl(archive: Archive, wanted: CallFilter) -> Iterator[str]:
    with closing(archive):
        for call in archive.export_calls(wanted):
            call["simulated"] = bool(call["simulated"])
            call["request"] = json.loads(call["request"] or "null")
            yield json.dumps(call) + "\n"


def _unreadable() -> HistoryUnavailable:
    return HistoryUnavailable(
        "The history cannot be read just now.",
        "Check that Switchyard may read its data folder, then try again.",
    )


def _inert(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\0")):
        return f"'{value}"
    return value


def _emptied(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _frame(rows: Sequence[Row], columns: Sequence[str], types: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd  # 0.6 s, which a start without a page does not have to spend

    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.astype({name: types.get(name, "str") for name in columns})
