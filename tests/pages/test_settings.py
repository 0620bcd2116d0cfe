"""The Settings page without a browser: untouched, full, and with a history that fails."""

import sqlite3
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.config.limits import LIMITS
from core.config.settings import VARIABLES, read_settings
from core.running.engine import Engine
from core.ui import services
from core.values.history.retention import RetentionPolicy
from core.values.runs import RunRequest
from db.choices import Choices
from db.figures.performance import Performance
from db.lists.queries import Archive
from db.sqlite.writer import SqliteHistory
from db.upkeep.upkeep import Upkeep
from tests.pages.words import text
from tests.standin import CANARIES

MAIN = Path(__file__).parent.parent.parent / "core" / "ui" / "main.py"


@contextmanager
def running(path, environment, env_file=None):
    history = SqliteHistory.open(path)
    archive, choices = Archive(path), Choices(history)
    engine = Engine(read_settings(environment, env_file), history, archive, choices)
    upkeep = Upkeep(history, choices)
    services.provide(services.Services(engine, archive, Performance(archive), (), upkeep))
    try:
        yield engine
    finally:
        services.provide(None)
        engine.close()
        upkeep.close()
        archive.close()
        history.close()


@pytest.fixture
def engine(tmp_path, yard):
    with running(tmp_path / "console.db", yard.env("openai", "google")) as engine:
        yield engine


def shown(tab: str = "Limits") -> AppTest:
    test = AppTest.from_file(str(MAIN), default_timeout=30)
    test.run()
    test.session_state["settings"] = tab
    test.switch_page("settings/settings.py").run()
    assert not test.exception
    return test


def press(test: AppTest, label: str) -> AppTest:
    next(button for button in test.button if button.label == label).click().run()
    assert not test.exception
    return test


def number(test: AppTest, label: str):
    return next(field for field in test.number_input if field.label.startswith(label))


def test_every_setting_stands_there_with_its_origin_and_no_secret(tmp_path, yard):
    (tmp_path / ".env").write_text("LLM_COOLDOWN=33\n")
    environment = {**yard.env("openai"), "CONSOLE_PASSWORD": "correct horse"}
    with running(tmp_path / "console.db", environment, tmp_path / ".env") as engine:
        engine.control.choose("run_timeout", 77)
        frame = shown("Every setting").dataframe[0].value
    rows = {row["Setting"]: row for row in frame.to_dict("records")}
    assert set(rows) == {row.name for row in VARIABLES}
    assert (rows["LLM_COOLDOWN"]["Value"], rows["LLM_COOLDOWN"]["Comes from"]) == ("33 s", ".env")
    assert rows["LLM_RUN_TIMEOUT"]["Value"] == "77 s"
    assert rows["LLM_RUN_TIMEOUT"]["Comes from"] == "chosen here"
    assert rows["OPENAI_API_KEY"]["Value"] == "set"
    assert rows["OPENAI_API_KEY"]["Comes from"] == "environment"
    assert rows["ANTHROPIC_API_KEY"]["Value"] == "not set"
    everything = frame.to_string()
    assert CANARIES["openai"] not in everything
    assert "correct horse" not in everything


def test_every_bad_value_is_named_with_its_line(tmp_path):
    (tmp_path / ".env").write_text("# mine\nLLM_COOLDOWN=soon\n\nLLM_STRATEGY=best\n")
    with running(tmp_path / "console.db", {}, tmp_path / ".env"):
        said = text(shown())
    assert "2 values could not be used as written" in said
    assert "LLM_COOLDOWN` in `.env`, line 2" in said
    assert "LLM_STRATEGY` in `.env`, line 4" in said


def test_what_is_used_all_the_same_is_told_apart_from_what_is_not(tmp_path):
    with running(tmp_path / "console.db", {"CONSOLE_PASSWORD": "research", "LLM_COOLDOWN": "x"}):
        said = text(shown())
    assert "1 value could not be used as written" in said
    assert "1 value had better be changed" in said
    assert "This password is easy to guess" in said


