"""Whether the Performance page says what is true: its cards, table, charts, numbers and links."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import combinations, pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tests.truth import definitions as truth
from tests.truth.definitions import Row, Rows
from tests.truth.shown import (
    Page,
    says_count,
    says_money,
    says_range,
    says_rate,
    says_seconds,
)

NAMES = {
    "Anthropic": "anthropic", "OpenAI": "openai", "Google": "google", "DeepSeek": "deepseek",
    "Kimi": "kimi", "NVIDIA NIM": "nvidia", "BitNet (this computer)": "bitnet",
}  # fmt: skip
_HISTOGRAM = 0.0101  # how far a percentile that is read from one may be off
_DAYS = {"hour": 2.1, "half day": 10.1, "day": 100, "week": 700}
_TAKEN = 2  # marks of a chart whose links are followed

Export = Callable[[Mapping[str, Sequence[str]]], set[str]]  # filters -> ids


@dataclass(frozen=True)
class Asked:
    """What was asked of the page, and what there was to be counted when."""

    rows: Rows  # as before anything was removed
    left: Rows
    since: float
    until: float
    zone: str
    simulated: bool
    compared: bool  # not `all`
    export: Export

    @cached_property
    def calls(self) -> list[Row]:
        return self.rows.counted(self.since, self.until, simulated=self.simulated)

    @cached_property
    def before(self) -> Asked | None:
        """The period before, where it is whole."""
        start = self.since - (self.until - self.since)
        first = self.rows.first_figure(simulated=self.simulated)
        if not self.compared or first is None or first > start:
            return None
        return Asked(
            self.rows, self.left, start, self.since, self.zone, self.simulated, False, self.export
        )

    @cached_property
    def runs(self) -> list[Row]:
        return self.rows.ended_runs(self.since, self.until, simulated=self.simulated)

    @cached_property
    def saved(self) -> list[Row]:
        return [run for run in self.runs if self.rows.saved(run)]


def faults(page: Page, asked: Asked) -> Iterator[str]:
    """What the page says that is not so, one by one."""
    if not asked.calls:
        if page.metrics or "No calls in this period yet" not in " ".join(page.infos):
            yield f"without calls it shows {page.metrics}"
        return
    yield from _cards(page.metrics, asked)
    yield from _notes(page.captions, asked)
    yield from _links(page.links, asked)
    yield from _table(page.tables[0], asked)
    yield from _trends(page.tables[0], page.charts, asked)
    yield from _sparks(page.charts, asked)
    yield from _charts(page.charts, asked)


# -- cards


def _cards(shown: Mapping[str, str], asked: Asked) -> Iterator[str]:
    calls = asked.calls
    rate, p95 = truth.success_rate(calls), truth.percentile(0.95, truth.latencies(calls))
    good = {
        "Success rate": _unless_none(rate, "unknown", says_rate),
        "Calls": lambda said: says_count(said, len(calls)),
        "Latency, p95": _unless_none(p95, "Too few", _near),
        "Cost": lambda said: _is_cost(said, asked),
        "Saved by fallback": lambda said: says_count(said, len(asked.saved)),
    }
    if shown.keys() != good.keys():
        yield f"cards {[*shown]}"
        return
    for label, is_good in good.items():
        if not is_good(shown[label]):
            yield (
                f"card {label}: {shown[label]} (rate {rate}, {len(calls)} calls, p95 {p95},"
                f" cost {truth.cost(calls)}, {len(asked.saved)} saved)"
            )


def _unless_none(
    number: float | None, none: str, says: Callable[[str, float], bool]
) -> Callable[[str], bool]:
    return lambda said: said == none if number is None else says(said, number)


def _near(said: str, seconds: float) -> bool:
    return says_seconds(said, seconds, within=_HISTOGRAM)


def _is_cost(said: str, asked: Asked) -> bool:
    if asked.simulated:
        return said == "Nothing"
    dollars, unpriced = truth.cost(asked.calls)
    if (unpriced and not dollars) or dollars is None:
        return said == "Unknown" if unpriced else said == "unknown" or said == "Unknown"
    return says_money(said, dollars) and said.startswith("At least ") == bool(unpriced)


def _notes(captions: Sequence[str], asked: Asked) -> Iterator[str]:
    """What stands below each card: how it compares, and what it stands on."""
    end = captions.index("Choose a row to see the calls behind it.")
    shown = [each for each in captions[1:end] if "were removed" not in each]
    expected = [good for good in _expected_notes(asked) if good]
    if len(shown) != len(expected) or not all(
        good(said) for good, said in zip(expected, shown, strict=True)
    ):
        yield f"below the cards: {shown}; expected {len(expected)}"
    compared = asked.before is not None
    if asked.compared and ("not compared" in captions[0]) == compared:
        yield f"{captions[0]}, though the period before is {'' if compared else 'not '}whole"


_Good = Callable[[str], bool]


def _expected_notes(asked: Asked) -> list[_Good | None]:
    now, before = asked.calls, asked.before
    nothing = _exactly("Nothing to compare with") if before and not before.calls else None
    rated, answered = truth.rated(now), truth.ok(now)
    p95 = truth.percentile(0.95, truth.latencies(now))
    _, unpriced = truth.cost(now)
    cost_note = _exactly(f"{unpriced:,} call{'s' if unpriced > 1 else ''} without a price")
    return [
        _rate_delta(asked) or nothing,
        _exactly(f"{len(answered):,} of {len(rated):,} calls that say something of it"),
        _more(len(now) - len(before.calls)) if before and before.calls else nothing,
        _p95_delta(asked) or nothing,
        None if p95 is not None else _exactly("Too few answers yet: it takes 20."),
        _cost_delta(asked) or nothing,
        _exactly("Practice") if asked.simulated else cost_note if unpriced else None,
        _more(len(asked.saved) - len(before.saved)) if before and before.runs else nothing,
    ]


def _exactly(words: str) -> _Good:
    return lambda said: said == words


def _more(number: int) -> _Good:
    if not number:
        return _exactly("As before")
    return lambda said: said.endswith(f" {abs(number):,} {'more' if number > 0 else 'fewer'}")


def _rate_delta(asked: Asked) -> _Good | None:
    before = asked.before
    if before is None:
        return None
    both = [truth.rated(each.calls) for each in (asked, before)]
    if not all(both):
        return None
    if min(map(len, both)) < truth.COMPARABLE:
        return _exactly("Too few calls to compare")
    goods = [len(truth.ok(each)) for each in both]
    ranges = sorted(truth.wilson(good, len(each)) for good, each in zip(goods, both, strict=True))
    if ranges[0][1] >= ranges[1][0]:
        return _exactly("No clear change")
    now, then = (good / len(each) for good, each in zip(goods, both, strict=True))
    points, word = abs(now - then) * 100, "better" if now > then else "worse"

    def good(said: str) -> bool:
        found = re.search(r"([\d.]+) points (\w+)$", said)
        return bool(found) and abs(float(found[1]) - points) <= 0.0501 and found[2] == word

    return good


def _p95_delta(asked: Asked) -> _Good | None:
    if asked.before is None:
        return None
    now, then = (
        truth.percentile(0.95, truth.latencies(each.calls)) for each in (asked, asked.before)
    )
    if now is None or then is None:
        return None
    doubt = _HISTOGRAM * (now + then)  # of both

    def good(said: str) -> bool:
        if said == "As before":
            return abs(now - then) <= 0.05 + doubt
        word = "slower" if now > then else "faster"
        return says_seconds(said, abs(now - then), within=doubt / abs(now - then)) and (
            said.endswith(word) or abs(now - then) <= doubt
        )

    return good


def _cost_delta(asked: Asked) -> _Good | None:
    if asked.simulated or asked.before is None:
        return None
    (now, unpriced), (then, unpriced_then) = map(truth.cost, (asked.calls, asked.before.calls))
    if now is None or then is None or unpriced or unpriced_then:
        return None
    if abs(now - then) <= 0.00005:
        return _exactly("As before")
    word = "more" if now > then else "less"
    return lambda said: says_money(said, abs(now - then)) and said.endswith(word)


# -- links


def _links(shown: Sequence[tuple[str, dict[str, list[str]]]], asked: Asked) -> Iterator[str]:
    behind: dict[str, list[Row]] = {
        "failure": [call for call in truth.rated(asked.calls) if call["status"] != "ok"],
        "refusal": truth.refused(asked.calls),
        "call": asked.calls,
        "answer": truth.ok(asked.calls),
        "run": asked.saved,
    }
    for label, query in shown:
        if "since" not in query:
            continue
        thing = label.split()[1].removesuffix("s")
        if not says_count(label, len(behind[thing])):
            yield f"link {label}: {len(behind[thing])}"
        yield from _leads_to(label, query, behind[thing], asked)
        if (float(query["since"][0]), float(query["until"][0])) != (asked.since, asked.until):
            yield f"link {label}: of {query['since']} to {query['until']}, not of the period"


def _leads_to(
    label: str, query: Mapping[str, Sequence[str]], behind: Iterable[Row], asked: Asked
) -> Iterator[str]:
    """Whether the filters find exactly those, of whatever has not been removed."""
    runs = query["view"][0] == "runs"
    there = {row["id"] for row in (asked.left.runs if runs else asked.left.calls)}
    wanted = {str(row["id"]) for row in behind if row["id"] in there}
    found = asked.export(query)
    if runs:
        # What saved a run cannot be seen any more where its calls were removed.
        wanted = {name for name in wanted if asked.left.calls_by_run.get(name)}
        found = {name for name in found if asked.left.calls_by_run.get(name)}
    if wanted != found:
        yield f"link {label} leads to {len(found)}, not to {len(wanted)}"


# -- the table


def _table(shown: Sequence[Mapping[str, Any]], asked: Asked) -> Iterator[str]:
    several = "Model" in shown[0]
    by_model = truth.by(asked.calls, "provider", "model")
    if several != (len(by_model) > len(truth.by(asked.calls, "provider"))):
        yield "whether models have rows of their own"
    of = by_model if several else truth.by(asked.calls, "provider")
    if len(shown) != len(of):
        yield f"{len(shown)} rows, not {len(of)}"
    for row in shown:
        name = NAMES[row["Provider"]]
        calls = of[(name, row["Model"]) if several else name]
        for column, good in _columns(calls, simulated=asked.simulated).items():
            if column not in row or not good(row[column]):
                yield f"{row['Provider']}, {column}: {row.get(column)}"


def _columns(calls: Sequence[Row], *, simulated: bool) -> dict[str, _Good]:
    judged, answers = truth.rated(calls), truth.latencies(calls)
    sure = len(judged) >= truth.COMPARABLE
    valid, planned = truth.plans(calls)
    number = f"{len(judged):,} call{'' if len(judged) == 1 else 's'}"

    def seconds(part: float, values: Sequence[float]) -> _Good:
        few = "" if part == 0.5 else "too few"
        return _unless_none(truth.percentile(part, values), few, _near)

    columns: dict[str, _Good] = {
        "Success": _unless_none(truth.success_rate(calls) if sure else None, "", says_rate),
        "Range": (lambda said: says_range(said, *truth.wilson(len(truth.ok(judged)), len(judged))))
        if sure
        else _exactly(f"{number}: too few to judge"),
        "Calls": lambda said: says_count(said, len(calls)),
        "Refusals": lambda said: says_count(said, len(truth.refused(calls))),
        "p50": seconds(0.5, answers),
        "p95": seconds(0.95, answers),
        "p99": seconds(0.99, answers),
        "First word": seconds(0.5, truth.first_words(calls)),
        "Speed": _unless_none(
            truth.speed(calls), "", lambda said, true: said == f"{true:,.0f} tokens/s"
        ),
        "Valid plans": _unless_none(valid / planned if planned else None, "", says_rate),
    }
    if not simulated:
        columns["Cost per plan"] = _unless_none(truth.plan_cost(calls), "", says_money)
    return columns


def _trends(
    shown: Sequence[Mapping[str, Any]],
    charts: Sequence[tuple[str, list[dict[str, Any]]]],
    asked: Asked,
) -> Iterator[str]:
    """The lines in the table: straight ones through rates of the row's calls in stretches of the
    period, in the order of time, on the axis that its heading states."""
    marks = next((marks for alt, marks in charts if alt.startswith("Success rate over")), [])
    drawn = {mark[e] for mark in marks for e in _ENDS}
    # A model's stretches may end where none of its provider's does.
    edges = sorted({asked.since, asked.until} | drawn | {*_beginnings(asked)})
    for row in shown:
        (column,) = (name for name in row if name.startswith("Trend, "))
        line, lowest = row[column], float(column.split()[1]) / 100
        calls = [
            call
            for call in asked.calls
            if call["provider"] == NAMES[row["Provider"]]
            and row.get("Model", call["model"]) == call["model"]
        ]
        if any(not lowest - 1e-9 <= rate <= 1 for rate in line):
            yield f"{row['Provider']}: a trend of {min(line)} below its axis"
        if "Model" in row:
            yield from _ends_are_rates(row["Provider"], line, calls, edges)
            continue
        own = [mark["success_rate"] for mark in marks if mark["provider"] == NAMES[row["Provider"]]]
        if line and not _passes(line, own):
            yield f"{row['Provider']}: a trend through {line[0]} to {line[-1]}, not {own}"


_ENDS = ("since", "until")


def _beginnings(asked: Asked) -> Iterator[float]:
    """Of the viewer's days, half days and hours, as the period is short."""
    zone, days = ZoneInfo(asked.zone), (asked.until - asked.since) / 86_400
    hours = range(0, 24, 1 if days <= _DAYS["hour"] else 12 if days <= _DAYS["half day"] else 24)
    day = datetime.fromtimestamp(asked.since, zone).date()
    while day <= datetime.fromtimestamp(asked.until, zone).date():
        for hour in hours:
            moment = datetime(day.year, day.month, day.day, hour, tzinfo=zone).timestamp()
            if asked.since < moment < asked.until:
                yield moment
        day += timedelta(days=1)


