"""The seven characters: how fast each answers, what it offers, and how it fails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.practice.wire import ANTHROPIC, GOOGLE, OPENAI, Json, Wire


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure as this vendor words it."""

    status: int
    body: str
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Character:
    wire: Wire
    first_token: tuple[float, float]  # seconds, from and to
    pace: int  # characters a second
    chars_per_token: float  # of English text
    models: tuple[str, ...]
    faults: tuple[Fault, ...]
    denied: tuple[int, str]  # status and the vendor's name for a key it does not know
    health: str | None = None  # the path that is answered without a key


def _json(body: Json) -> str:
    return json.dumps(body)


_HTML = """\
<html>
<head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body>
</html>
"""

CHARACTERS: dict[str, Character] = {
    "anthropic": Character(
        ANTHROPIC,
        first_token=(0.5, 0.9),
        pace=2_600,
        chars_per_token=3.6,
        models=("claude-sonnet-5-5", "claude-haiku-5-5"),
        faults=(Fault(529, _json(ANTHROPIC.error(529, "overloaded_error", "Overloaded"))),),
        denied=(401, "authentication_error"),
    ),
    "openai": Character(
        OPENAI,
        first_token=(0.3, 0.6),
        pace=3_200,
        chars_per_token=4.2,
        models=("gpt-6-luna", "gpt-6.1-sol"),
        faults=(
            Fault(
                429,
                _json(
                    {
                        "error": {
                            "message": "Rate limit reached for requests per min (RPM): Limit 500, "
                            "Used 500, Requested 1. Please try again in 8s.",
                            "type": "requests",
                            "param": None,
                            "code": "rate_limit_exceeded",
                        }
                    }
                ),
                headers={"retry-after": "8", "retry-after-ms": "8000"},
            ),
        ),
        denied=(401, "invalid_api_key"),
    ),
    "google": Character(
        GOOGLE,
        first_token=(0.35, 0.7),
        pace=3_600,
        chars_per_token=4.1,
        models=("gemini-3.5-flash-lite", "gemini-3.8-flash"),
        faults=(
            Fault(
                503,
                _json(
                    GOOGLE.error(
                        503, "UNAVAILABLE", "The model is overloaded. Please try again later."
                    )
                ),
            ),
        ),
        denied=(401, "UNAUTHENTICATED"),
    ),
    "deepseek": Character(
        OPENAI,
        first_token=(0.45, 0.9),
        pace=2_500,
        chars_per_token=3.8,
        models=("deepseek-flash", "deepseek-pro"),
        faults=(Fault(500, _json(OPENAI.error(500, "server_error", "Internal server error"))),),
        denied=(401, "authentication_error"),
    ),
    "kimi": Character(
        OPENAI,
        first_token=(0.5, 0.9),
        pace=3_000,
        chars_per_token=3.9,
        models=("kimi-k3", "kimi-k3.1-pro"),
        faults=(
            Fault(
                429,
                _json(
                    {
                        "error": {
                            "type": "engine_overloaded_error",
                            "message": "The engine is currently overloaded, please try again later",
                        }
                    }
                ),
            ),
        ),
        denied=(401, "invalid_authentication_error"),
    ),
    "nvidia": Character(
        OPENAI,
        first_token=(0.25, 0.5),
        pace=2_900,
        chars_per_token=4.0,
        models=("nvidia/nemotron-3-super-120b-a12b", "nvidia/nemotron-3-nano-30b-a3b"),
        faults=(
            Fault(200, _HTML, "text/html"),
            Fault(502, _json({"status": 502, "title": "Bad Gateway"}), "application/problem+json"),
        ),
        denied=(401, "Unauthorized"),
    ),
    "bitnet": Character(
        OPENAI,
        first_token=(0.3, 0.6),
        pace=1_300,
        chars_per_token=3.5,
        models=("bitnet-local",),
        faults=(
            Fault(
                503,
                _json(
                    {
                        "error": {
                            "code": 503,
                            "message": "Loading model",
                            "type": "unavailable_error",
                        }
                    }
                ),
            ),
        ),
        denied=(401, "authentication_error"),
        health="/health",
    ),
}
