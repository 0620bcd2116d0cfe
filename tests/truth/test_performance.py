"""Every figure of the Performance page, for viewers of five time zones."""

import re
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.truth import definitions as truth
from tests.truth import histories
from tests.truth.audit import ZONES, audited
from tests.truth.conftest import Opened
from tests.truth.definitions import Rows
from tests.truth.performance import OPEN, choice, numbers
from tests.truth.shown import Page

ODD = [name for name in histories.HISTORIES if name not in ("months", "clocks")]
PERIODS = dict.fromkeys(ZONES, ("24h", "7d", "all"))
PERIODS["Pacific/Auckland"] = ("24h", "7d", "30d", "90d")
PERFORMANCE = "performance/performance.py"


@pytest.mark.parametrize("zone", ZONES)
def test_presets(zone, console):
    opened = console("months", zone)
    for name in PERIODS[zone]:
        assert audited(opened, {"period": name}, name=name) == [], name


def test_practice(console):
    opened = console("months", "Europe/Berlin")
    assert audited(opened, {"period": "30d"}, name="30d", simulated=True) == []


def changes(zone, since, until):
    """Days on which clocks change there."""
    there = ZoneInfo(zone)
    day, found = since, []
    while day < until:
        both = (datetime.fromtimestamp(at, there) for at in (day, day + 86_400))
        if len({each.utcoffset() for each in both}) > 1:
            found.append(datetime.fromtimestamp(day + 43_200, there).date())
        day += 86_400
    return found


@pytest.mark.parametrize("zone", ZONES)
def test_days_on_which_clocks_change(zone, console):
    opened = console("clocks", zone)
    year = datetime.now(UTC).year - 1
    year_began = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    days = changes(zone, year_began, year_began + 365 * 86_400)
    for place, day in enumerate(days or [datetime(year, 10, 25).date()]):
        # The day by itself in spring, and in some days together in autumn; elsewhere otherwise.
        together = (place + ZONES.index(zone)) % 2
        first = day.replace(day=max(day.day - 3 * together, 1))
        query = {"from": first.isoformat(), "to": day.isoformat()}
        since = truth.midnight(first, zone)
        until = truth.midnight(day + timedelta(days=1), zone)
        assert audited(opened, query, since=since, until=until) == [], (first, day)
    assert audited(opened, {"period": "all"}, name="all") == []


@pytest.mark.parametrize("name", ODD)
def test_odd_histories(name, console):
    opened = console(name, "Asia/Kolkata")
    for period in ("24h", "all"):
        simulated = name == "practice"
        found = audited(opened, {"period": period}, name=period, simulated=simulated)
        assert found == [], period


def test_what_was_removed_is_counted_still(tmp_path):
    path = tmp_path / "console.db"
    histories.write("months", path)
    rows = Rows.of(path)
    with histories.console(path) as given:
        histories.removed(given, time.time() - 20 * histories.DAY)
        opened = Opened(path, given, Page("America/New_York"))
        for name in ("7d", "all"):
            assert audited(opened, {"period": name}, name=name, rows=rows) == [], name


def test_numbers_beside_the_charts(console):
    page = console("months", "Asia/Kolkata").page
    opened = {f"numbers {name} 7d None None False": True for name in OPEN}
    query = {"period": "7d", "simulated": "false"}
    assert [*numbers(page.open(PERFORMANCE, query, **opened))] == []


@pytest.mark.parametrize("zone", ZONES)
def test_the_latency_chart_shows_the_percentile_that_was_chosen(zone, console):
    page = console("months", zone).page
    for name in ("p95", "p50"):
        chosen = {"which latency 30d None None False": name}
        page.open(PERFORMANCE, {"period": "30d", "simulated": "false"}, **chosen)
        assert [*choice(page, name)] == []


FORECAST = re.compile(r"judged by ([\d,]+) earlier answers?\.")


def test_a_forecast_says_how_many_answers_it_stands_on(console):
    opened = console("months")
    choices, lineup = opened.given.engine.choices, opened.given.engine.lineup
    able = lineup.eligible(simulated=False)
    models = {(name, lineup.model_of(name, simulated=False)) for name in able}
    choices.set("after_planning", "run")
    said = " ".join(opened.page.open("run/run_plan.py", {}).texts)
    choices.set("after_planning", None)
    now = time.time()
    month = opened.rows.counted(now - 30 * 86_400, now, simulated=False)
    answers = [c for c in truth.ok(month) if (c["provider"], c["model"]) in models]
    assert FORECAST.findall(said) == [f"{len(answers):,}"]
