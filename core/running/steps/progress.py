"""How far the carrying out of a plan has come: a fold over the run's calls.

A step is done when one of its calls was answered, so a restart, a stop or a failure repeats no
finished step. The final answer counts as one more step, after the last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from core.planning.plan import Plan, PlanStep
from core.values.calls import Attempt
from core.values.thinking import answer_so_far

StepState = Literal["waiting", "running", "done", "failed", "skipped"]
SIDE_BY_SIDE = 3  # steps at once, unless the user says otherwise
MOST_SIDE_BY_SIDE = 10


@dataclass(frozen=True, slots=True)
class Progress:
    """What the calls do not say of how far a plan has come; kept with its run."""

    skipped: frozenset[int] = frozenset()
    failed: Mapping[int, str] = field(default_factory=dict)  # why, by step, when it ended last
    begun: bool = False

    @classmethod
    def read(cls, known: Mapping[str, Any] | None) -> Progress:
        """From JSON."""
        found = known or {}
        return cls(
            skipped=frozenset(found.get("skipped") or ()),
            failed={int(step): why for step, why in (found.get("failed") or {}).items()},
            begun=bool(found.get("begun")),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "skipped": sorted(self.skipped),
            "failed": {str(step): why for step, why in self.failed.items()},
            "begun": self.begun,
        }


@dataclass(frozen=True, slots=True)
class StepView:
    """One step as it stands. `text` is its result, or what was written of it so far.

    Neither holds what the model thought aloud.
    """

    index: int
    step: PlanStep | None  # None: the final answer
    state: StepState
    text: str
    attempts: tuple[Attempt, ...]  # all of this step, in order
    reason: str | None = None  # why it failed

    @property
    def answered(self) -> Attempt | None:
        return next((each for each in reversed(self.attempts) if each.status == "ok"), None)


def steps_of(
    plan: Plan,
    attempts: Sequence[Attempt],
    texts: Mapping[int, str],
    progress: Progress,
    *,
    under_way: Collection[int] = (),
    live: bool = False,
) -> list[StepView]:
    """Every step of `plan`, and then the final answer. `texts` are by the attempts' ordinals."""
    views = []
    for index in range(len(plan.steps) + 1):
        mine = tuple(attempt for attempt in attempts if attempt.step == index)
        state = _state(index, mine, progress, under_way=under_way, live=live)
        views.append(
            StepView(
                index,
                plan.steps[index] if index < len(plan.steps) else None,
                state,
                _text(state, mine, texts),
                mine,
                _reason(index, mine, progress) if state == "failed" else None,
            )
        )
    return views


def results_of(plan: Plan, attempts: Sequence[Attempt], texts: Mapping[int, str]) -> dict[int, str]:
    """The texts of the steps that are done, the final answer included."""
    return {
        attempt.step: texts.get(attempt.ordinal, "")
        for attempt in attempts
        if attempt.step is not None and attempt.status == "ok" and attempt.step <= len(plan.steps)
    }


def status_of(views: Sequence[StepView], *, running: bool) -> str:
    """`planned`, `running`, `executed` or `partly`."""
    if running:
        return "running"
    if all(view.state == "done" for view in views):
        return "executed"
    return "partly" if any(view.state != "waiting" for view in views) else "planned"


def _state(
    index: int,
    mine: Sequence[Attempt],
    progress: Progress,
    *,
    under_way: Collection[int],
    live: bool,
) -> StepState:
    if any(attempt.status == "ok" for attempt in mine):
        return "done"
    if index in progress.skipped:
        return "skipped"
    if index in under_way:
        return "running"
    if index in progress.failed:
        return "failed"
    if live or not mine:  # what failed before is to be tried again
        return "waiting"
    return "failed" if mine[-1].status == "failed" else "waiting"


def _text(state: StepState, mine: Sequence[Attempt], texts: Mapping[int, str]) -> str:
    if state == "done":
        answered = next(each for each in reversed(mine) if each.status == "ok")
        return texts.get(answered.ordinal, "")
    return answer_so_far(texts.get(mine[-1].ordinal, "")) if mine and state == "running" else ""


def _reason(index: int, mine: Sequence[Attempt], progress: Progress) -> str | None:
    return progress.failed.get(index) or (mine[-1].message if mine else None)
