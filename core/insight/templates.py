"""The charts of the Performance page as Altair makes them: marks and encodings, without data.

Each is made once, as this module is imported: to make one takes Altair longer than a page takes to
fill in all of them. What stands as "$name" is filled in by a draw, see `chart_parts.drawn`.
"""

from __future__ import annotations

from typing import Any

import altair as alt

from core.insight.chart_parts import NEUTRAL, Spec

SAVED = "#6a7ba8"  # no provider's
_TICKS = [0.1, 0.3, 1, 3, 10, 30, 100]  # seconds
_CLOCK = (
    "hours(datum.value) + minutes(datum.value) > 0 ? timeFormat(datum.value, '%H:%M')"
    " : timeFormat(datum.value, month(datum.value) + date(datum.value) > 1 ? '%-d %b' : '%Y')"
)
_PICK = alt.selection_point(name="pick", fields=["id"], toggle=False, clear="dblclick")
_LIT = alt.selection_point(name="lit", fields=["label"], bind="legend")
_LEGEND = alt.Legend(
    orient="top", title=None, columns=alt.ExprRef("max(2, floor(width / 96))"),
    symbolSize=60, symbolStrokeWidth=2, padding=0, offset=8,
)  # fmt: skip
_BARE: dict[str, Any] = {"ticks": False, "domain": False}


def _time(field: str = "ms", **axis: Any) -> alt.X:
    """Moments are plotted in milliseconds since the epoch; the browser shows its own time."""
    ticks = alt.ExprRef("max(3, floor(width / 80))")
    shown = alt.Axis(grid=False, labelExpr=_CLOCK, labelBound=True, tickCount=ticks)
    scale = alt.Scale(domain=["$times"])
    return alt.X(field, type="temporal", title=None, scale=scale, **{"axis": shown, **axis})


def _number(field: str, scale: Any = alt.Undefined, **axis: Any) -> alt.Y:
    return alt.Y(field, type="quantitative", title=None, scale=scale, axis=alt.Axis(**axis))


def _colour(legend: alt.Legend | None = None) -> alt.Color:
    scale = alt.Scale(domain=["$labels"], range=["$colours"])
    return alt.Color("label", type="nominal", scale=scale, legend=legend)


def _tips(**titles: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(name, title=title, type="nominal") for name, title in titles.items()]


def _said(**titles: str) -> dict[str, Any]:
    """A tooltip of these fields; the same words for who cannot see it."""
    words = " + '; ' + ".join(f"'{title}: ' + datum['{name}']" for name, title in titles.items())
    return {"tooltip": _tips(**titles), "description": alt.DescriptionValue({"expr": words})}


def _unless_picked(usual: float) -> alt.OpacityValue:
    return alt.OpacityValue(0.35, condition={"param": "pick", "value": usual})


def _picked(chart: alt.Chart, **encodings: Any) -> alt.Chart:
    return chart.encode(**encodings).add_params(_PICK)


def _made(*layers: alt.Chart, **more: Any) -> Spec:
    whole = alt.layer(*layers, data=alt.NamedData("marks"), **more).to_dict(validate=False)
    del whole["$schema"]  # the page knows
    return {**whole, "config": {"view": {"stroke": None}}}  # instead of Altair's own sizes


def _changed() -> list[alt.Chart]:
    """A rule at each change, and a flag to point at."""
    changes = alt.Chart(alt.NamedData("changes")).encode(
        x=alt.X("ms", type="temporal"),
        color=alt.ColorValue(NEUTRAL),
        tooltip=_tips(said="Changed", when="When"),
        description=alt.Description("said", type="nominal"),
    )
    flag = changes.mark_point(shape="triangle-down", filled=True, size=110)
    return [
        changes.mark_rule(strokeDash=[3, 3], strokeWidth=1.5),
        flag.encode(y=alt.YValue(0), opacity=alt.OpacityValue(1)),
    ]


def _lines(y: alt.Y, **titles: str) -> Spec:
    """A line a provider; a point is hollow where its calls are few or its bucket is cut off."""
    lit = alt.OpacityValue(0.12, condition={"param": "lit", "value": 1})
    both = alt.Chart().encode(x=_time(), y=y, color=_colour(_LEGEND), opacity=lit)
    # By another field than the colour: the legend's symbols would be dashed, too.
    dashes = alt.Scale(domain=["$providers"], range=["$dashes"])
    line = both.mark_line(strokeWidth=1.8, strokeJoin="round").encode(
        strokeDash=alt.StrokeDash("provider", type="nominal", scale=dashes, legend=None)
    )
    shapes = alt.Scale(domain=["$labels"], range=["$shapes"])
    point = _picked(
        both.mark_point(filled=False, strokeWidth=1.5, cursor="pointer"),
        fill=alt.Fill("ink", type="nominal", scale=None, legend=None),
        shape=alt.Shape("label", type="nominal", scale=shapes, legend=_LEGEND),
        size=alt.SizeValue(34, condition={"param": "pick", "empty": False, "value": 160}),
        **_said(**titles),
    )
    return _made(*_changed(), line.add_params(_LIT), point)


