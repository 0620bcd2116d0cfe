"""Whose words have yet to come into the index: they do so a moment later, many at once."""

STATEMENTS = (
    """
    CREATE TABLE wordless (
        source TEXT    NOT NULL,
        key    INTEGER NOT NULL,
        PRIMARY KEY (source, key)
    ) WITHOUT ROWID
    """,
)
