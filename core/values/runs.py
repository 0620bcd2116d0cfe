"""One run: a row of `run`, before and after its end."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from core.values.calls import Decision
from core.values.statuses import RunStatus

Source = Literal["ui", "api", "python"]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: a row of `run`, before and after its end."""

    id: str
    goal: str
    strategy: str
    source: Source
    simulated: bool
    started_at: float  # UTC seconds since the epoch
    options: Mapping[str, Any]  # what else was asked for: context, priority, temperature ...
    status: RunStatus = "running"
    provider: str | None = None
    model: str | None = None
    finished_at: float | None = None
    error_kind: str | None = None
    error: str | None = None
    plan: str | None = None  # JSON text
    idempotency_key: str | None = None
    execution: Mapping[str, Any] | None = None  # core.running.progress.Terms as JSON
    decisions: tuple[Decision, ...] = ()


def run_id_at(moment: float, bits: Callable[[int], int] = secrets.randbits) -> str:
    """32 hexadecimal digits, in the order of the moments (UTC seconds): UUID version 7, RFC 9562.

    An index of such ids grows at its end; with random ones each run would touch a page of its own.
    """
    milliseconds = int(moment * 1000) & (1 << 48) - 1
    return f"{milliseconds << 80 | 7 << 76 | bits(12) << 64 | 2 << 62 | bits(62):032x}"
