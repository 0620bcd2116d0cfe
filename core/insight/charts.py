"""The charts of the Performance page: frame -> chart, a function each."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from core.insight.chart_parts import (
    LOOKS,
    STRANGER,
    Chart,
    Mark,
    drawn,
    known_first,
    looks,
    rows_of,
    short,
    times,
)
from core.insight.sparks import rate_axis
from core.insight.templates import TEMPLATES
from core.routing.ranking import PROVEN
from core.values.outcomes import ErrorKind
from core.values.periods import Period, Scale, buckets_in_words, in_words
from core.values.wording import count, percent, seconds_in_words

if TYPE_CHECKING:
    import pandas as pd

_HEIGHT = 230  # pixels
_ROW = 30  # pixels a row of bars
_MOST_ROWS = 8
_HOLLOW = "#00000000"
_STEP = 1.35  # each bar of the distribution is this much slower than the one before


def success_over_time(
    frame: pd.DataFrame, cut: Scale, *, zone: tzinfo, changes: Sequence[Mark] = ()
) -> Chart:
    """`frame` as Performance.over_time gives it; each change has `ms`, `said` and `when`."""
    marks = rates_over_time(frame, cut, zone=zone)
    for mark in marks:
        mark["success"] = percent(mark["success_rate"])
    axis = rate_axis([mark["success_rate"] for mark in marks])
    more = {**looks(marks), "rates": [axis.low, axis.high]}
    return _over_time("success", _success_said(marks), marks, cut, changes, **more)


def rates_over_time(frame: pd.DataFrame, cut: Scale, *, zone: tzinfo) -> list[Mark]:
    """Of each provider, or of each model where `frame` tells them apart: by time.

    Neighbours are joined until each has enough calls to judge by, or there are no more. One
    failure of two calls would be a fall to 50 %, which says nothing.
    """
    each: dict[tuple[str, str | None], list[Mark]] = {}
    for mark in _buckets(frame, cut, zone):
        each.setdefault((mark["provider"], mark.get("model")), []).append(mark)
    places = {name: place for place, name in enumerate(known_first(name for name, _ in each))}
    pooled: list[Mark] = []
    for name, model in sorted(each, key=lambda whose: places[whose[0]]):
        own: list[Mark] = []
        for mark in each[name, model]:
            if own and own[-1]["rated"] < PROVEN:
                own[-1] = _joined(own[-1], mark)
            else:
                own.append(mark)
        own = [mark for mark in own if mark["rated"]]
        if len(own) > 1 and own[-1]["rated"] < PROVEN:
            own[-2:] = [_joined(*own[-2:])]
        for mark in own:
            mark["ink"] = _ink(name, sure=mark["rated"] >= PROVEN)
            if mark.pop("pieces", 1) > 1:
                mark["when"] = in_words(Period(mark["since"], mark["until"]), zone)
                mark["ms"] = _middle(mark)
        pooled += own
    return sorted(pooled, key=itemgetter("ms"))


def _joined(mark: Mark, after: Mark) -> Mark:
    sums = {name: mark[name] + after[name] for name in ("calls", "ok", "rated")}
    return {
        **mark,
        **sums,
        "success_rate": sums["ok"] / sums["rated"] if sums["rated"] else math.nan,
        "until": after["until"],
        "whole": mark["whole"] and after["whole"],
        "pieces": mark.get("pieces", 1) + 1,
    }


def _success_said(marks: Sequence[Mark]) -> str:
    if not marks:
        return "Success rate over time: no calls."
    ok, rated = Counter[str](), Counter[str]()
    for mark in marks:
        ok[mark["provider"]] += mark["ok"]
        rated[mark["provider"]] += mark["rated"]
    told = [
        f"{short(name)} {percent(ok[name] / rated[name])} of {count(rated[name], 'call')}"
        for name in known_first(rated)
    ]
    low = min(marks, key=itemgetter("success_rate"))
    return (
        f"Success rate over time, a line for each provider: {'; '.join(told)}."
        f" Lowest: {low['label']} with {low['success']}, {low['when']}."
    )


def latencies_over_time(
    frame: pd.DataFrame, cut: Scale, *, zone: tzinfo, changes: Sequence[Mark] = ()
) -> dict[str, Chart]:
    """p95 and p50; `frame` as Performance.latency_over_time gives it."""
    marks = _buckets(frame, cut, zone)
    found = {}
    for name in ("p95", "p50"):
        known = [
            {**mark, "took": seconds_in_words(mark[name])}
            for mark in marks
            if mark[name] == mark[name]
        ]
        found[name] = _over_time(
            name, _latency_said(known, name), known, cut, changes, **looks(known)
        )
    return found


def _latency_said(marks: Sequence[Mark], name: str) -> str:
    if not marks:
        return "Latency over time: no answers."
    slow, fast = (pick(marks, key=itemgetter(name)) for pick in (max, min))
    return (
        f"Latency over time ({name}), a line for each of"
        f" {count(len({mark['provider'] for mark in marks}), 'provider')}."
        f" Slowest: {slow['label']} with {slow['took']}, {slow['when']}."
        f" Fastest: {fast['label']} with {fast['took']}, {fast['when']}."
    )


def latency_distribution(frame: pd.DataFrame) -> Chart:
    """How long answers took: a row of bars a provider, as high as its share of answers."""
    marks = _wider(frame)
    providers = known_first(mark["provider"] for mark in marks)
    rows = {name: len(providers) - place for place, name in enumerate(providers)}
    total = Counter[str]()
    for mark in marks:
        total[mark["provider"]] += mark["calls"]
    most = {mark["provider"]: mark["calls"] for mark in sorted(marks, key=itemgetter("calls"))}
    for mark in marks:
        name = mark["provider"]
        mark["share"] = percent(mark["calls"] / total[name])
        mark["base"] = rows[name] - 0.5
        mark["top"] = mark["base"] + 0.86 * mark["calls"] / most[name]
    own = looks(marks)
    return drawn(
        TEMPLATES["distribution"],
        _distribution_said(marks),
        marks,
        height=max(_HEIGHT, 36 * len(providers)),
        rows=[*rows.values()],
        reach=[0.4, len(providers) + 0.45],
        names=f"{json.dumps(own['labels'])}[{len(providers)} - datum.value]",
        **own,
    )


def _wider(frame: pd.DataFrame) -> list[Mark]:
    """Fine bars joined to few; each keeps the exact bounds of what it counts."""
    wide: dict[tuple[str, int], Mark] = {}
    rows = zip(
        *(frame[name].tolist() for name in ("provider", "low", "high", "calls")), strict=True
    )
    for provider, low, high, calls in rows:
        place = math.floor(math.log(high) / math.log(_STEP))
        if (mark := wide.get((provider, place))) is None:
            wide[provider, place] = {"provider": provider, "low": low, "high": high, "calls": calls}
        else:
            mark["low"], mark["high"] = min(mark["low"], low), max(mark["high"], high)
            mark["calls"] += calls
    for (provider, place), mark in wide.items():
        mark["id"] = f"{provider} {place}"
        mark["label"] = short(provider)
        mark["from"], mark["to"] = _STEP**place, _STEP ** (place + 1)
        mark["took"] = f"{seconds_in_words(mark['from'])} to {seconds_in_words(mark['to'])}"
    return [*wide.values()]


def _distribution_said(marks: Sequence[Mark]) -> str:
    most: dict[str, Mark] = {}
    for mark in sorted(marks, key=itemgetter("calls")):
        most[mark["provider"]] = mark
    told = [
        f"{short(name)} most often {most[name]['took']} ({most[name]['share']})"
        for name in known_first(most)
    ]
    said = "How long answers took, a row of bars for each provider"
    return f"{said}: {'; '.join(told) or 'no answers'}."


def failures_by_reason(frame: pd.DataFrame) -> Chart:
    """A bar for each provider and reason, the most frequent ones."""
    marks = rows_of(frame)
    for mark in marks:
        mark["label"] = short(mark["provider"])
        mark["reason"] = ErrorKind(mark["error_kind"]).outcome.reason
        mark["row"] = f"{mark['reason']}, {mark['label']}"
        mark["number"] = f"{mark['calls']:,}"
        mark["id"] = f"{mark['provider']} {mark['error_kind']}"
    marks.sort(key=lambda mark: (-mark["calls"], mark["row"]))
    said = "Failures by reason: none."
    if marks:
        told = "; ".join(f"{mark['row']}: {mark['number']}" for mark in marks[:3])
        total = sum(mark["calls"] for mark in marks)
        said = f"Failures by reason and provider, {total:,} in all. Most frequent: {told}."
    return _bars("failures", said, marks, "row")


def share_of_answers(frame: pd.DataFrame) -> Chart:
    """A bar for each provider: its share of all answers. `frame` as by_model gives it."""
    answers = Counter[str]()
    for name, ok in zip(frame["provider"].tolist(), frame["ok"].tolist(), strict=True):
        answers[name] += ok
    marks: list[Mark] = [
        {"provider": name, "id": name, "label": short(name), "ok": answers[name]}
        for name in known_first(+answers)
    ]
    for mark in marks:
        mark["share"] = mark["ok"] / answers.total()
        mark["number"] = percent(mark["share"])
    told = "; ".join(f"{mark['label']} {mark['number']}" for mark in marks) or "no answers"
    return _bars("share", f"Share of answers by provider: {told}.", marks, "label")


def saved_over_time(
    frame: pd.DataFrame, cut: Scale, *, zone: tzinfo, changes: Sequence[Mark] = ()
) -> Chart:
    """Runs that would have failed without a second provider, a bar for each bucket."""
    marks = [mark for mark in _placed(frame, cut, zone) if mark["saved"]]
    for mark in marks:
        gap = 0.08 * (mark["until"] - mark["since"])
        mark["from"], mark["to"] = (mark["since"] + gap) * 1000, (mark["until"] - gap) * 1000
        mark["id"] = f"{mark['since']:.0f}"
    said = "Runs saved by fallback over time: none."
    if marks:
        most = max(marks, key=itemgetter("saved"))
        said = (
            f"Runs saved by fallback over time: {sum(mark['saved'] for mark in marks):,} in all,"
            f" most of them {most['when']}: {most['saved']} of {count(most['runs'], 'run')}."
        )
    return _over_time("saved", said, marks, cut, changes)


def _placed(frame: pd.DataFrame, cut: Scale, zone: tzinfo) -> list[Mark]:
    """Rows with their bucket's end, its words and whether it is whole."""
    places = {edge: place for place, edge in enumerate(cut.edges)}
    words = buckets_in_words(cut, zone)
    marks = rows_of(frame)
    for mark in marks:
        first = places[mark["start"]]
        last = places[mark["until"]] - 1 if "until" in mark else first  # of several buckets
        mark["since"], mark["until"] = cut.edges[first], cut.edges[last + 1]
        mark["ms"] = _middle(mark)
        mark["whole"] = cut.whole[first] and cut.whole[last]
        mark["when"] = words[first]
        if first < last:
            mark["when"] = in_words(Period(mark["since"], mark["until"]), zone)
    return marks


