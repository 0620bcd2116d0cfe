"""The figures of a period: what the Performance page and the providers' cards show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.types import Change, Period
from db import counts
from db.figures import FACTS, KINDS, SUMS, Figures
from db.queries import Archive

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_PERCENTILES = (0.50, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Summary:
    """Of calls that have ended. Latencies are of successes, in seconds."""

    calls: int
    ok: int
    rated: int  # calls that say something of a provider's quality
    success_rate: float | None  # 0..1, of those
    p50: float | None
    p95: float | None
    p99: float | None
    cost_usd: float | None  # of the calls whose price is known
    unpriced: int  # calls that were answered, at an unknown price
    runs: int
    runs_ok: int
    runs_saved: int  # completed, though a provider asked before the answerer failed


class Performance:
    """Figures of a period, practice or real. Fire drills and calls under way are in none.

    Counts are exact, percentiles within 1 %. Every method may be called from any thread, and
    raises HistoryUnavailable when the file cannot be read.
    """

    def __init__(self, history: str | Path | Archive) -> None:
        self._archive = history if isinstance(history, Archive) else Archive(history)

    def summary(self, period: Period, *, simulated: bool) -> Summary:
        some = self._calls(period, (period.since,), simulated=simulated)
        runs = self._runs(period, (period.since,), simulated=simulated)
        sums = zip(*(one.sums for one in some), strict=True) if some else [()] * len(SUMS)
        total = dict(zip(SUMS, map(sum, sums), strict=True))
        latencies = "".join(one.latencies for one in some)
        return Summary(
            calls=int(total["calls"]),
            ok=int(total["ok"]),
            rated=int(total["rated"]),
            success_rate=total["ok"] / total["rated"] if total["rated"] else None,
            **dict(zip(("p50", "p95", "p99"), _known(_quantiles([latencies])[0]), strict=True)),
            cost_usd=total["cost_usd"] if total["priced"] else None,
            unpriced=int(total["unpriced"]),
            runs=sum(row[1] for row in runs),
            runs_ok=sum(row[2] for row in runs),
            runs_saved=sum(row[3] for row in runs),
        )

    def by_provider(self, period: Period, *, simulated: bool) -> pd.DataFrame:
        """One row per provider with calls, by name.

        Columns: provider (str), calls, ok, rated (int64), success_rate (float64, 0..1, of the
        rated), p50, p95, p99, ttft (float64, seconds of successes; ttft is the median time to
        the first token), tokens_per_second, cost_usd (float64), plans (int64, planning calls
        that gave one), plan_cost (float64, US dollars a plan, invalid ones paid for included),
        valid_plan_rate (float64, 0..1). NaN where unknown.
        """
        import pandas as pd

        some = self._calls(period, (period.since,), simulated=simulated)
        frame = _frame(some)
        plans, paid = frame["plans"], frame["plan_cost_usd"].where(frame["plans_unpriced"] == 0)
        return pd.DataFrame(
            {
                **_shared(frame, some),
                "ttft": _quantiles([one.ttfts for one in some])[:, 0],
                "tokens_per_second": _ratio(frame["told_tokens"], frame["told_ms"] / 1000),
                "cost_usd": _cost(frame),
                "plans": plans.astype("int64"),
                "plan_cost": _ratio(paid, plans),
                "valid_plan_rate": _ratio(plans, plans + frame["invalid_plans"]),
            }
        )

    def over_time(self, period: Period, edges: Sequence[float], *, simulated: bool) -> pd.DataFrame:
        """One row per provider and bucket with calls, by time and provider.

        A bucket goes from one of `edges` (UTC seconds, ascending) to the next, the last to the
        period's end; none goes beyond the period.

        Columns: provider (str), start (float64, its edge), calls, ok, rated (int64),
        success_rate (float64, 0..1), p50, p95 (float64, seconds), cost_usd (float64). NaN where
        unknown.
        """
        import pandas as pd

        some = self._calls(period, edges, simulated=simulated)
        frame = _frame(some)
        shared = _shared(frame, some)
        del shared["p99"]
        start = pd.Series([edges[one.bucket] for one in some], dtype="float64")
        provider = shared.pop("provider")
        return pd.DataFrame(
            {"provider": provider, "start": start, **shared, "cost_usd": _cost(frame)}
        )

    def latency_distribution(self, period: Period, *, simulated: bool) -> pd.DataFrame:
        """How long successes took, by provider and latency.

        Columns: provider (str), low, high (float64, seconds: above the one, up to the other;
        2 % apart), calls (int64).
        """
        import pandas as pd

        some = self._calls(period, (period.since,), simulated=simulated)
        rows = [
            (one.provider, *(ms / 1000 for ms in counts.bounds(code)), calls)
            for one in some
            for code, calls in sorted(counts.unpacked(one.latencies).items())
        ]
        frame = pd.DataFrame(rows, columns=["provider", "low", "high", "calls"])
        return frame.astype({"provider": "str", "low": float, "high": float, "calls": "int64"})

    def failures(self, period: Period, *, simulated: bool) -> pd.DataFrame:
        """Calls that failed, by provider and reason.

        Columns: provider, error_kind (str), calls (int64).
        """
        import pandas as pd

        some = self._calls(period, (period.since,), simulated=simulated)
        rows = [
            (one.provider, KINDS[code], calls)
            for one in some
            for code, calls in sorted(counts.unpacked(one.outcomes).items())
            if KINDS[code] not in _NO_FAILURE
        ]
        frame = pd.DataFrame(rows, columns=["provider", "error_kind", "calls"])
        return frame.astype({"provider": "str", "error_kind": "str", "calls": "int64"})

    def saved_over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> pd.DataFrame:
        """One row per bucket with runs that have ended; `edges` as in over_time.

        Columns: start (float64, its edge), runs, completed, saved (int64; saved: completed,
        though a provider asked before the answerer failed).
        """
        import pandas as pd

        rows = self._runs(period, edges, simulated=simulated)
        frame = pd.DataFrame(rows, columns=["start", "runs", "completed", "saved"])
        frame["start"] = [edges[bucket] for bucket in frame["start"]]
        return frame.astype(
            {"start": "float64", **dict.fromkeys(("runs", "completed", "saved"), "int64")}
        )

    def changes(self, period: Period) -> list[Change]:
        """What was chosen in the period, oldest first."""
        rows = self._archive._rows(
            """
            SELECT key, old, new, changed_at
              FROM change
             WHERE changed_at >= ? AND changed_at < ?
             ORDER BY id
            """,
            period.since,
            period.until,
        )
        return [
            Change(key, json.loads(old or "null"), json.loads(new or "null"), at)
            for key, old, new, at in rows
        ]

    def _calls(self, period: Period, edges: Sequence[float], *, simulated: bool) -> list[_Some]:
        """By bucket and provider."""
        ranges = [*_ranges(period, edges)]
        found: dict[tuple[int, str], Figures] = {}
        for bucket, provider, *facts in self._raw_calls(ranges, simulated=simulated):
            found.setdefault((bucket, provider), Figures()).count(facts)
        return [
            _Some(bucket, provider, figures.sums, *figures.texts())
            for (bucket, provider), figures in sorted(found.items())
        ]

    def _raw_calls(
        self, ranges: Sequence[tuple[int, float, float]], *, simulated: bool
    ) -> list[list[Any]]:
        rows = self._archive._rows(
            f"""
            WITH piece(bucket, low, high) AS MATERIALIZED (
                SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:ranges)
            )
            SELECT json_group_array(json_array(bucket, provider, {", ".join(FACTS)}))
              FROM piece CROSS JOIN call INDEXED BY call_outcome
             WHERE status <> 'running'
               AND started_at >= low AND started_at < high
               AND simulated = :simulated
               AND NOT drilled
            """,
            ranges=json.dumps(ranges),
            simulated=simulated,
        )
        found: list[list[Any]] = json.loads(rows[0][0])
        return found

    def _runs(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> list[tuple[int, int, int, int]]:
        """Per bucket with runs: the bucket, runs, completed, saved."""
        rows = self._archive._rows(
            f"""
            WITH piece(bucket, low, high) AS MATERIALIZED (
                SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:ranges)
            )
            SELECT bucket,
                   count(*),
                   count(*) FILTER (WHERE status = 'completed'),
                   count(*) FILTER (WHERE {SAVED})
              FROM piece CROSS JOIN run INDEXED BY run_newest
             WHERE status <> 'running'
               AND started_at >= low AND started_at < high
               AND simulated = :simulated
             GROUP BY bucket
             ORDER BY bucket
            """,
            ranges=json.dumps([*_ranges(period, edges)]),
            simulated=simulated,
        )
        return [(bucket, runs, completed, saved) for bucket, runs, completed, saved in rows]


SAVED = """
    status = 'completed' AND EXISTS (
        SELECT 1
          FROM call AS failed JOIN call AS answer
            ON answer.run_id = failed.run_id AND answer.step IS failed.step
         WHERE failed.run_id = run.id AND failed.status = 'failed' AND NOT failed.drilled
           AND answer.status = 'ok' AND answer.ordinal > failed.ordinal
           AND answer.provider <> failed.provider
    )
