"""The providers: one row each, and how a row becomes something that can be asked.

To add an OpenAI-compatible provider, add a row. To add one with a protocol of its own, write a
file with a class like `Anthropic` and add a row that names it in `build`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.providers.anthropic import Anthropic
from core.providers.google import Google
from core.providers.openai_compatible import OpenAICompatible
from core.types import Provider

if TYPE_CHECKING:
    from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Spec:
    """What sets a provider apart."""

    label: str
    best_for: str
    model: str  # the default, alive today
    key_env: tuple[str, ...]  # the first that is set; empty: runs here, needs no key
    model_env: str
    base_url_env: str
    base_url: str  # in the form the vendor's SDK takes
    sdk: str  # module that its first call imports
    prices: str | None  # its name in genai-prices; None: no price is known
    keys_page: str  # where a key is to be had
    build: Callable[..., Provider] = OpenAICompatible
    open_list: bool = False  # its list of models needs no key, so it does not prove one
    billing_page: str = ""  # where its account is topped up

    @property
    def runs_here(self) -> bool:
        return not self.key_env


PROVIDERS: dict[str, Spec] = {
    "anthropic": Spec(
        "Anthropic",
        "planning and reasoning",
        "claude-sonnet-5-5",
        ("ANTHROPIC_API_KEY",),
        "ANTHROPIC_MODEL",
        "ANTHROPIC_BASE_URL",
        "https://api.anthropic.com",
        "anthropic",
        "anthropic",
        "https://console.anthropic.com/settings/keys",
        Anthropic,
        billing_page="https://console.anthropic.com/settings/billing",
    ),
    "openai": Spec(
        "OpenAI",
        "general tasks",
        "gpt-6-luna",
        ("OPENAI_API_KEY",),
        "OPENAI_MODEL",
        "OPENAI_BASE_URL",
        "https://api.openai.com/v1",
        "openai",
        "openai",
        "https://platform.openai.com/api-keys",
        billing_page="https://platform.openai.com/settings/organization/billing/overview",
    ),
    "google": Spec(
        "Google",
        "speed and long texts",
        "gemini-3.5-flash-lite",
        ("GOOGLE_API_KEY",),
        "GOOGLE_MODEL",
        "GOOGLE_BASE_URL",
        "https://generativelanguage.googleapis.com",
        "google.genai",
        "google",
        "https://aistudio.google.com/apikey",
        Google,
        billing_page="https://console.cloud.google.com/billing",
    ),
    "deepseek": Spec(
        "DeepSeek",
        "reasoning at a low price",
        "deepseek-flash",
        ("DEEPSEEK_API_KEY",),
        "DEEPSEEK_MODEL",
        "DEEPSEEK_BASE_URL",
        "https://api.deepseek.com",
        "openai",
        "deepseek",
        "https://platform.deepseek.com/api_keys",
        billing_page="https://platform.deepseek.com/top_up",
    ),
    "kimi": Spec(
        "Kimi",
        "very long texts",
        "kimi-k3",
        ("KIMI_K2_API_KEY", "MOONSHOT_API_KEY"),
        "KIMI_MODEL",
        "KIMI_BASE_URL",
        "https://api.moonshot.ai/v1",
        "openai",
        "moonshotai",
        "https://platform.moonshot.ai/console/api-keys",
        billing_page="https://platform.moonshot.ai/console/pay",
    ),
    "nvidia": Spec(
        "NVIDIA NIM",
        "open models",
        "nvidia/nemotron-3-super-120b-a12b",
        ("NVIDIA_API_KEY",),
        "NVIDIA_MODEL",
        "NVIDIA_BASE_URL",
        "https://integrate.api.nvidia.com/v1",
        "openai",
        None,
        "https://build.nvidia.com",
        open_list=True,
    ),
    "bitnet": Spec(
        "BitNet (this computer)",
        "privacy, and no cost",
        "bitnet-local",
        (),
        "BITNET_MODEL",
        "BITNET_BASE_URL",
        "http://127.0.0.1:8080/v1",
        "openai",
        None,
        "",
    ),
}


def label_of(name: str) -> str:
    spec = PROVIDERS.get(name)
    return spec.label if spec else name


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
    from core.settings import read_settings  # it reads the table above

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
                configs[name] = _digest(str(settings.bitnet_model_path), model)
                continue
            if not (bitnet_server or settings.base_urls.get(name)):
                continue
            key = "none"  # the server wants no key, the SDK refuses an empty one
        if not key:
            continue
        providers[name] = spec.build(name, model=model, api_key=key, base_url=base_url)
        configs[name] = _digest(base_url, model, key)
    return Connected(providers, configs)


def connect_practice(
    *, models: Mapping[str, str] | None = None, names: Collection[str] = PROVIDERS
) -> Connected:
    """The seven practice providers, asked through the real SDKs over loopback."""
    from core.providers import practice

    providers: dict[str, Provider] = {}
    configs: dict[str, str] = {}
    urls = practice.base_urls() if names else {}
    for name, spec in PROVIDERS.items():
        if name in names:
            model = (models or {}).get(name) or spec.model
            providers[name] = spec.build(
                name, model=model, api_key=practice.api_key(), base_url=urls[name]
            )
            configs[name] = _digest(model)
    return Connected(providers, configs, simulated=True)


def access(settings: Settings) -> dict[str, str]:
    """Per provider with a key a digest of its address and key, which does not give it away."""
    return {
        name: _digest(settings.base_urls.get(name) or PROVIDERS[name].base_url, key.reveal())
        for name, key in sorted(settings.keys.items())
    }


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=4).hexdigest()
