"""A run while it happens: what has happened so far, for everyone who watches."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from core.planning.plan import Plan, json_text
from core.planning.planner import Planned
from core.routing.ask import Answer
from core.routing.skips import passed_over
from core.running.progress import StepView, Terms, results_of, status_of, steps_of
from core.running.remedies import what_helps
from core.running.step_prompt import SKIPPED, Cut, Goal, briefing, needed
from core.running.totals import Pause, Totals, pauses, totals
from core.values.calls import Attempt, Decision, Skip
from core.values.errors import RunError
from core.values.runs import RunRecord
from core.values.statuses import RunStatus, phase
from core.values.telling.attempts import skip_in_words
from core.values.telling.jobs import jobs_of
from core.values.telling.run_story import story
from core.values.thinking import AnswerInPieces, told_apart


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `type` is that of the stream's events."""

    type: str
    data: dict[str, Any]


@dataclass(eq=False, slots=True)
class Run:
    """Written on the engine's loop, read from anywhere. It is the walk's and the steps' watcher."""

    record: RunRecord
    attempts: list[Attempt] = field(default_factory=list)  # by ordinal, as they stand now
    # By ordinal: an answer, or what was written so far, with what the model thinks aloud.
    texts: dict[int, str] = field(default_factory=dict)
    terms: Terms = field(default_factory=Terms)
    plan: Plan | None = None
    error: RunError | None = None
    executing: bool = False  # the steps are to be carried out, or are being
    first: str | None = None  # provider put first for the steps that failed before
    retried: frozenset[int] = frozenset()  # those steps
    begun_at: float = field(default_factory=time.time)  # UTC seconds, of this go at it
    task: Future[None] | None = None
    done: threading.Event = field(default_factory=threading.Event)
    _under_way: set[int] = field(default_factory=set)  # steps
    _walks: dict[int | None, int] = field(default_factory=dict)  # this go's decisions, by step
    _failed: dict[int, str] = field(default_factory=dict)  # steps of this go, and why
    _steps: dict[int, int | None] = field(default_factory=dict)  # by ordinal
    _answers: dict[int, AnswerInPieces] = field(default_factory=dict)  # of those under way
    _events: list[Event] = field(default_factory=list)
    _watchers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=set)

    @classmethod
    def finished(
        cls, record: RunRecord, attempts: list[Attempt], texts: Mapping[int, str] | None = None
    ) -> Run:
        """A run as the history has it. `texts` are what its steps were answered, by ordinal."""
        answers = {ordinal: told_apart(text).answer for ordinal, text in (texts or {}).items()}
        run = cls(record, attempts, answers, Terms.read(record.execution))
        run.plan = Plan.model_validate_json(record.plan) if record.plan else None
        if record.error:
            kind = record.error_kind or "internal"
            action = what_helps(
                kind,
                attempts,
                record.decisions,
                steps=run._number_of_steps,
                begun=run.terms.begun,
            )
            run.error = RunError(record.error, action, attempts=attempts)
            run.error.kind = kind
        run.done.set()
        return run

    def again(self, *, plan: Plan | None, terms: Terms, first: str | None) -> Run:
        """The same run, to go on with; what is done stays done."""
        record = replace(
            self.record,
            status="running",
            finished_at=None,
            error=None,
            error_kind=None,
            plan=json_text(plan) if plan else None,
            execution=terms.as_json(),
        )
        failed = frozenset(view.index for view in self.steps() if view.state == "failed")
        run = Run(record, list(self.attempts), dict(self.texts), terms, plan)
        run.first, run.retried = first, failed
        return run

    def with_plan(self, plan: Plan) -> Run:
        """The same run, which is not under way, with an edited plan."""
        record = replace(self.record, plan=json_text(plan))
        run = Run(record, self.attempts, self.texts, self.terms, plan, self.error)
        run._events = self._events
        run.done.set()
        return run

    # -- what it shows

    @property
    def goal(self) -> Goal:
        options = self.record.options
        return Goal(
            self.record.goal,
            options.get("context"),
            options.get("temperature", 0.3),
            options.get("max_tokens") or 2000,
        )

    def steps(self) -> list[StepView]:
        """The steps as they stand, the final answer last; none before there is a plan."""
        if self.plan is None:
            return []
        return steps_of(
            self.plan,
            list(self.attempts),
            self.texts,
            self.terms,
            under_way=set(self._under_way),
            live=self.record.status == "running",
        )

    @property
    def execution_status(self) -> str:
        """`planned`, `running`, `executed` or `partly`."""
        running = self.executing and self.record.status == "running" and self.terms.begun
        return status_of(self.steps(), running=running) if self.plan else "planned"

    @property
    def phase(self) -> str:
        """Its row in core.values.statuses."""
        waits = self.plan is not None and self.terms.approve and not self.terms.begun
        return phase(self.record.status, waits=waits, error_kind=self.record.error_kind)

    @property
    def story(self) -> str:
        """What came of it, in a sentence, wherever it is told."""
        return story(
            list(self.attempts),
            self.record.decisions,
            steps=self._number_of_steps,
            skipped=self.terms.skipped,
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
        at_once = bool(self.record.options.get("execute")) and not self.terms.approve
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
        return {*self.results(), *self.terms.skipped}

    def cuts(self, index: int) -> tuple[Cut, ...]:
        """Which results step `index` was given in part, told from what it was answered by."""
        results = {**dict.fromkeys(self.terms.skipped, SKIPPED), **self.results()}
        steps = self.steps()
        if self.plan is None or index >= len(steps) or not (by := steps[index].answered):
            return ()
        if any(each not in results for each in needed(self.plan, index)):
            return ()
        told = briefing(self.goal, self.plan, index, results, provider=by.provider, model=by.model)
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
            self._tell(
                "attempt_failed", ordinal=attempt.ordinal, step=attempt.step, **as_json(attempt)
            )

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
            self.terms = replace(self.terms, failed=dict(self._failed))
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
        self.terms = replace(self.terms, begun=True, failed={})
        self.record = replace(self.record, execution=self.terms.as_json())

    def succeeded(self) -> RunRecord:
        return replace(
            self.record,
            status="completed",
            execution=self.terms.as_json(),
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
            execution=self.terms.as_json(),
            finished_at=time.time(),
        )

    def end(self, record: RunRecord) -> None:
        self.record = record
        self._under_way.clear()
        kind = "run_completed" if record.status == "completed" else "run_failed"
        self._events.append(Event(kind, self.as_json()))
        self.done.set()
        self._wake()

    # -- everyone else

    async def wait(self) -> None:
        async for _ in self.events(kinds=("run_completed", "run_failed")):
            return

    async def events(self, *, kinds: tuple[str, ...] | None = None) -> AsyncIterator[Event]:
        """Everything from the start on, and what comes, until the run has ended."""
        wake = asyncio.Event()
        watcher = (asyncio.get_running_loop(), wake)
        self._watchers.add(watcher)
        seen = 0
        try:
            while True:
                wake.clear()
                ended = self.done.is_set()
                news = self._events[seen:]
                seen += len(news)
                for event in news:
                    if kinds is None or event.type in kinds:
                        yield event
                if ended and seen == len(self._events):
                    return
                if not ended:
                    await wake.wait()
        finally:
            self._watchers.discard(watcher)

    def as_json(self) -> dict[str, Any]:
        """The run in the API's form: a result, or an error with what there is all the same."""
        record = self.record
        attempts = [as_json(attempt) for attempt in self.attempts]
        if self.error is not None:
            error = {
                "kind": self.error.kind,
                "message": self.error.message,
                "action": self.error.action,
            }
            body: dict[str, Any] = {
                "status": "error",
                "run_id": record.id,
                "error": error,
                "story": self.story,
                "attempts": attempts,
                "skipped": self._skipped_as_json(),
            }
            return body | self._plan_as_json() if self.plan else body
        body = {
            "status": "success" if record.status == "completed" else record.status,
            "run_id": record.id,
            "goal": record.goal,
            "plan": None,
            "provider_used": record.provider,
            "model": record.model,
            "strategy": record.strategy,
            "story": self.story,
            "attempts": attempts,
            "skipped": self._skipped_as_json(),
        }
        return (
            body
            | self._plan_as_json()
            | {
                "autonomous": True,
                "llm_powered": self.plan is not None,
                "simulated": record.simulated,
                "timestamp": record.finished_at or record.started_at,
            }
        )

    def _skipped_as_json(self) -> list[dict[str, Any]] | None:
        """None: it is a run of an earlier version, which did not record it."""
        if self.task is None and not self.record.decisions:
            return None
        return [skip_as_json(skip) for skip in passed_over(self.record.decisions)]

    def _plan_as_json(self) -> dict[str, Any]:
        steps = self.steps()
        body: dict[str, Any] = {
            "plan": self.plan.model_dump() if self.plan else None,
            "execution_results": [],
            "execution_status": self.execution_status,
        }
        if self.terms.begun and steps:
            body["execution_results"] = [self._step_as_json(view) for view in steps[:-1]]
            body["final_answer"] = self.final_answer
        return body

    def _step_as_json(self, view: StepView) -> dict[str, Any]:
        by = view.answered
        return {
            "step": view.index,
            "status": view.state,
            "provider": by.provider if by else None,
            "model": by.model if by else None,
            "content": view.text if view.state == "done" else None,
            "message": view.reason,
            "shortened": [
                {"step": cut.step, "kept": cut.kept, "whole": cut.whole}
                for cut in self.cuts(view.index)
            ],
        }

    def _tell(self, type_: str, **data: Any) -> None:
        self._events.append(Event(type_, {"run_id": self.record.id, **data}))
        self._wake()

    def _wake(self) -> None:
        for loop, wake in list(self._watchers):
            if not loop.is_closed():
                loop.call_soon_threadsafe(wake.set)


def as_json(attempt: Attempt) -> dict[str, Any]:
    """An attempt in the API's form."""
    return {
        "provider": attempt.provider,
        "model": attempt.model,
        "status": attempt.status,
        "error_kind": attempt.error_kind.value if attempt.error_kind else None,
        "http_status": attempt.http_status,
        "message": attempt.message,
        "latency_ms": None if attempt.latency_ms is None else round(attempt.latency_ms, 1),
    }


def skip_as_json(skip: Skip) -> dict[str, Any]:
    """One that was passed over, in the API's form; its moment in words is in UTC."""
    return {
        "provider": skip.provider,
        "reason": skip.reason,
        "message": skip_in_words(skip),
        "until": skip.until,
    }
