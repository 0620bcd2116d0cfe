"""Request profiles by model: which parameters today's models refuse or need.

The first row whose pattern fits the model's name is its profile. A parameter that a vendor
rejects all the same is left out and the call repeated once, so that a new model needs no row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Profile:
    """How a model wants to be asked.

    `min_tokens` is the least output length that leaves room for thinking that cannot be
    switched off. `extra` goes into the request's body as it stands.
    """

    pattern: str
    temperature: bool = True
    token_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    json_mode: Literal["schema", "object", "none"] = "schema"
    min_tokens: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)


_NO_THINKING = {"thinking": {"type": "disabled"}}

PROFILES: dict[str, tuple[Profile, ...]] = {
    "anthropic": (
        Profile(r"claude-(3|sonnet-4-2|opus-4-[02]|sonnet-4-0)", json_mode="none"),
        Profile(r"claude-(sonnet|opus|haiku)-4"),
        # Thinking is on unless it is switched off, and counts against the answer's length.
        Profile(r"", temperature=False, extra=_NO_THINKING),
    ),
    "openai": (
        Profile(r"gpt-(3|4)|chatgpt-4", json_mode="object"),
        Profile(
            r"gpt-6(\.\d)?-(luna|mini|nano)",
            token_parameter="max_completion_tokens",
            extra={"reasoning_effort": "none"},
        ),
        Profile(
            r"gpt-|o\d",
            temperature=False,
            token_parameter="max_completion_tokens",
            min_tokens=8000,
        ),
        Profile(r"", json_mode="object"),
    ),
    "google": (
        Profile(r"gemini-2\.5-(flash|lite)", extra={"thinking_budget": 0}),
        Profile(r"gemini-[012]", min_tokens=8000),
        Profile(r"gemini-3.*flash", extra={"thinking_level": "MINIMAL"}, min_tokens=4000),
        Profile(r"", extra={"thinking_level": "LOW"}, min_tokens=8000),
    ),
    "deepseek": (Profile(r"", json_mode="object", extra=_NO_THINKING),),
    "kimi": (
        Profile(r"k2-|moonshot", json_mode="object"),
        Profile(r"", temperature=False, json_mode="object", min_tokens=8000),
    ),
    "nvidia": (
        Profile(
            r"nemotron",
            json_mode="none",
            min_tokens=4000,
            extra={"chat_template_kwargs": {"enable_thinking": False}},
        ),
        Profile(r"", json_mode="none"),
    ),
    "bitnet": (Profile(r""),),
}


_NEWCOMER = (Profile(r"", json_mode="object"),)  # a provider without rows of its own


def profile_of(provider: str, model: str) -> Profile:
    rows = PROFILES.get(provider, _NEWCOMER)
    return next(row for row in rows if re.search(row.pattern, model))
