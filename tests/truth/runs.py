"""Whether lists, drawers, files and answers say of each run and call what is true."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.truth import definitions as truth
from tests.truth.definitions import Row, Rows
from tests.truth.performance import NAMES
from tests.truth.shown import Page, says_count, says_money, says_seconds

_TABLE = "manyways.history_table"
_TOOK = re.compile(r"(?:at least )?[\d.,]+ (?:ms|s|min|h|days?)|<1 ms")


def listed(page: Page, rows: Rows, wanted: Sequence[Row], *, calls: bool) -> Iterator[str]:
    """What the History page says that is not so: `wanted` are what its filters let through."""
    counts = [said for said in page.captions if re.match(r"[\d,]+ (run|call)s?\b", said)]
    if not wanted:
        if page.component(_TABLE):
            yield "a table, though nothing is to be found"
        return
    if not counts or not says_count(counts[0], len(wanted)):
        yield f"{counts}, not {len(wanted)}"
    (table,) = page.component(_TABLE)
    names = [column["id"] for column in table["columns"]]
    newest = [str(row["id"]) for row in reversed(wanted)][:25]
    if [row["id"] for row in table["rows"]] != newest:
        yield "other rows than the newest"
    by_id = {str(row["id"]): row for row in wanted}
    for row in table["rows"]:
        cells = dict(zip(names, row["cells"], strict=True))
        if row["id"] in by_id:
            true = by_id[row["id"]]
            check = _call_cells(cells, true) if calls else _run_cells(cells, true, rows)
            yield from (f"{row['id']}: {fault}" for fault in check)
            if not _is_moment(cells["when"], true["started_at"], page.zone):
                yield f"{row['id']}: {cells['when']}"


def _is_moment(shown: Mapping[str, Any], moment: float, zone: str) -> bool:
    there = datetime.fromtimestamp(moment, ZoneInfo(zone))
    said = f"{there.day} {there:%b %Y, %H:%M:%S}"
    return bool(shown["title"].startswith(said)) and abs(shown["at"] - moment) < 0.001


def _run_cells(cells: Mapping[str, Any], run: Row, rows: Rows) -> Iterator[str]:
    calls = rows.calls_by_run.get(run["id"], [])
    sent = truth.sent(calls)
    if cells["calls"] != f"{len(sent):,}":
        yield f"{cells['calls']} calls, not {len(sent)}"
    if run["status"] != "running" and not took_is(cells["took"], calls):
        yield f"took {cells['took']}, not {truth.worked(calls)}"
    dollars, unknown = truth.run_cost(calls)
    said = cells["cost"]
    if run["simulated"]:
        good = said == "practice"
    elif unknown and not dollars:
        good = said == "unknown"
    else:
        good = says_money(said, dollars) and said.startswith("≥") == bool(unknown)
    if not good:
        yield f"cost {said}, not {dollars} and {unknown} unknown"


def took_is(said: str | None, calls: Sequence[Row]) -> bool:
    sent = truth.sent(calls)
    unknown = any(call["latency_ms"] is None and call["status"] != "running" for call in sent)
    seconds = truth.worked(calls)
    if not seconds and (unknown or not sent):
        return said is None
    if said is None:
        return False
    if not seconds:
        return said == "0 s"
    return says_seconds(said, seconds) and said.startswith("at least ") == unknown


def costs(said: str, calls: Sequence[Row], *, simulated: bool) -> bool:
    """In full: `at least $0.0067, 5 calls without a price`."""
    dollars, unknown = truth.run_cost(calls)
    if simulated:
        return said == "nothing (practice)"
    note = f", {unknown:,} call{'' if unknown == 1 else 's'} without a price"
    if unknown and not dollars:
        return said == f"unknown{note}"
    return says_money(said, dollars) and (
        said.startswith("at least ") and said.endswith(note) if unknown else "," not in said[-3:]
    )


def _call_cells(cells: Mapping[str, Any], call: Row) -> Iterator[str]:
    known = call["cost_usd"]
    good = {
        "provider": NAMES[cells["provider"]["text"]] == call["provider"],
        "model": cells["model"]["text"] == call["model"],
        "tokens_in": cells["tokens_in"] == _number(call["input_tokens"]),
        "tokens_out": cells["tokens_out"] == _number(call["output_tokens"]),
    }
    if call["status"] != "running":
        good["took"] = (
            cells["took"] is None
            if call["latency_ms"] is None
            else says_seconds(cells["took"], call["latency_ms"] / 1000)
        )
        good["cost"] = (
            cells["cost"] == "practice"
            if call["simulated"]
            else cells["cost"] == ("unknown" if truth.run_cost([call])[1] else None)
            if known is None
            else says_money(cells["cost"], known)
        )
    yield from (f"{name} {cells[name]}" for name, is_good in good.items() if not is_good)


def _number(value: int | None) -> str | None:
    return None if value is None else f"{value:,}"


# -- a run beside the list


def drawer(page: Page, run: Row, rows: Rows) -> Iterator[str]:
    calls = rows.calls_by_run.get(run["id"], [])
    words = page.words
    facts = {name: words[at + 1] for at, name in enumerate(words[:-1])}
    sent = truth.sent(calls)
    if not took_is(facts.get("Took"), calls):
        yield f"took {facts.get('Took')}, not {truth.worked(calls)}"
    if facts.get("Calls") != f"{len(sent):,}":
        yield f"{facts.get('Calls')} calls, not {len(sent)}"
    waited = sum(wait.seconds for wait in truth.waits(run, calls) if wait.for_you)
    said = facts.get("Waited for you")
    if not (says_seconds(said, waited) if said and waited else bool(said) == bool(waited)):
        yield f"waited {said}, not {waited}"
    drilled = len(calls) - len(sent)
    if facts.get("Pretended in a fire drill") != (f"{drilled:,}" if drilled else None):
        yield f"{facts.get('Pretended in a fire drill')} drilled, not {drilled}"
    if not costs(facts.get("Cost", ""), calls, simulated=bool(run["simulated"])):
        yield f"cost {facts.get('Cost')}, not {truth.run_cost(calls)}"


# -- files and answers


def written(text: str, run: Row, rows: Rows) -> Iterator[str]:
    """A run as Markdown or as a web page: the line of facts below its goal."""
    calls = rows.calls_by_run.get(run["id"], [])
    line = next(line for line in text.split("\n") if " · " in line)
    facts = re.sub(r"<[^>]+>|\\(?=\W)", "", line)
    if text.startswith("<"):
        facts = html.unescape(facts)
    parts = facts.split(" · ")
    took = next((part for part in parts if _TOOK.fullmatch(part)), None)
    if not took_is(took, calls):
        yield f"took {took}, not {truth.worked(calls)}"
    if not any(says_count(part, len(truth.sent(calls))) and "call" in part for part in parts):
        yield f"{facts}, not {len(truth.sent(calls))} calls"
    cost = next(part for part in parts if part.startswith("cost: ")).removeprefix("cost: ")
    if not costs(cost, calls, simulated=bool(run["simulated"])):
        yield f"{cost}, not {truth.run_cost(calls)}"


def answered(body: Mapping[str, Any], run: Row, rows: Rows) -> Iterator[str]:
    """The API's own form of a run."""
    calls = rows.calls_by_run.get(run["id"], [])
    for attempt, call in zip(body["attempts"], calls, strict=True):
        for name in ("provider", "model", "status", "error_kind", "http_status"):
            if attempt[name] != call[name]:
                yield f"{call['id']}: {name} {attempt[name]}, not {call[name]}"
        said, true = attempt["latency_ms"], call["latency_ms"]
        if (said is None) != (true is None) or abs((said or 0) - (true or 0)) > 0.0501:
            yield f"{call['id']}: {said} ms, not {true}"
    if body.get("simulated", False) != bool(run["simulated"]):  # no plan says nothing of it
        yield f"simulated {body['simulated']}"


