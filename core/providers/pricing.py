"""What a call cost, by the price list that ships with genai-prices."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from core.values.calls import Usage
from core.values.registry import PROVIDERS

_WINDOW = 900.0  # seconds for which a price holds: some vendors' prices change with the hour


def cost_usd(provider: str, model: str, usage: Usage) -> float | None:
    """US dollars, 0 for what runs here; None where no price or no usage is known."""
    spec = PROVIDERS.get(provider)
    if spec is None:
        return None
    if spec.runs_here:
        return 0.0
    if spec.prices is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    found = _price(spec.prices, model, int(time.time() // _WINDOW))
    if found is None:
        return None
    if found == "tiers":
        return _calculated(spec.prices, model, usage)
    cached = usage.cached_tokens or 0
    fresh = usage.input_tokens - cached
    return fresh * found.input + cached * found.cached + usage.output_tokens * found.output


class _Rates(NamedTuple):
    """US dollars a token."""

    input: float
    cached: float
    output: float


@lru_cache(maxsize=256)
def _price(vendor: str, model: str, window: int) -> _Rates | Literal["tiers"] | None:
    """What a token costs; "tiers" where that depends on how many there are."""
    from genai_prices import Usage as Counted
    from genai_prices import calc_price

    try:
        price = calc_price(Counted(input_tokens=1, output_tokens=1), model, provider_id=vendor)
    except LookupError:
        return None
    row = price.model_price
    rates = [getattr(row, name, None) for name in ("input_mtok", "cache_read_mtok", "output_mtok")]
    fresh, cached, written = (_plain(rate) for rate in rates)
    if fresh is None or written is None or (rates[1] is not None and cached is None):
        return "tiers"
    return _Rates(fresh, fresh if cached is None else cached, written)


def _plain(rate: Any) -> float | None:
    from decimal import Decimal

    return float(rate) / 1e6 if isinstance(rate, Decimal | int | float) else None


def _calculated(vendor: str, model: str, usage: Usage) -> float:
    from genai_prices import Usage as Counted
    from genai_prices import calc_price

    counted = Counted(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
    )
    return float(calc_price(counted, model, provider_id=vendor).total_price)
