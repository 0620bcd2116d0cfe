"""The version of the schema that a file has, and the steps that lead from an older one to this."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from core.values.calls import may_have_cost
from db.figures.rollup import SPANS
from db.sqlite.refusals import HistoryTooNew, HistoryTooOld
from db.sqlite.rows import CLOCK_OFF

OLDEST, CURRENT = 9, 12

Step = Callable[[sqlite3.Connection], None]
_STEPS: dict[int, Step] = {}


def step(number: int) -> Callable[[Step], Step]:
    """Marks what brings a file of the version before up to that one."""

    def mark(act: Step) -> Step:
        _STEPS[number] = act
        return act

    return mark


def version_of(connection: sqlite3.Connection) -> int:
    """0 of a file that holds nothing yet."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(version: int) -> None:
    """Raises: HistoryTooNew, HistoryTooOld."""
    if version > CURRENT:
        raise HistoryTooNew(version, CURRENT)
    if 0 < version < OLDEST:
        raise HistoryTooOld(version, OLDEST)


def bring_up(connection: sqlite3.Connection) -> None:
    """Make a new file's schema, or take the steps that it has not had: all or none.

    `connection` is in autocommit mode, and its version one that `check` lets through.
    """
    version = version_of(connection)
    if version == CURRENT:
        return
    from db import schema  # SQLModel takes 0.3 s, which a file that is up to date does not need

    connection.execute("BEGIN IMMEDIATE")
    try:
        for number, act in _STEPS.items():
            if 0 < version < number:
                act(connection)
        schema.make(connection)
        connection.execute(f"PRAGMA user_version = {CURRENT}")
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")


@step(10)
def _decisions(connection: sqlite3.Connection) -> None:
    """Who was to be asked in a run, and who was not, and why."""
    connection.execute("ALTER TABLE run ADD COLUMN decisions TEXT")


@step(11)
def _asked(connection: sqlite3.Connection) -> None:
    """Whom each run asked."""
    connection.execute(
        """
        CREATE TABLE run_asked (
            provider TEXT    NOT NULL,
            number   INTEGER NOT NULL,
            model    TEXT    NOT NULL,
            PRIMARY KEY (provider, number, model)
        ) WITHOUT ROWID
        """
    )
    connection.execute(
        """
        INSERT INTO run_asked
        SELECT DISTINCT call.provider, number, call.model FROM call JOIN run ON run.id = run_id
         ORDER BY 1, 2, 3
        """
    )


@step(12)
def _indexes_instead_of_sums(connection: sqlite3.Connection) -> None:
    """Lists were counted by sums that triggers kept."""
    found = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    for (trigger,) in connection.execute(found).fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")
    for source in ("call", "run"):
        for sums in ("tally", "total", "stretch"):
            connection.execute(f"DROP TABLE {source}_{sums}")
    connection.execute("DROP INDEX call_drilled")
    _count_unpriced(connection)
    connection.execute("CREATE TABLE unordered (source TEXT NOT NULL PRIMARY KEY)")
    for source, key in (("call", "id"), ("run", "number")):
        connection.execute(
            f"""
            INSERT INTO unordered SELECT '{source}' WHERE EXISTS (
                SELECT 1 FROM (
                    SELECT started_at, max(started_at) OVER (ORDER BY {key}) AS newest FROM {source}
                ) WHERE started_at < newest - {CLOCK_OFF}
            )
            """
        )


def _count_unpriced(connection: sqlite3.Connection) -> None:
    """Of calls without a price answers alone were rolled up."""
    connection.create_function("may_have_cost", 5, may_have_cost, deterministic=True)
    missed = connection.execute(
        """
        SELECT count(*), simulated, CAST(started_at AS INTEGER), provider, model FROM call
         WHERE status <> 'ok' AND status <> 'running' AND error_kind IS NOT 'invalid_plan'
           AND NOT drilled AND cost_usd IS NULL
           AND may_have_cost(provider, status, error_kind, http_status, ttft_ms)
         GROUP BY 2, 3, 4, 5
        """
    ).fetchall()
    connection.executemany(
        """
        UPDATE call_rollup SET unpriced = unpriced + ?
         WHERE simulated = ? AND start = ? AND provider = ? AND model = ? AND span = ?
        """,
        (
            (count, simulated, began // span * span, *whose, span)
            for count, simulated, began, *whose in missed
            for span in SPANS
        ),
    )
