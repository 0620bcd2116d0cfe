"""The statuses of runs, calls and steps: a row each, with its label, sign, icon and colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RunStatus = Literal["running", "completed", "failed", "cancelled", "interrupted"]
CallStatus = Literal["running", "ok", "failed", "cancelled", "interrupted"]
Thing = Literal["run", "call", "step"]
Tone = Literal["good", "bad", "busy", "quiet", "yours"]
Colour = Literal["green", "red", "blue", "gray", "orange"]
COLOURS: dict[Tone, Colour] = {
    "good": "green",
    "bad": "red",
    "busy": "blue",
    "quiet": "gray",
    "yours": "orange",  # it waits for a person
}


@dataclass(frozen=True, slots=True)
class Status:
    """For an eye that sees colours and for one that does not. `icon` is a Material symbol.

    One with `recorded` is no status of its own in the history: it is told of runs of that status
    whose plan `waits` for its reader, or that ended with that `error_kind`.
    """

    label: str
    sign: str
    icon: str
    tone: Tone
    of: tuple[Thing, ...]
    recorded: RunStatus | None = None
    waits: bool = False
    error_kind: str | None = None

    @property
    def colour(self) -> Colour:
        return COLOURS[self.tone]

    @property
    def material(self) -> str:
        return f":material/{self.icon}:"


_BOTH: tuple[Thing, ...] = ("run", "call")
STATUSES: dict[str, Status] = {
    "ok": Status("Answered", "✓", "check_circle", "good", ("call",)),
    "completed": Status("Completed", "✓", "check_circle", "good", ("run",)),
    "planned": Status(
        "Plan ready", "▷", "fact_check", "yours", ("run",), recorded="completed", waits=True
    ),
    "failed": Status("Failed", "✕", "cancel", "bad", (*_BOTH, "step")),
    "limited": Status(
        "Limit reached", "‖", "speed", "yours", ("run",), recorded="failed", error_kind="limit"
    ),
    "running": Status("Running", "…", "progress_activity", "busy", (*_BOTH, "step")),
    "cancelled": Status("Stopped", "■", "stop_circle", "quiet", _BOTH),
    "interrupted": Status("Interrupted", "■", "power_off", "quiet", _BOTH),
    "waiting": Status("Waiting", "·", "schedule", "quiet", ("step",)),
    "done": Status("Done", "✓", "check_circle", "good", ("step",)),
    "skipped": Status("Skipped", "»", "skip_next", "quiet", ("step",)),
}


def statuses_of(thing: Thing, *, recorded: bool = False) -> dict[str, Status]:
    """Those that a run, a call or a step can have; `recorded`: as they stand in the history."""
    return {
        name: row
        for name, row in STATUSES.items()
        if thing in row.of and not (recorded and row.recorded)
    }


def phase(status: str, *, waits: bool, error_kind: str | None) -> str:
    """A run's row in the table. `waits`: there is a plan to look at before anything is done."""
    for name, row in STATUSES.items():
        if row.recorded == status and (waits if row.waits else row.error_kind == error_kind):
            return name
    return status
