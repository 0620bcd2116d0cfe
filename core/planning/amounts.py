"""The parser of a plan's confidence and durations, as numbers or as words."""

from __future__ import annotations

import re
from typing import Any

_WORDS = {
    "very low": 0.1,
    "low": 0.3,
    "medium": 0.5,
    "moderate": 0.5,
    "high": 0.8,
    "very high": 0.95,
}
_ABOUT = re.compile(r"\s*(?:[~≈]|about\b|around\b|roughly\b|approx(?:\.|imately\b|\b))?\s*", re.I)
_SHARE = re.compile(
    r"(\d{0,9}\.\d{1,18}|\d{1,9}|0,\d{1,18})\s*"
    r"(?:(?P<hundred>%|percent|per cent)|(?:/|out of)\s*(?P<of>[1-9]\d{0,3}))?"
    r"(?:\s*(?:confident|confidence|sure|certain))?"
)
_NOTE = re.compile(r"\s*\([^()\d]{1,80}\)\Z")  # in words alone: "0.9 (high)"
_UNITS = {
    "w": 604_800,
    "d": 86_400,
    "h": 3_600,
    "m": 60,
    "s": 1,
    "ms": 0.001,
}
_AMOUNT = re.compile(
    r"(\d{1,9}(?:\.\d{1,9})?)\s*"
    r"(?:(?P<w>w|wks?|weeks?)|(?P<d>d|days?)|(?P<h>h|hrs?|hours?)|(?P<m>m|mins?|minutes?)"
    r"|(?P<s>s|secs?|seconds?)|(?P<ms>ms|milliseconds?))\.?(?![a-z])"
)
_BETWEEN = re.compile(r"\s*(?:,|and\b|,\s*and\b)?\s*")
_ISO = re.compile(
    r"p(?!$)(?:(?P<w>\d{1,9})w)?(?:(?P<d>\d{1,9})d)?"
    r"(?:t(?!$)(?:(?P<h>\d{1,9})h)?(?:(?P<m>\d{1,9})m)?(?:(?P<s>\d{1,9}(?:\.\d{1,9})?)s)?)?"
)
_CLOCK = re.compile(r"(?P<h>\d{1,4}):(?P<m>[0-5]\d):(?P<s>[0-5]\d)")


def share(value: Any) -> Any:
    """0.85 for 85, "85 %", "0.85" or "8.5/10"; what has no one reading comes back as it is.

    Raises:
        ValueError: it may be of ten or of a hundred.
    """
    number = _number_of(value)
    if isinstance(value, str):
        said = _plain(value)
        if said in _WORDS:
            return _WORDS[said]
        found = _SHARE.fullmatch(said)
        if not found:
            return value
        number = float(found[1].replace(",", "."))
        if found["hundred"] or found["of"]:
            return number / float(found["of"] or 100)
    if number is None:
        return value
    if 1 < number <= 10:
        raise ValueError(f"is {number:g}, which may be of 10 or of 100; write it from 0 to 1")
    return number / 100 if 10 < number <= 100 else number


def seconds(value: Any) -> Any:
    """900.0 for "15 minutes", "PT15M", "00:15:00" or "900"; all else comes back as it is."""
    if not isinstance(value, str):
        return value
    said = _plain(value)
    if re.fullmatch(r"\d{1,15}(?:\.\d{1,9})?", said):
        return float(said)
    if found := _ISO.fullmatch(said) or _CLOCK.fullmatch(said):
        return sum(float(n) * _UNITS[unit] for unit, n in found.groupdict().items() if n)
    total, at = 0.0, 0
    while found := _AMOUNT.match(said, at):
        unit = next(unit for unit in _UNITS if found[unit])
        total += float(found[1]) * _UNITS[unit]
        at = found.end()
        if at == len(said):
            return total
        if between := _BETWEEN.match(said, at):
            at = between.end()
    return value


def _plain(text: str) -> str:
    said = _NOTE.sub("", " ".join(text[:200].split()).casefold())
    about = _ABOUT.match(said)
    return said[about.end() :] if about else said


def _number_of(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) else None