def _buckets(frame: pd.DataFrame, cut: Scale, zone: tzinfo) -> list[Mark]:
    marks = _placed(frame, cut, zone)
    for mark in marks:
        name, sure = mark["provider"], mark["whole"] and mark["rated"] >= PROVEN
        mark["label"] = short(name)
        mark["ink"] = _ink(name, sure=sure)
        mark["id"] = f"{name} {mark['since']:.0f}"
    return marks


def _ink(provider: str, *, sure: bool) -> str:
    return LOOKS.get(provider, STRANGER).colour if sure else _HOLLOW


def _middle(mark: Mark) -> float:
    """Milliseconds since the epoch."""
    middle: float = (mark["since"] + mark["until"]) * 500
    return middle


def _over_time(
    template: str,
    said: str,
    marks: Sequence[Mark],
    cut: Scale,
    changes: Sequence[Mark],
    **values: Any,
) -> Chart:
    more: dict[str, Any] = {"height": _HEIGHT, "changes": changes, "times": times(cut)}
    return drawn(TEMPLATES[template], said, marks, **more, **values)


def _bars(template: str, said: str, marks: Sequence[Mark], row: str) -> Chart:
    """Only the first of them have a bar."""
    shown = marks[:_MOST_ROWS]
    numbers = json.dumps({mark[row]: mark["number"] for mark in shown})
    return drawn(
        TEMPLATES[template],
        said,
        marks,
        shown=shown,
        height=_ROW * max(len(shown), 1) + 10,
        numbers=f"{numbers}[datum.label]",
        **looks(shown),
    )