"""
_NO_FAILURE = ("ok", "cancelled", "interrupted")


@dataclass(frozen=True, slots=True)
class _Some:
    """What the calls of one provider in one bucket came to."""

    bucket: int
    provider: str
    sums: Sequence[float]
    outcomes: str
    latencies: str
    ttfts: str


def _ranges(period: Period, edges: Sequence[float]) -> Iterable[tuple[int, float, float]]:
    for bucket, (low, high) in enumerate(pairwise([*edges, period.until])):
        low, high = max(low, period.since), min(high, period.until)
        if low < high:
            yield bucket, low, high


def _frame(some: Sequence[_Some]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([one.sums for one in some], columns=list(SUMS), dtype="float64")


def _shared(frame: pd.DataFrame, some: Sequence[_Some]) -> dict[str, Any]:
    import pandas as pd

    seconds = _quantiles([one.latencies for one in some])
    return {
        "provider": pd.Series([one.provider for one in some], dtype="str"),
        **{name: frame[name].astype("int64") for name in ("calls", "ok", "rated")},
        "success_rate": _ratio(frame["ok"], frame["rated"]),
        **{name: seconds[:, place] for place, name in enumerate(("p50", "p95", "p99"))},
    }


def _cost(frame: pd.DataFrame) -> pd.Series[float]:
    return frame["cost_usd"].where(frame["priced"] > 0)


def _ratio(part: pd.Series[float], whole: pd.Series[float]) -> pd.Series[float]:
    return part / whole.where(whole > 0)


def _known(values: np.ndarray[Any, Any]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]


def _quantiles(texts: Sequence[str]) -> np.ndarray[Any, Any]:
    """A row per text: its _PERCENTILES in seconds, NaN without any."""
    import numpy as np

    found = np.full((len(texts), len(_PERCENTILES)), np.nan)
    codes, dense = _dense(texts)
    if not codes.size:
        return found
    seconds = 2 * counts.SHORTEST / (counts.GAMMA + 1) * counts.GAMMA**codes / 1000
    upto = np.cumsum(dense, axis=1)
    some = upto[:, -1] > 0
    for place, part in enumerate(_PERCENTILES):
        rank = np.floor(part * (upto[some, -1] - 1))
        found[some, place] = seconds[(upto[some] <= rank[:, None]).sum(axis=1)]
    return found


def _dense(texts: Sequence[str]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The codes that occur, from the first to the last, and per text how often each does."""
    import numpy as np

    joined = "".join(texts).encode("ascii")
    if not joined:
        return np.empty(0), np.empty((len(texts), 0))
    first = int.from_bytes(bytes([counts.CODE_FROM] * 2 + [counts.COUNT_FROM] * 2), "little")
    letters = np.frombuffer(joined, "<u4") - np.uint32(first)
    code = (letters & 0x1F) << 5 | letters >> 8 & 0x1F
    count = (letters >> 16 & 0x1F) << 5 | letters >> 24
    low, high = int(code.min()), int(code.max()) + 1
    lengths = [len(text) // counts.WIDTH for text in texts]
    which = np.repeat(np.arange(len(texts)), lengths)
    dense = np.bincount(
        which * (high - low) + (code - low), weights=count, minlength=len(texts) * (high - low)
    )
    return np.arange(low, high), dense.reshape(len(texts), high - low)
