"""Turns frames of runs and calls into the rows and columns of the History table."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from core.routing.strategies import STRATEGIES
from core.running.totals import call_cost, totals
from core.ui.history.list_table import ListColumn, ListRow
from core.values.calls import Attempt
from core.values.history.marks import pieces
from core.values.outcomes import ErrorKind, meaning
from core.values.registry import label_of
from core.values.statuses import STATUSES, Status, phase
from core.values.wording import exact_time, seconds_in_words, step_in_words

if TYPE_CHECKING:
    import pandas as pd


def reason(kind: object) -> str:
    """`Out of credit`; empty where there is none."""
    if not isinstance(kind, str) or not kind:
        return ""
    row = meaning(kind)
    return row.reason if row else kind.replace("_", " ")


_FOUND = ListColumn("found", "Found", "found", "body", wide=True)

RUN_COLUMNS = (
    ListColumn("when", "Started", "when", "head"),
    ListColumn("status", "Outcome", "chip", "head"),
    ListColumn("goal", "Goal", "text", "body", wide=True),
    ListColumn("chain", "Providers asked", "chain", "body"),
    ListColumn("strategy", "Strategy", "text", level=3),
    ListColumn("took", "Took", "number"),
    ListColumn("calls", "Calls", "number", level=2),
    ListColumn("cost", "Cost", "number", level=2),
)
CALL_COLUMNS = (
    ListColumn("when", "Asked", "when", "head"),
    ListColumn("status", "Outcome", "chip", "head"),
    ListColumn("step", "For", "text", "body"),
    ListColumn("provider", "Provider", "text", "body"),
    ListColumn("reason", "Reason", "text", "body", level=2),
    ListColumn("chain", "Providers asked", "chain", "body", level=2, wide=True),
    ListColumn("model", "Model", "text", level=3),
    ListColumn("took", "Took", "number"),
    ListColumn("tokens_in", "Tokens in", "number", level=3),
    ListColumn("tokens_out", "Tokens out", "number", level=2),
    ListColumn("cost", "Cost", "number", level=2),
)


@dataclass(frozen=True, slots=True)
class How:
    """`address` is completed by an id; `searching`: what was found is shown."""

    zone: str | None
    address: str
    searching: bool


def columns(plain: Sequence[ListColumn], *, searching: bool) -> tuple[ListColumn, ...]:
    """Where the page was searched, what was found takes the room of the widest column."""
    if not searching:
        return tuple(plain)
    return tuple(
        _FOUND
        if column.wide
        else replace(column, level=3)
        if column.id in ("reason", "tokens_out")
        else column
        for column in plain
    )


def run_rows(frame: pd.DataFrame, *, how: How) -> list[ListRow]:
    """A row a run, in the order of RUN_COLUMNS."""
    rows = []
    for run in _records(frame):
        now = time.time() if run["status"] == "running" else None
        came_to = totals(run["attempts"], simulated=run["simulated"], now=now)
        status = STATUSES[phase(run["status"], waits=run["waits"], error_kind=run["error_kind"])]
        cells = [
            _when(run["started_at"], how.zone),
            _chip(status, run["error"] or reason(run["error_kind"])),
            pieces(run["snippet"] or run["goal"])
            if how.searching
            else {"text": run["goal"], "tag": _tag(run)},
            _chain([(None, *call[:2], call[3]) for call in run["chain"]], steps=run["steps"]),
            {"text": _strategy(run["strategy"])},
            came_to.took if now is None else {"since": now - came_to.seconds},
            f"{run['calls']:,}",
            came_to.short_cost,
        ]
        rows.append(ListRow(run["id"], f"{how.address}{run['id']}", f"{status.label} run", cells))
    return rows


def call_rows(
    frame: pd.DataFrame,
    chains: Mapping[str, Sequence[Sequence[Any]]],
    steps: Mapping[str, int],
    *,
    how: How,
) -> list[ListRow]:
    """A row a call, in the order of CALL_COLUMNS.

    `chains`: per run its calls in order, each [id, provider, status, step]. `steps`: how many the
    plan of a run has.
    """
    rows = []
    for call in _records(frame):
        status = STATUSES[call["status"]]
        running = call["status"] == "running"
        together = chains.get(call["run_id"] or "", ())
        asked = [link for link in together if link[3] == call["step"]]
        of_plan = steps.get(call["run_id"] or "")
        cells = [
            _when(call["started_at"], how.zone),
            _chip(status, ""),
            {"text": step_in_words(call["step"], of_plan) if call["run_id"] else ""},
            {
                "text": label_of(call["provider"]),
                "tag": _tag(call),
            },
            {"text": reason(call["error_kind"]), "title": call["message"]},
            pieces(call["snippet"] or "")
            if how.searching
            else _chain(asked or [_link(call)], steps=of_plan, here=call["id"]),
            {"text": call["model"]},
            {"since": call["started_at"]} if running else _milliseconds(call["latency_ms"]),
            _count(call["input_tokens"]),
            _count(call["output_tokens"]),
            None if running else call_cost(_attempt(call)),
        ]
        name = f"call {call['id']}, {label_of(call['provider'])}"
        rows.append(ListRow(str(call["id"]), f"{how.address}{call['id']}", name, cells))
    return rows


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows with None for whatever is not known, which JSON has a word for."""
    return [
        {str(name): None if _missing(value) else value for name, value in record.items()}
        for record in frame.to_dict("records")
    ]


