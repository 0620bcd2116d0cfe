"""The event loop that owns the runs, the SDK clients and their lifetimes.

Pages and routes hand it work and read snapshots; nobody else awaits a provider. Reload, a closed
tab, a second window: the run goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from core.config.keys import Keys, checked, keys_in
from core.config.settings import Settings
from core.planning.edit import check_kept
from core.planning.plan import Plan, json_text
from core.planning.planner import LLMPlanner
from core.routing.ask import Ask
from core.routing.breaker import Policy
from core.routing.drill import Drills
from core.routing.router import MultiProviderStrategy
from core.running.budget import Limits, Meter, out_of_time, working_seconds
from core.running.eligibility import PRIVATE, Lineup, check
from core.running.ledger import Ledger
from core.running.orchestrator import AutonomousOrchestrator, Work
from core.running.progress import MOST_SIDE_BY_SIDE, SIDE_BY_SIDE, Terms
from core.running.provider_actions import Control
from core.running.routers import Routers
from core.running.run import Run
from core.values.calls import Decision, Request, Skip
from core.values.errors import BadRequest, NoProviderConfigured, RunCancelled, RunError
from core.values.ports import Archive, Choices, History
from core.values.registry import PROVIDERS, label_of
from core.values.runs import RunRecord, Source, run_id_at
from core.values.statuses import RunStatus
from core.values.texts import check_text

_log = logging.getLogger("manyways")
_KEPT = 200  # finished runs kept in memory; older ones are read from the history
_BUSY = 1000  # runs under way at once; more are turned away before they cost anything
_BITNET_EVERY = 5.0  # seconds between two looks at a BitNet server


class Engine:
    """Made once per process. Every public method may be called from any thread."""

    def __init__(
        self,
        settings: Settings,
        history: History,
        archive: Archive,
        choices: Choices,
        *,
        redact: Callable[[str], str] = lambda text: text,
    ) -> None:
        self.settings = settings
        self.choices = choices
        self.history = history
        self.stopping = threading.Event()
        self._archive = archive
        self._redact = redact
        self._runs: dict[str, Run] = {}
        self._by_key: dict[str, str] = {}
        self._lock = threading.Lock()
        self._closing = threading.Lock()
        self._ledger = Ledger(archive.cost_since)
        self.lineup = Lineup(settings, choices, connected=lambda: self._routers.real.providers)
        drills = Drills(wall=time.time)
        self._routers = Routers(
            settings, choices, history, self.lineup, redact=redact, pretends_down=drills.until
        )
        self._loop = asyncio.new_event_loop()
        self.control = Control(
            settings,
            choices,
            self.lineup,
            self._routers,
            drills,
            loop=self._loop,
            active=self.active,
            wall=time.time,
        )
        self._thread = threading.Thread(target=self._serve, name="manyways-engine", daemon=True)
        self._thread.start()

    # -- what pages and routes ask of it

    def submit(
        self,
        goal: str,
        *,
        source: Source,
        strategy: str | None = None,
        priority: Sequence[str] | None = None,
        temperature: float | None = 0.3,
        max_tokens: int = 2000,
        context: str | None = None,
        timeout: float | None = None,
        execute: bool = False,
        approve: bool = False,
        private: bool = False,
        limits: Limits | None = None,
        side_by_side: int | None = None,
        idempotency_key: str | None = None,
        keys: Keys = "refuse",
    ) -> str:
        """Start a run and return its id. The same idempotency key gives the same run.

        With `execute` the plan is carried out, too; with `approve` as well, once `carry_on` says
        so. A `private` run asks BitNet on this computer and nobody else. Without `limits` those
        that were chosen in the console hold. `keys`: what becomes of what looks like a key.

        Raises:
            KeyFound: the goal or the context holds what looks like a key.
            BadRequest: the goal is empty or no text that can be sent, a strategy or provider is
                unknown, or nothing on this computer can serve a private run.
            RunError: too many runs are under way, or Manyways is stopping.
        """
        goal = self._redact(goal).strip()
        if not goal:
            raise BadRequest("The goal is empty. Say in a sentence what you want to get done.")
        check_text(goal, "goal")
        check_text(context or "", "context")
        idempotency_key = (idempotency_key or "").strip() or None
        goal = checked(goal, "goal", keys)
        context = checked(self._redact(context or ""), "context", keys) or None
        asked_strategy, strategy = strategy, strategy or self.lineup.strategy
        check(strategy, priority)
        if private and (fault := self.lineup.why_not_private()):
            raise BadRequest(fault)
        terms = Terms(
            approve=approve,
            private=private,
            side_by_side=_side_by_side(side_by_side or self.choices.get("side_by_side")),
            limits=limits or self.limits,
        )
        options = {
            "context": context,
            "priority": list(priority) if priority is not None else None,
            "temperature": temperature,
            "max_tokens": max_tokens,
            "timeout": timeout,
            "execute": execute,
            "strategy": asked_strategy,
            "approve": approve,
            "private": private,
        }
        with self._lock:
            if idempotency_key and (known := self._known(idempotency_key)):
                # What an older run does not say cannot differ.
                if (known.goal, {**options, **known.options}) != (goal, options):
                    raise BadRequest("This Idempotency-Key was used for another request.")
                return known.id
            if self.stopping.is_set() or len(self.active()) >= _BUSY:
                raise _busy()
            now = time.time()
            record = RunRecord(
                id=run_id_at(now),
                goal=goal,
                strategy=strategy,
                source=source,
                simulated=self.lineup.practising,
                started_at=now,
                options=options,
                idempotency_key=idempotency_key,
                execution=terms.as_json(),
            )
            run = self._runs[record.id] = Run(record, terms=terms)
            run.executing = execute and not approve
            if idempotency_key:
                self._by_key[idempotency_key] = record.id
            self._forget_oldest()
        run.task = asyncio.run_coroutine_threadsafe(self._carry_out(run), self._loop)
        return record.id

    def carry_on(
        self,
        run_id: str,
        *,
        plan: Plan | None = None,
        skip: Collection[int] = (),
        first: str | None = None,
        limits: Limits | None = None,
        side_by_side: int | None = None,
    ) -> None:
        """Carry out the plan of a run that is not under way, from where it stands.

        `plan` is an edited one, which leaves finished steps as they are. Steps to `skip` are not
        done. Steps that failed before ask the provider `first`, if one is named. A run without a
        plan is planned again, and carried out if that was asked for.

        Raises:
            BadRequest: there is no such run, it is under way, or what is asked cannot be done.
            RunError: too many runs are under way, or Manyways is stopping.
        """
        if first is not None:
            check(self.lineup.strategy, [first])
        with self._lock:
            before = self._settled(run_id)
            if self.stopping.is_set() or len(self.active()) >= _BUSY:
                raise _busy()
            if plan is not None:
                _check_edited(before, plan)
            plan = plan or before.plan
            terms = replace(
                before.terms,
                skipped=before.terms.skipped | _steps_to_skip(skip, plan, before),
                limits=limits or before.terms.limits,
                side_by_side=_side_by_side(side_by_side or before.terms.side_by_side),
            )
            run = self._runs[run_id] = before.again(plan=plan, terms=terms, first=first)
            asked = bool(run.record.options.get("execute")) and not terms.approve
            run.executing = plan is not None or asked
        run.task = asyncio.run_coroutine_threadsafe(self._carry_out(run), self._loop)

    def save_plan(self, run_id: str, plan: Plan) -> None:
        """Keep an edited plan with its run, to be carried out later.

        Raises:
            BadRequest: there is no such run, it is under way, or a finished step was changed.
            RunError: the history cannot be written.
        """
        with self._lock:
            run = self._settled(run_id)
            _check_edited(run, plan)
            edited = self._runs[run_id] = run.with_plan(plan)
            # Within the lock, so that it is written before anything that comes after it.
            keeping = asyncio.run_coroutine_threadsafe(self._keep(edited.record), self._loop)
        keeping.result(30)

    def replan(self, run_id: str, goal: str, *, keys: Keys = "refuse") -> str:
        """Plan again for a changed goal, as the run was asked for otherwise: a run of its own.

        Raises:
            BadRequest, RunError: as `submit` does.
        """
        run = self.run(run_id) or self.stored_run(run_id)
        if run is None:
            raise _no_such_run()
        options = {name: run.record.options.get(name) for name in _ASKED_AGAIN}
        return self.submit(
            goal,
            source="ui",
            strategy=run.record.strategy,
            approve=run.terms.approve,
            private=run.terms.private,
            limits=run.terms.limits,
            side_by_side=run.terms.side_by_side,
            keys=keys,
            **{name: value for name, value in options.items() if value is not None},
        )

    def compare(self, goal: str, providers: Sequence[str], **options: Any) -> tuple[str, ...]:
        """The same goal to two or three providers at once, each alone; the ids of their runs.

        Raises:
            BadRequest: as `submit` does, or it is not two or three different providers.
        """
        names = tuple(dict.fromkeys(providers))
        if not 2 <= len(names) <= 3:
            raise BadRequest("Choose two or three providers to compare.")
        able = self.lineup.eligible(simulated=self.lineup.practising)
        for name in names:
            if name not in able:
                raise BadRequest(f"{label_of(name)} cannot be asked: it is not set up.")
        return tuple(
            self.submit(
                goal, source="ui", strategy="priority", priority=[name], approve=True, **options
            )
            for name in names
        )

    def run(self, run_id: str) -> Run | None:
        """A run under way or just finished; None if only the history can know it."""
        return self._runs.get(run_id)

    def stored_run(self, run_id: str) -> Run | None:
        """A run as the history has it, in the form of a finished one."""
        record = self._archive.run(run_id)
        if record is None:
            return None
        return Run.finished(
            record, self._archive.calls_of(run_id), self._archive.answers_of(run_id)
        )

    def active(self) -> list[Run]:
        return [run for run in list(self._runs.values()) if run.record.status == "running"]

    def cancel(self, run_id: str) -> bool:
        """Stop a run; False if it is not under way."""
        run = self._runs.get(run_id)
        if run is None or run.task is None or run.record.status != "running":
            return False
        return run.task.cancel()

    @property
    def policy(self) -> Policy:
        """How patient it is with a provider, and how long a run may take."""
        return self._routers.policy

    @property
    def limits(self) -> Limits:
        """What one run may take, as chosen in the console."""
        return Limits.read(self.choices.get("limits"))

    def router(self, *, simulated: bool) -> MultiProviderStrategy:
        """What is known of the providers. Read it only; the engine's loop advances it."""
        return self._routers.of(simulated=simulated)

    def status(self) -> dict[str, Any]:
        """The body of GET /autonomous/status."""
        real = self.router(simulated=False)
        body: dict[str, Any] = {
            "status": "operational",
            "llm_providers": {
                **real.get_stats_summary(),
                "available_providers": self._available(real),
            },
            "timestamp": time.time(),
        }
        if self.lineup.practising:
            practice = self.router(simulated=True)
            body["practice_providers"] = {
                **practice.get_stats_summary(),
                "available_providers": self._available(practice),
            }
        return body

    def _available(self, router: MultiProviderStrategy) -> list[str]:
        return router.available(self.lineup.eligible(simulated=router.simulated))

    def complaint(self) -> str | None:
        """What is not as it should be, in one sentence; None when all is well."""
        if not self._thread.is_alive():
            return "The engine has stopped; start Manyways again."
        return self.history.degraded

    def warm(self) -> None:
        """Import the SDKs that a first run will need, on a thread of its own."""

        def load() -> None:
            practising = self.lineup.practising
            router = self.router(simulated=practising)
            for name in self.lineup.priority:
                if name in router.providers and not self.stopping.is_set():
                    # One that cannot be imported is told as its first request's failure.
                    with contextlib.suppress(Exception):
                        import_module(PROVIDERS[name].sdk)

        threading.Thread(target=load, name="manyways-warm", daemon=True).start()

    def close(self, *, drain: float = 10.0) -> None:
        """Take no more runs, give those under way `drain` seconds, then stop the rest."""
        self.stopping.set()
        with self._closing:  # whoever comes second waits until the first is done
            if not self._loop.is_running():
                return
            asyncio.run_coroutine_threadsafe(self._drain(drain), self._loop).result(drain + 10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)

    # -- on the engine's loop

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        watch = self._loop.create_task(self._watch_bitnet())
        self._loop.run_forever()
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(watch)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _carry_out(self, run: Run) -> None:
        try:
            await self.history.begin_run(run.record)
            run.started()
            await self._do(run)
            await self._finish(run, run.succeeded())
        except asyncio.CancelledError:
            by_shutdown = self.stopping.is_set()
            stopped = RunCancelled(
                "The run was stopped.",
                "Continue it when you like; what is done is kept."
                if run.terms.begun
                else "Run it again when you like.",
            )
            status: RunStatus = "interrupted" if by_shutdown else "cancelled"
            await self._finish(run, run.failed_with(stopped, status=status))
        except RunError as error:
            await self._finish(run, run.failed_with(error))
        except Exception:  # noqa: BLE001 - a bug of ours must end the run, not hang it
            _log.exception("run %s failed in Manyways itself", run.record.id)
            ours = RunError("Manyways itself failed.", "Try again; if it stays, see the log.")
            await self._finish(run, run.failed_with(ours))

    async def _do(self, run: Run) -> None:
        """Plan, if there is no plan yet, and carry it out, if that is wanted."""
        record, terms = run.record, run.terms
        router = self.router(simulated=record.simulated)
        orchestrator = AutonomousOrchestrator(LLMPlanner(router))
        if terms.limits.usd_per_day is not None:
            await asyncio.to_thread(self._ledger.begin)
        deadline = router.clock() + self._seconds(run)
        order, absent = self._lineup_of(run)
        ask = Ask(
            Request(()),
            strategy=record.strategy,
            order=order,
            absent=absent,
            chosen=record.options["priority"] is not None and not terms.private,
            decided=lambda decision: self._note(run, decision),
            deadline=min(deadline, router.clock() + self.policy.run_timeout),
            run_id=record.id,
            ordinals=Meter(terms.limits, run.attempts, spent_today=self._ledger.today),
            watcher=self._ledger.noting(run),
        )
        try:
            if run.plan is None:
                run.planned(await orchestrator.plan(run.goal, ask))
            if run.plan is not None and run.executing:
                run.begin_steps()
                await self.history.begin_run(run.record)  # so that it can go on after a kill
                work = Work(
                    run.plan,
                    run.results(),
                    terms.skipped,
                    terms.side_by_side,
                    lambda step, asked: self._for_step(step, asked, run, deadline),
                )
                await orchestrator.carry_out(run.goal, work, ask, watches=run)
        except RunError as error:
            if error.kind == "deadline" and terms.limits.seconds and router.clock() >= deadline:
                raise out_of_time(terms.limits) from error
            raise

    def _lineup_of(self, run: Run) -> tuple[tuple[str, ...], tuple[Skip, ...]]:
        """Whom it asks, and whom it does not, and why."""
        record, terms = run.record, run.terms
        asked, simulated = record.options["priority"], record.simulated
        absent = self.lineup.absent(asked, private=terms.private, simulated=simulated)
        try:
            order = self.lineup.order(asked, private=terms.private, simulated=simulated)
        except NoProviderConfigured:
            self._note(run, Decision(record.strategy, (), absent))
            raise
        return order, absent

    def _note(self, run: Run, decision: Decision) -> None:
        run.decided(decision)
        self.history.decided(run.record)

    def _seconds(self, run: Run) -> float:
        """How long it may work from now on."""
        waited = time.time() - run.begun_at
        timeout, limit = run.record.options["timeout"], run.terms.limits.seconds
        if limit is not None and run.executing:
            left = limit - working_seconds(run.attempts)
            return min(left, timeout or left) - waited
        return (timeout or self.policy.run_timeout) - waited

    def _for_step(self, step: int, ask: Ask, run: Run, deadline: float) -> Ask:
        router = self.router(simulated=run.record.simulated)
        ask = replace(ask, deadline=min(deadline, router.clock() + self.policy.run_timeout))
        first = run.first
        if step not in run.retried or first is None or first not in router.providers:
            return ask
        if run.terms.private and first not in PRIVATE:
            return ask
        others = tuple(name for name in ask.order or () if name != first)
        absent = tuple(skip for skip in ask.absent if skip.provider != first)
        return replace(ask, strategy="priority", order=(first, *others), absent=absent, chosen=True)

    async def _keep(self, record: RunRecord) -> None:
        await self.history.begin_run(record)

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

    async def _watch_bitnet(self) -> None:
        from core.providers.bitnet import server_is_up
        from core.providers.http import make_client

        base_url = self.settings.base_urls.get("bitnet") or PROVIDERS["bitnet"].base_url
        missed = 0
        async with make_client() as client:
            while True:
                up = await server_is_up(base_url, client)
                # A busy computer may miss one look; two in a row are believed.
                missed = 0 if up else missed + 1
                self.lineup.bitnet_up = up or (self.lineup.bitnet_up and missed < 2)
                await asyncio.sleep(_BITNET_EVERY)

    async def _drain(self, seconds: float) -> None:
        if not await self._all_ended(within=seconds):
            for run in self.active():
                if run.task:
                    run.task.cancel()
            await self._all_ended(within=5.0)
        await self.control.aclose()
        for router in self._routers.made():
            for provider in router.providers.values():
                await provider.aclose()

    async def _all_ended(self, *, within: float) -> bool:
        deadline = self._loop.time() + within
        while self.active() and self._loop.time() < deadline:
            await asyncio.sleep(0.02)
        return not self.active()

    # -- what it knows

    def _settled(self, run_id: str) -> Run:
        """A run that is not under way."""
        run = self._runs.get(run_id) or self.stored_run(run_id)
        if run is None:
            raise _no_such_run()
        if run.record.status == "running":
            raise BadRequest("This run is under way already.")
        return run

    def _known(self, key: str) -> RunRecord | None:
        run = self._runs.get(self._by_key.get(key, ""))
        return run.record if run else self._archive.run_by_idempotency_key(key)

    def _forget_oldest(self) -> None:
        done = [run_id for run_id, run in self._runs.items() if run.record.status != "running"]
        for run_id in done[:-_KEPT]:
            key = self._runs.pop(run_id).record.idempotency_key
            if key:
                self._by_key.pop(key, None)


