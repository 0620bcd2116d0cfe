"""Numbers, moments and chains in plain words."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.values.calls import Attempt, Decision, Skip
from core.values.outcomes import ErrorKind
from core.values.registry import PROVIDERS, label_of
from core.values.telling.attempts import attempt_in_words, chain, ticker
from core.values.telling.run_story import story
from core.values.wording import (
    ago,
    cost,
    count,
    day_in_words,
    exact_time,
    money,
    percent,
    percent_range,
    seconds_in_words,
    sentence,
    step_in_words,
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
    assert len({kind.outcome.reason for kind in ErrorKind}) == len(ErrorKind)


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


# -- the story of a run

PLAN, DOWN, BROKE, BAD = None, ErrorKind.OVERLOADED, ErrorKind.BILLING, ErrorKind.INVALID_PLAN
ANSWER = 3  # the final answer of a plan of three steps


def asked(*rows: tuple) -> list[Attempt]:
    """Each row: step, provider, then "ok", a status, or the kind of a failure; "drill"."""
    return [_asked(number, *row) for number, row in enumerate(rows)]


def _asked(number: int, step: int | None, provider: str, how: str | ErrorKind) -> Attempt:
    failed = isinstance(how, ErrorKind) or how == "drill"
    kind = ErrorKind.CONNECTION if how == "drill" else how if failed else None
    return Attempt(
        number + 1,
        number,
        provider,
        "m",
        "priority",
        float(number),
        step=step,
        status="failed" if failed else how,
        error_kind=kind,
        latency_ms=None if how in ("running", "interrupted") else 900,
        drilled=how == "drill",
    )


def each_step(*providers: str) -> list[tuple]:
    """Plan, three steps and the answer, by those."""
    return [(step, name, "ok") for step, name in zip([PLAN, 0, 1, 2, 3], providers, strict=True)]


GOOGLE, OPENAI = (PLAN, "google", "ok"), (PLAN, "openai", "ok")
DONE = each_step("google", "openai", "anthropic", "openai", "openai")


@pytest.mark.parametrize(
    ("rows", "steps", "said"),
    [
        ([], None, "Nobody was asked."),
        ([GOOGLE], 3, "Google planned it in 0.9 s."),
        ([(PLAN, "google", "running")], None, "Google is planning it."),
        (
            [(PLAN, "anthropic", DOWN), OPENAI],
            3,
            "Anthropic was overloaded, so OpenAI planned it in 0.9 s.",
        ),
        (
            [(PLAN, "anthropic", BROKE), (PLAN, "kimi", ErrorKind.TIMEOUT), OPENAI],
            3,
            "Anthropic was out of credit and Kimi did not answer in time, so OpenAI planned it in"
            " 0.9 s.",
        ),
        (
            [(PLAN, name, DOWN) for name in ("anthropic", "kimi", "google", "nvidia")] + [OPENAI],
            3,
            "4 calls to Anthropic, Kimi, Google and NVIDIA NIM failed, so OpenAI planned it in"
            " 0.9 s.",
        ),
        (
            [(PLAN, "google", BAD), GOOGLE],
            3,
            "Google planned it in 0.9 s, asked once more because its plan did not hold.",
        ),
        (
            [(PLAN, "google", DOWN), (PLAN, "kimi", BAD), (PLAN, "kimi", BAD), GOOGLE],
            3,
            "Kimi answered, but not with a plan that holds, so Google planned it in 0.9 s, asked"
            " once more because it was overloaded.",
        ),
        (
            [(PLAN, "anthropic", DOWN), (PLAN, "google", "running")],
            None,
            "Anthropic was overloaded; Google is planning it.",
        ),
        (
            [(PLAN, "anthropic", DOWN), (PLAN, "google", BROKE)],
            None,
            "Anthropic was overloaded and Google was out of credit, so there is no plan.",
        ),
        (
            [(PLAN, "anthropic", "drill"), OPENAI],
            3,
            "Anthropic was pretended down in a fire drill, so OpenAI planned it in 0.9 s.",
        ),
        ([(PLAN, "google", "cancelled")], None, "It was stopped while Google was planning it."),
        (
            [(PLAN, "anthropic", DOWN), (PLAN, "google", "interrupted")],
            None,
            "Anthropic was overloaded; Manyways stopped while Google was planning it.",
        ),
        (
            [(PLAN, "google", ErrorKind.INTERNAL)],
            None,
            "Manyways failed while it asked Google, so there is no plan.",
        ),
        (
            each_step(*["google"] * 5),
            3,
            "Google planned it, did the 3 steps and wrote the answer.",
        ),
        (
            DONE,
            3,
            "Google planned it; OpenAI and Anthropic did the 3 steps; OpenAI wrote the answer.",
        ),
        (
            [*DONE[:3], (2, "deepseek", DOWN), *DONE[3:]],
            3,
            "Google planned it; OpenAI and Anthropic did the 3 steps; DeepSeek was overloaded in"
            " step 3, so OpenAI took over; OpenAI wrote the answer.",
        ),
        (
            [*DONE[:3], (2, "openai", DOWN), *DONE[3:]],
            3,
            "Google planned it; OpenAI and Anthropic did the 3 steps; OpenAI was overloaded in"
            " step 3, so it was asked once more; OpenAI wrote the answer.",
        ),
        (
            [DONE[0], (0, "kimi", DOWN), DONE[1], (1, "kimi", DOWN), *DONE[2:]],
            3,
            "Google planned it; OpenAI and Anthropic did the 3 steps; Kimi was overloaded in"
            " steps 1 and 2, so others took over; OpenAI wrote the answer.",
        ),
        (
            [*DONE[:4], (ANSWER, "deepseek", DOWN), DONE[4]],
            3,
            "Google planned it; OpenAI and Anthropic did the 3 steps; DeepSeek was overloaded, so"
            " OpenAI wrote the answer.",
        ),
        (
            [
                GOOGLE,
                *((0, name, DOWN) for name in ("anthropic", "kimi", "nvidia")),
                *DONE[1:],
            ],
            3,
            "Google planned it; OpenAI and Anthropic did the 3 steps; 3 calls to Anthropic, Kimi"
            " and NVIDIA NIM failed on the way; OpenAI wrote the answer.",
        ),
        (
            [*DONE[:3], (2, "openai", DOWN), (2, "kimi", BROKE)],
            3,
            "Google planned it; OpenAI and Anthropic did 2 of the 3 steps; OpenAI was overloaded"
            " and Kimi was out of credit in step 3, which was not done.",
        ),
        (
            [*DONE[:4], (ANSWER, "openai", DOWN)],
            3,
            "Google planned it; OpenAI and Anthropic did the 3 steps; OpenAI was overloaded, so"
            " there is no answer.",
        ),
        (
            [*DONE[:2], (1, "kimi", "running"), (2, "google", "running")],
            3,
            "Google planned it; OpenAI did 1 of the 3 steps; Kimi and Google are at work on"
            " steps 2 and 3.",
        ),
        (
            [*DONE[:2], (1, "kimi", "cancelled"), (2, "google", "cancelled")],
            3,
            "Google planned it; OpenAI did 1 of the 3 steps; it was stopped during steps 2 and 3.",
        ),
        (
            [*DONE[:2], (1, "kimi", "interrupted")],
            3,
            "Google planned it; OpenAI did 1 of the 3 steps; Manyways stopped during step 2.",
        ),
        (
            [*DONE[:2], (1, "kimi", "cancelled"), *DONE[2:]],
            3,
            "Google planned it; OpenAI and Anthropic did the 3 steps; it was stopped during"
            " step 2 and continued; OpenAI wrote the answer.",
        ),
        (
            each_step("google", "openai", "openai", "openai", "openai")[:2],
            1,
            "Google planned it; OpenAI did the step.",
        ),
        (  # of how many steps is not known
            DONE,
            None,
            "Google planned it; OpenAI and Anthropic did 3 steps; OpenAI wrote the last answer.",
        ),
    ],
)
def test_a_run_is_told_in_a_sentence(rows, steps, said):
    assert story(asked(*rows), steps=steps) == said


def test_steps_that_a_person_left_out_are_told():
    rows = [DONE[0], DONE[1], DONE[3], DONE[4]]
    assert story(asked(*rows), steps=3, skipped={1}) == (
        "Google planned it; OpenAI did 2 of the 3 steps; step 2 was left out; OpenAI wrote the"
        " answer."
    )
    assert story(asked(*DONE[:4]), steps=3, skipped={3}).endswith("the answer was left out.")


def test_who_was_passed_over_is_named_with_the_reason():
    decisions = (
        Decision(
            "priority",
            ("anthropic", "google"),
            (
                Skip("anthropic", "needs_attention", ErrorKind.BILLING),
                Skip("kimi", "resting", ErrorKind.OVERLOADED),
                Skip("google", "resting"),
                Skip("nvidia", "no_key"),
            ),
        ),
    )
    said = story(asked(GOOGLE), decisions, steps=3)
    assert said.startswith("Google planned it in 0.9 s. ")
    second = said.removeprefix("Google planned it in 0.9 s. ")
    assert "Anthropic" in second
    assert "out of credit" in second
    assert "Kimi" in second
    assert "Google" not in second  # it was asked after all
    assert "NVIDIA" not in second  # it was never set up
    assert story([], decisions).startswith("Nobody was asked. ")


def test_twenty_steps_and_forty_calls_are_told_shortly():
    names = list(PROVIDERS)
    rows: list[tuple] = [(PLAN, "kimi", DOWN), GOOGLE]
    for step in range(20):
        rows += [(step, names[step % 7], list(ErrorKind)[step % 10]), (step, "openai", "ok")]
    rows.append((20, "openai", "ok"))
    said = story(asked(*rows), steps=20)
    assert said.startswith("Kimi was overloaded, so Google planned it; OpenAI did the 20 steps; ")
    assert len(said) < 300


NAMES = st.sampled_from(list(PROVIDERS))
KINDS = st.sampled_from(
    [k for k in ErrorKind if k.value not in ("cancelled", "interrupted", "internal")]
)
CALL = st.tuples(
    st.sampled_from([PLAN, 0, 1, 2, 3]),
    NAMES,
    st.one_of(st.sampled_from(["ok", "cancelled", "interrupted", "running"]), KINDS),
)
FAILING = [
    *(
        attempt_in_words(_asked(0, PLAN, "google", kind)).split(" ", 1)[1][:-1]
        for kind in ErrorKind
    ),
    "failed",
    "did not hold",
]


@given(st.lists(CALL, max_size=14))
def test_a_provider_is_said_to_have_failed_if_and_only_if_one_of_its_attempts_did(rows):
    attempts = asked(*rows)
    failed = {label_of(each.provider) for each in attempts if each.status == "failed"}
    told = story(attempts, steps=3)
    assert failed == accused(told)
    names = {label_of(each.provider) for each in attempts}
    assert {name for name in map(label_of, PROVIDERS) if name in told} <= names
    assert len(told) < 700


def accused(told: str) -> set[str]:
    """Those of whom the sentence says that they failed."""
    found: set[str] = set()
    names = "|".join(re.escape(label_of(name)) for name in PROVIDERS)
    past = "|".join(
        re.escape(re.sub("^is ", "was ", re.sub("^does ", "did ", kind.outcome.said)))
        for kind in ErrorKind
    )
    for clause in re.split(r"[;.] ?", told):
        found.update(re.findall(rf"({names}) (?:{past})", clause))
        if many := re.search(r"calls? to (.*) failed", clause):
            found.update(re.findall(names, many[1]))
        if once_more := re.search(rf"({names}) [^,]*, asked (?:once more|again) because", clause):
            found.add(once_more[1])
    return found


@pytest.mark.parametrize(
    ("step", "steps", "said"),
    [(None, 3, "Planning"), (0, 3, "Step 1"), (2, None, "Step 3"), (3, 3, "Final answer")],
)
def test_each_call_says_which_step_it_served(step, steps, said):
    assert step_in_words(step, steps) == said
