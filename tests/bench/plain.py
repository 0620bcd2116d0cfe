"""The same calls in a plain table with the text inline, and what pages ask of it there."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlmodel import Field, Session, SQLModel, create_engine

_FACTS = (
    "run_id, ordinal, step, provider, model, strategy, status, error_kind, http_status, message, "
    "started_at, latency_ms, ttft_ms, input_tokens, output_tokens, cost_usd, simulated"
)


class Log(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    run_id: str | None = None
    ordinal: int
    step: int | None = None
    provider: str
    model: str
    strategy: str
    status: str
    error_kind: str | None = None
    http_status: int | None = None
    message: str | None = None
    started_at: float
    latency_ms: float | None = None
    ttft_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    simulated: bool
    request: str
    response: str | None = None


def made(path: Path, calls: Path) -> None:
    if path.exists():
        return
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    engine = create_engine(f"sqlite:///{part}")
    SQLModel.metadata.create_all(engine, tables=[Log.__table__])  # type: ignore[attr-defined] # SQLModel's own
    engine.dispose()
    connection = sqlite3.connect(part, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("ATTACH ? AS ours", (str(calls),))
    connection.execute(
        f"""
        INSERT INTO log (id, {_FACTS}, request, response)
        SELECT id, {_FACTS}, request, response
          FROM ours.call JOIN ours.call_text ON call_id = id
         WHERE status <> 'running'
         ORDER BY id
        """
    )
    # Everything that the figures are made of, so that the table itself need not be read.
    connection.execute("""
        CREATE INDEX log_covering ON log (started_at, provider, status, error_kind, latency_ms,
                                          ttft_ms, step, output_tokens, cost_usd, run_id, ordinal)
    """)
    connection.execute("CREATE INDEX log_filter ON log (provider, status)")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    part.rename(path)


class Plain:
    """Each method asks what ours does; percentiles in SQL, by rank."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)

    def page(self, limit: int, offset: int = 0, where: str = "TRUE", *values: Any) -> list[Any]:
        return self.connection.execute(
            f"SELECT id, {_FACTS} FROM log WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?",
            (*values, limit, offset),
        ).fetchall()

    def search(self, word: str, limit: int) -> list[Any]:
        like = f"%{word}%"
        return self.page(limit, 0, "request LIKE ? OR response LIKE ?", like, like)

    def totals(self) -> list[Any]:
        return self.connection.execute("""
            SELECT provider, sum(status = 'ok'), sum(status = 'failed'),
                   total(CASE WHEN status = 'ok' THEN latency_ms END)
              FROM log INDEXED BY log_covering GROUP BY provider
        """).fetchall()

    def performance(self, since: float, until: float, edges: Sequence[float]) -> None:
        """The page's figures. Changes are left out: they are in a table of their own."""
        before = since - (until - since)
        for low in (before, since):
            self._summary(low, low + (until - since))
        during = "FROM log INDEXED BY log_covering WHERE started_at >= ? AND started_at < ?"
        took = f"""
            SELECT provider, {{bucket}} AS bucket, latency_ms, ttft_ms,
                   row_number() OVER w AS place,
                   count(*) OVER (PARTITION BY provider, {{bucket}}) AS n
              {during} AND status = 'ok'
            WINDOW w AS (PARTITION BY provider, {{bucket}} ORDER BY latency_ms)
        """
        ranks = "max(CASE WHEN place = 1 + CAST({} * (n - 1) AS INTEGER) THEN latency_ms END)"
        per = ", ".join(ranks.format(part) for part in (0.5, 0.95, 0.99))
        step = edges[1] - edges[0] if len(edges) > 1 else until - since
        bucket = f"CAST((started_at - {edges[0]!r}) / {step!r} AS INTEGER)"
        for sql in (
            f"""SELECT provider, count(*), sum(status = 'ok'), avg(ttft_ms), total(cost_usd),
                       total(output_tokens), sum(status = 'ok' AND step IS NULL),
                       sum(error_kind = 'invalid_plan') {during} GROUP BY provider""",
            f"SELECT provider, {per} FROM ({took.format(bucket='0')}) GROUP BY provider",
            f"""SELECT provider, {bucket} AS bucket, count(*), sum(status = 'ok'), total(cost_usd)
                {during} GROUP BY provider, bucket""",
            f"""SELECT provider, bucket, {per} FROM ({took.format(bucket=bucket)})
                 GROUP BY provider, bucket""",
            f"""SELECT provider, CAST(ln(max(latency_ms, 0.05)) * 50 AS INTEGER), count(*)
                {during} AND status = 'ok' GROUP BY 1, 2""",
            f"SELECT provider, error_kind, count(*) {during} AND status = 'failed' GROUP BY 1, 2",
        ):
            self.connection.execute(sql, (since, until)).fetchall()
        self._saved(since, until, bucket)

    def _summary(self, since: float, until: float) -> None:
        during = "FROM log INDEXED BY log_covering WHERE started_at >= ? AND started_at < ?"
        calls, ok = self.connection.execute(
            f"SELECT count(*), total(status = 'ok') {during}", (since, until)
        ).fetchone()
        if calls:
            self.connection.execute(
                f"""
                SELECT max(CASE WHEN place = :p50 THEN latency_ms END),
                       max(CASE WHEN place = :p95 THEN latency_ms END),
                       max(CASE WHEN place = :p99 THEN latency_ms END)
                  FROM (SELECT latency_ms, row_number() OVER (ORDER BY latency_ms) AS place
                        {during.replace("?", ":since", 1).replace("?", ":until", 1)}
                          AND status = 'ok')
                """,
                {
                    "since": since,
                    "until": until,
                    **{
                        f"p{int(part * 100)}": 1 + int(part * (ok - 1))
                        for part in (0.5, 0.95, 0.99)
                    },
                },
            ).fetchone()

    def _saved(self, since: float, until: float, bucket: str) -> None:
        self.connection.execute(
            f"""
            SELECT bucket, count(*), sum(ok > 0), sum(ok > 0 AND failed > 0)
              FROM (SELECT run_id, min({bucket}) AS bucket, sum(status = 'ok') AS ok,
                           sum(status = 'failed') AS failed
                      FROM log INDEXED BY log_covering
                     WHERE started_at >= ? AND started_at < ? GROUP BY run_id)
             GROUP BY bucket
            """,
            (since, until),
        ).fetchall()


