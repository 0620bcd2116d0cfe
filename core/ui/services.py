"""What the pages are given by the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from core.engine import Engine
from core.types import Attempt, RunRecord

if TYPE_CHECKING:
    import pandas as pd


class Records(Protocol):
    """The reading side of the history, as the pages use it."""

    def page_of_runs(self, *, limit: int, before: float | None = None) -> pd.DataFrame: ...

    def page_of_calls(self, *, limit: int, before_id: int | None = None) -> pd.DataFrame: ...

    def run(self, run_id: str) -> RunRecord | None: ...

    def calls_of(self, run_id: str) -> list[Attempt]: ...

    def call(self, call_id: int) -> Attempt | None: ...

    def call_text(self, call_id: int) -> tuple[str, str | None] | None: ...


@dataclass(frozen=True, slots=True)
class Services:
    engine: Engine
    records: Records
    notices: tuple[str, ...] = ()


_provided: list[Services] = []


def provide(services: Services | None) -> None:
    """Called once at start by the composition root (and by tests), and with None at the end."""
    _provided[:] = [services] if services else []


def services() -> Services:
    return _provided[0]
