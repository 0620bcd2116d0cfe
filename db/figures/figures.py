"""The sums and histograms that one call adds to the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core.values.calls import may_have_cost
from core.values.outcomes import RATED, ErrorKind
from db.figures import counts

# What is read of a call, in this order.
# fmt: off
FACTS = (
    "status", "error_kind", "step", "latency_ms", "ttft_ms", "input_tokens", "output_tokens",
    "cost_usd", "provider", "http_status",
)
SUMS = (
    "calls", "ok", "failed", "rated", "latency_ms", "input_tokens", "output_tokens",
    "told_tokens", "told_ms", "cost_usd", "priced", "unpriced", "plans", "invalid_plans",
    "plan_cost_usd", "plans_unpriced",
)
# fmt: on
# By their codes, which are stored.
KINDS = ("ok", *(kind.value for kind in sorted(ErrorKind, key=lambda kind: kind.outcome.code)))
COUNTS = ("outcomes", "latencies", "ttfts")
_Facts = Sequence[Any]

_CODES = {kind: code for code, kind in enumerate(KINDS)}
_TIMES = (FACTS.index("latency_ms"), FACTS.index("ttft_ms"))
_MOST_TOKENS = 1 << 40  # a vendor may claim more, and a sum of such claims would overflow


@dataclass(slots=True)
class Figures:
    """Sums in the order of SUMS; counts by code."""

    sums: list[float] = field(default_factory=lambda: [0] * len(SUMS))
    outcomes: dict[int, int] = field(default_factory=dict)
    latencies: dict[int, int] = field(default_factory=dict)
    ttfts: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, calls: Sequence[_Facts]) -> Figures:
        """Of calls that have ended, each as in FACTS."""
        if not calls:
            return cls()
        sums: list[float] = [*map(sum, zip(*map(_sums, calls), strict=True))]
        return cls(sums, *map(counts.tallied, _codes(calls)))

    def merged(self, other: Figures, weight: int = 1) -> Figures:
        """Both, as a new one; with a weight of -1, without what `other` holds."""
        both = Figures([a + weight * b for a, b in zip(self.sums, other.sums, strict=True)])
        for figures, times in ((self, 1), (other, weight)):
            for mine, theirs in zip(both.counts(), figures.counts(), strict=True):
                for code, count in theirs.items():
                    mine[code] = mine.get(code, 0) + times * count
        return both

    def counts(self) -> tuple[dict[int, int], ...]:
        return self.outcomes, self.latencies, self.ttfts

    def texts(self) -> tuple[str, ...]:
        return tuple(map(counts.packed, self.counts()))

    def __bool__(self) -> bool:
        return any(self.sums) or any(any(some.values()) for some in self.counts())


def _codes(calls: Sequence[_Facts]) -> tuple[list[int], ...]:
    """Of outcomes, latencies and times to the first token."""
    ok = [facts for facts in calls if facts[0] == "ok"]
    return (
        [_CODES[kind or status] for status, kind, *_ in calls],
        *([counts.bucket(facts[at]) for facts in ok if facts[at] is not None] for at in _TIMES),
    )


def _sums(facts: _Facts) -> tuple[float, ...]:
    status, kind, step, latency, ttft, asked, told, cost, provider, http_status = facts
    ok = status == "ok"
    invalid = kind == "invalid_plan"
    planning = step is None and (ok or invalid)
    latency, asked, told_tokens = latency or 0.0, _tokens(asked), _tokens(told)
    timed = ok and told is not None and latency > 0
    unpriced = cost is None and may_have_cost(provider, status, kind, http_status, ttft)
    cost_known = cost or 0.0
    return (
        1,
        ok,
        status == "failed",
        (kind or status) in RATED,
        latency if ok else 0.0,
        asked,
        told_tokens,
        told_tokens if timed else 0,
        latency if timed else 0.0,
        cost_known,
        cost is not None,
        unpriced,
        planning and ok,
        planning and invalid,
        cost_known if planning else 0.0,
        planning and unpriced,
    )


def _tokens(count: int | None) -> int:
    # Asked twice for each call; with min() and max() it takes four times as long.
    if not count or count < 0:
        return 0
    return count if count < _MOST_TOKENS else _MOST_TOKENS
