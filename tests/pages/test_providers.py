"""The Providers page without a browser: without keys, full, and with a history that fails."""

import asyncio
import json
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.config.settings import read_settings
from core.running.engine import Engine
from core.ui import services
from core.values.calls import Attempt, Message
from core.values.outcomes import ErrorKind
from core.values.registry import PROVIDERS
from core.values.runs import RunRequest
from db.choices import Choices
from db.figures.performance import Performance
from db.lists.queries import Archive
from db.sqlite.writer import SqliteHistory
from tests import standin
from tests.pages.words import text

MAIN = Path(__file__).parent.parent.parent / "core" / "ui" / "main.py"


@contextmanager
def running(path, environment):
    history = SqliteHistory.open(path)
    archive = Archive(path)
    engine = Engine(read_settings(environment, None), history, archive, Choices(history))
    services.provide(services.Services(engine, archive, Performance(archive)))
    try:
        yield engine
    finally:
        services.provide(None)
        engine.close()
        archive.close()
        history.close()


@pytest.fixture
def engine(tmp_path, yard):
    environment = {**yard.env("openai", "google"), "LLM_STRATEGY": "priority"}
    with running(tmp_path / "console.db", environment) as engine:
        yield engine


@pytest.fixture
def practice(tmp_path):
    with running(tmp_path / "console.db", {}) as engine:
        yield engine


def shown() -> AppTest:
    test = AppTest.from_file(str(MAIN), default_timeout=30)
    test.run()
    test.switch_page("providers/providers.py").run()
    assert not test.exception
    return test


def press(test: AppTest, key: str) -> AppTest:
    next(button for button in test.button if button.key == key).click().run()
    assert not test.exception
    return test


def run(engine: Engine) -> None:
    started = engine.runs.get(engine.submit(RunRequest("Plan a picnic", source="ui")))
    assert started.done.wait(30)


def told(page: AppTest, words: str) -> bool:
    """Does the page come to say it, drawn again as its timer would?"""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        page.run()
        if words in text(page):
            return True
        time.sleep(0.1)
    return False


def test_a_provider_that_is_not_set_up_says_which_variable_and_where_to_get_the_key(engine):
    said = text(shown())
    for name, spec in PROVIDERS.items():
        if name in ("openai", "google"):
            continue
        assert all(variable in said for variable in spec.key_env)
    assert said.count("Not set up") == 5
    assert "BITNET_MODEL_PATH" in said


def test_without_a_key_every_card_is_marked_as_practice(practice):
    page = shown()
    mark = ":violet-badge[:material/school: Practice]"
    assert [part.value for part in page.markdown].count(mark) == len(PROVIDERS)
    assert "ANTHROPIC_API_KEY" in text(page)  # how to ask the real one


def test_a_ready_provider_shows_its_figures_of_today(engine, yard):
    run(engine)
    said = text(shown())
    assert "Ready" in said
    assert "Calls today" in said
    assert "100 %" in said


def test_a_resting_provider_says_when_it_is_back_and_why_it_rests(engine, yard):
    yard["openai"].script = lambda received: standin.status(429, headers={"retry-after": "600"})
    run(engine)
    said = text(shown())
    assert "Resting, back in 10 min" in said
    assert "Too many requests" in said
    assert "circuit" not in said.lower()


def test_a_provider_that_needs_a_person_says_what_to_do(engine, yard):
    yard["openai"].script = lambda received: standin.status(402)
    run(engine)
    said = text(shown())
    assert "Needs you: is out of credit" in said
    assert "Top up the account" in said


def test_what_a_vendor_says_is_shown_as_it_stands(engine, yard):
    evil = "![x](http://127.0.0.1/x.png) :red[a] `b`"
    yard["openai"].script = lambda received: standin.status(402, {"error": {"message": evil}})
    run(engine)
    page = shown()
    shown_raw = "\n".join(part.value for part in page.markdown)
    assert "![x]" not in shown_raw
    assert "![x](http://127.0.0.1/x.png) :red[a]" in text(page)


def test_a_test_is_free_and_says_what_it_found(engine, yard):
    page = press(shown(), "test openai")
    assert told(page, "gpt-6-luna is not among the 2 models on offer")
    assert yard["openai"].requests == []


