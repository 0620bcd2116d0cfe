"""The error of a request that nobody answered: what a person is told, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.routing import skips
from core.routing.route import GiveUp, Route
from core.values.calls import Attempt, Skip
from core.values.errors import (
    AllProvidersFailed,
    DeadlineExceeded,
    NoProviderConfigured,
    ProviderError,
    RunError,
)
from core.values.registry import label_of
from core.values.telling.attempts import attempt_in_words, skip_clause
from core.values.wording import seconds_in_words


@dataclass(frozen=True, slots=True)
class Story:
    """What came before: how the route stood (`wall`: when, in UTC seconds) and who was asked."""

    route: Route
    wall: float
    attempts: Sequence[Attempt]
    absent: Sequence[Skip]  # whom the caller left out
    last: ProviderError | None  # the failure that came last

    @property
    def passed_over(self) -> tuple[Skip, ...]:
        """Those that could have been asked, had they not rested or been switched off."""
        off = (skip for skip in self.absent if skip.reason == "switched_off")
        return (*self.route.skipped.values(), *off)

    @property
    def not_asked(self) -> str:
        return skips.not_asked(self.passed_over, self.attempts, now=self.wall)

    @property
    def helps(self) -> str:
        return skips.helps(self.route.skipped.values(), self.attempts)


def error(move: GiveUp, story: Story) -> RunError:
    """What ends the run."""
    if move.why == "nobody":
        return NoProviderConfigured(
            "No provider is set up.",
            "Set a key such as ANTHROPIC_API_KEY, or switch practice providers on.",
        )
    if move.why == "late":
        return _late(story)
    if move.why == "objected" and story.last:
        return _objected(story, story.last, move.objectors)
    if not story.attempts:
        return _nobody_could_be_asked(story, move.retry_after)
    if all(attempt.drilled for attempt in story.attempts):
        return AllProvidersFailed(
            f"Every provider that could be asked is pretended down in a fire drill"
            f"{story.not_asked}.",
            "End the fire drill, or put another provider into the order.",
            attempts=story.attempts,
        )
    return _nobody_answered(story, move.retry_after)


def _late(story: Story) -> RunError:
    helps = story.helps
    return DeadlineExceeded(
        f"Time ran out before a provider had answered{story.not_asked}.",
        "Allow more time for a run, or put a faster provider first"
        f"{f', or {helps[:1].lower()}{helps[1:]}' if helps else ''}.",
        attempts=story.attempts,
    )


def _objected(story: Story, failure: ProviderError, objectors: frozenset[str]) -> RunError:
    names = " and ".join(sorted(label_of(name) for name in objectors))
    return AllProvidersFailed(
        f"{names} both found fault with the request: {failure.message[:200].rstrip('.')}.",
        failure.kind.outcome.action,
        attempts=story.attempts,
    )


def _nobody_could_be_asked(story: Story, soonest: float | None) -> RunError:
    reasons = "; ".join(
        f"{label_of(skip.provider)} {skip_clause(skip, now=story.wall)}"
        for skip in story.passed_over
    )
    return AllProvidersFailed(
        f"Nobody could be asked: {reasons}.", _action(story, "", soonest), retry_after=soonest
    )


def _nobody_answered(story: Story, soonest: float | None) -> RunError:
    last: dict[str, Attempt] = {attempt.provider: attempt for attempt in story.attempts}
    reasons = "; ".join(
        attempt_in_words(attempt).rstrip(".") for attempt in last.values() if attempt.error_kind
    )
    first = next(iter(last.values())).error_kind
    action = first.outcome.action if first and len(last) == 1 else "Read the reasons below"
    return AllProvidersFailed(
        f"No provider gave an answer: {reasons}{story.not_asked}.",
        _action(story, action, soonest),
        attempts=story.attempts,
        retry_after=soonest,
    )


def _action(story: Story, otherwise: str, soonest: float | None) -> str:
    """What helps: a person, where one can, or waiting. `soonest` is in seconds."""
    helps = story.helps
    kinds = [attempt.error_kind for attempt in story.attempts if attempt.error_kind]
    waiting = f"wait {seconds_in_words(soonest)} until one is back" if soonest else ""
    if helps and not waiting and any(not kind.outcome.needs_you for kind in kinds):
        waiting = "try again in a minute"
    parts = [part for part in (helps or otherwise.rstrip("."), waiting) if part]
    said = ", or ".join(parts) or "Try again in a minute"
    return f"{said[:1].upper()}{said[1:]}."
