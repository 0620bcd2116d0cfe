"""The audit notices: one row is changed behind the figures' back, and is found."""

import json
import sqlite3
import time
from contextlib import closing, contextmanager

import pytest

from core.ui import services
from tests.truth import histories, pages, runs
from tests.truth.audit import audited
from tests.truth.conftest import Opened
from tests.truth.definitions import Rows
from tests.truth.performance import choice
from tests.truth.shown import Page
from tests.truth.test_runs import COMPARE, HISTORY, RUN_PLAN

LAST = "SELECT max(id) FROM call WHERE status = 'ok' AND NOT drilled AND NOT simulated"
CHANGES = {
    "a latency": "latency_ms = latency_ms * 3",
    "a price": "cost_usd = coalesce(cost_usd, 0) + 1",
    "no price": "cost_usd = NULL",
    "an outcome": "status = 'failed', error_kind = 'timeout'",
    "a reason": "status = 'failed', error_kind = 'refused'",
    "a provider": "provider = 'bitnet'",
    "a moment": "started_at = started_at - 40 * 86400",
    "practice": "simulated = 1",
    "a drill": "drilled = 1",
    "nothing": "latency_ms = latency_ms",
}


@contextmanager
def changed(path, what, table="call", which=f"id = ({LAST})"):
    """For a while; then the row is as it was."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        (row,) = connection.execute(f"SELECT rowid AS place, * FROM {table} WHERE {which}")
        connection.execute(f"UPDATE {table} SET {what} WHERE rowid = ?", (row["place"],))
        try:
            yield
        finally:
            names = row.keys()[1:]
            back = f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in names)}"
            connection.execute(f"{back} WHERE rowid = ?", (*row[1:], row["place"]))


@pytest.fixture(scope="module")
def alike(tmp_path_factory):
    """Thirty runs that are alike."""
    path = tmp_path_factory.mktemp("alike") / "console.db"
    teller = histories.Teller()
    for place in range(30):
        teller.run(time.time() - 3600 * place - 3 * 3600, {"cost_usd": 0.01})
    teller.write(path)
    with histories.console(path) as given:
        yield Opened(path, given, Page("Europe/Berlin"))


@pytest.mark.parametrize("what", CHANGES)
def test_a_figure_that_is_not_of_its_rows_is_noticed(what, alike):
    services.provide(alike.given)
    with changed(alike.path, CHANGES[what]):
        found = audited(Opened(alike.path, alike.given, alike.page), {"period": "7d"})
    services.provide(None)
    assert bool(found) == (what != "nothing")


OF_A_RUN = {
    "a beginning": ("started_at = started_at + 0.4", "waterfall"),
    "a length": ("latency_ms = latency_ms + 4000000", "waterfall", "took", "drawer"),
    "first words": ("ttft_ms = 3", "waterfall"),
    "tokens": ("output_tokens = 7", "waterfall"),
    "a price": ("cost_usd = 1", "waterfall", "drawer"),
    "a provider": ("provider = 'kimi'", "waterfall"),
    "a model": ("model = 'other'", "waterfall"),
    "a long wait": ("started_at = started_at + 700", "waterfall", "drawer"),
    "nothing": ("model = model",),
}


def test_what_a_run_says_that_is_not_of_its_rows_is_noticed(console):
    opened = console("plans")
    run, page = opened.rows.runs[1], opened.page
    first = f"run_id = '{run['id']}' AND step = 0"
    checks = {
        "waterfall": (RUN_PLAN, pages.waterfall),
        "took": (RUN_PLAN, pages.took_beside),
        "drawer": (HISTORY, runs.drawer),
    }
    for check, (name, faults) in checks.items():
        page.open(
            name, {"view": "runs", "run": run["id"]} if name == HISTORY else {"run": run["id"]}
        )
        assert [*faults(page, run, opened.rows)] == []
        for label, (what, *noticed) in OF_A_RUN.items():
            with changed(opened.path, what, which=first):
                found = [*faults(page, run, Rows.of(opened.path))]
            assert bool(found) or check not in noticed, (check, label)
            assert not found or label != "nothing", check
    page.open(RUN_PLAN, {"run": run["id"]})
    assert [*pages.waterfall(page, {**run, "decisions": None}, opened.rows)] != []


def test_what_plans_side_by_side_say_that_is_not_of_their_rows_is_noticed(console):
    opened = console("plans")
    some = opened.rows.runs[:3]
    opened.page.open(COMPARE, {"runs": ",".join(run["id"] for run in some)})
    assert [*pages.compared(opened.page, some, opened.rows)] == []
    for what in ("latency_ms = 9000", "cost_usd = 0.5"):
        with changed(opened.path, what, which=f"run_id = '{some[0]['id']}' AND ordinal = 1"):
            assert [*pages.compared(opened.page, some, Rows.of(opened.path))] != [], what
    plan = json.loads(some[0]["plan"])
    steps = plan["steps"]
    for other in (
        steps[:-1],
        [{**step, "dependencies": [*range(place)]} for place, step in enumerate(steps)],
        [{**steps[0], "description": "unheard"}, *steps[1:]],
    ):
        run = {**some[0], "plan": json.dumps({**plan, "steps": other})}
        assert [*pages.compared(opened.page, [run, *some[1:]], opened.rows)] != [], other


def test_sizes_percentiles_and_claims_that_are_not_so_are_noticed(console):
    opened = console("months")
    page, rows = opened.page, opened.rows
    page.open("settings/settings.py", {}, settings="History")
    for calls, some in ((rows.calls[1:], rows.runs), (rows.calls, rows.runs[1:])):
        fewer = Rows(calls, some, rows.texts)
        assert [*pages.sizes(page, opened.path, fewer, now=time.time())] != []
    assert [*pages.sizes(page, opened.path, rows, now=time.time() + 30 * 86_400)] != []
    query = {"period": "30d", "simulated": "false"}
    page.open("performance/performance.py", query, **{"which latency 30d None None False": "p50"})
    assert [*choice(page, "p95")] != []
    assert pages.claims(console("failures").page.open("performance/performance.py", {})) != []


def test_a_list_and_a_file_that_are_not_of_their_rows_are_noticed(console):
    opened = console("one")
    page = opened.page.open(HISTORY, {})
    table, lines = opened.got("/export.csv", "/export.jsonl")
    assert [*runs.listed(page, opened.rows, opened.rows.runs, calls=False)] == []
    with changed(opened.path, CHANGES["a latency"]):
        rows = Rows.of(opened.path)
        assert [*runs.listed(page, rows, rows.runs, calls=False)] != []
        assert [*runs.exported(table.text, lines.text, rows.calls, rows)] != []
    said = Rows(opened.rows.calls, opened.rows.runs, {1: ('"other"', "!")})
    assert [*runs.exported(table.text, lines.text, said.calls, said)] != []
