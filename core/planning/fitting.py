"""Cuts long texts to fit into a model's context, and says in them that it did."""

from __future__ import annotations

from collections.abc import Sequence

BYTES_PER_TOKEN = 3  # of UTF-8, on the safe side: English takes about 4, Chinese about 3
_MARK = "\n[shortened: {kept:,} of {whole:,} characters kept]"
_MARK_BYTES = 80


def fitted(texts: Sequence[str], room: int) -> list[str]:
    """`texts`, oldest first, cut to about `room` bytes together, where they take more.

    The longest give way first, and an old one sooner than a new one: of two that are equally
    long, the oldest keeps half as much as the newest. What was cut says so.
    """
    sizes = [len(text.encode("utf-8", "replace")) for text in texts]
    if sum(sizes) <= room:
        return list(texts)
    shares = [1 + place / max(len(texts) - 1, 1) for place in range(len(texts))]
    level = _level(sizes, shares, room)
    return [
        text if size <= level * share else _cut(text, int(level * share))
        for text, size, share in zip(texts, sizes, shares, strict=True)
    ]


def kept_and_whole(text: str, shown: str) -> tuple[int, int] | None:
    """How many characters of `text` are in `shown`, and how many it has; None if it is whole."""
    if shown == text:
        return None
    kept = shown.rpartition(_MARK.partition("{")[0])[0]
    return len(kept), len(text)


def _level(sizes: Sequence[int], shares: Sequence[float], room: int) -> float:
    """What a share of 1 may take, so that all together take `room`."""
    low, high = 0.0, float(max(sizes))
    for _ in range(40):
        middle = (low + high) / 2
        taken = sum(min(size, middle * share) for size, share in zip(sizes, shares, strict=True))
        low, high = (low, middle) if taken > room else (middle, high)
    return low


def _cut(text: str, size: int) -> str:
    kept = text.encode("utf-8", "replace")[: max(0, size - _MARK_BYTES)].decode("utf-8", "ignore")
    return kept + _MARK.format(kept=len(kept), whole=len(text))
