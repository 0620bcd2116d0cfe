"""The figures of a period: what the Performance page and the providers' cards show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.values.history.summary import FEWEST, Summary
from core.values.periods import Period
from core.values.ports import Change
from db.figures import counts
from db.figures.figures import KINDS, SUMS
from db.figures.quantiles import dense, told
from db.figures.spans import Columns, Spans
from db.lists.queries import Archive

if TYPE_CHECKING:
    import pandas as pd

    from db.figures.quantiles import Array


class Performance:
    """`core.values.ports.Performance`, which says what the columns are.

    Counts are exact, percentiles within 1 %. Every method may be called from any thread, and
    raises HistoryUnavailable when the file cannot be read.
    """

    def __init__(self, history: str | Path | Archive) -> None:
        self._archive = history if isinstance(history, Archive) else Archive(history)
        self._spans = Spans(self._archive)

    def summary(self, period: Period, *, simulated: bool) -> Summary:
        sums = ("calls", "ok", "rated", "cost_usd", "priced", "unpriced")
        some = self._calls(period, simulated=simulated)
        total = {name: sum(some[name]) for name in sums}
        (seconds,) = told(tuple(some["latencies"]), begins=(0,))
        runs = self._spans.runs(period, None, simulated=simulated)
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
            refused=int(_refused(some).sum()),
        )

    def by_model(self, period: Period, *, simulated: bool) -> pd.DataFrame:
        import pandas as pd

        some = self._calls(period, simulated=simulated)
        sums = {name: _floats(some[name]) for name in SUMS}
        plans, paid = sums["plans"], _where(sums["plans_unpriced"] == 0, sums["plan_cost_usd"])
        return pd.DataFrame(
            {
                "provider": _texts(some["provider"]),
                "model": _texts(some["model"]),
                **_shared(some, ("p50", "p95", "p99")),
                "refused": _refused(some),
                "ttft": told(tuple(some["ttfts"]), (0.50,))[:, 0],
                "tokens_per_second": _ratio(sums["told_tokens"], sums["told_ms"] / 1000),
                "cost_usd": _where(sums["priced"] > 0, sums["cost_usd"]),
                "unpriced": sums["unpriced"].astype("int64"),
                "plans": plans.astype("int64"),
                "plan_cost": _ratio(paid, plans),
                "valid_plan_rate": _ratio(plans, plans + sums["invalid_plans"]),
            }
        )

    def _calls(self, period: Period, *, simulated: bool) -> Columns:
        return _paid(self._spans.calls(period, simulated=simulated), simulated=simulated)

    def over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool, by_model: bool = False
    ) -> pd.DataFrame:
        import pandas as pd

        some = self._over_time(period, edges, simulated=simulated)
        shown = ("provider", "model") if by_model else ("provider",)
        begins = _begins([*zip(*(some[name] for name in ("bucket", *shown)), strict=True)])
        return pd.DataFrame(
            {
                **{name: _texts([some[name][at] for at in begins]) for name in shown},
                "start": _floats([edges[some["bucket"][at]] for at in begins]),
                **_shared(some, (), begins),
            }
        )

    def latency_over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> pd.DataFrame:
        import pandas as pd

        some = self._over_time(period, edges, simulated=simulated)
        order = sorted(range(len(some["bucket"])), key=some["provider"].__getitem__)
        some = {name: [values[at] for at in order] for name, values in some.items()}
        begins = _enough(some)
        ends = [*edges[1:], period.until]
        last = [at - 1 for at in [*begins[1:], len(order)] if at]
        shared = _shared(some, ("p50", "p95"), begins)
        del shared["success_rate"]
        return pd.DataFrame(
            {
                "provider": _texts([some["provider"][at] for at in begins]),
                "start": _floats([edges[some["bucket"][at]] for at in begins]),
                "until": _floats([ends[some["bucket"][at]] for at in last]),
                **shared,
            }
        )

    def totals_over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> pd.DataFrame:
        import pandas as pd

        some = self._over_time(period, edges, simulated=simulated)
        begins = _begins(some["bucket"])
        cost, priced = (_summed(some[name], begins) for name in ("cost_usd", "priced"))
        return pd.DataFrame(
            {
                "start": _floats([edges[some["bucket"][at]] for at in begins]),
                **_shared(some, ("p50", "p95"), begins),
                "cost_usd": _where(priced > 0, cost),
            }
        )

    def _over_time(self, period: Period, edges: Sequence[float], *, simulated: bool) -> Columns:
        sums = ("calls", "ok", "rated", "cost_usd", "priced")
        some = self._spans.calls_over_time(
            period, edges, simulated=simulated, sums=sums, texts=("latencies",)
        )
        return _paid(some, simulated=simulated)

    def latency_distribution(self, period: Period, *, simulated: bool) -> pd.DataFrame:
        import numpy as np
        import pandas as pd

        providers, codes, often = self._counts(period, "latencies", simulated=simulated)
        which, place = np.nonzero(often)
        bounds = [counts.bounds(code) for code in codes.tolist()]
        low, high = (_floats([bound[end] for bound in bounds])[place] / 1000 for end in (0, 1))
        return pd.DataFrame(
            {
                "provider": pd.Series(providers, dtype="str").iloc[which].reset_index(drop=True),
                "low": low,
                "high": high,
                "calls": often[which, place].astype("int64"),
            }
        )

    def _counts(
        self, period: Period, name: str, *, simulated: bool
    ) -> tuple[list[str], Array, Array]:
        """Providers, codes, and per provider how often each."""
        some = self._calls(period, simulated=simulated)
        begins = _begins(some["provider"])
        codes, often = dense(tuple(some[name]))
        return [some["provider"][at] for at in begins], codes, _summed(often, begins)

    def failures(self, period: Period, *, simulated: bool) -> pd.DataFrame:
        import pandas as pd

        providers, codes, often = self._counts(period, "outcomes", simulated=simulated)
        kinds = [KINDS[code] for code in codes.tolist()]
        rows = [
            (provider, kind, calls)
            for provider, row in zip(providers, often.tolist(), strict=True)
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
        import pandas as pd

        rows = self._spans.runs(period, edges, simulated=simulated)
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
_REFUSED = KINDS.index("refused")


def _paid(some: Columns, *, simulated: bool) -> Columns:
    """With what they cost; practice costs nothing, whatever the price lists say."""
    if not simulated:
        return some
    nothing = [0.0] * len(some["calls"])
    free = dict.fromkeys(("cost_usd", "plan_cost_usd", "unpriced", "plans_unpriced"), nothing)
    known: Columns = {"priced": some["calls"], **free}
    return {name: known.get(name, values) for name, values in some.items()}


def _begins(keys: Sequence[Any]) -> list[int]:
    """Where another one begins."""
    return [at for at, key in enumerate(keys) if at == 0 or key != keys[at - 1]]


def _enough(some: Columns) -> list[int]:
    """Where buckets begin that together can tell a p95, or all there are; by provider and time."""
    providers, buckets, answers = some["provider"], some["bucket"], some["ok"]
    begins: list[int] = []
    for first, after in pairwise([*_begins(providers), len(providers)]):
        own, so_far = [first], 0.0
        for at in range(first, after):
            if so_far >= FEWEST[0.95] and buckets[at] != buckets[at - 1]:
                own.append(at)
                so_far = 0.0
            so_far += answers[at]
        if len(own) > 1 and so_far < FEWEST[0.95]:
            own.pop()
        begins += own
    return begins


def _refused(some: Columns) -> Array:
    codes, often = dense(tuple(some["outcomes"]))
    found: Array = often[:, codes == _REFUSED].sum(axis=1).astype("int64")
    return found


def _shared(
    some: Mapping[str, Sequence[Any]],
    percentiles: Sequence[str],
    begins: Sequence[int] | None = None,
) -> dict[str, Any]:
    """With `begins` as in `quantiles`."""
    parts = [int(name[1:]) / 100 for name in percentiles]
    sums = {name: _summed(some[name], begins) for name in ("calls", "ok", "rated")}
    seconds = told(tuple(some["latencies"]), parts, begins=begins).T if parts else ()
    return {
        **{name: values.astype("int64") for name, values in sums.items()},
        "success_rate": _ratio(sums["ok"], sums["rated"]),
        **dict(zip(percentiles, seconds, strict=True)),
    }


def _summed(values: Sequence[float] | Array, begins: Sequence[int] | None) -> Array:
    import numpy as np

    each = _floats(values)
    if not begins or len(begins) == len(each):
        return each
    return np.add.reduceat(each, begins, axis=0)


def _texts(values: Sequence[str]) -> pd.Series[str]:
    import pandas as pd

    return pd.Series(values, dtype="str")


def _whole(values: Sequence[float]) -> Array:
    import numpy as np

    return np.array(values, dtype="int64")


def _floats(values: Sequence[float] | Array) -> Array:
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
