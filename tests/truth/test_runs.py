"""Every figure of History, of a run's files and of the API, and of the Providers page."""

import time
from random import Random

import pytest

from tests.truth import definitions as truth
from tests.truth import histories, pages, providers, runs
from tests.truth.audit import ZONES

HISTORY, PROVIDERS_PAGE = "history/history.py", "providers/providers.py"
RUN_PLAN, COMPARE = "run/run_plan.py", "run/compare.py"


def since_midnight(rows, days, zone):
    since, _ = truth.period(f"{days}d", now=time.time(), zone=zone, first=None)
    return [row for row in rows if row["started_at"] >= since]


def filters(rows, zone):
    """Addresses of the History page, and what each lets through."""
    week = {"view": "calls", "period": "7d"}
    yield {"view": "runs"}, rows.runs
    yield {"view": "calls"}, rows.calls
    yield week, since_midnight(rows.calls, 7, zone)
    yield (
        {"view": "runs", "period": "30d", "simulated": "false", "provider": ["kimi", "google"]},
        [
            run
            for run in since_midnight(rows.runs, 30, zone)
            if not run["simulated"]
            and {"kimi", "google"} & {c["provider"] for c in rows.calls_by_run.get(run["id"], ())}
        ],
    )
    yield (
        {**week, "status": "failed", "error_kind": ["refused", "timeout"], "counted": "true"},
        [
            call
            for call in since_midnight(rows.calls, 7, zone)
            if call["error_kind"] in ("refused", "timeout") and not call["drilled"]
        ],
    )
    yield {"view": "runs", "saved": "true"}, [run for run in rows.runs if rows.saved(run)]
    yield (
        {"view": "calls", "provider": "openai", "model": "second", "slower_than": "1.5"},
        [
            call
            for call in rows.calls
            if (call["provider"], call["model"]) == ("openai", "second")
            and (call["latency_ms"] or 0) > 1500
        ],
    )


@pytest.mark.parametrize("zone", ZONES)
def test_lists_and_what_they_are_exported_as(zone, console):
    opened = console("months", zone)
    rows, page = opened.rows, opened.page
    for query, wanted in filters(rows, zone):
        page.open(HISTORY, query)
        found = [*runs.listed(page, rows, wanted, calls=query["view"] == "calls")]
        assert found == [], query
        if zone != "UTC" and "period" not in query:
            continue  # it is the same everywhere
        table, lines = opened.got(*(url.removeprefix("autonomous") for url in page.downloads))
        assert [*runs.exported(table.text, lines.text, wanted, rows)] == [], query


@pytest.mark.parametrize("name", [name for name in histories.HISTORIES if name != "clocks"])
def test_runs_beside_the_list_and_taken_away(name, console):
    opened = console(name, "Pacific/Auckland")
    rows, page = opened.rows, opened.page
    ended = [run for run in rows.runs if run["status"] != "running"]
    some = Random(0).sample(ended, min(6 if name in ("months", "plans") else 2, len(ended)))
    assert [*runs.listed(page.open(HISTORY, {}), rows, rows.runs, calls=False)] == []
    for run in some:
        page.open(HISTORY, {"view": "runs", "run": run["id"]})
        assert [*runs.drawer(page, run, rows)] == []
        page.open(RUN_PLAN, {"run": run["id"]})
        assert [*pages.waterfall(page, run, rows), *pages.took_beside(page, run, rows)] == []
        at = f"/runs/{run['id']}"
        body, markdown, web_page = opened.got(at, f"{at}.md", f"{at}.html")
        assert [*runs.answered(body.json(), run, rows)] == []
        for text in (markdown.text, web_page.text):
            assert [*runs.written(text, run, rows)] == []


def test_plans_side_by_side(console):
    opened = console("plans")
    for some in (opened.rows.runs[:3], opened.rows.runs[3:5]):
        opened.page.open(COMPARE, {"runs": ",".join(run["id"] for run in some)})
        assert [*pages.compared(opened.page, some, opened.rows)] == []


@pytest.mark.parametrize("name", ["months", "one", "cut off", "empty"])
def test_what_the_history_takes_up(name, console):
    opened = console(name)
    opened.page.open("settings/settings.py", {}, settings="History")
    found = pages.sizes(opened.page, opened.path, opened.rows, now=time.time())
    assert [*found] == []


def test_of_an_empty_history_nothing_is_claimed(console):
    opened = console("empty")
    for name in (RUN_PLAN, COMPARE, HISTORY, "performance/performance.py", PROVIDERS_PAGE):
        assert pages.claims(opened.page.open(name, {})) == [], name
    assert [*providers.faults(opened.page, opened.rows, opened.models(), now=time.time(),
                              simulated=False)] == []  # fmt: skip
    assert len({said for said in opened.page.words if "no call yet" in said}) == 1
    status, table, lines = opened.got("/status", "/export.csv?view=calls", "/export.jsonl")
    told = status.json()["llm_providers"]
    assert [*runs.status(told, opened.rows, simulated=False)] == []
    assert (len(table.text.splitlines()), lines.text) == (1, "")


@pytest.mark.parametrize("name", ["months", "plans", "failures", "refusals", "drills"])
def test_status(name, console):
    opened = console(name)
    (answer,) = opened.got("/status")
    assert [*runs.status(answer.json()["llm_providers"], opened.rows, simulated=False)] == []


def test_status_of_practice(console):
    opened = console("practice")
    (answer,) = opened.got("/status")
    assert [*runs.status(answer.json()["practice_providers"], opened.rows, simulated=True)] == []


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", ["months", "cut off"])
def test_cards_of_the_providers(name, zone, console):
    opened = console(name, zone)
    page = opened.page.open(PROVIDERS_PAGE, {})
    found = providers.faults(page, opened.rows, opened.models(), now=time.time(), simulated=False)
    assert [*found] == []
