"""How a run, a call or a step stands: the one table of words, signs, icons and colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.values.runs import RunStatus

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
    """For an eye that sees colours and for one that does not. `icon` is a Material symbol."""

    word: str
    sign: str
    icon: str
    tone: Tone

    @property
    def colour(self) -> Colour:
        return COLOURS[self.tone]

    @property
    def material(self) -> str:
        return f":material/{self.icon}:"


STATUSES: dict[str, Status] = {
    # of runs and calls, as they are recorded
    "ok": Status("Answered", "✓", "check_circle", "good"),
    "completed": Status("Completed", "✓", "check_circle", "good"),
    "running": Status("Running", "…", "progress_activity", "busy"),
    "failed": Status("Failed", "✕", "cancel", "bad"),
    "cancelled": Status("Stopped", "■", "stop_circle", "quiet"),
    "interrupted": Status("Interrupted", "■", "power_off", "quiet"),
    # of a completed run whose plan waits until somebody has looked at it
    "planned": Status("Plan ready", "▷", "fact_check", "yours"),
    # of steps
    "waiting": Status("Waiting", "·", "schedule", "quiet"),
    "done": Status("Done", "✓", "check_circle", "good"),
    "skipped": Status("Skipped", "»", "skip_next", "quiet"),
}


def phase(status: RunStatus | str, *, waits: bool) -> str:
    """A run's row in the table. `waits`: there is a plan to look at before anything is done."""
    return "planned" if status == "completed" and waits else status
