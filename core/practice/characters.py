"""The seven characters: how fast each answers, what it offers, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.practice.wire import ANTHROPIC, GOOGLE, OPENAI, Wire
from core.values.registry import PROVIDERS, Spec


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure as this vendor words it: JSON, or a page of HTML."""

    status: int
    body: Any
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Character:
    wire: Wire
    first_token: tuple[float, float]  # seconds, from and to
    pace: int  # characters a second
    models: tuple[str, ...]
    faults: tuple[Fault, ...]  # at least one
    health: str | None = None  # the path that is answered without a key


_RATE = {
    "message": "Rate limit reached for requests per min (RPM). Please try again in 8s.",
    "type": "requests", "param": None, "code": "rate_limit_exceeded",
}  # fmt: skip
_BUSY = "The engine is currently overloaded, please try again later"
_LOADING = {"code": 503, "message": "Loading model", "type": "unavailable_error"}
_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"

_OWN: dict[str, Character] = {
    "anthropic": Character(
        ANTHROPIC, (0.5, 0.9), 2_600, ("claude-sonnet-5-5", "claude-haiku-5-5"),
        (Fault(529, ANTHROPIC.error(529, "Overloaded")),),
    ),
    "openai": Character(
        OPENAI, (0.3, 0.6), 3_200, ("gpt-6-luna", "gpt-6.1-sol"),
        (Fault(429, {"error": _RATE}, {"retry-after": "8", "retry-after-ms": "8000"}),),
    ),
    "google": Character(
        GOOGLE, (0.35, 0.7), 3_600, ("gemini-3.5-flash-lite", "gemini-3.8-flash"),
        (Fault(503, GOOGLE.error(503, "The model is overloaded. Please try again later.")),),
    ),
    "deepseek": Character(
        OPENAI, (0.45, 0.9), 2_500, ("deepseek-flash", "deepseek-pro"),
        (Fault(500, OPENAI.error(500, "Internal server error")),),
    ),
    "kimi": Character(
        OPENAI, (0.5, 0.9), 3_000, ("kimi-k3", "kimi-k3.1-pro"),
        (Fault(429, {"error": {"type": "engine_overloaded_error", "message": _BUSY}}),),
    ),
    "nvidia": Character(
        OPENAI, (0.25, 0.5), 2_900,
        ("nvidia/nemotron-3-super-120b-a12b", "nvidia/nemotron-3-nano-30b-a3b"),
        (Fault(200, _GATEWAY), Fault(502, {"status": 502, "title": "Bad Gateway"})),
    ),
    "bitnet": Character(
        OPENAI, (0.3, 0.6), 1_300, ("bitnet-local",),
        (Fault(503, {"error": _LOADING}),), health="/health",
    ),
}  # fmt: skip

_WIRES = {"anthropic": ANTHROPIC, "google": GOOGLE, "openai": OPENAI}


def _character(name: str, spec: Spec) -> Character:
    """The provider's own, or one for a newcomer that nobody has written one for."""
    wire = _WIRES[spec.wire]
    failing = Fault(500, wire.error(500, "Internal server error"))
    return _OWN.get(name) or Character(wire, (0.3, 0.6), 3_000, (spec.model,), (failing,))


CHARACTERS = {name: _character(name, spec) for name, spec in PROVIDERS.items()}