def pandas_performance(path: Path, since: float, until: float, edges: Sequence[float]) -> None:
    """The same from a frame of the rows: the columns that it takes, no text."""
    import numpy as np
    import pandas as pd

    with sqlite3.connect(path) as connection:
        frame = pd.read_sql_query(
            """
            SELECT run_id, provider, status, error_kind, step, started_at, latency_ms, ttft_ms,
                   output_tokens, cost_usd FROM log WHERE started_at >= ? AND started_at < ?
            """,
            connection,
            params=(since - (until - since), until),
        )
    connection.close()
    parts = (0.5, 0.95, 0.99)
    before = frame[frame["started_at"] < since]
    frame = frame[frame["started_at"] >= since].copy()
    frame["bucket"] = np.digitize(frame["started_at"], edges)
    ok = frame[frame["status"] == "ok"]
    for some in (before, frame):
        some.loc[some["status"] == "ok", "latency_ms"].quantile(parts)
    frame.groupby("provider").agg({"status": "size", "cost_usd": "sum", "output_tokens": "sum"})
    ok.groupby("provider")["latency_ms"].quantile(parts)
    ok.groupby("provider")["ttft_ms"].median()
    frame.groupby(["provider", "bucket"]).agg({"status": "size", "cost_usd": "sum"})
    ok.groupby(["provider", "bucket"])["latency_ms"].quantile(parts)
    np.log(ok["latency_ms"].clip(lower=0.05)).mul(50).astype(int).groupby(
        ok["provider"]
    ).value_counts()
    frame[frame["status"] == "failed"].groupby(["provider", "error_kind"]).size()
    frame.groupby("run_id")["status"].agg(["size", "nunique"])


def pandas_page(path: Path, limit: int) -> None:
    import pandas as pd

    with sqlite3.connect(path) as connection:
        frame = pd.read_sql_query(f"SELECT id, {_FACTS} FROM log", connection)
    connection.close()
    frame.sort_values("id", ascending=False).head(limit)


class Sessions:
    """One call, one SQLModel session, one commit."""

    def __init__(self, path: Path) -> None:
        self.engine = create_engine(f"sqlite:///{path}")
        with self.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA synchronous = NORMAL")

    def write(self, log: dict[str, Any]) -> None:
        with Session(self.engine) as session:
            session.add(Log(**log))
            session.commit()
