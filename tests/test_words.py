"""Numbers, moments and chains in plain words."""

import pytest

from core.errors import ErrorKind
from core.types import Attempt
from core.words import REASONS, ago, chain, exact_time, money, ticker


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
