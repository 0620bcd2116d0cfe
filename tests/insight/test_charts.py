"""The charts of Performance: what they show, what they say of it, and in which colours."""

import json
from datetime import UTC
from itertools import product

import pandas as pd
import pytest

from core.insight import charts
from core.insight.chart_parts import LOOKS, NEUTRAL, STRANGER
from core.insight.sparks import Axis, rate_axis, spark
from core.insight.templates import SAVED
from core.routing.ranking import PROVEN
from core.ui.performance.table import straight
from core.values.periods import Scale
from core.values.registry import PROVIDERS
from core.values.wording import percent

DAY = 86_400.0
START = 1_790_035_200.0  # a midnight in UTC
DAYS = Scale("day", tuple(START + day * DAY for day in range(5)), (True, True, True, False))
CHANGE = {"ms": (START + DAY) * 1000, "said": "Google moved from 3rd to 1st", "when": "yesterday"}
LIGHT, DARK = "#ffffff", "#12161f"


def over_time(*rows):
    """Each row: provider, day, ok, rated."""
    frame = pd.DataFrame(rows, columns=["provider", "day", "ok", "rated"])
    return pd.DataFrame(
        {
            "provider": frame["provider"].astype("str"),
            "start": [START + day * DAY for day in frame["day"]],
            "calls": frame["rated"].astype("int64"),
            "ok": frame["ok"].astype("int64"),
            "rated": frame["rated"].astype("int64"),
            "success_rate": frame["ok"].astype("float64") / frame["rated"].astype("float64"),
            "p50": frame["ok"].astype("float64"),
            "p95": frame["ok"].astype("float64") * 2,
        }
    )


def framed(names, *rows):
    return pd.DataFrame(rows, columns=names.split())


def success(*rows, **more):
    return charts.success_over_time(over_time(*rows), DAYS, zone=UTC, **more)


def latency(*rows, **more):
    return charts.latencies_over_time(over_time(*rows), DAYS, zone=UTC, **more)["p95"]


def distribution(*rows):
    return charts.latency_distribution(framed("provider low high calls", *rows))


def failures(*rows):
    return charts.failures_by_reason(framed("provider error_kind calls", *rows))


def share(*rows):
    return charts.share_of_answers(framed("provider ok", *rows))


def saved(*rows, **more):
    frame = framed("start runs completed saved", *rows)
    return charts.saved_over_time(frame, DAYS, zone=UTC, **more)


FULL = {
    success: [("openai", 0, 19, 20), ("google", 0, 10, 20), ("google", 1, 20, 20)],
    latency: [("openai", 0, 3, 20), ("google", 0, 1, 20)],
    distribution: [("openai", 0.9, 1.0, 3), ("openai", 2.0, 2.1, 7), ("google", 0.4, 0.5, 1)],
    failures: [("openai", "timeout", 3), ("google", "rate_limited", 1_204)],
    share: [("openai", 25), ("google", 75), ("kimi", 0)],
    saved: [(START, 20, 19, 3), (START + DAY, 10, 10, 0), (START + 2 * DAY, 50, 50, 7)],
}
SAID = {
    success: (
        "Success rate over time, a line for each provider: OpenAI 95 % of 20 calls;"
        " Google 75 % of 40 calls. Lowest: Google with 50 %, Tue 22 Sep."
    ),
    latency: (
        "Latency over time (p95), a line for each of 2 providers. Slowest: OpenAI with 6 s,"
        " Tue 22 Sep. Fastest: Google with 2 s, Tue 22 Sep."
    ),
    failures: (
        "Failures by reason and provider, 1,207 in all. Most frequent:"
        " Too many requests, Google: 1,204; No answer in time, OpenAI: 3."
    ),
    share: "Share of answers by provider: OpenAI 25 %; Google 75 %.",
    saved: ("Runs saved by fallback over time: 10 in all, most of them Thu 24 Sep: 7 of 50 runs."),
}


@pytest.mark.parametrize("make", FULL)
def test_a_chart_of_nothing_says_so_and_has_no_marks(make):
    chart = make()
    assert chart.marks == []
    assert chart.alt.endswith(("no calls.", "no answers.", "none."))


