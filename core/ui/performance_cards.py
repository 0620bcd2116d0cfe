"""The figures of a period as cards, each against the period before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import streamlit as st

from core.ui import show
from core.ui.performance_links import Link, Scope
from core.ui.performance_reading import Reading
from core.words import count, money, percent, seconds_in_words

Colour = Literal["green", "red", "gray"]
_ALIKE = 0.0005  # rates this near are shown as the same


@dataclass(frozen=True, slots=True)
class Delta:
    """How a figure changed, in words; the arrow and the colour only underline them."""

    words: str
    up: bool | None = None  # None: as before
    colour: Colour = "gray"


@dataclass(frozen=True, slots=True)
class Card:
    label: str
    value: str
    help: str
    delta: Delta | None
    spark: str  # of Reading.sparks
    link: Link


def cards(reading: Reading, scope: Scope) -> None:
    shown = [_success, _calls, _latency, _cost, _saved]
    with st.grid(len(shown), min_column_width=150, border=True) as grid:
        for make in shown:
            with grid.cell():
                _draw(make(reading, scope), reading)


def _draw(card: Card, reading: Reading) -> None:
    """The same lines in each, so that they stand side by side."""
    spark = reading.sparks.get(card.spark, [])
    st.metric(
        card.label,
        show.plain(card.value),
        delta_color=card.delta.colour if card.delta else "gray",
        help=card.help,
        chart_data=spark if len(spark) > 1 else None,
        chart_type="bar" if card.spark in ("calls", "saved") else "line",
    )
    with st.container(gap="xxsmall", height="stretch", vertical_alignment="bottom"):
        if card.delta:
            st.caption(_said(card.delta))
        card.link.show()


def _said(delta: Delta) -> str:
    """`0.6 points worse`, after an arrow."""
    if delta.up is None:
        return show.plain(delta.words)
    arrow = f":{delta.colour}[:material/{'arrow_upward' if delta.up else 'arrow_downward'}:]"
    return f"{arrow} {show.plain(delta.words)}"


def _success(reading: Reading, scope: Scope) -> Card:
    now, before = reading.summary, reading.before
    rate = now.success_rate
    delta = None
    if before is not None and before.success_rate is not None and rate is not None:
        points = (rate - before.success_rate) * 100
        delta = _delta(points, f"{abs(points):.1f} points", "better", "worse", alike=_ALIKE * 100)
    return Card(
        "Success rate",
        "unknown" if rate is None else percent(rate),
        "Answers among the calls that say something about a provider: whoever was stopped by you"
        " or asked something impossible did not fail.",
        delta or _no_comparison(reading),
        "success",
        scope.calls(reading.failures, thing="failure", status="failed"),
    )


def _calls(reading: Reading, scope: Scope) -> Card:
    now, before = reading.summary, reading.before
    delta = None
    if before is not None and before.calls:
        more = now.calls - before.calls
        delta = _delta(more, f"{abs(more):,}", "more", "fewer", judged=False)
    return Card(
        "Calls",
        f"{now.calls:,}",
        "Requests sent to providers. A run makes one or more of them.",
        delta or _no_comparison(reading),
        "calls",
        scope.calls(now.calls),
    )


def _latency(reading: Reading, scope: Scope) -> Card:
    now, before = reading.summary, reading.before
    delta = None
    if before is not None and before.p95 is not None and now.p95 is not None:
        more = now.p95 - before.p95
        words = seconds_in_words(abs(more))
        delta = _delta(more, words, "slower", "faster", more_is_better=False, alike=0.05)
    return Card(
        "Latency, p95",
        "unknown" if now.p95 is None else seconds_in_words(now.p95),
        "19 of 20 answers took no longer than this.",
        delta or _no_comparison(reading),
        "p95",
        scope.calls(now.ok, thing="answer", status="ok"),
    )


def _cost(reading: Reading, scope: Scope) -> Card:
    now, before = reading.summary, reading.before
    delta = None
    if before is not None and before.cost_usd is not None and now.cost_usd is not None:
        more = now.cost_usd - before.cost_usd
        delta = _delta(more, money(abs(more)), "more", "less", judged=False, alike=0.00005)
    help_ = "What the providers charge by their price lists, in US dollars."
    if now.unpriced:
        help_ += f" Without {count(now.unpriced, 'call')} whose price is unknown."
    if scope.simulated:
        help_ = "Practice costs nothing."
    return Card(
        "Cost",
        money(now.cost_usd),
        help_,
        delta or _no_comparison(reading),
        "cost",
        scope.calls(now.calls),
    )


def _saved(reading: Reading, scope: Scope) -> Card:
    now, before = reading.summary, reading.before
    delta = None
    if before is not None and before.runs:
        more = now.runs_saved - before.runs_saved
        delta = _delta(more, f"{abs(more):,}", "more", "fewer", judged=False)
    return Card(
        "Saved by fallback",
        count(now.runs_saved, "run"),
        f"Of {count(now.runs, 'run')}: a provider failed in them, and another one answered. Without"
        " it they would have failed.",
        delta or _no_comparison(reading),
        "saved",
        scope.runs(now.runs_saved, saved="true"),
    )


def _delta(
    more: float,
    amount: str,
    up: str,
    down: str,
    *,
    more_is_better: bool = True,
    judged: bool = True,
    alike: float = 0.0,
) -> Delta:
    if abs(more) <= alike:
        return Delta("As before")
    colour: Colour = "gray"
    if judged:
        colour = "green" if (more > 0) == more_is_better else "red"
    return Delta(f"{amount} {up if more > 0 else down}", more > 0, colour)


def _no_comparison(reading: Reading) -> Delta | None:
    if reading.before is None or reading.before.calls:
        return None
    return Delta("Nothing to compare with")
