"""From counts as text to how often, and to percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from db import counts

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

PERCENTILES = (0.50, 0.95, 0.99)


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
    first = int.from_bytes(bytes([counts.CODE_FROM] * 2 + [counts.COUNT_FROM] * 2), "little")
    letters = np.frombuffer(joined, "<u4") - np.uint32(first)
    code = (letters & 0x1F) << 5 | letters >> 8 & 0x1F
    count = (letters >> 16 & 0x1F) << 5 | letters >> 24
    low, high = int(code.min()), int(code.max()) + 1
    lengths = [len(text) // counts.WIDTH for text in texts]
    which = np.repeat(np.arange(len(texts)), lengths)
    often = np.bincount(
        which * (high - low) + (code - low), weights=count, minlength=len(texts) * (high - low)
    )
    return np.arange(low, high), often.reshape(len(texts), high - low)
