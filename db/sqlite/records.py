"""The writer's queue entries: what to commit, and whom to tell once it is."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any

from db.figures import rollup
from db.lists import search
from db.sqlite.rows import CALL, CALL_COLUMNS, RUN, RUN_COLUMNS, Row, Table

_log = logging.getLogger("manyways")

_CALL_STATUS, _RUN_STATUS = CALL_COLUMNS.index("status"), RUN_COLUMNS.index("status")


@dataclass(eq=False, slots=True)
class Record:
    """Something to commit, and who waits for it."""

    rows: tuple[tuple[Table, Row], ...] = ()
    outcome: bool = True  # must survive a power cut
    act: Callable[[sqlite3.Connection], Any] | None = None
    waiter: asyncio.Future[None] | Future[Any] | None = None
    result: Any = None
    first: bool = True  # no call in it can have ended before
    arrived: float = field(default_factory=time.monotonic)

    @property
    def spoolable(self) -> bool:
        return self.outcome and self.act is None


def put(
    connection: sqlite3.Connection,
    rows: Mapping[Table, Sequence[Row]],
    *,
    first: bool = False,
    under_way: Collection[str] = (),
) -> None:
    """Each row in its table, what it means in the rollups, and its words in the index.

    With `first` no call among them had ended before. Runs `under_way` have not ended either.
    """
    calls = {row[0]: row for row in rows.get(CALL, ()) if row[_CALL_STATUS] != "running"}
    ids = [*calls]
    runs = {row[0] for row in rows.get(RUN, ()) if row[_RUN_STATUS] != "running"}
    runs |= _resumed(connection, rows.get(RUN, ()))
    # A call that ends after its run may be what saved it.
    concerned = runs | {row[1] for row in calls.values() if row[1] is not None}.difference(
        under_way
    )
    outcomes = [*calls.values()] if first else None
    with (
        rollup.kept_up(connection, calls=ids, runs=concerned, ending=bool(runs), outcomes=outcomes),
        search.kept_up(connection, calls=ids, runs=runs, first=first),
    ):
        for table, some in rows.items():
            table.put(connection, some)


def _resumed(connection: sqlite3.Connection, runs: Sequence[Row]) -> set[str]:
    """Those that go on after they had ended."""
    going = [row[0] for row in runs if row[_RUN_STATUS] == "running"]
    if not going:
        return set()
    marks = ", ".join("?" * len(going))
    ended = f"SELECT id FROM run WHERE id IN ({marks}) AND status <> 'running'"
    return {run_id for (run_id,) in connection.execute(ended, going).fetchall()}


def settle(records: Iterable[Record], error: Exception | None) -> None:
    """Tell who waits; each loop is woken once."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = defaultdict(list)
    for record in records:
        waiter = record.waiter
        if isinstance(waiter, Future):
            _settle_future(waiter, record.result, error)
        elif waiter is not None:
            by_loop[waiter.get_loop()].append(waiter)
    for loop, waiters in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle_on_loop, waiters, error)
        except RuntimeError:
            _log.debug("a loop was closed before its records were committed")


def _settle_on_loop(waiters: Iterable[asyncio.Future[None]], error: Exception | None) -> None:
    for waiter in waiters:
        if waiter.done():
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)


def _settle_future(waiter: Future[Any], result: Any, error: Exception | None) -> None:
    try:
        if error is None:
            waiter.set_result(result)
        else:
            waiter.set_exception(error)
    except InvalidStateError:
        _log.debug("nobody waits for this record any more")
