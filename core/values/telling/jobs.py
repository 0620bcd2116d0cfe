"""A run's calls by what they were for: the plan, each step, and the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.values.calls import Attempt
from core.values.outcomes import ErrorKind
from core.values.statuses import CallStatus


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do, and who was asked for it, in order: at least one attempt."""

    step: int | None  # None: the plan
    attempts: tuple[Attempt, ...]

    @property
    def done(self) -> Attempt | None:
        return next((each for each in reversed(self.attempts) if each.status == "ok"), None)

    @property
    def failed(self) -> tuple[Attempt, ...]:
        return tuple(each for each in self.attempts if each.status == "failed")

    @property
    def state(self) -> CallStatus:
        """That of the last attempt, unless it is done or under way."""
        states = {each.status for each in self.attempts}
        if "ok" in states:
            return "ok"
        return "running" if "running" in states else self.attempts[-1].status

    @property
    def cut(self) -> tuple[Attempt, ...]:
        """Those that a stop ended: a person's, or Manyways's own."""
        return tuple(each for each in self.attempts if each.status in ("cancelled", "interrupted"))

    @property
    def continued(self) -> bool:
        """Cut, and done later by somebody who was asked after it, and not at the same time."""
        return bool(self.done and self.cut and self.done.started_at >= _end(self.cut[-1]))


@dataclass(frozen=True, slots=True)
class Jobs:
    """`answer` is what came last where the number of steps is not known."""

    plan: Job | None
    steps: tuple[Job, ...]
    answer: Job | None


def jobs_of(attempts: Sequence[Attempt], steps: int | None) -> Jobs:
    """`steps`: how many the plan has; the answer is one more. None: not known."""
    numbers = sorted({each.step for each in attempts if each.step is not None})
    final = steps if steps is not None else max(numbers, default=None)
    jobs = [_job(attempts, step) for step in numbers]
    return Jobs(
        _job(attempts, None) if any(each.step is None for each in attempts) else None,
        tuple(job for job in jobs if job.step != final),
        next((job for job in jobs if job.step == final), None),
    )


def last_by_provider(attempts: Iterable[Attempt]) -> list[Attempt]:
    return list({each.provider: each for each in attempts}.values())


def at_fault(attempt: Attempt) -> bool:
    """Whether it failed in earnest: not in a fire drill, and by no fault of ours."""
    return (
        attempt.status == "failed"
        and not attempt.drilled
        and attempt.error_kind is not ErrorKind.INTERNAL
    )


def _job(attempts: Sequence[Attempt], step: int | None) -> Job:
    return Job(step, tuple(each for each in attempts if each.step == step))


def _end(attempt: Attempt) -> float:
    return attempt.started_at + (attempt.latency_ms or 0.0) / 1000
