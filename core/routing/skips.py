"""Skipped providers: why a circuit skips one, and whom a run's decisions skipped in all."""

from __future__ import annotations

from collections.abc import Iterable

from core.routing.health import Health
from core.values.calls import Attempt, Decision, Skip
from core.values.registry import label_of
from core.values.telling.attempts import SKIPS, help_with, skip_clause, skip_in_words


def why_not(health: Health, *, now: float, wall: float) -> Skip | None:
    """Why it is not asked now; None where it may be.

    `now` is of the circuit's clock, `wall` the same moment in UTC seconds since the epoch.
    """
    breaker = health.breaker
    if breaker.until is None or breaker.admits(now):
        return None
    if breaker.needs_you:
        return Skip(health.name, "needs_attention", breaker.reason)
    waiting = breaker.until - now
    until = round(wall + waiting, 1) if waiting > 0 else None  # None: another run tries it
    return Skip(health.name, "resting", breaker.reason, until)


def passed_over(decisions: Iterable[Decision]) -> tuple[Skip, ...]:
    """Those set up that a run did not ask in one of its walks, each with its latest reason."""
    latest = {skip.provider: skip for decision in decisions for skip in decision.skipped}
    return tuple(skip for skip in latest.values() if SKIPS[skip.reason].set_up)


def not_asked_in_words(decisions: Iterable[Decision]) -> str:
    """Who was set up and yet passed over, a sentence each; moments in UTC."""
    return " ".join(map(skip_in_words, passed_over(decisions))) or "nobody"


def not_asked(skips: Iterable[Skip], attempts: Iterable[Attempt], *, now: float) -> str:
    """The rest of a sentence about those who failed: who was not even asked, and why.

    `now` is in UTC seconds.
    """
    tried = {attempt.provider for attempt in attempts}
    names = [
        f"{label_of(skip.provider)}, which {skip_clause(skip, now=now)}"
        for skip in skips
        if skip.provider not in tried
    ]
    if not names:
        return ""
    return f"; not asked {'was' if len(names) == 1 else 'were'} {', and '.join(names)}"


def helps(skips: Iterable[Skip], attempts: Iterable[Attempt]) -> str:
    """What a person can do so that more may be asked, in a sentence without its stop.

    Empty where nothing but waiting helps.
    """
    failed = [(attempt.provider, attempt.error_kind) for attempt in attempts]
    passed = [(s.provider, s.error_kind) for s in skips if s.reason == "needs_attention"]
    needy = {name: kind for name, kind in (*passed, *failed) if kind and kind.outcome.needs_you}
    said = [help_with(kind, name).rstrip(".") for name, kind in needy.items()]
    return ", or ".join([*said[:1], *(each[:1].lower() + each[1:] for each in said[1:])])
