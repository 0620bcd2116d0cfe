"""How many there are in all, beside the counts by stretch; longer stretches; runs with words."""

import sqlite3
from collections.abc import Callable

from db.figures import rollup

_KEY = "provider, model, strategy, status, error_kind, simulated"


def _total(table: str) -> tuple[str, ...]:
    def add(number: str) -> str:
        return f"""
            INSERT INTO {table}_total ({_KEY}, number)
            VALUES (NEW.provider, NEW.model, NEW.strategy, NEW.status, NEW.error_kind,
                    NEW.simulated, {number})
            ON CONFLICT DO UPDATE SET number = number + excluded.number;
        """

    return (
        f"""
        CREATE TABLE {table}_total (
            provider   TEXT    NOT NULL,
            model      TEXT    NOT NULL,
            strategy   TEXT    NOT NULL,
            status     TEXT    NOT NULL,
            error_kind TEXT    NOT NULL,
            simulated  BOOLEAN NOT NULL,
            number     INTEGER NOT NULL,
            PRIMARY KEY ({_KEY})
        ) WITHOUT ROWID
        """,
        f"""
        INSERT INTO {table}_total ({_KEY}, number)
        SELECT {_KEY}, sum(number) FROM {table}_tally GROUP BY {_KEY}
        """,
        f"""
        CREATE TRIGGER {table}_tally_began AFTER INSERT ON {table}_tally
        BEGIN {add("NEW.number")} END
        """,
        f"""
        CREATE TRIGGER {table}_tally_changed AFTER UPDATE OF number ON {table}_tally
        BEGIN {add("NEW.number - OLD.number")} END
        """,
    )


STATEMENTS: tuple[str | Callable[[sqlite3.Connection], None], ...] = (
    *_total("call"),
    *_total("run"),
    rollup.make_longer,
    "CREATE INDEX run_said ON run (number, id) WHERE goal <> ''",
)