def _missing(value: Any) -> bool:
    # NA answers neither yes nor no to a comparison.
    return value is None or type(value).__name__ == "NAType" or value != value


def _when(moment: float, zone: str | None) -> dict[str, Any]:
    exact = exact_time(moment, zone)
    short = exact.replace(f" {datetime.now(UTC).year},", ",")
    return {"at": moment, "exact": short, "title": f"{exact} ({zone})" if zone else exact}


def _chip(status: Status, title: str) -> dict[str, str]:
    return {"tone": status.tone, "sign": status.sign, "word": status.label, "title": title}


def _tag(record: dict[str, Any]) -> str | None:
    if record.get("drilled"):
        return "Fire drill"
    return "Practice" if record["simulated"] else None


def _link(call: Mapping[str, Any]) -> tuple[Any, ...]:
    return call["id"], call["provider"], call["status"], call["step"]


def _chain(
    calls: Sequence[Sequence[Any]], *, steps: int | None, here: int | None = None
) -> dict[str, Any]:
    """Who was asked, each call an id, a provider, a status and a step, in order.

    An arrow leads to whoever was asked next for the same; other steps stand apart, and those that
    went alike are shown once.
    """
    by_step = [
        (step, list(asked))
        for step, asked in groupby(sorted(calls, key=_place), key=lambda call: call[3])
    ]
    links: list[dict[str, Any]] = []
    for _, alike in groupby(by_step, key=lambda own: (own[0] is None, _went(own[1]))):
        same = [asked for _, asked in alike]
        own = _links(same[0], here if len(calls) > 1 else None)
        if len(same) > 1:
            own[-1]["text"] += f" ×{len(same)}"
        own[0]["apart"] = bool(links)
        links += own
    told = []
    for step, asked in by_step:
        what = f"{step_in_words(step, steps)}: " if len(by_step) > 1 else ""
        told.append(what + " → ".join(link["text"] for link in _links(asked, None)))
    return {"links": links, "title": "; ".join(told)}


def _place(call: Sequence[Any]) -> int:
    return -1 if call[3] is None else int(call[3])


def _went(calls: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    return [call[1:3] for call in calls]


def _links(calls: Sequence[Sequence[Any]], here: int | None) -> list[dict[str, Any]]:
    links = []
    for (provider, status), same in groupby(calls, key=lambda call: (call[1], call[2])):
        ids = [call[0] for call in same]
        shown = STATUSES[status]
        times = f" ×{len(ids)}" if len(ids) > 1 else ""
        links.append(
            {
                "text": f"{label_of(provider)} {shown.sign}{times}",
                "tone": shown.tone,
                "here": here is not None and here in ids,
            }
        )
    return links


def _strategy(name: str) -> str:
    return STRATEGIES[name].label if name in STRATEGIES else name


def _milliseconds(value: float | None) -> str | None:
    return None if value is None else seconds_in_words(value / 1000)


def _count(value: int | None) -> str | None:
    return None if value is None else f"{value:,}"


def _attempt(call: Mapping[str, Any]) -> Attempt:
    """As much of a call as tells what it cost."""
    kind = call["error_kind"]
    same = ("id", "ordinal", "provider", "model", "strategy", "started_at", "simulated", "status")
    return Attempt(
        **{name: call[name] for name in (*same, "http_status", "ttft_ms", "cost_usd", "drilled")},
        error_kind=ErrorKind(kind) if kind in set(ErrorKind) else None,
    )
