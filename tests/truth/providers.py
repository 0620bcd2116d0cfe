"""Whether the Providers page says of each provider what is true."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from tests.truth import definitions as truth
from tests.truth.definitions import Row, Rows
from tests.truth.performance import NAMES
from tests.truth.shown import Page, says_count, says_money, says_range, says_rate, says_seconds

_FACT = re.compile(r":small\[:gray\[(.+?)\]\]\s+\*\*(.+)\*\*")
_HEAD = re.compile(r"#### \d+\. (.+)")
_WHY = re.compile(r"\*\*\d+\. (.+?)\*\*.*\n:small\[:gray\[(.+)\]\]")
_JUDGED = re.compile(r"(.+? %) of ([\d,]+) calls? \((.+? %)\)(?:, (.+?))?(?: · .+)?")
_HISTOGRAM = 0.0101


@dataclass
class Card:
    facts: dict[str, str] = field(default_factory=dict)
    earlier: str = ""  # what it says of calls of another model


def faults(
    page: Page, rows: Rows, models: Mapping[str, str], *, now: float, simulated: bool
) -> Iterator[str]:
    """`models`: which one of each provider is asked now."""
    there = ZoneInfo(page.zone)
    today = truth.midnight(datetime.fromtimestamp(now, there).date(), page.zone)
    calls = truth.by(rows.counted(today, now, simulated=simulated), "provider")
    yield from _evidence(page, rows, models, now=now, simulated=simulated)
    strips = iter(page.component("manyways.strip")[1:])  # after the legend
    for name, card in _cards(page).items():
        own = _present(calls.get(name, []), models[name])
        yield from (f"{name}: {fault}" for fault in _today(card.facts, own, simulated=simulated))
        others = len(calls.get(name, [])) - len(own)
        plural = "" if others == 1 else "s"
        said = f"Today also {others:,} call{plural} of an earlier model, not counted here."
        if card.earlier != (said if others else ""):
            yield f"{name}: {card.earlier}, not {others}"
        for edges in (_hours(now, there), _days(now, page.zone)):
            bars = next(strips)["bars"]
            yield from _strip(name, bars, edges, rows, simulated=simulated)


def _cards(page: Page) -> dict[str, Card]:
    """Of those that are set up."""
    cards: dict[str, Card] = {}
    name = ""
    for said in page.words:
        if head := _HEAD.match(said):
            name = NAMES[head[1]]
        if fact := _FACT.match(said):
            cards.setdefault(name, Card()).facts[fact[1]] = fact[2]
        if said.startswith("Today also"):
            cards[name].earlier = said
    return cards


def _evidence(
    page: Page, rows: Rows, models: Mapping[str, str], *, now: float, simulated: bool
) -> Iterator[str]:
    """Why an order is suggested: what each has done in thirty days."""
    month = truth.by(rows.counted(now - 30 * 86_400, now, simulated=simulated), "provider")
    for why in filter(None, map(_WHY.match, page.words)):
        name = NAMES[why[1]]
        if not _evidence_is(why[2], _present(month.get(name, []), models[name])):
            yield f"evidence of {why[1]}: {why[2]}"


def _present(calls: Sequence[Row], model: str) -> list[Row]:
    return [call for call in calls if call["model"] == model]


def _today(shown: Mapping[str, str], calls: Sequence[Row], *, simulated: bool) -> Iterator[str]:
    rate = truth.success_rate(calls)
    median = truth.percentile(0.5, truth.latencies(calls))
    dollars, unpriced = truth.cost(calls)
    note = f", {unpriced:,} call{'' if unpriced == 1 else 's'} without a price"
    cost = shown["Cost"]
    if simulated:
        good_cost = cost == "nothing (practice)"
    elif unpriced and not dollars:
        good_cost = cost == f"unknown{note}"
    else:
        good_cost = says_money(cost, dollars or 0.0) and cost.endswith(note) == bool(unpriced)
    good = {
        "Calls today": says_count(shown["Calls today"], len(calls)),
        "Answered": says_rate(shown["Answered"], rate)
        if rate is not None
        else shown["Answered"] == ("nothing to judge by" if calls else "no call yet"),
        "Median time": says_seconds(shown["Median time"], median, within=_HISTOGRAM)
        if median is not None
        else shown["Median time"] == "no answer yet",
        "Cost": good_cost,
    }
    yield from (f"{label}: {shown[label]}" for label, is_good in good.items() if not is_good)


def _evidence_is(said: str, calls: Sequence[Row]) -> bool:
    judged = truth.rated(calls)
    if not judged:
        return said.startswith("not asked yet")
    if len(judged) < truth.COMPARABLE:
        return says_count(said, len(judged)) and "too few to judge" in said
    found = _JUDGED.fullmatch(said)
    median = truth.percentile(0.5, truth.latencies(calls))
    good = len(truth.ok(judged))
    return (
        found is not None
        and says_rate(found[1], good / len(judged))
        and says_count(found[2], len(judged))
        and says_range(found[3], *truth.wilson(good, len(judged)))
        and (median is None or says_seconds(found[4], median, within=_HISTOGRAM))
    )


# -- strips


def _hours(now: float, there: ZoneInfo) -> list[float]:
    """The last 24 as clocks there show them, up to now."""
    moment = datetime.fromtimestamp(now, there)
    last = int(now) - moment.minute * 60 - moment.second
    return [*(last - 3600.0 * back for back in range(23, -1, -1)), now]


def _days(now: float, zone: str) -> list[float]:
    today = datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    days = (today - timedelta(days=back) for back in range(6, -1, -1))
    return [*(truth.midnight(day, zone) for day in days), now]


def _strip(
    name: str,
    bars: Sequence[tuple[str, str]],
    edges: Sequence[float],
    rows: Rows,
    *,
    simulated: bool,
) -> Iterator[str]:
    for (_, said), (since, until) in zip(bars, pairwise(edges), strict=True):
        calls = rows.counted(since, until, simulated=simulated)
        own = [call for call in calls if call["provider"] == name]
        words = f"{len(truth.ok(own))} of {len(own)} call{'' if len(own) == 1 else 's'} answered"
        if (words if own else "not asked") not in said:
            yield f"{name}, {said}, not {words}"
