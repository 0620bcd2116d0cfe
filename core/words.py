"""Numbers and attempts in plain words, for pages and answers alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import OUTCOMES, ErrorKind
from core.providers import PROVIDERS, label_of
from core.providers.catalog import Found
from core.types import Attempt, Decision, Skip, SkipReason

# Reasons as they stand alone: in a list, on an axis, as a filter's choice.
REASONS: dict[ErrorKind, str] = {
    ErrorKind.AUTH: "Key not accepted",
    ErrorKind.PERMISSION: "Not allowed",
    ErrorKind.BILLING: "Out of credit",
    ErrorKind.MODEL_NOT_FOUND: "Model not served",
    ErrorKind.BAD_REQUEST: "Request not understood",
    ErrorKind.CONTEXT_TOO_LONG: "Request too long",
    ErrorKind.RATE_LIMITED: "Too many requests",
    ErrorKind.OVERLOADED: "Overloaded",
    ErrorKind.SERVER_ERROR: "Error of its own",
    ErrorKind.TIMEOUT: "No answer in time",
    ErrorKind.CONNECTION: "Not reached",
    ErrorKind.REFUSED: "Declined to answer",
    ErrorKind.BAD_RESPONSE: "No usable answer",
    ErrorKind.TRUNCATED: "Answer cut off",
    ErrorKind.INVALID_PLAN: "Plan does not hold",
    ErrorKind.CANCELLED: "Stopped by you",
    ErrorKind.INTERRUPTED: "Switchyard stopped",
    ErrorKind.INTERNAL: "Switchyard failed",
}


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
        return f", {probability * 100:.0f} %"
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
    return OUTCOMES[skip.error_kind].said if skip.error_kind else "failed before"


def help_with(kind: ErrorKind, provider: str) -> str:
    """What to do about a failure of that provider's, by its name: `Top up the account with …`"""
    label, action = label_of(provider), OUTCOMES[kind].action
    return action.replace("this provider", label).replace("the provider", label)


def seconds_in_words(seconds: float, *, aligned: bool = False) -> str:
    """`4 ms`, `0.8 s`, `42 s`, `3 min`, `2 h`, `42 days`; aligned, for a column: `42.0 s`."""
    if 0 < seconds < 0.095:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "<1 ms"
    if aligned:
        return f"{seconds:,.1f} s"
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    for size, up_to, unit in ((1, 120, "s"), (60, 120, "min"), (3600, 48, "h")):
        if round(seconds / size) < up_to:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:,.0f} days"


def ago(seconds: float) -> str:
    """How long something is past: `just now`, `42 s ago`, `3 min ago`, `2 h ago`, `5 days ago`."""
    return "just now" if seconds < 5 else f"{seconds_in_words(round(seconds))} ago"


def count(number: float, thing: str) -> str:
    """`1 call`, `1,204 calls`."""
    return f"{number:,.0f} {thing}{'' if number == 1 else 's'}"


def percent(rate: float, *, digits: int = 1, aligned: bool = False) -> str:
    """`98.4 %`, `95 %`; never 100 unless it is all of them, never 0 unless it is none.

    Aligned, for a column: `95.0 %`.
    """
    said = _hundredths(rate, digits)
    return f"{said if aligned else said.removesuffix('.0')} %"


def percent_range(low: float, high: float, *, digits: int = 1) -> str:
    """`96.8 to 98.3 %`"""
    return f"{_hundredths(low, digits)} to {_hundredths(high, digits)} %"


def _hundredths(rate: float, digits: int) -> str:
    least = 10.0**-digits
    hundredths = min(max(rate * 100, least), 100 - least) if 0 < rate < 1 else rate * 100
    return f"{hundredths:.{digits}f}"


def bytes_in_words(number: float) -> str:
    """`512 bytes`, `4.2 MB`, `1.3 GB`; a MB is 1,000,000 bytes."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return (
                f"{number / size:.1f} {unit}"
                if number < 100 * size
                else f"{number / size:,.0f} {unit}"
            )
    return f"{number:.0f} bytes"


def day_in_words(moment: date, *, year: bool = False) -> str:
    """`28 Nov`, `28 Nov 2026`."""
    return f"{moment.day} {moment:%b %Y}" if year else f"{moment.day} {moment:%b}"


def sentence(words: str) -> str:
    """With a capital to begin with; `capitalize` would make the names inside small."""
    return words[:1].upper() + words[1:]


def exact_time(moment: float, zone: str | None) -> str:
    """`24 Nov 2026, 14:03:22`, in the zone of that name, or UTC where there is none such."""
    local, utc = _local(moment, zone)
    return f"{day_in_words(local, year=True)}, {local:%H:%M:%S}{utc}"


def moment_near(moment: float, other: float, zone: str | None) -> str:
    """`14:03`, or with its day where that is not the other moment's: `25 Nov, 14:03`."""
    local, utc = _local(moment, zone)
    day = "" if local.date() == _local(other, zone)[0].date() else f"{day_in_words(local)}, "
    return f"{day}{local:%H:%M}{utc}"


