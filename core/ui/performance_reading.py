"""What the Performance page is asked for, and everything read and drawn for it, once."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from core import charts, periods
from core.changes import change_in_words
from core.chart_parts import Chart, Mark, rows_of
from core.periods import EARLIEST, LATEST, PRESETS, Scale
from core.types import Period
from core.ui.services import services
from core.words import exact_time

if TYPE_CHECKING:
    import pandas as pd

    from db.performance import Summary

DATES = "dates"
USUAL = "7d"
_KEPT = "performance_reading"


class Asked(NamedTuple):
    """What the address asks for; what it asks for wrongly is as if it did not."""

    period: str  # a row of PRESETS, or DATES
    first: date | None
    last: date | None
    simulated: bool


class Question(NamedTuple):
    """The same question at the same version of the history has the same answer."""

    version: int
    period: Period
    simulated: bool
    zone: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    question: Question
    cut: Scale
    summary: Summary
    before: Summary | None  # None: there is nothing before everything
    before_in_words: str
    providers: pd.DataFrame
    failures: int
    trends: Mapping[str, list[float]]  # per provider: success rates of its whole buckets
    sparks: Mapping[str, list[float]]  # per card: its figure in each whole bucket
    charts: Mapping[str, Chart]
    changes: list[Mark]


def asked(kinds: Mapping[bool, float]) -> Asked:
    """`kinds` has the moment of the first call of practice (True) and of real providers (False)."""
    given = st.query_params
    first, last = _day(given.get("from")), _day(given.get("to"))
    period = given.get("period", USUAL)
    if first and last:
        period = DATES
    elif period not in PRESETS:
        period = USUAL
    wanted = {"true": True, "false": False}.get(given.get("simulated", ""))
    if wanted is None:
        wanted = services().engine.lineup.practising
        # What there is to be seen comes before what is going on.
        wanted = wanted if wanted in kinds or not kinds else not wanted
    return Asked(period, first, last, wanted)


def _day(text: str | None) -> date | None:
    try:
        return min(max(date.fromisoformat(text), EARLIEST), LATEST) if text else None
    except ValueError:
        return None


def kinds() -> dict[bool, float]:
    """Practice and real: from when on each is counted, of those that are."""
    records = services().records
    firsts = {kind: records.first_figure(simulated=kind) for kind in (False, True)}
    return {kind: first for kind, first in firsts.items() if first is not None}


def period_of(now: Asked, there: tzinfo, *, first: float | None) -> Period:
    moment = time.time()
    if now.period == DATES and now.first and now.last:
        return periods.between(now.first, now.last, now=moment, zone=there)
    return periods.preset(now.period, now=moment, zone=there, first=first)


def read(now: Asked, *, first: float | None) -> Reading:
    """
    Raises:
        HistoryUnavailable: the history cannot be read.
    """
    name = st.context.timezone
    period = period_of(now, periods.zone(name), first=first)
    question = Question(services().records.version(), period, now.simulated, name)
    kept: Reading | None = st.session_state.get(_KEPT)
    if kept and kept.question == question:
        return kept
    with services().records.one_moment():
        reading = _read_anew(question, now)
    st.session_state[_KEPT] = reading
    return reading


def _read_anew(question: Question, now: Asked) -> Reading:
    _, period, simulated, name = question
    there = periods.zone(name)
    cut = periods.scale(period, zone=there)
    of = services().performance
    before = None
    if now.period != "all":
        before = of.summary(periods.before(period), simulated=simulated)
    over_time = of.over_time(period, cut.edges[:-1], simulated=simulated)
    saved = of.saved_over_time(period, cut.edges[:-1], simulated=simulated)
    providers = of.by_provider(period, simulated=simulated)
    failures = of.failures(period, simulated=simulated)
    changes = _changes(period, name)
    drawn = {
        "success": charts.success_over_time(over_time, cut, zone=there, changes=changes),
        "p95": charts.latency_over_time(
            over_time, cut, zone=there, changes=changes, percentile="p95"
        ),
        "p50": charts.latency_over_time(
            over_time, cut, zone=there, changes=changes, percentile="p50"
        ),
        "distribution": charts.latency_distribution(
            of.latency_distribution(period, simulated=simulated)
        ),
        "failures": charts.failures_by_reason(failures),
        "share": charts.share_of_answers(providers),
        "saved": charts.saved_over_time(saved, cut, zone=there, changes=changes),
    }
    return Reading(
        question,
        cut,
        of.summary(period, simulated=simulated),
        before,
        _before_in_words(now, period),
        providers,
        int(failures["calls"].sum()),
        _trends(drawn["success"]),
        _sparks(of.totals_over_time(period, cut.edges[:-1], simulated=simulated), saved, cut),
        drawn,
        changes,
    )


def _before_in_words(now: Asked, period: Period) -> str:
    if now.period in PRESETS:
        return PRESETS[now.period].before
    days = round((period.until - period.since) / periods.DAY)
    return "the day before" if days <= 1 else f"the {days} days before"


def _changes(period: Period, name: str | None) -> list[Mark]:
    return [
        {"ms": change.changed_at * 1000, "said": said, "when": exact_time(change.changed_at, name)}
        for change in services().performance.changes(period)
        if (said := change_in_words(change))
    ]


def _trends(success: Chart) -> dict[str, list[float]]:
    trends: dict[str, list[float]] = defaultdict(list)
    for mark in success.marks:
        if mark["whole"]:
            trends[mark["provider"]].append(mark["success_rate"])
    return trends


def _sparks(totals: pd.DataFrame, saved: pd.DataFrame, cut: Scale) -> dict[str, list[float]]:
    """A bucket that is cut off would look like a fall, so it is left out."""
    whole = [edge for edge, full in zip(cut.edges[:-1], cut.whole, strict=True) if full]
    rows = {row["start"]: row for row in rows_of(totals)}
    runs = dict(zip(saved["start"].tolist(), saved["saved"].tolist(), strict=True))

    def known(name: str) -> list[float]:
        values = [rows[edge][name] for edge in whole if edge in rows]
        return [value for value in values if value == value]

    def counted(name: str) -> list[float]:
        values = [rows[edge][name] if edge in rows else 0.0 for edge in whole]
        return [float(value) if value == value else 0.0 for value in values]

    return {
        "success": known("success_rate"),
        "calls": counted("calls"),
        "p95": known("p95"),
        "cost": counted("cost_usd"),
        "saved": [float(runs.get(edge, 0)) for edge in whole],
    }


def words_of(reading: Reading) -> str:
    """`18 Nov, 00:00 to 24 Nov 2026, 14:32, Europe/Berlin time`."""
    name = reading.question.zone
    there = periods.zone(name)
    where = f"{name.replace('_', ' ')} time" if name and there is not UTC else "UTC"
    return f"{periods.in_words(reading.question.period, there)}, {where}"


def today(there: tzinfo) -> date:
    return datetime.now(there).date()
