"""Runs, calls, their text, what the user chose, and every change of it."""

STATEMENTS = (
    """
    CREATE TABLE run (
        id              TEXT    NOT NULL PRIMARY KEY,
        goal            TEXT    NOT NULL,
        status          TEXT    NOT NULL,
        strategy        TEXT    NOT NULL,
        provider        TEXT,
        model           TEXT,
        started_at      REAL    NOT NULL,
        finished_at     REAL,
        source          TEXT    NOT NULL,
        simulated       BOOLEAN NOT NULL,
        error_kind      TEXT,
        error           TEXT,
        plan            TEXT,
        options         TEXT    NOT NULL,
        idempotency_key TEXT,
        request_digest  TEXT    NOT NULL
    )
    """,
    "CREATE INDEX run_newest ON run (started_at, id)",
    "CREATE UNIQUE INDEX run_by_key ON run (idempotency_key)",
    "CREATE INDEX run_unfinished ON run (id) WHERE status = 'running'",
    """
    CREATE TABLE call (
        id            INTEGER NOT NULL PRIMARY KEY,
        run_id        TEXT,
        ordinal       INTEGER NOT NULL,
        step          INTEGER,
        provider      TEXT    NOT NULL,
        model         TEXT    NOT NULL,
        strategy      TEXT    NOT NULL,
        status        TEXT    NOT NULL,
        error_kind    TEXT,
        http_status   INTEGER,
        message       TEXT,
        started_at    REAL    NOT NULL,
        latency_ms    REAL,
        ttft_ms       REAL,
        input_tokens  INTEGER,
        output_tokens INTEGER,
        cached_tokens INTEGER,
        cost_usd      REAL,
        simulated     BOOLEAN NOT NULL,
        config        TEXT    NOT NULL,
        retry_after   REAL,
        request_id    TEXT
    )
    """,
    "CREATE INDEX call_of_run ON call (run_id, ordinal)",
    "CREATE INDEX call_by_provider ON call (simulated, provider)",
    """
    CREATE INDEX call_outcome ON call (started_at, simulated, provider, status, latency_ms)
    WHERE status <> 'running'
    """,
    "CREATE INDEX call_by_error ON call (error_kind) WHERE error_kind IS NOT NULL",
    """
    CREATE TABLE call_text (
        call_id  INTEGER NOT NULL PRIMARY KEY,
        request  TEXT    NOT NULL,
        response TEXT
    )
    """,
    """
    CREATE TABLE setting (
        key   TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE change (
        id         INTEGER NOT NULL PRIMARY KEY,
        key        TEXT    NOT NULL,
        old        TEXT,
        new        TEXT,
        changed_at REAL    NOT NULL
    )
    """,
    "CREATE INDEX change_of_key ON change (key)",
)
