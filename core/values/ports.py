"""What the core and the pages need of others: where calls are kept and read, who can be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from core.values.calls import Attempt, Message, Reply, Request
from core.values.history.filters import EVERY_CALL, EVERY_RUN, CallFilter, RunFilter
from core.values.history.retention import HistorySize, Removal, RemovalProgress, RetentionPolicy
from core.values.history.summary import Summary
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


class Records(Archive, Protocol):
    """The same and more, as the pages read it."""

    def page_of_runs(
        self,
        *,
        wanted: RunFilter = EVERY_RUN,
        limit: int,
        page: int = 1,
        ranked: bool = False,
    ) -> pd.DataFrame:
        """The `page`th `limit` runs, newest first; `ranked`: those that match the text best.

        Ranked are the newest RANKED_AMONG that hold it; then there are no more pages.

        Columns: id, goal (its first 500 characters), status, strategy, provider, model (who
        answered), source, error_kind, error, snippet (where the wanted text was found, see
        `core.values.history.marks`; all str, empty where there is none), simulated (bool),
        started_at, finished_at (float64, UTC seconds since the epoch, NaN while it runs), steps
        (Int64, of its plan, NA without one), waits (bool, whether its plan waits for a reader),
        calls (int64, sent), latency_ms (float64, the sum of its calls'), cost_usd (float64, NaN
        where the price of an answer is unknown), attempts (its calls in order, each an Attempt),
        chain (the same, each a list of provider, status, error_kind, step: the last two None
        where there is none).
        """
        ...

    def page_of_calls(
        self,
        *,
        wanted: CallFilter = EVERY_CALL,
        limit: int,
        page: int = 1,
        before_id: int | None = None,
        ranked: bool = False,
    ) -> pd.DataFrame:
        """The `page`th `limit` calls, newest first; of those with an id below `before_id`.

        `ranked`: those that match the text best, among the newest RANKED_AMONG that hold it;
        then there are no more pages.

        Columns: id, ordinal (int64), run_id, provider, model, strategy, status, error_kind,
        message, config, request_id, snippet (where the wanted text was found, see
        `core.values.history.marks`; all str, empty where there is none), simulated, drilled (bool),
        step, http_status, input_tokens, output_tokens, cached_tokens (Int64, NA where unknown),
        started_at (float64, UTC seconds since the epoch), latency_ms, ttft_ms, cost_usd,
        retry_after (float64, NaN where unknown).
        """
        ...

    def count_runs(self, wanted: RunFilter = EVERY_RUN) -> int:
        """Where counting is costly up to COUNTED_TO, which then means: or more."""
        ...

    def count_calls(self, wanted: CallFilter = EVERY_CALL) -> int:
        """Where counting is costly up to COUNTED_TO, which then means: or more."""
        ...

    def chains(self, run_ids: Sequence[str]) -> dict[str, list[list[Any]]]:
        """Per run its calls in order, each [id, provider, status, step]; step None: planning."""
        ...

    def steps_of(self, run_ids: Sequence[str]) -> dict[str, int]:
        """How many steps the plans of these runs have; those without a plan are left out."""
        ...

    def models(self) -> list[str]:
        """Every model that was called, by name."""
        ...

    def first_figure(self, *, simulated: bool) -> float | None:
        """When the oldest quarter of an hour began with anything counted in it (UTC seconds)."""
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

    def around_failures(self, moment: float, *, simulated: bool) -> list[Attempt]:
        """The calls since then (UTC seconds) that failed, and the answers after them."""
        ...

    def call(self, call_id: int) -> Attempt | None: ...

    def call_text(self, call_id: int) -> tuple[str, str | None] | None:
        """The messages as JSON text, and the answer if there was one."""
        ...


class Performance(Protocol):
    """The figures of a period, practice or real. Fire drills and calls under way are in none."""

    def summary(self, period: Period, *, simulated: bool) -> Summary: ...

    def by_model(self, period: Period, *, simulated: bool) -> pd.DataFrame:
        """One row per provider and model with calls, by their names.

        Columns: provider, model (str), calls, ok, rated (int64), success_rate (float64, 0..1, of
        the rated), p50, p95, p99 (float64, seconds of successes), refused (int64, calls that it
        declined to answer, which are not rated), ttft (float64, the median seconds to the first
        token), tokens_per_second, cost_usd (float64), unpriced (int64, calls without a
        price, see `may_have_cost`), plans (int64, planning calls that gave one), plan_cost
        (float64, US dollars a plan, invalid ones paid for included), valid_plan_rate (float64,
        0..1). NaN where unknown.
        """
        ...

    def over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool, by_model: bool = False
    ) -> pd.DataFrame:
        """One row per provider and bucket with calls, by time and provider.

        A bucket goes from one of `edges` (UTC seconds, ascending) to the next, the last to the
        period's end; none goes beyond the period.

        Columns: provider (str), start (float64, its edge), calls, ok, rated (int64),
        success_rate (float64, 0..1, NaN where unknown). With `by_model` one row per model, and a
        column more after the provider.
        """
        ...

    def latency_over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> pd.DataFrame:
        """The latencies of a provider in neighbouring buckets that together can tell a p95.

        One row per provider and so many buckets, by provider and time; `edges` as above.
        Columns: provider (str), start, until (float64, UTC seconds), calls, ok, rated (int64),
        p50, p95 (float64, seconds; NaN where unknown).
        """
        ...

    def totals_over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> pd.DataFrame:
        """The same of all providers together: one row per bucket, without provider.

        More columns: p50, p95 (float64, seconds), cost_usd (float64). NaN where unknown.
        """
        ...

    def latency_distribution(self, period: Period, *, simulated: bool) -> pd.DataFrame:
        """How long successes took, by provider and latency.

        Columns: provider (str), low, high (float64, seconds: above the one, up to the other;
        2 % apart), calls (int64).
        """
        ...

    def failures(self, period: Period, *, simulated: bool) -> pd.DataFrame:
        """Calls that failed, by provider and reason.

        Columns: provider, error_kind (str), calls (int64).
        """
        ...

    def saved_over_time(
        self, period: Period, edges: Sequence[float], *, simulated: bool
    ) -> pd.DataFrame:
        """One row per bucket with runs that have ended; `edges` as in over_time.

        Columns: start (float64, its edge), runs, completed, saved (int64; saved: completed,
        though a provider asked before the answerer failed).
        """
        ...

    def changes(self, period: Period) -> list[Change]:
        """What was chosen in the period, oldest first."""
        ...


class Upkeep(Protocol):
    """What the history takes up, and what of it goes. Each raises HistoryUnavailable."""

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
