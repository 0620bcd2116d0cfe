"""Counts by code as text that SQLite can join: latency histograms, and outcomes.

A count is four characters: two for the code, two for how often. Texts are merged by putting one
after the other, which `group_concat` does; a code that comes twice counts for both. The two
pairs have alphabets of their own, so a code can be found by searching for it, and neither has a
character that JSON would escape.

Latencies are counted in buckets each 2.02 % wider than the one before. Whatever lies in one is
within 1 % of its middle, and so is a quantile (DDSketch; Masson, Rim and Lee, VLDB 2019).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil, log

GAMMA = 1.0202  # (GAMMA - 1) / (GAMMA + 1) is the relative error: 1 %
SHORTEST = 0.05  # ms; what is shorter counts as this long, and 10 h or more as 10 h
CODES = 1 << 10
WIDTH = 4  # characters a count
CODE_FROM, COUNT_FROM = ord("]"), ord("#")  # the first of 32 letters each

_MOST = (1 << 10) - 1  # a larger count is written as several
_SCALE = 1 / log(GAMMA)
_CODE, _COUNT = (
    [chr(first + high) + chr(first + low) for high in range(32) for low in range(32)]
    for first in (CODE_FROM, COUNT_FROM)
)
_NUMBER = {letters: number for number, letters in enumerate(_COUNT)}


def bucket(latency_ms: float) -> int:
    if latency_ms <= SHORTEST:
        return 0
    code = ceil(log(latency_ms / SHORTEST) * _SCALE)
    # Asked twice for each call; with min() it takes two thirds longer.
    return code if code < CODES else CODES - 1


def bounds(code: int) -> tuple[float, float]:
    """Above the first and up to the second, in ms."""
    high: float = SHORTEST * GAMMA**code
    return (high / GAMMA if code else 0.0), high


def middle(code: int) -> float:
    """Ms; within 1 % of all that the bucket counts."""
    middle: float = 2 * SHORTEST * GAMMA**code / (GAMMA + 1)
    return middle


def packed(counts: Mapping[int, int]) -> str:
    return added("", counts)


def added(text: str, counts: Mapping[int, int]) -> str:
    """`text` with `counts`, which may be below zero, added."""
    for code, count in counts.items():
        letters = _CODE[code]
        while (at := text.find(letters)) >= 0:
            count += _NUMBER[text[at + 2 : at + WIDTH]]
            text = text[:at] + text[at + WIDTH :]
        while count > 0:
            part = min(count, _MOST)
            text += letters + _COUNT[part]
            count -= part
    return text


def unpacked(text: str) -> dict[int, int]:
    counts: dict[int, int] = {}
    for at in range(0, len(text), WIDTH):
        code = _CODES[text[at : at + 2]]
        counts[code] = counts.get(code, 0) + _NUMBER[text[at + 2 : at + WIDTH]]
    return counts


def tallied(codes: Iterable[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for code in codes:
        counts[code] = counts.get(code, 0) + 1
    return counts


_CODES = {letters: number for number, letters in enumerate(_CODE)}
