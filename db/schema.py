"""The history's tables, and which index answers which question: a new file is made of these.

Moments are UTC seconds since the epoch, NULL is unknown.

To change them, change the models, raise `db.sqlite.schema_versions.CURRENT` to 13, and add there
what brings a file of version 12 up to it: a function marked `@step(13)`. It runs once, in the same
transaction as the steps before it, after the file was copied; whatever the models have and the
file has not is made after the last step, so that a new table or index needs no statement. A test
holds a file that was brought up and a new one together.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import ClassVar

from sqlalchemy import REAL, Index, Text, text
from sqlalchemy.dialects.sqlite.base import SQLiteDDLCompiler, SQLiteDialect
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlmodel import Field, SQLModel

from db.sqlite.rows import CLOCK_OFF


class Run(SQLModel, table=True):
    __table_args__ = (
        # Runs of a time, and the oldest and the newest: for figures.
        Index("run_newest", "started_at", "id"),
        # Every filter of a list, in the list's order: a row itself, with its goal and plan, is
        # fifty times as long.
        Index(
            "run_listed",
            *("number", "status", "provider", "started_at", "simulated", "strategy"),
            "error_kind",
        ),
        # Which run does this Idempotency-Key belong to? At most one.
        Index("run_by_key", "idempotency_key", unique=True),
        # What was cut off when the process stopped?
        Index("run_unfinished", "id", sqlite_where=text("status = 'running'")),
        # Whose words are still there? For those that made no call.
        Index("run_said", "number", "id", sqlite_where=text("goal <> ''")),
    )

    number: int = Field(primary_key=True)  # 1, 2, ... as they came: the lists' order
    id: str = Field(unique=True, sa_type=Text)
    goal: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    strategy: str = Field(sa_type=Text)
    provider: str | None = Field(default=None, sa_type=Text)  # who answered
    model: str | None = Field(default=None, sa_type=Text)
    started_at: float = Field(sa_type=REAL)
    finished_at: float | None = Field(default=None, sa_type=REAL)
    source: str = Field(sa_type=Text)
    simulated: bool
    error_kind: str | None = Field(default=None, sa_type=Text)
    error: str | None = Field(default=None, sa_type=Text)  # a sentence
    plan: str | None = Field(default=None, sa_type=Text)  # JSON
    options: str = Field(sa_type=Text)  # JSON: context, priority, temperature ...
    idempotency_key: str | None = Field(default=None, sa_type=Text)  # its SHA-256
    request_digest: str = Field(sa_type=Text)  # SHA-256 of goal, strategy and options
    execution: str | None = Field(default=None, sa_type=Text)  # JSON: on what terms, how far
    # JSON, see `db.sqlite.decisions`: who was to be asked, and who was not; NULL: was not recorded.
    decisions: str | None = Field(default=None, sa_type=Text)


class Call(SQLModel, table=True):
    __table_args__ = (
        # Which calls did this run make, in order?
        Index("call_of_run", "run_id", "ordinal"),
        # The newest calls of a provider: what health is rebuilt from; and lists of one that is
        # rarely asked, or of the few that were practice or were not.
        Index("call_by_provider", "simulated", "provider"),
        # Counts, rates and latencies of a window, without touching the table. A query must say
        # `status <> 'running'` to be served by it; a call enters when it ends, once.
        Index(
            "call_outcome",
            "started_at",
            "simulated",
            "provider",
            "status",
            "latency_ms",
            sqlite_where=text("status <> 'running'"),
        ),
        # Which models were ever called, and at whom? And lists of one that is rarely asked.
        Index("call_by_model", "model", "provider"),
        # What has no outcome yet?
        Index("call_unfinished", "id", sqlite_where=text("status = 'running'")),
        # Did a call of this run fail?
        Index("call_failed", "run_id", sqlite_where=text("status = 'failed' AND NOT drilled")),
        # Which calls ended without an answer, and why? In the list's order: one in ten or fewer.
        Index(
            "call_unanswered",
            "id",
            "provider",
            "status",
            "error_kind",
            sqlite_where=text("status <> 'ok' AND status <> 'running'"),
        ),
    )

    id: int = Field(primary_key=True)
    run_id: str | None = Field(default=None, sa_type=Text)
    ordinal: int
    step: int | None = None  # NULL: planning
    provider: str = Field(sa_type=Text)
    model: str = Field(sa_type=Text)
    strategy: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    error_kind: str | None = Field(default=None, sa_type=Text)
    http_status: int | None = None
    message: str | None = Field(default=None, sa_type=Text)
    started_at: float = Field(sa_type=REAL)
    latency_ms: float | None = Field(default=None, sa_type=REAL)
    ttft_ms: float | None = Field(default=None, sa_type=REAL)
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = Field(default=None, sa_type=REAL)
    simulated: bool
    config: str = Field(sa_type=Text)
    retry_after: float | None = Field(default=None, sa_type=REAL)  # seconds
    request_id: str | None = Field(default=None, sa_type=Text)
    # A fire drill's: never sent to anybody, and in no figure.
    drilled: bool = Field(default=False, sa_column_kwargs={"server_default": text("0")})


class CallText(SQLModel, table=True):
    """Apart from the numbers, so that lists and charts never read it."""

    __tablename__ = "call_text"

    call_id: int = Field(primary_key=True)
    request: str = Field(sa_type=Text)  # JSON: the messages
    response: str | None = Field(default=None, sa_type=Text)


class Setting(SQLModel, table=True):
    key: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)  # JSON


class Change(SQLModel, table=True):
    # The last change of a key, for undo.
    __table_args__ = (Index("change_of_key", "key"),)

    id: int = Field(primary_key=True)
    key: str = Field(sa_type=Text)
    old: str | None = Field(default=None, sa_type=Text)  # JSON; NULL: was not set
    new: str | None = Field(default=None, sa_type=Text)  # JSON; NULL: no longer set
    changed_at: float = Field(sa_type=REAL)


class CallRollup(SQLModel, table=True):
    """What the calls that began in `span` seconds from `start` on came to, once they had ended.

    Without fire drills. Ordered for one question: what happened in these hours? The last three
    columns are counts by code, see `db.figures.counts`.
    """

    __tablename__ = "call_rollup"
    __table_args__: ClassVar = {"sqlite_with_rowid": False}

    simulated: bool = Field(primary_key=True)
    span: int = Field(primary_key=True)
    start: int = Field(primary_key=True)
    provider: str = Field(primary_key=True, sa_type=Text)
    model: str = Field(primary_key=True, sa_type=Text)
    calls: int
    ok: int
    failed: int
    rated: int  # those whose outcome says something of the provider's quality
    latency_ms: float = Field(sa_type=REAL)  # here and below: sums
    input_tokens: int
    output_tokens: int
    told_tokens: int  # of successes that said how many they were
    told_ms: float = Field(sa_type=REAL)  # what these took
    cost_usd: float = Field(sa_type=REAL)
    priced: int  # calls whose cost is known
    # Calls without a price, see `core.values.calls.may_have_cost`. Of what was removed before
    # schema 12 answers alone.
    unpriced: int
    plans: int  # successes of planning
    invalid_plans: int
    plan_cost_usd: float = Field(sa_type=REAL)  # of both
    plans_unpriced: int
    outcomes: str = Field(sa_type=Text)
    latencies: str = Field(sa_type=Text)  # of successes
    ttfts: str = Field(sa_type=Text)


class RunRollup(SQLModel, table=True):
    """The same of runs. Saved: completed, though a provider asked before the answerer failed."""

    __tablename__ = "run_rollup"
    __table_args__: ClassVar = {"sqlite_with_rowid": False}

    simulated: bool = Field(primary_key=True)
    span: int = Field(primary_key=True)
    start: int = Field(primary_key=True)
    runs: int
    completed: int
    failed: int
    cancelled: int
    saved: int


class RunAsked(SQLModel, table=True):
    """Whom a run asked, each once, kept by triggers: for lists of the runs that asked somebody.

    They stay as long as the run does, though its oldest calls may be gone before.
    """

    __tablename__ = "run_asked"
    __table_args__: ClassVar = {"sqlite_with_rowid": False}

    provider: str = Field(primary_key=True, sa_type=Text)
    number: int = Field(primary_key=True)  # of the run
    model: str = Field(primary_key=True, sa_type=Text)


class ToIndex(SQLModel, table=True):
    """What has ended, and comes into the index of words in a moment."""

    __tablename__ = "to_index"
    __table_args__: ClassVar = {"sqlite_with_rowid": False}

    source: str = Field(primary_key=True, sa_type=Text)  # call or run
    key: int = Field(primary_key=True)


class Unindexed(SQLModel, table=True):
    """What was there before the index of words, and has yet to come into it."""

    source: str = Field(primary_key=True, sa_type=Text)  # call or run
    below: int  # ids or numbers


class Unordered(SQLModel, table=True):
    """What is not in the order of time, by days: the computer's clock was set back."""

    source: str = Field(primary_key=True, sa_type=Text)  # call or run


