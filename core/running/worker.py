"""One run done: planned, carried out, and its end written down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from core.planning.planner import LLMPlanner
from core.routing.ask import Ask
from core.running.budget import Ledger, Meter, out_of_time, working_seconds
from core.running.eligibility import PRIVATE, Lineup
from core.running.routers import Routers
from core.running.run import Run
from core.running.run_json import run_as_json
from core.running.steps.orchestrator import AutonomousOrchestrator, Work
from core.running.steps.progress import SIDE_BY_SIDE
from core.values.calls import Decision, Request, Skip
from core.values.errors import NoProviderConfigured, RunCancelled, RunError
from core.values.ports import History
from core.values.runs import Limits, RunRecord
from core.values.statuses import RunStatus

_log = logging.getLogger("manyways")


@dataclass(frozen=True, slots=True)
class Worker:
    """Does its work on the engine's loop."""

    history: History
    lineup: Lineup
    routers: Routers
    ledger: Ledger
    stopping: Callable[[], bool]  # whether it is Manyways that stops a run, and not a person

    async def carry_out(self, run: Run) -> None:
        try:
            await self.history.begin_run(run.record)
            run.started()
            await self._do(run)
            await self._finish(run, run.succeeded())
        except asyncio.CancelledError:
            stopped = RunCancelled(
                "The run was stopped.",
                "Continue it when you like; what is done is kept."
                if run.progress.begun
                else "Run it again when you like.",
            )
            status: RunStatus = "interrupted" if self.stopping() else "cancelled"
            await self._finish(run, run.failed_with(stopped, status=status))
        except RunError as error:
            await self._finish(run, run.failed_with(error))
        except Exception:  # noqa: BLE001 - a bug of ours must end the run, not hang it
            _log.exception("run %s failed in Manyways itself", run.record.id)
            ours = RunError("Manyways itself failed.", "Try again; if it stays, see the log.")
            await self._finish(run, run.failed_with(ours))

    async def _do(self, run: Run) -> None:
        """Plan, if there is no plan yet, and carry it out, if that is wanted."""
        record, asked = run.record, run.record.request
        limits = asked.limits or Limits()
        router = self.routers.of(simulated=record.simulated)
        orchestrator = AutonomousOrchestrator(LLMPlanner(router))
        if limits.usd_per_day is not None:
            await asyncio.to_thread(self.ledger.begin)
        deadline = router.clock() + self._seconds(run, limits.seconds)
        order, absent = self._lineup_of(run)
        ask = Ask(
            Request(()),
            strategy=record.strategy,
            order=order,
            absent=absent,
            chosen=asked.priority is not None and not asked.private,
            decided=lambda decision: self._note(run, decision),
            deadline=min(deadline, router.clock() + self.routers.policy.run_timeout),
            run_id=record.id,
            ordinals=Meter(limits, run.attempts, spent_today=self.ledger.today),
            watcher=self.ledger.noting(run),
        )
        try:
            if run.plan is None:
                run.planned(await orchestrator.plan(asked, ask))
            if run.plan is not None and run.executing:
                run.begin_steps()
                await self.history.begin_run(run.record)  # so that it can go on after a kill
                work = Work(
                    run.plan,
                    run.results(),
                    run.progress.skipped,
                    asked.side_by_side or SIDE_BY_SIDE,
                    lambda step, asking: self._for_step(step, asking, run, deadline),
                )
                await orchestrator.carry_out(asked, work, ask, watches=run)
        except RunError as error:
            if error.kind == "deadline" and limits.seconds and router.clock() >= deadline:
                raise out_of_time(limits) from error
            raise

    def _lineup_of(self, run: Run) -> tuple[tuple[str, ...], tuple[Skip, ...]]:
        """Whom it asks, and whom it does not, and why."""
        asked, simulated = run.record.request, run.record.simulated
        how = {"private": asked.private, "simulated": simulated}
        absent = self.lineup.absent(asked.priority, **how)
        try:
            order = self.lineup.order(asked.priority, **how)
        except NoProviderConfigured:
            self._note(run, Decision(run.record.strategy, (), absent))
            raise
        return order, absent

    def _note(self, run: Run, decision: Decision) -> None:
        run.decided(decision)
        self.history.decided(run.record)

    def _seconds(self, run: Run, limit: float | None) -> float:
        """How long it may work from now on."""
        waited = time.time() - run.begun_at
        timeout = run.record.request.timeout
        if limit is not None and run.executing:
            left = limit - working_seconds(run.attempts)
            return min(left, timeout or left) - waited
        return (timeout or self.routers.policy.run_timeout) - waited

    def _for_step(self, step: int, ask: Ask, run: Run, deadline: float) -> Ask:
        router = self.routers.of(simulated=run.record.simulated)
        until = router.clock() + self.routers.policy.run_timeout
        ask = replace(ask, deadline=min(deadline, until))
        first = run.first
        if step not in run.retried or first is None or first not in router.providers:
            return ask
        if run.record.request.private and first not in PRIVATE:
            return ask
        others = tuple(name for name in ask.order or () if name != first)
        absent = tuple(skip for skip in ask.absent if skip.provider != first)
        return replace(ask, strategy="priority", order=(first, *others), absent=absent, chosen=True)

    async def _finish(self, run: Run, ended: RunRecord) -> None:
        """Write down how it ended and say so, whoever wants to stop it meanwhile."""
        writing = asyncio.ensure_future(self.history.end_run(ended))
        while not writing.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([writing])
        # Once an answer is paid for it is shown, whatever the disk says.
        with contextlib.suppress(RunError):
            writing.result()
        run.end(ended)
        kind = "run_completed" if ended.status == "completed" else "run_failed"
        run.feed.tell(kind, run_as_json(run), last=True)
