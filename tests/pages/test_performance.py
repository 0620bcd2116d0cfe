"""The Performance page without a browser: empty, full, in any period, and failing."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest
from streamlit.testing.v1 import AppTest

from core import periods
from core.engine import Engine
from core.settings import read_settings
from core.types import Period
from core.ui import performance_reading as reads
from core.ui import services
from core.ui.performance_links import Scope
from core.ui.performance_panels import PANELS
from core.ui.performance_reading import Asked, Question
from core.ui.performance_table import doubt
from db.believable import believable
from db.fill import fill
from db.filters import filter_from, run_filter_from
from db.history import SqliteHistory
from db.performance import Performance
from db.queries import Archive
from db.settings import Choices
from tests.pages.words import text

MAIN = Path(__file__).parent.parent.parent / "core" / "ui" / "main.py"


@contextmanager
def running(path) -> Iterator[services.Services]:
    history = SqliteHistory.open(path)
    archive = Archive(path)
    engine = Engine(read_settings({}, None), history, archive, Choices(history))
    given = services.Services(engine, archive, Performance(archive))
    services.provide(given)
    try:
        yield given
    finally:
        services.provide(None)
        engine.close()
        archive.close()
        history.close()


@pytest.fixture
def empty(tmp_path):
    with running(tmp_path / "console.db") as given:
        yield given


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Sixty days until now."""
    path = tmp_path_factory.mktemp("performance") / "console.db"
    fill(path, believable(6000, days=60, until=time.time() - 60))
    return path


@pytest.fixture
def full(filled):
    """With a fire drill's call and one under way, which count nowhere."""
    with running(filled) as given:
        again(filled, drilled="1")
        again(filled, status="'running'")
        yield given


def again(path, **changes):
    """The last answer once more, but for these changes."""
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(call)")][1:]
        values = ", ".join(changes.get(column, column) for column in columns)
        connection.execute(
            f"""
            INSERT INTO call SELECT (SELECT max(id) + 1 FROM call), {values}
              FROM call WHERE id = (SELECT max(id) FROM call WHERE status = 'ok' AND NOT drilled)
            """
        )


def opened(**query: str) -> AppTest:
    test = AppTest.from_file(str(MAIN), default_timeout=60)
    test.run()
    for name, value in query.items():
        test.query_params[name] = value
    test.switch_page("views/performance.py").run()
    assert not test.exception
    return test


def links(test: AppTest) -> dict[str, str]:
    return {
        link.proto.label.replace("\\", ""): link.proto.query_string
        for link in test.get("page_link")
    }


def counted(given: services.Services, query) -> int:
    """How many calls or runs the history shows at that address."""
    asked = {name: [value] if isinstance(value, str) else value for name, value in query.items()}
    if asked.pop("view") == ["runs"]:
        return given.records.count_runs(run_filter_from(asked))
    return given.records.count_calls(filter_from(asked))


def number(label: str) -> int:
    return int(label.split()[0].replace(",", ""))


def test_without_calls_it_says_what_will_be_here(empty):
    page = opened()
    assert "No calls in this period yet. Run a plan" in text(page)
    assert not page.metric
    assert not page.dataframe


def test_a_period_without_calls_leads_to_a_longer_one(full):
    page = opened(**{"from": "2020-01-01", "to": "2020-01-02"})
    assert "Choose a longer one above" in text(page)


def test_a_full_page_has_its_figures_its_table_and_its_charts(full):
    page = opened(period="30d")
    assert [metric.label for metric in page.metric] == [
        "Success rate", "Calls", "Latency, p95", "Cost", "Saved by fallback",
    ]  # fmt: skip
    assert "compared with the 30 days before" in text(page)
    assert len(page.dataframe[0].value) == 7
    said = [chart.proto.alt for chart in page.get("vega_lite_chart")]
    said = said or [chart.proto.alt for chart in page.get("arrow_vega_lite_chart")]
    assert len(said) == len(PANELS)
    assert all(said)


