"""The charts of the Performance page: frame -> chart, a function each.

They are written in Vega-Lite itself: an Altair chart of the same marks takes a hundred times as
long to become the same text.
"""

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
    PICK,
    PICKED,
    STRANGER,
    Chart,
    Mark,
    Spec,
    by_look,
    framed,
    known_first,
    provider_colour,
    rows_of,
    short,
    time_axis,
)
from core.insight.sparks import rate_axis
from core.routing.ranking import PROVEN
from core.values.outcomes import ErrorKind
from core.values.periods import Period, Scale, buckets_in_words, in_words
from core.values.wording import count, percent, seconds_in_words

if TYPE_CHECKING:
    import pandas as pd

_HEIGHT = 230  # pixels
_ROW = 30  # pixels a row of bars
_MOST_ROWS = 8
_SAVED = "#6a7ba8"  # no provider's
_HOLLOW = "#00000000"
_TICKS = [0.1, 0.3, 1, 3, 10, 30, 100]  # seconds
_STEP = 1.35  # each bar of the distribution is this much slower than the one before


def success_over_time(
    frame: pd.DataFrame, cut: Scale, *, zone: tzinfo, changes: Sequence[Mark] = ()
) -> Chart:
    """`frame` as Performance.over_time gives it; each change has `ms`, `said` and `when`."""
    marks = rates_over_time(frame, cut, zone=zone)
    for mark in marks:
        mark["success"] = percent(mark["success_rate"])
    axis = rate_axis([mark["success_rate"] for mark in marks])
    y = {
        "field": "success_rate",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [axis.low, axis.high]},
        "axis": {"format": "~%", "tickCount": 5},
    }
    tooltip = [("label", "Provider"), ("when", "When"), ("success", "Succeeded"), ("rated", "Of")]
    spec = _lines(marks, y, tooltip, cut=cut, changes=changes)
    return Chart(spec, _success_said(marks), marks)


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


def latency_over_time(
    frame: pd.DataFrame,
    cut: Scale,
    *,
    zone: tzinfo,
    changes: Sequence[Mark] = (),
    percentile: str = "p95",
) -> Chart:
    """`frame` as Performance.latency_over_time gives it; `percentile` is p50 or p95."""
    marks = [mark for mark in _buckets(frame, cut, zone) if mark[percentile] == mark[percentile]]
    for mark in marks:
        mark["took"] = seconds_in_words(mark[percentile])
    y = {
        "field": percentile,
        "type": "quantitative",
        "title": None,
        "axis": {"labelExpr": "datum.label + ' s'", "tickCount": 5},
    }
    tooltip = [("label", "Provider"), ("when", "When"), ("took", percentile), ("ok", "Answers")]
    spec = _lines(marks, y, tooltip, cut=cut, changes=changes)
    if not marks:
        return Chart(spec, "Latency over time: no answers.", marks)
    slow, fast = (pick(marks, key=itemgetter(percentile)) for pick in (max, min))
    said = (
        f"Latency over time ({percentile}), a line for each of"
        f" {count(len({mark['provider'] for mark in marks}), 'provider')}."
        f" Slowest: {slow['label']} with {slow['took']}, {slow['when']}."
        f" Fastest: {fast['label']} with {fast['took']}, {fast['when']}."
    )
    return Chart(spec, said, marks)


def latency_distribution(frame: pd.DataFrame) -> Chart:
    """How long answers took: a row of bars a provider, as high as its share of answers."""
    marks = _wider(rows_of(frame))
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
    labels = json.dumps([short(name) for name in providers])
    bars: Spec = {
        "params": [PICK],
        "mark": {"type": "rect", "cursor": "pointer"},
        "encoding": {
            "x": {
                "field": "from",
                "type": "quantitative",
                "title": None,
                "scale": {"type": "log", "nice": False},
                "axis": {"labelExpr": "datum.value + ' s'", "grid": True, "values": _TICKS},
            },
            "x2": {"field": "to"},
            "y": {
                "field": "base",
                "type": "quantitative",
                "title": None,
                "scale": {"domain": [0.4, len(providers) + 0.45], "nice": False, "zero": False},
                "axis": {
                    "values": [*rows.values()],
                    "labelExpr": f"{labels}[{len(providers)} - datum.value]",
                    "grid": False,
                    "ticks": False,
                    "domain": False,
                },
            },
            "y2": {"field": "top"},
            "color": provider_colour(providers, legend=False),
            "opacity": _unless_picked(0.85),
            **_said(
                [("label", "Provider"), ("took", "Took"), ("share", "Share"), ("calls", "Answers")]
            ),
        },
    }
    height = max(_HEIGHT, 36 * len(providers))
    return Chart(framed([bars], marks, height=height), _distribution_said(marks), marks)


