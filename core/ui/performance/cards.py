"""The metric cards of a period, each beside the period before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import streamlit as st

from core.routing.ranking import PROVEN, wilson
from core.ui import show
from core.ui.performance.links import Link, Scope
from core.ui.performance.period_data import PeriodData
from core.values.history.summary import FEWEST
from core.values.outcomes import ErrorKind
from core.values.wording import cost_parts, count, money, percent, seconds_in_words, sentence

if TYPE_CHECKING:
    from core.values.history.summary import Summary

Colour = Literal["green", "red", "gray"]


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
    spark: str  # of PeriodData.sparks
    links: Sequence[Link]
    note: str = ""  # what the value stands on, or leaves out


def cards(data: PeriodData, scope: Scope) -> None:
    shown = [_success, _calls, _latency, _cost, _saved]
    with st.grid(len(shown), min_column_width=150, border=True) as grid:
        for make in shown:
            with grid.cell():
                _draw(make(data, scope), data)


def _draw(card: Card, data: PeriodData) -> None:
    """The same lines in each, so that they stand side by side."""
    st.metric(card.label, show.plain(card.value), help=card.help)
    if (spark := data.sparks.get(card.spark)) is not None:
        st.vega_lite_chart(spark.spec, alt=spark.alt)
    with st.container(gap="xxsmall", height="stretch", vertical_alignment="bottom"):
        if card.delta:
            st.caption(_said(card.delta))
        for link in card.links:
            link.show()
        if card.note:
            st.caption(show.plain(card.note))


def _said(delta: Delta) -> str:
    """`0.6 points worse`, after an arrow."""
    if delta.up is None:
        return show.plain(delta.words)
    arrow = f":{delta.colour}[:material/{'arrow_upward' if delta.up else 'arrow_downward'}:]"
    return f"{arrow} {show.plain(delta.words)}"


def _success(data: PeriodData, scope: Scope) -> Card:
    now = data.summary
    rated = [kind for kind in data.failures if ErrorKind(kind).outcome.rated]
    links = []
    if rated:  # no reasons to choose by would be any reason
        links = [
            scope.calls(now.rated - now.ok, thing="failure", status="failed", error_kind=rated)
        ]
    if now.refused:
        refused = ErrorKind.REFUSED.value
        links.append(scope.calls(now.refused, thing="refusal", error_kind=refused))
    return Card(
        "Success rate",
        "unknown" if now.success_rate is None else percent(now.success_rate),
        "Answers among the calls that say something about a provider: a refusal, what you stopped"
        " and what nobody could have answered are left out.",
        _rates(now, data.before) or _no_comparison(data),
        "success",
        links,
        f"{now.ok:,} of {now.rated:,} calls that say something of it",
    )


def _rates(now: Summary, before: Summary | None) -> Delta | None:
    """Only where chance alone would hardly part them."""
    if before is None or before.success_rate is None or now.success_rate is None:
        return None
    if min(now.rated, before.rated) < PROVEN:
        return Delta("Too few calls to compare")
    points = (now.success_rate - before.success_rate) * 100
    ranges = sorted(wilson(each.ok, each.rated) for each in (now, before))
    if ranges[0][1] >= ranges[1][0]:
        return Delta("No clear change")
    return _delta(points, f"{abs(points):.1f} points", "better", "worse")


def _calls(data: PeriodData, scope: Scope) -> Card:
    now, before = data.summary, data.before
    delta = None
    if before is not None and before.calls:
        more = now.calls - before.calls
        delta = _delta(more, f"{abs(more):,}", "more", "fewer", judged=False)
    return Card(
        "Calls",
        f"{now.calls:,}",
        "Requests sent to providers. A run makes one or more of them.",
        delta or _no_comparison(data),
        "calls",
        [scope.calls(now.calls)],
    )


def _latency(data: PeriodData, scope: Scope) -> Card:
    now, before = data.summary, data.before
    delta = None
    if before is not None and before.p95 is not None and now.p95 is not None:
        more = now.p95 - before.p95
        words = seconds_in_words(abs(more))
        delta = _delta(more, words, "slower", "faster", more_is_better=False, alike=0.05)
    return Card(
        "Latency, p95",
        "Too few" if now.p95 is None else seconds_in_words(now.p95),
        "19 of 20 answers took no longer than this.",
        delta or _no_comparison(data),
        "p95",
        [scope.calls(now.ok, thing="answer", status="ok")],
        f"Too few answers yet: it takes {FEWEST[0.95]}." if now.p95 is None else "",
    )


def _cost(data: PeriodData, scope: Scope) -> Card:
    now, before = data.summary, data.before
    delta = None
    if not scope.simulated and _priced(now) and before is not None and _priced(before):
        more = (now.cost_usd or 0.0) - (before.cost_usd or 0.0)
        delta = _delta(more, money(abs(more)), "more", "less", judged=False, alike=0.00005)
    value, note = cost_parts(now.cost_usd, unpriced=now.unpriced, simulated=scope.simulated)
    return Card(
        "Cost",
        sentence(value),
        "What the providers charge by their price lists, in US dollars.",
        delta or _no_comparison(data),
        "cost",
        [scope.calls(now.calls)],
        sentence(note),
    )


def _priced(summary: Summary) -> bool:
    return summary.cost_usd is not None and not summary.unpriced


def _saved(data: PeriodData, scope: Scope) -> Card:
    now, before = data.summary, data.before
    delta = None
    if before is not None and before.runs:
        more = now.runs_saved - before.runs_saved
        delta = _delta(more, f"{abs(more):,}", "more", "fewer", judged=False)
    return Card(
        "Saved by fallback",
        count(now.runs_saved, "run"),
        f"Of {count(now.runs, 'run')}: a provider failed in them, and another one answered. Without"
        " it they would have failed.",
        delta or _no_comparison(data),
        "saved",
        [scope.runs(now.runs_saved, saved="true")],
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


def _no_comparison(data: PeriodData) -> Delta | None:
    if data.before is None or data.before.calls:
        return None
    return Delta("Nothing to compare with")