def _local(moment: float, zone: str | None) -> tuple[datetime, str]:
    """And what to say of it where there is no zone of that name."""
    try:
        there = ZoneInfo(zone) if zone else None
    except (ZoneInfoNotFoundError, ValueError):
        there = None
    return datetime.fromtimestamp(moment, there or ZoneInfo("UTC")), "" if there else " UTC"


def money(dollars: float | None) -> str:
    """`$0.0042`, `$1,204.50`; what is unknown is not nothing."""
    if dollars is None:
        return "unknown"
    if 0 < dollars < 0.00005:
        return "<$0.0001"
    return "$0" if dollars == 0 else f"${dollars:.4f}" if dollars < 0.01 else f"${dollars:,.2f}"


def cost(dollars: float | None, *, unpriced: int = 0, simulated: bool = False) -> str:
    """What calls came to: `$1.20`, `at least $0.0067, 5 calls without a price`.

    `dollars` are those of the calls whose price is known, `unpriced` how many more there were.
    Practice costs nothing, whatever the price lists know.
    """
    value, note = cost_parts(dollars, unpriced=unpriced, simulated=simulated)
    if simulated:
        return f"{value} ({note})"
    return f"{value}, {note}" if note else value


def cost_parts(
    dollars: float | None, *, unpriced: int = 0, simulated: bool = False
) -> tuple[str, str]:
    """The same in two: the sum, and what there is to be said of it."""
    if simulated:
        return "nothing", "practice"
    if not unpriced:
        return money(dollars), ""
    known = f"at least {money(dollars)}" if dollars else "unknown"
    return known, f"{count(unpriced, 'call')} without a price"


_MARKS = {"ok": "✓", "failed": "✕", "running": "…", "cancelled": "■", "interrupted": "■"}


def chain(calls: Iterable[Sequence[str]]) -> str:
    """Who was asked, in turn, and how it went: `Anthropic ✕ → OpenAI ✓`.

    `calls` are (provider, status); the same again and again is said once, with its number.
    """
    links = []
    for (provider, status), run in groupby((call[0], call[1]) for call in calls):
        times = sum(1 for _ in run)
        links.append(f"{label_of(provider)} {_MARKS[status]}{f' ×{times}' if times > 1 else ''}")
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
    return f"{label} {OUTCOMES[attempt.error_kind].said}."


def found_in_words(found: Found) -> str:
    """What a test found: `The key works; claude-sonnet-5-5 is one of 14 models on offer.`"""
    spec = PROVIDERS[found.provider]
    if found.error_kind is not None:
        outcome = OUTCOMES[found.error_kind]
        return f"{spec.label} {outcome.said}. {outcome.action}"
    works = "It can be reached" if spec.runs_here or spec.open_list else "The key works"
    number = f"{len(found.models)} model{'' if len(found.models) == 1 else 's'}"
    if not found.models:
        said = f"{works}, but no model is on offer."
    elif found.served:
        said = f"{works}; {found.model} is one of {number} on offer."
    else:
        said = f"{works}, but {found.model} is not among the {number} on offer."
    if spec.open_list:
        said += " Its list needs no key, so only Try now proves the key."
    return said


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


def story(attempts: Sequence[Attempt]) -> str:
    """A run in one sentence: `Anthropic is out of credit, so Google answered in 3.1 s.`"""
    if not attempts:
        return "Nobody was asked."
    failures: dict[str, str] = {}
    for attempt in attempts[:-1]:
        if attempt.provider != attempts[-1].provider:
            failures[attempt.provider] = attempt_in_words(attempt).rstrip(".")
    last = attempt_in_words(attempts[-1])
    if not failures:
        return last
    told = list(failures.values())
    if len(told) > 3:
        told = [*told[:2], f"{len(told) - 2} more failed"]
    joined = told[0] if len(told) == 1 else ", ".join(told[:-1]) + " and " + told[-1]
    return f"{joined}, so {last}" if attempts[-1].status == "ok" else f"{joined}; {last}"
