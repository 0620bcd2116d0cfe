"""What the pages are given by the composition root."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from core.running.engine import Engine
from core.values.calls import Attempt
from core.values.runs import RunRecord
from db.lists.filters import EVERY_CALL, EVERY_RUN, CallFilter, RunFilter

if TYPE_CHECKING:
    import pandas as pd

    from core.values.periods import Period
    from core.values.ports import Change
    from db.figures.performance import Summary
    from db.upkeep.size import Removal, Usage
    from db.upkeep.upkeep import Policy, Progress


class Records(Protocol):
    """The reading side of the history, as the pages use it."""

    def page_of_runs(
        self,
        *,
        wanted: RunFilter = EVERY_RUN,
        limit: int,
        page: int = 1,
        ranked: bool = False,
    ) -> pd.DataFrame: ...

    def page_of_calls(
        self,
        *,
        wanted: CallFilter = EVERY_CALL,
        limit: int,
        page: int = 1,
        before_id: int | None = None,
        ranked: bool = False,
    ) -> pd.DataFrame: ...

    def count_runs(self, wanted: RunFilter = EVERY_RUN) -> int: ...

    def count_calls(self, wanted: CallFilter = EVERY_CALL) -> int: ...

    def chains(self, run_ids: Sequence[str]) -> dict[str, list[list[Any]]]: ...

    def steps_of(self, run_ids: Sequence[str]) -> dict[str, int]: ...

    def models(self) -> list[str]: ...

    def first_figure(self, *, simulated: bool) -> float | None:
        """When the oldest stretch began that anything is counted in (UTC seconds), if any."""
        ...

    def removed_until(self, *, simulated: bool) -> float | None:
        """Calls from before then (UTC seconds) were removed, and the figures count them still.

        None where none was removed.
        """
        ...

    def one_moment(self) -> AbstractContextManager[None]:
        """What this thread asks inside is answered as of now."""
        ...

    def version(self) -> int:
        """Another number whenever anything was recorded: a key for what was read."""
        ...

    def run(self, run_id: str) -> RunRecord | None: ...

    def around_failures(self, moment: float, *, simulated: bool) -> list[Attempt]:
        """The calls since then (UTC seconds) that failed, and the answers after them."""
        ...

    def calls_of(self, run_id: str) -> list[Attempt]: ...

    def call(self, call_id: int) -> Attempt | None: ...

    def call_text(self, call_id: int) -> tuple[str, str | None] | None: ...


class Performance(Protocol):
    """The figures of a period; `db.figures.performance` says what each column is."""

    def summary(self, period: Period, *, simulated: bool) -> Summary: ...

    def by_provider(self, period: Period, *, simulated: bool) -> pd.DataFrame: ...

    def by_model(self, period: Period, *, simulated: bool) -> pd.DataFrame: ...

    def over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool, by_model: bool = False
    ) -> pd.DataFrame: ...

    def latency_over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> pd.DataFrame: ...

    def totals_over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> pd.DataFrame: ...

    def latency_distribution(self, period: Period, *, simulated: bool) -> pd.DataFrame: ...

    def failures(self, period: Period, *, simulated: bool) -> pd.DataFrame: ...

    def saved_over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> pd.DataFrame: ...

    def changes(self, period: Period) -> list[Change]: ...


class Upkeep(Protocol):
    """What the history takes up, and what of it goes; `db.upkeep.upkeep` says more."""

    def usage(self) -> Usage: ...

    def policy(self) -> Policy:
        """What was chosen: `Choices` hold its `as_choice()` under "retention"."""
        ...

    def preview(self, policy: Policy) -> Removal:
        """What the policy would remove now."""
        ...

    def start(self, policy: Policy) -> None:
        """Begin to remove it, unless that is under way."""
        ...

    def progress(self) -> Progress: ...

    def backup(self, target: Path | BinaryIO) -> int:
        """Copy the history into one file while it is in use; its bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    engine: Engine
    records: Records
    performance: Performance
    notices: tuple[str, ...] = ()
    upkeep: Upkeep | None = None  # None: there is nobody to do it


_provided: list[Services] = []


def provide(services: Services | None) -> None:
    """Called once at start by the composition root (and by tests), and with None at the end."""
    _provided[:] = [services] if services else []


def services() -> Services:
    return _provided[0]
