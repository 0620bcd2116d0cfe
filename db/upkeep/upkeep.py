"""The history's size, what of it may go, and who removes it.

`python -m db.upkeep.upkeep size DATABASE` says how big it is.

Texts are what was said: goals, plans, requests and answers. Numbers are the rows of calls and
runs. What still runs is never removed, and the sums that Performance reads stay.
"""

from __future__ import annotations

import argparse
import logging
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from math import ceil, inf
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from core.values.errors import HistoryUnavailable, ManywaysError
from core.values.history.retention import HistorySize, Removal, RemovalProgress, RetentionPolicy
from db.lists import search
from db.sqlite.readers import Readers
from db.sqlite.writer import SqliteHistory
from db.upkeep import backup
from db.upkeep.removal import DAY, Remove, Slice, remove_numbers, remove_texts
from db.upkeep.size import pages_of, removal_by, usage_of

_T = TypeVar("_T")
_log = logging.getLogger("manyways")

_SLICE = 0.015  # seconds of the writer's time that a slice aims at
# In one slice. The index of words takes six times as long when it merges what it holds.
_FIRST_ROWS, _MOST_ROWS = 20, 40
_FIRST_PAGES, _MOST_PAGES = 32, 2_000  # given back to the disk in one slice
_AFTER_START = 30.0  # seconds: the first pages matter more
_EVERY = DAY


class Chosen(Protocol):
    def get(self, key: str) -> Any: ...