@pytest.mark.parametrize("period", ["24h", "7d", "30d", "90d", "all"])
def test_each_card_leads_to_as_many_as_it_says(period, full):
    found = {
        label: query for label, query in links(opened(period=period)).items() if "since" in query
    }
    assert found
    for label, query in found.items():
        assert counted(full, parse_qs(query)) == number(label)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_each_mark_of_each_chart_leads_to_as_many_as_it_says(zone, full):
    there = ZoneInfo(zone)
    for name in ("24h", "7d", "90d"):
        period = periods.preset(name, now=time.time(), zone=there)
        question = Question(full.records.version(), period, True, zone)
        reading = reads._read_anew(question, Asked(name, None, None, True))
        scope = Scope(period, True)
        for panel in PANELS.values():
            for chart in panel.charts:
                for mark in reading.charts[chart].marks:
                    link = panel.lead(mark, scope)
                    assert counted(full, dict(link.query)) == number(link.label), link


def test_the_drilled_and_the_running_count_nowhere(full, filled):
    everything = Scope(Period(0, 1e11), True)
    before = counted(full, everything.calls(0).query)
    again(filled, drilled="1")
    again(filled, status="'running'")
    assert full.performance.summary(everything.period, simulated=True).calls == before
    assert counted(full, everything.calls(0).query) == before
    assert full.records.count_calls(filter_from({"simulated": ["true"]})) >= before + 2


# -- two dates


def test_two_dates_are_days_of_the_viewer_both_included(full):
    now = datetime.now(UTC)
    page = opened(**{"from": f"{now:%Y-%m}-01", "to": f"{now:%Y-%m-%d}"})
    assert page.date_input[0].value[0].day == 1
    assert page.metric


@pytest.mark.parametrize(
    ("first", "last"),
    [("0001-01-01", "9999-12-31"), ("2026-01-01", "9999-12-31"), ("9999-12-31", "9999-12-31")],
)
def test_dates_too_far_off_are_the_nearest_there_can_be_calls_on(first, last, full):
    page = opened(**{"from": first, "to": last})
    shown = page.date_input[0].value
    assert all(1970 <= day.year < 2200 for day in shown)
    assert len(page.metric) == (0 if first == last else 5)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_of_23_or_25_hours_is_whole(day, hours, full):
    there = ZoneInfo("Europe/Berlin")
    asked = Asked(
        "dates", datetime.fromisoformat(day).date(), datetime.fromisoformat(day).date(), True
    )
    period = reads.period_of(asked, there, first=None)
    assert period.until - period.since == hours * 3600
    assert len(periods.scale(period, zone=there).edges) == hours + 1


@pytest.mark.parametrize(
    "query",
    [
        {"period": "century"},
        {"from": "yesterday", "to": "today"},
        {"from": "2026-01-01"},
        {"simulated": "perhaps"},
    ],
)
def test_what_is_asked_for_wrongly_is_as_if_it_were_not(query, full):
    assert "compared with the 7 days before" in text(opened(**query))


# -- doubt and failure


def test_few_calls_are_too_few_to_judge():
    assert doubt(3, 3) == "3 calls: too few to judge"
    assert doubt(1, 1) == "1 call: too few to judge"
    assert doubt(95, 100) == "88.8 to 97.8 %"


def test_a_history_that_cannot_be_read_is_said_in_words(tmp_path):
    path = tmp_path / "console.db"
    with running(path):
        page = opened()
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript("DROP TABLE call_rollup; DROP TABLE run_rollup;")
            connection.executescript("DROP TABLE call; DROP TABLE setting;")
        page.run()
        assert not page.exception
        assert page.error
        assert any(button.label == "Try again" for button in page.button)


# -- speed


def test_drawing_the_same_again_reads_nothing_anew(full):
    page = opened(period="30d")
    kept = page.session_state["performance_reading"]
    page.run()
    assert page.session_state["performance_reading"] is kept
