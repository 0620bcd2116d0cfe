"""The Compare page without a browser: what each plan took and cost."""

from streamlit.testing.v1 import AppTest

from core.running.engine import Engine
from core.values.runs import RunRequest
from tests.pages.test_providers import MAIN, running
from tests.pages.words import text


def compared(engine: Engine, *names: str) -> list[str]:
    """What stands beside each plan: time, cost and story."""
    ids = engine.compare(RunRequest("Plan a picnic"), names)
    for run_id in ids:
        run = engine.runs.get(run_id)
        assert run is not None
        assert run.done.wait(30)
    page = AppTest.from_file(str(MAIN), default_timeout=30)
    page.run()
    page.switch_page("run/compare.py")
    page.query_params["runs"] = ",".join(ids)
    page.run()
    assert not page.exception
    assert "Plan a picnic" in text(page)
    said = [each.value.replace("\\", "") for each in page.caption]
    return [words for words in said if words.endswith(".") and " · " in words]


def cost_in(facts: str) -> str:
    return facts.split(" · ")[1]


def test_a_price_that_nobody_knows_is_said_to_be_unknown(tmp_path, yard):
    environment = {**yard.env("openai", "google"), "GOOGLE_MODEL": "a-model-without-a-price"}
    with running(tmp_path / "console.db", environment) as engine:
        priced, unpriced = compared(engine, "openai", "google")
    assert cost_in(priced) == "<$0.0001"
    assert cost_in(unpriced) == "unknown, 1 call without a price"


def test_practice_costs_nothing_and_is_said_to_be_practice(tmp_path):
    with running(tmp_path / "console.db", {}) as engine:
        facts = compared(engine, "openai", "google", "deepseek")  # one may fail, as they do
    assert {cost_in(each) for each in facts} == {"nothing (practice)"}
