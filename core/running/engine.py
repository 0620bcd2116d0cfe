"""The event loop that owns the runs, the SDK clients and their lifetimes.

Pages and routes hand it work and read snapshots; nobody else awaits a provider. Reload, a closed
tab, a second window: the run goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from importlib import import_module

from core.config.keys import Keys, checked, keys_in
from core.config.settings import Settings
from core.planning.edit import check_kept
from core.planning.plan import Plan, json_text
from core.routing.breaker import Policy
from core.routing.drill import Drills
from core.routing.router import MultiProviderStrategy
from core.running.budget import Ledger
from core.running.eligibility import Lineup, check
from core.running.provider_actions import Control
from core.running.routers import Routers
from core.running.run import Run
from core.running.run_registry import Runs
from core.running.steps.progress import MOST_SIDE_BY_SIDE, SIDE_BY_SIDE, Progress
from core.running.worker import Worker
from core.values.errors import BadRequest, RunError
from core.values.ports import Archive, Choices, History
from core.values.registry import PROVIDERS, label_of
from core.values.runs import Limits, RunRecord, RunRequest, run_id_at
from core.values.texts import check_text

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
        self.runs = Runs(archive)
        self._redact = redact
        self._closing = threading.Lock()
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
            self._loop,
            self.runs.active,
        )
        ledger = Ledger(archive.cost_since)
        self._worker = Worker(history, self.lineup, self._routers, ledger, self.stopping.is_set)
        self._thread = threading.Thread(target=self._serve, name="manyways-engine", daemon=True)
        self._thread.start()

    # -- what pages and routes ask of it

    def submit(self, request: RunRequest, *, keys: Keys = "refuse") -> str:
        """Start a run and return its id. The same idempotency key gives the same run.

        `keys`: what becomes of what looks like a key.

        Raises:
            KeyFound: the goal or the context holds what looks like a key.
            BadRequest: the goal is empty or no text that can be sent, a strategy or provider is
                unknown, or nothing on this computer can serve a private run.
            RunError: too many runs are under way, or Manyways is stopping.
        """
        request = self._cleaned(request, keys)
        strategy = request.strategy or self.lineup.strategy
        check(strategy, request.priority)
        if request.private and (fault := self.lineup.why_not_private()):
            raise BadRequest(fault)
        with self.runs.lock:
            if known := self.runs.asked_before(request):
                return known.id
            self._check_room()
            now = time.time()
            record = RunRecord(
                id=run_id_at(now),
                request=replace(
                    request,
                    limits=request.limits or self.limits,
                    side_by_side=_in_reach(request.side_by_side or self.side_by_side),
                ),
                strategy=strategy,
                simulated=self.lineup.practising,
                started_at=now,
                execution=Progress().as_json(),
            )
            self._begin(Run(record, executing=request.execute and not request.approve))
        return record.id

    def carry_on(
        self,
        run_id: str,
        *,
        plan: Plan | None = None,
        skip: Collection[int] = (),
        first: str | None = None,
        limits: Limits | None = None,
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
        with self.runs.lock:
            before = self.runs.settled(run_id)
            self._check_room()
            if plan is not None:
                _check_edited(before, plan)
            plan = plan or before.plan
            request = before.record.request
            request = replace(request, limits=limits or request.limits)
            skipped = before.progress.skipped | _steps_to_skip(skip, plan, before)
            progress = replace(before.progress, skipped=skipped)
            run = before.again(request, plan=plan, progress=progress, first=first)
            run.executing = plan is not None or (request.execute and not request.approve)
            self._begin(run)

    def save_plan(self, run_id: str, plan: Plan) -> None:
        """Keep an edited plan with its run, to be carried out later.

        Raises:
            BadRequest: there is no such run, it is under way, or a finished step was changed.
            RunError: the history cannot be written.
        """
        with self.runs.lock:
            run = self.runs.settled(run_id)
            _check_edited(run, plan)
            edited = run.with_plan(plan)
            self.runs.put(edited)
            # Within the lock, so that it is written before anything that comes after it.
            keeping = asyncio.run_coroutine_threadsafe(self._keep(edited.record), self._loop)
        keeping.result(30)

    def replan(self, run_id: str, goal: str, *, keys: Keys = "refuse") -> str:
        """Plan again for a changed goal, as the run was asked for otherwise: a run of its own.

        Raises:
            BadRequest, RunError: as `submit` does.
        """
        run = self.runs.find(run_id)
        if run is None:
            raise BadRequest("There is no run with this id.")
        return self.submit(replace(run.record.again(), goal=goal), keys=keys)

    def compare(
        self, request: RunRequest, providers: Sequence[str], *, keys: Keys = "refuse"
    ) -> tuple[str, ...]:
        """The same to two or three providers at once, each alone; the ids of their runs.

        Raises:
            BadRequest: as `submit` does, or it is not two or three different providers.
        """
        names = tuple(dict.fromkeys(providers))
        if not 2 <= len(names) <= 3:
            raise BadRequest("Choose two or three providers to compare.")
        able = self.lineup.eligible()
        for name in names:
            if name not in able:
                raise BadRequest(f"{label_of(name)} cannot be asked: it is not set up.")
        request = replace(request, strategy="priority", approve=True, idempotency_key=None)
        return tuple(self.submit(replace(request, priority=(name,)), keys=keys) for name in names)

    def cancel(self, run_id: str) -> bool:
        """Stop a run; False if it is not under way."""
        run = self.runs.get(run_id)
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

    @property
    def side_by_side(self) -> int:
        """How many steps of a run may be under way at once, as chosen in the console."""
        chosen = self.choices.get("side_by_side")
        return chosen if isinstance(chosen, int) else SIDE_BY_SIDE

    def router(self, *, simulated: bool | None = None) -> MultiProviderStrategy:
        """What is known of the providers. Read it only; the engine's loop advances it.

        Of those that a run started now would ask, unless it is said.
        """
        return self._routers.of(
            simulated=self.lineup.practising if simulated is None else simulated
        )

    def complaint(self) -> str | None:
        """What is not as it should be, in one sentence; None when all is well."""
        if not self._thread.is_alive():
            return "The engine has stopped; start Manyways again."
        return self.history.degraded

    def warm(self) -> None:
        """Import the SDKs that a first run will need, on a thread of its own."""

        def load() -> None:
            router = self.router()
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

    # -- how a run begins

    def _cleaned(self, request: RunRequest, keys: Keys) -> RunRequest:
        """With texts that can be sent, and without what is secret."""
        goal, context = self._redact(request.goal).strip(), self._redact(request.context or "")
        if not goal:
            raise BadRequest("The goal is empty. Say in a sentence what you want to get done.")
        check_text(goal, "goal")
        check_text(context, "context")
        return replace(
            request,
            goal=checked(goal, "goal", keys),
            context=checked(context, "context", keys) or None,
            idempotency_key=(request.idempotency_key or "").strip() or None,
        )

    def _check_room(self) -> None:
        if self.stopping.is_set() or len(self.runs.active()) >= _BUSY:
            raise RunError(
                "Manyways is busy and takes no more runs just now.",
                "Try again in a minute.",
                retry_after=10.0,
            )

    def _begin(self, run: Run) -> None:
        self.runs.put(run)
        run.task = asyncio.run_coroutine_threadsafe(self._worker.carry_out(run), self._loop)

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

    async def _keep(self, record: RunRecord) -> None:
        await self.history.begin_run(record)

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
            for run in self.runs.active():
                if run.task:
                    run.task.cancel()
            await self._all_ended(within=5.0)
        await self.control.aclose()
        for router in self._routers.made():
            for provider in router.providers.values():
                await provider.aclose()

    async def _all_ended(self, *, within: float) -> bool:
        deadline = self._loop.time() + within
        while self.runs.active() and self._loop.time() < deadline:
            await asyncio.sleep(0.02)
        return not self.runs.active()


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


def _in_reach(side_by_side: int) -> int:
    return min(max(side_by_side, 1), MOST_SIDE_BY_SIDE)
