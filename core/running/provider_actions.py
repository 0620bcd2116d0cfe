"""What a person does to the providers while the engine runs: test, try, choose, switch, drill."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from core.config import limits
from core.config.settings import Settings, why_no_model
from core.providers import retired as models
from core.providers.connect import Connected, connect_practice, connect_real
from core.providers.model_list import FRESH_FOR, PATIENCE, Found, look
from core.routing.ask import Ask
from core.routing.drill import SAID, Drills
from core.routing.health import let_in
from core.routing.router import MultiProviderStrategy
from core.running.eligibility import Lineup
from core.running.routers import Routers
from core.running.run import Run
from core.values.calls import Attempt, Message, Request
from core.values.errors import BadRequest, RunError
from core.values.outcomes import ErrorKind
from core.values.ports import Choices, Provider

_QUESTION = "Answer with the one word: ready"
_TRIED_FOR = 30.0  # seconds at most that the question may take
_T = TypeVar("_T")
_Doing = tuple[bool, str]  # is it practice, and the provider's name


@dataclass(eq=False, slots=True)
class Control:
    """Any thread may call it; what touches a provider happens on the engine's loop."""

    settings: Settings
    choices: Choices
    lineup: Lineup
    routers: Routers
    drills: Drills
    loop: asyncio.AbstractEventLoop
    active: Callable[[], Sequence[Run]]  # runs, which may be talking through what is replaced
    wall: Callable[[], float] = time.time
    _found: dict[_Doing, Found] = field(default_factory=dict)
    _tried: dict[_Doing, Attempt | str] = field(default_factory=dict)
    _doing: dict[_Doing, str] = field(default_factory=dict)
    _replaced: list[Provider] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    # -- test and try

    def check(self, name: str) -> Future[Found]:
        """Ask a provider for its list of models, which is free. The result stays for `found`."""
        return self._do(name, "testing", self._check)

    def found(self, name: str) -> Found | None:
        """What the last test found, for an hour and for the model that is set now."""
        found = self._found.get(self._key(name))
        return found if found and self.wall() - found.at < FRESH_FOR else None

    def try_now(self, name: str) -> Future[Attempt | str]:
        """Ask one short real question, also of a provider that rests.

        It goes to the history like any other call. The result stays for `tried`: the attempt,
        or a sentence when nobody could be asked.
        """
        return self._do(name, "trying", self._try)

    def tried(self, name: str) -> Attempt | str | None:
        return self._tried.get(self._key(name))

    def doing(self, name: str) -> str | None:
        """`testing` or `trying` while that is under way."""
        return self._doing.get(self._key(name))

    # -- choices

    def choose(self, key: str, value: Any) -> None:
        """Keep a choice (None: back to the default), and have the engine follow it at once.

        Raises:
            BadRequest: it contradicts another one.
        """
        limits.check(self.settings, self.choices, key, value)
        self.choices.set(key, value)
        self.follow()

    def undo(self, key: str) -> None:
        self.choices.undo(key)
        self.follow()

    def choose_model(self, name: str, model: str | None) -> None:
        """Ask this model from now on; what was learnt of the old one's circuit is forgotten.

        Raises:
            BadRequest: it is no name of a model, but a key, for instance.
        """
        model = (model or "").strip()
        if fault := why_no_model(model, self.settings.secrets):
            raise BadRequest(f"{fault}; nothing was changed.")
        chosen = {key: value for key, value in self.lineup.models.items() if key != name}
        if model and model != self.settings.models[name]:
            chosen[name] = model
        self.choose("models", chosen or None)

    def retired(self, today: date) -> list[str]:
        """A sentence for each provider that could be asked but whose model is gone."""
        lineup = self.lineup
        simulated = lineup.practising
        rows = (
            models.retired(name, lineup.model_of(name, simulated=simulated))
            for name in lineup.set_up(simulated=simulated)
        )
        return [
            models.in_words(row, today=today)
            for row in rows
            if row and models.is_gone(row, today=today)
        ]

    def switch(self, name: str, *, on: bool) -> None:
        """Whether a provider may be asked at all."""
        off = [other for other in self.lineup.switched_off if other != name]
        self.choose("switched_off", (off if on else [*off, name]) or None)

    def move(self, name: str, *, by: int) -> None:
        """So many places down the order; negative: up."""
        order = list(self.lineup.priority)
        place = order.index(name)
        there = min(max(place + by, 0), len(order) - 1)
        order.insert(there, order.pop(place))
        self.choose("priority", order)

    def follow(self) -> None:
        """Make the running engine what the choices say: models and limits."""
        policy = limits.policy(self.settings, self.choices)
        new = [(router, self._changed(router)) for router in self.routers.made()]

        async def swap() -> None:
            self.routers.policy = policy
            for router, connected in new:
                router.policy = policy
                self._swap(router, connected)

        asyncio.run_coroutine_threadsafe(swap(), self.loop).result(10)

    async def aclose(self) -> None:
        """Close what was replaced and is still open."""
        for task in list(self._tasks):
            task.cancel()
        for provider in self._replaced:
            await provider.aclose()

    # -- on the engine's loop

    async def _check(self, name: str, router: MultiProviderStrategy) -> Found:
        provider = router.providers[name]
        if self.drills.down(name):
            kind = ErrorKind.CONNECTION
            found = Found(name, provider.model, self.wall(), 0.0, (), kind, SAID)
        else:
            found = await look(name, provider, wall=self.wall, redact=router.redact)
        self._found[router.simulated, name] = found
        return found

    async def _try(self, name: str, router: MultiProviderStrategy) -> Attempt | str:
        router.healths[name] = let_in(router.health(name), now=router.clock())
        patience = min(_TRIED_FOR, router.policy.attempt_timeout)
        ask = Ask(
            Request((Message("user", _QUESTION),), max_tokens=100),
            strategy="priority",
            order=(name,),
            deadline=router.clock() + patience,
        )
        tried: Attempt | str
        try:
            tried = (await router.ask(ask)).attempts[-1]
        except RunError as error:
            tried = error.attempts[-1] if error.attempts else f"{error.message} {error.action}"
        self._tried[router.simulated, name] = tried
        return tried

    def _do(
        self,
        name: str,
        what: str,
        act: Callable[[str, MultiProviderStrategy], Coroutine[Any, Any, _T]],
    ) -> Future[_T]:
        router = self.routers.of(simulated=self.lineup.practising)
        key = (router.simulated, name)
        self._doing[key] = what

        async def doing() -> _T:
            try:
                return await act(name, router)
            finally:
                self._doing.pop(key, None)

        return asyncio.run_coroutine_threadsafe(doing(), self.loop)

    def _key(self, name: str) -> _Doing:
        return self.lineup.practising, name

    # -- other models

    def _changed(self, router: MultiProviderStrategy) -> Connected:
        """New providers for those whose model is not the one wanted any more."""
        wanted = self.lineup.models
        names = [
            name
            for name, provider in router.providers.items()
            if provider.model != self.lineup.model_of(name, simulated=router.simulated)
        ]
        if router.simulated:
            return connect_practice(models=wanted, names=names)
        return connect_real(self.settings, models=wanted, bitnet_server=True, names=names)

    def _swap(self, router: MultiProviderStrategy, new: Connected) -> None:
        if not new.providers:
            return
        old = [router.providers[name] for name in new.providers]
        router.replace_providers(
            {**router.providers, **new.providers}, {**router.configs, **new.configs}
        )
        for name in new.providers:
            self._tried.pop((router.simulated, name), None)
        self._replaced += old
        task = self.loop.create_task(self._close_later(old))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close_later(self, providers: Sequence[Provider]) -> None:
        # Runs that began before the change may still be talking through them.
        runs = self.active()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(PATIENCE + _TRIED_FOR)
            while any(not run.done.is_set() for run in runs):
                await asyncio.sleep(1.0)
            for provider in providers:
                self._replaced.remove(provider)
                await provider.aclose()
