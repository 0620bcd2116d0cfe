"""The attempts of a run on one axis of time, as a table that can be read aloud."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from core.providers import label_of
from core.types import Attempt
from core.words import attempt_in_words, money, seconds_in_words

_HERE = Path(__file__)

_component = st.components.v2.component(
    "switchyard_waterfall",
    html='<div role="table"></div><p role="status" class="unseen"></p>',
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=_HERE.with_suffix(".js").read_text(encoding="utf-8"),
)
_ICONS = {
    "ok": "check_circle",
    "running": "progress_activity",
    "failed": "cancel",
    "cancelled": "stop_circle",
    "interrupted": "power_off",
}


def waterfall(
    attempts: Sequence[Attempt], *, now: float, live: bool, said: str = "", steps: int | None = None
) -> None:
    """`now` is in UTC seconds; `said` is read aloud whenever it changes.

    `steps` are those of the plan; the one after the last is the final answer.
    """
    if not attempts:
        return
    start = min(attempt.started_at for attempt in attempts)
    rows = [_row(attempt, start, now, steps) for attempt in attempts]
    told = _component(
        key="waterfall",
        data={
            "label": "Attempts, in the order they were made",
            "rows": rows,
            "span": max(max(row["begins"] + row["lasts"] for row in rows), 0.1),
            "live": live,
            "said": said,
        },
        on_opened_change=lambda: None,
    )
    if told.opened:
        st.switch_page("views/call.py", query_params={"call": str(told.opened)})


def _row(attempt: Attempt, start: float, now: float, steps: int | None) -> dict[str, Any]:
    begins = max(0.0, attempt.started_at - start)
    lasts = _seconds(attempt, now)
    ttft = attempt.ttft_ms
    return {
        "id": attempt.id,
        "status": attempt.status,
        "icon": _ICONS[attempt.status],
        "provider": label_of(attempt.provider),
        "model": attempt.model,
        "step": _step(attempt.step, steps),
        "what": _what(attempt),
        "begins": begins,
        "lasts": lasts,
        "silent": lasts if ttft is None else min(ttft / 1000, lasts),  # until its first words
        "took": seconds_in_words(lasts),
        "tokens": _tokens(attempt),
        "cost": _cost(attempt),
    }


def _step(step: int | None, steps: int | None) -> str:
    if step is None:
        return ""
    return "Answer" if step == steps else f"Step {step + 1}"


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


def _cost(attempt: Attempt) -> str:
    if attempt.simulated:
        return "practice"
    return "–" if attempt.cost_usd is None and attempt.status != "ok" else money(attempt.cost_usd)
