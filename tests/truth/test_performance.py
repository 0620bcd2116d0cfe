"""Every figure of the Performance page, for viewers of five time zones."""

import csv
import io
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.ui.performance.links import Scope
from core.ui.performance.panels import PANELS
from core.values.periods import Period
from db.lists.export import export_csv
from tests.truth import definitions as truth
from tests.truth import histories
from tests.truth.definitions import Rows
from tests.truth.performance import Asked, faults, lead_astray
from tests.truth.shown import Page

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]
PERFORMANCE = "performance/performance.py"
ODD = [name for name in histories.HISTORIES if name not in ("months", "clocks")]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Paths of histories, each written once."""
    folder, made = tmp_path_factory.mktemp("truth"), {}

    def path(name):
        if name not in made:
            made[name] = folder / f"{name}.db"
            histories.write(name, made[name])
        return made[name]

    return path


def audited(path, page, query, *, rows=None, since=None, until=None, name="7d", simulated=False):
    """What the page says that is not so. `rows`: those that figures count, if some are removed."""
    rows, left = rows or Rows.of(path), Rows.of(path)
    while True:
        begun = time.time()
        page.open(PERFORMANCE, {**query, "simulated": str(simulated).lower()})
        if begun // 60 == time.time() // 60:
            break
    if since is None:
        first = rows.first_figure(simulated=simulated)
        since, until = truth.period(name, now=begun, zone=page.zone, first=first)

    def export(filters):
        return [*csv.DictReader(io.StringIO("".join(export_csv(path, filters))))]

    asked = Asked(
        rows, left, since, until, page.zone, simulated, name != "all", export
    )
    scope = Scope(Period(since, until), simulated)
    return [*faults(page, asked), *lead_astray(PANELS, scope, page, asked)]


@pytest.mark.parametrize("zone", ZONES)
def test_presets(zone, written):
    path = written("months")
    with histories.console(path):
        page = Page(zone)
        for name in ("24h", "7d", "30d", "90d", "all"):
            assert audited(path, page, {"period": name}, name=name) == [], name
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
        for period in ("24h", "7d", "all"):
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
        for name in ("24h", "7d", "30d", "90d", "all"):
            assert audited(path, page, {"period": name}, name=name, rows=rows) == [], name
