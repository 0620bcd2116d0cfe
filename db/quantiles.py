"""From counts as text to how often, and to percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from db import counts

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

PERCENTILES = (0.50, 0.95, 0.99)
_FIRST = (counts.CODE_FROM, counts.COUNT_FROM)


def quantiles(texts: Sequence[str]) -> Array:
    """A row per text: its PERCENTILES in seconds, NaN without any.

    Each is that of the call with the rank floor(part * (n - 1)), counted from 0.
    """
    import numpy as np

    found = np.full((len(texts), len(PERCENTILES)), np.nan)
    codes, often = dense(texts)
    if not codes.size:
        return found
    seconds = 2 * counts.SHORTEST / (counts.GAMMA + 1) * counts.GAMMA**codes / 1000
    upto = np.cumsum(often, axis=1)
    some = upto[:, -1] > 0
    for place, part in enumerate(PERCENTILES):
        rank = np.floor(part * (upto[some, -1] - 1))
        found[some, place] = seconds[(upto[some] <= rank[:, None]).sum(axis=1)]
    return found


def dense(texts: Sequence[str]) -> tuple[Array, Array]:
    """The codes that occur, from the first to the last, and per text how often each does."""
    import numpy as np

    joined = "".join(texts).encode("ascii")
    if not joined:
        return np.empty(0), np.empty((len(texts), 0))
    halves = np.frombuffer(joined, "<u2")  # two characters each: a code, then how often
    code, count = (_numbers(first)[halves[at::2]] for at, first in enumerate(_FIRST))
    low, high = int(code.min()), int(code.max()) + 1
    width = high - low
    begins = np.arange(len(texts), dtype=np.intp) * width - low
    places = np.repeat(begins, [len(text) // counts.WIDTH for text in texts])
    places += code
    # As it would be cast anyway, only twenty times as slowly.
    weights = count.astype(np.float64)
    often = np.bincount(places, weights=weights, minlength=len(texts) * width)
    return np.arange(low, high), often.reshape(len(texts), width)


@cache
def _numbers(first: int) -> Array:
    """Of two letters as they lie in memory, the number that they stand for."""
    import numpy as np

    found = np.zeros(1 << 16, dtype=np.uint16)
    for number in range(counts.CODES):
        found[first + number // 32 | (first + number % 32) << 8] = number
    return found
