"""How much a model can read at once, by the list that ships with genai-prices."""

from __future__ import annotations

from functools import lru_cache

from core.providers.profiles import profile_of
from core.values.registry import PROVIDERS

SMALLEST = 4_096  # tokens: BitNet's, and the least that anybody has
_UNKNOWN = 32_000  # tokens, where the list does not say: today's models all have more


def room_for_prompt(provider: str, model: str, max_tokens: int) -> int:
    """Tokens that are left for what is asked, once the answer has its own."""
    profile = profile_of(provider, model) if provider in PROVIDERS else None
    answer = max(max_tokens, profile.min_tokens if profile else 0)
    whole = context_tokens(provider, model)
    return max(whole - answer, whole // 4)


@lru_cache(maxsize=64)
def context_tokens(provider: str, model: str) -> int:
    spec = PROVIDERS.get(provider)
    if spec is None:
        return _UNKNOWN
    if spec.runs_here:
        return SMALLEST
    if spec.prices is None:
        return _UNKNOWN
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, found = get_snapshot().find_provider_model(model, None, spec.prices, None)
    except LookupError:
        return _UNKNOWN
    return found.context_window or _UNKNOWN
