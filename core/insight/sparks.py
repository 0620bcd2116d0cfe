"""The small charts on the cards of the Performance page, each on an axis that it states."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from operator import itemgetter

from core.insight.chart_parts import Chart, Mark, drawn, times
from core.insight.templates import TEMPLATES
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
    return drawn(
        TEMPLATES["small bars" if bars else "small line"],
        alt,
        marks,
        height=_HEIGHT,
        padding=_PADDING,
        times=times(cut),
        ends=[axis.low, axis.high],
        names=f"{json.dumps(ends)}[datum.value > {axis.low} ? 1 : 0]",
        label=label,
    )


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
