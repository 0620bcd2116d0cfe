"""Which calls: the history page's filters and the export's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import BadRequest
from db.rows import escaped

_CHOICES = ("provider", "status", "strategy", "error_kind", "model")
_YES_OR_NO = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls; an empty tuple or None leaves that question open.

    `since` and `until` are UTC seconds since the epoch, the first included, the second not.
    `text` is looked for in what was asked and answered, whatever its case (of ASCII letters).
    """

    provider: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    strategy: tuple[str, ...] = ()
    error_kind: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    simulated: bool | None = None
    since: float | None = None
    until: float | None = None
    text: str | None = None

    def where(self) -> tuple[str, list[Any]]:
        """A condition on `call`, and its parameters."""
        terms, values = ["TRUE"], list[Any]()
        for column in _CHOICES:
            if wanted := getattr(self, column):
                terms.append(f"{column} IN ({', '.join('?' * len(wanted))})")
                values += wanted
        for term, value in (
            ("simulated = ?", self.simulated),
            ("started_at >= ?", self.since),
            ("started_at < ?", self.until),
            (_SAYS, None if self.text is None else f"%{_escaped(self.text)}%"),
        ):
            if value is not None:
                terms.append(term)
                values.append(value)
        return " AND ".join(terms), values


_SAYS = r"""id IN (
    SELECT call_id FROM call_text
     WHERE request || char(10) || coalesce(response, '') LIKE ? ESCAPE '\'
)"""
EVERY_CALL = CallFilter()


def filter_from(asked: Mapping[str, Sequence[str]]) -> CallFilter:
    """The filter that an address asks for: `provider=openai&provider=google&since=1790000000`.

    Raises:
        BadRequest: there is no such filter, or it cannot be read.
    """
    given = {name: tuple(map(escaped, filter(None, values))) for name, values in asked.items()}
    given = {name: values for name, values in given.items() if values}
    if strange := sorted(given.keys() - {*_CHOICES, "simulated", "since", "until", "text"}):
        raise BadRequest(f"There is no filter “{strange[0][:40]}”.")
    return CallFilter(
        **{name: given[name] for name in _CHOICES if name in given},
        simulated=_yes_or_no(given),
        since=_moment(given, "since"),
        until=_moment(given, "until"),
        text=given["text"][-1] if "text" in given else None,
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


def _escaped(text: str) -> str:
    for character in "\\%_":
        text = text.replace(character, f"\\{character}")
    return text
