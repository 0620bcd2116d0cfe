"""The same figures of runs that were really made: real SDKs, real HTTP, a real history."""

import time

import pytest

from core.values.runs import RunRequest
from tests import standin
from tests.running.desk import worker
from tests.truth import histories, pages, providers, runs
from tests.truth.audit import audited
from tests.truth.conftest import Opened
from tests.truth.shown import Page
from tests.truth.test_runs import HISTORY, PROVIDERS_PAGE, RUN_PLAN

NAMES = ("google", "openai", "anthropic", "deepseek")
NEEDS = [[], [0]]


@pytest.fixture
def made(tmp_path, yard):
    """Runs that were answered, mended, refused, saved, carried out, stopped, drilled and failed."""
    path = tmp_path / "console.db"
    environment = {**yard.env(*NAMES), "LLM_STRATEGY": "priority", "LLM_PRIORITY": ",".join(NAMES)}
    with histories.console(path, environment) as given:
        engine = given.engine
        page = Page("Asia/Kolkata")

        def ran(**more):
            run = engine.runs.get(engine.submit(RunRequest("Plan a picnic", source="api", **more)))
            assert run is not None
            assert run.done.wait(60)

        for script in (
            worker(needs=NEEDS),
            lambda received: standin.status(529),
            lambda received: standin.refusal(),
            lambda received: standin.answer("no plan"),
            lambda received: standin.status(402),
            worker(needs=NEEDS),
        ):
            yard["google"].script = script
            ran()
        yard["openai"].script = worker(needs=NEEDS)
        ran(execute=True)
        engine.control.drills.start("openai")
        ran()
        banner = next(said for said in page.open(PROVIDERS_PAGE, {}).words if "Fire drill" in said)
        assert "OpenAI is pretended down for another 10 min." in banner
        engine.control.drills.end("openai")
        yard["openai"].script = lambda received: standin.hang()
        stopped = engine.runs.get(engine.submit(RunRequest("Plan a picnic", source="ui")))
        assert standin.eventually(lambda: stopped.attempts, within=10)
        engine.cancel(stopped.record.id)
        assert stopped.done.wait(60)
        for name in NAMES:
            yard[name].script = lambda received: standin.status(500)
        ran()
        yield Opened(path, given, page)


def test_runs_that_were_made(made):
    rows, page = made.rows, made.page
    kinds = {call["error_kind"] for call in rows.calls}
    assert {None, "overloaded", "refused", "invalid_plan", "billing", "cancelled"} <= kinds
    assert any(call["drilled"] for call in rows.calls)
    assert any(rows.saved(run) for run in rows.runs)
    for period in ("24h", "7d", "all"):
        assert audited(made, {"period": period}, name=period) == []
    for view in ("runs", "calls"):
        wanted = rows.runs if view == "runs" else rows.calls
        page.open(HISTORY, {"view": view})
        assert [*runs.listed(page, rows, wanted, calls=view == "calls")] == []
    for run in rows.runs:
        page.open(HISTORY, {"view": "runs", "run": run["id"]})
        assert [*runs.drawer(page, run, rows)] == []
        page.open(RUN_PLAN, {"run": run["id"]})
        assert [*pages.waterfall(page, run, rows), *pages.took_beside(page, run, rows)] == []
        at = f"/runs/{run['id']}"
        body, *texts = made.got(at, f"{at}.md", f"{at}.html")
        assert [*runs.answered(body.json(), run, rows)] == []
        for text in texts:
            assert [*runs.written(text.text, run, rows)] == []
    (status,) = made.got("/status")
    assert [*runs.status(status.json()["llm_providers"], rows, simulated=False)] == []
    page.open(PROVIDERS_PAGE, {})
    assert [*providers.faults(page, rows, made.models(), now=time.time(), simulated=False)] == []
