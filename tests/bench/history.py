"""A history of 10 thousand, 100 thousand and 1 million calls: what the pages wait for.

    python -m tests.bench.history --dir /a/real/disk --llm-python /a/venv/bin/python

Peer: `pip install llm` in a virtual environment of its own. Without it, its column stays empty.
`--dir` holds the files, 12 GB, and they are used again; making them takes about 15 minutes.

Beside ours the same calls lie in a plain table with the text inline, an index that covers all the
figures and one for the filter; `pandas` reads that table's rows; `llm` has them in its own log
and shows them by its own `logs list`, in process, without the 3 s that its start takes. A cell is
the median of `--rounds` in a row (of at least three where a round takes long), the page's data
read as new each time. Of lists and searches it is what SQLite takes, of the Performance page all
that Python makes of it, too: the frames that the page gets, nothing remembered from before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

from core.values.calls import Attempt, Message, Usage
from core.values.history.filters import CallFilter
from core.values.periods import Period, before, preset, scale
from db.figures import quantiles, spans
from db.figures.performance import Performance
from db.lists import search
from db.lists.queries import Archive
from db.sample.believable import believable
from db.sample.fill import fill
from db.sqlite import files
from db.sqlite.records import put
from db.sqlite.rows import (
    CALL,
    INTENT,
    REQUEST,
    TEXT,
    call_row,
    intent_row,
    request_text,
)
from db.sqlite.writer import SqliteHistory
from tests.bench.overhead import table
from tests.bench.plain import Plain, Sessions, made, pandas_page, pandas_performance

ROOT = Path(__file__).parents[2]
SIZES = (10_000, 100_000, 1_000_000)
DAYS = 90
DAY = 86_400.0
ZONE = timezone(timedelta(hours=2))  # the viewer's
LIMIT = 25  # rows a page
PAGE = 10_000
FREQUENT_WORD = "mind"
MOST = 20.0  # seconds for one figure, once there are three rounds
GROUP = 32  # calls in one commit
PERIODS = {"24 hours": "24h", "30 days": "30d", "all time": "all"}
OURS, PLAIN, PANDAS, LLM, SESSION = "ours", "plain table", "pandas", "llm", "SQLModel session"

# fmt: off
FIRST, NUMBERED, KEYED = "first page", f"page {PAGE:,}", f"page {PAGE:,}, by key"
FRAMED = "first page, as a frame"
FILTER = "filter on provider and outcome"
RARELY, OFTEN = "search, a rare word", "search, a frequent word"
STATUS, WRITE = "status for the API", f"one call written, {GROUP} at a time"
COMMIT = "of it, the commit that the call waits for"
# fmt: on


def performance(name: str) -> str:
    return f"Performance page, {name}"


FIGURES = (
    *(FIRST, FRAMED, NUMBERED, KEYED, FILTER, RARELY, OFTEN),
    *map(performance, PERIODS),
    *(STATUS, WRITE, COMMIT),
)
# A page by its number is counted down to.
EVEN = tuple(figure for figure in FIGURES if figure != NUMBERED)


@dataclass(slots=True)
class Results:
    """Seconds: medians by figure, size and whose."""

    seconds: dict[tuple[str, int, str], float] = field(default_factory=dict)
    error: float = 0.0  # of a percentile, the largest
    busy: float = 0.0  # the page's time beside a busy engine, in idle ones
    now: Callable[[], float] = time.perf_counter
    sizes: Sequence[int] = SIZES

    def add(self, figure: str, size: int, whose: str, took: Sequence[float]) -> None:
        self.seconds[figure, size, whose] = median(took)
        sys.stderr.write(f"{size:>9,} {figure}, {whose}: {median(took) * 1e3:.3g} ms\n")

    def timed(self, rounds: int, act: Callable[[], object]) -> list[float]:
        act()
        took: list[float] = []
        began = self.now()
        while len(took) < rounds and (len(took) < 3 or self.now() - began < MOST):
            start = self.now()
            act()
            took.append(self.now() - start)
        return took

    def of(self, figure: str, size: int | None = None, whose: str = OURS) -> float:
        """In the largest history, unless another `size` is asked for."""
        return self.seconds.get((figure, size or self.sizes[-1], whose), float("nan"))

    def worst(self, figures: Sequence[str], of: Callable[[str], float]) -> float:
        return max(map(of, figures))


# -- ours


def asked_for(path: Path) -> dict[str, Period]:
    """What the page asks for when somebody chooses each of PERIODS right after the last call."""
    with closing(sqlite3.connect(path)) as connection:
        first, last = connection.execute(
            "SELECT min(started_at), max(started_at) FROM call"
        ).fetchone()
    return {
        name: preset(chosen, now=last, zone=ZONE, first=first) for name, chosen in PERIODS.items()
    }


def edges_of(period: Period) -> Sequence[float]:
    return scale(period, zone=ZONE).edges[:-1]


def ask_page(archive: Archive, period: Period) -> None:
    """All that the Performance page asks for, with nothing remembered from before."""
    quantiles.dense.cache_clear()
    spans.pieces.cache_clear()
    asked = Performance(archive)
    edges = edges_of(period)
    with archive.one_moment():
        asked.summary(before(period), simulated=True)
        asked.over_time(period, edges, simulated=True)
        asked.latency_over_time(period, edges, simulated=True)
        asked.saved_over_time(period, edges, simulated=True)
        asked.by_model(period, simulated=True)
        asked.failures(period, simulated=True)
        asked.changes(period)
        asked.latency_distribution(period, simulated=True)
        asked.summary(period, simulated=True)
        asked.totals_over_time(period, edges, simulated=True)


def statements(archive: Archive, act: Callable[[], object]) -> list[str]:
    """The SQL of `act`, with its values in it."""
    found: list[str] = []
    with archive.reading() as connection:
        connection.set_trace_callback(found.append)
    act()  # with the connection that has just been given back
    with archive.reading() as connection:
        connection.set_trace_callback(None)
    return [sql for sql in found if sql.lstrip().startswith(("SELECT", "WITH"))]


def rarest(path: Path) -> str:
    """The word that the fewest calls hold, of those that fill a page in this history."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, call_words, row)"
        )
        (word,) = connection.execute(
            "SELECT term FROM vocabulary WHERE doc >= ? ORDER BY doc, term LIMIT 1", (LIMIT,)
        ).fetchone()
    return str(word)


