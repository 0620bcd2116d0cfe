"""Whose words have yet to come into the index; other spans in the rollups; drills and failures."""

from db import rollup

STATEMENTS = (
    """
    CREATE TABLE to_index (
        source TEXT    NOT NULL,
        key    INTEGER NOT NULL,
        PRIMARY KEY (source, key)
    ) WITHOUT ROWID
    """,
    rollup.make_longer,
    "CREATE INDEX call_drilled ON call (id) WHERE drilled",
    "CREATE INDEX call_failed ON call (run_id) WHERE status = 'failed' AND NOT drilled",
)
