"""The values that travel through Switchyard, and the History that the core writes to."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from core.errors import ErrorKind

Role = Literal["system", "user", "assistant"]
RunStatus = Literal["running", "completed", "failed", "cancelled", "interrupted"]
CallStatus = Literal["running", "ok", "failed", "cancelled", "interrupted"]
Source = Literal["ui", "api", "python"]


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """What one provider is asked, once.

    `json_schema` asks for an answer in JSON, in the vendor's own way. `dropped` names the
    parameters that this model refuses and that are therefore left out.
    """

    messages: tuple[Message, ...]
    temperature: float | None = None  # 0..2; None: the vendor's default
    max_tokens: int = 2000
    json_schema: Mapping[str, Any] | None = None
    dropped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens in the vendor's own counting; None where it did not say."""

    input_tokens: int | None = None  # cached ones included
    output_tokens: int | None = None  # thinking included
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is text and is not empty."""

    content: str
    model: str  # the name the vendor answered with
    usage: Usage = Usage()
    request_id: str | None = None
    truncated: bool = False  # cut off at the length limit, with text that may still be usable


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to one provider: a row of `call`, before and after its outcome."""

    id: int
    ordinal: int  # 0, 1, ... within the run
    provider: str
    model: str
    strategy: str
    started_at: float  # UTC seconds since the epoch
    run_id: str | None = None
    step: int | None = None  # None: planning
    simulated: bool = False
    config: str = ""  # digest of address and key: health does not outlive a changed key
    status: CallStatus = "running"
    error_kind: ErrorKind | None = None
    http_status: int | None = None
    message: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    usage: Usage = Usage()
    cost_usd: float | None = None  # None: unknown
    retry_after: float | None = None  # seconds that the vendor asked for
    request_id: str | None = None
    drilled: bool = False  # a fire drill's: never sent, and in no figure


SkipReason = Literal[
    "resting", "needs_attention", "switched_off", "no_key", "drilled", "private", "not_asked_for"
]


@dataclass(frozen=True, slots=True)
class Skip:
    """A provider that was passed over, and why: as it was when the order was made."""

    provider: str
    reason: SkipReason
    error_kind: ErrorKind | None = None  # of the failure that it rests on, or needs a person for
    until: float | None = None  # UTC seconds; None: unknown, or until a person does something


@dataclass(frozen=True, slots=True)
class Decision:
    """Who was to be asked, in which order, and how that came about: recorded as it was made.

    `order` is of all who could be asked, those in `skipped` that rest included; a run has a
    decision for its plan and one for each of its steps.
    """

    strategy: str
    order: tuple[str, ...]
    skipped: tuple[Skip, ...] = ()
    step: int | None = None  # None: planning
    drawn: bool = False  # chance had a part in the order
    probability: float | None = None  # of this order being drawn, 0..1; None: not known
    chosen: bool = False  # the order was named for this run, not taken from the settings


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
    execution: Mapping[str, Any] | None = None  # core.execution.Terms as JSON
    decisions: tuple[Decision, ...] = ()


def run_id_at(moment: float, bits: Callable[[int], int] = secrets.randbits) -> str:
    """32 hexadecimal digits, in the order of the moments (UTC seconds): UUID version 7, RFC 9562.

    An index of such ids grows at its end; with random ones each run would touch a page of its own.
    """
    milliseconds = int(moment * 1000) & (1 << 48) - 1
    return f"{milliseconds << 80 | 7 << 76 | bits(12) << 64 | 2 << 62 | bits(62):032x}"


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` until just before `until`, in UTC seconds since the epoch."""

    since: float
    until: float


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
