"""The small charts on the cards of the Performance page, each on an axis that it states."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from operator import itemgetter

from core.insight.chart_parts import NEUTRAL, Chart, Mark, Spec, framed, time_axis
from core.values.periods import Scale, buckets_in_words
from core.values.wording import percent

_HEIGHT = 64  # pixels
_PADDING = {"left": 0, "right": 4, "top": 7, "bottom": 7}  # room for half of an axis label


@dataclass(frozen=True, slots=True)
class Axis:
    """`low` and `high` are its ends; `said` is a value in words."""

    low: float
    high: float
    said: Callable[[float], str]


def rate_axis(rates: Sequence[float]) -> Axis:
    """Up to 1, from 0.9 or what is lower: a rate of 0.999 is no collapse."""
    return Axis(math.floor(min([0.9, *rates]) * 20) / 20, 1.0, percent)


def spark(
    label: str,
    values: Sequence[tuple[int, float]],
    cut: Scale,
    *,
    axis: Axis,
    zone: tzinfo,
    bars: bool = False,
) -> Chart | None:
    """`values` are of buckets by their places; None where they are too few to make a chart."""
    if len(values) < 2 or axis.high <= axis.low:
        return None
    words = buckets_in_words(cut, zone)
    marks = [_mark(place, value, cut, axis, words[place]) for place, value in values]
    low, high = (pick(marks, key=itemgetter("value")) for pick in (min, max))
    ends = [axis.said(axis.low), axis.said(axis.high)]
    alt = (
        f"{label} of all providers, on an axis from {ends[0]} to {ends[1]}."
        f" Lowest: {low['said']}, {low['when']}. Highest: {high['said']}, {high['when']}."
    )
    y: Spec = {
        "field": "value",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [axis.low, axis.high], "nice": False, "zero": False},
        "axis": {
            "values": [axis.low, axis.high],
            "labelExpr": f"{json.dumps(ends)}[datum.value > {axis.low} ? 1 : 0]",
            "labelFontSize": 10,
            "domain": False,
            "ticks": False,
        },
    }
    x = {**time_axis(cut.edges[0], cut.edges[-1]), "axis": None}
    shown = [{"field": "when", "title": "When"}, {"field": "said", "title": label}]
    layer: Spec = {
        "mark": {"type": "line", "interpolate": "linear", "strokeWidth": 1.5},
        "encoding": {"x": {"field": "ms", **x}, "y": y},
    }
    if bars:
        layer = {
            "mark": {"type": "rect"},
            "encoding": {
                "x": {"field": "from", **x},
                "x2": {"field": "to"},
                "y": y,
                "y2": {"datum": 0},
            },
        }
    layer["encoding"] |= {"color": {"value": NEUTRAL}, "tooltip": shown}
    # To point at, wherever one is: a line is as thin as its values are near the axis.
    points: Spec = {
        "mark": {"type": "point", "opacity": 0, "size": 80, "filled": True},
        "encoding": {"x": {"field": "ms", **x}, "y": y, "tooltip": shown},
    }
    return Chart(framed([layer, points], marks, height=_HEIGHT, padding=_PADDING), alt, marks)


def _mark(place: int, value: float, cut: Scale, axis: Axis, when: str) -> Mark:
    since, until = cut.edges[place], cut.edges[place + 1]
    gap = 0.1 * (until - since)
    return {
        "ms": (since + until) * 500,
        "from": (since + gap) * 1000,
        "to": (until - gap) * 1000,
        "value": value,
        "said": axis.said(value),
        "when": when,
    }