_NOT_TAKEN = {"number", "idempotency_key", "request_digest", "execution"}
_TEXTS = {"plan", "options", "decisions"}


def exported(table: str, lines: str, wanted: Sequence[Row], rows: Rows) -> Iterator[str]:
    """CSV and JSON lines: every column but our own, every cell, oldest first; and the texts."""
    cells = [*csv.DictReader(io.StringIO(table))]
    records = [json.loads(line) for line in lines.splitlines()]
    if not len(cells) == len(records) == len(wanted):
        yield f"{len(cells)} and {len(records)} rows, not {len(wanted)}"
        return
    for cell, record, row in zip(cells, records, wanted, strict=True):
        columns = row.keys() - _NOT_TAKEN
        if cell.keys() != columns - _TEXTS or not record.keys() >= columns:
            yield f"columns {[*cell]} and {[*record]}"
        if "step" in row and (record["request"], record["response"]) != _asked(row, rows):
            yield f"JSON {row['id']}: {record['request']}, {record['response']}"
        for name in cell.keys() & row.keys():
            true = row[name]
            if cell[name] != ("" if true is None else str(true)):
                yield f"CSV {row['id']}: {name} {cell[name]}, not {true}"
            if record[name] != true:
                yield f"JSON {row['id']}: {name} {record[name]}, not {true}"


def _asked(call: Row, rows: Rows) -> tuple[Any, str | None]:
    request, response = rows.texts[call["id"]]
    return json.loads(request), response


def status(shown: Mapping[str, Any], rows: Rows, *, simulated: bool) -> Iterator[str]:
    """What the API says of the providers: all that was ever counted of each."""
    each = truth.by(rows.counted(0, 1e11, simulated=simulated), "provider")
    if shown["providers"].keys() != each.keys():
        yield f"{sorted(shown['providers'])}, not {sorted(each)}"
    total = 0
    for name, calls in each.items():
        judged, good = truth.rated(calls), truth.ok(calls)
        total += len(judged)
        took = [call["latency_ms"] / 1000 for call in good]
        expected = {
            "total_calls": len(judged),
            "successful_calls": len(good),
            "failed_calls": len(judged) - len(good),
            "success_rate": f"{100 * len(good) / len(judged):.1f}%" if judged else None,
        }
        said = shown["providers"].get(name, {})
        if {key: said.get(key) for key in expected} != expected:
            yield f"{name}: {said}, not {expected}"
        average, told = sum(took) / len(took) if took else None, said.get("avg_latency")
        if average is None or told is None:
            if told is not average:
                yield f"{name}: {told}, not {average}"
        elif abs(float(told.removesuffix("s")) - average) > 0.00501:
            yield f"{name}: {told}, not {average}"
    if shown["total_calls"] != total:
        yield f"{shown['total_calls']} in all, not {total}"
