"""The pages without a browser: empty, full and failing."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.engine import Engine
from core.settings import read_settings
from core.ui import services
from db.history import SqliteHistory
from db.performance import Performance
from db.queries import Archive
from db.settings import Choices
from tests import standin

MAIN = Path(__file__).parent.parent / "core" / "ui" / "main.py"


@pytest.fixture
def engine(tmp_path, yard):
    path = tmp_path / "console.db"
    history = SqliteHistory.open(path)
    archive = Archive(path)
    environment = {**yard.env("openai", "google"), "LLM_STRATEGY": "priority"}
    engine = Engine(read_settings(environment, None), history, archive, Choices(history))
    services.provide(services.Services(engine, archive, Performance(archive)))
    yield engine
    services.provide(None)
    engine.close()
    archive.close()
    history.close()


def shown(page: str | None = None, **query: str) -> AppTest:
    test = AppTest.from_file(str(MAIN), default_timeout=30)
    for name, value in query.items():
        test.query_params[name] = value
    test.run()
    if page:
        test.switch_page(page).run()
    assert not test.exception
    return test


def text(test: AppTest) -> str:
    parts = [*test.markdown, *test.caption, *test.info, *test.error, *test.warning]
    return "\n".join(part.value for part in parts).replace("\\", "")


def finished(engine: Engine, goal: str = "Plan a picnic") -> str:
    run_id = engine.submit(goal, source="ui")
    run = engine.run(run_id)
    assert run is not None
    assert run.done.wait(30)
    return run_id


def test_an_empty_console_says_what_to_do_first(engine):
    assert "Nothing has run yet." in text(shown())
    assert "Run a plan" in text(shown("views/history.py"))


def test_a_finished_run_is_told_with_its_plan(engine):
    page = shown(run=finished(engine))
    assert "OpenAI answered" in text(page)
    assert page.metric[0].value == "90%"


def test_a_failed_run_says_why_and_what_to_do(engine, yard):
    for name in ("openai", "google"):
        yard[name].script = lambda received: standin.status(402)
    page = shown(run=finished(engine))
    assert "OpenAI is out of credit" in text(page)
    assert "Google is out of credit" in text(page)
    assert page.error


def test_an_empty_goal_is_refused_in_words(engine):
    page = shown()
    next(button for button in page.button if button.label == "Run plan").click().run()
    assert "The goal is empty." in text(page)


def test_the_strategy_and_the_order_are_kept(engine):
    page = shown()
    page.radio[0].set_value("random").run()
    assert engine.strategy == "random"
    before = engine.priority
    next(button for button in page.button if button.key == f"down {before[0]}").click().run()
    assert engine.priority[:2] == (before[1], before[0])


def test_a_run_that_nobody_knows_is_said_so(engine):
    assert "There is no run at this address." in text(shown(run="nonsense"))


@pytest.mark.parametrize("call", ["1", "999", "x", "-1", "9" * 40])
def test_any_call_in_the_address_is_met_with_words(engine, call):
    finished(engine)
    page = shown("views/history.py")
    page.query_params["call"] = call
    page.run()
    assert not page.exception
    expected = "Answer" if call == "1" else "There is no call at this address."
    assert expected in text(page)