def _passes(line: Sequence[float], rates: Sequence[float]) -> bool:
    """Through some of the rates, all but those that are cut off, from one straight to the next."""
    some = [rates[a:b] for a in (0, 1) for b in (len(rates), len(rates) - 1)]
    return any(
        len(part) > 0
        and (steps := max(2, 240 // max(len(part) - 1, 1))) * (len(part) - 1) + 1 == len(line)
        and all(
            _close(at, one + (two - one) * place / steps)
            for number, (one, two) in enumerate(pairwise(part))
            for place, at in enumerate(line[number * steps : (number + 1) * steps])
        )
        and _close(line[-1], part[-1])
        for part in some
    )


def _ends_are_rates(
    name: str, line: Sequence[float], calls: Sequence[Row], edges: Sequence[float]
) -> Iterator[str]:
    judged = truth.rated(calls)
    total, good = (
        [sum(call["started_at"] < edge for call in some) for edge in edges]
        for some in (judged, truth.ok(judged))
    )
    rates = {
        round((good[high] - good[low]) / (total[high] - total[low]), 9)
        for low, high in combinations(range(len(edges)), 2)
        if total[high] > total[low]
    }
    for end in (*line[:1], *line[-1:]):
        if round(end, 9) not in rates:
            yield f"{name}: a trend that ends at {end}"


# -- charts


def choice(page: Page, name: str) -> Iterator[str]:
    """What is said where that percentile was chosen."""
    for alt, marks in page.charts:
        if not alt.startswith("Latency over time"):
            continue
        slow, fast = (pick(marks, key=lambda mark: mark[name]) for pick in (max, min))
        said = re.findall(r"(?:Slowest|Fastest): .+? with (.+?), ", alt)
        if f"({name})" not in alt or said != [slow["took"], fast["took"]]:
            yield f"{alt}, not of {name}"
        for mark in marks:
            if not says_seconds(mark["took"], mark[name]):
                yield f"{mark['id']}: {mark['took']}, not {mark[name]}"


def _sparks(charts: Sequence[tuple[str, list[dict[str, Any]]]], asked: Asked) -> Iterator[str]:
    for alt, marks in charts:
        label, _, rest = alt.partition(" of all providers")
        for mark in marks if rest else ():
            tenth = 0.1 if label in _SPARKS else 0.0
            length = (mark["to"] - mark["from"]) / (1 - 2 * tenth) / 1000
            since = round(mark["from"] / 1000 - tenth * length)
            here = _within(asked, since, round(since + length))
            if not _SPARKS[label](here, mark["value"]):
                yield f"small chart {label}, {mark['when']}: {mark['value']}"
            yield from _said_when(label, mark | {"since": since}, asked)


def _close(value: float, true: float | None, *, within: float = 1e-9) -> bool:
    return true is not None and abs(value - true) <= within * max(abs(true), 1)


_SPARKS: dict[str, Callable[[Asked, float], bool]] = {
    "Success rate": lambda here, value: _close(value, truth.success_rate(here.calls)),
    "Calls": lambda here, value: value == len(here.calls),
    "Latency, p95": lambda here, value: _is_percentile(value, 0.95, here.calls),
    "Cost": lambda here, value: _close(value, truth.cost(here.calls)[0] or 0.0),
    "Saved runs": lambda here, value: value == len(here.saved),
}


def _is_percentile(value: float, part: float, calls: Sequence[Row]) -> bool:
    true = truth.percentile(part, truth.latencies(calls))
    return true is not None and abs(value - true) <= _HISTOGRAM * max(true, 0.00005)


def _within(asked: Asked, since: float, until: float) -> Asked:
    return Asked(
        asked.rows, asked.left, since, until, asked.zone, asked.simulated, False, asked.export
    )


def _charts(charts: Sequence[tuple[str, list[dict[str, Any]]]], asked: Asked) -> Iterator[str]:
    for alt, marks in charts:
        for begin, check in _CHARTS.items():
            if alt.startswith(begin):
                yield from (f"{begin}: {fault}" for fault in check(marks, asked))


def _of_provider(mark: Mapping[str, Any], calls: Iterable[Row]) -> list[Row]:
    return [call for call in calls if call["provider"] == mark["provider"]]


def _over_time(marks: Sequence[Mapping[str, Any]], asked: Asked) -> Iterator[str]:
    for mark in marks:
        calls = _of_provider(mark, _within(asked, mark["since"], mark["until"]).calls)
        found = (mark["calls"], mark["ok"], mark["rated"])
        true = (len(calls), len(truth.ok(calls)), len(truth.rated(calls)))
        if found != true:
            yield f"{mark['id']}: {found}, not {true}"
        yield from _said_when(mark["id"], mark, asked)
        yield from _is_an_edge(mark, asked)


def _success(marks: Sequence[Mapping[str, Any]], asked: Asked) -> Iterator[str]:
    yield from _over_time(marks, asked)
    each = truth.by(marks, "provider")
    for name, calls in truth.by(asked.calls, "provider").items():
        judged, shown = len(truth.rated(calls)), each.get(name, [])
        if sum(mark["rated"] for mark in shown) != judged:
            yield f"{name}: the marks do not add up to {judged}"
        if len(shown) > 1 and min(mark["rated"] for mark in shown) < truth.COMPARABLE:
            yield f"{name}: a mark on too few"
    for mark in marks:
        if not _close(mark["success_rate"], mark["ok"] / mark["rated"]):
            yield f"{mark['id']}: {mark['success_rate']}"
        if not says_rate(mark["success"], mark["ok"] / mark["rated"]):
            yield f"{mark['id']}: {mark['success']}"


def _latency(marks: Sequence[Mapping[str, Any]], asked: Asked) -> Iterator[str]:
    yield from _over_time(marks, asked)
    for mark in marks:
        calls = _of_provider(mark, _within(asked, mark["since"], mark["until"]).calls)
        if not all(_is_percentile(mark[name], part, calls) for name, part in _PARTS.items()):
            yield f"{mark['id']}: p50 {mark['p50']}, p95 {mark['p95']}"
        if not _near(mark["took"], truth.percentile(0.95, truth.latencies(calls)) or 0):
            yield f"{mark['id']}: {mark['took']}"
    enough = {
        name
        for name, calls in truth.by(asked.calls, "provider").items()
        if truth.percentile(0.95, truth.latencies(calls)) is not None
    }
    if enough != {mark["provider"] for mark in marks}:
        yield f"of {sorted({mark['provider'] for mark in marks})}, not of {sorted(enough)}"


_PARTS = {"p50": 0.5, "p95": 0.95}


def _distribution(marks: Sequence[Mapping[str, Any]], asked: Asked) -> Iterator[str]:
    for mark in marks:
        answers = truth.latencies(_of_provider(mark, asked.calls))
        true = sum(_in_bar(took, mark) for took in answers)
        if mark["calls"] != true:
            yield f"{mark['id']}: {mark['calls']}, not {true}"
        if not says_rate(mark["share"], true / len(answers)):
            yield f"{mark['id']}: {mark['share']}"
    total = len(truth.latencies(asked.calls))
    if sum(mark["calls"] for mark in marks) != total:
        yield f"the bars do not add up to {total}"


def _in_bar(took: float, mark: Mapping[str, Any]) -> bool:
    return bool(mark["low"] < took <= mark["high"] or took == mark["low"] == 0)


def _shares(marks: Sequence[Mapping[str, Any]], asked: Asked) -> Iterator[str]:
    true = Counter(call["provider"] for call in truth.ok(asked.calls))
    if {mark["provider"]: mark["ok"] for mark in marks} != true:
        yield f"{marks}, not {true}"
    for mark in marks:
        if not says_rate(mark["number"], true[mark["provider"]] / true.total()):
            yield f"{mark['label']}: {mark['number']}"


def _failures(marks: Sequence[Mapping[str, Any]], asked: Asked) -> Iterator[str]:
    true = truth.failed(asked.calls)
    shown = {(mark["provider"], mark["error_kind"]): mark["calls"] for mark in marks}
    if shown != dict(true.most_common(len(shown))) and shown.items() - true.items():
        yield f"{shown}, not {true}"
    hidden = [number for key, number in true.items() if key not in shown]
    if hidden and (len(shown) < 8 or max(hidden) > min(shown.values())):
        yield f"{hidden} are not shown"


def _saved(marks: Sequence[Mapping[str, Any]], asked: Asked) -> Iterator[str]:
    for mark in marks:
        here = _within(asked, mark["since"], mark["until"])
        if (mark["saved"], mark["runs"]) != (len(here.saved), len(here.runs)):
            yield f"{mark['when']}: {mark['saved']} of {mark['runs']}, not {len(here.saved)}"
    if sum(mark["saved"] for mark in marks) != len(asked.saved):
        yield f"the bars do not add up to {len(asked.saved)}"


_CHARTS: dict[str, Callable[[Sequence[Mapping[str, Any]], Asked], Iterator[str]]] = {
    "Success rate over time": _success,
    "Latency over time": _latency,
    "How long answers took": _distribution,
    "Share of answers": _shares,
    "Failures by reason": _failures,
    "Runs saved": _saved,
}


def _said_when(label: str, mark: Mapping[str, Any], asked: Asked) -> Iterator[str]:
    """The viewer's own day, or month."""
    start = datetime.fromtimestamp(mark["since"], ZoneInfo(asked.zone))
    if f"{start.day} {start:%b}" not in mark["when"] and f"{start:%B %Y}" not in mark["when"]:
        yield f"{label} at {start}: {mark['when']}"


def _is_an_edge(mark: Mapping[str, Any], asked: Asked) -> Iterator[str]:
    days = (asked.until - asked.since) / 86_400
    bucket = next((name for name, most in _DAYS.items() if days <= most), "month")
    for edge in {mark["since"], mark["until"]} - {asked.since, asked.until}:
        there = datetime.fromtimestamp(edge, ZoneInfo(asked.zone))
        begins = {
            "hour": True,
            "half day": there.hour in (0, 12),
            "day": there.hour == 0,
            "week": there.hour == 0 and there.weekday() == 0,
            "month": there.hour == 0 and there.day == 1,
        }
        if there.minute or not begins[bucket]:
            yield f"{mark['id']} is cut at {there}, which begins no {bucket}"


# -- numbers beside the charts

OPEN = ("success", "latency", "distribution", "share", "failures", "saved")  # panels


def numbers(page: Page) -> Iterator[str]:
    """Tables of the charts' marks: in the order of `OPEN`, all of them opened."""
    if len(page.tables) != 1 + len(OPEN):
        yield f"{len(page.tables)} tables"
        return
    for (begin, _), rows in zip(_CHARTS.items(), page.tables[1:], strict=True):
        marks = next(marks for alt, marks in page.charts if alt.startswith(begin))
        # Beside the chart of the most frequent ones there are the others, too.
        for row, mark in zip(rows, marks, strict=begin != "Failures by reason"):
            for column, said in row.items():
                if not _NUMBERS[column](said, mark):
                    yield f"{begin}, {column}: {said}, and the chart has {mark}"


_NUMBERS: dict[str, Callable[[Any, Mapping[str, Any]], bool]] = {
    "Provider": lambda said, mark: said == mark["label"],
    "Reason": lambda said, mark: said == mark["reason"],
    "When": lambda said, mark: said == mark["when"],
    "Took": lambda said, mark: said == mark["took"],
    "Success": lambda said, mark: says_rate(said, mark["success_rate"]),
    "Share": lambda said, mark: said == mark["share"],
    "Share of answers": lambda said, mark: says_rate(said, mark["share"]),
    "Calls": lambda said, mark: says_count(said, mark["calls"]),
    "Answers": lambda said, mark: says_count(said, mark["ok"]),
    "Of calls": lambda said, mark: says_count(said, mark["rated"]),
    "p50": lambda said, mark: says_seconds(said, mark["p50"]),
    "p95": lambda said, mark: says_seconds(said, mark["p95"]),
    "Saved runs": lambda said, mark: says_count(said, mark["saved"]),
    "Of runs": lambda said, mark: says_count(said, mark["runs"]),
}


# -- the links of marks


def lead_astray(panels: Mapping[str, Any], scope: Any, page: Page, asked: Asked) -> Iterator[str]:
    """Links of some marks of each chart that lead to other calls than those it counts."""
    rng = Random(asked.zone)
    behind = {
        "success": lambda mark, here: _of_provider(mark, here.calls),
        "latency": lambda mark, here: truth.ok(_of_provider(mark, here.calls)),
        "distribution": lambda mark, here: [
            call
            for call in truth.ok(_of_provider(mark, here.calls))
            if call["latency_ms"] is not None and _in_bar(call["latency_ms"] / 1000, mark)
        ],
        "share": lambda mark, here: truth.ok(_of_provider(mark, here.calls)),
        "failures": lambda mark, here: [
            call
            for call in _of_provider(mark, here.calls)
            if call["error_kind"] == mark["error_kind"]
        ],
        "saved": lambda mark, here: here.saved,
    }
    for (begin, _), (name, rows) in zip(_CHARTS.items(), behind.items(), strict=True):
        marks = next((marks for alt, marks in page.charts if alt.startswith(begin)), [])
        for mark in rng.sample(marks, min(_TAKEN, len(marks))):
            here = _within(asked, mark.get("since", asked.since), mark.get("until", asked.until))
            link, wanted = panels[name].lead(mark, scope), rows(mark, here)
            if not says_count(link.label, len(wanted)):
                yield f"{name}: {link.label}, not {len(wanted)}"
            query = {
                key: [value] if isinstance(value, str) else value
                for key, value in link.query.items()
            }
            yield from _leads_to(link.label, query, wanted, asked)
