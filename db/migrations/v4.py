"""Runs numbered in the order they came; counts by stretch, for pages and totals; words."""

# Of what each line of the lists can be filtered by; nothing is an empty text, to be a key.
_FACTS = ("provider", "model", "strategy", "status", "error_kind", "simulated")
_KEY = ", ".join(("stretch", *_FACTS))
_RUN = (
    "id, goal, status, strategy, provider, model, started_at, finished_at, source, simulated, "
    "error_kind, error, plan, options, idempotency_key, request_digest, execution"
)


def tally(table: str, key: str, width: int) -> tuple[str, ...]:
    """Keeps `{table}_tally` up, whoever writes. A stretch is `1 << width` of the table's rows.

    What still runs is not counted: it would be counted twice over, and there are few.
    """

    def count(row: str, change: int) -> str:
        facts = ", ".join(f"coalesce({row}.{fact}, '')" for fact in _FACTS)
        return f"""
            INSERT INTO {table}_tally ({_KEY}, number, first, last)
            VALUES ({row}.{key} >> {width}, {facts}, {change}, {row}.started_at, {row}.started_at)
            ON CONFLICT DO UPDATE SET number = number + {change},
                                      first = min(first, excluded.first),
                                      last = max(last, excluded.last);
        """

    differs = " OR ".join(f"OLD.{fact} IS NOT NEW.{fact}" for fact in _FACTS)
    return (
        f"""
        CREATE TABLE {table}_tally (
            stretch    INTEGER NOT NULL,
            provider   TEXT    NOT NULL,
            model      TEXT    NOT NULL,
            strategy   TEXT    NOT NULL,
            status     TEXT    NOT NULL,
            error_kind TEXT    NOT NULL,
            simulated  BOOLEAN NOT NULL,
            number     INTEGER NOT NULL,
            first      REAL    NOT NULL,
            last       REAL    NOT NULL,
            PRIMARY KEY ({_KEY})
        ) WITHOUT ROWID
        """,
        f"""
        INSERT INTO {table}_tally
        SELECT {key} >> {width}, {", ".join(f"coalesce({fact}, '')" for fact in _FACTS)},
               count(*), min(started_at), max(started_at)
          FROM {table}
         WHERE status <> 'running'
         GROUP BY 1, 2, 3, 4, 5, 6, 7
        """,
        f"""
        CREATE TRIGGER {table}_came AFTER INSERT ON {table} WHEN NEW.status <> 'running'
        BEGIN {count("NEW", 1)} END
        """,
        f"""
        CREATE TRIGGER {table}_ended AFTER UPDATE ON {table}
        WHEN OLD.status = 'running' AND NEW.status <> 'running'
        BEGIN {count("NEW", 1)} END
        """,
        f"""
        CREATE TRIGGER {table}_resumed AFTER UPDATE ON {table}
        WHEN OLD.status <> 'running' AND NEW.status = 'running'
        BEGIN {count("OLD", -1)} END
        """,
        f"""
        CREATE TRIGGER {table}_changed AFTER UPDATE ON {table}
        WHEN OLD.status <> 'running' AND NEW.status <> 'running' AND ({differs})
        BEGIN {count("OLD", -1)} {count("NEW", 1)} END
        """,
        f"""
        CREATE TRIGGER {table}_went AFTER DELETE ON {table} WHEN OLD.status <> 'running'
        BEGIN {count("OLD", -1)} END
        """,
    )


def _words(table: str, columns: str) -> tuple[str, ...]:
    # The texts are not kept a second time (content), nor their lengths (columnsize). Accents are
    # gone before (`core.values.history.words`), and the marks that are vowels in many scripts
    # belong to their words. Merging late and in small steps keeps each commit short.
    return (
        f"""
        CREATE VIRTUAL TABLE {table}_words USING fts5(
            {columns}, content = '', columnsize = 0,
            tokenize = "unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'"
        )
        """,
        f"INSERT INTO {table}_words ({table}_words, rank) VALUES ('automerge', 16)",
        f"INSERT INTO {table}_words ({table}_words, rank) VALUES ('crisismerge', 64)",
    )


STATEMENTS = (
    """
    CREATE TABLE run_numbered (
        number          INTEGER NOT NULL PRIMARY KEY,
        id              TEXT    NOT NULL UNIQUE,
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
        request_digest  TEXT    NOT NULL,
        execution       TEXT
    )
    """,
    f"INSERT INTO run_numbered ({_RUN}) SELECT {_RUN} FROM run ORDER BY started_at, id",
    "DROP TABLE run",
    "ALTER TABLE run_numbered RENAME TO run",
    "CREATE INDEX run_newest ON run (started_at, id)",
    "CREATE UNIQUE INDEX run_by_key ON run (idempotency_key)",
    "CREATE INDEX run_unfinished ON run (id) WHERE status = 'running'",
    "CREATE INDEX call_unfinished ON call (id) WHERE status = 'running'",
    *tally("call", "id", 12),
    *tally("run", "number", 8),
    *_words("call", "asked, answered"),
    *_words("run", "goal, plan"),
    # What was there before is indexed after the start, from the newest down: in one step, a
    # million calls would keep the console from starting for a minute or two.
    """
    CREATE TABLE unindexed (
        source TEXT    NOT NULL PRIMARY KEY,
        below  INTEGER NOT NULL
    )
    """,
    """
    INSERT INTO unindexed
    SELECT 'call', last + 1 FROM (SELECT max(id) AS last FROM call) WHERE last IS NOT NULL
    """,
    """
    INSERT INTO unindexed
    SELECT 'run', last + 1 FROM (SELECT max(number) AS last FROM run) WHERE last IS NOT NULL
    """,
)
