"""What is asked for, and what came of it: one run, before and after its end."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from core.values.calls import Decision
from core.values.statuses import RunStatus

Source = Literal["ui", "api", "python"]
_COLUMNS = ("goal", "source", "idempotency_key")  # of a request: kept in columns of their own


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit. Money counts calls whose price is known."""

    seconds: float | None = None  # of work: the time that a plan waits for its reader is free
    calls: int | None = None  # requests sent, failed ones too
    usd: float | None = None  # for one run
    usd_per_day: float | None = None  # for all runs together, since midnight on this computer

    @classmethod
    def read(cls, known: Mapping[str, Any] | None) -> Limits:
        """From JSON; what is no positive number is no limit."""
        names = (field.name for field in fields(cls))
        return cls(**{name: _positive((known or {}).get(name)) for name in names})

    def as_json(self) -> dict[str, float]:
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A goal and how it is to be gone about. A new option is one field."""

    goal: str
    context: str | None = None
    strategy: str | None = None  # None: as chosen in the console
    priority: tuple[str, ...] | None = None  # who is asked, first to last; None: everyone
    temperature: float | None = 0.3
    max_tokens: int = 2000
    timeout: float | None = None  # seconds; None: as set
    execute: bool = False  # the plan is carried out, too
    approve: bool = False  # once its reader says so
    private: bool = False  # only BitNet on this computer is asked
    limits: Limits | None = None  # None: as chosen in the console
    side_by_side: int | None = None  # steps at once; None: as chosen in the console
    source: Source = "python"
    idempotency_key: str | None = None  # as a digest, once read from the history

    @classmethod
    def read(cls, known: Mapping[str, Any]) -> RunRequest:
        """From JSON. What a run of an earlier version does not say has its default."""
        said: dict[str, Any] = {
            field.name: known[field.name] for field in fields(cls) if field.name in known
        }
        if said.get("priority") is not None:
            said["priority"] = tuple(said["priority"])
        if said.get("limits") is not None:
            said["limits"] = Limits.read(said["limits"])
        return cls(**said)

    def options(self) -> dict[str, Any]:
        """As JSON, without what has a column of its own."""
        return {name: value for name, value in asdict(self).items() if name not in _COLUMNS}

    def asks_the_same(self, known: RunRequest) -> bool:
        """As a `known` one, whoever sent it; what was chosen in the console may have changed."""
        chosen = replace(
            self,
            limits=known.limits,
            side_by_side=known.side_by_side,
            source=known.source,
            idempotency_key=known.idempotency_key,
        )
        return chosen == known


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: a row of `run`."""

    id: str
    request: RunRequest  # with the limits that hold by now
    strategy: str
    simulated: bool
    started_at: float  # UTC seconds since the epoch
    status: RunStatus = "running"
    provider: str | None = None
    model: str | None = None
    finished_at: float | None = None
    error_kind: str | None = None
    error: str | None = None
    plan: str | None = None  # JSON text
    execution: Mapping[str, Any] | None = None  # core.running.steps.progress.Progress as JSON
    decisions: tuple[Decision, ...] = ()

    @property
    def goal(self) -> str:
        return self.request.goal

    def again(self) -> RunRequest:
        """The same asked for once more, in the console."""
        return replace(self.request, strategy=self.strategy, source="ui", idempotency_key=None)


def run_id_at(moment: float, bits: Callable[[int], int] = secrets.randbits) -> str:
    """32 hexadecimal digits, in the order of the moments (UTC seconds): UUID version 7, RFC 9562.

    An index of such ids grows at its end; with random ones each run would touch a page of its own.
    """
    milliseconds = int(moment * 1000) & (1 << 48) - 1
    return f"{milliseconds << 80 | 7 << 76 | bits(12) << 64 | 2 << 62 | bits(62):032x}"


def _positive(value: object) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number and value > 0 else None  # type: ignore[operator] # a number, by the line above
