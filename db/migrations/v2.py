"""Fire drills marked, and what each quarter of an hour, hour, six hours and day came to."""

from db.figures import rollup

STATEMENTS = (
    "ALTER TABLE call ADD COLUMN drilled BOOLEAN NOT NULL DEFAULT 0",
    """
    CREATE TABLE call_rollup (
        simulated      BOOLEAN NOT NULL,
        span           INTEGER NOT NULL,
        start          INTEGER NOT NULL,
        provider       TEXT    NOT NULL,
        model          TEXT    NOT NULL,
        calls          INTEGER NOT NULL,
        ok             INTEGER NOT NULL,
        failed         INTEGER NOT NULL,
        rated          INTEGER NOT NULL,
        latency_ms     REAL    NOT NULL,
        input_tokens   INTEGER NOT NULL,
        output_tokens  INTEGER NOT NULL,
        told_tokens    INTEGER NOT NULL,
        told_ms        REAL    NOT NULL,
        cost_usd       REAL    NOT NULL,
        priced         INTEGER NOT NULL,
        unpriced       INTEGER NOT NULL,
        plans          INTEGER NOT NULL,
        invalid_plans  INTEGER NOT NULL,
        plan_cost_usd  REAL    NOT NULL,
        plans_unpriced INTEGER NOT NULL,
        outcomes       TEXT    NOT NULL,
        latencies      TEXT    NOT NULL,
        ttfts          TEXT    NOT NULL,
        PRIMARY KEY (simulated, span, start, provider, model)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE run_rollup (
        simulated BOOLEAN NOT NULL,
        span      INTEGER NOT NULL,
        start     INTEGER NOT NULL,
        runs      INTEGER NOT NULL,
        completed INTEGER NOT NULL,
        failed    INTEGER NOT NULL,
        cancelled INTEGER NOT NULL,
        saved     INTEGER NOT NULL,
        PRIMARY KEY (simulated, span, start)
    ) WITHOUT ROWID
    """,
    rollup.rebuild,
)