@pytest.mark.parametrize("make", FULL)
def test_each_mark_can_be_picked_and_read(make):
    chart = make(*FULL[make])
    ids = [mark["id"] for mark in chart.marks]
    assert len(ids) == len({*ids}) > 0
    assert chart.spec["datasets"]["marks"].num_rows == len(ids)
    (pick,) = (param for param in chart.spec["params"] if param["name"] == "pick")
    (layer,) = (layer for layer in chart.spec["layer"] if layer.get("name") in pick["views"])
    assert layer["encoding"]["tooltip"]
    assert "datum" in layer["encoding"]["description"]["value"]["expr"]


@pytest.mark.parametrize("make", SAID)
def test_its_words_tell_what_there_is_to_be_seen(make):
    assert make(*FULL[make]).alt == SAID[make]


def test_the_words_of_the_distribution_name_what_is_most_frequent():
    said = distribution(*FULL[distribution]).alt
    assert "; Google most often" in said
    assert "OpenAI most often" in said
    assert "(70 %)" in said


def test_bars_of_the_distribution_lose_no_answer_and_keep_the_bounds_of_theirs():
    rows = [("openai", 1.02**step, 1.02 ** (step + 1), 1 + step % 3) for step in range(-40, 90)]
    marks = distribution(*rows).marks
    assert sum(mark["calls"] for mark in marks) == sum(row[3] for row in rows)
    marks.sort(key=lambda mark: mark["low"])
    assert marks[0]["low"] == rows[0][1]
    assert [mark["high"] for mark in marks[:-1]] == pytest.approx(
        [mark["low"] for mark in marks[1:]]
    )


# -- what stands on few calls


def test_days_of_few_calls_are_joined_until_they_can_be_judged():
    rows = [("openai", 0, 1, 2), ("openai", 1, 4, 4), ("openai", 2, 5, 5), ("openai", 3, 3, 3)]
    (mark,) = success(*rows).marks
    assert (mark["ok"], mark["rated"], mark["since"], mark["until"]) == (
        13,
        14,
        DAYS.edges[0],
        DAYS.edges[4],
    )
    assert mark["ink"] == LOOKS["openai"].colour


def test_a_day_of_many_calls_is_joined_with_no_other():
    rows = [("openai", day, PROVEN, PROVEN) for day in range(3)]
    assert [mark["since"] for mark in success(*rows).marks] == [*DAYS.edges[:3]]


def test_too_few_calls_in_all_are_a_hollow_mark():
    (mark,) = success(("openai", 1, 2, 3)).marks
    assert mark["ink"].endswith("00")
    assert mark["when"] == "Wed 23 Sep"


def test_calls_that_say_nothing_of_a_provider_are_behind_the_mark_of_their_time_all_the_same():
    frame = over_time(("openai", 0, 6, 6), ("openai", 1, 0, 0), ("openai", 2, 6, 6))
    frame["calls"] += 1  # one of each day was stopped by the user
    (mark,) = charts.success_over_time(frame, DAYS, zone=UTC).marks
    assert (mark["calls"], mark["rated"]) == (15, 12)
    assert success(("openai", 1, 0, 0)).marks == []


def test_joining_loses_no_call():
    rows = [(name, day, day + 1, 2 * day + 1) for name in ("google", "kimi") for day in range(4)]
    marks = success(*rows).marks
    assert sum(mark["rated"] for mark in marks) == sum(row[3] for row in rows)


def test_a_day_that_is_not_over_says_so():
    (mark,) = success(("openai", 3, 20, 20)).marks
    assert mark["when"].endswith("(part of the day)")


# -- colours and changes


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


COLOURS = [*(look.colour for look in LOOKS.values()), STRANGER.colour, NEUTRAL, SAVED]


@pytest.mark.parametrize(("colour", "background"), [*product(COLOURS, (LIGHT, DARK))])
def test_every_colour_can_be_seen_on_both_backgrounds(colour, background):
    assert contrast(colour, background) >= 3


