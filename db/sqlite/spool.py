"""The spool: outcomes that the disk would not take, a JSON line each, until it does."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from core.values.statuses import statuses_of
from db.sqlite.records import Record, put
from db.sqlite.refusals import is_the_disks
from db.sqlite.rows import CALL, RUN, TABLES, Row, Table, attempt_from, run_from

_LONGEST = 128 << 20  # bytes of a line: the longest answer, every character of it escaped
_PIECE = 1 << 20  # bytes of a longer one that are held at once
_LAST_ID = 1 << 53
_FAULTS = (ValueError, KeyError, TypeError, ArithmeticError, RecursionError)

# What a column may hold, by its declared type; None is for columns that may be empty.
_HOLDS: Mapping[str, tuple[type, ...]] = {
    "TEXT": (str,),
    "REAL": (int, float),
    "INTEGER": (int,),
    "BOOLEAN": (bool,),
}


class _Unreadable(ValueError):
    """The line is none that was written here."""


def append(path: Path, records: Iterable[Record]) -> None:
    """Raises: OSError: the disk does not take this either."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as spool:
        for record in records:
            rows = [(table.name, row) for table, row in record.rows]
            spool.write(f"\n{json.dumps(rows)}\n")  # a line before may be cut off
        spool.flush()
        os.fsync(spool.fileno())


def replay(connection: sqlite3.Connection, path: Path) -> str | None:
    """Take what was spooled, each line by itself; a sentence about those that cannot be read.

    They are kept in a file beside, which only its owner may read.

    Raises:
        OSError, sqlite3.Error: the disk says no; the spool is as it was.
    """
    if not path.is_file():
        return None
    refused = _Refused(path.with_name(f"{path.name}.unread-{_now()}"))
    connection.execute("BEGIN IMMEDIATE")
    try:
        columns = {name: _columns(connection, name) for name in TABLES}
        with path.open("rb") as spool:
            for line in _lines(spool):
                if line.whole and _taken(connection, line.start, columns):
                    continue
                refused.keep(line, spool)
        refused.close()
    except BaseException:
        connection.rollback()
        refused.discard()
        raise
    connection.execute("COMMIT")
    path.unlink()
    return refused.sentence()


@dataclass(frozen=True, slots=True)
class _Line:
    start: bytes
    whole: bool


@dataclass(slots=True)
class _Refused:
    """The lines that were not taken, and their file, which is made with the first."""

    path: Path
    number: int = 0
    _file: BinaryIO | None = field(default=None)

    def keep(self, line: _Line, spool: BinaryIO) -> None:
        self.number += 1
        if self._file is None:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file = os.fdopen(descriptor, "wb")
        piece, whole = line.start, line.whole
        self._file.write(piece)
        while not whole and (piece := spool.readline(_PIECE)):
            self._file.write(piece)
            whole = piece.endswith(b"\n")
        if not piece.endswith(b"\n"):
            self._file.write(b"\n")

    def close(self) -> None:
        if self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def discard(self) -> None:
        if self._file:
            self._file.close()
            self.path.unlink(missing_ok=True)

    def sentence(self) -> str | None:
        if not self.number:
            return None
        some = "One outcome" if self.number == 1 else f"{self.number:,} outcomes"
        were, they = ("was", "it is") if self.number == 1 else ("were", "they are")
        return (
            f"{some} that {were} set down while the history could not be written cannot be read; "
            f"{they} kept as {self.path.name}, and all others are in the history."
        )


def _lines(spool: BinaryIO) -> Iterator[_Line]:
    while start := spool.readline(_LONGEST):
        if start.strip():
            yield _Line(start, len(start) < _LONGEST or start.endswith(b"\n"))


def _taken(
    connection: sqlite3.Connection, line: bytes, columns: Mapping[str, Mapping[str, _Column]]
) -> bool:
    """Whether what the line says is in the history now, all of it."""
    connection.execute("SAVEPOINT line")
    try:
        put(connection, _rows(line, columns))
    except (*_FAULTS, sqlite3.Error) as error:
        if is_the_disks(error):
            raise
        connection.execute("ROLLBACK TO line")
        return False
    finally:
        if connection.in_transaction:
            connection.execute("RELEASE line")
    return True


def _rows(line: bytes, columns: Mapping[str, Mapping[str, _Column]]) -> dict[Table, list[Row]]:
    spooled = json.loads(line.decode("utf-8"))
    if not isinstance(spooled, list):
        raise _Unreadable
    rows: defaultdict[Table, list[Row]] = defaultdict(list)
    for each in spooled:
        name, row = each
        table = TABLES[name]
        if not isinstance(row, list) or len(row) > len(table.columns):
            raise _Unreadable
        # A version that did not have the last columns yet may have written it.
        row += [None] * (len(table.columns) - len(row))
        for column, value in zip(table.columns, row, strict=True):
            columns[name][column].check(value)
        _check_meaning(table, row)
        rows[table].append(tuple(row))
    return rows


@dataclass(frozen=True, slots=True)
class _Column:
    holds: tuple[type, ...]
    may_be_empty: bool

    def check(self, value: Any) -> None:
        if value is None:
            fits = self.may_be_empty
        elif isinstance(value, str):
            fits = str in self.holds
            value.encode("utf-8")  # fails on half of a character
        else:
            # A bool is an int, but no number.
            fits = isinstance(value, self.holds) and isinstance(value, bool) == (bool in self.holds)
            fits = fits and math.isfinite(value) and abs(value) < _LAST_ID
        if not fits:
            raise _Unreadable


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, _Column]:
    asked = 'SELECT name, type, "notnull" FROM pragma_table_info(?)'
    found = connection.execute(asked, (table,)).fetchall()
    return {name: _Column(_HOLDS[declared], not full) for name, declared, full in found}


def _check_meaning(table: Table, row: Row | list[Any]) -> None:
    """Whether it can be read again, as it will be with every start."""
    if table is CALL:
        fits = attempt_from(row).status in statuses_of("call", recorded=True) and row[0] > 0
    elif table is RUN:
        run = run_from(row)
        known = isinstance(run.execution, dict | None)
        fits = known and run.status in statuses_of("run", recorded=True)
    else:
        fits = row[0] > 0
    if not fits:
        raise _Unreadable


def _now() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
