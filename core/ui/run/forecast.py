"""What a plan will probably take, in a sentence, by the viewer's own history."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from core.planning.estimate import Estimate, Typical, estimate, in_a_row, needs_of
from core.running.run import Run
from core.running.steps.progress import SIDE_BY_SIDE
from core.ui.services import services
from core.values.errors import HistoryUnavailable
from core.values.periods import Period
from core.values.wording import cost, count, seconds_in_words

_USUAL = 6  # steps of a plan
_LOOKS_BACK = 30 * 86_400  # seconds


def for_plan(run: Run) -> str:
    """`About 8 calls, 25 s, $0.02; judged by 212 earlier answers.`"""
    assert run.plan is not None
    simulated = run.record.simulated
    typical = _typical(run.record.request.priority, simulated=simulated)
    together = run.record.request.side_by_side or SIDE_BY_SIDE
    made = estimate(needs_of(run.plan), typical, side_by_side=together)
    return _in_words(made, simulated=simulated)


def for_a_goal() -> str:
    """The same before there is a plan, for one of a usual length."""
    engine = services().engine
    simulated = engine.lineup.practising
    typical = _typical(None, simulated=simulated)
    made = estimate(in_a_row(_USUAL), typical, side_by_side=engine.side_by_side, planning=1)
    said = _in_words(made, simulated=simulated)
    return f"With a plan of {_USUAL} steps: {said[0].lower()}{said[1:]}"


def _typical(asked: Sequence[str] | None, *, simulated: bool) -> list[Typical]:
    """Of the models that are asked now."""
    lineup = services().engine.lineup
    able = lineup.eligible(simulated=simulated)
    names = [name for name in asked if name in able] if asked else list(able)
    now = time.time()
    try:
        frame = services().performance.by_model(Period(now - _LOOKS_BACK, now), simulated=simulated)
    except HistoryUnavailable:
        return []
    models = {(name, lineup.model_of(name, simulated=simulated)) for name in names}
    return [
        Typical(
            int(row["calls"]),
            int(row["ok"]),
            _known(row["p50"]),
            _known(row["cost_usd"]),
            int(row["unpriced"]),
        )
        for row in frame.to_dict("records")
        if (row["provider"], row["model"]) in models
    ]


def _known(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _in_words(made: Estimate, *, simulated: bool) -> str:
    calls = f"About {count(made.calls, 'call')}"
    if not made.basis:
        return f"{calls}. What they take and cost is unknown: nothing has been answered yet."
    took = "a time unknown" if made.seconds is None else seconds_in_words(made.seconds)
    price = cost(made.usd, unpriced=made.unpriced, simulated=simulated)
    said = f"at a cost {price}" if price.startswith("unknown") else price
    return f"{calls}, {took}, {said}; judged by {count(made.basis, 'earlier answer')}."