def test_no_two_providers_look_alike():
    assert [*LOOKS] == [*PROVIDERS]
    for kind in ("colour", "dash", "shape"):
        assert len({getattr(look, kind) for look in LOOKS.values()}) == len(PROVIDERS)


def coloured(chart):
    """Each provider's colour, wherever the chart has a scale of them."""
    found = {}

    def look(part):
        if isinstance(part, dict):
            scale = part.get("scale") or {}
            if str(scale.get("range", [""])[0]).startswith("#"):
                found.update(zip(scale["domain"], scale["range"], strict=True))
            for inner in part.values():
                look(inner)
        elif isinstance(part, list):
            for inner in part:
                look(inner)

    look(chart.spec["layer"])
    return found


@pytest.mark.parametrize("make", [success, latency, distribution, failures, share])
def test_a_provider_keeps_its_colour_whoever_else_is_there(make):
    both = coloured(make(*FULL[make]))
    alone = coloured(make(*(row for row in FULL[make] if row[0] == "google")))
    assert alone == {"Google": LOOKS["google"].colour}
    assert both == {"OpenAI": LOOKS["openai"].colour, **alone}


@pytest.mark.parametrize("make", [success, latency, saved])
def test_changes_are_marked_on_the_axis_of_time(make):
    plain, marked = make(*FULL[make]), make(*FULL[make], changes=[CHANGE])
    assert len(marked.spec["layer"]) == len(plain.spec["layer"]) + 2
    assert marked.spec["datasets"]["changes"].to_pylist() == [CHANGE]


@pytest.mark.parametrize("make", FULL)
def test_a_chart_is_plain_json_but_for_its_data(make):
    spec = {**make(*FULL[make]).spec, "datasets": {}}
    assert json.loads(json.dumps(spec)) == json.loads(json.dumps(spec, allow_nan=False))


# -- the small ones on the cards


def small(*values, high=1.0, **more):
    axis = Axis(0.9, 1.0, percent) if high == 1 else Axis(0.0, high, "{:,.0f}".format)
    return spark("Figure", [*enumerate(values)], DAYS, axis=axis, zone=UTC, **more)


def test_a_small_chart_states_its_axis_and_draws_straight_lines_through_its_values():
    chart = small(1.0, 0.9993, 1.0)
    (line, _) = chart.spec["layer"]
    assert line["mark"]["interpolate"] == "linear"
    assert line["encoding"]["y"]["scale"]["domain"] == [0.9, 1.0]
    assert '["90 %", "100 %"]' in line["encoding"]["y"]["axis"]["labelExpr"]
    assert [mark["value"] for mark in chart.marks] == [1.0, 0.9993, 1.0]
    assert chart.alt == (
        "Figure of all providers, on an axis from 90 % to 100 %."
        " Lowest: 99.9 %, Wed 23 Sep. Highest: 100 %, Tue 22 Sep."
    )


def test_counts_stand_on_nothing():
    (bars, _) = small(3, 12, high=12.0, bars=True).spec["layer"]
    assert bars["encoding"]["y"]["scale"]["domain"] == [0.0, 12.0]
    assert bars["encoding"]["y2"] == {"datum": 0}


def test_one_value_makes_no_small_chart_nor_do_values_of_nothing():
    assert small(1.0) is None
    assert small(0, 0, high=0.0) is None


@pytest.mark.parametrize(
    ("rates", "low"), [([], 0.9), ([0.9993], 0.9), ([0.87], 0.85), ([0.2, 1], 0.2)]
)
def test_the_axis_of_a_rate_begins_low_enough_to_make_no_collapse_of_a_failure(rates, low):
    axis = rate_axis(rates)
    assert (axis.low, axis.high) == (pytest.approx(low), 1)


@pytest.mark.parametrize("number", [2, 3, 30, 90])
def test_a_trend_goes_straight_from_each_value_to_the_next(number):
    values = [1.0 - 0.3 * (place % 2) for place in range(number)]
    found = straight(values)
    steps = (len(found) - 1) // (number - 1)
    assert steps >= 2
    assert found[::steps] == pytest.approx(values)
    assert straight([]) == []
    assert straight([0.5]) == [0.5]
