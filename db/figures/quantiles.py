"""Percentiles and sums from packed histograms."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from core.values.history.summary import FEWEST
from db.figures import counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

PERCENTILES = (0.50, 0.95, 0.99)


def told(
    texts: tuple[str, ...],
    parts: Sequence[float] = PERCENTILES,
    *,
    begins: Sequence[int] | None = None,
) -> Array:
    """The same as `quantiles`; NaN where the calls are too few to tell, see FEWEST."""
    import numpy as np

    if begins is not None and len(begins) == len(texts):
        begins = None  # each is one of its own, and to add them up would take its time
    _, often = dense(texts)
    calls = often.sum(axis=1)
    if begins is not None and calls.size:
        calls = np.add.reduceat(calls, begins)
    found = quantiles(texts, parts, begins=begins)
    for place, part in enumerate(parts):
        found[: len(calls), place][calls < FEWEST[part]] = np.nan
    return found


def quantiles(
    texts: tuple[str, ...],
    parts: Sequence[float] = PERCENTILES,
    *,
    begins: Sequence[int] | None = None,
) -> Array:
    """A row per text: a column per part, in seconds, NaN without any.

    With `begins` one row for all texts from one of these places to the next.
    Each is that of the call with the rank ceil(part * n), counted from 1: the least that so large
    a part of them did not exceed.
    """
    import numpy as np

    codes, often = dense(texts)
    found = np.full((len(texts if begins is None else begins), len(parts)), np.nan)
    if not codes.size:
        return found
    if begins is not None:
        often = np.add.reduceat(often, begins, axis=0)
    seconds = 2 * counts.SHORTEST / (counts.GAMMA + 1) * counts.GAMMA**codes / 1000
    upto = np.cumsum(often)  # one row after the other
    to = upto[len(codes) - 1 :: len(codes)]
    before = np.concatenate(([0.0], to[:-1]))
    some = to > before
    for place, part in enumerate(parts):
        # Rounded: 0.07 * 100 is a little more than 7, and would become 8.
        rank = np.maximum(np.ceil(np.round(part * (to - before), 6)) - 1, 0)
        at = np.searchsorted(upto, (before + rank)[some], side="right")
        found[some, place] = seconds[at % len(codes)]
    return found


@lru_cache(maxsize=8)  # a page asks for the same in several forms
def dense(texts: tuple[str, ...]) -> tuple[Array, Array]:
    """The codes that occur, from the first to the last, and per text how often each does."""
    import numpy as np

    joined = "".join(texts).encode("ascii")
    if not joined:
        return np.empty(0), np.empty((len(texts), 0))
    halves = np.frombuffer(joined, "<u2")  # two characters each: a code, then how often
    code = _numbers(counts.CODE_FROM, "uint16")[halves[::2]]
    # What is summed has to be of this type, and would be cast twenty times as slowly.
    count = _numbers(counts.COUNT_FROM, "float64")[halves[1::2]]
    low, high = int(code.min()), int(code.max()) + 1
    width = high - low
    begins = np.arange(len(texts), dtype=np.intp) * width - low
    places = np.repeat(begins, [len(text) // counts.WIDTH for text in texts])
    places += code
    often = np.bincount(places, weights=count, minlength=len(texts) * width)
    return np.arange(low, high), often.reshape(len(texts), width)


@cache
def _numbers(first: int, dtype: str) -> Array:
    """Of two letters as they lie in memory, the number that they stand for."""
    import numpy as np

    found = np.zeros(1 << 16, dtype)
    for number in range(counts.CODES):
        found[first + number // 32 | (first + number % 32) << 8] = number
    return found
