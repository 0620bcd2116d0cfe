"""The pages without a browser: empty, full and failing."""

import json
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.config.settings import read_settings
from core.running.engine import Engine
from core.ui import services
from core.ui.settings.limit_form import CEILINGS
from core.values.runs import Limits, RunRequest
from db.choices import Choices
from db.figures.performance import Performance
from db.lists.queries import Archive
from db.sqlite.writer import SqliteHistory
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


def number(test: AppTest, label: str):
    return next(field for field in test.number_input if field.label == label)


def side_by_side(test: AppTest):
    return next(field for field in test.slider if field.label == "Steps side by side")


def finished(engine: Engine, goal: str = "Plan a picnic") -> str:
    run_id = engine.submit(RunRequest(goal, source="ui"))
    run = engine.runs.get(run_id)
    assert run is not None
    assert run.done.wait(30)
    return run_id


def test_an_empty_console_says_what_to_do_first(engine):
    assert "Nothing has run yet." in text(shown())
    assert "Run a plan" in text(shown("history/history.py"))


def test_a_finished_run_is_told_with_its_plan(engine):
    page = shown(run=finished(engine))
    assert "OpenAI planned it in" in text(page)
    assert "Confidence **90 %**" in text(page)


def test_a_failed_run_says_why_and_what_to_do(engine, yard):
    for name in ("openai", "google"):
        yard[name].script = lambda received: standin.status(402)
    page = shown(run=finished(engine))
    assert "OpenAI is out of credit" in text(page)
    assert "Google is out of credit" in text(page)
    assert "material/error" in text(page)


def test_an_empty_goal_is_refused_in_words(engine):
    page = shown()
    next(button for button in page.button if button.label == "Run plan").click().run()
    assert "The goal is empty." in text(page)


def order_shown(page: AppTest) -> list[tuple[str, str]]:
    """Name and state of each row of the order, from the top."""
    lists = [part.proto for part in page.get("bidi_component")]
    (data,) = [json.loads(part.json) for part in lists if "order_list" in part.component_name]
    return [(row["name"], row["state"]) for row in data["rows"]]


def test_the_strategy_is_kept_at_once(engine):
    page = shown()
    page.radio[0].set_value("random").run()
    assert engine.lineup.strategy == "random"
    assert shown().radio[0].value == "random"


def test_a_page_that_is_open_follows_what_is_chosen_elsewhere(engine):
    choose = engine.control.choose
    choose("limits", {"usd_per_day": 50.0})
    choose("side_by_side", 8)
    page = shown()
    choose("limits", {"usd_per_day": 1.0, "calls": 7})
    choose("side_by_side", 2)
    choose("after_planning", "run")
    choose("strategy", "random")
    page.run()
    assert engine.choices.get("limits") == {"usd_per_day": 1.0, "calls": 7}
    assert engine.choices.get("side_by_side") == side_by_side(page).value == 2
    assert engine.choices.get("after_planning") == "run"
    assert page.segmented_control(key="after planning").value == "run"
    assert engine.lineup.strategy == page.radio[0].value == "random"
    assert number(page, "Dollars for a day").value == 1.0
    assert number(page, "Calls").value == 7


def test_what_is_chosen_in_an_open_page_is_kept_and_changes_nothing_else(engine):
    page = shown()
    engine.control.choose("limits", {"usd_per_day": 1.0})
    engine.control.choose("side_by_side", 8)
    engine.control.choose("strategy", "random")
    number(page, "Minutes of work").set_value(2.0)
    page.segmented_control(key="after planning").set_value("run")
    page.radio[0].set_value("best_performance")
    page.run()
    assert engine.choices.get("limits") == {"usd_per_day": 1.0, "seconds": 120.0}
    assert engine.choices.get("after_planning") == "run"
    assert engine.lineup.strategy == "best_performance"
    side_by_side(page).set_value(5)
    page.button(key="without limit usd_per_day").click().run()
    assert engine.choices.get("limits") == {"seconds": 120.0}
    assert engine.choices.get("side_by_side") == 5


A_KEY = "sk-ant-api03-Zx81Qw7Lk3Vb9Tn2Mh6P"


def press(test: AppTest, label: str) -> AppTest:
    next(button for button in test.button if button.label == label).click().run()
    assert not test.exception
    return test


def with_a_key(page: AppTest, label: str) -> AppTest:
    page.text_area[0].set_value(f"Deploy with {A_KEY}").run()
    press(page, label)
    assert "This looks like it holds a key." in text(page)
    assert A_KEY not in text(page)
    return page


def kept(engine: Engine) -> bytes:
    return b"".join(path.read_bytes() for path in engine.history.path.parent.glob("*.db*"))


