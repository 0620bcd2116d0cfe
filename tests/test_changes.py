"""Changes in words, and keys that change between two starts."""

import pytest

from core.config.changes import change_in_words, note_keys
from core.config.settings import read_settings
from core.values.ports import Change
from core.values.registry import PROVIDERS
from db.choices import Choices
from db.sqlite.writer import SqliteHistory

ORDER = [*PROVIDERS]


def said(key, old, new):
    return change_in_words(Change(key, old, new, 0.0))


@pytest.mark.parametrize(
    ("key", "old", "new", "words"),
    [
        ("strategy", None, "priority", "Strategy: My order"),
        ("strategy", "priority", None, "Strategy: back to the default"),
        ("priority", None, ["google", "anthropic", "openai", *ORDER[3:]],
         "Google moved from 3rd to 1st"),
        ("priority", ORDER, ORDER[::-1], "Order: BitNet (this computer), NVIDIA NIM, Kimi, …"),
        ("priority", ORDER, None, "Order: back to the default"),
        ("models", None, {"openai": "gpt-6"}, "OpenAI now with gpt-6"),
        ("models", {"openai": "gpt-6"}, None, "OpenAI now with its default model"),
        ("switched_off", None, ["kimi"], "Kimi switched off"),
        ("switched_off", ["kimi"], None, "Kimi switched on"),
        ("keys", {"openai": "1"}, {"openai": "2"}, "OpenAI: another key or address"),
        ("keys", {}, {"openai": "2"}, "OpenAI: key added"),
        ("keys", {"openai": "2"}, {}, "OpenAI: key removed"),
    ],
)  # fmt: skip
def test_a_change_is_told_in_words(key, old, new, words):
    assert said(key, old, new) == words


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [("saved_filters", None, {"a": "b"}), ("keys", None, {"openai": "1"}), ("unheard-of", 1, 2)],
)
def test_what_says_nothing_of_providers_is_no_mark(key, old, new):
    assert said(key, old, new) is None


@pytest.mark.parametrize("key", ["strategy", "priority", "models", "switched_off", "keys"])
@pytest.mark.parametrize("value", [None, 3, "x", [], {}, [["x"]], {"x": 1}, ["nobody"]])
def test_a_value_from_another_time_does_not_break_the_page(key, value):
    said(key, value, value)
    said(key, None, value)


def test_another_key_is_noted_at_the_next_start_and_never_kept(tmp_path):
    history = SqliteHistory.open(tmp_path / "console.db")
    choices = Choices(history)

    def start(**environment):
        note_keys(read_settings(environment, None), choices)

    start()
    assert choices.changes("keys") == []
    start(OPENAI_API_KEY="sk-first-secret")
    start(OPENAI_API_KEY="sk-first-secret")
    start(OPENAI_API_KEY="sk-second-secret")
    start(OPENAI_API_KEY="sk-second-secret", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    start()
    told = [change_in_words(change) for change in reversed(choices.changes("keys"))]
    assert told == [
        None,
        "OpenAI: another key or address",
        "OpenAI: another key or address",
        "OpenAI: key removed",
    ]
    history.close()
    for file in tmp_path.iterdir():
        assert b"secret" not in file.read_bytes()
