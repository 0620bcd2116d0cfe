"""Everything that the Performance page reads and draws for one period, once per version."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from core.config.changes import change_in_words
from core.insight import charts
from core.insight.chart_parts import Chart, Mark, rows_of
from core.insight.sparks import Axis, rate_axis, spark
from core.routing.ranking import PROVEN
from core.ui.services import services
from core.values import periods
from core.values.periods import EARLIEST, LATEST, PRESETS, Period, Scale
from core.values.wording import day_in_words, exact_time, money, seconds_in_words

if TYPE_CHECKING:
    import pandas as pd

    from core.values.history.summary import Summary

DATES = "dates"
USUAL = "7d"
_KEPT = "performance_data"


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
class PeriodData:
    question: Question
    cut: Scale
    summary: Summary
    before: Summary | None  # None: the period before is not one to compare with
    compared: str  # what it is compared with, or why not
    models: pd.DataFrame
    failures: Mapping[str, int]  # per reason
    # Per provider (None), or per model of one that has several: success rates of whole buckets.
    trends: Mapping[tuple[str, str | None], list[float]]
    sparks: Mapping[str, Chart | None]  # per card: its figure in each whole bucket
    charts: Mapping[str, Chart]
    changes: list[Mark]
    removed_until: float | None  # calls from before then (UTC seconds) were removed


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


def read(now: Asked, *, first: float | None) -> PeriodData:
    """
    Raises:
        HistoryUnavailable: the history cannot be read.
    """
    name = st.context.timezone
    period = period_of(now, periods.zone(name), first=first)
    question = Question(services().records.version(), period, now.simulated, name)
    kept: PeriodData | None = st.session_state.get(_KEPT)
    if kept and kept.question == question:
        return kept
    with services().records.one_moment():
        data = _read_anew(question, now, first=first)
    st.session_state[_KEPT] = data
    return data


def _read_anew(question: Question, now: Asked, *, first: float | None = None) -> PeriodData:
    """`first`: when the oldest figure begins."""
    _, period, simulated, name = question
    there = periods.zone(name)
    cut = periods.scale(period, zone=there)
    of, edges = services().performance, cut.edges[:-1]
    before, whole = None, first is not None and first <= periods.before(period).since
    if whole and now.period != "all":
        before = of.summary(periods.before(period), simulated=simulated)
    latencies = of.latency_over_time(period, edges, simulated=simulated)
    saved = of.saved_over_time(period, edges, simulated=simulated)
    models = of.by_model(period, simulated=simulated)
    changes = _changes(period, name)
    drawn = {
        "success": charts.success_over_time(
            of.over_time(period, edges, simulated=simulated), cut, zone=there, changes=changes
        ),
        **charts.latencies_over_time(latencies, cut, zone=there, changes=changes),
        "distribution": charts.latency_distribution(
            of.latency_distribution(period, simulated=simulated)
        ),
        "failures": charts.failures_by_reason(of.failures(period, simulated=simulated)),
        "share": charts.share_of_answers(models),
        "saved": charts.saved_over_time(saved, cut, zone=there, changes=changes),
    }
    several = {*models["provider"][models["provider"].duplicated()]}
    rates = [mark for mark in drawn["success"].marks if mark["provider"] not in several]
    if several:
        frame = of.over_time(period, edges, simulated=simulated, by_model=True)
        rates += charts.rates_over_time(frame[frame["provider"].isin(several)], cut, zone=there)
    return PeriodData(
        question,
        cut,
        of.summary(period, simulated=simulated),
        before,
        _compared(now, period, None if whole else first, there),
        models,
        _by_reason(drawn["failures"].marks),
        _trends(rates),
        _sparks(of.totals_over_time(period, edges, simulated=simulated), saved, cut, there),
        drawn,
        changes,
        services().records.removed_until(simulated=simulated),
    )


def _compared(now: Asked, period: Period, begins: float | None, there: tzinfo) -> str:
    """`begins`: where the history does, when that is too late to compare."""
    if now.period == "all":
        return ""
    words = f"compared with {_before_in_words(now, period)}"
    if begins is None:
        return words
    day = day_in_words(datetime.fromtimestamp(begins, there), year=True)
    return f"not {words}: the history begins on {day}"


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


def _by_reason(marks: Sequence[Mark]) -> Counter[str]:
    found = Counter[str]()
    for mark in marks:
        found[mark["error_kind"]] += mark["calls"]
    return found


def _trends(marks: Sequence[Mark]) -> dict[tuple[str, str | None], list[float]]:
    trends: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for mark in marks:
        if mark["whole"] and mark["rated"] >= PROVEN:
            trends[mark["provider"], mark.get("model")].append(mark["success_rate"])
    return trends


def _sparks(
    totals: pd.DataFrame, saved: pd.DataFrame, cut: Scale, there: tzinfo
) -> dict[str, Chart | None]:
    """A bucket that is cut off would look like a fall, so it is left out."""
    rows = {row["start"]: row for row in rows_of(totals)}
    runs = dict(zip(saved["start"].tolist(), saved["saved"].tolist(), strict=True))
    whole = [(place, edge) for place, edge in enumerate(cut.edges[:-1]) if cut.whole[place]]

    def known(name: str) -> list[tuple[int, float]]:
        told = [(place, rows[edge][name]) for place, edge in whole if edge in rows]
        return [(place, value) for place, value in told if value == value]

    def counted(name: str) -> list[tuple[int, float]]:
        found = dict(known(name))
        return [(place, found.get(place, 0.0)) for place, _ in whole]

    def drawn(
        label: str,
        values: list[tuple[int, float]],
        said: Callable[[float], str],
        *,
        bars: bool = False,
    ) -> Chart | None:
        axis = Axis(0.0, max((value for _, value in values), default=0.0), said)
        return spark(label, values, cut, axis=axis, zone=there, bars=bars)

    judged = [place for place, rated in known("rated") if rated >= PROVEN]
    rates = [(place, rate) for place, rate in known("success_rate") if place in judged]
    axis = rate_axis([rate for _, rate in rates])
    return {
        "success": spark("Success rate", rates, cut, axis=axis, zone=there),
        "calls": drawn("Calls", counted("calls"), "{:,.0f}".format, bars=True),
        "p95": drawn("Latency, p95", known("p95"), seconds_in_words),
        "cost": drawn("Cost", counted("cost_usd"), money),
        "saved": drawn(
            "Saved runs",
            [(place, runs.get(edge, 0)) for place, edge in whole],
            "{:,.0f}".format,
            bars=True,
        ),
    }


def words_of(data: PeriodData) -> str:
    """`18 Nov, 00:00 to 24 Nov 2026, 14:32, Europe/Berlin time`."""
    name = data.question.zone
    there = periods.zone(name)
    where = f"{name.replace('_', ' ')} time" if name and there is not UTC else "UTC"
    return f"{periods.in_words(data.question.period, there)}, {where}"


def today(there: tzinfo) -> date:
    return datetime.now(there).date()
