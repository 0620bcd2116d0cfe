"""From a row of the registry to a provider that can be asked: its wire format, its SDK, its key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from core.config.digests import digest
from core.config.settings import Settings, read_settings
from core.providers.sdks.anthropic import Anthropic
from core.providers.sdks.google import Google
from core.providers.sdks.openai_compatible import OpenAICompatible
from core.values.ports import Provider
from core.values.registry import PROVIDERS, Wire

WIRES: Mapping[Wire, Callable[..., Provider]] = {
    "openai": OpenAICompatible,
    "anthropic": Anthropic,
    "google": Google,
}


@dataclass(frozen=True, slots=True)
class Connected:
    """Providers that can be asked, in no order.

    `configs` is per provider a digest of address, model and key: what was learnt of a provider
    does not hold any more once one of them has changed. It does not give the key away.
    """

    providers: Mapping[str, Provider]
    configs: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False


def connect(environ: Mapping[str, str]) -> dict[str, Provider]:
    """Every provider that `environ` sets up, in priority order; else the practice ones."""

    settings = read_settings(environ, None)
    connected = connect_real(settings)
    if settings.practice == "on" or (settings.practice == "auto" and not connected.providers):
        connected = connect_practice()
    return {
        name: connected.providers[name] for name in settings.priority if name in connected.providers
    }


def connect_real(
    settings: Settings,
    *,
    models: Mapping[str, str] | None = None,
    bitnet_server: bool = False,
    names: Collection[str] = PROVIDERS,
) -> Connected:
    """The providers that have what they need. Each makes its SDK client when first asked.

    `models` wins over the settings'. A BitNet server counts when `bitnet_server` says it is up,
    or when the settings name its address. Only those in `names` are made.
    """
    providers: dict[str, Provider] = {}
    configs: dict[str, str] = {}
    for name, spec in PROVIDERS.items():
        if name not in names:
            continue
        model = (models or {}).get(name) or settings.models[name]
        base_url = settings.base_urls.get(name) or spec.base_url
        secret = settings.keys.get(name)
        key = secret.reveal() if secret else ""
        if spec.runs_here:
            if settings.bitnet_model_path is not None:
                from core.providers.bitnet import LocalBitNet

                providers[name] = LocalBitNet(settings.bitnet_model_path, model)
                configs[name] = digest(str(settings.bitnet_model_path), model)
                continue
            if not (bitnet_server or settings.base_urls.get(name)):
                continue
            key = "none"  # the server wants no key, the SDK refuses an empty one
        if not key:
            continue
        providers[name] = WIRES[spec.wire](name, model=model, api_key=key, base_url=base_url)
        configs[name] = digest(base_url, model, key)
    return Connected(providers, configs)


def connect_practice(
    *, models: Mapping[str, str] | None = None, names: Collection[str] = PROVIDERS
) -> Connected:
    """The seven practice providers, asked through the real SDKs over loopback."""
    from core import practice

    providers: dict[str, Provider] = {}
    configs: dict[str, str] = {}
    urls = practice.base_urls() if names else {}
    for name, spec in PROVIDERS.items():
        if name in names:
            model = (models or {}).get(name) or spec.model
            providers[name] = WIRES[spec.wire](
                name, model=model, api_key=practice.api_key(), base_url=urls[name]
            )
            configs[name] = digest(model)
    return Connected(providers, configs, simulated=True)
