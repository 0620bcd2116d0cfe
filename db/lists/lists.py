"""A page of runs or of calls, newest first, and how many there are in all.

Each takes a connection that only reads, see `db.sqlite.readers`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.values.history import marks, words
from core.values.history.filters import COUNTED_TO, RANKED_AMONG, CallFilter, Filter, RunFilter
from db.lists import conditions, paging, search
from db.sqlite.rows import CALL_COLUMNS, Row, attempt_from

if TYPE_CHECKING:
    import pandas as pd

_GOAL = 500  # characters of a goal in a list

# fmt: off
_RUN_PAGE = [
    "id", "goal", "status", "strategy", "provider", "model", "source", "error_kind", "error",
    "simulated", "started_at", "finished_at", "steps", "waits", "attempts",
]
_RUN_FRAME = [
    "id", "goal", "status", "strategy", "provider", "model", "source", "error_kind", "error",
    "snippet", "simulated", "started_at", "finished_at", "steps", "waits", "calls",
    "latency_ms", "cost_usd", "attempts", "chain",
]
# fmt: on
_RUN_SHOWN = f"""
    id, substr(goal, 1, {_GOAL}), status, strategy, provider, model, source, error_kind, error,
    simulated, started_at, finished_at,
    CASE WHEN json_valid(plan) THEN json_array_length(plan, '$.steps') END,
    {conditions.WAITS.format("page")},
    (SELECT json_group_array(json_array({", ".join(CALL_COLUMNS)}))
       FROM (SELECT * FROM call WHERE run_id = page.id ORDER BY ordinal, id))