def test_trying_is_a_call_of_its_own_and_brings_it_back(engine, yard):
    yard["openai"].script = lambda received: standin.status(402)
    run(engine)
    yard["openai"].script = lambda received: standin.answer("ready")
    page = press(shown(), "try openai")
    assert told(page, "OpenAI answered in")
    assert "Needs you" not in text(page)


def test_switching_off_and_on_and_moving_are_kept_at_once(engine):
    page = shown()
    toggle = next(toggle for toggle in page.toggle if toggle.label == "Use OpenAI")
    toggle.set_value(False).run()
    assert engine.lineup.switched_off == ("openai",)
    assert "Switched off" in text(page)
    next(toggle for toggle in page.toggle if toggle.label == "Use OpenAI").set_value(True).run()
    assert engine.lineup.switched_off == ()
    before = engine.lineup.priority
    press(page, f"down {before[0]}")
    assert engine.lineup.priority[:2] == (before[1], before[0])
    assert "The order was changed just now" in text(page)
    press(page, "undo order")
    assert engine.lineup.priority == before


def test_the_strategy_for_everyone_is_set_here(engine):
    page = shown()
    page.button_group[0].set_value("random").run()
    assert engine.lineup.strategy == "random"


def test_a_retired_model_names_its_successor_and_one_click_switches(tmp_path, yard):
    environment = {**yard.env("deepseek"), "DEEPSEEK_MODEL": "deepseek-chat"}
    with running(tmp_path / "console.db", environment) as engine:
        page = shown()
        assert "DeepSeek no longer serves deepseek-chat since 24 July 2026" in text(page)
        assert "its successor is deepseek-flash" in text(page)
        press(page, "successor deepseek")
        assert engine.lineup.models == {"deepseek": "deepseek-flash"}
        assert "no longer serves" not in text(page)


def test_the_models_come_from_the_vendors_own_list(engine, yard):
    yard["openai"].models = ["gpt-6.1-sol", "gpt-4o", "gpt-6-luna"]
    page = shown()
    page.session_state["models openai"] = True  # opened
    assert told(page, "3 on offer, by OpenAI's own list")
    choice = next(box for box in page.selectbox if box.label == "Model")
    assert [option.split(" (")[0] for option in choice.options] == [
        "gpt-6-luna",
        "gpt-6.1-sol",
        "gpt-4o",
    ]
    assert "gpt-6-luna)" in choice.options[2]  # marked, with its successor
    choice.set_value("gpt-6.1-sol").run()
    press(page, "take openai")
    assert engine.lineup.models == {"openai": "gpt-6.1-sol"}


def test_a_drill_shows_on_the_card_and_in_a_banner_on_every_page(engine, yard):
    page = press(shown(), "drill openai")
    assert "Pretended down" in text(page)
    for view in ("run/run_plan.py", "history/history.py", "providers/providers.py"):
        page.switch_page(view).run()
        assert "Fire drill." in text(page)
    press(page, "end drill openai")
    assert "Fire drill." not in text(page)
    assert not engine.control.drills.down("openai")


def failing_and_fast(engine: Engine, model: str | None = None) -> None:
    """A history in which Google does better than OpenAI, which stands before it."""
    history, yesterday = engine.history, time.time() - 86400

    async def write() -> None:
        for number in range(80):
            name = "openai" if number % 2 else "google"
            asked = Attempt(
                history.next_call_id(),
                0,
                name,
                model or engine.lineup.model_of(name, simulated=False),
                "priority",
                yesterday + number,
            )
            await history.begin(asked, [Message("user", "Plan a picnic")])
            failed = number % 4 == 1
            await history.end(
                replace(
                    asked,
                    status="failed" if failed else "ok",
                    error_kind=ErrorKind.OVERLOADED if failed else None,
                    latency_ms=1500.0,
                ),
                None if failed else "Here it is.",
            )

    asyncio.run(write())


def test_with_too_few_calls_no_order_is_suggested(engine):
    assert "Too few calls" in text(shown())


