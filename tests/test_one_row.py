"""A provider, a strategy, an error kind and a status are a row each: everything else reads them.

The rows are written into a copy of the code, as a developer would write them.
"""

import csv
import io
import json
import shutil
import subprocess
import sys

import pytest

from tests.process import ROOT, Console, surroundings
from tests.standin import PLAN, StandIn, answer, status

PROVIDER = """
PROVIDERS["mistral"] = Spec(
    "Mistral", "European hosting", "mistral-large", ("MISTRAL_API_KEY",), "MISTRAL_MODEL",
    "MISTRAL_BASE_URL", "https://api.mistral.ai/v1", "openai", "mistral",
    "https://console.mistral.ai/api-keys",
)
"""
STRATEGY = """
STRATEGIES["last_first"] = Strategy(
    "Last first",
    "The user's order, from its end.",
    lambda healths, rng: list(reversed(healths)),
    lambda health, place: "last in your order" if place == 0 else "before it in your order",
)
"""
KIND = """
    MAINTENANCE = Outcome(
        "maintenance", 19, "Under maintenance", "is under maintenance", "Wait until it is done.",
        _DOWN, circuit="neutral", rated=False,
    )
"""
TOLD_BY = "    Rule(ErrorKind.MAINTENANCE, statuses=(530,)),\n"
STATUS = """
STATUSES["unanswered"] = Status(
    "Nobody answered", "∅", "block", "bad", ("run",),
    recorded="failed", error_kind="all_providers_failed",
)
"""
ROWS = (  # file, the line they follow (None: the last), and what is written
    ("core/values/registry.py", None, PROVIDER),
    ("core/routing/strategies.py", None, STRATEGY),
    ("core/values/outcomes.py", "        return kind\n", KIND),
    ("core/providers/answers/meanings.py", "RULES = (\n", TOLD_BY),
    ("core/values/statuses.py", None, STATUS),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    for part in ("core", "db", "tests", ".streamlit"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "console_app.py", folder)
    for name, after, row in ROWS:
        path = folder / name
        text = path.read_text()
        if after is not None:
            assert text.count(after) == 1
        path.write_text(text.replace(after, after + row) if after else text + row)
    return folder


@pytest.fixture(scope="module")
def standin():
    with StandIn("openai", answer(PLAN)) as standin:
        yield standin


@pytest.fixture(scope="module")
def console(tree, standin, tmp_path_factory):
    command = ("console_app.py", "--port", "{port}")
    folder = tmp_path_factory.mktemp("data")
    with Console(folder, keys(standin), command=command, root=tree) as console:
        yield console


def keys(standin):
    return {
        "MISTRAL_API_KEY": "key-of-mistral-0123456789",
        "MISTRAL_BASE_URL": standin.base_url,
        "OPENAI_API_KEY": "key-of-openai-0123456789",
        "OPENAI_BASE_URL": standin.base_url,
    }


def test_a_script_asks_the_new_provider_by_the_new_strategy(console, standin):
    standin.script = answer(PLAN)
    body = console.plan("Plan a picnic", strategy="last_first").json()
    assert (body["status"], body["provider_used"], body["strategy"]) == (
        "success", "mistral", "last_first",
    )  # fmt: skip
    assert standin.requests[0].body["model"] == "mistral-large"
    alone = console.plan("Plan a picnic", priority=("mistral",)).json()
    assert alone["provider_used"] == "mistral"
    status_of = console.client.get("/autonomous/status").json()["llm_providers"]
    assert status_of["providers"]["mistral"]["successful_calls"] == 2
    assert "mistral" in status_of["available_providers"]
    schema = console.client.get("/autonomous/openapi.json").text
    assert "last_first" in schema
    assert {row["provider"] for row in exported(console)} == {"mistral"}


def test_a_script_is_told_of_the_new_kind_and_finds_it_again_by_the_new_status(console, standin):
    standin.script = status(530)
    body = console.plan("Plan a feast", priority=["openai"]).json()
    assert [each["error_kind"] for each in body["attempts"]] == ["maintenance"]
    assert "OpenAI is under maintenance." in body["error"]["message"]
    found = f"/autonomous/runs/{body['run_id']}"
    assert "Nobody answered" in console.client.get(f"{found}.md").text
    assert "OpenAI was under maintenance" in console.client.get(f"{found}.md").text
    assert [row["provider"] for row in exported(console, error_kind="maintenance")] == ["openai"]
    (run,) = exported(console, view="runs", status="unanswered")
    assert (run["id"], run["status"]) == (body["run_id"], "failed")
    assert "ended as maintenance, " in console.client.get("/autonomous/openapi.json").text
    providers = console.client.get("/autonomous/status").json()["llm_providers"]["providers"]
    assert providers["openai"]["total_calls"] == 0  # it says nothing of the provider


def test_the_new_provider_falls_back_and_rests_like_any_other(console, standin):
    standin.script = [status(402), answer(PLAN)]
    body = console.plan("Plan a picnic", strategy="last_first").json()
    assert [(each["provider"], each["error_kind"]) for each in body["attempts"]] == [
        ("mistral", "billing"), ("openai", None),
    ]  # fmt: skip
    assert body["attempts"][0]["message"]
    again = console.plan("Plan a picnic", strategy="last_first").json()
    assert [skip["provider"] for skip in again["skipped"]] == ["mistral"]
    assert "Mistral" in again["skipped"][0]["message"]


def exported(console, **filters):
    text = console.client.get("/autonomous/export.csv", params=filters).text
    return [*csv.DictReader(io.StringIO(text))]


# What a program inside says: of a run that fails with the new kind and has the new status, of one
# that Mistral answers, and of every page that shows them.
INSIDE = """
import json, os, sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
from core.config.settings import read_settings
from core.insight.chart_parts import LOOKS
from core.insight.charts import failures_by_reason
from core.running.engine import Engine
from core.ui.services import Services, provide
from core.values.periods import Period
from core.values.runs import RunRequest
from db.choices import Choices
from db.figures.performance import Performance
from db.lists.queries import Archive
from db.sqlite.writer import SqliteHistory
from tests import readme

path = Path(sys.argv[1]) / "console.db"
history = SqliteHistory.open(path)
archive = Archive(path)
engine = Engine(read_settings(os.environ, None), history, archive, Choices(history))
performance = Performance(archive)
provide(Services(engine, archive, performance))
runs = []
for asked in ("openai", "mistral"):
    request = RunRequest("Plan a picnic", strategy="last_first", priority=(asked,))
    runs.append(engine.runs.get(engine.submit(request)))
    assert runs[-1].done.wait(60)

def shown(page=None, **query):
    test = AppTest.from_file("core/ui/main.py", default_timeout=60)
    if page:
        test.switch_page(page)
    for name, value in query.items():
        test.query_params[name] = value
    test.run()
    assert not test.exception, (page, test.exception)
    return test

def texts(test):
    kinds = ("markdown", "caption", "subheader", "title")
    return " ".join(str(each.value) for kind in kinds for each in getattr(test, kind))

pages = ("history/history.py", "performance/performance.py", "providers/providers.py",
         "settings/settings.py", "run/compare.py", "run/run_plan.py")
drawn = {page: texts(test) + str(test) for page in pages for test in [shown(page)]}
listed = shown("history/history.py", view="runs", status="unanswered")
failures = performance.failures(Period(0, 1e12), simulated=False)
told = {
    "readme": [readme.providers(), readme.strategies(), readme.outcomes()],
    "looks": len(set(LOOKS.values())),
    "last": read_settings({}, None).priority[-1],
    "phases": [run.phase for run in runs],
    "story": runs[0].story,
    "named": [page for page, text in drawn.items() if "Mistral" in text or "mistral" in text],
    "outcomes": listed.multiselect(key="history_status").options,
    "reasons": listed.multiselect(key="history_error_kind").options,
    "table": str([part.proto for part in listed.get("bidi_component")]),
    "page": texts(shown("run/run_plan.py", run=runs[0].record.id)),
    "chart": failures_by_reason(failures).alt,
}
engine.close()
history.close()
print(json.dumps(told))
"""


def test_pages_charts_and_readme_read_the_rows(tree, standin, tmp_path):
    standin.script = lambda received: (
        answer(PLAN) if received.body["model"] == "mistral-large" else status(530)
    )
    done = subprocess.run(
        [sys.executable, "-c", INSIDE, str(tmp_path)],
        cwd=tree, env=surroundings(keys(standin)), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    providers, strategies, outcomes = told["readme"]
    assert "| Mistral | European hosting | `MISTRAL_API_KEY` |" in providers
    assert "| `last_first` | Last first |" in strategies
    assert "| `maintenance` | the provider is under maintenance | yes | does not move | no |" in (
        outcomes
    )
    assert (told["looks"], told["last"]) == (8, "mistral")
    assert told["phases"] == ["unanswered", "completed"]
    assert told["story"] == "OpenAI was under maintenance, so there is no plan."
    assert len(told["named"]) == 6, told["named"]
    assert "Nobody answered" in told["outcomes"]
    assert "Under maintenance" in told["reasons"]
    assert "Nobody answered" in told["table"]
    assert "OpenAI was under maintenance" in told["page"]
    assert "Under maintenance, OpenAI: 1" in told["chart"]
