"""A pool of read-only connections, and a version number that rises with every commit."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, local
from typing import Any, NamedTuple

from core.values.errors import HistoryUnavailable
from db.sqlite import files

_NO_FILE = -1
_PATIENCE = 2.0  # seconds for those who read to notice that they are to stop


class _Moment(NamedTuple):
    version: int
    connection: sqlite3.Connection
    known: dict[Any, Any]


class Readers:
    """Of one file. Every method may be called from any thread.

    Each raises HistoryUnavailable when the file cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._idle: SimpleQueue[tuple[int, sqlite3.Connection]] = SimpleQueue()
        self._watch: tuple[int, sqlite3.Connection] | None = None
        self._watching = Lock()
        self._version = 0
        self._held = local()  # `now` is the moment that a thread stays in, if it does
        self._in_use: set[sqlite3.Connection] = set()
        self._stopped = False

    def version(self) -> int:
        """Another number, and a higher one, whenever anything was recorded since.

        Asked in microseconds: the key under which a page may keep what it has read.
        """
        if held := self._moment:
            return held.version
        # SQLite counts the commits of others for each connection, so it is always the same one.
        with self._watching:
            inode = files.inode(self.path)
            self._check_going_on()
            try:
                if self._watch is None or self._watch[0] != inode:
                    self._unwatch()
                    self._watch = inode, files.connect_to_read(self.path)
                    self._version = time.time_ns()
                count: int = self._watch[1].execute("PRAGMA data_version").fetchone()[0]
            except sqlite3.Error as error:
                self._unwatch()
                raise unreadable() from error
            return self._version + count

    def close(self) -> None:
        """Close what is idle; it may be used again."""
        self._take(_NO_FILE)
        with self._watching:
            self._unwatch()

    def stop(self) -> None:
        """Close them all for good. What is being read is broken off."""
        self._stopped = True
        until = time.monotonic() + _PATIENCE
        while self._in_use and time.monotonic() < until:
            for connection in [*self._in_use]:
                with suppress(sqlite3.ProgrammingError):  # it was closed just now
                    connection.interrupt()
            time.sleep(0.005)
        self.close()

    def rows(self, sql: str, *values: Any, **named: Any) -> list[tuple[Any, ...]]:
        with self.reading() as connection:
            return connection.execute(sql, named or values).fetchall()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection on which every question is answered from the same moment."""
        if held := self._moment:
            try:
                yield held.connection
            except sqlite3.Error as error:
                raise unreadable() from error
            return
        # Handed round rather than one a thread: pages come with a new thread each time.
        inode = files.inode(self.path)
        connection = self._take(inode)
        try:
            connection = connection or files.connect_to_read(self.path)
            self._in_use.add(connection)
            self._check_going_on()  # now that whoever stops it sees the connection
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            if connection:
                connection.close()
                self._in_use.discard(connection)
            if isinstance(error, sqlite3.Error):
                raise unreadable() from error
            raise
        self._idle.put((inode, connection))
        self._in_use.discard(connection)

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """Whatever this thread asks inside is answered as of now, and so is the version."""
        version = self.version()
        with self.reading() as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # from here on, not later
            self._held.now = _Moment(version, connection, {})
            try:
                yield
            finally:
                del self._held.now

    @property
    def known(self) -> dict[Any, Any]:
        """What was found out in the moment that this thread stays in; not kept outside of one."""
        return {} if self._moment is None else self._moment.known

    @property
    def _moment(self) -> _Moment | None:
        return getattr(self._held, "now", None)

    def _check_going_on(self) -> None:
        if self._stopped:
            raise unreadable()

    def _take(self, inode: int) -> sqlite3.Connection | None:
        """An idle connection to the file that is there now, not to one that was replaced."""
        with suppress(Empty):
            while True:
                known, connection = self._idle.get_nowait()
                if known == inode:
                    return connection
                connection.close()
        return None

    def _unwatch(self) -> None:
        if self._watch:
            self._watch[1].close()
            self._watch = None


def unreadable() -> HistoryUnavailable:
    return HistoryUnavailable(
        "The history cannot be read just now.",
        "Check that Manyways may read its data folder, then try again.",
    )
