"""From a filter of calls or of runs to conditions in SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.values.history.filters import CallFilter, Filter, RunFilter
from core.values.statuses import STATUSES
from db.figures.rollup import SAVED

# A condition on a run, by the name of its table: it has a plan that waits for its reader.
WAITS = """({0}.plan IS NOT NULL AND coalesce(
    CASE WHEN json_valid({0}.options) AND json_valid({0}.execution)
         THEN coalesce(json_extract({0}.options, '$.approve'),
                       json_extract({0}.execution, '$.approve'))
          AND NOT json_extract({0}.execution, '$.begun')
    END, FALSE))"""


@dataclass(frozen=True, slots=True)
class _Listing:
    """What differs between calls and runs."""

    columns: Mapping[str, str]  # the choices that are columns of the row, as tallies count them
    counted: str  # what the figures count
    of_rows: Callable[[Any], tuple[list[str], list[Any]]]


def where(wanted: Filter) -> tuple[str, list[Any]]:
    """A condition on the rows' own columns, which the text is not, and its parameters."""
    terms, values = choices(wanted)
    for term, moment in (("started_at >= ?", wanted.since), ("started_at < ?", wanted.until)):
        if moment is not None:
            terms += f" AND {term}"
            values.append(moment)
    own, more = of_rows(wanted)
    if wanted.counted:
        own = [*own, _LISTINGS[type(wanted)].counted]
    return " AND ".join([terms, *own]), [*values, *more]


def of_rows(wanted: Filter) -> tuple[list[str], list[Any]]:
    """What only a row itself can tell: conditions, and their parameters."""
    return _LISTINGS[type(wanted)].of_rows(wanted)


def choices(wanted: Filter) -> tuple[str, list[Any]]:
    """The same of the columns that are one of several, and whether it was practice."""
    terms, values = ["TRUE"], list[Any]()
    for name, column in _LISTINGS[type(wanted)].columns.items():
        chosen = _recorded(wanted.status) if name == "status" else getattr(wanted, name)
        if chosen:
            terms.append(f"{column} IN ({_marks(chosen)})")
            values += chosen
    if wanted.simulated is not None:
        terms.append("simulated = ?")
        values.append(wanted.simulated)
    return " AND ".join(terms), values


def asked(wanted: Filter) -> tuple[str, list[Any]]:
    """A condition on a call of the run; an empty one where nobody has to be asked."""
    if not isinstance(wanted, RunFilter):
        return "", []
    some = [("provider", wanted.provider), ("model", wanted.model)]
    terms = [f"{column} IN ({_marks(names)})" for column, names in some if names]
    return " AND ".join(terms), [*wanted.provider, *wanted.model]


def _of_calls(wanted: CallFilter) -> tuple[list[str], list[Any]]:
    terms, values = list[str](), list[Any]()
    for term, seconds in (
        ("latency_ms > ?", wanted.slower_than),
        ("latency_ms <= ?", wanted.up_to),
    ):
        if seconds is not None:
            terms.append(term)
            values.append(seconds * 1000)
    return terms, values


def _recorded(statuses: Sequence[str]) -> list[str]:
    """As the history has them: of those that are told of some of another status, that one."""
    rows = ((name, STATUSES.get(name)) for name in statuses)
    return list(dict.fromkeys((row and row.recorded) or name for name, row in rows))


def _phases(statuses: Sequence[str]) -> tuple[list[str], list[Any]]:
    """Where not all of a recorded status are wanted: which of them."""
    told = {name: row for name in statuses if (row := STATUSES.get(name)) and row.recorded}
    if all(row.recorded in statuses for row in told.values()):
        return [], []
    plain = [name for name in statuses if name not in told]
    some, values = [f"status IN ({_marks(plain)})"], [*plain]
    for row in told.values():
        some.append(f"status = ? AND {WAITS.format('run') if row.waits else 'error_kind = ?'}")
        values += [row.recorded or "", *([] if row.waits else [row.error_kind or ""])]
    return [f"({' OR '.join(some)})"], values


def _of_runs(wanted: RunFilter) -> tuple[list[str], list[Any]]:
    terms, values = _phases(wanted.status)
    somebody, whom = asked(wanted)
    if somebody:
        some = "SELECT provider, model FROM call WHERE run_id = run.id"
        terms.append(f"EXISTS (SELECT 1 FROM ({some}) WHERE {somebody})")
        values += whom
    if wanted.saved is not None:
        terms.append(SAVED if wanted.saved else f"NOT {SAVED}")
    return terms, values


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


_SHARED = {name: name for name in ("strategy", "status", "error_kind")}
_LISTINGS: Mapping[type[Filter], _Listing] = {
    CallFilter: _Listing(
        {"provider": "provider", "model": "model", **_SHARED},
        "status <> 'running' AND NOT drilled",
        _of_calls,
    ),
    RunFilter: _Listing({"answered_by": "provider", **_SHARED}, "status <> 'running'", _of_runs),
}
