"""The summary of a period, and how many calls each percentile takes."""

from __future__ import annotations

from dataclasses import dataclass

# How many calls each percentile takes: of fewer none could be beyond it.
FEWEST = {0.50: 1, 0.95: 20, 0.99: 100}


@dataclass(frozen=True, slots=True)
class Summary:
    """Of calls that have ended. Latencies are of successes, in seconds; None: too few to tell."""

    calls: int
    ok: int
    rated: int  # calls that say something of a provider's quality
    success_rate: float | None  # 0..1, of those
    p50: float | None
    p95: float | None
    p99: float | None
    cost_usd: float | None  # of the calls whose price is known
    unpriced: int  # calls without a price, see `core.values.calls.may_have_cost`
    runs: int
    runs_ok: int
    runs_saved: int  # completed, though a provider asked before the answerer failed
    refused: int = 0  # calls that a provider declined to answer: they are not rated
