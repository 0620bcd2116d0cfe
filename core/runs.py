"""A run while it happens: what has happened so far, for everyone who watches."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from core.autonomous_orchestrator import Outcome
from core.errors import RunError
from core.llm_planner import Planned
from core.plan import Plan, json_text, read_plan
from core.types import Attempt, RunRecord, RunStatus


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `type` is that of the stream's events."""

    type: str
    data: dict[str, Any]


@dataclass(eq=False, slots=True)
class Run:
    """Written on the engine's loop, read from anywhere. It is the walk's Watcher."""

    record: RunRecord
    attempts: list[Attempt] = field(default_factory=list)  # by ordinal, as they stand now
    texts: dict[int, str] = field(default_factory=dict)  # by ordinal: what was written so far
    plan: Plan | None = None
    error: RunError | None = None
    results: list[dict[str, Any]] = field(default_factory=list)
    task: Future[None] | None = None
    done: threading.Event = field(default_factory=threading.Event)
    _events: list[Event] = field(default_factory=list)
    _watchers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=set)

    @classmethod
    def finished(cls, record: RunRecord, attempts: list[Attempt]) -> Run:
        """A run as the history has it."""
        run = cls(record, attempts)
        run.plan = read_plan(record.plan) if record.plan else None
        if record.error:
            run.error = RunError(record.error, "Run it again.", attempts=attempts)
            run.error.kind = record.error_kind or "internal"
        run.done.set()
        return run

    # -- the Watcher

    def attempt_started(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        self._tell(
            "attempt_started",
            ordinal=attempt.ordinal,
            step=attempt.step,
            provider=attempt.provider,
            model=attempt.model,
        )

    def token(self, ordinal: int, text: str) -> None:
        self.texts[ordinal] = self.texts.get(ordinal, "") + text
        self._tell("token", ordinal=ordinal, text=text)

    def attempt_ended(self, attempt: Attempt) -> None:
        at = next(i for i, known in enumerate(self.attempts) if known.id == attempt.id)
        self.attempts[at] = attempt
        if attempt.status != "ok":
            self._tell(
                "attempt_failed", ordinal=attempt.ordinal, step=attempt.step, **as_json(attempt)
            )

    # -- the engine

    def started(self) -> None:
        record = self.record
        self._tell(
            "run_started", goal=record.goal, strategy=record.strategy, simulated=record.simulated
        )

    def planned(self, planned: Planned) -> None:
        self.plan = planned.plan
        self._tell("plan_created", provider=planned.provider, plan=planned.plan.model_dump())

    def succeeded_with(self, outcome: Outcome) -> RunRecord:
        planned = outcome.planned
        self.results = list(outcome.results)
        return replace(
            self.record,
            status="completed",
            provider=planned.provider,
            model=planned.model,
            plan=json_text(planned.plan),
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
            plan=json_text(self.plan) if self.plan else None,
            finished_at=time.time(),
        )

    def end(self, record: RunRecord) -> None:
        self.record = record
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
        """The run in the API's form: a result, or an error."""
        record = self.record
        attempts = [as_json(attempt) for attempt in self.attempts]
        if self.error is not None:
            return {
                "status": "error",
                "run_id": record.id,
                "error": {
                    "kind": self.error.kind,
                    "message": self.error.message,
                    "action": self.error.action,
                },
                "attempts": attempts,
            }
        return {
            "status": "success" if record.status == "completed" else record.status,
            "run_id": record.id,
            "goal": record.goal,
            "plan": self.plan.model_dump() if self.plan else None,
            "provider_used": record.provider,
            "model": record.model,
            "strategy": record.strategy,
            "attempts": attempts,
            "execution_results": self.results,
            "execution_status": "executed" if self.results else "planned",
            "autonomous": True,
            "llm_powered": self.plan is not None,
            "simulated": record.simulated,
            "timestamp": record.finished_at or record.started_at,
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
