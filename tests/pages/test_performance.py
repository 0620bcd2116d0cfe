"""The Performance page without a browser: empty, full, in any period, and failing."""

import math
import re
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

from core.config.settings import read_settings
from core.running.engine import Engine
from core.ui import services
from core.ui.performance import period_data as reads
from core.ui.performance.links import Scope
from core.ui.performance.panels import PANELS
from core.ui.performance.period_data import Asked, Question
from core.ui.performance.table import doubt
from core.values import periods
from core.values.history.filters import filter_from, run_filter_from
from core.values.outcomes import ErrorKind
from core.values.periods import Period
from core.values.wording import day_in_words
from db.choices import Choices
from db.figures.performance import Performance
from db.figures.rollup import SHORTEST
from db.lists.queries import Archive
from db.sample.believable import believable
from db.sample.fill import fill
from db.sqlite.writer import SqliteHistory
from db.upkeep.removal import remove_numbers
from tests.pages.words import text
from tests.recording import answers, failed, record

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
    test.switch_page("performance/performance.py").run()
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
    assert len(said) > len(PANELS)  # the cards have small ones
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
    kept = page.session_state["performance_data"]
    page.run()
    assert page.session_state["performance_data"] is kept


# -- what is said of calls that were really made


def captions(test: AppTest) -> str:
    return "\n".join(caption.value for caption in test.caption).replace("\\", "")


def values(test: AppTest) -> dict[str, str]:
    return {metric.label: metric.value.replace("\\", "") for metric in test.metric}


def lately(days: float = 0.0) -> float:
    return time.time() - 3600 - days * 86_400


def test_what_nobody_can_tell_yet_is_no_figure(empty):
    record(empty.engine.history, *answers(1, 30, started_at=lately()))
    page = opened(simulated="false")
    assert values(page)["Latency, p95"] == "Too few"
    assert "Too few answers yet: it takes 20." in captions(page)
    assert "p95 takes 20 of one provider" in captions(page)
    row = page.dataframe[0].value.iloc[0]
    assert (row["p95"], row["p99"]) == (math.inf, math.inf)  # said to be too few, and last in order


def test_a_cost_says_which_calls_have_no_price(empty):
    priced = answers(*[1] * 3, started_at=lately(), cost_usd=0.002)
    record(empty.engine.history, *priced, *answers(*[1] * 5, started_at=lately()))
    page = opened(simulated="false")
    assert values(page)["Cost"] == "At least $0.0060"
    assert "5 calls without a price" in captions(page)


def test_practice_costs_nothing_and_is_called_so(empty):
    some = answers(*[1] * 25, started_at=lately(), cost_usd=39.6, simulated=True)
    record(empty.engine.history, *some)
    page = opened(simulated="true")
    assert values(page)["Cost"] == "Nothing"
    assert "Practice" in captions(page)
    assert "$" not in captions(page)
    assert not any("Cost" in column for column in page.dataframe[0].value.columns)


def test_failures_and_the_rate_add_up_and_refusals_have_a_figure_of_their_own(empty):
    refused = [failed(ErrorKind.REFUSED, started_at=lately()) for _ in range(12)]
    others = [failed(ErrorKind.BAD_REQUEST, started_at=lately()), failed(started_at=lately())]
    record(empty.engine.history, *answers(*[1] * 18, started_at=lately()), *refused, *others)
    page = opened(simulated="false")
    assert values(page)["Success rate"] == "94.7 %"
    assert "18 of 19 calls that say something of it" in captions(page)
    found = {label: query for label, query in links(page).items() if "since" in query}
    assert {"1 failure", "12 refusals", "32 calls"} <= found.keys()
    for label, query in found.items():
        assert counted(empty, parse_qs(query)) == number(label)
    row = page.dataframe[0].value.iloc[0]
    assert (row["Calls"], row["Refusals"]) == (32, 12)


def test_a_model_that_took_over_has_a_row_of_its_own(empty):
    old = [failed(started_at=lately(2), model="old") for _ in range(20)]
    record(empty.engine.history, *old, *answers(*[1] * 20, started_at=lately(), model="new"))
    shown = opened(simulated="false").dataframe[0].value
    assert [*zip(shown["Model"], shown["Success"], strict=True)] == [("new", 1), ("old", 0)]


# -- the period before


def before_and_now(history, before, now):
    """Each: how many answered, and how many failed, of a week and the one before."""
    record(history, *answers(1, started_at=lately(30)))
    for days, (ok, wrong) in ((8, before), (0, now)):
        some = answers(*[1] * ok, started_at=lately(days))
        record(history, *some, *[failed(started_at=lately(days)) for _ in range(wrong)])


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ((1, 1), (20, 0), "Too few calls to compare"),
        ((20, 0), (1, 1), "Too few calls to compare"),
        ((18, 2), (20, 0), "No clear change"),
        ((10, 20), (30, 0), "66.7 points better"),
        ((30, 0), (10, 20), "66.7 points worse"),
    ],
)
def test_rates_are_compared_where_chance_would_hardly_part_them(before, now, said, empty):
    before_and_now(empty.engine.history, before, now)
    page = opened(simulated="false")
    assert said in captions(page)
    assert ("points" in captions(page)) == ("points" in said)


def test_a_period_is_not_compared_with_one_that_the_history_does_not_reach(empty):
    record(empty.engine.history, *answers(*[1] * 20, started_at=lately(8)))
    record(empty.engine.history, *answers(*[1] * 30, started_at=lately()))
    page = opened(simulated="false")
    assert "not compared with the 7 days before: the history begins on " in captions(page)
    assert not re.search("more|fewer|better|slower|compare with", captions(page))


# -- what was removed


def test_all_of_it_begins_with_the_oldest_figure_and_says_that_its_calls_were_removed(empty):
    history = empty.engine.history
    for days in (40, 20, 1):
        record(history, *answers(*[1] * 5, started_at=lately(days)))
    history.submit(lambda writer: remove_numbers(writer, lately(10), 1000)).result()
    page = opened(simulated="false", period="all")
    assert values(page)["Calls"] == "15"
    day = day_in_words(datetime.fromtimestamp(lately(20) + SHORTEST, UTC), year=True)
    (said,) = re.findall(r"The calls before .*", captions(page))
    assert re.fullmatch(
        rf"The calls before {day}(, \d\d:\d\d)? were removed; their figures are kept\.", said
    )
    shown = {link.proto.label: link.proto.help for link in page.get("page_link")}
    assert shown["15 calls"] == said
    page.query_params.clear()
    for name, (value,) in parse_qs(links(page)["15 calls"]).items():
        page.query_params[name] = value
    page.switch_page("history/history.py").run()
    assert said in captions(page)
    page.query_params["counted"] = "false"
    assert said not in captions(page.run())
    assert "removed" not in captions(opened(simulated="false", period="7d"))
    history.submit(lambda writer: remove_numbers(writer, lately(0), 1000)).result()
    page = opened(simulated="false", period="all")
    assert values(page)["Calls"] == "15"
    assert "were removed; their figures are kept." in captions(page)
    then = datetime.fromtimestamp(lately(20), UTC).date().isoformat()
    page = opened(**{"simulated": "false", "from": then, "to": then})
    assert "These calls were removed; their figures are kept." in captions(page)
