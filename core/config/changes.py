"""Changes of settings in words, and the digests by which a changed key or address is noticed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.config.digests import access
from core.config.limits import LIMITS
from core.config.settings import Settings
from core.routing.strategies import STRATEGIES
from core.values.errors import HistoryUnavailable
from core.values.ports import Change, Choices
from core.values.registry import PROVIDERS, label_of

KEYS = "keys"  # the choice under which digests of the keys in use are kept


def note_keys(settings: Settings, choices: Choices) -> None:
    """Record a change when a key or an address is not the one of the last start.

    Called at start, once. Practice needs no key and changes nothing.
    """
    now = access(settings)
    if choices.get(KEYS) != now and (now or choices.get(KEYS)):
        # Without it the charts lack a mark, and nothing else.
        with contextlib.suppress(HistoryUnavailable):
            choices.set(KEYS, now)


def change_in_words(change: Change) -> str | None:
    """`Google moved from 3rd to 1st`; None for what is of no interest to a chart of providers."""
    say = _SAID.get(change.key)
    return say(change.old, change.new) if say else None


def any_change_in_words(change: Change) -> str | None:
    """The same of every choice there is; None for what nobody chose."""
    if said := change_in_words(change):
        return said
    if change.key in LIMITS:
        row = LIMITS[change.key]
        return _from_to(row.label, change.old, change.new, row.unit)
    if change.key == "side_by_side":
        return _from_to("Steps side by side", change.old, change.new, "")
    return _OTHERS.get(change.key)


_OTHERS = {
    "limits": "Limits of a run",
    "retention": "How long the history is kept",
}


def _from_to(label: str, old: Any, new: Any, unit: str) -> str:
    """`Length of a rest: 60 s to 90 s`"""
    said = [
        f"{value:g} {unit}".strip() if isinstance(value, int | float) else "the default"
        for value in (old, new)
    ]
    return f"{label}: {said[0]} to {said[1]}"


def _strategy(old: Any, new: Any) -> str:
    if isinstance(new, str) and new in STRATEGIES:
        return f"Strategy: {STRATEGIES[new].label}"
    return "Strategy: back to the default"


def _order(old: Any, new: Any) -> str:
    before, after = _names(old) or [*PROVIDERS], _names(new)
    if not after:
        return "Order: back to the default"
    for name in after:
        if name in before and _without(before, name) == _without(after, name) and before != after:
            places = [_NTH[order.index(name)] for order in (before, after)]
            return f"{label_of(name)} moved from {places[0]} to {places[1]}"
    return f"Order: {', '.join(map(label_of, after[:3]))}{', …' if len(after) > 3 else ''}"


_NTH = ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th")


def _models(old: Any, new: Any) -> str:
    told = [
        f"{label_of(name)} now with {model or 'its default model'}"
        for name, model in _differences(old, new).items()
    ]
    return "; ".join(told) or "Models: back to the defaults"


def _switched(old: Any, new: Any) -> str:
    before, after = _names(old), _names(new)
    told = [f"{label_of(name)} switched off" for name in after if name not in before]
    told += [f"{label_of(name)} switched on" for name in before if name not in after]
    return "; ".join(told) or "Providers switched off or on"


def _keys(old: Any, new: Any) -> str | None:
    if old is None:
        return None  # the first start with a key: there is no before to compare with
    told = []
    for name, digest in _differences(old, new).items():
        said = "key removed" if digest is None else "another key or address"
        told.append(f"{label_of(name)}: {said if name in old else 'key added'}")
    return "; ".join(told) or None


_SAID: dict[str, Callable[[Any, Any], str | None]] = {
    "strategy": _strategy,
    "priority": _order,
    "models": _models,
    "switched_off": _switched,
    KEYS: _keys,
}


def _names(value: Any) -> list[str]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [name for name in value if isinstance(name, str) and name in PROVIDERS]


def _without(names: Sequence[str], name: str) -> list[str]:
    return [other for other in names if other != name]


def _differences(old: Any, new: Any) -> dict[str, str | None]:
    """Per provider what is there now, where it is not what was there before."""
    before, after = (value if isinstance(value, Mapping) else {} for value in (old, new))
    return {name: after.get(name) for name in PROVIDERS if before.get(name) != after.get(name)}
