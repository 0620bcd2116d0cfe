"""What a plan will probably take, in a sentence, by the viewer's own history."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

from core.errors import HistoryUnavailable
from core.estimate import Estimate, Typical, estimate, in_a_row, needs_of
from core.execution import SIDE_BY_SIDE
from core.runs import Run
from core.types import Period
from core.ui.services import services
from core.words import money, seconds_in_words

_USUAL = 6  # steps of a plan
_LOOKS_BACK = 30 * 86_400  # seconds


def for_plan(run: Run) -> str:
    """`About 8 calls, 25 s, $0.02; judged by 212 earlier answers.`"""
    assert run.plan is not None
    simulated = run.record.simulated
    typical = _typical(run.record.options.get("priority"), simulated=simulated)
    made = estimate(needs_of(run.plan), typical, side_by_side=run.terms.side_by_side)
    return _in_words(made, simulated=simulated)


def for_a_goal() -> str:
    """The same before there is a plan, for one of a usual length."""
    engine = services().engine
    simulated = engine.lineup.practising
    chosen = engine.choices.get("side_by_side")
    together = chosen if isinstance(chosen, int) else SIDE_BY_SIDE
    typical = _typical(None, simulated=simulated)
    made = estimate(in_a_row(_USUAL), typical, side_by_side=together)
    said = _in_words(replace(made, calls=made.calls + 1), simulated=simulated)
    return f"With a plan of {_USUAL} steps: {said[0].lower()}{said[1:]}"


def _typical(asked: list[str] | None, *, simulated: bool) -> list[Typical]:
    able = services().engine.lineup.eligible(simulated=simulated)
    names = [name for name in asked if name in able] if asked else list(able)
    now = time.time()
    try:
        frame = services().performance.by_provider(
            Period(now - _LOOKS_BACK, now), simulated=simulated
        )
    except HistoryUnavailable:
        return []
    return [
        Typical(
            int(row["calls"]),
            int(row["ok"]),
            _known(row["p50"]),
            _share(_known(row["cost_usd"]), int(row["ok"])),
        )
        for row in frame.to_dict("records")
        if row["provider"] in names
    ]


def _known(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _share(whole: float | None, parts: int) -> float | None:
    return whole / parts if whole is not None and parts else None


def _in_words(made: Estimate, *, simulated: bool) -> str:
    calls = f"About {made.calls} call{'' if made.calls == 1 else 's'}"
    if not made.basis:
        return f"{calls}. What they take and cost is unknown: nothing has been answered yet."
    took = "a time unknown" if made.seconds is None else seconds_in_words(made.seconds)
    cost = "at no cost (practice)" if simulated else _cost(made.usd)
    basis = f"{made.basis:,} earlier answer{'' if made.basis == 1 else 's'}"
    return f"{calls}, {took}, {cost}; judged by {basis}."


def _cost(usd: float | None) -> str:
    return "at a cost unknown" if usd is None else money(usd)