"""
# The frames' columns that are not text.
_RUN_TYPES = {
    **dict.fromkeys(("chain", "attempts"), "object"),
    **dict.fromkeys(("simulated", "waits"), "bool"),
    "steps": "Int64",
    "calls": "int64",
    **dict.fromkeys(("started_at", "finished_at", "latency_ms", "cost_usd"), "float64"),
}
_CALL_TYPES = {
    **dict.fromkeys(("id", "ordinal"), "int64"),
    **dict.fromkeys(("step", "http_status"), "Int64"),
    **dict.fromkeys(("input_tokens", "output_tokens", "cached_tokens"), "Int64"),
    **dict.fromkeys(("started_at", "latency_ms", "ttft_ms"), "float64"),
    **dict.fromkeys(("cost_usd", "retry_after"), "float64"),
    **dict.fromkeys(("simulated", "drilled"), "bool"),
}


def page_of_runs(
    connection: sqlite3.Connection, wanted: RunFilter, *, limit: int, page: int, ranked: bool
) -> pd.DataFrame:
    offset = limit * (page - 1)
    shown = _keys(connection, search.RUNS, paging.RUNS, wanted, limit, offset, paging.MOST, ranked)
    rows = _rows(connection, "run AS page", "number", _RUN_SHOWN, shown)
    snippets = _snippets(connection, search.RUNS, wanted.text, shown)
    return _frame(
        [
            (*row[:9], snippet, *row[9:14], *_totals(row[14]))
            for row, snippet in zip(rows, snippets, strict=True)
        ],
        _RUN_FRAME,
        _RUN_TYPES,
    )


def page_of_calls(
    connection: sqlite3.Connection,
    wanted: CallFilter,
    *,
    limit: int,
    page: int,
    before_id: int | None,
    ranked: bool,
) -> pd.DataFrame:
    before, offset = paging.MOST if before_id is None else before_id, limit * (page - 1)
    shown = _keys(connection, search.CALLS, paging.CALLS, wanted, limit, offset, before, ranked)
    rows = _rows(connection, "call", "id", ", ".join(CALL_COLUMNS), shown)
    snippets = _snippets(connection, search.CALLS, wanted.text, shown)
    return _frame(
        [(*row, snippet) for row, snippet in zip(rows, snippets, strict=True)],
        [*CALL_COLUMNS, "snippet"],
        _CALL_TYPES,
    )


def count_runs(connection: sqlite3.Connection, wanted: RunFilter) -> int:
    return _count(connection, search.RUNS, paging.RUNS, wanted)


def count_calls(connection: sqlite3.Connection, wanted: CallFilter) -> int:
    return _count(connection, search.CALLS, paging.CALLS, wanted)


def hits(
    source: search.Source, wanted: Filter, *, newest_first: bool = True
) -> tuple[str, list[Any]] | None:
    """SQL for the keys of those that hold the wanted text, up to its LIMIT, with its values.

    Two more are to follow them: the keys are above the first and below the second. None where
    there is no word to look for.
    """
    terms = words.terms_of(wanted.text or "")
    if not terms:
        return None
    where, values = conditions.where(wanted)
    # Row by row from the index: it holds what is wanted in order, the table does not.
    table = f"CROSS JOIN {source.row} ON {source.key} = {source.words}.rowid"
    order = "DESC" if newest_first else "ASC"
    return (
        f"""
        SELECT {source.words}.rowid FROM {source.words} {"" if where == "TRUE" else table}
         WHERE {source.words} MATCH ? AND {where}
           AND {source.words}.rowid > ? AND {source.words}.rowid < ?
         ORDER BY {source.words}.rowid {order}
        """,
        [search.match_of(terms), *values],
    )


def _keys(
    connection: sqlite3.Connection,
    source: search.Source,
    listed: paging.Listed,
    wanted: Filter,
    limit: int,
    offset: int,
    before: int,
    ranked: bool,
) -> list[int]:
    if wanted.text is None:
        return paging.page(connection, listed, wanted, limit=limit, offset=offset, before=before)
    if (found := hits(source, wanted)) is None:
        return []
    sql, values = found
    some = (RANKED_AMONG, 0) if ranked else (limit, offset)
    newest = paging.keys_of(connection, f"{sql} LIMIT ? OFFSET ?", (*values, 0, before, *some))
    if not ranked:
        return newest
    texts = _texts(connection, source, newest)
    best = marks.best_first(
        [(key, "\n".join(texts.get(key, ()))) for key in newest], words.terms_of(wanted.text)
    )
    return best[offset : offset + limit]


def _count(
    connection: sqlite3.Connection, source: search.Source, listed: paging.Listed, wanted: Filter
) -> int:
    if wanted.text is None:
        return paging.count(connection, listed, wanted)
    if (found := hits(source, wanted)) is None:
        return 0
    sql, values = found
    return int(
        connection.execute(
            f"SELECT count(*) FROM ({sql} LIMIT ?)", (*values, 0, paging.MOST, COUNTED_TO)
        ).fetchone()[0]
    )


def _rows(
    connection: sqlite3.Connection, table: str, key: str, columns: str, wanted: Sequence[int]
) -> list[list[Any]]:
    """In the order of the keys that are `wanted`."""
    # One row, as in `paging.keys_of`.
    (packed,) = connection.execute(
        f"""
        SELECT json_group_array(json_array({columns}))
          FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN {table} ON {key} = wanted
        """,
        (json.dumps(wanted),),
    ).fetchone()
    found: list[list[Any]] = json.loads(packed)
    return found


def _texts(
    connection: sqlite3.Connection, source: search.Source, some: Sequence[int]
) -> dict[int, tuple[str, str]]:
    texts = search.texts_of(connection, source, some, key=f"{source.table}.{source.key}")
    return {text.key: (text.two, text.one) for text in texts}


def _snippets(
    connection: sqlite3.Connection, source: search.Source, text: str | None, some: Sequence[int]
) -> list[str]:
    if text is None:
        return [""] * len(some)
    texts, terms = _texts(connection, source, some), words.terms_of(text)
    return [marks.snippet(texts.get(key, ()), terms) for key in some]


def _totals(packed: Any) -> Row:
    rows = json.loads(packed) if isinstance(packed, str) else packed
    attempts = [attempt_from(row) for row in rows]
    sent = [each for each in attempts if not each.drilled]
    latency = sum(each.latency_ms or 0.0 for each in sent)
    unknown = any(each.unpriced for each in sent)
    cost = None if unknown else sum(each.cost_usd or 0.0 for each in sent)
    chain = [[each.provider, each.status, each.error_kind, each.step] for each in attempts]
    return (len(sent), latency, cost, attempts, chain)


def _frame(rows: Sequence[Row], columns: Sequence[str], types: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd  # 0.6 s, which a start without a page does not have to spend

    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.astype({name: types.get(name, "str") for name in columns})
