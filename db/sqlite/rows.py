"""The mapping of attempts and runs to rows and back, and the statements that write them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import chain
from typing import Any

from core.values.calls import Attempt, Message, Usage
from core.values.outcomes import ErrorKind
from core.values.runs import RunRecord, RunRequest
from core.values.texts import escaped
from db.sqlite.decisions import decisions_from, decisions_text

Row = tuple[Any, ...]
Redact = Callable[[str], str]

# fmt: off
CALL_COLUMNS = [
    "id", "run_id", "ordinal", "step", "provider", "model", "strategy", "status", "error_kind",
    "http_status", "message", "started_at", "latency_ms", "ttft_ms", "input_tokens",
    "output_tokens", "cached_tokens", "cost_usd", "simulated", "config", "retry_after",
    "request_id", "drilled",
]
INTENT_COLUMNS = [
    "id", "run_id", "ordinal", "step", "provider", "model", "strategy", "status", "started_at",
    "simulated", "config", "drilled",
]
TEXT_COLUMNS = ["call_id", "request", "response"]
RUN_COLUMNS = [
    "id", "goal", "status", "strategy", "provider", "model", "started_at", "finished_at",
    "source", "simulated", "error_kind", "error", "plan", "options", "idempotency_key",
    "request_digest", "execution", "decisions",
]
# fmt: on

# Seconds by which rows may be out of order, as a clock was wrong, and still be in that of time.
CLOCK_OFF = 3.5 * 24 * 3600
_AT_ONCE = 64  # rows in one statement
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows are put whole: a second one with the same key brings the first up to date.

    `news` are the columns it may change. An index of others alone is left in peace.
    """

    name: str
    columns: Sequence[str]
    news: Sequence[str] = ()

    def put(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            connection.execute(_put(self, len(some)), tuple(chain.from_iterable(some)))


@dataclass(frozen=True, slots=True, eq=False)
class Amended(Table):
    """Rows that are there have their other columns changed; the last one with a key counts."""

    def put(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
        latest = [*{row[0]: row for row in rows}.values()]
        for start in range(0, len(latest), _AT_ONCE):
            some = latest[start : start + _AT_ONCE]
            connection.execute(_amend(self, len(some)), tuple(chain.from_iterable(some)))


@cache
def _put(table: Table, rows: int) -> str:
    # One statement for many rows: CPython gives up the interpreter lock at every step, and a
    # busy loop makes each of them wait. With executemany a full batch took nine times as long.
    row = f"({', '.join('?' * len(table.columns))})"
    news = ", ".join(f"{name} = excluded.{name}" for name in table.news)
    return f"""
        INSERT INTO {table.name} ({", ".join(table.columns)})
        VALUES {", ".join([row] * rows)}
        ON CONFLICT ({table.columns[0]}) DO {f"UPDATE SET {news}" if news else "NOTHING"}
    """


@cache
def _amend(table: Amended, rows: int) -> str:
    key, *columns = table.columns
    row = f"({', '.join('?' * len(table.columns))})"
    news = ", ".join(f"{name} = news.{name}" for name in columns)
    return f"""
        WITH news({", ".join(table.columns)}) AS (VALUES {", ".join([row] * rows)})
        UPDATE {table.name} SET {news} FROM news WHERE {table.name}.{key} = news.{key}
    """


_OUTCOME = ["status", *(name for name in CALL_COLUMNS if name not in INTENT_COLUMNS)]
INTENT = Table("call", INTENT_COLUMNS)
CALL = Table("call", CALL_COLUMNS, _OUTCOME)
REQUEST = Table("call_text", TEXT_COLUMNS[:2])
TEXT = Table("call_text", TEXT_COLUMNS, TEXT_COLUMNS[2:])
_AS_ASKED = ("id", "goal", "idempotency_key", "request_digest")
RUN = Table("run", RUN_COLUMNS, [name for name in RUN_COLUMNS if name not in _AS_ASKED])
DECIDED = Amended("run", ("id", "decisions"))
TABLES = {table.name: table for table in (CALL, TEXT, RUN)}


def intent_row(attempt: Attempt, redact: Redact) -> Row:
    return (
        attempt.id,
        attempt.run_id,
        attempt.ordinal,
        attempt.step,
        attempt.provider,
        storable(attempt.model, redact),
        attempt.strategy,
        attempt.status,
        attempt.started_at,
        attempt.simulated,
        attempt.config,
        attempt.drilled,
    )


def call_row(attempt: Attempt, redact: Redact) -> Row:
    kind, usage = attempt.error_kind, attempt.usage
    return (
        attempt.id,
        attempt.run_id,
        attempt.ordinal,
        attempt.step,
        attempt.provider,
        storable(attempt.model, redact),
        attempt.strategy,
        attempt.status,
        None if kind is None else kind.value,
        attempt.http_status,
        storable(attempt.message, redact),
        attempt.started_at,
        attempt.latency_ms,
        attempt.ttft_ms,
        _count(usage.input_tokens),
        _count(usage.output_tokens),
        _count(usage.cached_tokens),
        attempt.cost_usd,
        attempt.simulated,
        attempt.config,
        attempt.retry_after,
        storable(attempt.request_id, redact),
        attempt.drilled,
    )


def attempt_from(row: Sequence[Any]) -> Attempt:
    """`row` in the order of CALL_COLUMNS."""
    named = dict(zip(CALL_COLUMNS, row, strict=True))
    kind = named.pop("error_kind")
    usage = Usage(*(named.pop(f"{which}_tokens") for which in ("input", "output", "cached")))
    simulated, drilled = bool(named.pop("simulated")), bool(named.pop("drilled"))
    return Attempt(
        **named,
        simulated=simulated,
        drilled=drilled,
        usage=usage,
        error_kind=ErrorKind(kind) if kind else None,
    )


def request_text(messages: Iterable[Message], redact: Redact) -> str:
    said = [{"role": message.role, "content": redact(message.content)} for message in messages]
    return escaped(_encode(said))


def run_row(run: RunRecord, redact: Redact) -> Row:
    return (
        run.id,
        storable(run.goal, redact),
        run.status,
        run.strategy,
        run.provider,
        storable(run.model, redact),
        run.started_at,
        run.finished_at,
        run.request.source,
        run.simulated,
        run.error_kind,
        storable(run.error, redact),
        None if run.plan is None else storable_json(run.plan, redact),
        storable_json(_encode(run.request.options()), redact),
        key_digest(run.request.idempotency_key),
        "",  # request_digest, of earlier versions
        None if run.execution is None else storable_json(_encode(dict(run.execution)), redact),
        decisions_text(run.decisions, strategy=run.strategy),
    )


def decided_row(run: RunRecord) -> Row:
    return run.id, decisions_text(run.decisions, strategy=run.strategy)


def run_from(row: Sequence[Any]) -> RunRecord:
    """`row` in the order of RUN_COLUMNS. The idempotency key comes back as its digest."""
    named = dict(zip(RUN_COLUMNS, row, strict=True))
    del named["request_digest"]
    asked = {name: named.pop(name) for name in ("goal", "source", "idempotency_key")}
    options, simulated = json.loads(named.pop("options")), bool(named.pop("simulated"))
    execution = json.loads(named.pop("execution") or "null")
    decisions = decisions_from(named.pop("decisions"), strategy=named["strategy"])
    return RunRecord(
        **named,
        # Limits and the like stood in `execution` once.
        request=RunRequest.read({**(execution or {}), **options, **asked}),
        simulated=simulated,
        execution=execution,
        decisions=decisions,
    )


def key_digest(key: str | None) -> str | None:
    # A digest, for what a caller sends as a key may be a secret, and redacted ones would collide.
    return None if key is None else _sha256(key)


def storable(text: str | None, redact: Redact) -> str | None:
    return None if text is None else escaped(redact(text))


def storable_json(text: str, redact: Redact) -> str:
    """JSON with its texts redacted and nothing between them: it is JSON still."""
    said = redact(text)
    if said != text:
        with contextlib.suppress(ValueError, RecursionError):
            said = _encode(_redacted(json.loads(text), redact))
    return escaped(said)


def _redacted(value: Any, redact: Redact) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_redacted(each, redact) for each in value]
    if isinstance(value, dict):
        return {redact(name): _redacted(each, redact) for name, each in value.items()}
    return value


def _count(tokens: int | None) -> int | None:
    """What a vendor says may be more than 64 bits hold; then it is unknown."""
    return tokens if tokens is not None and abs(tokens) < 1 << 63 else None


def _sha256(text: str) -> str:
    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