def test_a_goal_with_a_key_is_asked_about_and_goes_without_it_first(engine, yard):
    page = with_a_key(shown(), "Run plan")
    assert yard["openai"].requests == []
    labels = [button.label for button in page.button]
    without, as_it_is = "Send it without the key", "It is no key: send it as it is"
    assert labels.index(without) < labels.index(as_it_is)
    press(page, without)
    run = engine.runs.get(page.session_state["last_run"])
    assert run.done.wait(30)
    assert run.record.goal == "Deploy with [key]"
    assert A_KEY.encode() not in kept(engine)
    assert "This looks like it holds a key." not in text(page)


def test_a_goal_goes_as_it_is_when_what_it_holds_is_no_key(engine):
    page = press(with_a_key(shown(), "Run plan"), "It is no key: send it as it is")
    run = engine.runs.get(page.session_state["last_run"])
    assert run.done.wait(30)
    assert run.record.goal == f"Deploy with {A_KEY}"


def test_a_goal_from_which_the_key_was_taken_is_asked_about_no_more(engine):
    page = with_a_key(shown(), "Run plan")
    page.text_area[0].set_value("Deploy").run()
    assert "This looks like it holds a key." not in text(page)


def test_plans_are_compared_without_the_key(engine):
    engine.choices.set("switched_off", None)
    page = with_a_key(shown("run/compare.py"), "Compare plans")
    assert engine.runs.active() == []
    press(page, "Send it without the key")
    ids = page.query_params["runs"]
    for run_id in (ids if isinstance(ids, str) else ids[0]).split(","):
        run = engine.runs.get(run_id)
        assert run.done.wait(30)
        assert run.record.goal == "Deploy with [key]"
    assert A_KEY.encode() not in kept(engine)


def test_a_changed_goal_with_a_key_is_asked_about(engine):
    run_id = finished(engine)
    page = shown(run=run_id)
    page.text_area(key=f"goal of {run_id}").set_value(f"Deploy with {A_KEY}").run()
    press(page, "Plan again")
    assert "This looks like it holds a key." in text(page)
    press(page, "Send it without the key")
    run = engine.runs.get(page.session_state["last_run"])
    assert run.done.wait(30)
    assert run.record.goal == "Deploy with [key]"


def test_the_first_limit_that_is_chosen_leaves_the_minutes_as_they_show(engine):
    page = shown()
    minutes = number(page, "Minutes of work").value
    number(page, "Calls").set_value(5).run()
    assert engine.choices.get("limits") == {"seconds": minutes * 60, "calls": 5}
    assert number(page, "Minutes of work").value == minutes


def test_the_steps_side_by_side_are_as_many_here_as_in_the_settings(engine):
    page = shown("settings/settings.py")
    page.number_input(key="side by side").set_value(6).run()
    page.switch_page("run/run_plan.py").run()
    assert side_by_side(page).value == 6


def test_drawing_the_page_again_leaves_a_field_that_is_being_typed_in(engine):
    engine.control.choose("limits", {"seconds": 5.0, "usd": 0.5})
    page = shown()
    page.run()
    assert not any(field.proto.set_value for field in [*page.number_input, *page.slider])


@pytest.mark.parametrize(
    ("name", "label", "unit"),
    [
        ("seconds", "Minutes of work", 60),
        ("calls", "Calls", 1),
        ("usd", "Dollars for a run", 1),
        ("usd_per_day", "Dollars for a day", 1),
    ],
)
def test_a_limit_starts_as_low_as_in_the_settings_and_lower_where_it_is_already(
    engine, name, label, unit
):
    least = CEILINGS[name].least
    assert number(shown(), label).min * unit == least
    if not CEILINGS[name].whole:
        engine.control.choose("limits", {name: least / 10})
        assert number(shown(), label).value == least / 10 / unit


def test_the_order_shows_everyone_as_they_stand(engine):
    engine.choices.set("priority", ["google", "openai"])
    engine.choices.set("switched_off", ["google"])
    rows = order_shown(shown())
    assert rows[:3] == [("google", "switched off"), ("openai", "ready"), ("anthropic", "no key")]
    assert [name for name, _ in rows] == list(engine.lineup.priority)


def test_temperature_and_length_go_with_the_run(engine):
    page = shown()
    page.text_area[0].set_value("Plan a picnic")
    page.slider[0].set_value(1.2)
    page.select_slider[0].set_value("Long")
    next(button for button in page.button if button.label == "Run plan").click().run()
    run = engine.runs.get(page.session_state["last_run"])
    assert (run.record.request.temperature, run.record.request.max_tokens) == (1.2, 4000)


