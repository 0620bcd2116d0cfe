"""The attempts of a run on one axis of time, as a table that can be read aloud."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from core.running.run import Run
from core.running.totals import call_cost
from core.ui.components.component import component
from core.values.calls import Attempt
from core.values.registry import label_of
from core.values.statuses import STATUSES
from core.values.telling.attempts import attempt_in_words
from core.values.wording import seconds_in_words, step_in_words

_component = component(
    "manyways_waterfall", __file__, '<div role="table"></div><p role="status" class="unseen"></p>'
)


def waterfall(run: Run, *, live: bool, said: str = "") -> None:
    """The attempts of a run; `said` is read aloud whenever it changes.

    The axis is of work alone: while a person was waited for it stands still, and a row says so.
    """
    attempts = list(run.attempts)
    if not attempts:
        return
    steps, now = len(run.plan.steps) if run.plan else None, time.time()
    start, gaps = min(attempt.started_at for attempt in attempts), run.pauses()
    rows, told = [], 0
    for attempt in attempts:
        before = [gap for gap in gaps if gap.at < attempt.started_at]
        rows += [{"id": f"gap {gap.at}", "gap": gap.words} for gap in before[told:]]
        told = max(told, len(before))
        rows.append(_row(attempt, start + sum(gap.seconds for gap in before), now, steps))
    bars = [row for row in rows if "gap" not in row]
    opened = _component(
        key="waterfall",
        data={
            "label": "Attempts, in the order they were made",
            "rows": rows,
            "span": max(max(row["begins"] + row["lasts"] for row in bars), 0.1),
            "live": live,
            "said": said,
        },
        on_opened_change=lambda: None,
    ).opened
    if opened:
        st.switch_page("history/call.py", query_params={"call": str(opened)})


def _row(attempt: Attempt, start: float, now: float, steps: int | None) -> dict[str, Any]:
    begins = max(0.0, attempt.started_at - start)
    lasts = _seconds(attempt, now)
    ttft = attempt.ttft_ms
    return {
        "id": attempt.id,
        "status": attempt.status,
        "icon": STATUSES[attempt.status].icon,
        "provider": label_of(attempt.provider),
        "model": attempt.model,
        "step": step_in_words(attempt.step, steps),
        "what": _what(attempt),
        "begins": begins,
        "lasts": lasts,
        "silent": lasts if ttft is None else min(ttft / 1000, lasts),  # until its first words
        "took": seconds_in_words(lasts),
        "tokens": _tokens(attempt),
        "cost": call_cost(attempt) or "–",
    }


def _seconds(attempt: Attempt, now: float) -> float:
    if attempt.latency_ms is not None:
        return attempt.latency_ms / 1000
    return max(0.0, now - attempt.started_at) if attempt.status == "running" else 0.0


def _what(attempt: Attempt) -> str:
    """What happened; the vendor's own words too, where it gave some."""
    said = attempt_in_words(attempt)
    if attempt.status == "ok" and attempt.ttft_ms is not None:
        first = seconds_in_words(attempt.ttft_ms / 1000)
        said = f"{said.rstrip('.')}, its first words after {first}."
    if attempt.message and attempt.status != "ok":
        said = f"{said} “{attempt.message}”"
    return said


def _tokens(attempt: Attempt) -> str:
    told = (attempt.usage.input_tokens, attempt.usage.output_tokens)
    if told == (None, None):
        return "–"
    return " → ".join("?" if count is None else f"{count:,}" for count in told)