# The texts are not kept a second time (content), nor their lengths (columnsize). Accents are gone
# before (`core.values.history.words`), and the marks that are vowels in many scripts belong to
# their words. Merging late and in small steps keeps each commit short.
_WORDS = """
    CREATE VIRTUAL TABLE IF NOT EXISTS {0}_words USING fts5(
        {1}, content = '', columnsize = 0,
        tokenize = "unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'"
    )
"""
_MERGES = (("automerge", 16), ("crisismerge", 64))
# A call may be there before its run.
_ASKED = (
    """
    CREATE TRIGGER IF NOT EXISTS asked_came AFTER INSERT ON call
    BEGIN
        INSERT INTO run_asked
        SELECT NEW.provider, number, NEW.model FROM run WHERE id = NEW.run_id
            ON CONFLICT DO NOTHING;
    END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS asked_run_came AFTER INSERT ON run
    BEGIN
        INSERT INTO run_asked
        SELECT DISTINCT provider, NEW.number, model FROM call WHERE run_id = NEW.id;
    END
    """,
)


_CLOCK_SET_BACK = """
    CREATE TRIGGER IF NOT EXISTS {0}_unordered AFTER INSERT ON {0}
    WHEN NEW.started_at < ({1}) - {2}
    BEGIN
        INSERT INTO unordered VALUES ('{0}') ON CONFLICT DO NOTHING;
    END
"""
_NEWEST = {  # as indexes have them
    "call": """
        SELECT max(newest) FROM (
            SELECT max(started_at) AS newest FROM call WHERE status <> 'running'
            UNION ALL SELECT max(started_at) FROM call WHERE status = 'running'
        )
    """,
    "run": "SELECT max(started_at) FROM run",
}


def make(connection: sqlite3.Connection) -> None:
    """Whatever is not there yet. In a transaction of the caller's."""
    for statement in _of_models():
        connection.execute(statement)
    for source, columns in (("call", "asked, answered"), ("run", "goal, plan")):
        connection.execute(_WORDS.format(source, columns))
        for option, value in _MERGES:
            sql = f"INSERT INTO {source}_words ({source}_words, rank) VALUES (?, ?)"
            connection.execute(sql, (option, value))
    for trigger in _ASKED:
        connection.execute(trigger)
    for source, newest in _NEWEST.items():
        connection.execute(_CLOCK_SET_BACK.format(source, newest, CLOCK_OFF))


@cache
def _of_models() -> list[str]:
    parts: list[CreateTable | CreateIndex] = []
    for table in SQLModel.metadata.sorted_tables:
        parts.append(CreateTable(table, if_not_exists=True))
        in_order = sorted(table.indexes, key=lambda index: str(index.name))
        parts += [CreateIndex(index, if_not_exists=True) for index in in_order]
    return [str(SQLiteDDLCompiler(SQLiteDialect(), part)).strip() for part in parts]
