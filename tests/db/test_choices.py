"""What the user chose, and taking it back."""

import pytest

from core.values.errors import HistoryUnavailable
from db.choices import Change, Choices
from db.sqlite.writer import SqliteHistory


class Clock:
    def __init__(self):
        self.now = 1_790_000_000.0

    def __call__(self):
        self.now += 1
        return self.now


@pytest.mark.parametrize(
    "value", ["priority", ["kimi", "openai"], {"openai": "gpt-6-luna"}, [], False, 0.5]
)
def test_a_choice_outlives_the_process(value, history):
    choices = Choices(history)
    assert choices.get("key") is None
    choices.set("key", value)
    assert choices.get("key") == value
    history.close()

    again = SqliteHistory.open(history.path)
    assert Choices(again).get("key") == value
    again.close()


def test_none_goes_back_to_the_default(history):
    choices = Choices(history)
    choices.set("strategy", "random")
    choices.set("strategy", None)
    assert choices.get("strategy") is None
    assert Choices(history).get("strategy") is None


def test_every_change_is_kept_with_its_time_and_both_values(history):
    choices = Choices(history, clock=Clock())
    choices.set("strategy", "random")
    choices.set("switched_off", ["kimi"])
    choices.set("strategy", "priority")
    choices.set("strategy", "priority")  # changes nothing
    assert choices.changes("strategy") == [
        Change("strategy", "random", "priority", 1_790_000_003.0),
        Change("strategy", None, "random", 1_790_000_001.0),
    ]
    assert [change.key for change in choices.changes()] == ["strategy", "switched_off", "strategy"]
    assert [change.new for change in choices.changes(limit=1)] == ["priority"]


def test_undo_takes_back_the_last_change_of_its_key_and_undoing_that_brings_it_back(history):
    choices = Choices(history)
    choices.set("strategy", "random")
    choices.set("strategy", "priority")
    choices.set("switched_off", ["kimi"])

    choices.undo("strategy")
    assert choices.get("strategy") == "random"
    assert choices.get("switched_off") == ["kimi"]
    choices.undo("strategy")
    assert choices.get("strategy") == "priority"
    assert Choices(history).get("strategy") == "priority"


def test_the_first_choice_undone_is_the_default_again(history):
    choices = Choices(history)
    choices.undo("strategy")
    choices.set("strategy", "random")
    choices.undo("strategy")
    assert choices.get("strategy") is None


def test_a_choice_that_cannot_be_kept_does_not_hold(history):
    choices = Choices(history)
    choices.set("strategy", "random")
    history.close()
    with pytest.raises(HistoryUnavailable):
        choices.set("strategy", "priority")
    assert choices.get("strategy") == "random"


def test_without_a_file_the_defaults_hold(tmp_path):
    (tmp_path / "data").write_text("in the way")
    history = SqliteHistory.open(tmp_path / "data" / "console.db")
    assert Choices(history).get("strategy") is None
    history.close()