def _wider(rows: Sequence[Mark]) -> list[Mark]:
    """Fine bars joined to few; each keeps the exact bounds of what it counts."""
    wide: dict[tuple[str, int], Mark] = {}
    for row in rows:
        place = math.floor(math.log(row["high"]) / math.log(_STEP))
        mark = wide.get((row["provider"], place))
        if mark is None:
            wide[row["provider"], place] = {**row, "place": place}
        else:
            mark["low"] = min(mark["low"], row["low"])
            mark["high"] = max(mark["high"], row["high"])
            mark["calls"] += row["calls"]
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
    shown = marks[:_MOST_ROWS]
    tooltip = [("label", "Provider"), ("reason", "Reason"), ("number", "Failures")]
    spec = _bars(shown, "calls", "row", tooltip=tooltip)
    if not marks:
        return Chart(spec, "Failures by reason: none.", marks)
    told = "; ".join(f"{mark['row']}: {mark['number']}" for mark in shown[:3])
    total = sum(mark["calls"] for mark in marks)
    said = f"Failures by reason and provider, {total:,} in all. Most frequent: {told}."
    return Chart(spec, said, marks)


def share_of_answers(frame: pd.DataFrame) -> Chart:
    """A bar for each provider: its share of all answers. `frame` as by_provider gives it."""
    rows = {row["provider"]: row for row in rows_of(frame) if row["ok"]}
    marks = [rows[name] for name in known_first(rows)]
    total = sum(mark["ok"] for mark in marks)
    for mark in marks:
        mark["label"], mark["id"] = short(mark["provider"]), mark["provider"]
        mark["share"] = mark["ok"] / total
        mark["number"] = percent(mark["share"])
    tooltip = [("label", "Provider"), ("number", "Share"), ("ok", "Answers")]
    spec = _bars(marks, "share", "label", tooltip=tooltip)
    told = "; ".join(f"{mark['label']} {mark['number']}" for mark in marks) or "no answers"
    return Chart(spec, f"Share of answers by provider: {told}.", marks)


def saved_over_time(
    frame: pd.DataFrame, cut: Scale, *, zone: tzinfo, changes: Sequence[Mark] = ()
) -> Chart:
    """Runs that would have failed without a second provider, a bar for each bucket."""
    marks = [mark for mark in _placed(frame, cut, zone) if mark["saved"]]
    for mark in marks:
        gap = 0.08 * (mark["until"] - mark["since"])
        mark["from"], mark["to"] = (mark["since"] + gap) * 1000, (mark["until"] - gap) * 1000
        mark["id"] = f"{mark['since']:.0f}"
    bars: Spec = {
        "params": [PICK],
        "mark": {"type": "rect", "cursor": "pointer", "cornerRadius": 2},
        "encoding": {
            "x": {"field": "from", **time_axis(cut.edges[0], cut.edges[-1])},
            "x2": {"field": "to"},
            "y": {
                "field": "saved",
                "type": "quantitative",
                "title": None,
                "axis": {"tickMinStep": 1, "format": "d", "tickCount": 5},
            },
            "y2": {"datum": 0},
            "color": {"value": _SAVED},
            "opacity": _unless_picked(0.9),
            **_said([("when", "When"), ("saved", "Saved"), ("runs", "Of runs")]),
        },
    }
    spec = framed([bars], marks, height=_HEIGHT, changes=changes)
    if not marks:
        return Chart(spec, "Runs saved by fallback over time: none.", marks)
    most = max(marks, key=itemgetter("saved"))
    said = (
        f"Runs saved by fallback over time: {sum(mark['saved'] for mark in marks):,} in all,"
        f" most of them {most['when']}: {most['saved']} of {count(most['runs'], 'run')}."
    )
    return Chart(spec, said, marks)


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


