"""The export of everything that a filter finds, as CSV or JSON lines, in little memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.values.calls import Decision
from core.values.errors import BadRequest
from core.values.history.filters import Filter, filter_from, run_filter_from
from core.values.texts import inert
from db.lists import conditions, paging, search
from db.lists.lists import hits
from db.sqlite.decisions import decisions_from, spelt_out
from db.sqlite.readers import Readers
from db.sqlite.rows import CALL_COLUMNS

InWords = Callable[[Sequence[Decision]], str]

_CHUNK, _CHUNK_OF_TEXTS = 500, 100  # rows held at once, at most
_PIECE = 1 << 20  # characters, after which no more are


@dataclass(frozen=True, slots=True)
class _View:
    listed: paging.Listed
    source: search.Source
    columns: Sequence[str]
    texts: Sequence[str] = ()  # JSON lines alone hold these
    joined: str = ""
    parsed: Sequence[str] = ()  # JSON within
    decided: bool = (
        False  # there are decisions: in JSON lines exactly, in a table in somebody's words
    )


_RUN_COLUMNS = (
    *("id", "goal", "status", "strategy", "provider", "model", "started_at", "finished_at"),
    *("source", "simulated", "error_kind", "error"),
)
_RUN_TEXTS = ("plan", "options", "decisions")
_VIEWS = {
    "calls": _View(
        paging.CALLS,
        search.CALLS,
        CALL_COLUMNS,
        ("request", "response"),
        "LEFT JOIN call_text ON call_id = id",
        ("request",),
    ),
    "runs": _View(
        paging.RUNS, search.RUNS, _RUN_COLUMNS, _RUN_TEXTS, "", ("plan", "options"), decided=True
    ),
}
_FLAGS = ("simulated", "drilled")


def export_csv(
    path: str | Path, asked: Mapping[str, Sequence[str]], *, not_asked: InWords | None = None
) -> Iterator[str]:
    """Pieces of a CSV file of calls, oldest first, without their text; `view=runs`: of runs.

    With `not_asked` a table of runs has a column of what that says.

    Raises:
        BadRequest: a filter cannot be read.
    """
    view, wanted = _asked(asked)
    return _csv(Readers(path), view, wanted, not_asked if view.decided else None)


def export_jsonl(path: str | Path, asked: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Pieces of a JSON lines file of calls, oldest first, with what was asked and answered;
    `view=runs`: of runs, with their plans.

    Raises:
        BadRequest: a filter cannot be read.
    """
    return _jsonl(Readers(path), *_asked(asked))


def _asked(asked: Mapping[str, Sequence[str]]) -> tuple[_View, Filter]:
    name = next(iter(asked.get("view", ())), "calls")
    if name not in _VIEWS:
        raise BadRequest("The filter “view” is calls or runs.")
    given = {key: values for key, values in asked.items() if key != "view"}
    return _VIEWS[name], run_filter_from(given) if name == "runs" else filter_from(given)


def _csv(readers: Readers, view: _View, wanted: Filter, not_asked: InWords | None) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([*view.columns, *(["not_asked"] if not_asked else [])])
    names = [*view.columns, *(["decisions"] if not_asked else [])]
    with closing(readers):
        for rows in _chunks(readers, view, wanted, names):
            for row in rows:
                cells = dict(zip(names, row[1:], strict=True))
                if not_asked:
                    told = decisions_from(cells["decisions"], strategy=cells["strategy"])
                    cells["decisions"] = not_asked(told) if told else None
                writer.writerow(
                    [inert(cell) if isinstance(cell, str) else cell for cell in cells.values()]
                )
            yield _emptied(buffer)
    yield _emptied(buffer)


def _jsonl(readers: Readers, view: _View, wanted: Filter) -> Iterator[str]:
    names = [*view.columns, *view.texts]
    with closing(readers):
        for rows in _chunks(readers, view, wanted, names):
            # One piece of many lines: the server takes a thread's turn for each.
            yield "".join(_line(dict(zip(names, row[1:], strict=True)), view) for row in rows)
            del rows  # before the next are read


def _line(record: dict[str, Any], view: _View) -> str:
    for name in view.parsed:
        record[name] = _json(record[name])
    if view.decided:
        record["decisions"] = spelt_out(record["decisions"], strategy=record["strategy"])
    for name in _FLAGS:
        if name in record:
            record[name] = bool(record[name])
    return json.dumps(record) + "\n"


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return text


def _chunks(
    readers: Readers, view: _View, wanted: Filter, names: Sequence[str]
) -> Iterator[list[tuple[Any, ...]]]:
    """The key and then the columns, oldest first. Nothing is held open between two chunks."""
    chunk = _chunk(view, wanted, names)
    last = 0
    while chunk and (rows := _piece(readers, chunk[0], [*chunk[1], last, paging.MOST])):
        last = rows[-1][0]
        yield rows


def _piece(readers: Readers, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The first rows, until they are many or long."""
    rows, size = [], 0
    with readers.reading() as connection, closing(connection.execute(sql, values)) as found:
        for row in found:
            rows.append(row)
            size += sum(len(value) for value in row if isinstance(value, str))
            if size >= _PIECE:
                break
    return rows


def _chunk(view: _View, wanted: Filter, names: Sequence[str]) -> tuple[str, list[Any]] | None:
    """SQL and its first values; None where nothing can be found. Two keys are to follow."""
    table, key = view.listed.table, view.listed.key
    texts = bool(set(view.texts) & set(names))
    chunk = _CHUNK_OF_TEXTS if texts else _CHUNK
    joined = view.joined if texts else ""
    columns = f"SELECT {', '.join((key, *names))} FROM {table} NOT INDEXED {joined}"
    if wanted.text is None:
        where, values = conditions.where(wanted)
        sql = f"{columns} WHERE {where} AND {key} > ? AND {key} < ? ORDER BY {key} LIMIT {chunk}"
        return sql, values
    if (found := hits(view.source, wanted, newest_first=False)) is None:
        return None
    sql = f"{columns} WHERE {key} IN ({found[0]} LIMIT {chunk}) ORDER BY {key}"
    return sql, found[1]


def _emptied(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
