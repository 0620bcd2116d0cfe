"""What every figure means, worked out from the rows of the history's file and from nothing else.

Nothing of the product is used here: `sqlite3`, and sums that can be checked by hand.

Calls. A figure counts calls that have ended and are no fire drill's, practice and real ones apart,
in the period in which they began: its first moment included, its last one not.
Success rate: answers among the calls that say something of the provider. Calls that were
cancelled, interrupted, refused, not understood (bad_request), too long (context_too_long), or
failed by our own fault (internal) say nothing of it and are left out.
Percentile p: of n answers in the order of their times, the one at place ceil(p * n), counted from
one. p95 takes 20 answers, p99 takes 100; p50 takes one. First word: the same of the times to the
first token, p50.
Speed: tokens of the answers that told how many they were, by the seconds that these took.
Valid plans: answers to a goal among those and the answers that held no valid plan. Cost per plan:
what both cost, by plan; unknown where a price is.
Cost: the sum of the known prices. Where an answer, valid or not, has no price: at least that sum,
and how many. Practice costs nothing.
A run's cost: the same of all its calls, save that whatever may have been charged for counts as
without a price: not what a vendor refused (4xx, 5xx), never got, or is still answering.
Saved by fallback: runs that completed, in which a provider failed and another one, asked later for
the same thing, answered.
Took: the time in which at least one call of a run was under way, so not what a person read.
Compared: with as many seconds just before, if figures go back so far, to their quarter of an hour;
rates only with ten calls on each side, and where the two 95 % ranges (Wilson) do not touch.
A day begins at the viewer's midnight. `24h` ends with the present minute, and is to the minute;
`7d`, `30d` and `90d` are that many days, today included; `all` begins with the first figure's day.
"""

from __future__ import annotations

import math
import sqlite3
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]

SAYS_NOTHING = {
    "cancelled", "interrupted", "internal", "refused", "bad_request", "context_too_long",
}  # fmt: skip
FEWEST = {0.5: 1, 0.95: 20, 0.99: 100}
COMPARABLE = 10  # calls
QUARTER = 900  # seconds


@dataclass(frozen=True)
class Rows:
    """All that the file holds, at one moment."""

    calls: Sequence[Row]
    runs: Sequence[Row]

    @classmethod
    def of(cls, path: Path) -> Rows:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return cls(
                [dict(row) for row in connection.execute("SELECT * FROM call ORDER BY id")],
                [dict(row) for row in connection.execute("SELECT * FROM run ORDER BY number")],
            )

    @cached_property
    def calls_by_run(self) -> Mapping[str, Sequence[Row]]:
        found: dict[str, list[Row]] = defaultdict(list)
        for call in self.calls:
            found[call["run_id"]].append(call)
        return {
            name: sorted(calls, key=lambda call: call["ordinal"]) for name, calls in found.items()
        }

    def counted(self, since: float, until: float, *, simulated: bool) -> list[Row]:
        """Calls, by their beginning."""
        return _between(self._counted[simulated], since, until)

    def ended_runs(self, since: float, until: float, *, simulated: bool) -> list[Row]:
        return _between(self._ended_runs[simulated], since, until)

    @cached_property
    def _counted(self) -> Mapping[bool, Sequence[Row]]:
        return _by_kind(call for call in _ended(self.calls) if not call["drilled"])

    @cached_property
    def _ended_runs(self) -> Mapping[bool, Sequence[Row]]:
        return _by_kind(_ended(self.runs))

    def saved(self, run: Row) -> bool:
        calls = self.calls_by_run.get(run["id"], ())
        return run["status"] == "completed" and any(
            failed["status"] == "failed"
            and failed["error_kind"] != "internal"  # which is nobody's but ours
            and not failed["drilled"]
            and answer["status"] == "ok"
            and answer["step"] == failed["step"]
            and answer["ordinal"] > failed["ordinal"]
            and answer["provider"] != failed["provider"]
            for failed in calls
            for answer in calls
        )

    def first_figure(self, *, simulated: bool) -> float | None:
        starts = [call["started_at"] for call in self.counted(0, math.inf, simulated=simulated)]
        return min(starts) // QUARTER * QUARTER if starts else None


def _ended(rows: Iterable[Row]) -> Iterable[Row]:
    return (row for row in rows if row["status"] != "running")


def _by_kind(rows: Iterable[Row]) -> Mapping[bool, Sequence[Row]]:
    """Real ones and practice, by their beginning."""
    kinds: dict[bool, list[Row]] = {False: [], True: []}
    for row in sorted(rows, key=_began):
        kinds[bool(row["simulated"])].append(row)
    return kinds


def _began(row: Row) -> float:
    return float(row["started_at"])


def _between(rows: Sequence[Row], since: float, until: float) -> list[Row]:
    ends = (bisect_left(rows, moment, key=_began) for moment in (since, until))
    return [*rows[slice(*ends)]]


# -- of some calls


def ok(calls: Iterable[Row]) -> list[Row]:
    return [call for call in calls if call["status"] == "ok"]


