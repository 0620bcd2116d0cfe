"""Which calls or runs: the history page's filters and the export's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from core.values.errors import BadRequest
from db.figures.rollup import SAVED
from db.sqlite.rows import escaped

# Each one of several.
CHOICES = ("provider", "answered_by", "model", "strategy", "status", "error_kind")
_LONGEST = 1_000  # characters of text to look for
YES_OR_NO = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Filter:
    """An empty tuple or None leaves that question open.

    `since` and `until` are UTC seconds since the epoch, the first included, the second not.
    `text` is in the language of `db.lists.words`. `counted` are those that the figures count: they
    have ended, and are no fire drill's.
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

    COUNTED: ClassVar[str] = "status <> 'running'"
    # The choices that are columns of the row itself, in which tallies count them.
    COLUMNS: ClassVar[Mapping[str, str]] = {
        name: name for name in ("provider", "model", "strategy", "status", "error_kind")
    }

    @property
    def costly(self) -> bool:
        """Whether no tally counts them: then they are counted as far as a person cares."""
        return self.text is not None

    def where(self) -> tuple[str, list[Any]]:
        """A condition on the rows' own columns, which the text is not, and its parameters."""
        terms, values = self.choices()
        for term, moment in (("started_at >= ?", self.since), ("started_at < ?", self.until)):
            if moment is not None:
                terms += f" AND {term}"
                values.append(moment)
        own, more = self.of_rows()
        if self.counted:
            own = [*own, self.COUNTED]
        return " AND ".join([terms, *own]), [*values, *more]

    def of_rows(self) -> tuple[list[str], list[Any]]:
        """What only a row itself can tell: conditions, and their parameters."""
        return [], []

    def choices(self) -> tuple[str, list[Any]]:
        """The same of the columns that are one of several, and whether it was practice."""
        terms, values = ["TRUE"], list[Any]()
        for name, column in self.COLUMNS.items():
            if wanted := getattr(self, name):
                terms.append(f"{column} IN ({_marks(wanted)})")
                values += wanted
        if self.simulated is not None:
            terms.append("simulated = ?")
            values.append(self.simulated)
        return " AND ".join(terms), values


@dataclass(frozen=True, slots=True)
class CallFilter(Filter):
    """Which calls. `text` is looked for in what was asked and answered.

    Latencies are in seconds: above the one, up to the other.
    """

    slower_than: float | None = None
    up_to: float | None = None

    COUNTED: ClassVar[str] = "status <> 'running' AND NOT drilled"

    def of_rows(self) -> tuple[list[str], list[Any]]:
        terms, values = Filter.of_rows(self)
        for term, seconds in (
            ("latency_ms > ?", self.slower_than),
            ("latency_ms <= ?", self.up_to),
        ):
            if seconds is not None:
                terms.append(term)
                values.append(seconds * 1000)
        return terms, values


@dataclass(frozen=True, slots=True)
class RunFilter(Filter):
    """Which runs. `provider` and `model` were asked in it, whatever came of it, and by the same
    call where both are given; `answered_by` is whose answer it is. `error_kind` is the run's own.

    `text` is looked for in goals and plans. `saved` are those that would have failed, had nobody
    else been asked.
    """

    answered_by: tuple[str, ...] = ()
    saved: bool | None = None

    COLUMNS: ClassVar[Mapping[str, str]] = {
        "answered_by": "provider",
        **{name: name for name in ("strategy", "status", "error_kind")},
    }

    @property
    def costly(self) -> bool:
        return self.text is not None or bool(self.provider or self.model)

    def asked(self) -> tuple[str, list[Any]]:
        """A condition on a call of the run; an empty one where nobody has to be asked."""
        some = [("provider", self.provider), ("model", self.model)]
        terms = [f"{column} IN ({_marks(wanted)})" for column, wanted in some if wanted]
        return " AND ".join(terms), [*self.provider, *self.model]

    def of_rows(self) -> tuple[list[str], list[Any]]:
        terms, values = Filter.of_rows(self)
        asked, whom = self.asked()
        if asked:
            some = "SELECT provider, model FROM call WHERE run_id = run.id"
            terms.append(f"EXISTS (SELECT 1 FROM ({some}) WHERE {asked})")
            values += whom
        if self.saved is not None:
            terms.append(SAVED if self.saved else f"NOT {SAVED}")
        return terms, values


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


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
