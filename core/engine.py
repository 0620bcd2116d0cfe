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
import uuid
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from core import limits
from core.autonomous_orchestrator import AutonomousOrchestrator, Goal
from core.control import Control
from core.errors import BadRequest, NoProviderConfigured, RunCancelled, RunError
from core.llm_planner import LLMPlanner
from core.multi_provider_strategy import Ask, MultiProviderStrategy
from core.providers import PROVIDERS, Connected, connect_practice, connect_real
from core.runs import Run
from core.settings import Settings
from core.strategies import STRATEGIES
from core.types import Archive, Choices, History, Request, RunRecord, RunStatus, Source

_log = logging.getLogger("switchyard")
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
        self.policy = limits.policy(settings, choices)
        self._runs: dict[str, Run] = {}
        self._by_key: dict[str, str] = {}
        self._lock = threading.Lock()
        self._bitnet_up = False
        self._practice: MultiProviderStrategy | None = None
        self._loop = asyncio.new_event_loop()
        self.control = Control(self, self._loop, wall=time.time)
        self._real = self._router(connect_real(settings, models=self.models, bitnet_server=True))
        self._thread = threading.Thread(target=self._serve, name="switchyard-engine", daemon=True)
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
        idempotency_key: str | None = None,
    ) -> str:
        """Start a run and return its id. The same idempotency key gives the same run.

        Raises:
            BadRequest: the goal is empty, or a strategy or provider is unknown.
            RunError: too many runs are under way, or Switchyard is stopping.
        """
        goal = self._redact(goal).strip()
        if not goal:
            raise BadRequest("The goal is empty. Say in a sentence what you want to get done.")
        strategy = strategy or self.strategy
        self._check(strategy, priority)
        options = {
            "context": self._redact(context) if context else None,
            "priority": list(priority) if priority is not None else None,
            "temperature": temperature,
            "max_tokens": max_tokens,
            "timeout": timeout,
            "execute": execute,
        }
        with self._lock:
            if idempotency_key and (known := self._known(idempotency_key)):
                if (known.goal, known.options) != (goal, options):
                    raise BadRequest("This Idempotency-Key was used for another request.")
                return known.id
            if self.stopping.is_set() or len(self.active()) >= _BUSY:
                raise _busy()
            record = RunRecord(
                id=uuid.uuid4().hex,
                goal=goal,
                strategy=strategy,
                source=source,
                simulated=self.practising,
                started_at=time.time(),
                options=options,
                idempotency_key=idempotency_key,
            )
            run = self._runs[record.id] = Run(record)
            if idempotency_key:
                self._by_key[idempotency_key] = record.id
            self._forget_oldest()
        run.task = asyncio.run_coroutine_threadsafe(self._carry_out(run), self._loop)
        return record.id

    def run(self, run_id: str) -> Run | None:
        """A run under way or just finished; None if only the history can know it."""
        return self._runs.get(run_id)

    def stored_run(self, run_id: str) -> Run | None:
        """A run as the history has it, in the form of a finished one."""
        record = self._archive.run(run_id)
        return Run.finished(record, self._archive.calls_of(run_id)) if record else None

    def active(self) -> list[Run]:
        return [run for run in list(self._runs.values()) if run.record.status == "running"]

    def cancel(self, run_id: str) -> bool:
        """Stop a run; False if it is not under way."""
        run = self._runs.get(run_id)
        if run is None or run.task is None or run.record.status != "running":
            return False
        return run.task.cancel()

    @property
    def practising(self) -> bool:
        """Whether a run started now would go to practice providers."""
        mode = self.settings.practice
        return mode == "on" or (mode == "auto" and not self._set_up())

    @property
    def strategy(self) -> str:
        chosen = self.choices.get("strategy")
        return chosen if chosen in STRATEGIES else self.settings.strategy

    @property
    def priority(self) -> tuple[str, ...]:
        """All providers, first to last, as chosen or as the environment says."""
        chosen = [name for name in self.choices.get("priority") or () if name in PROVIDERS]
        return tuple(dict.fromkeys([*chosen, *self.settings.priority]))

    @property
    def models(self) -> Mapping[str, str]:
        """The models chosen in the console, by provider; the others have their default."""
        chosen = self.choices.get("models")
        if not isinstance(chosen, dict):
            return {}
        return {name: str(model) for name, model in chosen.items() if name in PROVIDERS and model}

    def model_of(self, name: str, *, simulated: bool) -> str:
        default = PROVIDERS[name].model if simulated else self.settings.models[name]
        return self.models.get(name, default)

    @property
    def switched_off(self) -> tuple[str, ...]:
        return tuple(name for name in self.choices.get("switched_off") or () if name in PROVIDERS)

    def eligible(self, *, simulated: bool) -> tuple[str, ...]:
        """Who may be asked, in priority order."""
        if simulated:
            return tuple(name for name in self.priority if name not in self.switched_off)
        return self._available()

    def router(self, *, simulated: bool) -> MultiProviderStrategy:
        """What is known of the providers. Read it only; the engine's loop advances it."""
        if not simulated:
            return self._real
        with self._lock:
            if self._practice is None:
                self._practice = self._router(connect_practice(models=self.models))
            return self._practice

    def routers(self) -> list[MultiProviderStrategy]:
        """Those that have been made."""
        return [self._real, *([self._practice] if self._practice else [])]

    def status(self) -> dict[str, Any]:
        """The body of GET /autonomous/status."""
        body: dict[str, Any] = {
            "status": "operational",
            "llm_providers": {
                **self._real.get_stats_summary(),
                "available_providers": list(self._available()),
            },
            "timestamp": time.time(),
        }
        if self.practising:
            practice = self.router(simulated=True)
            body["practice_providers"] = {
                **practice.get_stats_summary(),
                "available_providers": list(self.eligible(simulated=True)),
            }
        return body

    def complaint(self) -> str | None:
        """What is not as it should be, in one sentence; None when all is well."""
        if not self._thread.is_alive():
            return "The engine has stopped; start Switchyard again."
        return self.history.degraded

    def warm(self) -> None:
        """Import the SDKs that a first run will need, on a thread of its own."""

        def load() -> None:
            practising = self.practising
            router = self.router(simulated=practising)
            for name in self.priority:
                if name in router.providers and not self.stopping.is_set():
                    with contextlib.suppress(ImportError):
                        import_module(PROVIDERS[name].sdk)

        threading.Thread(target=load, name="switchyard-warm", daemon=True).start()

    def close(self, *, drain: float = 10.0) -> None:
        """Take no more runs, give those under way `drain` seconds, then stop the rest."""
        self.stopping.set()
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
        record = run.record
        options = record.options
        try:
            await self.history.begin_run(record)
            run.started()
            router = self.router(simulated=record.simulated)
            order = self._order(options["priority"], simulated=record.simulated)
            timeout = options["timeout"] or self.policy.run_timeout
            ask = Ask(
                Request(()),
                strategy=record.strategy,
                order=order,
                deadline=router.clock() + timeout - (time.time() - record.started_at),
                run_id=record.id,
                watcher=run,
            )
            orchestrator = AutonomousOrchestrator(LLMPlanner(router))
            goal = Goal(
                record.goal, options["context"], options["temperature"], options["max_tokens"]
            )
            if options["execute"]:
                outcome = await orchestrator.carry_out(goal, ask, on_plan=run.planned)
            else:
                outcome = await orchestrator.plan(goal, ask, on_plan=run.planned)
            await self._finish(run, run.succeeded_with(outcome))
        except asyncio.CancelledError:
            by_shutdown = self.stopping.is_set()
            stopped = RunCancelled("The run was stopped.", "Run it again when you like.")
            status: RunStatus = "interrupted" if by_shutdown else "cancelled"
            await self._finish(run, run.failed_with(stopped, status=status))
        except RunError as error:
            await self._finish(run, run.failed_with(error))
        except Exception:  # noqa: BLE001 - a bug of ours must end the run, not hang it
            _log.exception("run %s failed in Switchyard itself", record.id)
            ours = RunError("Switchyard itself failed.", "Try again; if it stays, see the log.")
            await self._finish(run, run.failed_with(ours))

    async def _finish(self, run: Run, ended: RunRecord) -> None:
        # Once an answer is paid for it is shown, whatever the disk says.
        task = asyncio.ensure_future(self.history.end_run(ended))
        with contextlib.suppress(RunError):
            await asyncio.shield(task)
        run.end(ended)

    async def _watch_bitnet(self) -> None:
        from core.providers.bitnet import server_is_up
        from core.providers.http import make_client

        base_url = self.settings.base_urls.get("bitnet") or PROVIDERS["bitnet"].base_url
        async with make_client() as client:
            while True:
                self._bitnet_up = await server_is_up(base_url, client)
                await asyncio.sleep(_BITNET_EVERY)

    async def _drain(self, seconds: float) -> None:
        if not await self._all_ended(within=seconds):
            for run in self.active():
                if run.task:
                    run.task.cancel()
            await self._all_ended(within=5.0)
        await self.control.aclose()
        for router in self.routers():
            for provider in router.providers.values():
                await provider.aclose()

    async def _all_ended(self, *, within: float) -> bool:
        deadline = self._loop.time() + within
        while self.active() and self._loop.time() < deadline:
            await asyncio.sleep(0.02)
        return not self.active()

    # -- what it knows

    def _router(self, connected: Connected) -> MultiProviderStrategy:
        router = MultiProviderStrategy(
            connected.providers,
            self.history,
            configs=connected.configs,
            policy=self.policy,
            simulated=connected.simulated,
            redact=self._redact,
            pretends_down=self.control.drills.down,
        )
        simulated = connected.simulated
        router.remember(
            self.history.recent_attempts(simulated=simulated),
            self.history.totals(simulated=simulated),
        )
        return router

    def set_up(self, *, simulated: bool) -> tuple[str, ...]:
        """Who could be asked if it is not switched off, in priority order."""
        return self.priority if simulated else self._set_up()

    def _set_up(self) -> tuple[str, ...]:
        """Who has what it needs: a key, or for BitNet a server that is up or a file."""
        here = self._bitnet_up or self.settings.bitnet_model_path is not None
        return tuple(
            name
            for name in self.priority
            if name in self._real.providers and (name != "bitnet" or here)
        )

    def _available(self) -> tuple[str, ...]:
        return tuple(name for name in self._set_up() if name not in self.switched_off)

    def _order(self, asked: Sequence[str] | None, *, simulated: bool) -> tuple[str, ...]:
        able = self.eligible(simulated=simulated)
        order = (
            able if asked is None else tuple(name for name in dict.fromkeys(asked) if name in able)
        )
        if not order:
            if set(self.set_up(simulated=simulated)) & set(self.switched_off):
                raise NoProviderConfigured(
                    "Every provider that could be asked is switched off.",
                    "Switch one on under Providers.",
                )
            raise NoProviderConfigured(
                "None of the providers asked for is set up." if asked else "No provider is set up.",
                "Set a provider's key, such as ANTHROPIC_API_KEY, and start Switchyard again.",
            )
        return order

    def _check(self, strategy: str, priority: Sequence[str] | None) -> None:
        if strategy not in STRATEGIES:
            names = ", ".join(STRATEGIES)
            raise BadRequest(f"There is no strategy “{strategy[:40]}”; there are {names}.")
        for name in priority or ():
            if name not in PROVIDERS:
                raise BadRequest(
                    f"There is no provider “{name[:40]}”; there are {', '.join(PROVIDERS)}."
                )

    def _known(self, key: str) -> RunRecord | None:
        run = self._runs.get(self._by_key.get(key, ""))
        return run.record if run else self._archive.run_by_idempotency_key(key)

    def _forget_oldest(self) -> None:
        done = [run_id for run_id, run in self._runs.items() if run.record.status != "running"]
        for run_id in done[:-_KEPT]:
            key = self._runs.pop(run_id).record.idempotency_key
            if key:
                self._by_key.pop(key, None)


def _busy() -> RunError:
    return RunError(
        "Switchyard is busy and takes no more runs just now.",
        "Try again in a minute.",
        retry_after=10.0,
    )
