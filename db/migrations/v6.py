"""Whose words have yet to come into the index; calls that were drills, and that failed."""

STATEMENTS = (
    """
    CREATE TABLE to_index (
        source TEXT    NOT NULL,
        key    INTEGER NOT NULL,
        PRIMARY KEY (source, key)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX call_drilled ON call (id) WHERE drilled",
    "CREATE INDEX call_failed ON call (run_id) WHERE status = 'failed' AND NOT drilled",
)