@pytest.mark.parametrize("key", LIMITS)
def test_a_limit_is_set_at_once_and_set_back(engine, key):
    page = shown()
    before = getattr(engine.settings, LIMITS[key].setting)
    number(page, LIMITS[key].label).set_value(before + 1).run()
    assert engine.choices.get(key) == before + 1
    assert f"Chosen here; {before:g} is the default." in text(page)
    press(page, f"Back to {before:g}")
    assert engine.choices.get(key) is None
    assert engine.policy.cooldown == engine.settings.cooldown


def test_what_a_run_may_take_is_no_limit_until_it_is_set(engine):
    page = shown()
    number(page, "Calls of a run").set_value(12).run()
    number(page, "Cost of a run").set_value(0.5).run()
    assert (engine.limits.calls, engine.limits.usd) == (12, 0.5)
    page.button(key="without ceiling calls").click().run()
    assert (engine.limits.calls, engine.limits.usd) == (None, 0.5)
    number(page, "Steps side by side").set_value(5).run()
    assert engine.choices.get("side_by_side") == 5


@pytest.mark.parametrize(
    ("label", "value"),
    [("Failures before a rest", 2.7), ("Steps side by side", 1.5), ("Calls of a run", 2.5)],
)
def test_what_is_counted_is_whole_or_refused_with_a_sentence(engine, label, value):
    page = shown()
    before = number(page, label).value
    number(page, label).set_value(value).run()
    assert f"This must be a whole number, and {value} is none" in text(page)
    assert number(page, label).value == before
    assert {change.key for change in engine.choices.changes()} <= {"welcomed"}


def test_an_attempt_longer_than_its_run_is_refused_and_so_is_a_run_shorter_than_that(engine):
    page = shown()
    number(page, "Time for one attempt").set_value(200.0).run()
    assert "An attempt cannot take 200 s in a run that may take 120 s." in text(page)
    number(page, "Time for a run").set_value(30.0).run()
    assert "A run of 30 s has no room for an attempt of 45 s." in text(page)
    assert "An attempt cannot take" not in text(page)
    assert {change.key for change in engine.choices.changes()} <= {"welcomed"}
    assert number(page, "Time for one attempt").value == 45
    assert number(page, "Time for a run").value == 120
    number(page, "Time for one attempt").set_value(20.0).run()
    number(page, "Time for a run").set_value(30.0).run()
    assert (engine.policy.attempt_timeout, engine.policy.run_timeout) == (20, 30)
    assert "no room" not in text(page)


def test_what_another_tab_has_changed_since_counts_for_what_is_refused(engine):
    page = shown()
    engine.control.choose("attempt_timeout", 20)
    engine.control.choose("run_timeout", 25)
    number(page, "Time for one attempt").set_value(40.0).run()
    assert "An attempt cannot take 40 s in a run that may take 25 s." in text(page)
    assert engine.choices.get("attempt_timeout") == 20
    assert number(page, "Time for a run").value == 25


def test_a_way_back_that_leads_to_a_contradiction_is_refused(engine):
    engine.control.choose("run_timeout", 400)
    engine.control.choose("attempt_timeout", 300)
    page = press(shown(), "Back to 120")
    assert any("no room" in toast.value.replace("\\", "") for toast in page.toast)
    assert engine.choices.get("run_timeout") == 400


def test_an_attempt_that_was_kept_longer_than_its_run_takes_no_longer(tmp_path, yard):
    with running(tmp_path / "console.db", yard.env("openai")) as engine:
        engine.choices.set("attempt_timeout", 300)
    with running(tmp_path / "console.db", yard.env("openai")) as engine:
        assert engine.policy.attempt_timeout == 120
        page = shown()
        assert number(page, "Time for one attempt").value == 120
        assert "300 was chosen, which is more than a run may take." in text(page)


