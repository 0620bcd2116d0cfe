"""An order suggested by the providers' own records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.routing.ranking import TrackRecord, ranked


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`order` is of everyone; `moved` are the judged ones that would go up, in that order."""

    order: tuple[str, ...]
    moved: tuple[str, ...]


def suggest(order: Sequence[str], records: Mapping[str, TrackRecord]) -> Suggestion | None:
    """A better order by `core.routing.ranking`; None where little is known or nothing would change.

    Whoever cannot be judged yet keeps its place, so that the suggestion changes only what there
    is evidence for.
    """
    judged = [name for name in order if records.get(name, TrackRecord()).proven]
    if len(judged) < 2:
        return None
    best = iter(ranked(judged, records.__getitem__))
    better = tuple(next(best) if name in judged else name for name in order)
    if better == tuple(order):
        return None
    moved = [name for name in better if better.index(name) < list(order).index(name)]
    return Suggestion(better, tuple(moved))
