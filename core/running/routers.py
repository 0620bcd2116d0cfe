"""The two routers: one of real providers, and one of practice ones, made when first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from core.config import limits
from core.config.settings import Settings
from core.providers.connect import Connected, connect_practice, connect_real
from core.providers.pricing import cost_usd
from core.routing.router import MultiProviderStrategy
from core.running.eligibility import Lineup
from core.values.ports import Choices, History


class Routers:
    """Any thread may read them; the engine's loop alone advances them."""

    def __init__(
        self,
        settings: Settings,
        choices: Choices,
        history: History,
        lineup: Lineup,
        *,
        redact: Callable[[str], str],
        pretends_down: Callable[[str], float | None],
    ) -> None:
        self.policy = limits.policy(settings, choices)
        self._history = history
        self._lineup = lineup
        self._redact = redact
        self._pretends_down = pretends_down
        self._lock = threading.Lock()
        self._practice: MultiProviderStrategy | None = None
        self.real = self._make(connect_real(settings, models=lineup.models, bitnet_server=True))

    def of(self, *, simulated: bool) -> MultiProviderStrategy:
        if not simulated:
            return self.real
        with self._lock:
            if self._practice is None:
                self._practice = self._make(connect_practice(models=self._lineup.models))
            return self._practice

    def made(self) -> list[MultiProviderStrategy]:
        return [self.real, *([self._practice] if self._practice else [])]

    def _make(self, connected: Connected) -> MultiProviderStrategy:
        router = MultiProviderStrategy(
            connected.providers,
            self._history,
            configs=connected.configs,
            policy=self.policy,
            simulated=connected.simulated,
            redact=self._redact,
            pretends_down=self._pretends_down,
            price=cost_usd,
        )
        simulated = connected.simulated
        router.remember(
            self._history.recent_attempts(simulated=simulated),
            self._history.totals(simulated=simulated),
        )
        return router
