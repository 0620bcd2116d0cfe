"""The reading side: single records, pages for people, and exports.

Reads never wait for the writer, and never see half of a commit.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any

from core.errors import HistoryUnavailable
from core.types import Attempt, RunRecord
from db import files
from db.filters import EVERY_CALL, EVERY_RUN, CallFilter, RunFilter, filter_from
from db.rollup import SPANS
from db.rows import CALL_COLUMNS, RUN_COLUMNS, Row, attempt_from, key_digest, run_from

if TYPE_CHECKING:
    import pandas as pd

_CALL = ", ".join(CALL_COLUMNS)
_RUN = ", ".join(RUN_COLUMNS)
_CHUNK = 500  # rows an export holds at once
_MOST = (1 << 63) - 1
_NO_FILE = -1
_GOAL = 500  # characters of a goal in a list
_CHAIN = """(
    SELECT json_group_array(json_array(provider, status, error_kind, step, latency_ms, cost_usd))
      FROM (SELECT * FROM call WHERE run_id = page.id ORDER BY ordinal, id)
)"""

# fmt: off
_RUN_PAGE = [
    "id", "goal", "status", "strategy", "provider", "model", "source", "error_kind", "error",
    "snippet", "simulated", "started_at", "finished_at", "calls", "latency_ms", "cost_usd", "chain",
]
# fmt: on
# The frames' columns that are not text.
_RUN_FRAME = {
    "chain": "object",
    "simulated": "bool",
    "calls": "int64",
    **dict.fromkeys(("started_at", "finished_at", "latency_ms", "cost_usd"), "float64"),
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
        self._watch: tuple[int, sqlite3.Connection] | None = None
        self._watching = Lock()
        self._version = 0

    def version(self) -> int:
        """Another number, and a higher one, whenever anything was recorded since.

        Asked in microseconds: the key under which a page may keep what it has read.
        """
        # SQLite counts the commits of others for each connection, so it is always the same one.
        with self._watching:
            inode = files.inode(self._path)
            try:
                if self._watch is None or self._watch[0] != inode:
                    self._unwatch()
                    self._watch = inode, files.connect_to_read(self._path)
                    self._version = time.time_ns()
                count: int = self._watch[1].execute("PRAGMA data_version").fetchone()[0]
            except sqlite3.Error as error:
                self._unwatch()
                raise _unreadable() from error
            return self._version + count

    def first_call(self, *, simulated: bool) -> float | None:
        """When the oldest call that is in the figures began (UTC seconds); None without one."""
        # Whether there is one at all comes first: without one the index would be read to its end.
        if not self._rows("SELECT 1 FROM call WHERE simulated = ? LIMIT 1", simulated):
            return None
        rows = self._rows(
            """
            SELECT started_at FROM call INDEXED BY call_outcome
             WHERE status <> 'running' AND simulated = ? AND NOT drilled
             ORDER BY started_at
             LIMIT 1
            """,
            simulated,
        )
        return rows[0][0] if rows else None

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

    def answers_of(self, run_id: str) -> dict[int, str]:
        """What the steps of a run were answered, by the calls' ordinals."""
        rows = self._rows(
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
        rows = self._rows(
            """
            SELECT total(cost_usd) FROM call
             WHERE status <> 'running' AND started_at >= ?
            """,
            moment,
        )
        return float(rows[0][0])

    def call(self, call_id: int) -> Attempt | None:
        rows = self._rows(f"SELECT {_CALL} FROM call WHERE id = ?", call_id)
        return attempt_from(rows[0]) if rows else None

    def call_text(self, call_id: int) -> tuple[str, str | None] | None:
        """The messages as JSON text, and the answer if there was one."""
        rows = self._rows("SELECT request, response FROM call_text WHERE call_id = ?", call_id)
        return rows[0] if rows else None

    def page_of_runs(
        self, *, wanted: RunFilter = EVERY_RUN, limit: int, page: int = 1
    ) -> pd.DataFrame:
        """The `page`th `limit` runs, newest first.

        Columns: id, goal (its first 500 characters), status, strategy, provider, model (who
        answered), source, error_kind, error, snippet (where the wanted text was found, see
        `db.search`; all str, empty where there is none), simulated (bool), started_at,
        finished_at (float64, UTC seconds since the epoch, NaN while it runs), calls (int64),
        latency_ms (float64, the sum of its calls'), cost_usd (float64, NaN where the price of an
        answer is unknown), chain (its calls in order, each a list of provider, status,
        error_kind, step: the last two None where there is none).
        """
        where, values = _run_where(wanted)
        rows = self._rows(
            f"""
            SELECT id, substr(goal, 1, {_GOAL}), status, strategy, provider, model, source,
                   error_kind, error, '', simulated, started_at, finished_at, {_CHAIN}
              FROM run AS page
             WHERE id IN (SELECT id FROM run WHERE {where}
                           ORDER BY started_at DESC, id DESC
                           LIMIT ? OFFSET ?)
             ORDER BY started_at DESC, id DESC
            """,
            *values,
            limit,
            (page - 1) * limit,
        )
        return _frame([_with_totals(row) for row in rows], _RUN_PAGE, _RUN_FRAME)

    def page_of_calls(
        self,
        *,
        wanted: CallFilter = EVERY_CALL,
        limit: int,
        page: int = 1,
        before_id: int | None = None,
    ) -> pd.DataFrame:
        """The `page`th `limit` calls, newest first; of those with an id below `before_id`.

        Columns: id, ordinal (int64), run_id, provider, model, strategy, status, error_kind,
        message, config, request_id, snippet (where the wanted text was found, see `db.search`;
        all str, empty where there is none), simulated (bool), step, http_status, input_tokens,
        output_tokens, cached_tokens (Int64, NA where unknown), started_at (float64, UTC seconds
        since the epoch), latency_ms, ttft_ms, cost_usd, retry_after (float64, NaN where unknown).
        """
        where, values = _call_where(wanted)
        rows = self._rows(
            f"""
            SELECT {_CALL}, '' FROM call
             WHERE id IN (SELECT id FROM call WHERE id < ? AND {where}
                           ORDER BY id DESC
                           LIMIT ? OFFSET ?)
             ORDER BY id DESC
            """,
            _MOST if before_id is None else before_id,
            *values,
            limit,
            (page - 1) * limit,
        )
        return _frame(rows, [*CALL_COLUMNS, "snippet"], _CALL_FRAME)

    def count_runs(self, wanted: RunFilter = EVERY_RUN) -> int:
        where, values = _run_where(wanted)
        return int(self._rows(f"SELECT count(*) FROM run WHERE {where}", *values)[0][0])

    def count_calls(self, wanted: CallFilter = EVERY_CALL) -> int:
        where, values = _call_where(wanted)
        return int(self._rows(f"SELECT count(*) FROM call WHERE {where}", *values)[0][0])

    def models(self) -> list[str]:
        """Every model that was ever called, by name."""
        return [model for (model,) in self._rows("SELECT DISTINCT model FROM call ORDER BY model")]

    def export_calls(self, wanted: CallFilter = EVERY_CALL) -> Iterator[dict[str, Any]]:
        """Every call with its text, oldest first, in little memory. Keys: the columns' names."""
        where, values = _call_where(wanted)
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

    def totals(self, *, simulated: bool) -> dict[str, tuple[int, int, float]]:
        """Per provider: answers, failures, and the sum of the answers' latencies in ms."""
        rows = self._rows(
            """
            SELECT provider, sum(ok), sum(failed), total(latency_ms)
              FROM call_rollup
             WHERE simulated = ? AND span = ?
             GROUP BY provider
             ORDER BY provider
            """,
            simulated,
            SPANS[-1],
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
        with self._watching:
            self._unwatch()

    def _unwatch(self) -> None:
        if self._watch:
            self._watch[1].close()
            self._watch = None

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


def _call_where(wanted: CallFilter) -> tuple[str, list[Any]]:
    where, values = wanted.where()
    if wanted.text is None:
        return where, values
    says = r"""id IN (
        SELECT call_id FROM call_text
         WHERE request || char(10) || coalesce(response, '') LIKE ? ESCAPE '\'
    )"""
    return f"{where} AND {says}", [*values, f"%{_escaped(wanted.text)}%"]


def _run_where(wanted: RunFilter) -> tuple[str, list[Any]]:
    where, values = wanted.where()
    if wanted.text is None:
        return where, values
    says = r"goal || char(10) || coalesce(plan, '') LIKE ? ESCAPE '\'"
    return f"{where} AND {says}", [*values, f"%{_escaped(wanted.text)}%"]


def _escaped(text: str) -> str:
    for character in "\\%_":
        text = text.replace(character, f"\\{character}")
    return text


def _with_totals(row: Row) -> Row:
    """A row of the page of runs, whose last value is its calls as JSON."""
    *run, packed = row
    calls = json.loads(packed)
    latency = sum(call[4] or 0.0 for call in calls)
    unpriced = any(call[5] is None and call[1] == "ok" for call in calls)
    cost = None if unpriced else sum(call[5] or 0.0 for call in calls)
    return (*run, len(calls), latency, cost, [call[:4] for call in calls])


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
