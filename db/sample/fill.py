"""Fill a file of its own with a made-up history.

`python -m db.sample.fill --calls 1000000 --days 90`
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from db.lists import search
from db.sample.believable import MadeUpRun, believable
from db.sqlite import files
from db.sqlite.records import put
from db.sqlite.rows import (
    CALL,
    RUN,
    TEXT,
    Row,
    Table,
    call_row,
    request_text,
    run_row,
)

_AT_ONCE = 10_000  # calls in one transaction
_CACHE = 256 << 10  # KB


def fill(
    path: Path, stories: Iterable[MadeUpRun], *, done: Callable[[int], None] = lambda calls: None
) -> int:
    """Write what the history's writer would, in large transactions; returns the number of calls.

    `done` is told how many so far. The file takes its name when it is whole.

    Raises:
        FileExistsError: there is such a file, and it is not empty.
    """
    for known in (path, files.beside(path, "-wal")):  # a log would be read into the new file
        if known.exists() and known.stat().st_size:
            raise FileExistsError(known)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = files.beside(path, ".part")
    _remove(part)
    total = 0
    try:
        with closing(files.connect(part, busy_timeout=1.0)) as connection:
            connection.execute("PRAGMA synchronous = OFF")  # an unfinished file is thrown away
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute(f"PRAGMA cache_size = -{_CACHE}")
            for rows, calls in _groups(stories):
                connection.execute("BEGIN IMMEDIATE")
                put(connection, rows, first=True)
                search.index_new(connection, calls)
                connection.execute("COMMIT")
                total += calls
                done(total)
            connection.execute("PRAGMA journal_mode = WAL")
        os.replace(part, path)
    finally:
        _remove(part)
    return total


def _groups(stories: Iterable[MadeUpRun]) -> Iterator[tuple[dict[Table, list[Row]], int]]:
    rows: defaultdict[Table, list[Row]] = defaultdict(list)
    for story in stories:
        rows[RUN].append(run_row(story.run, str))
        for exchange in story.exchanges:
            attempt = exchange.attempt
            rows[CALL].append(call_row(attempt, str))
            rows[TEXT].append((attempt.id, request_text(exchange.messages, str), exchange.response))
        if len(rows[CALL]) >= _AT_ONCE:
            yield rows, len(rows[CALL])
            rows = defaultdict(list)
    if rows:
        yield rows, len(rows[CALL])


def _remove(part: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            files.beside(part, suffix).unlink()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m db.sample.fill", description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--days", type=float, default=90)
    parser.add_argument("--database", type=Path, default=Path("data/filled.db"))
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    if wanted.calls < 1 or not 0 < wanted.days <= 36_500:
        parser.error("at least one call, in at most a hundred years")
    stories = believable(wanted.calls, days=wanted.days, until=time.time(), seed=wanted.seed)
    began = time.monotonic()

    def show(calls: int) -> None:
        seconds = time.monotonic() - began
        sys.stderr.write(f"\r{calls:,} of {wanted.calls:,} calls, {seconds:.0f} s ")
        sys.stderr.flush()

    try:
        fill(wanted.database, stories, done=show)
    except FileExistsError:
        parser.error(f"{wanted.database} is not empty; name another file with --database")
    sys.stderr.write(f"\n{wanted.database} holds {wanted.calls:,} calls, all marked as practice.\n")
    sys.stderr.write(f"To open it: DATABASE_URL=sqlite:///{wanted.database.resolve()}\n")


if __name__ == "__main__":
    main()
