"""The figures of a period: what the Performance page and the providers' cards show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.types import Change, Period
from db import counts
from db.figures import KINDS, SUMS
from db.quantiles import dense, quantiles
from db.queries import Archive
from db.stretches import Columns, Stretches

if TYPE_CHECKING:
    import pandas as pd

    from db.quantiles import Array


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
        self._stretches = Stretches(self._archive)

    def summary(self, period: Period, *, simulated: bool) -> Summary:
        sums = ("calls", "ok", "rated", "cost_usd", "priced", "unpriced")
        some = self._stretches.calls(period, simulated=simulated)
        total = {name: sum(some[name]) for name in sums}
        (seconds,) = quantiles(tuple(some["latencies"]), begins=(0,))
        runs = self._stretches.runs(period, None, simulated=simulated)
        return Summary(
            calls=total["calls"],
            ok=total["ok"],
            rated=total["rated"],
            success_rate=total["ok"] / total["rated"] if total["rated"] else None,
            **dict(zip(("p50", "p95", "p99"), _known(seconds), strict=True)),
            cost_usd=total["cost_usd"] if total["priced"] else None,
            unpriced=total["unpriced"],
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

        some = self._stretches.calls(period, simulated=simulated)
        frame = {name: _floats(some[name]) for name in SUMS}
        plans = frame["plans"]
        return pd.DataFrame(
            {
                "provider": _texts(some["provider"]),
                **_shared(some, ("p50", "p95", "p99")),
                "ttft": quantiles(tuple(some["ttfts"]), (0.50,))[:, 0],
                "tokens_per_second": _ratio(frame["told_tokens"], frame["told_ms"] / 1000),
                "cost_usd": _where(frame["priced"] > 0, frame["cost_usd"]),
                "plans": plans.astype("int64"),
                "plan_cost": _ratio(
                    _where(frame["plans_unpriced"] == 0, frame["plan_cost_usd"]), plans
                ),
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
        some = self._over_time(period, edges, simulated=simulated)
        frame = _over_time(some, edges)
        frame.insert(0, "provider", _texts(some["provider"]))
        return frame

    def totals_over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> pd.DataFrame:
        """The same of all providers together: one row per bucket with calls, without provider."""
        some = self._over_time(period, edges, simulated=simulated)
        of = some["bucket"]
        begins = [at for at, bucket in enumerate(of) if at == 0 or bucket != of[at - 1]]
        return _over_time(some, edges, begins)

    def _over_time(self, period: Period, edges: Sequence[float], *, simulated: bool) -> Columns:
        sums = ("calls", "ok", "rated", "cost_usd", "priced")
        return self._stretches.calls_over_time(
            period, edges, simulated=simulated, sums=sums, texts=("latencies",)
        )

    def latency_distribution(self, period: Period, *, simulated: bool) -> pd.DataFrame:
        """How long successes took, by provider and latency.

        Columns: provider (str), low, high (float64, seconds: above the one, up to the other;
        2 % apart), calls (int64).
        """
        import numpy as np
        import pandas as pd

        some = self._stretches.calls(period, simulated=simulated)
        codes, often = dense(tuple(some["latencies"]))
        which, place = np.nonzero(often)
        bounds = [counts.bounds(code) for code in codes.tolist()]
        low, high = (_floats([bound[end] for bound in bounds])[place] / 1000 for end in (0, 1))
        return pd.DataFrame(
            {
                "provider": pd.Series(some["provider"], dtype="str")
                .iloc[which]
                .reset_index(drop=True),
                "low": low,
                "high": high,
                "calls": often[which, place].astype("int64"),
            }
        )

    def failures(self, period: Period, *, simulated: bool) -> pd.DataFrame:
        """Calls that failed, by provider and reason.

        Columns: provider, error_kind (str), calls (int64).
        """
        import pandas as pd

        some = self._stretches.calls(period, simulated=simulated)
        codes, often = dense(tuple(some["outcomes"]))
        kinds = [KINDS[code] for code in codes.tolist()]
        rows = [
            (provider, kind, calls)
            for provider, row in zip(some["provider"], often.tolist(), strict=True)
            for kind, calls in zip(kinds, row, strict=True)
            if calls and kind not in _NO_FAILURE
        ]
        provider, kind, calls = zip(*rows, strict=True) if rows else ((), (), ())
        return pd.DataFrame(
            {"provider": _texts(provider), "error_kind": _texts(kind), "calls": _whole(calls)}
        )

    def saved_over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> pd.DataFrame:
        """One row per bucket with runs that have ended; `edges` as in over_time.

        Columns: start (float64, its edge), runs, completed, saved (int64; saved: completed,
        though a provider asked before the answerer failed).
        """
        import pandas as pd

        rows = self._stretches.runs(period, edges, simulated=simulated)
        bucket, runs, completed, saved = zip(*rows, strict=True) if rows else ((),) * 4
        return pd.DataFrame(
            {
                "start": _floats([edges[one] for one in bucket]),
                "runs": _whole(runs),
                "completed": _whole(completed),
                "saved": _whole(saved),
            }
        )

    def changes(self, period: Period) -> list[Change]:
        """What was chosen in the period, oldest first."""
        rows = self._archive.rows(
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


_NO_FAILURE = ("ok", "cancelled", "interrupted")


def _over_time(
    some: Columns, edges: Sequence[float], begins: Sequence[int] | None = None
) -> pd.DataFrame:
    import pandas as pd

    buckets = some["bucket"] if begins is None else [some["bucket"][at] for at in begins]
    cost, priced = (_summed(some[name], begins) for name in ("cost_usd", "priced"))
    return pd.DataFrame(
        {
            "start": _floats([edges[bucket] for bucket in buckets]),
            **_shared(some, ("p50", "p95"), begins),
            "cost_usd": _where(priced > 0, cost),
        }
    )


def _shared(
    some: Mapping[str, Sequence[Any]],
    percentiles: Sequence[str],
    begins: Sequence[int] | None = None,
) -> dict[str, Any]:
    """With `begins` as in `quantiles`."""
    parts = [int(name[1:]) / 100 for name in percentiles]
    seconds = quantiles(tuple(some["latencies"]), parts, begins=begins)
    sums = {name: _summed(some[name], begins) for name in ("calls", "ok", "rated")}
    return {
        **{name: values.astype("int64") for name, values in sums.items()},
        "success_rate": _ratio(sums["ok"], sums["rated"]),
        **{name: seconds[:, place] for place, name in enumerate(percentiles)},
    }


def _summed(values: Sequence[float], begins: Sequence[int] | None) -> Array:
    import numpy as np

    each = _floats(values)
    return np.add.reduceat(each, begins) if begins else each


def _texts(values: Sequence[str]) -> pd.Series[str]:
    import pandas as pd

    return pd.Series(values, dtype="str")


def _whole(values: Sequence[float]) -> Array:
    import numpy as np

    return np.array(values, dtype="int64")


def _floats(values: Sequence[float]) -> Array:
    import numpy as np

    return np.array(values, dtype="float64")


def _ratio(part: Array, whole: Array) -> Array:
    import numpy as np

    found: Array = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return found


def _where(known: Array, values: Array) -> Array:
    import numpy as np

    found: Array = np.where(known, values, np.nan)
    return found


def _known(values: Array) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