def measure_ours(results: Results, size: int, path: Path, rare: str, rounds: int) -> None:
    archive = Archive(path)
    with closing(sqlite3.connect(path)) as connection:
        (last,) = connection.execute("SELECT max(id) FROM call").fetchone()
    page = min(PAGE, last // LIMIT - 1)

    def show(figure: str, act: Callable[[], object]) -> None:
        results.add(figure, size, OURS, results.timed(rounds, act))

    def show_sql(figure: str, act: Callable[[], object]) -> None:
        asked = statements(archive, act)
        with archive.reading() as connection:
            show(figure, lambda: [connection.execute(sql).fetchall() for sql in asked])

    def page_of(**wanted: Any) -> Callable[[], object]:
        return lambda: archive.page_of_calls(limit=LIMIT, **wanted)

    show(FRAMED, page_of())
    show_sql(FIRST, page_of())
    show_sql(NUMBERED, page_of(page=page))
    show_sql(KEYED, page_of(before_id=last - page * LIMIT))
    wanted = CallFilter(provider=("google",), status=("failed",))
    show_sql(FILTER, page_of(wanted=wanted))
    for figure, word in ((RARELY, rare), (OFTEN, FREQUENT_WORD)):
        show_sql(figure, page_of(wanted=CallFilter(text=word)))
    for name, period in asked_for(path).items():
        show(performance(name), lambda p=period: ask_page(archive, p))
    show(STATUS, lambda: archive.totals(simulated=True))
    archive.close()


def measure_writing(results: Results, size: int, path: Path, plain: Path, rounds: int) -> None:
    """Groups of calls that have ended, beside an open history; and a session a call."""
    calls = GROUP * (rounds + 2)
    with closing(files.connect(path, busy_timeout=5.0)) as connection:
        connection.execute("PRAGMA synchronous = NORMAL")
        last, moment = connection.execute("SELECT max(id), max(started_at) FROM call").fetchone()
        days = 0.1
        some = [
            replace(one, attempt=replace(one.attempt, id=last + one.attempt.id))
            for story in believable(calls, days=days, until=moment + days * DAY, seed=size + last)
            for one in story.exchanges
        ]
        took, waited = [], []
        for at in range(0, calls, GROUP):
            group = some[at : at + GROUP]
            rows = {
                CALL: [call_row(one.attempt, str) for one in group],
                TEXT: [(one.attempt.id, "[]", one.response) for one in group],
            }
            begun = [replace(one.attempt, status="running") for one in group]
            asked = [(one.attempt.id, request_text(one.messages, str)) for one in group]
            commit(connection, {INTENT: [intent_row(one, str) for one in begun], REQUEST: asked})
            start = results.now()
            commit(connection, rows)
            waited.append((results.now() - start) / GROUP)
            commit_words(connection)
            took.append((results.now() - start) / GROUP)
    results.add(WRITE, size, OURS, took[2:])
    results.add(COMMIT, size, OURS, waited[2:])
    sessions = Sessions(plain)
    rows = [as_log(one.attempt, one.response) for one in some[: rounds * 4]]
    took = []
    for row in rows:
        start = results.now()
        sessions.write(row)
        took.append(results.now() - start)
    sessions.engine.dispose()
    # It has no words to index, either.
    for figure in (WRITE, COMMIT):
        results.add(figure, size, SESSION, took)


def commit(connection: sqlite3.Connection, rows: Any) -> None:
    connection.execute("BEGIN IMMEDIATE")
    # As the writer does with what it has begun itself.
    put(connection, rows, first=True, under_way={row[1] for row in rows.get(CALL, ())})
    connection.execute("COMMIT")


def commit_words(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    search.index_new(connection, GROUP)
    connection.execute("COMMIT")


AS_IT_IS = (
    "run_id", "ordinal", "step", "provider", "model", "strategy", "status", "http_status",
    "message", "started_at", "latency_ms", "ttft_ms", "cost_usd", "simulated",
)  # fmt: skip


def as_log(attempt: Attempt, response: str | None) -> dict[str, Any]:
    kind, usage = attempt.error_kind, attempt.usage
    return {
        **{name: getattr(attempt, name) for name in AS_IT_IS},
        "error_kind": kind and kind.value,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "request": "[]",
        "response": response,
    }


def measure_error(results: Results, path: Path) -> None:
    """The percentiles of each period against those of the calls themselves."""
    with closing(sqlite3.connect(path)) as connection:
        for period in asked_for(path).values():
            rows = connection.execute(
                """
                SELECT latency_ms / 1000 FROM call
                 WHERE started_at >= ? AND started_at < ? AND status = 'ok' AND NOT drilled
                 ORDER BY latency_ms
                """,
                (period.since, period.until),
            ).fetchall()
            found = Performance(path).summary(period, simulated=True)
            for value, part in zip(
                (found.p50, found.p95, found.p99), (0.5, 0.95, 0.99), strict=True
            ):
                exact = rows[max(0, ceil(round(part * len(rows), 6)) - 1)][0]
                results.error = max(results.error, abs((value or 0) / exact - 1))


@contextmanager
def busy(path: Path) -> Iterator[None]:
    """An engine that does nothing but record calls, 32 at once, as fast as it can."""
    history, going = SqliteHistory.open(path), threading.Event()
    going.set()

    async def caller(number: int) -> None:
        while going.is_set():
            begun = Attempt(
                history.next_call_id(),
                0,
                "openai",
                "gpt-6-luna",
                "random",
                time.time(),
                simulated=True,
            )
            await history.begin(begun, (Message("user", f"Plan number {number}"),))
            await asyncio.sleep(0.001)
            done = replace(begun, status="ok", latency_ms=900.0 + number, usage=Usage(50, 200))
            await history.end(done, f"A short plan for number {number}")

    async def callers() -> None:
        await asyncio.gather(*map(caller, range(GROUP)))

    thread = threading.Thread(target=lambda: asyncio.run(callers()))
    thread.start()
    try:
        yield
    finally:
        going.clear()
        thread.join()
        history.close()


def measure_busy(results: Results, path: Path, rounds: int) -> None:
    archive = Archive(path)
    period = asked_for(path)["30 days"]
    wall = Results()  # whoever has to wait for the interpreter spends no time of the processor
    idle = median(wall.timed(rounds, lambda: ask_page(archive, period)))
    with busy(path):
        time.sleep(0.5)
        results.busy = median(wall.timed(rounds, lambda: ask_page(archive, period))) / idle
    archive.close()


# -- the others


def measure_plain(
    results: Results,
    size: int,
    path: Path,
    rare: str,
    periods: Mapping[str, Period],
    rounds: int,
) -> None:
    plain = Plain(path)
    page = min(PAGE, size // LIMIT - 1)
    asked: dict[str, Callable[[], object]] = {
        FIRST: lambda: plain.page(LIMIT),
        NUMBERED: lambda: plain.page(LIMIT, LIMIT * (page - 1)),
        FILTER: lambda: plain.page(LIMIT, 0, "provider = 'google' AND status = 'failed'"),
        RARELY: lambda: plain.search(rare, LIMIT),
        OFTEN: lambda: plain.search(FREQUENT_WORD, LIMIT),
        STATUS: plain.totals,
    }
    for figure, act in asked.items():
        results.add(figure, size, PLAIN, results.timed(rounds, act))
    for name, period in periods.items():
        asks = (period.since, period.until, edges_of(period))
        for whose, act in (
            (PLAIN, lambda a=asks: plain.performance(*a)),
            (PANDAS, lambda a=asks: pandas_performance(path, *a)),
        ):
            results.add(performance(name), size, whose, results.timed(rounds, act))
    results.add(FIRST, size, PANDAS, results.timed(rounds, lambda: pandas_page(path, LIMIT)))
    plain.connection.close()


def measure_llm(
    results: Results, size: int, command: Sequence[str], rare: str, rounds: int
) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        for figure, arguments in (
            (FIRST, []),
            (RARELY, ["-q", rare, "-l"]),
            (OFTEN, ["-q", FREQUENT_WORD, "-l"]),
        ):
            print(
                json.dumps([rounds, ["-n", str(LIMIT), *arguments]]), file=process.stdin, flush=True
            )
            results.add(figure, size, LLM, json.loads(process.stdout.readline()))
        process.stdin.close()


# -- what is shown


def in_words(seconds: float) -> str:
    if seconds != seconds:
        return ""
    if seconds < 1e-4:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s"


def rows_of(results: Results, sizes: Sequence[int]) -> Iterator[list[str]]:
    for figure in FIGURES:
        others = [results.of(figure, sizes[-1], whose) for whose in (PLAIN, PANDAS, LLM, SESSION)]
        grew = results.of(figure, sizes[-1]) / results.of(figure, sizes[0])
        mine = [in_words(results.of(figure, size)) for size in sizes]
        yield [figure, *mine, f"{grew:.2g}x", *map(in_words, others)]


@dataclass(frozen=True, slots=True)
class Bar:
    says: str
    limit: float
    unit: str
    measured: Callable[[Results], float]
    at_least: bool = False

    def row(self, results: Results) -> list[str]:
        value = self.measured(results)
        limit = f"{'at least' if self.at_least else 'at most'} {self.limit:g} {self.unit}"
        if value != value:
            return [self.says, limit, "not measured", ""]
        met = value >= self.limit if self.at_least else value <= self.limit
        return [self.says, limit, f"{value:.3g} {self.unit}", "yes" if met else "**no**"]


PAGES = tuple(map(performance, PERIODS))


def times(figure: str, whose: str) -> Callable[[Results], float]:
    """So many times ours."""
    return lambda results: results.of(figure, whose=whose) / results.of(figure)


BARS = (
    Bar("the Performance page's queries", 20, "ms", lambda r: 1e3 * r.worst(PAGES, r.of)),
    Bar(
        "the same for all time, the plain table's of ours", 75, "x",
        times(PAGES[-1], PLAIN), True,
    ),
    Bar(KEYED, 1, "ms", lambda r: 1e3 * r.of(KEYED)),
    Bar(f"page {PAGE:,} by its number", 30, "ms", lambda r: 1e3 * r.of(NUMBERED)),
    Bar("llm's list, of our first page", 10, "x", times(FIRST, LLM), True),
    Bar("a word, newest first", 5, "ms", lambda r: 1e3 * r.worst((RARELY, OFTEN), r.of)),
    Bar("a filter", 30, "ms", lambda r: 1e3 * r.of(FILTER)),
    Bar("percentiles, off the exact ones", 1, "%", lambda r: 100 * r.error),
    Bar(
        "from the smallest history to the largest, any figure but that page", 2, "x",
        lambda r: r.worst(EVEN, lambda figure: r.of(figure) / r.of(figure, r.sizes[0])),
    ),
    Bar(f"one call written, {GROUP} at a time", 100, "µs", lambda r: 1e6 * r.of(WRITE)),
    Bar("a SQLModel session's commit, of all that", 8, "x", times(WRITE, SESSION), True),
    Bar("the same, of the commit that the call waits for", 8, "x", times(COMMIT, SESSION), True),
    Bar("the page beside a busy engine, of its idle time", 1.5, "x", lambda r: r.busy),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="What pages wait for, by the history's length.")
    parser.add_argument("--dir", type=Path, required=True, help="for the files; a real disk")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--cpu", action="store_true", help="time of the processor, not the wall")
    parser.add_argument("--llm-python", help="interpreter with llm")
    chosen = parser.parse_args()
    clock = time.thread_time if chosen.cpu else time.perf_counter
    results, sizes = Results(now=clock, sizes=chosen.sizes), chosen.sizes
    chosen.dir.mkdir(parents=True, exist_ok=True)
    for size in sizes:
        path, plain = (chosen.dir / f"{size}-{name}.db" for name in ("ours", "plain"))
        if not path.exists():
            fill(path, believable(size, days=DAYS, until=time.time()))
        made(plain, path)
        rare = rarest(path)
        measure_ours(results, size, path, rare, chosen.rounds)
        measure_plain(results, size, plain, rare, asked_for(path), chosen.rounds)
        if chosen.llm_python:
            command = [chosen.llm_python, "-m", "tests.bench.llm_logs"]
            command += [str(chosen.dir / f"{size}-llm.db"), str(path)]
            command += ["cpu"] * chosen.cpu
            measure_llm(results, size, command, rare, chosen.rounds)
        if size == sizes[-1]:
            measure_error(results, path)
        measure_writing(results, size, path, plain, chosen.rounds)
    measure_busy(results, path, chosen.rounds)
    largest = f"{sizes[-1]:,}"
    head = ["", *(f"{size:,}" for size in sizes), "growth"]
    head += [f"{whose}, {largest}" for whose in (PLAIN, PANDAS, LLM, SESSION)]
    print(table(head, [*rows_of(results, sizes)]), end="\n\n")
    print(table(["", "limit", "measured", "met"], [bar.row(results) for bar in BARS]))


if __name__ == "__main__":
    main()