def _latency(percentile: str) -> Spec:
    y = _number(percentile, labelExpr="datum.label + ' s'", tickCount=5)
    return _lines(y, label="Provider", when="When", took=percentile, ok="Answers")


def _distribution() -> Spec:
    scale = alt.Scale(type="log", nice=False)
    axis = alt.Axis(labelExpr="datum.value + ' s'", grid=True, values=_TICKS)
    rows = alt.Scale(domain=["$reach"], nice=False, zero=False)
    bars = _picked(
        alt.Chart().mark_rect(cursor="pointer"),
        x=alt.X("from", type="quantitative", title=None, scale=scale, axis=axis),
        x2=alt.X2("to"),
        y=_number("base", rows, values=["$rows"], labelExpr="$names", grid=False, **_BARE),
        y2=alt.Y2("top"),
        color=_colour(),
        opacity=_unless_picked(0.85),
        **_said(label="Provider", took="Took", share="Share", calls="Answers"),
    )
    return _made(bars)


def _bars(length: str, row: str, **titles: str) -> Spec:
    """Lying bars in the order of their rows, each with its number at the end of its row."""
    axis: dict[str, Any] = {"labelLimit": 190, "labelPadding": 6, **_BARE}
    y = alt.Y(row, type="nominal", title=None, sort=None, axis=alt.Axis(**axis))
    bar = _picked(
        alt.Chart().mark_bar(cursor="pointer", cornerRadiusEnd=3, height=16),
        x=alt.X(length, type="quantitative", title=None, axis=None),
        y=y,
        color=_colour(),
        opacity=_unless_picked(0.9),
        **_said(**titles),
    )
    # The numbers are labels of a second axis, which are in the theme's own colour.
    ends = alt.Axis(**axis, orient="right", labelExpr="$numbers")
    beside = alt.Chart().mark_tick(opacity=0, aria=False).encode(y=y.axis(ends))
    return _made(bar, beside, resolve=alt.Resolve(axis={"y": "independent"}))


def _saved() -> Spec:
    bars = _picked(
        alt.Chart().mark_rect(cursor="pointer", cornerRadius=2),
        x=_time("from"),
        x2=alt.X2("to"),
        y=_number("saved", tickMinStep=1, format="d", tickCount=5),
        y2=alt.Y2Datum(0),
        color=alt.ColorValue(SAVED),
        opacity=_unless_picked(0.9),
        **_said(when="When", saved="Saved", runs="Of runs"),
    )
    return _made(*_changed(), bars)


def _spark(*, bars: bool = False) -> Spec:
    """A small one, on an axis that names its ends alone."""
    scale = alt.Scale(domain=["$ends"], nice=False, zero=False)
    named = {"values": ["$ends"], "labelExpr": "$names", "labelFontSize": 10}
    y = _number("value", scale, **named, **_BARE)
    tips = _tips(when="When", said="$label")
    both = alt.Chart().encode(x=_time(axis=None), y=y, tooltip=tips)
    shown = both.mark_line(interpolate="linear", strokeWidth=1.5)
    if bars:
        rect = both.mark_rect().encode(x=_time("from", axis=None), x2=alt.X2("to"))
        shown = rect.encode(y2=alt.Y2Datum(0))
    # To point at, wherever one is: a line is as thin as its values are near the axis.
    points = both.mark_point(opacity=0, size=80, filled=True)
    return _made(shown.encode(color=alt.ColorValue(NEUTRAL)), points)


_RATE = alt.Scale(domain=["$rates"])
TEMPLATES = {
    "success": _lines(
        _number("success_rate", _RATE, format="~%", tickCount=5),
        label="Provider", when="When", success="Succeeded", rated="Of",
    ),
    "p50": _latency("p50"),
    "p95": _latency("p95"),
    "distribution": _distribution(),
    "failures": _bars("calls", "row", label="Provider", reason="Reason", number="Failures"),
    "share": _bars("share", "label", label="Provider", number="Share", ok="Answers"),
    "saved": _saved(),
    "small line": _spark(),
    "small bars": _spark(bars=True),
}  # fmt: skip