def _lines(
    marks: Sequence[Mark],
    y: Spec,
    tooltip: Sequence[tuple[str, str]],
    *,
    cut: Scale,
    changes: Sequence[Mark],
) -> Spec:
    """A line a provider; a point is hollow where its calls are few or its bucket is cut off."""
    providers = known_first(mark["provider"] for mark in marks)
    both: Spec = {
        "x": {"field": "ms", **time_axis(cut.edges[0], cut.edges[-1])},
        "y": y,
        "color": provider_colour(providers),
        "opacity": {"condition": {"param": "lit", "value": 1}, "value": 0.12},
    }
    lit = {"type": "point", "fields": ["label"]}
    line: Spec = {
        "params": [{"name": "lit", "select": lit, "bind": "legend"}],
        "mark": {"type": "line", "strokeWidth": 1.8, "strokeJoin": "round"},
        # By another field than the colour: the legend's symbols would be dashed, too.
        "encoding": {
            **both,
            "strokeDash": {
                "field": "provider",
                "type": "nominal",
                "scale": {**by_look(providers, "dash"), "domain": providers},
                "legend": None,
            },
        },
    }
    point: Spec = {
        "params": [PICK],
        "mark": {"type": "point", "filled": False, "strokeWidth": 1.5, "cursor": "pointer"},
        "encoding": {
            **both,
            "fill": {"field": "ink", "type": "nominal", "scale": None, "legend": None},
            "shape": {**both["color"], "scale": by_look(providers, "shape")},
            "size": {"condition": {**PICKED, "value": 160}, "value": 34},
            **_said(tooltip),
        },
    }
    return framed([line, point], marks, height=_HEIGHT, changes=changes)


def _bars(
    marks: Sequence[Mark], length: str, row: str, *, tooltip: Sequence[tuple[str, str]]
) -> Spec:
    """Lying bars in the order of `marks`, each with its number at the end of its row."""
    y: Spec = {
        "field": row,
        "type": "nominal",
        "title": None,
        "sort": None,
        "axis": {"labelLimit": 190, "ticks": False, "domain": False, "labelPadding": 6},
    }
    bar: Spec = {
        "params": [PICK],
        "mark": {"type": "bar", "cursor": "pointer", "cornerRadiusEnd": 3, "height": 16},
        "encoding": {
            "x": {"field": length, "type": "quantitative", "title": None, "axis": None},
            "y": y,
            "color": provider_colour(known_first(mark["provider"] for mark in marks), legend=False),
            "opacity": _unless_picked(0.9),
            **_said(tooltip),
        },
    }
    # The numbers are labels of a second axis, which are in the theme's own colour.
    numbers = json.dumps({mark[row]: mark["number"] for mark in marks})
    ends = {"orient": "right", "labelExpr": f"{numbers}[datum.label]"}
    beside: Spec = {
        "mark": {"type": "tick", "opacity": 0, "aria": False},
        "encoding": {"y": {**y, "axis": {**y["axis"], **ends}}},
    }
    height = _ROW * max(len(marks), 1) + 10
    return framed([bar, beside], marks, height=height, resolve={"axis": {"y": "independent"}})


def _said(fields: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """A tooltip of these fields; the same words for who cannot see it."""
    parts = [f"'{title}: ' + datum['{name}']" for name, title in fields]
    return {
        "tooltip": [{"field": name, "title": title, "type": "nominal"} for name, title in fields],
        "description": {"value": {"expr": " + '; ' + ".join(parts)}},
    }


def _unless_picked(usual: float) -> Spec:
    return {"condition": {"param": "pick", "value": usual}, "value": 0.35}