def test_a_suggested_order_is_taken_by_one_click_and_taken_back_by_another(engine):
    failing_and_fast(engine)
    before = engine.lineup.priority
    page = shown()
    assert "The last 30 days suggest: Google, OpenAI." in text(page)
    press(page, "take order")
    assert engine.lineup.priority.index("google") < engine.lineup.priority.index("openai")
    assert "Your order fits" in text(page)
    press(page, "undo order")
    assert engine.lineup.priority == before


def test_a_history_that_cannot_be_read_is_said_and_the_cards_still_work(engine, tmp_path):
    archive = Archive(tmp_path / "nothing" / "console.db")
    services.provide(services.Services(engine, archive, Performance(archive)))
    page = shown()
    assert "The history cannot be read just now." in text(page)
    assert "Ready" in text(page)
    press(page, "test openai")
    assert told(page, "models on offer")


def recorded(engine: Engine, *calls: dict) -> None:
    """Each call is what differs from an answer of Google's present model an hour ago."""
    history = engine.history

    async def write() -> None:
        for facts in calls:
            model = engine.lineup.model_of("google", simulated=False)
            began = facts.pop("started_at", time.time() - 1)
            asked = Attempt(
                history.next_call_id(), 0, "google", facts.pop("model", model), "priority", began
            )
            await history.begin(asked, [Message("user", "Plan a picnic")])
            ended = {"status": "ok", "latency_ms": 800.0, **facts}
            await history.end(replace(asked, **ended), "Here it is.")

    asyncio.run(write())


def figures(test: AppTest, label: str) -> list[str]:
    """What stands under that label, card by card."""
    words = [part.value.replace("\\", "") for part in test.markdown]
    return [said.partition("**")[2].rstrip("*") for said in words if f"[{label}]" in said]


def test_a_cost_that_is_known_in_part_says_so(engine):
    recorded(engine, {"cost_usd": 0.0067}, *({"cost_usd": None} for _ in range(5)))
    assert "at least $0.0067, 5 calls without a price" in figures(shown(), "Cost")


def test_a_cost_of_which_nothing_is_known_is_not_nothing(engine):
    recorded(engine, {"cost_usd": None})
    assert "unknown, 1 call without a price" in figures(shown(), "Cost")


def test_practice_costs_nothing_on_a_card(practice):
    assert figures(shown(), "Cost") == ["nothing (practice)"] * len(PROVIDERS)


def test_a_call_that_says_nothing_of_its_provider_is_a_call(engine):
    kind = ErrorKind.CANCELLED
    recorded(engine, {"status": "cancelled", "error_kind": kind})
    page = shown()
    assert sorted(figures(page, "Calls today")) == ["0", "1"]
    assert sorted(figures(page, "Answered")) == ["no call yet", "nothing to judge by"]


def test_what_an_earlier_model_did_is_told_apart(engine):
    failed = {"status": "failed", "error_kind": ErrorKind.SERVER_ERROR}
    recorded(engine, {}, *({"model": "gone", **failed} for _ in range(12)))
    page = shown()
    assert sorted(figures(page, "Calls today")) == ["0", "1"]
    assert "100 %" in figures(page, "Answered")
    assert "Today also 12 calls of an earlier model, not counted here." in text(page)


def test_what_an_earlier_model_did_suggests_no_order(engine):
    failing_and_fast(engine, model="gone")
    assert "Too few calls" in text(shown())


def test_a_rest_is_in_the_week_however_many_calls_came_after_it(engine):
    then = time.time() - 2 * 86400
    failed = {"status": "failed", "error_kind": ErrorKind.SERVER_ERROR}
    recorded(
        engine,
        *({"started_at": then + number, **failed} for number in range(3)),
        *({"started_at": time.time() - 600 + number} for number in range(300)),
    )
    strips = [
        json.loads(part.proto.json)
        for part in shown().get("bidi_component")
        if part.proto.component_name == "manyways.strip"
    ]
    weeks = [strip for strip in strips if strip.get("label", "").startswith("Last 7 days")]
    told = [title for strip in weeks for _, title in strip["bars"] if "rested" in title]
    assert [title.partition(": ")[2] for title in told] == ["0 of 3 calls answered, rested 60 s"]