class Upkeep:
    """Every method may be called from any thread; each raises HistoryUnavailable."""

    def __init__(
        self,
        history: SqliteHistory,
        choices: Chosen,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._history = history
        self._choices = choices
        self._clock = clock
        self._readers = Readers(history.path)
        self._progress = RemovalProgress()
        self._starting = threading.Lock()
        self._stop = threading.Event()
        self._threads: dict[str, threading.Thread] = {}

    def usage(self) -> HistorySize:
        with self._readers.reading() as connection:
            return usage_of(connection, self._history.path)

    def policy(self) -> RetentionPolicy:
        """What was chosen: the choice "retention", see `RetentionPolicy.as_choice`."""
        return RetentionPolicy.chosen(self._choices.get("retention"))

    def preview(self, policy: RetentionPolicy) -> Removal:
        """What the policy would remove now."""
        now = self._clock()
        with self._readers.reading() as connection:
            return removal_by(
                connection,
                texts_before=_before(policy.texts_days, now),
                numbers_before=_before(policy.numbers_days, now),
                most_bytes=policy.most_bytes,
            )

    def start(self, policy: RetentionPolicy) -> None:
        """Begin to remove what the policy does not keep, unless that is under way."""
        with self._starting:
            if self._progress.running or self._stop.is_set():
                return
            self._progress = RemovalProgress(running=True, finished_at=self._progress.finished_at)
            self._run("upkeep", partial(self._apply, policy))

    def progress(self) -> RemovalProgress:
        return self._progress

    def wait(self, timeout: float | None = None) -> RemovalProgress:
        """Until what is under way has ended."""
        if thread := self._threads.get("upkeep"):
            thread.join(timeout)
        return self._progress

    def keep(self) -> None:
        """Index what was there before the index, then apply once a day what was chosen."""
        self._run("keeper", self._daily)

    def close(self) -> None:
        """Stop after the slice that is under way."""
        self._stop.set()
        for thread in [*self._threads.values()]:
            thread.join()
        self._readers.stop()

    def backup(self, target: Path | BinaryIO) -> int:
        """Copy the history as it is now into one file, while it is in use; its bytes.

        A file that is there is replaced, once the copy is whole.
        """
        return backup.backup(self._history.path, target)

    # -- the threads

    def _run(self, name: str, act: Callable[[], None]) -> None:
        thread = threading.Thread(target=act, name=f"manyways-{name}", daemon=True)
        self._threads[name] = thread
        thread.start()

    def _daily(self) -> None:
        with_patience = _AFTER_START
        try:
            self._slices(search.index_older, _FIRST_ROWS, _MOST_ROWS, lambda rows: None)
        except HistoryUnavailable as error:
            _log.warning("older texts will be indexed after the next start: %s", error)
        while not self._stop.wait(with_patience):
            with_patience = _EVERY
            if (policy := self.policy()) != RetentionPolicy():
                self.start(policy)

    def _apply(self, policy: RetentionPolicy) -> None:
        error = None
        try:
            expected = self.preview(policy)
            self._progress = replace(self._progress, expected=expected)
            if expected:
                self._remove(policy)
        except HistoryUnavailable as unavailable:
            error = str(unavailable)
        self._progress = replace(
            self._progress, running=False, error=error, finished_at=self._clock()
        )

    def _remove(self, policy: RetentionPolicy) -> None:
        now = self._clock()
        for remove, days in (
            (remove_texts, policy.texts_days),
            (remove_numbers, policy.numbers_days),
        ):
            if (before := _before(days, now)) is not None:
                self._rows(partial(_older, remove, before))
            if policy.most_bytes is not None:
                self._rows(partial(_while_above, remove, policy.most_bytes))
        self._slices(_give_back, _FIRST_PAGES, _MOST_PAGES, lambda freed: self._add(bytes=freed))

    def _rows(self, act: Callable[[sqlite3.Connection, int], Slice]) -> None:
        self._slices(
            act,
            _FIRST_ROWS,
            _MOST_ROWS,
            lambda gone: self._add(
                texts=gone.texts, calls=gone.calls, runs=gone.runs, goals=gone.goals
            ),
        )

    def _slices(
        self,
        act: Callable[[sqlite3.Connection, int], _T],
        first: int,
        most: int,
        tell: Callable[[_T], None],
    ) -> None:
        """Let the writer do `act` to a few until it finds none, and never hold it up for long."""
        few = first
        while not self._stop.is_set():
            begun = time.monotonic()
            found, _ = self._history.submit(partial(_timed, act, few)).result()
            if not found:
                return
            tell(found)
            seconds = time.monotonic() - begun  # with the commit, which costs more than the act
            few = max(1, min(most, ceil(few * min(1.5, _SLICE / max(seconds, 1e-6)))))
            self._stop.wait(seconds)  # as long again for whoever else writes

    def _add(self, **more: int) -> None:
        done = self._progress.done
        sums = {name: getattr(done, name) + number for name, number in more.items()}
        self._progress = replace(self._progress, done=replace(done, **sums))


def _before(days: float | None, now: float) -> float | None:
    return None if days is None else now - days * DAY


def _older(remove: Remove, before: float, connection: sqlite3.Connection, rows: int) -> Slice:
    return remove(connection, before, rows)


def _while_above(remove: Remove, most: int, connection: sqlite3.Connection, rows: int) -> Slice:
    """The oldest, as long as the file, without its unused pages, is larger than that."""
    size, pages, unused = pages_of(connection)
    over = size * (pages - unused) - most
    # A text takes up a page or so: no more go than are needed.
    return remove(connection, inf, min(rows, 1 + over // size)) if over > 0 else Slice()


def _give_back(connection: sqlite3.Connection, pages: int) -> int:
    """So many unused pages to the disk; bytes."""
    size, before, _ = pages_of(connection)
    connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    return size * (before - pages_of(connection)[1])


def _timed(
    act: Callable[[sqlite3.Connection, int], _T], few: int, connection: sqlite3.Connection
) -> tuple[_T, float]:
    begun = time.monotonic()
    return act(connection, few), time.monotonic() - begun


_ABOUT = "Copy a history, put a copy in its place, or say how large it is."


def main(arguments: Sequence[str] | None = None) -> int:
    """`backup` while Manyways runs or not, `restore` while it does not; 0 if it was done."""
    parser = argparse.ArgumentParser(prog="python -m db.upkeep.upkeep", description=_ABOUT)
    parser.add_argument("act", choices=list(_ACTS))
    parser.add_argument("database", type=Path, help="the history, such as data/console.db")
    parser.add_argument("file", type=Path, nargs="?", help="the copy")
    asked = parser.parse_args(arguments)
    if asked.act != "size" and asked.file is None:
        parser.error(f"{asked.act} needs the FILE of the copy")
    try:
        sys.stdout.write(f"{_ACTS[asked.act](asked.database, asked.file)}\n")
    except (ManywaysError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _backup(database: Path, file: Path) -> str:
    return f"{database} was copied to {file}: {backup.backup(database, file):,} bytes."


def _restore(database: Path, file: Path) -> str:
    aside = backup.restore(database, file)
    kept = f" The one that was there is {aside}." if aside else ""
    return f"{file} is now the history {database}.{kept}"


def _size(database: Path, file: Path | None) -> str:
    with closing(Readers(database)) as readers, readers.reading() as connection:
        usage = usage_of(connection, database)
    return (
        f"{usage.file_bytes:,} bytes, of which {usage.text_bytes:,} or so are texts and"
        f" {usage.unused_bytes:,} are unused: {usage.runs:,} runs and {usage.calls:,} calls,"
        f" {usage.texts:,} of them with their text."
    )


_ACTS: dict[str, Callable[[Path, Path], str]] = {
    "backup": _backup,
    "restore": _restore,
    "size": _size,
}

if __name__ == "__main__":
    raise SystemExit(main())
