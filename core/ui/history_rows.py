"""What the History page's table says: frames of runs and calls as rows of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from core.providers import label_of
from core.strategies import STRATEGIES
from core.ui.history_table import Column, Row
from core.words import REASONS, exact_time, money, seconds_in_words
from db.marks import pieces

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Status:
    """How a run or call stands, for an eye that sees colours and for one that does not."""

    word: str
    sign: str
    tone: Literal["good", "bad", "busy", "quiet"]


_ENDED_EARLY = {
    "cancelled": Status("Stopped", "■", "quiet"),
    "interrupted": Status("Interrupted", "■", "quiet"),
}
RUN_STATUSES = {
    "completed": Status("Completed", "✓", "good"),
    "failed": Status("Failed", "✕", "bad"),
    "running": Status("Running", "…", "busy"),
    **_ENDED_EARLY,
}
CALL_STATUSES = {
    "ok": Status("Answered", "✓", "good"),
    "failed": Status("Failed", "✕", "bad"),
    "running": Status("Running", "…", "busy"),
    **_ENDED_EARLY,
}

# Why a run can end without a plan, beside the reasons that a call has.
RUN_REASONS = {
    "all_providers_failed": "Every provider failed",
    "no_provider_configured": "No provider set up",
    "deadline": "Time was up",
}
CALL_REASONS = {kind.value: words for kind, words in REASONS.items()}


def reason(kind: object) -> str:
    """`Out of credit`; empty where there is none."""
    if not isinstance(kind, str) or not kind:
        return ""
    return RUN_REASONS.get(kind) or CALL_REASONS.get(kind) or kind.replace("_", " ")


_FOUND = Column("found", "Found", "found", "body", wide=True)

RUN_COLUMNS = (
    Column("when", "Started", "when", "head"),
    Column("status", "Outcome", "chip", "head"),
    Column("goal", "Goal", "text", "body", wide=True),
    Column("chain", "Providers asked", "chain", "body"),
    Column("strategy", "Strategy", "text", level=3),
    Column("took", "Took", "number"),
    Column("calls", "Calls", "number", level=2),
    Column("cost", "Cost", "number", level=2),
)
CALL_COLUMNS = (
    Column("when", "Asked", "when", "head"),
    Column("status", "Outcome", "chip", "head"),
    Column("provider", "Provider", "text", "body"),
    Column("reason", "Reason", "text", "body", level=2),
    Column("chain", "Providers asked", "chain", "body", level=2, wide=True),
    Column("model", "Model", "text", level=3),
    Column("took", "Took", "number"),
    Column("tokens_in", "Tokens in", "number", level=3),
    Column("tokens_out", "Tokens out", "number", level=2),
    Column("cost", "Cost", "number", level=2),
)


@dataclass(frozen=True, slots=True)
class How:
    """`address` is completed by an id; `searching`: what was found is shown."""

    zone: str | None
    address: str
    searching: bool


def columns(plain: Sequence[Column], *, searching: bool) -> tuple[Column, ...]:
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


def run_rows(frame: pd.DataFrame, *, how: How) -> list[Row]:
    """A row a run, in the order of RUN_COLUMNS."""
    rows = []
    for run in _records(frame):
        status = RUN_STATUSES[run["status"]]
        ended = run["finished_at"]
        cells = [
            _when(run["started_at"], how.zone),
            _chip(status, run["error"] or reason(run["error_kind"])),
            pieces(run["snippet"] or run["goal"])
            if how.searching
            else {"text": run["goal"], "tag": _tag(run)},
            _chain([(None, call[0], call[1]) for call in run["chain"]]),
            {"text": _strategy(run["strategy"])},
            {"since": run["started_at"]}
            if ended is None and run["status"] == "running"
            else _seconds(ended, run["started_at"]),
            f"{run['calls']:,}",
            _cost(run["cost_usd"], simulated=run["simulated"]),
        ]
        rows.append(Row(run["id"], f"{how.address}{run['id']}", f"{status.word} run", cells))
    return rows


def call_rows(
    frame: pd.DataFrame,
    chains: Mapping[str, Sequence[Sequence[Any]]],
    *,
    how: How,
) -> list[Row]:
    """A row a call, in the order of CALL_COLUMNS.

    `chains`: per run its calls in order, each [id, provider, status, step].
    """
    rows = []
    for call in _records(frame):
        status = CALL_STATUSES[call["status"]]
        running = call["status"] == "running"
        together = chains.get(call["run_id"] or "", ())
        asked = [link[:3] for link in together if link[3] == call["step"]]
        cells = [
            _when(call["started_at"], how.zone),
            _chip(status, ""),
            {
                "text": label_of(call["provider"]),
                "tag": _tag(call),
            },
            {"text": reason(call["error_kind"]), "title": call["message"]},
            pieces(call["snippet"] or "")
            if how.searching
            else _chain(asked or [(call["id"], call["provider"], call["status"])], call["id"]),
            {"text": call["model"]},
            {"since": call["started_at"]} if running else _milliseconds(call["latency_ms"]),
            _count(call["input_tokens"]),
            _count(call["output_tokens"]),
            None if running else _cost(call["cost_usd"], simulated=call["simulated"]),
        ]
        name = f"call {call['id']}, {label_of(call['provider'])}"
        rows.append(Row(str(call["id"]), f"{how.address}{call['id']}", name, cells))
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
    return {"tone": status.tone, "sign": status.sign, "word": status.word, "title": title}


def _tag(record: dict[str, Any]) -> str | None:
    if record.get("drilled"):
        return "Fire drill"
    return "Practice" if record["simulated"] else None


def _chain(calls: Sequence[Sequence[Any]], here: int | None = None) -> dict[str, Any]:
    links = []
    for (provider, status), same in groupby(calls, key=lambda call: (call[1], call[2])):
        ids = [call[0] for call in same]
        shown = CALL_STATUSES[status]
        times = f" ×{len(ids)}" if len(ids) > 1 else ""
        links.append(
            {
                "text": f"{label_of(provider)} {shown.sign}{times}",
                "tone": shown.tone,
                "here": here is not None and here in ids and len(calls) > 1,
            }
        )
    return {"links": links, "title": " → ".join(str(link["text"]) for link in links)}


def _strategy(name: str) -> str:
    return STRATEGIES[name].label if name in STRATEGIES else name


def _seconds(ended: float | None, started: float) -> str | None:
    return None if ended is None else seconds_in_words(max(0.0, ended - started))


def _milliseconds(value: float | None) -> str | None:
    return None if value is None else seconds_in_words(value / 1000)


def _count(value: int | None) -> str | None:
    return None if value is None else f"{value:,}"


def _cost(dollars: float | None, *, simulated: bool) -> str | None:
    if simulated:
        return "$0"
    return None if dollars is None else money(dollars)
