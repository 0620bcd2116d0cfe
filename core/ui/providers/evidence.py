"""The history's figures for the providers' cards, read once per change of it."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

import streamlit as st

from core.insight.strips import Cell, Count, cells, rests
from core.routing.ranking import TrackRecord
from core.ui.services import Services
from core.values.periods import DAY, Period, midnight

if TYPE_CHECKING:
    import pandas as pd

LOOKS_BACK = 30  # days, for the suggestion


@dataclass(frozen=True, slots=True)
class Today:
    """One provider's present model since midnight. Rate 0..1, median in seconds; None: unknown."""

    calls: int = 0
    rate: float | None = None
    rated: int = 0
    median: float | None = None
    cost: float = 0.0  # US dollars, as far as prices are known
    unpriced: int = 0  # calls without a price
    earlier: int = 0  # more calls, of another model than the present one


@dataclass(frozen=True, slots=True)
class Evidence:
    """By provider; one that was never asked has no row. `records` are of the present models."""

    today: Mapping[str, Today]
    hours: Mapping[str, tuple[Cell, ...]]
    days: Mapping[str, tuple[Cell, ...]]
    records: Mapping[str, TrackRecord]

    @classmethod
    def unknown(cls, names: Iterable[str]) -> Evidence:
        """What there is to show while the history cannot be read."""
        nothing: dict[str, tuple[Cell, ...]] = {name: () for name in names}
        return cls({}, nothing, nothing, {})


def gather(
    services: Services, names: tuple[str, ...], *, simulated: bool, zone: tzinfo
) -> Evidence:
    """Raises HistoryUnavailable when the file cannot be read."""
    now = time.time()
    lineup = services.engine.lineup
    models = tuple(lineup.model_of(name, simulated=simulated) for name in names)
    # Kept until something is recorded or a minute has passed.
    key = (id(services.engine), services.records.version(), int(now // 60), str(zone))
    return _gathered(key, names, models, simulated, services, zone)


@st.cache_resource(max_entries=16, show_spinner=False)
def _gathered(
    key: tuple[object, ...],
    names: tuple[str, ...],
    models: tuple[str, ...],
    simulated: bool,
    _services: Services,
    _zone: tzinfo,
) -> Evidence:
    now = time.time()
    today = datetime.fromtimestamp(now, _zone).date()
    performance = _services.performance
    since = midnight(today, _zone)
    hour_edges = _hours(now, _zone)
    day_edges = [*(midnight(today - timedelta(days=back), _zone) for back in range(6, -1, -1)), now]
    # A day earlier than shown: a rest may have begun then.
    attempts = _services.records.around_failures(day_edges[0] - DAY, simulated=simulated)
    policy = _services.engine.policy
    rested = {
        name: rests((a for a in attempts if a.provider == name), policy=policy) for name in names
    }
    present = set(zip(names, models, strict=True))
    hours = _counts(
        performance.over_time(Period(hour_edges[0], now), hour_edges[:-1], simulated=simulated)
    )
    days = _counts(
        performance.over_time(Period(day_edges[0], now), day_edges[:-1], simulated=simulated)
    )
    recent = performance.by_model(Period(now - LOOKS_BACK * DAY, now), simulated=simulated)
    return Evidence(
        _today(performance.by_model(Period(since, now), simulated=simulated), present),
        {name: cells(hour_edges, hours.get(name, {}), rested[name]) for name in names},
        {name: cells(day_edges, days.get(name, {}), rested[name]) for name in names},
        {
            row["provider"]: TrackRecord(row["ok"], row["rated"], _known(row["p50"]))
            for row in recent.to_dict("records")
            if (row["provider"], row["model"]) in present
        },
    )


def _hours(now: float, zone: tzinfo) -> list[float]:
    """The last 24 hours as clocks there show them, the one that runs cut off at `now`."""
    there = datetime.fromtimestamp(now, zone)
    last = math.floor(now) - there.minute * 60 - there.second
    return [*(float(last - 3600 * back) for back in range(23, -1, -1)), now]


def _counts(frame: pd.DataFrame) -> dict[str, dict[float, Count]]:
    counts: dict[str, dict[float, Count]] = {}
    for row in frame.to_dict("records"):
        count = Count(row["calls"], row["ok"], row["rated"])
        counts.setdefault(row["provider"], {})[row["start"]] = count
    return counts


def _today(frame: pd.DataFrame, present: Container[tuple[str, str]]) -> dict[str, Today]:
    found: dict[str, Today] = {}
    earlier: Counter[str] = Counter()
    for row in frame.to_dict("records"):
        name = row["provider"]
        if (name, row["model"]) not in present:
            earlier[name] += row["calls"]
            continue
        found[name] = Today(
            row["calls"],
            _known(row["success_rate"]),
            row["rated"],
            _known(row["p50"]),
            _known(row["cost_usd"]) or 0.0,
            row["unpriced"],
        )
    for name, calls in earlier.items():
        found[name] = replace(found.get(name, Today()), earlier=calls)
    return found


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
