"""One request to one provider: what is asked, what came back, and what was decided before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from core.values.outcomes import ErrorKind
from core.values.registry import PROVIDERS
from core.values.statuses import CallStatus

Role = Literal["system", "user", "assistant"]


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

    @property
    def unpriced(self) -> bool:
        """Whether it may have cost something that nobody knows: see `may_have_cost`."""
        return (
            not (self.simulated or self.drilled or self.status == "running")
            and self.cost_usd is None
            and may_have_cost(
                self.provider, self.status, self.error_kind, self.http_status, self.ttft_ms
            )
        )


def may_have_cost(
    provider: str, status: str, kind: str | None, http_status: int | None, ttft_ms: float | None
) -> bool:
    """Of a call that has ended: the rule behind "calls without a price", wherever that is said.

    An answer may have, valid or not, and so may what was cut off after it was sent: it timed out,
    was stopped, or died with the process. What its vendor turned away or never got has not, unless
    some text had come; nor has anything that runs here. A connection that broke off before any
    text is taken for one that was never made: what is recorded cannot tell them apart.
    """
    spec = PROVIDERS.get(provider)
    if spec is not None and spec.runs_here:
        return False
    if status != "failed" or ttft_ms is not None:
        return True
    return (http_status or 0) < 400 and not (kind and ErrorKind(kind).outcome.free)


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