_ASKED_AGAIN = ("priority", "temperature", "max_tokens", "context", "timeout", "execute")


def _side_by_side(wanted: object) -> int:
    number = wanted if isinstance(wanted, int) else SIDE_BY_SIDE
    return min(max(number, 1), MOST_SIDE_BY_SIDE)


def _steps_to_skip(skip: Collection[int], plan: Plan | None, run: Run) -> frozenset[int]:
    last = len(plan.steps) if plan else -1
    done = run.results()
    if any(not 0 <= index <= last or index in done for index in skip):
        raise BadRequest("Only a step of the plan that is not done yet can be skipped.")
    return frozenset(skip)


def _check_edited(run: Run, plan: Plan) -> None:
    """
    Raises:
        BadRequest: a finished step was changed.
        KeyFound: what was written looks like a key.
    """
    check_kept(run.plan, plan, done=run.settled_steps())
    written = keys_in(json_text(plan)) - keys_in(json_text(run.plan) if run.plan else "")
    if written:
        checked(" ".join(written), "plan", "refuse")


def _no_such_run() -> BadRequest:
    return BadRequest("There is no run with this id.")


def _busy() -> RunError:
    return RunError(
        "Manyways is busy and takes no more runs just now.",
        "Try again in a minute.",
        retry_after=10.0,
    )
