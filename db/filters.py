"""Which calls or runs: the history page's filters and the export's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from core.errors import BadRequest
from db.rows import escaped

CHOICES = ("provider", "model", "strategy", "status", "error_kind")  # each one of several
_LONGEST = 1_000  # characters of text to look for
_YES_OR_NO = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Filter:
    """An empty tuple or None leaves that question open.

    `since` and `until` are UTC seconds since the epoch, the first included, the second not.
    `text` is in the language of `db.words`.
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

    def where(self) -> tuple[str, list[Any]]:
        """A condition on the rows' own columns, which the text is not, and its parameters."""
        terms, values = self.choices()
        for term, moment in (("started_at >= ?", self.since), ("started_at < ?", self.until)):
            if moment is not None:
                terms += f" AND {term}"
                values.append(moment)
        return terms, values

    def choices(self) -> tuple[str, list[Any]]:
        """The same without the moments."""
        terms, values = ["TRUE"], list[Any]()
        for column in CHOICES:
            if wanted := getattr(self, column):
                terms.append(f"{column} IN ({', '.join('?' * len(wanted))})")
                values += wanted
        if self.simulated is not None:
            terms.append("simulated = ?")
            values.append(self.simulated)
        return " AND ".join(terms), values


class CallFilter(Filter):
    """Which calls. `text` is looked for in what was asked and answered."""

    __slots__ = ()


class RunFilter(Filter):
    """Which runs. `provider` and `model` are who answered, `error_kind` is the run's own.

    `text` is looked for in goals and plans.
    """

    __slots__ = ()


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
    if strange := sorted(given.keys() - {field.name for field in fields(Filter)}):
        raise BadRequest(f"There is no filter “{strange[0][:40]}”.")
    return kind(
        **{name: given[name] for name in CHOICES if name in given},
        simulated=_yes_or_no(given),
        since=_moment(given, "since"),
        until=_moment(given, "until"),
        text=given["text"][-1][:_LONGEST] if "text" in given else None,
    )


def _yes_or_no(given: Mapping[str, Sequence[str]]) -> bool | None:
    if "simulated" not in given:
        return None
    try:
        return _YES_OR_NO[given["simulated"][-1].lower()]
    except KeyError:
        raise BadRequest("The filter “simulated” is true or false.") from None


def _moment(given: Mapping[str, Sequence[str]], name: str) -> float | None:
    try:
        return float(given[name][-1]) if name in given else None
    except ValueError:
        raise BadRequest(f"The filter “{name}” is in seconds since 1970 (UTC).") from None
