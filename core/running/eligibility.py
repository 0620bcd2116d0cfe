"""Who may be asked, and in which order: by what was chosen, what is set, and who is there."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Container, Mapping, Sequence
from urllib.parse import urlsplit

from core.config.settings import Settings
from core.routing.strategies import STRATEGIES
from core.values.calls import Skip, SkipReason
from core.values.errors import BadRequest, NoProviderConfigured
from core.values.ports import Choices
from core.values.registry import PROVIDERS

# Whom a private run may ask: models on this computer.
PRIVATE = tuple(name for name, spec in PROVIDERS.items() if spec.runs_here)


class Lineup:
    """As it is at the moment of asking. Every method may be called from any thread."""

    def __init__(
        self, settings: Settings, choices: Choices, *, connected: Callable[[], Container[str]]
    ) -> None:
        """`connected` names the real providers that have what they need, BitNet's server aside."""
        self.bitnet_up = False
        self._settings = settings
        self._choices = choices
        self._connected = connected

    @property
    def practising(self) -> bool:
        """Whether a run started now would go to practice providers."""
        mode = self._settings.practice
        return mode == "on" or (mode == "auto" and not self.set_up(simulated=False))

    @property
    def strategy(self) -> str:
        chosen = self._choices.get("strategy")
        return chosen if chosen in STRATEGIES else self._settings.strategy

    @property
    def priority(self) -> tuple[str, ...]:
        """All providers, first to last, as chosen or as the environment says."""
        chosen = [name for name in self._choices.get("priority") or () if name in PROVIDERS]
        return tuple(dict.fromkeys([*chosen, *self._settings.priority]))

    @property
    def models(self) -> Mapping[str, str]:
        """The models chosen in the console, by provider; the others have their default."""
        chosen = self._choices.get("models")
        if not isinstance(chosen, dict):
            return {}
        return {name: str(model) for name, model in chosen.items() if name in PROVIDERS and model}

    def model_of(self, name: str, *, simulated: bool) -> str:
        default = PROVIDERS[name].model if simulated else self._settings.models[name]
        return self.models.get(name, default)

    @property
    def switched_off(self) -> tuple[str, ...]:
        return tuple(name for name in self._choices.get("switched_off") or () if name in PROVIDERS)

    def set_up(self, *, simulated: bool | None = None) -> tuple[str, ...]:
        """Who could be asked if it is not switched off, in priority order.

        That is who has what it needs: a key, or for BitNet a server that is up or a file. Of a
        run that started now, unless it is said whether it is `simulated`.
        """
        if self.practising if simulated is None else simulated:
            return self.priority
        here, connected = self._settings.bitnet_model_path is not None, self._connected()
        return tuple(
            name
            for name in self.priority
            if name in connected and (name != "bitnet" or here or self.bitnet_up)
        )

    def eligible(self, *, simulated: bool | None = None) -> tuple[str, ...]:
        """Who may be asked, in priority order, as with `set_up`."""
        off = self.switched_off
        return tuple(name for name in self.set_up(simulated=simulated) if name not in off)

    def why_not_private(self, *, simulated: bool | None = None) -> str | None:
        """Why a private run cannot be had now, in a sentence; None if it can."""
        practising = self.practising if simulated is None else simulated
        able = self.eligible(simulated=practising)
        return why_not_private(self._settings, able=able, practising=practising)

    def order(
        self, asked: Sequence[str] | None, *, private: bool, simulated: bool
    ) -> tuple[str, ...]:
        """Who a run asks: of those `asked` for, or of all.

        Raises:
            NoProviderConfigured: none of them can be asked; it says why.
        """
        # The server's address may be another one since the run was asked for.
        if private and (fault := self.why_not_private(simulated=simulated)):
            raise NoProviderConfigured(fault, "Once that is changed, continue the run.")
        absent = self.absent(asked, private=private, simulated=simulated)
        reasons = {skip.provider: skip.reason for skip in absent}
        able = [name for name in self.priority if name not in reasons]
        order = tuple(
            able if asked is None or private else (n for n in [*dict.fromkeys(asked)] if n in able)
        )
        if not order:
            if "switched_off" in reasons.values():
                raise NoProviderConfigured(
                    "Every provider that could be asked is switched off.",
                    "Switch one on under Providers.",
                )
            raise NoProviderConfigured(
                "None of the providers asked for is set up." if asked else "No provider is set up.",
                "Set a provider's key, such as ANTHROPIC_API_KEY, and start Manyways again.",
            )
        return order

    def absent(
        self, asked: Sequence[str] | None, *, private: bool, simulated: bool
    ) -> tuple[Skip, ...]:
        """Everyone whom such a run may not ask, and why, by priority."""
        set_up, off = self.set_up(simulated=simulated), self.switched_off

        def reason(name: str) -> SkipReason | None:
            if name not in set_up:
                return "no_key"
            if private:
                return "private" if name not in PRIVATE else "switched_off" if name in off else None
            if asked is not None and name not in asked:
                return "not_asked_for"
            return "switched_off" if name in off else None

        found = ((name, reason(name)) for name in self.priority)
        return tuple(Skip(name, why) for name, why in found if why)


def check(strategy: str, priority: Sequence[str] | None) -> None:
    """
    Raises:
        BadRequest: there is no such strategy, or no such provider.
    """
    if strategy not in STRATEGIES:
        names = ", ".join(STRATEGIES)
        raise BadRequest(f"There is no strategy “{strategy[:40]}”; there are {names}.")
    for name in priority or ():
        if name not in PROVIDERS:
            raise BadRequest(
                f"There is no provider “{name[:40]}”; there are {', '.join(PROVIDERS)}."
            )


def why_not_private(settings: Settings, *, able: Sequence[str], practising: bool) -> str | None:
    """Why a private run cannot be had, in a sentence; None if it can. `able` may be asked now."""
    if not set(PRIVATE) & set(able):
        return (
            "A private run asks BitNet on this computer and nobody else, and BitNet is not set up."
            " Start its server, or point BITNET_MODEL_PATH at a model file."
        )
    if practising or settings.bitnet_model_path is not None:
        return None
    for name in PRIVATE:
        address = settings.base_urls.get(name) or PROVIDERS[name].base_url
        if not _on_this_computer(address):
            return (
                f"A private run stays on this computer, and {PROVIDERS[name].base_url_env} points"
                " at another one."
            )
    return None


def _on_this_computer(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