def rated(calls: Iterable[Row]) -> list[Row]:
    return [
        call
        for call in calls
        if call["status"] == "ok"
        or (call["status"] == "failed" and call["error_kind"] not in SAYS_NOTHING)
    ]


def refused(calls: Iterable[Row]) -> list[Row]:
    return [call for call in calls if call["error_kind"] == "refused"]


def failed(calls: Iterable[Row]) -> Counter[tuple[str, str]]:
    """By provider and reason."""
    some = (call for call in calls if call["status"] == "failed")
    return Counter((call["provider"], call["error_kind"]) for call in some)


def success_rate(calls: Sequence[Row]) -> float | None:
    judged = rated(calls)
    return len(ok(judged)) / len(judged) if judged else None


def percentile(part: float, values: Iterable[float]) -> float | None:
    known = sorted(values)
    if len(known) < FEWEST[part]:
        return None
    rank = -(-round(part * 100) * len(known) // 100)
    return known[rank - 1]


def latencies(calls: Iterable[Row]) -> list[float]:
    """Seconds of the answers."""
    return [call["latency_ms"] / 1000 for call in ok(calls) if call["latency_ms"] is not None]


def first_words(calls: Iterable[Row]) -> list[float]:
    return [call["ttft_ms"] / 1000 for call in ok(calls) if call["ttft_ms"] is not None]


def speed(calls: Iterable[Row]) -> float | None:
    told = [call for call in ok(calls) if call["output_tokens"] is not None and call["latency_ms"]]
    seconds = sum(call["latency_ms"] for call in told) / 1000
    return sum(call["output_tokens"] for call in told) / seconds if seconds else None


def plans(calls: Iterable[Row]) -> tuple[int, int]:
    """Valid ones, and all that were to be plans."""
    some = _planning(calls)
    return len(ok(some)), len(some)


def plan_cost(calls: Iterable[Row]) -> float | None:
    some = _planning(calls)
    if not ok(some) or any(call["cost_usd"] is None for call in some):
        return None
    return sum(call["cost_usd"] for call in some) / len(ok(some))


def _planning(calls: Iterable[Row]) -> list[Row]:
    return [
        call
        for call in calls
        if call["step"] is None and (call["status"] == "ok" or call["error_kind"] == "invalid_plan")
    ]


def cost(calls: Iterable[Row]) -> tuple[float | None, int]:
    """US dollars, None where no price is known; and how many answers have none."""
    some = list(calls)
    known = [call["cost_usd"] for call in some if call["cost_usd"] is not None]
    answered = [
        call for call in some if call["status"] == "ok" or call["error_kind"] == "invalid_plan"
    ]
    return (sum(known) if known else None), sum(call["cost_usd"] is None for call in answered)


def by(calls: Iterable[Row], *names: str) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for call in calls:
        found[tuple(call[name] for name in names) if len(names) > 1 else call[names[0]]].append(
            call
        )
    return found


def wilson(good: int, number: int) -> tuple[float, float]:
    """The roots of (p - rate)² = z² p (1 - p) / n."""
    z, rate = 1.96, good / number
    a, b, c = 1 + z * z / number, -(2 * rate + z * z / number), rate * rate
    root = math.sqrt(max(b * b - 4 * a * c, 0))
    low, high = (-b - root) / (2 * a), (-b + root) / (2 * a)
    # None of them, or all, touch the end exactly.
    return (low if good else 0.0), (high if good < number else 1.0)


# -- of a run


def sent(calls: Iterable[Row]) -> list[Row]:
    return [call for call in calls if not call["drilled"]]


def worked(calls: Iterable[Row]) -> float:
    """Seconds in which something was under way: each moment counts once."""
    ends = [
        (call["started_at"], call["started_at"] + (call["latency_ms"] or 0) / 1000)
        for call in sent(calls)
    ]
    edges = sorted({edge for pair in ends for edge in pair})
    return sum(
        high - low
        for low, high in pairwise(edges)
        if any(begin <= low and high <= end for begin, end in ends)
    )


def run_cost(calls: Iterable[Row]) -> tuple[float, int]:
    """US dollars as far as prices are known, and how many calls may have cost more."""
    some = sent(calls)
    return sum(call["cost_usd"] or 0 for call in some), sum(map(_may_have_cost, some))


def _may_have_cost(call: Row) -> bool:
    if call["cost_usd"] is not None or call["simulated"] or call["status"] == "running":
        return False
    turned_away = (call["http_status"] or 0) >= 400 or call["error_kind"] == "connection"
    return not (call["status"] == "failed" and turned_away)


# -- periods


def midnight(day: Any, zone: str) -> float:
    return datetime.combine(day, time.min, ZoneInfo(zone)).timestamp()


def period(name: str, *, now: float, zone: str, first: float | None) -> tuple[float, float]:
    until = now // 60 * 60 + 60
    if name == "24h":
        return until - 24 * 3600, until
    today = datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    if name == "all":
        start = datetime.fromtimestamp(first if first is not None else now, ZoneInfo(zone)).date()
    else:
        start = today - timedelta(days=int(name.removesuffix("d")) - 1)
    return midnight(start, zone), until
