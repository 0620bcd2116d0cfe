"""Models that their vendors have retired or will, with their successors: a dated table.

Names and dates as the vendors and their SDKs gave them; looked up on 2026-11-22.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from core.values.registry import PROVIDERS, label_of


@dataclass(frozen=True, slots=True)
class Retired:
    """One model. `on` is the day from which it is not served; None: gone, the day is not known."""

    provider: str
    model: str
    successor: str
    on: date | None


RETIRED: tuple[Retired, ...] = (
    Retired("anthropic", "claude-sonnet-4-20250514", "claude-sonnet-5-5", date(2026, 6, 15)),
    Retired("anthropic", "claude-sonnet-4-5", "claude-sonnet-5-5", date(2026, 11, 30)),
    Retired("openai", "gpt-4o", "gpt-6-luna", date(2027, 1, 14)),
    Retired("google", "gemini-2.5-flash", "gemini-3.5-flash-lite", date(2026, 12, 1)),
    Retired("deepseek", "deepseek-chat", "deepseek-flash", date(2026, 7, 24)),
    Retired("kimi", "kimi-k2-turbo-preview", "kimi-k3", date(2026, 5, 25)),
    Retired("kimi", "kimi-k2.5", "kimi-k3", date(2026, 8, 31)),
    Retired("nvidia", "meta/llama-3.1-70b-instruct", "nvidia/nemotron-3-super-120b-a12b", None),
)
_BY_NAME = {(row.provider, row.model): row for row in RETIRED}


def retired(provider: str, model: str) -> Retired | None:
    """The row of a model that is gone or will be; None for one that stays."""
    return _BY_NAME.get((provider, model))


def is_gone(row: Retired, *, today: date) -> bool:
    return row.on is None or row.on <= today


def in_words(row: Retired, *, today: date) -> str:
    """`Anthropic no longer serves X since 15 June 2026; its successor is Y.`"""
    label, heir = label_of(row.provider), f"its successor is {row.successor}."
    if row.on is None:
        return f"{label} no longer serves {row.model}; {heir}"
    day = f"{row.on.day} {row.on:%B %Y}"
    if is_gone(row, today=today):
        return f"{label} no longer serves {row.model} since {day}; {heir}"
    return f"{label} stops serving {row.model} on {day}; {heir}"


def instead_of(provider: str, model: str, offered: tuple[str, ...]) -> str | None:
    """What to switch to from a model that is not served: its successor, or what is named alike."""
    row = retired(provider, model)
    if row and (not offered or row.successor in offered):
        return row.successor
    if alike := get_close_matches(model, offered, n=1, cutoff=0.5):
        return alike[0]
    default = PROVIDERS[provider].model
    return default if default != model and (not offered or default in offered) else None
