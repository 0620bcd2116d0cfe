"""What Switchyard adds to the bare openai SDK, beside what other routers add, in one run.

    python -m venv /tmp/litellm && /tmp/litellm/bin/pip install litellm
    python -m venv /tmp/pydantic-ai && /tmp/pydantic-ai/bin/pip install "pydantic-ai-slim[openai]"
    python -m venv /tmp/langchain && /tmp/langchain/bin/pip install langchain-openai
    python -m tests.bench.overhead --litellm-python /tmp/litellm/bin/python \\
        --pydantic-ai-python /tmp/pydantic-ai/bin/python --langchain-python /tmp/langchain/bin/python

One stand-in on one core answers all; the callers share another. In every round each kind is called
once, in random order, and compared with the bare SDK call of the same round and environment; what is
shown is the median over the rounds. Throughput is measured apart, in turns. A peer that is not
installed is said to be missing. The last table holds the bars and whether each is met.
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
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from tests.bench import kinds
from tests.bench.kinds import AT_ONCE, ENVIRONMENTS, OURS, SDK

MEMORY, DURABLE, FDATASYNC = (OURS, kinds.MEMORY), (OURS, kinds.DURABLE), (OURS, kinds.FDATASYNC)
LITELLM = ("litellm", kinds.LITELLM)
T = TypeVar("T")
ROOT = Path(__file__).parents[2]
BLOCK = 10  # rounds in a row in one environment; the first block is thrown away
BURSTS = 7  # turns that each kind gets; the first is thrown away
BURST = 640  # calls
TO_OPEN = 3  # failures that may be needed to open a circuit
SCENARIOS = {
    "happy": "one answers",
    "fallback": "first fails, second answers",
    "open": "first circuit open",
    "stream": "first token",
}


@dataclass
class Results:
    """Seconds per (environment, kind), a value a round; calls a second likewise under "burst"."""

    series: dict[str, dict[tuple[str, str], list[float]]] = field(default_factory=dict)

    def add(self, scenario: str, environment: str, values: dict[str, float]) -> None:
        rows = self.series.setdefault(scenario, {})
        for kind, value in values.items():
            rows.setdefault((environment, kind), []).append(value)

    def pairs(
        self, scenario: str, who: tuple[str, str], than: tuple[str, str]
    ) -> list[tuple[float, float]]:
        rows = self.series[scenario]
        return list(zip(rows[who], rows[than], strict=True)) if {who, than} <= rows.keys() else []

    def added(
        self, scenario: str, who: tuple[str, str], than: tuple[str, str] | None = None
    ) -> float | None:
        """Median of the differences, in microseconds; None where it was not measured."""
        pairs = self.pairs(scenario, who, than or (who[0], SDK))
        return median(value - base for value, base in pairs) * 1e6 if pairs else None

    def ratio(
        self, scenario: str, who: tuple[str, str], than: tuple[str, str] | None = None
    ) -> float | None:
        pairs = self.pairs(scenario, who, than or (who[0], SDK))
        return median(value / base for value, base in pairs) if pairs else None


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
            return [self.says, limit, "not measured", "-"]
        met = value >= self.limit if self.at_least else value <= self.limit
        return [self.says, limit, f"{value:.3g} {self.unit}", "yes" if met else "**no**"]


def per(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value / base


BARS = (
    Bar(
        "choosing, breaker and statistics, over a bare call",
        60,
        "µs",
        lambda r: r.added("happy", MEMORY),
    ),
    Bar(
        "the same, as a share of what LiteLLM's Router adds",
        1 / 50,
        "",
        lambda r: per(r.added("happy", MEMORY), r.added("happy", LITELLM)),
    ),
    Bar(
        "the durable history on top, in fdatasyncs of 8 KB",
        3,
        "x",
        lambda r: per(
            r.added("happy", DURABLE, MEMORY), 1e6 * median(r.series["happy"][FDATASYNC])
        ),
    ),
    Bar(
        f"{AT_ONCE} at once with history, of the bare SDK",
        0.9,
        "x",
        lambda r: r.ratio("burst", DURABLE),
        True,
    ),
    Bar(
        f"{AT_ONCE} at once with history, of LiteLLM's Router",
        2.8,
        "x",
        lambda r: r.ratio("burst", DURABLE, LITELLM),
        True,
    ),
    Bar("falling back, over two bare calls", 100, "µs", lambda r: r.added("fallback", MEMORY)),
    Bar(
        "falling back, of LiteLLM's time for it",
        1 / 5,
        "x",
        lambda r: r.ratio("fallback", MEMORY, LITELLM),
    ),
    Bar("past an open circuit, of one bare call", 1.1, "x", lambda r: r.ratio("open", MEMORY)),
    Bar("first token, after the SDK's", 150, "µs", lambda r: r.added("stream", MEMORY)),
)


class Worker:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.hello: dict[str, Any] = self.read()

    def read(self) -> Any:
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            sys.exit(f"{self.process.args} ended without an answer")
        return json.loads(line)

    def ask(self, *command: object) -> Any:
        print(json.dumps(command), file=self.process.stdin, flush=True)
        return self.read()


@contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[str]]:
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # without it LiteLLM calls home
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=pipe, stdout=pipe, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def shuffled(things: Iterable[T]) -> list[T]:
    return random.sample(shelf := list(things), len(shelf))


def measure_latency(workers: dict[str, Worker], results: Results, rounds: int) -> None:
    for scenario in SCENARIOS:
        for block in range(1 + ceil(rounds / BLOCK)):
            for environment in shuffled(workers):
                for seconds in workers[environment].ask("rounds", scenario, BLOCK):
                    if block:
                        results.add(scenario, environment, seconds)


def measure_throughput(workers: dict[str, Worker], results: Results) -> None:
    callers = [key for key in results.series["happy"] if key != FDATASYNC]
    for turn in range(BURSTS):
        for environment, kind in shuffled(callers):
            value = workers[environment].ask("burst", "happy", kind, BURST)
            if turn:
                results.add("burst", environment, {kind: value})


def check(counts: dict[str, int], rounds: int) -> None:
    """Every fallback met its failing provider; an open circuit was asked only until it opened."""
    for name, count in counts.items():
        if name.endswith("/fail") and not 0 <= count - rounds <= BLOCK * 2 + TO_OPEN:
            sys.exit(f"{name} was asked {count} times: these numbers compare different things")


def cells(results: Results, key: tuple[str, str]) -> Iterator[str]:
    for scenario in SCENARIOS:
        values = results.series[scenario].get(key)
        if values is None:
            yield ""
        elif key[1] == SDK or key == FDATASYNC:
            yield f"{median(values) * 1e6:.0f} µs"
        else:
            yield f"{results.added(scenario, key):+.0f} µs ({results.ratio(scenario, key):.2f}x)"
    rates = results.series["burst"].get(key)
    yield f"{median(rates):.0f}/s ({results.ratio('burst', key):.2f}x)" if rates else ""


def table(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument(
        "--dir", type=Path, default=ROOT, help="where the history's file goes; a real disk"
    )
    parser.add_argument(
        "--peers-python", default=sys.executable, help="an interpreter that has the peers"
    )
    peers = [name for name in ENVIRONMENTS if name != OURS]
    for peer in peers:
        parser.add_argument(f"--{peer}-python", help=f"one that has {peer}, if it is another")
    options = vars(parser.parse_args())
    pythons = {
        peer: options[f"{peer.replace('-', '_')}_python"] or options["peers_python"]
        for peer in peers
    }
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix=".bench-", dir=options["dir"])
        )
        stand_in = Worker(stack.enter_context(started(sys.executable, "-m", "tests.bench.standin")))
        workers = {}
        for name, python in {OURS: sys.executable, **pythons}.items():
            command = (python, "-m", "tests.bench.kinds", name, str(stand_in.hello), folder)
            worker = Worker(stack.enter_context(started(*command)))
            print(f"{name}: {worker.hello}", file=sys.stderr)
            if "missing" in worker.hello:
                print(f"{name}: not installed")
            else:
                workers[name] = worker
        results = Results()
        measure_latency(workers, results, options["rounds"])
        measure_throughput(workers, results)
        with urllib.request.urlopen(f"http://127.0.0.1:{stand_in.hello}/counts") as answer:
            check(json.load(answer), options["rounds"])
    keys = sorted(results.series["happy"], key=lambda key: list(ENVIRONMENTS).index(key[0]))
    labels = {
        key: key[1] if key[0] == OURS or key[1] != SDK else f"{SDK}, beside {key[0]}"
        for key in keys
    }
    head = ["", *SCENARIOS.values(), f"{AT_ONCE} at once"]
    print(table(head, [[labels[key], *cells(results, key)] for key in keys]), end="\n\n")
    print(table(["bar", "limit", "measured", "met"], [bar.row(results) for bar in BARS]))


if __name__ == "__main__":
    main()
