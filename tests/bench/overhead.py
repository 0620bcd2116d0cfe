"""What Manyways adds to the bare openai SDK, beside what other routers add, in one run.

    python -m venv /tmp/ll && /tmp/ll/bin/pip install litellm
    python -m venv /tmp/pa && /tmp/pa/bin/pip install "pydantic-ai-slim[openai]"
    python -m venv /tmp/lc && /tmp/lc/bin/pip install langchain-openai
    python -m tests.bench.overhead --litellm-python /tmp/ll/bin/python \\
        --pydantic-ai-python /tmp/pa/bin/python --langchain-python /tmp/lc/bin/python

One stand-in on one core answers all; the callers take turns on another. In each round every kind
of an environment is called once, in random order, and compared with the bare SDK call of that
round; shown is the median over the rounds. An fdatasync is measured in a row, and among the calls,
where it takes longer: the durable history is held against both. Throughput is measured apart, in
turns. LiteLLM alone has a rest after each call, which makes it and the bare SDK beside it slower
than without: compare its differences with care.

Manyways can be below the bare call, for it asks by the SDK's post(), which is quicker than its
create(). So what its routing costs is taken over one of its own providers, asked directly. The
last table holds the bars and whether each is met.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import product
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from tests.bench import kinds
from tests.bench.kinds import AT_ONCE, DISK, ENVIRONMENTS, OURS, SDK

ROOT = Path(__file__).parents[2]
BLOCK = 10  # rounds in a row in one environment; the first block is thrown away
BURSTS = 8  # turns that each kind gets at throughput; the first is thrown away
BURST = 640  # calls
SCENARIOS = {
    "happy": "one answers",
    "fallback": "first fails, second answers",
    "open": "first circuit open",
    "stream": "first token",
}

T = TypeVar("T")
Key = tuple[str, str]  # environment, kind
MEMORY, DURABLE = (OURS, kinds.MEMORY), (OURS, kinds.DURABLE)
ADAPTER, FLOOR = (OURS, kinds.ADAPTER), (OURS, kinds.FDATASYNC)
LITELLM = ("litellm", kinds.LITELLM)


@dataclass(frozen=True, slots=True)
class Results:
    """A value a round: seconds per scenario and key; calls a second under "burst"."""

    series: dict[str, dict[Key, list[float]]] = field(default_factory=dict)

    def add(self, scenario: str, environment: str, values: dict[str, float]) -> None:
        rows = self.series.setdefault(scenario, {})
        for kind, value in values.items():
            rows.setdefault((environment, kind), []).append(value)

    def alone(self, scenario: str, who: Key) -> float | None:
        values = self.series.get(scenario, {}).get(who)
        return median(values) if values else None

    def pairs(self, scenario: str, who: Key, than: Key | None) -> list[tuple[float, float]]:
        rows = self.series[scenario]
        return list(zip(rows.get(who, ()), rows.get(than or (who[0], SDK), ()), strict=False))

    def added(self, scenario: str, who: Key, than: Key | None = None) -> float | None:
        """Median of the differences, in µs; None: not measured. `than`: the bare SDK there."""
        pairs = self.pairs(scenario, who, than)
        return median(value - other for value, other in pairs) * 1e6 if pairs else None

    def ratio(self, scenario: str, who: Key, than: Key | None = None) -> float | None:
        pairs = self.pairs(scenario, who, than)
        return median(value / other for value, other in pairs) if pairs else None


@dataclass(frozen=True, slots=True)
class Bar:
    says: str
    limit: float
    unit: str
    measured: Callable[[Results], float | None]
    at_least: bool = False

    def row(self, results: Results) -> list[str]:
        value = self.measured(results)
        limit = f"{'≥' if self.at_least else '≤'} {self.limit:g} {self.unit}"
        if value is None:
            return [self.says, limit, "not measured", ""]
        met = value >= self.limit if self.at_least else value <= self.limit
        return [self.says, limit, f"{value:.3g} {self.unit}", "yes" if met else "**no**"]


def of_litellm(results: Results) -> float | None:
    ours, theirs = results.added("happy", MEMORY, ADAPTER), results.added("happy", LITELLM)
    return None if ours is None or theirs is None else ours / theirs


def in_fdatasyncs(results: Results, when: str) -> float | None:
    durable, floor = results.added("happy", DURABLE, MEMORY), results.alone(when, FLOOR)
    return None if durable is None or floor is None else durable / floor / 1e6


BARS = (
    Bar("all of Manyways, over a bare call", 60, "µs", lambda r: r.added("happy", MEMORY)),
    Bar("choosing, breaker, statistics", 60, "µs", lambda r: r.added("happy", MEMORY, ADAPTER)),
    Bar("the same, of what LiteLLM's Router adds", 0.02, "x", of_litellm),
    Bar("durable history, in fdatasyncs in a row", 3, "x", lambda r: in_fdatasyncs(r, DISK)),
    Bar("the same, in those among the calls", 3, "x", lambda r: in_fdatasyncs(r, "happy")),
    Bar(
        "durable throughput, of the bare SDK's", 0.9, "x", lambda r: r.ratio("burst", DURABLE), True
    ),
    Bar("the same, of LiteLLM's", 2.8, "x", lambda r: r.ratio("burst", DURABLE, LITELLM), True),
    Bar("falling back, over two bare calls", 100, "µs", lambda r: r.added("fallback", MEMORY)),
    Bar("the same, of LiteLLM's time", 0.2, "x", lambda r: r.ratio("fallback", MEMORY, LITELLM)),
    Bar("past an open circuit, of a bare call", 1.1, "x", lambda r: r.ratio("open", MEMORY)),
    Bar("first token, after the SDK's", 150, "µs", lambda r: r.added("stream", MEMORY)),
)


class Worker:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.hello = self.read()

    def read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else sys.exit(f"no answer from {self.process.args}")

    def ask(self, *command: object) -> Any:
        print(json.dumps(command), file=self.process.stdin, flush=True)
        return self.read()


@contextmanager
def started(*command: str) -> Iterator[Worker]:
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # without it LiteLLM calls home
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=pipe, stdout=pipe, text=True
    ) as process:
        try:
            yield Worker(process)
        finally:
            process.terminate()


def shuffled(things: Iterable[T]) -> list[T]:
    return random.sample(shelf := list(things), len(shelf))


def measure_latency(workers: dict[str, Worker], results: Results, rounds: int) -> None:
    for block in range(1 + ceil(rounds / BLOCK)):
        for scenario, environment in shuffled(product((DISK, *SCENARIOS), workers)):
            for seconds in workers[environment].ask("rounds", scenario, BLOCK):
                if block:
                    results.add(scenario, environment, seconds)


def measure_throughput(workers: dict[str, Worker], results: Results) -> None:
    for turn in range(BURSTS):
        for environment, kind in shuffled(key for key in results.series["happy"] if key != FLOOR):
            value = workers[environment].ask("burst", "happy", kind, BURST)
            if turn:
                results.add("burst", environment, {kind: value})


def check(counts: dict[str, int], rounds: int) -> None:
    """Every fallback met its failing provider; an open circuit was asked only until it opened."""
    for name, count in counts.items():
        if name.endswith("/fail") and not 0 <= count - rounds <= 2 * BLOCK + 3:
            sys.exit(f"{name} was asked {count} times: these numbers compare different things")


def cells(results: Results, key: Key) -> Iterator[str]:
    for scenario in SCENARIOS:
        seconds, added = results.alone(scenario, key), results.added(scenario, key)
        if seconds is None:
            yield ""
        elif key[1] == SDK:
            yield f"{seconds * 1e6:.0f} µs"
        else:
            yield f"{added:+.0f} µs ({results.ratio(scenario, key):.2f}x)"
    yield f"{results.alone('burst', key):.0f}/s ({results.ratio('burst', key):.2f}x)"


def table(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def options() -> tuple[argparse.Namespace, dict[str, str]]:
    """The options, and per environment its interpreter."""
    parser = argparse.ArgumentParser(description="What Manyways adds to the bare openai SDK.")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--dir", type=Path, default=ROOT, help="for the history; a real disk")
    parser.add_argument("--peers-python", default=sys.executable, help="interpreter with all peers")
    for name in ENVIRONMENTS:
        if name != OURS:
            parser.add_argument(f"--{name}-python", dest=name, help=f"interpreter with {name}")
    chosen = parser.parse_args()
    pythons = {name: getattr(chosen, name, None) or chosen.peers_python for name in ENVIRONMENTS}
    return chosen, {**pythons, OURS: sys.executable}


def main() -> None:
    chosen, pythons = options()
    results = Results()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=".bench-", dir=chosen.dir))
        stand_in = stack.enter_context(started(sys.executable, "-m", "tests.bench.standin"))
        workers = {}
        for name, python in pythons.items():
            command = (python, "-m", "tests.bench.kinds", name, str(stand_in.hello), folder)
            worker = stack.enter_context(started(*command))
            if missing := worker.hello.get("missing"):
                print(f"{name}: {missing} is not installed")
            else:
                print(name, *(f"{package} {is_at}" for package, is_at in worker.hello.items()))
                workers[name] = worker
        measure_latency(workers, results, chosen.rounds)
        measure_throughput(workers, results)
        with urllib.request.urlopen(f"http://127.0.0.1:{stand_in.hello}/counts") as answer:
            check(json.load(answer), chosen.rounds)
    apart, among = (1e6 * (results.alone(when, FLOOR) or 0) for when in (DISK, "happy"))
    print(f"fdatasync of 8 KB: {among:.0f} µs among the calls, {apart:.0f} µs in a row\n")
    places = list(ENVIRONMENTS)
    keys = sorted(
        results.series["happy"].keys() - {FLOOR},
        key=lambda key: (places.index(key[0]), key[1] != SDK, key),
    )
    head = ["", *SCENARIOS.values(), f"{AT_ONCE} at once"]
    print(table(head, [[label(key), *cells(results, key)] for key in keys]), end="\n\n")
    print(table(["bar", "limit", "measured", "met"], [bar.row(results) for bar in BARS]))


def label(key: Key) -> str:
    environment, kind = key
    return f"{SDK}, beside {environment}" if kind == SDK and environment != OURS else kind


if __name__ == "__main__":
    main()
