"""Every figure of History, of a run's files and of the API, and of the Providers page."""

import asyncio
import time
from functools import partial
from random import Random

import httpx2
import pytest

from core.web.api import make_api
from db.lists.export import export_csv, export_jsonl
from tests.truth import definitions as truth
from tests.truth import histories, providers, runs
from tests.truth.audit import ZONES
from tests.truth.definitions import Rows
from tests.truth.shown import Page

HISTORY = "history/history.py"
PROVIDERS = {"ANTHROPIC": "first", "OPENAI": "second", "GOOGLE": "first", "DEEPSEEK": "first"}
SET_UP = {
    f"{name}_{what}": value
    for name, model in PROVIDERS.items()
    for what, value in (
        ("API_KEY", f"sk-{name.lower()}-0123456789abcdef"),
        ("MODEL", model),
        ("BASE_URL", "http://127.0.0.1:9"),
    )
}


def got(given, path, *addresses):
    """What the API answers."""
    api = make_api(
        lambda: given.engine,
        export_csv=partial(export_csv, path),
        export_jsonl=partial(export_jsonl, path),
        backup=lambda copy: 0,
    )

    async def ask():
        transport = httpx2.ASGITransport(app=api)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.get(address) for address in addresses]

    answers = asyncio.run(ask())
    assert {answer.status_code for answer in answers} <= {200}
    return answers


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
def test_lists_and_what_they_are_exported_as(zone, written):
    path = written("months")
    with histories.console(path) as given:
        rows, page = Rows.of(path), Page(zone)
        for query, wanted in filters(rows, zone):
            page.open(HISTORY, query)
            found = [*runs.listed(page, rows, wanted, calls=query["view"] == "calls")]
            assert found == [], query
            csv_at, json_at = (url.removeprefix("autonomous") for url in page.downloads)
            table, lines = got(given, path, csv_at, json_at)
            assert [*runs.exported(table.text, lines.text, wanted)] == [], query


@pytest.mark.parametrize("name", [name for name in histories.HISTORIES if name != "clocks"])
def test_runs_beside_the_list_and_taken_away(name, written):
    path = written(name)
    with histories.console(path) as given:
        rows, page = Rows.of(path), Page("Pacific/Auckland")
        some = Random(0).sample(rows.runs, min(6, len(rows.runs)))
        assert [*runs.listed(page.open(HISTORY, {}), rows, rows.runs, calls=False)] == []
        for run in (run for run in some if run["status"] != "running"):
            page.open(HISTORY, {"view": "runs", "run": run["id"]})
            assert [*runs.drawer(page, run, rows)] == []
            at = f"/runs/{run['id']}"
            body, markdown, web_page = got(given, path, at, f"{at}.md", f"{at}.html")
            assert [*runs.answered(body.json(), run, rows)] == []
            for text in (markdown.text, web_page.text):
                assert [*runs.written(text, run, rows)] == []


@pytest.mark.parametrize("name", ["months", "clocks", "failures", "refusals", "drills"])
def test_status(name, written):
    path = written(name)
    with histories.console(path, SET_UP) as given:
        (answer,) = got(given, path, "/status")
        shown = answer.json()["llm_providers"]
        assert [*runs.status(shown, Rows.of(path), simulated=False)] == []


def test_status_of_practice(written):
    path = written("practice")
    with histories.console(path, {"CONSOLE_PRACTICE": "on"}) as given:
        (answer,) = got(given, path, "/status")
        shown = answer.json()["practice_providers"]
        assert [*runs.status(shown, Rows.of(path), simulated=True)] == []


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", ["months", "cut off"])
def test_cards_of_the_providers(name, zone, written):
    path = written(name)
    with histories.console(path, SET_UP) as given:
        page = Page(zone)
        page.open("providers/providers.py", {})
        lineup = given.engine.lineup
        models = {each: lineup.model_of(each, simulated=False) for each in lineup.priority}
        found = providers.faults(page, Rows.of(path), models, now=time.time(), simulated=False)
        assert [*found] == []
