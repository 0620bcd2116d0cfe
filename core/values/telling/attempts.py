"""One attempt, one provider that was passed over, or what is going on, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from core.values.calls import Attempt, Decision, Skip, SkipReason
from core.values.outcomes import ErrorKind
from core.values.registry import PROVIDERS, label_of
from core.values.statuses import STATUSES
from core.values.wording import exact_time, percent, seconds_in_words


@dataclass(frozen=True, slots=True)
class _Passed:
    """Why somebody was passed over, in words that fit after the name: by itself, and as a clause.

    A failure's own words stand for `{said}`. `set_up`: it could have been asked otherwise.
    """

    short: str
    clause: str
    set_up: bool = True


SKIPS: dict[SkipReason, _Passed] = {
    "resting": _Passed("resting", "is being tried by another run"),
    "needs_attention": _Passed("{said}", "{said}"),
    "switched_off": _Passed("switched off", "is switched off"),
    "no_key": _Passed("no key", "has no key", set_up=False),
    "drilled": _Passed("pretended down (fire drill)", "is pretended down in a fire drill"),
    "private": _Passed("kept out: this goal is private", "is kept out because the goal is private"),
    "not_asked_for": _Passed("not asked for", "was not asked for", set_up=False),
}


def skip_in_short(skip: Skip, *, back: str = "") -> str:
    """What fits after the name: `resting, back at 14:03`. `back` says when: `at 14:03`."""
    if skip.reason == "resting":
        return f"resting, back {back}" if back else "rested, being tried"
    if skip.reason == "no_key" and _runs_here(skip.provider):
        return "not running"
    return SKIPS[skip.reason].short.format(said=_said(skip))


def skip_in_words(skip: Skip, *, zone: str | None = None) -> str:
    """A sentence: `Google is overloaded and rests until 24 Nov 2026, 14:03:22 UTC.`

    The moment is in the time zone of that name.
    """
    label = label_of(skip.provider)
    if skip.reason == "resting" and skip.until is not None:
        return f"{label} {_said(skip)} and rests until {exact_time(skip.until, zone)}."
    if skip.reason == "needs_attention":
        return f"{label} {_said(skip)}, so it was not asked."
    return f"{label} {skip_clause(skip)}."


def order_in_words(decisions: Sequence[Decision]) -> str:
    """Of the first: `Anthropic, OpenAI, Google (chance had a part in it, 1 in 6)`."""
    if not decisions:
        return "not recorded then"
    first = decisions[0]
    how = ["chosen for this run"] if first.chosen else []
    if first.drawn:
        how.append(f"chance had a part in it{_odds(first.probability)}")
    names = ", ".join(map(label_of, first.order)) or "nobody could be asked"
    return f"{names} ({', '.join(how)})" if how else names


def _odds(probability: float | None) -> str:
    if probability is None:
        return ""
    if probability > 0.5:
        return f", {percent(probability, digits=0)}"
    return f", 1 in {round(1 / probability):,}"


def skip_clause(skip: Skip, *, now: float | None = None) -> str:
    """What fits after the name or `which`: `rests for another 42 s`. `now` is in UTC seconds."""
    if skip.reason == "resting" and skip.until is not None and now is not None:
        return f"rests for another {seconds_in_words(max(skip.until - now, 1.0))}"
    if skip.reason == "no_key" and _runs_here(skip.provider):
        return "is not running"
    return SKIPS[skip.reason].clause.format(said=_said(skip))


def _runs_here(provider: str) -> bool:
    return provider in PROVIDERS and PROVIDERS[provider].runs_here


def _said(skip: Skip) -> str:
    return skip.error_kind.outcome.said if skip.error_kind else "failed before"


def help_with(kind: ErrorKind, provider: str) -> str:
    """What to do about a failure of that provider's, by its name: `Top up the account with …`"""
    label, action = label_of(provider), kind.outcome.action
    return action.replace("this provider", label).replace("the provider", label)


def chain(calls: Iterable[Sequence[str]]) -> str:
    """Who was asked, in turn, and how it went: `Anthropic ✕ → OpenAI ✓`.

    `calls` are (provider, status); the same again and again is said once, with its number.
    """
    links = []
    for (provider, status), run in groupby((call[0], call[1]) for call in calls):
        times = sum(1 for _ in run)
        links.append(
            f"{label_of(provider)} {STATUSES[status].sign}{f' ×{times}' if times > 1 else ''}"
        )
    return " → ".join(links)


def attempt_in_words(attempt: Attempt) -> str:
    """One attempt as a sentence: `Anthropic is overloaded.`"""
    label = label_of(attempt.provider)
    if attempt.status == "running":
        return f"Asking {label}."
    if attempt.status == "ok":
        took = seconds_in_words((attempt.latency_ms or 0.0) / 1000)
        return f"{label} answered in {took}."
    if attempt.drilled:
        return f"{label} was pretended down in a fire drill."
    if attempt.error_kind is None:
        return f"{label} did not answer."
    return f"{label} {attempt.error_kind.outcome.said}."


def ticker(attempts: Sequence[Attempt], *, seconds: float = 0.0) -> str:
    """What is going on, while it is, `seconds` after the run began.

    `Anthropic is overloaded, asking OpenAI…`
    """
    if not attempts:
        return "Starting…" if seconds < 1 else "Waiting until a provider may be asked…"
    asked = [attempt for attempt in attempts if attempt.status == "running"]
    before = [attempt for attempt in attempts if attempt.status != "running"]
    if not asked:
        last = attempt_in_words(attempts[-1]).rstrip(".")
        return f"{last}…" if attempts[-1].status == "ok" else f"{last}, looking for the next…"
    names = " and ".join(dict.fromkeys(label_of(attempt.provider) for attempt in asked))
    failed = before[-1] if before and before[-1].status == "failed" else None
    if failed is None or failed.step != asked[0].step:
        return f"Asking {names}…"
    whom = "it again" if failed.provider == asked[0].provider else names
    return f"{attempt_in_words(failed).rstrip('.')}, asking {whom}…"
