"""What the core needs of others: where calls are kept, what was chosen, and who can be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.values.calls import Attempt, Message, Reply, Request
from core.values.runs import RunRecord


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
