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
Cost, of a period and of a run: the sum of the known prices. Where calls have none that may have
been charged for: at least that sum, and how many. Such are answers, valid or not, and what was cut
off after it was sent (out of time, stopped, killed, broken off once words had come). Such are not:
what a vendor turned away (4xx, 5xx, or in words) or never got, what is still under way, and what
ran on this computer (BitNet). Practice costs nothing.
Saved by fallback: runs that completed, in which a provider failed and another one, asked later for
the same thing, answered.
Took: the time in which at least one call of a run was under way, so not what a person read.
Waited: while nothing of a run was under way, drills counted as calls of no length. For you, from a
second on, where the plan alone was there and stood to be read, or the call asked last had been
stopped; for nobody, from five seconds on.
Compared: with as many seconds just before, if figures go back so far, to their quarter of an hour;
rates only with ten calls on each side, and where the two 95 % ranges (Wilson) do not touch.
A day begins at the viewer's midnight. `24h` ends with the present minute, and is to the minute;
`7d`, `30d` and `90d` are that many days, today included; `all` begins with the first figure's day.
"""

from __future__ import annotations

import json
import math
import re
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
    texts: Mapping[int, tuple[str, str | None]]  # of each call: what was asked, and answered

    @classmethod
    def of(cls, path: Path) -> Rows:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return cls(
                [dict(row) for row in connection.execute("SELECT * FROM call ORDER BY id")],
                [dict(row) for row in connection.execute("SELECT * FROM run ORDER BY number")],
                {row[0]: (row[1], row[2]) for row in connection.execute("SELECT * FROM call_text")},
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
    if not ok(some) or any(map(_may_have_cost, some)):
        return None
    return sum(call["cost_usd"] or 0 for call in some) / len(ok(some))


def _planning(calls: Iterable[Row]) -> list[Row]:
    return [
        call
        for call in calls
        if call["step"] is None and (call["status"] == "ok" or call["error_kind"] == "invalid_plan")
    ]


def cost(calls: Iterable[Row]) -> tuple[float | None, int]:
    """US dollars, None where no price is known; and how many may have cost more than is known."""
    some = list(calls)
    known = [call["cost_usd"] for call in some if call["cost_usd"] is not None]
    return (sum(known) if known else None), sum(map(_may_have_cost, some))


TURNED_AWAY = {
    "connection", "auth", "permission", "billing", "model_not_found", "bad_request",
    "context_too_long", "rate_limited", "overloaded",
}  # fmt: skip


def _may_have_cost(call: Row) -> bool:
    if call["cost_usd"] is not None or call["simulated"] or call["provider"] == "bitnet":
        return False
    if call["status"] == "failed" and call["ttft_ms"] is None:
        return (call["http_status"] or 0) < 400 and call["error_kind"] not in TURNED_AWAY
    return bool(call["status"] != "running")


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


@dataclass(frozen=True)
class Wait:
    at: float
    seconds: float
    for_you: bool


def waits(run: Row, calls: Sequence[Row]) -> list[Wait]:
    """In order. `calls` of the run, in theirs."""
    at_once = bool(json.loads(run["options"]).get("execute"))
    ends = [(each["started_at"], each["started_at"] + _took(each)) for each in calls]
    found = []
    for until in sorted({begin for begin, _ in ends}):
        before = [call for call in calls if call["started_at"] < until]
        since = max((end for begin, end in ends if begin < until), default=until)
        if since >= until:
            continue
        planned = {call["step"] for call in before} == {None} and before[-1]["status"] == "ok"
        for_you = before[-1]["status"] == "cancelled" or (planned and not at_once)
        if until - since >= (1 if for_you else 5):
            found.append(Wait(since, until - since, for_you))
    return found


def _took(call: Row) -> float:
    return float(call["latency_ms"] or 0) / 1000


def bars(run: Row, calls: Sequence[Row]) -> list[tuple[float, float, float]]:
    """Of each call: how many seconds of work come before it, how many it took, how many of these
    until its first words. What was waited for is no work."""
    start, found = min((call["started_at"] for call in calls), default=0.0), []
    for call in calls:
        waited = sum(w.seconds for w in waits(run, calls) if w.at < call["started_at"])
        took = _took(call)
        silent = took if call["ttft_ms"] is None else min(call["ttft_ms"] / 1000, took)
        found.append((max(0.0, call["started_at"] - start - waited), took, silent))
    return found


def passed_over(run: Row) -> list[str]:
    """Who was set up and not asked, by the run's own record."""
    told = json.loads(run["decisions"] or "[]")
    reasons = {name: reason for each in told for name, reason, *_ in each.get("skipped", ())}
    return [name for name, reason in reasons.items() if reason not in ("no_key", "not_asked_for")]


# -- of plans


def longest_chain(steps: Sequence[Mapping[str, Any]]) -> int:
    """How many steps wait for one another."""
    long: list[int] = []
    for step in steps:
        long.append(1 + max((long[need] for need in step["dependencies"]), default=0))
    return max(long)


def only_in(plans: Sequence[Sequence[Mapping[str, Any]]], which: int) -> int:
    """Steps like which no other plan has one: with a quarter of the words of four letters or more,
    of whichever has fewer."""

    def words(step: Mapping[str, Any]) -> set[str]:
        return {word for word in re.findall(r"\w+", step["description"].lower()) if len(word) > 3}

    others = [words(step) for at, plan in enumerate(plans) if at != which for step in plan]
    own = [words(step) for step in plans[which]]
    return sum(
        not any(len(mine & their) * 4 >= min(len(mine), len(their)) for their in others)
        for mine in own
    )


def run_cost(calls: Iterable[Row]) -> tuple[float, int]:
    """US dollars as far as prices are known, and how many calls may have cost more."""
    dollars, unpriced = cost(sent(calls))
    return dollars or 0, unpriced


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
