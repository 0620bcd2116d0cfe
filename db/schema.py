"""The history's tables as models, and which index answers which question.

The schema itself is made by `db.migrations`; a test holds the two together. Moments are UTC
seconds since the epoch, NULL is unknown.
"""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import REAL, Index, Text, text
from sqlmodel import Field, SQLModel


class Run(SQLModel, table=True):
    __table_args__ = (
        # The page of runs, newest first, by keyset.
        Index("run_newest", "started_at", "id"),
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
        # The newest calls of a provider: what health is rebuilt from, and the page's filter.
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
        # What has no outcome yet, and is in no tally?
        Index("call_unfinished", "id", sqlite_where=text("status = 'running'")),
        # Which are a fire drill's, and in no figure?
        Index("call_drilled", "id", sqlite_where=text("drilled")),
        # Did a call of this run fail?
        Index("call_failed", "run_id", sqlite_where=text("status = 'failed' AND NOT drilled")),
        # Which calls of a stretch ended without an answer, and why?
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
    # Calls without a price, see `core.values.calls.may_have_cost`. What schema 11 rolled up
    # counts answers alone; `python -m db.figures.rollup` builds it anew from the calls still kept.
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


class _Stretch(SQLModel):
    stretch: int = Field(primary_key=True)  # of rows with ids in a row


class _Times(SQLModel):
    first: float = Field(sa_type=REAL)  # the first of them began
    last: float = Field(sa_type=REAL)


class _InStretch(_Times, _Stretch):
    """How many there are in it."""

    number: int


class _Total(SQLModel):
    """How many there are of a kind."""

    __table_args__: ClassVar = {"sqlite_with_rowid": False}

    provider: str = Field(primary_key=True, sa_type=Text)
    model: str = Field(primary_key=True, sa_type=Text)
    strategy: str = Field(primary_key=True, sa_type=Text)
    status: str = Field(primary_key=True, sa_type=Text)
    error_kind: str = Field(primary_key=True, sa_type=Text)
    simulated: bool = Field(primary_key=True)
    number: int


class _Tally(_Times, _Total, _Stretch):
    pass


class CallTally(_Tally, table=True):
    """How many calls of 4,096 ended so, kept by triggers; see `db.lists.tally`."""

    __tablename__ = "call_tally"


class RunTally(_Tally, table=True):
    """The same of 1,024 runs."""

    __tablename__ = "run_tally"


class CallTotal(_Total, table=True):
    """How many calls ended so in all."""

    __tablename__ = "call_total"


class RunTotal(_Total, table=True):
    """The same of runs."""

    __tablename__ = "run_total"


class CallStretch(_InStretch, table=True):
    """How many calls of 4,096 have ended."""

    __tablename__ = "call_stretch"


class RunStretch(_InStretch, table=True):
    """The same of 1,024 runs."""

    __tablename__ = "run_stretch"


class RunAsked(SQLModel, table=True):
    """Whom a run asked, each once, kept by triggers: for lists of the runs that asked somebody."""

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
