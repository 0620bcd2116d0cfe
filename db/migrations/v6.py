"""Whose words have yet to come into the index; other spans in the rollups."""

from db import rollup

STATEMENTS = (
    """
    CREATE TABLE wordless (
        source TEXT    NOT NULL,
        key    INTEGER NOT NULL,
        PRIMARY KEY (source, key)
    ) WITHOUT ROWID
    """,
    rollup.make_longer,
)
