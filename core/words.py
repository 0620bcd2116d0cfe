"""Numbers and attempts in plain words, for pages and answers alike."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import OUTCOMES
from core.providers import label_of
from core.types import Attempt


def seconds_in_words(seconds: float) -> str:
    """`0.8 s`, `42 s`, `3 min`, `2 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def attempt_in_words(attempt: Attempt) -> str:
    """One attempt as a sentence: `Anthropic is overloaded.`"""
    label = label_of(attempt.provider)
    if attempt.status == "running":
        return f"Asking {label}."
    if attempt.status == "ok":
        took = seconds_in_words((attempt.latency_ms or 0.0) / 1000)
        return f"{label} answered in {took}."
    if attempt.error_kind is None:
        return f"{label} did not answer."
    return f"{label} {OUTCOMES[attempt.error_kind].said}."


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