def test_a_value_within_what_the_environment_allows_is_used(tmp_path, yard):
    environment = {**yard.env("openai"), "LLM_RUN_TIMEOUT": "7200", "LLM_COOLDOWN": "0.2"}
    with running(tmp_path / "console.db", environment) as engine:
        page = shown()
        number(page, "Time for a run").set_value(5000.0).run()
        number(page, "Length of a rest").set_value(0.5).run()
        assert (engine.policy.run_timeout, engine.policy.cooldown) == (5000, 0.5)
        assert number(page, "Time for a run").value == 5000


def test_a_limit_changes_no_other_that_was_set_elsewhere_since(engine):
    page = shown()
    engine.control.choose("limits", {"usd_per_day": 1.0})
    number(page, "Calls of a run").set_value(5).run()
    assert engine.choices.get("limits") == {"usd_per_day": 1.0, "calls": 5}


def test_a_limit_lower_than_may_be_set_shows_as_it_is(engine):
    engine.control.choose("limits", {"seconds": 0.5, "usd": 0.001})
    page = shown()
    assert number(page, "Working time of a run").value == 0.5
    assert number(page, "Cost of a run").value == 0.001


def test_changes_are_told_in_words_and_undone(engine):
    assert "Nothing has been changed yet." in text(shown("Changes"))
    engine.control.choose("strategy", "random")
    engine.control.choose("cooldown", 90.0)
    engine.control.choose("side_by_side", 5)
    page = shown("Changes")
    said = text(page)
    assert "Strategy: By lot" in said
    assert "Length of a rest: the default to 90 s" in said
    assert "Steps side by side: the default to 5" in said
    undo = [button for button in page.button if button.label == "Undo"]
    undo[1].click().run()
    assert engine.choices.get("cooldown") is None
    assert engine.policy.cooldown == 60.0
    assert engine.choices.get("strategy") == "random"
    assert "Length of a rest: 90 s to the default" in text(page)


def test_the_versions_are_there_with_what_is_known_of_them(engine):
    page = shown("Versions")
    frame = page.table[0].value
    assert {"Python", "SQLite", "Streamlit", "OpenAI SDK"} <= set(frame["What"])
    if sqlite3.sqlite_version_info < (3, 51, 3):
        assert "SQLite before 3.51.3" in text(page)


def test_an_empty_history_has_a_size_and_no_oldest_call(engine):
    page = shown("History")
    figures = {metric.label: metric.value for metric in page.metric}
    assert figures["Oldest call"] == "none yet"
    assert figures["Calls"] == "0"
    assert "Nothing that there is would be removed." in text(page)


def old_call(engine, *, days: float) -> None:
    run = engine.runs.get(engine.submit(RunRequest("Plan a picnic", source="ui")))
    assert run.done.wait(30)
    with sqlite3.connect(engine.history.path) as connection:
        then = time.time() - days * 86400
        connection.execute("UPDATE call SET started_at = ?", (then,))
        connection.execute("UPDATE run SET started_at = ?, finished_at = ?", (then, then + 1))
    connection.close()


def test_retention_says_what_it_would_remove_before_it_does(engine):
    old_call(engine, days=40)
    page = shown("History")
    next(box for box in page.selectbox if box.label == "Texts").set_value(30.0).run()
    assert "This would remove the texts of 1 call," in text(page)
    upkeep = services.services().upkeep
    assert upkeep.policy() == RetentionPolicy()  # nothing was done by looking
    press(page, "Keep it so and remove the rest")
    upkeep.wait(10)
    assert upkeep.policy() == RetentionPolicy(texts_days=30)
    archive = Archive(engine.history.path)
    assert archive.call_text(1) is None
    assert archive.call(1) is not None
    archive.close()


def test_a_history_that_cannot_be_read_is_said(engine, tmp_path):
    other = SqliteHistory.open(tmp_path / "other.db")
    lost = Upkeep(other, engine.choices)
    other.close()
    other.path.unlink()
    services.provide(replace(services.services(), upkeep=lost))
    assert "The history cannot be read just now." in text(shown("History"))
    assert number(shown(), "Time for a run")  # the rest of the page still works
    lost.close()
