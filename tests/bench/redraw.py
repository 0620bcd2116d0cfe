"""What a redraw of the Performance page takes on a filled history, and its charts alone.

    python -m db.sample.fill --calls 100000 --days 60 --database /a/real/disk/history.db
    python -m tests.bench.redraw /a/real/disk/history.db

Milliseconds of one thread's work, the least and the median of `--rounds`; the periods take turns.
`--busy` does it beside a thread that never rests. To compare two states of the code, run it in
both, one after the other and more than once.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import threading
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from statistics import median

from core.insight.chart_parts import drawn
from core.insight.templates import TEMPLATES
from core.ui import services
from core.ui.performance import figures
from core.ui.performance.figures import Asked, Question, Reading
from core.values import periods
from db.figures.performance import Performance
from db.lists.queries import Archive

ZONE = "Europe/Berlin"
FILLED_IN = (
    *("times", "labels", "providers", "colours", "dashes", "shapes"),
    *("rates", "reach", "rows", "names", "numbers"),
)


def read_anew(path: Path, archive: Archive, name: str) -> Reading:
    with closing(sqlite3.connect(path)) as connection:
        (last,) = connection.execute("SELECT max(started_at) FROM call").fetchone()
    first = archive.first_figure(simulated=True)
    period = periods.preset(name, now=last, zone=periods.zone(ZONE), first=first)
    question = Question(archive.version(), period, True, ZONE)
    with archive.one_moment():
        return figures._read_anew(question, Asked(name, None, None, True), first=first)


def refill(reading: Reading) -> None:
    """The same marks into the templates once more."""
    values = {name: [] for name in FILLED_IN}
    for name, chart in reading.charts.items():
        drawn(TEMPLATES[name], chart.alt, chart.marks, height=1, **values)


def busy(stop: threading.Event) -> None:
    while not stop.is_set():
        json.loads(json.dumps([*range(200)]))
        time.sleep(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database", type=Path)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--busy", action="store_true")
    given = parser.parse_args()
    archive, stop = Archive(given.database), threading.Event()
    services.provide(services.Services(None, archive, Performance(archive)))
    if given.busy:
        threading.Thread(target=busy, args=(stop,), daemon=True).start()
    took: dict[str, list[float]] = defaultdict(list)
    for _ in range(given.rounds):
        for name in ("24h", "7d", "30d", "all"):
            began = time.thread_time()
            reading = read_anew(given.database, archive, name)
            took[name].append(time.thread_time() - began)
            began = time.thread_time()
            refill(reading)
            took[f"{name}, templates filled"].append(time.thread_time() - began)
    stop.set()
    for name, all_ in took.items():
        print(f"{name:24} {min(all_) * 1e3:6.1f} {median(all_) * 1e3:6.1f}")
    archive.close()


if __name__ == "__main__":
    main()
