"""What the core and the pages need of others: where calls are kept and read, who can be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from core.values.calls import Attempt, Message, Reply, Request
from core.values.history.figures import Summary
from core.values.history.filters import EVERY_CALL, EVERY_RUN, CallFilter, RunFilter
from core.values.history.retention import HistorySize, Removal, RemovalProgress, RetentionPolicy
from core.values.periods import Period
from core.values.runs import RunRecord

if TYPE_CHECKING:
    import pandas as pd


class Calls(Protocol):
    """Where calls are recorded. Each method returns once the record would survive a kill."""

    def next_call_id(self) -> int: ...

    def begin(self, attempt: Attempt, messages: Sequence[Message]) -> Awaitable[None]:
        """Record the intent; awaited before the first byte is sent."""
        ...

    def end(self, attempt: Attempt, response: str | None) -> Awaitable[None]:
        """Record the outcome; awaited before anyone sees the answer. Survives a power cut."""
        ...


class History(Calls, Protocol):
    """Where calls and runs are recorded, and what can be learnt from them at start."""

    @property
    def degraded(self) -> str | None:
        """One sentence when records wait because the disk says no; else None."""
        ...

    def begin_run(self, run: RunRecord) -> Awaitable[None]:
        """Record a run that is under way, as it stands now."""
        ...

    def decided(self, run: RunRecord) -> None:
        """Record the run's decisions with its next call, or else with its end."""
        ...

    def end_run(self, run: RunRecord) -> Awaitable[None]: ...

    def recent_attempts(self, *, simulated: bool) -> list[Attempt]:
        """The last few hundred of each provider, oldest first."""
        ...

    def totals(self, *, simulated: bool) -> dict[str, tuple[int, int, float]]:
        """Per provider: answers, failures, and the sum of the answers' latencies in ms.

        Failures that say nothing of the provider are not among them.
        """
        ...

    def close(self) -> None: ...


class Archive(Protocol):
    """What was recorded, to read."""

    def run(self, run_id: str) -> RunRecord | None: ...

    def calls_of(self, run_id: str) -> list[Attempt]:
        """In the order they were made."""
        ...

    def answers_of(self, run_id: str) -> dict[int, str]:
        """What the steps of a run were answered, by the calls' ordinals."""
        ...

    def cost_since(self, moment: float) -> float:
        """US dollars of the calls since then (UTC seconds) whose price is known."""
        ...

    def run_by_idempotency_key(self, key: str) -> RunRecord | None: ...


@dataclass(frozen=True, slots=True)
class Change:
    """`old` and `new` are None where nothing was chosen; `changed_at` is in UTC seconds."""

    key: str
    old: Any
    new: Any
    changed_at: float


@dataclass(frozen=True, slots=True)
class Database:
    """`note`: one sentence on a bug of this version that is worth knowing; None of a sound one."""

    name: str
    version: str
    note: str | None


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

    def database(self) -> Database: ...

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

    def usage(self) -> HistorySize: ...

    def policy(self) -> RetentionPolicy:
        """What was chosen: `Choices` hold its `as_choice()` under "retention"."""
        ...

    def preview(self, policy: RetentionPolicy) -> Removal:
        """What the policy would remove now."""
        ...

    def start(self, policy: RetentionPolicy) -> None:
        """Begin to remove it, unless that is under way."""
        ...

    def progress(self) -> RemovalProgress: ...

    def backup(self, target: Path | BinaryIO) -> int:
        """Copy the history into one file while it is in use; its bytes."""
        ...


class Choices(Protocol):
    """What the user chose in the console; it wins over the environment."""

    def get(self, key: str) -> Any:
        """None where nothing was chosen."""
        ...

    def set(self, key: str, value: Any) -> None: ...

    def undo(self, key: str) -> None:
        """Take the last change of `key` back, which is a change too."""
        ...

    def changes(self, key: str | None = None, *, limit: int = 50) -> list[Change]:
        """Newest first; of all keys without a `key`."""
        ...


class Provider(Protocol):
    """One model at one vendor. Held by whoever made it, for the life of the process."""

    @property
    def model(self) -> str: ...

    async def prepare(self) -> None:
        """Whatever a first request needs, such as importing an SDK; quick ever after.

        Raises:
            ProviderError: it cannot be asked, and a request would fail for the same reason.
        """
        ...

    async def models(self) -> list[str]:
        """Names of the models on offer.

        Raises:
            ProviderError: the vendor did not tell.
        """
        ...

    async def complete(
        self, request: Request, *, on_text: Callable[[str], None] | None = None
    ) -> Reply:
        """Ask once; no retry, no fallback. With `on_text` the answer is streamed to it.

        Raises:
            ProviderError: the provider gave no usable answer.
        """
        ...

    async def aclose(self) -> None: ...


class Watcher(Protocol):
    """Who wants to see a walk while it happens. Called on the engine's loop; must be quick."""

    def attempt_started(self, attempt: Attempt) -> None: ...

    def token(self, ordinal: int, text: str) -> None:
        """A piece of what the attempt with that ordinal is being told."""
        ...

    def attempt_ended(self, attempt: Attempt) -> None: ...
