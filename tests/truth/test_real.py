"""The same figures of runs that were really made: real SDKs, real HTTP, a real history."""

import time

import pytest

from core.values.runs import RunRequest
from tests import standin
from tests.running.desk import worker
from tests.truth import histories, providers, runs
from tests.truth.audit import audited
from tests.truth.definitions import Rows
from tests.truth.shown import Page
from tests.truth.test_runs import HISTORY, got

NAMES = ("google", "openai", "anthropic", "deepseek")
NEEDS = [[], [0]]


@pytest.fixture
def made(tmp_path, yard):
    """Runs that were answered, mended, refused, saved, carried out, stopped, drilled and failed."""
    path = tmp_path / "console.db"
    environment = {**yard.env(*NAMES), "LLM_STRATEGY": "priority", "LLM_PRIORITY": ",".join(NAMES)}
    with histories.console(path, environment) as given:
        engine = given.engine

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
        engine.control.drills.end("openai")
        yard["openai"].script = lambda received: standin.hang()
        stopped = engine.runs.get(engine.submit(RunRequest("Plan a picnic", source="ui")))
        assert standin.eventually(lambda: stopped.attempts, within=10)
        engine.cancel(stopped.record.id)
        assert stopped.done.wait(60)
        for name in NAMES:
            yard[name].script = lambda received: standin.status(500)
        ran()
        yield given, path


def test_runs_that_were_made(made):
    given, path = made
    rows, page = Rows.of(path), Page("Asia/Kolkata")
    kinds = {call["error_kind"] for call in rows.calls}
    assert {None, "overloaded", "refused", "invalid_plan", "billing", "cancelled"} <= kinds
    assert any(call["drilled"] for call in rows.calls)
    assert any(rows.saved(run) for run in rows.runs)
    for period in ("24h", "7d", "all"):
        assert audited(path, page, {"period": period}, name=period) == []
    for view in ("runs", "calls"):
        wanted = rows.runs if view == "runs" else rows.calls
        page.open(HISTORY, {"view": view})
        assert [*runs.listed(page, rows, wanted, calls=view == "calls")] == []
    for run in rows.runs:
        page.open(HISTORY, {"view": "runs", "run": run["id"]})
        assert [*runs.drawer(page, run, rows)] == []
        at = f"/runs/{run['id']}"
        body, *texts = got(given, path, at, f"{at}.md", f"{at}.html")
        assert [*runs.answered(body.json(), run, rows)] == []
        for text in texts:
            assert [*runs.written(text.text, run, rows)] == []
    (status,) = got(given, path, "/status")
    assert [*runs.status(status.json()["llm_providers"], rows, simulated=False)] == []
    page.open("providers/providers.py", {})
    lineup = given.engine.lineup
    models = {name: lineup.model_of(name, simulated=False) for name in lineup.priority}
    assert [*providers.faults(page, rows, models, now=time.time(), simulated=False)] == []