def test_a_limit_that_came_before_the_plan_can_be_raised(engine, yard):
    yard["openai"].script = lambda received: standin.status(500)
    run_id = engine.submit(RunRequest("Plan a picnic", source="ui", limits=Limits(calls=1)))
    assert engine.runs.get(run_id).done.wait(30)
    page = shown(run=run_id)
    assert "has made 1 call, its limit" in text(page)
    yard["openai"].script = lambda received: standin.answer(standin.PLAN)
    next(button for button in page.button if button.label == "Continue").click().run()
    assert engine.runs.get(run_id).done.wait(30)
    assert engine.runs.get(run_id).plan is not None
    assert len(engine.runs.get(run_id).attempts) == 2


def test_a_limit_raised_to_no_whole_number_of_calls_is_not_cut_to_one(engine, yard):
    yard["openai"].script = lambda received: standin.status(500)
    run_id = engine.submit(RunRequest("Plan a picnic", source="ui", limits=Limits(calls=1)))
    assert engine.runs.get(run_id).done.wait(30)
    page = shown(run=run_id)
    next(each for each in page.number_input if each.key == f"raise {run_id} calls").set_value(2.7)
    page.run()
    assert "must be a whole number, and 2.7 is none" in text(page)
    assert next(button for button in page.button if button.label == "Continue").disabled
    next(each for each in page.number_input if each.key == f"raise {run_id} calls").set_value(4)
    page.run()
    next(button for button in page.button if button.label == "Continue").click().run()
    assert engine.runs.get(run_id).done.wait(30)
    assert engine.runs.get(run_id).record.request.limits == Limits(calls=4)


def test_a_run_with_less_time_than_can_be_set_here_is_shown_and_its_limit_raised(engine, yard):
    yard["openai"].script = lambda received: standin.status(500)
    limits = Limits(seconds=3.0, calls=1)
    run_id = engine.submit(RunRequest("Plan a picnic", source="api", limits=limits))
    assert engine.runs.get(run_id).done.wait(30)
    fields = {field.label: field for field in shown(run=run_id).number_input if run_id in field.key}
    assert (fields["Minutes of work"].value, fields["Calls"].value) == (0.05, 2)


def test_a_run_under_way_says_who_is_asked_and_can_be_stopped(engine, yard):
    yard["openai"].script = standin.hang()
    run_id = engine.submit(RunRequest("Plan a picnic", source="ui"))
    assert standin.eventually(lambda: yard["openai"].requests, within=10)
    page = shown(run=run_id)
    assert re.search(r"Asking OpenAI….* s", text(page))
    next(button for button in page.button if button.label == "Stop").click().run()
    run = engine.runs.get(run_id)
    assert run is not None
    assert run.done.wait(10)
    assert "The run was stopped." in text(shown(run=run_id))


def test_a_history_that_cannot_be_read_is_said_and_a_run_in_memory_still_shows(engine):
    run_id = finished(engine)
    path = engine.history.path
    path.rename(path.with_suffix(".away"))
    path.mkdir()
    try:
        assert "OpenAI planned it in" in text(shown(run=run_id))
        page = shown(run="0" * 32)
        assert any("history" in error.value for error in page.error)
        assert page.text_area[0].label == "Goal"
    finally:
        path.rmdir()
        path.with_suffix(".away").rename(path)


def test_the_preview_and_the_strip_follow_what_was_switched_off_and_pretended(engine):
    assert "OpenAI would be asked first: number 1 in your order." in text(shown())
    engine.control.drills.start("openai")
    assert "Google would be asked first" in text(shown())
    assert "pretended down" in text(shown())
    engine.control.switch("google", on=False)
    assert "Nobody could answer now." in text(shown())


def test_a_private_goal_is_kept_from_everyone_else_in_the_preview_too(engine):
    page = shown()
    page.session_state["private"] = True
    page.run()
    assert "Nobody could answer now." in text(page)
    assert "kept out: this goal is private" in text(page)


def test_a_first_visit_is_explained_once(engine):
    assert "Welcome." in text(shown())
    assert "Welcome." not in text(shown())


def test_a_run_that_nobody_knows_is_said_so(engine):
    assert "There is no run at this address." in text(shown(run="nonsense"))


@pytest.mark.parametrize("call", ["1", "999", "x", "-1", "9" * 40])
def test_any_call_in_the_address_is_met_with_words(engine, call):
    finished(engine)
    page = shown("history/history.py")
    page.query_params["call"] = call
    page.run()
    assert not page.exception
    expected = "Answer" if call == "1" else "There is no call at this address."
    assert expected in text(page)
