"""Filters of calls and of runs, and the parser of them from an address."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from core.values.errors import BadRequest
from core.values.texts import escaped

# Each one of several.
CHOICES = ("provider", "answered_by", "model", "strategy", "status", "error_kind")
_LONGEST = 1_000  # characters of text to look for
COUNTED_TO = 10_000  # where counting is costly, a larger count comes out as this
RANKED_AMONG = 300  # the newest that hold the text
YES_OR_NO = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Filter:
    """An empty tuple or None leaves that question open.

    `since` and `until` are UTC seconds since the epoch, the first included, the second not.
    `status` is the name of a row in `core.values.statuses`. `text` is in the language of
    `core.values.history.words`. `counted` are those that the figures count: they have ended, and
    are no fire drill's.
    """

    provider: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    strategy: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    error_kind: tuple[str, ...] = ()
    simulated: bool | None = None
    since: float | None = None
    until: float | None = None
    text: str | None = None
    counted: bool = False

    @property
    def costly(self) -> bool:
        """Whether any has to be looked at: then they are counted as far as a person cares."""
        return self != type(self)()


@dataclass(frozen=True, slots=True)
class CallFilter(Filter):
    """Which calls. `text` is looked for in what was asked and answered.

    Latencies are in seconds: above the one, up to the other.
    """

    slower_than: float | None = None
    up_to: float | None = None


@dataclass(frozen=True, slots=True)
class RunFilter(Filter):
    """Which runs. `provider` and `model` were asked in it, whatever came of it, and by the same
    call where both are given; `answered_by` is whose answer it is. `error_kind` is the run's own.

    `text` is looked for in goals and plans. `saved` are those that would have failed, had nobody
    else been asked.
    """

    answered_by: tuple[str, ...] = ()
    saved: bool | None = None


_F = TypeVar("_F", bound=Filter)
EVERY_CALL, EVERY_RUN = CallFilter(), RunFilter()


def filter_from(asked: Mapping[str, Sequence[str]]) -> CallFilter:
    """The filter that an address asks for: `provider=openai&provider=google&since=1790000000`.

    Raises:
        BadRequest: there is no such filter, or it cannot be read.
    """
    return _read(CallFilter, asked)


def run_filter_from(asked: Mapping[str, Sequence[str]]) -> RunFilter:
    """The same, for runs.

    Raises:
        BadRequest: there is no such filter, or it cannot be read.
    """
    return _read(RunFilter, asked)


def _read(kind: type[_F], asked: Mapping[str, Sequence[str]]) -> _F:
    given = {name: tuple(map(escaped, filter(None, values))) for name, values in asked.items()}
    given = {name: values for name, values in given.items() if values}
    if strange := sorted(given.keys() - {field.name for field in fields(kind)}):
        raise BadRequest(f"There is no filter “{strange[0][:40]}”.")
    wanted: dict[str, Any] = {
        name: values if name in CHOICES else _READ[name](name, values[-1])
        for name, values in given.items()
    }
    return kind(**wanted)


def _yes_or_no(name: str, text: str) -> bool:
    try:
        return YES_OR_NO[text.lower()]
    except KeyError:
        raise BadRequest(f"The filter “{name}” is true or false.") from None


def _moment(name: str, text: str) -> float:
    return _number(text, f"The filter “{name}” is in seconds since 1970 (UTC).")


def _seconds(name: str, text: str) -> float:
    return _number(text, f"The filter “{name}” is a number of seconds.")


def _number(text: str, said: str) -> float:
    with suppress(ValueError):
        if math.isfinite(number := float(text)):
            return number
    raise BadRequest(said)


def _text(_: str, text: str) -> str:
    return text[:_LONGEST]


_READ: dict[str, Callable[[str, str], Any]] = {
    **dict.fromkeys(("simulated", "counted", "saved"), _yes_or_no),
    **dict.fromkeys(("since", "until"), _moment),
    **dict.fromkeys(("slower_than", "up_to"), _seconds),
    "text": _text,
}
