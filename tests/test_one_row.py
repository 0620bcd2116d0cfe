"""An eighth provider and a fifth strategy are a row each: everything else reads the rows."""

import csv
import io
import subprocess
import sys

import pytest

from tests.process import ROOT, Console
from tests.running.desk import plan_text
from tests.standin import StandIn, answer, status

# The rows, added before anything reads them.
ROWS = """
from core.values import registry

registry.PROVIDERS["mistral"] = registry.Spec(
    "Mistral", "European hosting", "mistral-large", ("MISTRAL_API_KEY",), "MISTRAL_MODEL",
    "MISTRAL_BASE_URL", "https://api.mistral.ai/v1", "openai", "mistral",
    "https://console.mistral.ai/api-keys",
)
from core.routing import strategies

strategies.STRATEGIES["last_first"] = strategies.Strategy(
    "Last first",
    "The user's order, from its end.",
    lambda healths, rng: list(reversed(healths)),
    lambda health, place: "last in your order" if place == 0 else "before it in your order",
)
"""
SERVED = ("-c", ROWS + "import runpy, sys; sys.argv = ['console_app.py', '--port', '{port}'];"
          "runpy.run_path('console_app.py', run_name='__main__')")  # fmt: skip


@pytest.fixture
def standin():
    with StandIn("openai", answer(plan_text())) as standin:
        yield standin


@pytest.fixture
def console(tmp_path, standin):
    environ = {
        "MISTRAL_API_KEY": "key-of-mistral-0123456789",
        "MISTRAL_BASE_URL": standin.base_url,
        "OPENAI_API_KEY": "key-of-openai-0123456789",
        "OPENAI_BASE_URL": standin.base_url,
    }
    with Console(tmp_path, environ, command=SERVED) as console:
        yield console


def test_a_script_asks_the_new_provider_by_the_new_strategy(console, standin):
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
    rows = csv.DictReader(io.StringIO(console.client.get("/autonomous/export.csv").text))
    assert {row["provider"] for row in rows} == {"mistral"}


def test_the_new_provider_falls_back_and_rests_like_any_other(console, standin):
    standin.script = [status(402), answer(plan_text())]
    body = console.plan("Plan a picnic", strategy="last_first").json()
    assert [(each["provider"], each["error_kind"]) for each in body["attempts"]] == [
        ("mistral", "billing"), ("openai", None),
    ]  # fmt: skip
    assert body["attempts"][0]["message"]
    again = console.plan("Plan a picnic", strategy="last_first").json()
    assert [skip["provider"] for skip in again["skipped"]] == ["mistral"]
    assert "Mistral" in again["skipped"][0]["message"]


def inside(program: str, tmp_path) -> str:
    """What a program prints that has the rows, and a practice console's engine."""
    code = ROWS + program
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_readme_and_the_charts_read_the_rows(tmp_path):
    said = inside(
        "from tests import readme; print(readme.providers()); print(readme.strategies());"
        "from core.insight.chart_parts import LOOKS; print(len(set(LOOKS.values())), 'looks');"
        "from core.config.settings import read_settings;"
        "print(read_settings({}, None).priority[-1], 'is last')",
        tmp_path,
    )
    assert "| Mistral | European hosting | `MISTRAL_API_KEY` |" in said
    assert "| `last_first` | Last first |" in said
    assert "8 looks" in said
    assert "mistral is last" in said


PAGES = """
import sys, time
from pathlib import Path
from streamlit.testing.v1 import AppTest
from core.config.settings import read_settings
from core.running.engine import Engine
from core.ui.services import Services, provide
from core.values.runs import RunRequest
from db.choices import Choices
from db.figures.performance import Performance
from db.lists.queries import Archive
from db.sqlite.writer import SqliteHistory

path = Path(sys.argv[1]) / "console.db"
history = SqliteHistory.open(path)
archive = Archive(path)
engine = Engine(read_settings({}, None), history, archive, Choices(history))
provide(Services(engine, archive, Performance(archive)))
request = RunRequest("Plan a picnic", strategy="last_first", priority=("mistral",))
run_id = engine.submit(request)
assert engine.runs.get(run_id).done.wait(30)
print(engine.runs.get(run_id).record.status, engine.runs.get(run_id).record.provider)
for page in (None, "history/history.py", "performance/performance.py", "providers/providers.py",
             "settings/settings.py", "run/compare.py"):
    shown = AppTest.from_file("core/ui/main.py", default_timeout=60)
    if page:
        shown.switch_page(page)
    shown.run()
    assert not shown.exception, (page, shown.exception)
    texts = [str(each.value) for kind in ("markdown", "caption", "subheader", "title")
             for each in getattr(shown, kind)]
    print(page, "Mistral" in " ".join(texts) or "mistral" in str(shown), flush=True)
engine.close()
history.close()
"""


def test_practice_and_every_page_have_the_new_provider(tmp_path):
    said = inside(PAGES, tmp_path)
    assert "completed mistral" in said, said
    assert said.count("True") == 6, said
