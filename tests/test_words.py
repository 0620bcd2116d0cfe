"""Numbers, moments and chains in plain words."""

from datetime import UTC, datetime

import pytest

from core.errors import ErrorKind
from core.types import Attempt
from core.words import (
    REASONS,
    ago,
    chain,
    cost,
    count,
    day_in_words,
    exact_time,
    money,
    percent,
    percent_range,
    seconds_in_words,
    sentence,
    ticker,
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "just now"),
        (0, "just now"),
        (42, "42 s ago"),
        (200, "3 min ago"),
        (3 * 3600, "3 h ago"),
        (5 * 86400, "5 days ago"),
    ],
)
def test_a_moment_past_is_said_as_people_say_it(seconds, words):
    assert ago(seconds) == words


def test_the_exact_time_is_the_viewers_own():
    assert exact_time(1_790_000_000.0, "Asia/Kolkata") == "21 Sep 2026, 19:43:20"


@pytest.mark.parametrize("zone", [None, "", "Nowhere/City", "../etc/passwd"])
def test_without_a_known_zone_the_time_says_that_it_is_utc(zone):
    assert exact_time(1_790_000_000.0, zone) == "21 Sep 2026, 14:13:20 UTC"


def test_the_chain_of_a_run_names_everyone_who_was_asked():
    calls = [["anthropic", "failed"], ["openai", "ok"]]
    assert chain(calls) == "Anthropic ✕ → OpenAI ✓"
    assert chain([*calls, ["openai", "ok"], ["openai", "running"]]) == (
        "Anthropic ✕ → OpenAI ✓ ×2 → OpenAI …"
    )
    assert chain([]) == ""


def test_a_cost_that_is_unknown_is_not_nothing():
    assert [money(None), money(0.0), money(0.0042), money(1.2)] == [
        "unknown",
        "$0",
        "$0.0042",
        "$1.20",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.0002, "<1 ms"),
        (0.004, "4 ms"),
        (0.0949, "95 ms"),
        (0.8, "0.8 s"),
        (9.96, "10 s"),
        (42.4, "42 s"),
        (119.7, "2 min"),
        (200, "3 min"),
        (7199, "2 h"),
        (47 * 3600, "47 h"),
        (48 * 3600, "2 days"),
        (1008 * 3600, "42 days"),
        (9600 * 3600 * 24, "9,600 days"),
    ],
)
def test_a_length_of_time_is_said_in_the_unit_that_people_use_for_it(seconds, words):
    assert seconds_in_words(seconds) == words


def test_in_a_column_every_time_has_as_many_digits():
    assert [seconds_in_words(value, aligned=True) for value in (0.004, 0.8, 3, 42, 300)] == [
        "4 ms",
        "0.8 s",
        "3.0 s",
        "42.0 s",
        "300.0 s",
    ]


@pytest.mark.parametrize(
    ("rate", "plain", "aligned", "whole"),
    [
        (0.0, "0 %", "0.0 %", "0 %"),
        (0.00001, "0.1 %", "0.1 %", "1 %"),
        (0.5, "50 %", "50.0 %", "50 %"),
        (0.943, "94.3 %", "94.3 %", "94 %"),
        (0.9996, "99.9 %", "99.9 %", "99 %"),
        (0.99999, "99.9 %", "99.9 %", "99 %"),
        (1.0, "100 %", "100.0 %", "100 %"),
    ],
)
def test_a_share_is_never_all_while_something_is_missing_nor_none_while_something_is_there(
    rate, plain, aligned, whole
):
    assert percent(rate) == plain
    assert percent(rate, aligned=True) == aligned
    assert percent(rate, digits=0) == whole


def test_a_range_of_shares_has_one_unit_and_as_many_digits_at_either_end():
    assert percent_range(0.888, 0.978) == "88.8 to 97.8 %"
    assert percent_range(0.963, 1.0) == "96.3 to 100.0 %"
    assert percent_range(0.9, 0.99996) == "90.0 to 99.9 %"
    assert percent_range(0.954, 0.99, digits=0) == "95 to 99 %"


@pytest.mark.parametrize(
    ("dollars", "words"),
    [(0.00001, "<$0.0001"), (0.00999, "$0.0100"), (0.01, "$0.01"), (1204.5, "$1,204.50")],
)
def test_money_is_told_to_the_digit_that_matters(dollars, words):
    assert money(dollars) == words


def test_a_sum_says_what_it_does_not_know_and_practice_costs_nothing():
    assert cost(0.0067) == "$0.0067"
    assert cost(0.0067, unpriced=5) == "at least $0.0067, 5 calls without a price"
    assert cost(1.2, unpriced=1) == "at least $1.20, 1 call without a price"
    assert cost(0.0, unpriced=3) == "unknown, 3 calls without a price"
    assert cost(None, unpriced=2) == "unknown, 2 calls without a price"
    assert cost(None) == "unknown"
    assert cost(39.6, simulated=True) == "nothing (practice)"
    assert cost(None, unpriced=4, simulated=True) == "nothing (practice)"


def test_numbers_of_things_are_counted_in_one_way():
    assert [count(number, "call") for number in (0, 1, 1204)] == [
        "0 calls",
        "1 call",
        "1,204 calls",
    ]


def test_a_day_keeps_its_months_capital():
    moment = datetime(2026, 11, 28, tzinfo=UTC)
    assert day_in_words(moment) == "28 Nov"
    assert day_in_words(moment, year=True) == "28 Nov 2026"
    assert sentence("from 28 Nov 2026") == "From 28 Nov 2026"
    assert sentence("") == ""


def test_every_reason_has_words_of_its_own():
    assert REASONS.keys() == set(ErrorKind)
    assert len(set(REASONS.values())) == len(REASONS)


def attempt(provider: str, status: str, kind: ErrorKind | None = None, **more: object) -> Attempt:
    return Attempt(
        1, 0, provider, "m", "priority", 0.0, status=status, error_kind=kind, latency_ms=900, **more
    )


def test_the_ticker_says_who_is_asked_and_why():
    overloaded = attempt("anthropic", "failed", ErrorKind.OVERLOADED)
    asking = attempt("openai", "running")
    assert ticker([]) == "Starting…"
    assert ticker([], seconds=2) == "Waiting until a provider may be asked…"
    assert ticker([attempt("anthropic", "running")]) == "Asking Anthropic…"
    assert ticker([overloaded]) == "Anthropic is overloaded, looking for the next…"
    assert ticker([overloaded, asking]) == "Anthropic is overloaded, asking OpenAI…"
    bad = attempt("openai", "failed", ErrorKind.INVALID_PLAN)
    assert ticker([bad, asking]).endswith("not with a plan that holds, asking it again…")
    assert ticker([attempt("openai", "ok")]) == "OpenAI answered in 0.9 s…"


def test_steps_side_by_side_are_said_together():
    both = [attempt("anthropic", "running", step=0), attempt("openai", "running", step=1)]
    assert ticker(both) == "Asking Anthropic and OpenAI…"
    failed = attempt("google", "failed", ErrorKind.TIMEOUT)
    assert ticker([failed, *both]) == "Asking Anthropic and OpenAI…"
