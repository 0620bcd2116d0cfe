"""Every figure of the Performance page, for viewers of five time zones."""

import re
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.truth import definitions as truth
from tests.truth import histories
from tests.truth.audit import ZONES, audited
from tests.truth.definitions import Rows
from tests.truth.performance import OPEN, numbers
from tests.truth.shown import Page
from tests.truth.test_runs import SET_UP

ODD = [name for name in histories.HISTORIES if name not in ("months", "clocks")]
PERIODS = dict.fromkeys(ZONES, ("24h", "7d", "all"))
PERIODS["Pacific/Auckland"] = ("24h", "7d", "30d", "90d")


@pytest.mark.parametrize("zone", ZONES)
def test_presets(zone, written):
    path = written("months")
    with histories.console(path):
        page = Page(zone)
        for name in PERIODS[zone]:
            assert audited(path, page, {"period": name}, name=name) == [], name


def test_practice(written):
    path = written("months")
    with histories.console(path):
        page = Page("Europe/Berlin")
        assert audited(path, page, {"period": "30d"}, name="30d", simulated=True) == []


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
def test_days_on_which_clocks_change(zone, written):
    path = written("clocks")
    year = datetime.now(UTC).year - 1
    year_began = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    with histories.console(path):
        page = Page(zone)
        days = changes(zone, year_began, year_began + 365 * 86_400)
        for day in days or [datetime(year, 10, 25).date()]:
            for first, last in ((day, day), (day.replace(day=max(day.day - 3, 1)), day)):
                query = {"from": first.isoformat(), "to": last.isoformat()}
                since = truth.midnight(first, zone)
                until = truth.midnight(datetime.fromordinal(last.toordinal() + 1).date(), zone)
                assert audited(path, page, query, since=since, until=until) == [], (first, last)
        assert audited(path, page, {"period": "all"}, name="all") == []


@pytest.mark.parametrize("name", ODD)
def test_odd_histories(name, written):
    path = written(name)
    with histories.console(path):
        page = Page("Asia/Kolkata")
        for period in ("24h", "all"):
            simulated = name == "practice"
            found = audited(path, page, {"period": period}, name=period, simulated=simulated)
            assert found == [], period


def test_what_was_removed_is_counted_still(written, tmp_path):
    path = tmp_path / "console.db"
    histories.write("months", path)
    rows = Rows.of(path)
    with histories.console(path) as given:
        histories.removed(given, time.time() - 20 * histories.DAY)
        page = Page("America/New_York")
        for name in ("7d", "30d", "all"):
            assert audited(path, page, {"period": name}, name=name, rows=rows) == [], name


def test_numbers_beside_the_charts(written):
    with histories.console(written("months")):
        page = Page("Asia/Kolkata")
        opened = {f"numbers {name} 7d None None False": True for name in OPEN}
        query = {"period": "7d", "simulated": "false"}
        assert [*numbers(page.open("performance/performance.py", query, **opened))] == []


FORECAST = re.compile(r"judged by ([\d,]+) earlier answers?\.")


def test_a_forecast_says_how_many_answers_it_stands_on(written):
    path = written("months")
    with histories.console(path, SET_UP) as given:
        lineup = given.engine.lineup
        able = lineup.eligible(simulated=False)
        models = {(name, lineup.model_of(name, simulated=False)) for name in able}
        given.engine.choices.set("after_planning", "run")
        said = " ".join(Page().open("run/run_plan.py", {}).texts)
        given.engine.choices.set("after_planning", None)
        now = time.time()
        month = Rows.of(path).counted(now - 30 * 86_400, now, simulated=False)
        answers = [c for c in truth.ok(month) if (c["provider"], c["model"]) in models]
        assert FORECAST.findall(said) == [f"{len(answers):,}"]
