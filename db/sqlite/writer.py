"""The writer: intents, outcomes, and what becomes of them when the disk says no.

One connection writes. A thread takes whatever is waiting and commits it as one group: an intent so
that it survives a kill, an outcome so that it survives a power cut.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import queue
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from core.values.calls import Attempt, Message
from core.values.errors import HistoryUnavailable
from core.values.runs import RunRecord
from db.figures import rollup
from db.lists import queries, search
from db.sqlite import files, ours, schema_versions, spool
from db.sqlite.records import Record, put, settle
from db.sqlite.refusals import in_words, is_locked, is_the_disks, unavailable
from db.sqlite.rows import (
    CALL,
    DECIDED,
    INTENT,
    REQUEST,
    RUN,
    TEXT,
    Redact,
    Row,
    Table,
    call_row,
    decided_row,
    intent_row,
    request_text,
    run_row,
    storable,
)

_T = TypeVar("_T")
_log = logging.getLogger("manyways")

_CHECKED_AT_ONCE = 64 << 20  # bytes; a larger file is checked while it is already in use
_BUSY_TIMEOUT = 1.0  # seconds SQLite itself waits for a lock when the file is opened and closed
_LOCKED_EVERY = 0.01  # seconds between two tries while another process's lock is in the way
_INTENT_WAITS = 10.0  # seconds in all for such a lock, then nothing is asked
_OUTCOME_WAITS = 5.0  # seconds in all, then it goes to the spool
_FEW = 4  # calls under way that are too few to wait for one another
_GATHER = 0.0005  # seconds without a new record, after which those at hand are committed
_GATHER_MOST = 10  # times that long, and no longer
_RETRY_EVERY = 2.0  # seconds between two tries while the disk says no
_UNKNOWN = "[]"  # a request whose row is there, or nowhere
_WORDS_AFTER = 0.1  # seconds without a new record, after which words are indexed
_WORDS_LATEST = 0.25  # seconds after which they are in any case
_WORDS_AT_ONCE = 200  # calls
_CHECKPOINT_EVERY = 100  # commits, after which the log's pages go where they belong
_IN_FLIGHT = 100_000  # the last so many calls may have been under way when a process died


class SqliteHistory:
    """`core.values.calls.History` in a SQLite file. Every method may be called from any thread.

    `notice` is a sentence about what happened to the file at start, if anything did. `degraded`
    is one about what is wrong now: outcomes wait to be stored, and nothing new can be asked.
    """

    def __init__(self, path: Path, redact: Redact) -> None:
        # Its log lies beside the file itself, and so does all else, whatever link leads to it.
        self.path = path = Path(os.path.realpath(path))
        self.notice: str | None = None
        self.degraded: str | None = None
        self._redact = redact
        self._spool = files.beside(path, ".spool.jsonl")
        self._suspect = files.beside(path, ".suspect")  # found damaged while it was in use
        self._queue: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._ids: itertools.count[int] | None = None
        self._lock: int | None = None
        self._inodes: dict[int, int | None] = {}  # that are locked, and their descriptors
        self._connection: sqlite3.Connection | None = None
        self._synchronous = ""
        self._inode = 0
        self._doubtful = False  # replaced once another can be had; till then readers need it open
        self._looked = 0.0
        self._spooled = False
        self._archive = queries.Archive(path)
        self._closed = False
        self._unindexed_since: float | None = None
        self._commits = 0  # since the last checkpoint
        self._requests: dict[int, str] = {}  # theirs, should the rows of their intents be gone
        self._runs: set[str] = set()  # that began here and have not been told to end
        self._decided: dict[str, RunRecord] = {}  # decisions to go with the run's next record
        self._thread = threading.Thread(target=self._attend, name="manyways-history", daemon=True)

    @classmethod
    def open(cls, path: str | Path, *, redact: Redact = lambda text: text) -> SqliteHistory:
        """Open or make the history. With a disk that says no it is `degraded`, and tries again.

        Raises:
            HistoryInUse: another process writes to it.
            HistoryNotLockable: nothing can be locked where it lies.
            HistoryTooNew, HistoryTooOld: a version wrote it that this one cannot read.
            NotOurHistory: something else is there, and is left as it is.
        """
        history = cls(Path(path), redact)
        try:
            history._connect()
        except (sqlite3.Error, OSError) as error:
            history.degraded = in_words(error)
        except BaseException:
            history._let_go()
            raise
        history._thread.start()
        return history

    def next_call_id(self) -> int:
        if self._ids is None:
            raise unavailable(self.degraded)
        return next(self._ids)

    def begin(self, attempt: Attempt, messages: Sequence[Message]) -> Awaitable[None]:
        request = self._requests[attempt.id] = request_text(messages, self._redact)
        rows: tuple[tuple[Table, Row], ...] = (
            (INTENT, intent_row(attempt, self._redact)),
            (REQUEST, (attempt.id, request)),
        )
        if decided := self._decided.pop(attempt.run_id or "", None):
            rows = (*rows, (DECIDED, decided_row(decided)))
        waiter = self._awaitable(Record(rows, outcome=False))
        waiter.add_done_callback(lambda done: self._forget_refused(done, attempt.id))
        return waiter

    def end(self, attempt: Attempt, response: str | None) -> Awaitable[None]:
        row = (CALL, call_row(attempt, self._redact))
        request = self._requests.pop(attempt.id, None)
        first = request is not None  # nobody has written the outcome of a call that began here
        if response is None:
            return self._awaitable(Record((row,), first=first))
        said = _UNKNOWN if request is None else request
        text = (attempt.id, said, storable(response, self._redact))
        return self._awaitable(Record((row, (TEXT, text)), first=first))

    def begin_run(self, run: RunRecord) -> Awaitable[None]:
        self._runs.add(run.id)
        return self._awaitable(Record(((RUN, run_row(run, self._redact)),), outcome=False))

    def decided(self, run: RunRecord) -> None:
        self._decided[run.id] = run

    def end_run(self, run: RunRecord) -> Awaitable[None]:
        self._runs.discard(run.id)
        self._decided.pop(run.id, None)
        return self._awaitable(Record(((RUN, run_row(run, self._redact)),)))

    def submit(self, act: Callable[[sqlite3.Connection], _T]) -> Future[_T]:
        """Let the writer do `act` within a transaction, perhaps more than once until it holds."""
        waiter: Future[_T] = Future()
        self._add(Record(act=act, waiter=waiter))
        return waiter

    def recent_attempts(self, *, simulated: bool, per_provider: int = 200) -> list[Attempt]:
        """The last of each provider that have ended, oldest first."""
        if self._ids is None:
            return []
        return self._archive.recent_attempts(simulated=simulated, per_provider=per_provider)

    def totals(self, *, simulated: bool) -> dict[str, tuple[int, int, float]]:
        """Per provider: answers, failures, and the sum of the answers' latencies in ms."""
        if self._ids is None:
            return {}
        return self._archive.totals(simulated=simulated)

    def close(self) -> None:
        """Commit what is waiting and leave one file behind."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()

    # -- who waits

    def _awaitable(self, record: Record) -> asyncio.Future[None]:
        record.waiter = waiter = asyncio.get_running_loop().create_future()
        self._add(record)
        return waiter

    def _forget_refused(self, waiter: asyncio.Future[None], call_id: int) -> None:
        if not waiter.cancelled() and waiter.exception():
            self._requests.pop(call_id, None)

    def _add(self, record: Record) -> None:
        if self._closed:
            settle([record], HistoryUnavailable("Manyways is stopping.", "Start it again."))
        else:
            self._queue.put(record)

    # -- the writer's thread

    def _attend(self) -> None:
        kept: list[Record] = []
        going = True
        while going:
            arrived = self._arrivals(self._patience(kept))
            if None in arrived:
                going = False
            records = [*kept, *(record for record in arrived if record)]
            if records or self.degraded:
                kept = self._commit(records)
            if self._spooled and not kept:
                self._spool.unlink(missing_ok=True)
                self._spooled = False
            if not kept and self._words_are_due(idle=not arrived):
                self._index_words()
            if self._commits >= _CHECKPOINT_EVERY:
                self._checkpoint()
        if self._words_are_due(idle=True):
            self._index_words()
        waiting = [record for record in kept if record.waiter]
        self._spool_and_settle([record for record in waiting if record.spoolable])
        settle(waiting, unavailable(self.degraded))
        self._leave()

    def _patience(self, kept: Sequence[Record]) -> float | None:
        """Seconds to wait for something new, before what is kept is tried again."""
        if any(record.waiter for record in kept):
            return _LOCKED_EVERY
        if kept or self.degraded:
            return _RETRY_EVERY
        return None if self._unindexed_since is None else _WORDS_AFTER

    def _checkpoint(self) -> None:
        """It waits for the disk, and so nobody waits for it."""
        with suppress(sqlite3.Error):  # whatever the trouble is, a commit meets it, too
            self._commits = 0
            if self._connection:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _words_are_due(self, *, idle: bool) -> bool:
        since = self._unindexed_since
        if since is None or self.degraded:
            return False
        return idle or time.monotonic() - since > _WORDS_LATEST

    def _index_words(self) -> None:
        """Of some that have ended; what cannot be done now is done with the next that end."""
        record = Record(
            act=lambda connection: search.index_new(connection, _WORDS_AT_ONCE), outcome=False
        )
        self._commit([record])
        if record.result is None or record.result < _WORDS_AT_ONCE:
            self._unindexed_since = None

    def _arrivals(self, patience: float | None) -> list[Record | None]:
        arrived: list[Record | None] = []
        try:
            arrived.append(self._queue.get(timeout=patience))
            # Many at once share a commit: it costs the loop's thread more than it costs the disk.
            if len(self._requests) > _FEW:
                self._gather()
            while True:
                arrived.append(self._queue.get_nowait())
        except queue.Empty:
            return arrived

    def _gather(self) -> None:
        """Wait while more keeps coming, at most for a few milliseconds."""
        for _ in range(_GATHER_MOST):
            size = self._queue.qsize()
            time.sleep(_GATHER)
            if self._queue.qsize() == size:
                return

    def _commit(self, records: list[Record]) -> list[Record]:
        """Commit all of `records`, or find each its place; what is to be tried again comes back."""
        try:
            self._write(records)
        except Exception as error:  # noqa: BLE001 - told to who waits; this thread must live on
            for record in records:
                record.first = False  # a disk may have kept what it said it did not take
            if is_the_disks(error):
                return self._make_do(records, error)
            if len(records) > 1:
                return [kept for record in records for kept in self._commit([record])]
            _log.error("a record was refused by the history: %s", error)
            settle(records, error if records and records[0].act else unavailable(None))
            return []
        self.degraded = None
        if self._unindexed_since is None and any(record.outcome for record in records):
            self._unindexed_since = time.monotonic()
        settle(records, None)
        return []

    def _write(self, records: Sequence[Record]) -> None:
        """All or nothing."""
        rows: defaultdict[Table, list[Row]] = defaultdict(list)
        for record in records:
            for table, row in record.rows:
                rows[table].append(row)
        outcomes = [record for record in records if record.outcome]
        try:
            connection = self._connection
            if connection is None or self._must_connect():
                connection = self._connect()
            self._synchronise("FULL" if outcomes else "NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            first = all(record.first for record in outcomes)
            put(connection, rows, first=first, under_way=self._runs)
            for record in records:
                if record.act:
                    record.result = record.act(connection)
            if not records:  # a trial: does the disk take a page again?
                connection.execute(f"PRAGMA user_version = {schema_versions.CURRENT}")
            connection.execute("COMMIT")
            self._commits += 1
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        if self._connection and self._connection.in_transaction:
            with suppress(sqlite3.Error):  # SQLite may have done so by itself
                self._connection.rollback()

    def _synchronise(self, level: str) -> None:
        if self._connection and self._synchronous != level:
            self._connection.execute(f"PRAGMA synchronous = {level}")
            self._synchronous = level

    def _make_do(self, records: Iterable[Record], error: Exception) -> list[Record]:
        """The disk says no: spool outcomes, turn intents away, and keep what may yet succeed."""
        locked, now = is_locked(error), time.monotonic()
        kept, spooled, refused = [], [], []
        for record in records:
            age = now - record.arrived if locked else float("inf")
            if record.spoolable:
                kept.append(record)
                if record.waiter and age >= _OUTCOME_WAITS:
                    spooled.append(record)
            elif age < _INTENT_WAITS:
                kept.append(record)
            else:
                refused.append(record)
        if not locked:
            self._doubtful = True
        if not locked or spooled or refused:
            self.degraded = in_words(error)
        self._spool_and_settle(spooled)
        settle(refused, unavailable(self.degraded))
        return kept

    def _spool_and_settle(self, records: Sequence[Record]) -> None:
        if records:
            self._spooled = True
            self._append_to_spool(records)
            settle(records, None)
        for record in records:
            record.waiter = None

    def _append_to_spool(self, records: Iterable[Record]) -> None:
        try:
            spool.append(self._spool, records)
        except OSError:  # then they are in memory alone, until the disk gives way
            _log.exception("outcomes could not be spooled to %s", self._spool)

    # -- the connection

    def _must_connect(self) -> bool:
        now = time.monotonic()
        if now - self._looked > 1:
            self._looked = now
            if self._inode != files.inode(self.path):
                self._doubtful = True  # another file has taken its place
        return self._connection is None or self._doubtful

    def _connect(self) -> sqlite3.Connection:
        first = self._ids is None
        if first or files.inode(self.path) not in self._inodes:
            there = ours.check(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._lock is None:
            self._lock = files.hold(self.path)
        if first and there:
            self._hold_inode()
            self._check()
        self._hold_inode()
        connection = files.connect(self.path, busy_timeout=_BUSY_TIMEOUT)
        self._disconnect()
        self._connection, self._doubtful = connection, False
        self._synchronous, self._inode = "FULL", files.inode(self.path)
        ours.mark(self._lock, self._inode)
        if first:
            if sentence := spool.replay(connection, self._spool):
                self._note(sentence)
            _mark_interrupted(connection)
            if search.is_behind(connection):
                self._unindexed_since = time.monotonic()
        last = connection.execute("SELECT coalesce(max(id), 0) FROM call").fetchone()[0]
        if self._ids is None or last >= next(self._ids):  # another file may have taken its place
            self._ids = itertools.count(last + 1)
        files.wait_for_locks(connection, 0.0)  # from here on the writer itself tries again
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # and makes checkpoints of its own
        return connection

    def _hold_inode(self) -> None:
        if (inode := files.inode(self.path)) not in self._inodes:
            descriptor = files.hold_inode(self.path)
            self._inodes[inode or files.inode(self.path)] = descriptor

    def _check(self) -> None:
        """Of a file that is ours: any other is never set aside."""
        if self.path.stat().st_size > _CHECKED_AT_ONCE and not self._suspect.exists():
            threading.Thread(target=self._check_in_use, daemon=True).start()
            return  # whether it is suspect is for that thread to say
        if not files.is_sound(self.path):
            aside = files.set_aside(self.path)
            self._note(
                f"The history was damaged. It was kept as {aside.name}, and a new one was begun."
            )
        self._suspect.unlink(missing_ok=True)

    def _note(self, sentence: str) -> None:
        _log.warning("%s", sentence)
        self.notice = f"{self.notice} {sentence}" if self.notice else sentence

    def _check_in_use(self) -> None:
        sound = True  # Through a reader, which is broken off when the history is closed.
        with suppress(HistoryUnavailable), self._archive.reading() as connection:
            sound = files.finds_no_damage(connection)
        if not sound:
            self._suspect.touch()
            self._note("The history is damaged. Start Manyways again to begin a new one.")

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _leave(self) -> None:
        if self._connection:
            try:
                files.wait_for_locks(self._connection, _BUSY_TIMEOUT)
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                _log.warning("the history's log stays beside it: %s", error)
        self._let_go()

    def _let_go(self) -> None:
        self._archive.stop()
        self._disconnect()
        descriptors = [*self._inodes.values(), self._lock]
        self._inodes, self._lock = {}, None
        for descriptor in descriptors:
            if descriptor is not None:
                os.close(descriptor)


def _mark_interrupted(connection: sqlite3.Connection) -> None:
    """Whatever still runs belongs to a process that is gone."""
    connection.execute("BEGIN IMMEDIATE")
    calls, runs = (
        [key for (key,) in connection.execute(f"SELECT id FROM {unended}")]
        for unended in (
            f"call WHERE id > (SELECT max(id) FROM call) - {_IN_FLIGHT} AND status = 'running'",
            "run WHERE status = 'running'",
        )
    )
    with (
        rollup.kept_up(connection, calls=calls, runs=runs),
        search.kept_up(connection, calls=calls, runs=runs),
    ):
        _interrupt(connection, calls)
    connection.execute("COMMIT")


def _interrupt(connection: sqlite3.Connection, calls: Sequence[int]) -> None:
    connection.execute(
        """
        UPDATE call
           SET status = 'interrupted',
               error_kind = 'interrupted',
               message = 'Manyways stopped before the answer came.'
         WHERE id IN (SELECT value FROM json_each(?))
        """,
        (json.dumps(calls),),
    )
    connection.execute("""
        UPDATE run
           SET status = 'interrupted',
               error_kind = 'interrupted',
               error = 'Manyways stopped before the run had ended.',
               finished_at = (
                   SELECT max(run.started_at, coalesce(max(started_at), 0))
                     FROM call
                    WHERE run_id = run.id
               )
         WHERE status = 'running'
    """)
