"""The schema: from blank, from each version, and from one that is newer than ours."""

import hashlib
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import create_engine
from sqlmodel import SQLModel

import db.schema
from core.values.periods import Period
from db.figures.performance import Performance
from db.migrations import MIGRATIONS, migrate, version_of
from db.sqlite.refusals import HistoryTooNew
from db.sqlite.writer import SqliteHistory


def connected(path=":memory:"):
    return closing(sqlite3.connect(path, isolation_level=None))


def schema(connection):
    """Per table its kind and columns, and its indexes with their columns and conditions."""
    found = {}
    # The tables of words belong to FTS5, which makes more of its own.
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '*_words*'"
    for (table,) in connection.execute(tables):
        columns = connection.execute(
            "SELECT name, type, [notnull], dflt_value, pk FROM pragma_table_info(?)", (table,)
        ).fetchall()
        indexes = {}
        for name, unique, origin in connection.execute(
            "SELECT name, [unique], origin FROM pragma_index_list(?)", (table,)
        ).fetchall():
            of = connection.execute("SELECT name FROM pragma_index_info(?)", (name,)).fetchall()
            row = connection.execute(
                "SELECT sql FROM sqlite_master WHERE name = ?", (name,)
            ).fetchone()  # none for the key of a table without row ids
            condition = ((row and row[0]) or "").partition("WHERE ")[2].strip()
            indexes[name] = (unique, origin, of, condition)
        kind = connection.execute("SELECT type, wr FROM pragma_table_list(?)", (table,)).fetchall()
        found[table] = (kind, columns, indexes)
    return found


def test_the_models_and_the_migrated_schema_agree(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'models.db'}")
    names = (
        *("Run", "Call", "CallText", "Setting", "Change", "CallRollup", "RunRollup"),
        *("CallTally", "RunTally", "CallTotal", "RunTotal"),
        *("CallStretch", "RunStretch", "RunAsked", "Unindexed", "ToIndex"),
    )
    tables = [getattr(db.schema, name).__table__ for name in names]
    SQLModel.metadata.create_all(engine, tables=tables)
    engine.dispose()

    with connected() as migrated, connected(tmp_path / "models.db") as modelled:
        migrate(migrated)
        assert schema(migrated) == schema(modelled)


def test_a_blank_file_is_brought_up_to_date_once():
    with connected() as connection:
        migrate(connection)
        before = schema(connection)
        migrate(connection)
        assert version_of(connection) == len(MIGRATIONS)
        assert schema(connection) == before


def test_a_step_that_fails_leaves_the_version_before_it_whole():
    with connected() as connection:
        migrate(connection)
        connection.execute("INSERT INTO setting (key, value) VALUES ('strategy', '\"random\"')")
        before = schema(connection)
        bad = ("CREATE TABLE extra (id INTEGER)", "DROP TABLE setting", "SELECT * FROM nowhere")
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, [*MIGRATIONS, bad])

        assert version_of(connection) == len(MIGRATIONS)
        assert schema(connection) == before
        assert connection.execute("SELECT count(*) FROM setting").fetchone() == (1,)


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_history_of_a_newer_version_is_refused_and_untouched(journal, tmp_path):
    path = tmp_path / "console.db"
    with connected(path) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("CREATE TABLE call (of, another, shape)")
        connection.execute("PRAGMA user_version = 999")
    before = hashlib.sha256(path.read_bytes()).digest()

    with pytest.raises(HistoryTooNew, match="newer Manyways"):
        SqliteHistory.open(path)

    assert hashlib.sha256(path.read_bytes()).digest() == before
    with pytest.raises(HistoryTooNew):  # its lock was let go
        SqliteHistory.open(path)


def test_what_a_first_version_holds_is_counted_when_it_is_brought_up_to_date(tmp_path):
    """And is all still there, with the marks that came since."""
    path = tmp_path / "console.db"
    with connected(path) as connection:
        migrate(connection, MIGRATIONS[:1])
        connection.executemany(
            """
            INSERT INTO call (id, run_id, ordinal, provider, model, strategy, status, error_kind,
                              started_at, latency_ms, cost_usd, simulated, config)
            VALUES (?, 'r', ?, ?, 'm', 'random', ?, ?, ?, 100.0, 0.5, FALSE, '')
            """,
            [
                (1, 0, "kimi", "failed", "timeout", 1_790_000_000.0),
                (2, 1, "openai", "ok", None, 1_790_000_045.0),
                (3, 2, "openai", "running", None, 1_790_000_046.0),
            ],
        )
        connection.execute(
            """
            INSERT INTO run (id, goal, status, strategy, provider, started_at, source, simulated,
                             options, request_digest)
            VALUES ('r', 'A goal', 'completed', 'random', 'openai', 1790000000.0, 'ui', FALSE,
                    '{}', '')
            """
        )
        migrate(connection)
        assert version_of(connection) == len(MIGRATIONS)
        rows = connection.execute("SELECT drilled FROM call ORDER BY id").fetchall()
        assert rows == [(0,), (0,), (0,)]

    found = Performance(path).summary(Period(0, 2e9), simulated=False)
    assert (found.calls, found.ok, found.rated, found.cost_usd) == (2, 1, 2, 1.0)
    assert (found.runs, found.runs_ok, found.runs_saved) == (1, 1, 1)
    by_provider = Performance(path).by_model(Period(0, 2e9), simulated=False)
    assert by_provider["provider"].tolist() == ["kimi", "openai"]
