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

    columns: Mapping[str, str]  # the choices that are columns of the row
    counted: str  # what the figures count
    more: Callable[[Any], tuple[list[str], list[Any]]]


def where(wanted: Filter) -> tuple[str, list[Any]]:
    """A condition on the rows, without the text, and its parameters."""
    listing = _LISTINGS[type(wanted)]
    terms, values = ["TRUE"], list[Any]()
    for name, column in listing.columns.items():
        chosen = _recorded(wanted.status) if name == "status" else getattr(wanted, name)
        if chosen:
            terms.append(f"{column} IN ({marks(chosen)})")
            values += chosen
    for term, value in (
        ("simulated = ?", wanted.simulated),
        ("started_at >= ?", wanted.since),
        ("started_at < ?", wanted.until),
    ):
        if value is not None:
            terms.append(term)
            values.append(value)
    if wanted.counted:
        terms.append(listing.counted)
    own, more = listing.more(wanted)
    return " AND ".join([*terms, *own]), [*values, *more]


def asked(wanted: RunFilter) -> tuple[str, list[Any]]:
    """A condition on `run_asked`, which is in the order of providers; empty if anybody will do."""
    if not (wanted.provider or wanted.model):
        return "", []
    if not wanted.model:
        return f"provider IN ({marks(wanted.provider)})", [*wanted.provider]
    models = f"model IN ({marks(wanted.model)})"
    if wanted.provider:
        return f"provider IN ({marks(wanted.provider)}) AND {models}", [
            *wanted.provider,
            *wanted.model,
        ]
    whose = f"SELECT provider FROM call INDEXED BY call_by_model WHERE {models} GROUP BY provider"
    return f"provider IN ({whose}) AND {models}", [*wanted.model, *wanted.model]


def each(column: str, table: str) -> str:
    """SQL for the few different values of a column that an index begins with."""
    # Without looking at each of its rows, as DISTINCT would.
    return f"""
        WITH RECURSIVE each(value) AS (
            SELECT min({column}) FROM {table}
            UNION ALL
            SELECT (SELECT min({column}) FROM {table} WHERE {column} > each.value)
              FROM each WHERE value IS NOT NULL
        )
        SELECT value FROM each WHERE value IS NOT NULL
    """


def marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


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
    some, values = [f"status IN ({marks(plain)})"], [*plain]
    for row in told.values():
        some.append(f"status = ? AND {WAITS.format('run') if row.waits else 'error_kind = ?'}")
        values += [row.recorded or "", *([] if row.waits else [row.error_kind or ""])]
    return [f"({' OR '.join(some)})"], values


def _of_runs(wanted: RunFilter) -> tuple[list[str], list[Any]]:
    whom, values = asked(wanted)
    terms = []
    if whom:
        terms.append(f"EXISTS (SELECT 1 FROM run_asked WHERE number = run.number AND {whom})")
    phases, told = _phases(wanted.status)
    terms, values = terms + phases, values + told
    if wanted.saved is not None:
        terms.append(SAVED if wanted.saved else f"NOT {SAVED}")
    return terms, values


_SHARED = {name: name for name in ("strategy", "status", "error_kind")}
_LISTINGS: Mapping[type[Filter], _Listing] = {
    CallFilter: _Listing(
        {"provider": "provider", "model": "model", **_SHARED},
        "status <> 'running' AND NOT drilled",
        _of_calls,
    ),
    RunFilter: _Listing({"answered_by": "provider", **_SHARED}, "status <> 'running'", _of_runs),
}
