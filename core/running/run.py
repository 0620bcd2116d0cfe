"""A run while it happens: what has happened so far, for everyone who watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from core.planning.plan import Plan, json_text
from core.planning.planner import Planned
from core.routing.ask import Answer
from core.running.feed import Feed, attempt_as_json
from core.running.remedies import what_helps
from core.running.steps.progress import Progress, StepView, results_of, status_of, steps_of
from core.running.steps.step_prompt import SKIPPED, Cut, briefing, needed
from core.running.totals import Pause, Totals, pauses, totals
from core.values.calls import Attempt, Decision
from core.values.errors import RunError
from core.values.runs import RunRecord, RunRequest
from core.values.statuses import RunStatus, phase
from core.values.telling.jobs import jobs_of
from core.values.telling.run_story import story
from core.values.thinking import AnswerInPieces, told_apart


@dataclass(eq=False, slots=True)
class Run:
    """Written on the engine's loop, read from anywhere. It is the walk's and the steps' watcher."""

    record: RunRecord
    attempts: list[Attempt] = field(default_factory=list)  # by ordinal, as they stand now
    # By ordinal: an answer, or what was written so far, with what the model thinks aloud.
    texts: dict[int, str] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    plan: Plan | None = None
    error: RunError | None = None
    executing: bool = False  # the steps are to be carried out, or are being
    first: str | None = None  # provider put first for the steps that failed before
    retried: frozenset[int] = frozenset()  # those steps
    begun_at: float = field(default_factory=time.time)  # UTC seconds, of this go at it
    task: Future[None] | None = None
    feed: Feed = field(default_factory=Feed)
    _under_way: set[int] = field(default_factory=set)  # steps
    _walks: dict[int | None, int] = field(default_factory=dict)  # this go's decisions, by step
    _failed: dict[int, str] = field(default_factory=dict)  # steps of this go, and why
    _steps: dict[int, int | None] = field(default_factory=dict)  # by ordinal
    _answers: dict[int, AnswerInPieces] = field(default_factory=dict)  # of those under way

    @classmethod
    def finished(
        cls, record: RunRecord, attempts: list[Attempt], texts: Mapping[int, str] | None = None
    ) -> Run:
        """A run as the history has it. `texts` are what its steps were answered, by ordinal."""
        answers = {ordinal: told_apart(text).answer for ordinal, text in (texts or {}).items()}
        run = cls(record, attempts, answers, Progress.read(record.execution))
        run.plan = Plan.model_validate_json(record.plan) if record.plan else None
        if record.error:
            kind = record.error_kind or "internal"
            action = what_helps(
                kind,
                attempts,
                record.decisions,
                steps=run._number_of_steps,
                begun=run.progress.begun,
            )
            run.error = RunError(record.error, action, attempts=attempts)
            run.error.kind = kind
        run.done.set()
        return run

    def again(
        self, request: RunRequest, *, plan: Plan | None, progress: Progress, first: str | None
    ) -> Run:
        """The same run, to go on with as `request` says; what is done stays done."""
        record = replace(
            self.record,
            request=request,
            status="running",
            finished_at=None,
            error=None,
            error_kind=None,
            plan=json_text(plan) if plan else None,
            execution=progress.as_json(),
        )
        failed = frozenset(view.index for view in self.steps() if view.state == "failed")
        run = Run(record, list(self.attempts), dict(self.texts), progress, plan)
        run.first, run.retried = first, failed
        return run

    def with_plan(self, plan: Plan) -> Run:
        """The same run, which is not under way, with an edited plan."""
        record = replace(self.record, plan=json_text(plan))
        return Run(
            record, self.attempts, self.texts, self.progress, plan, self.error, feed=self.feed
        )

    # -- what it shows

    @property
    def done(self) -> threading.Event:
        """Set once it has ended."""
        return self.feed.done

    def steps(self) -> list[StepView]:
        """The steps as they stand, the final answer last; none before there is a plan."""
        if self.plan is None:
            return []
        return steps_of(
            self.plan,
            list(self.attempts),
            self.texts,
            self.progress,
            under_way=set(self._under_way),
            live=self.record.status == "running",
        )

    @property
    def execution_status(self) -> str:
        """`planned`, `running`, `executed` or `partly`."""
        running = self.executing and self.record.status == "running" and self.progress.begun
        return status_of(self.steps(), running=running) if self.plan else "planned"

    @property
    def phase(self) -> str:
        """Its row in core.values.statuses."""
        asked = self.record.request
        waits = self.plan is not None and asked.approve and not self.progress.begun
        return phase(self.record.status, waits=waits, error_kind=self.record.error_kind)

    @property
    def story(self) -> str:
        """What came of it, in a sentence, wherever it is told."""
        return story(
            list(self.attempts),
            self.record.decisions,
            steps=self._number_of_steps,
            skipped=self.progress.skipped,
        )

    def answered(self) -> dict[str, Attempt]:
        """Who wrote the `plan` and who the `answer`, as far as they are there."""
        jobs = jobs_of(list(self.attempts), self._number_of_steps)
        written = {"plan": jobs.plan, "answer": jobs.answer if self.plan else None}
        return {what: job.done for what, job in written.items() if job and job.done}

    @property
    def _number_of_steps(self) -> int | None:
        return len(self.plan.steps) if self.plan else None

    def totals(self, *, now: float | None = None) -> Totals:
        return totals(list(self.attempts), simulated=self.record.simulated, now=now)

    def pauses(self) -> list[Pause]:
        """While nobody was asked."""
        asked = self.record.request
        at_once = asked.execute and not asked.approve
        return pauses(list(self.attempts), at_once=at_once, now=time.time())

    @property
    def final_answer(self) -> str | None:
        steps = self.steps()
        return steps[-1].text if steps and steps[-1].state == "done" else None

    def results(self) -> dict[int, str]:
        """By step, of those that are done."""
        return results_of(self.plan, list(self.attempts), self.texts) if self.plan else {}

    def settled_steps(self) -> set[int]:
        """Those that are done or skipped, and so stay as they are."""
        return {*self.results(), *self.progress.skipped}

    def cuts(self, index: int) -> tuple[Cut, ...]:
        """Which results step `index` was given in part, told from what it was answered by."""
        results = {**dict.fromkeys(self.progress.skipped, SKIPPED), **self.results()}
        steps = self.steps()
        if self.plan is None or index >= len(steps) or not (by := steps[index].answered):
            return ()
        if any(each not in results for each in needed(self.plan, index)):
            return ()
        asked, plan = self.record.request, self.plan
        told = briefing(asked, plan, index, results, provider=by.provider, model=by.model)
        return told.cuts

    # -- the Watcher

    def attempt_started(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        self._steps[attempt.ordinal] = attempt.step
        self._tell(
            "attempt_started",
            ordinal=attempt.ordinal,
            step=attempt.step,
            provider=attempt.provider,
            model=attempt.model,
        )

    def token(self, ordinal: int, text: str) -> None:
        self.texts[ordinal] = self.texts.get(ordinal, "") + text
        self._tell_answer(ordinal, self._answers.setdefault(ordinal, AnswerInPieces()))

    def _tell_answer(self, ordinal: int, answer: AnswerInPieces, *, last: bool = False) -> None:
        """What is new of an answer, without what the model thinks aloud."""
        new, anew = answer.take(self.texts[ordinal], last=last)
        if new or anew:
            said = {"text": new, "anew": True} if anew else {"text": new}
            self._tell("token", ordinal=ordinal, step=self._steps.get(ordinal), **said)

    def attempt_ended(self, attempt: Attempt) -> None:
        at = next(i for i, known in enumerate(self.attempts) if known.id == attempt.id)
        if answer := self._answers.pop(attempt.ordinal, None):
            self._tell_answer(attempt.ordinal, answer, last=True)
        if attempt.status == "ok":  # first, so that nobody sees the thinking of one that is done
            text = self.texts.get(attempt.ordinal, "")
            self.texts[attempt.ordinal] = told_apart(text).answer
        self.attempts[at] = attempt
        if attempt.status != "ok":
            said = attempt_as_json(attempt)
            self._tell("attempt_failed", ordinal=attempt.ordinal, step=attempt.step, **said)

    def decided(self, decision: Decision) -> None:
        """Of a walk that begins, or of one under way, whose decision it then replaces."""
        decisions = list(self.record.decisions)
        place = self._walks.setdefault(decision.step, len(decisions))
        decisions[place : place + 1] = [decision]
        self.record = replace(self.record, decisions=tuple(decisions))

    # -- the steps' watcher

    def step_started(self, index: int) -> None:
        self._under_way.add(index)
        self._tell("step_started", step=index, final=self._is_final(index))

    def step_done(self, index: int, answer: Answer) -> None:
        attempt = answer.attempts[-1]
        self.texts[attempt.ordinal] = answer.reply.content
        self._under_way.discard(index)
        self._tell(
            "step_completed",
            step=index,
            final=self._is_final(index),
            provider=attempt.provider,
            model=attempt.model,
            content=answer.reply.content,
        )

    def step_failed(self, index: int, error: RunError) -> None:
        self._under_way.discard(index)
        if error.kind != "limit":  # nobody's failure: it waits
            self._failed[index] = error.message
            self.progress = replace(self.progress, failed=dict(self._failed))
        self._tell("step_failed", step=index, final=self._is_final(index), message=error.message)

    def _is_final(self, index: int) -> bool:
        return self.plan is not None and index == len(self.plan.steps)

    # -- the engine

    def started(self) -> None:
        record = self.record
        self._tell(
            "run_started", goal=record.goal, strategy=record.strategy, simulated=record.simulated
        )

    def planned(self, planned: Planned) -> None:
        self.plan = planned.plan
        self.record = replace(
            self.record,
            provider=planned.provider,
            model=planned.model,
            plan=json_text(planned.plan),
        )
        self._tell("plan_created", provider=planned.provider, plan=planned.plan.model_dump())

    def begin_steps(self) -> None:
        self.progress = replace(self.progress, begun=True, failed={})
        self.record = replace(self.record, execution=self.progress.as_json())

    def succeeded(self) -> RunRecord:
        return replace(
            self.record,
            status="completed",
            execution=self.progress.as_json(),
            finished_at=time.time(),
        )

    def failed_with(self, error: RunError, *, status: RunStatus = "failed") -> RunRecord:
        self.error = error
        kind = "interrupted" if status == "interrupted" else error.kind
        return replace(
            self.record,
            status=status,
            error_kind=kind,
            error=error.message,
            execution=self.progress.as_json(),
            finished_at=time.time(),
        )

    def end(self, record: RunRecord) -> None:
        """It has ended, and its feed is still to say so."""
        self.record = record
        self._under_way.clear()

    def _tell(self, type_: str, **data: Any) -> None:
        self.feed.tell(type_, {"run_id": self.record.id, **data})
