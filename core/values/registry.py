"""The providers: one row each.

To add one that speaks OpenAI's wire format, add a row. One with a protocol of its own needs a
class, and a line in `core.providers.connect`, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Wire = Literal["openai", "anthropic", "google"]


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
    wire: Wire = "openai"  # whose format it speaks: see `core.providers.connect`
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
        "anthropic",
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
        "google",
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
