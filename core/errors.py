"""What can go wrong, and what each of it means for the next provider and for the circuit.

SwitchyardError
├── ProviderError          a provider gave no usable answer; `kind` says why
├── InvalidAnswer          an answer that is not what was asked for; `fault` says why
├── RunError               a run ended without a plan; what a person is told
│   ├── NoProviderConfigured
│   ├── AllProvidersFailed
│   ├── DeadlineExceeded
│   ├── RunCancelled
│   ├── LimitReached       a limit that a person set
│   ├── StepFailed         the plan stands, but a step found nobody to do it
│   └── HistoryUnavailable
└── BadRequest             what a caller asked for cannot be done as it stands
    └── KeyFound           it holds what looks like a key
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from core.types import Attempt


class ErrorKind(StrEnum):
    AUTH = "auth"
    PERMISSION = "permission"
    BILLING = "billing"
    MODEL_NOT_FOUND = "model_not_found"
    BAD_REQUEST = "bad_request"
    CONTEXT_TOO_LONG = "context_too_long"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    REFUSED = "refused"
    BAD_RESPONSE = "bad_response"
    TRUNCATED = "truncated"
    INVALID_PLAN = "invalid_plan"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    INTERNAL = "internal"


Circuit = Literal["counts", "rests", "opens", "neutral"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a kind of failure does."""

    next_provider: Literal["yes", "until two object to the same", "no"]
    circuit: Circuit
    rated: bool  # does it lower the provider's success rate?
    said: str  # a sentence's rest: "Anthropic <said>"
    action: str  # one thing to do

    @property
    def needs_you(self) -> bool:
        return self.circuit == "opens"


def _failure(said: str, action: str, *, circuit: Circuit = "counts") -> Outcome:
    return Outcome("yes", circuit, True, said, action)


def _not_its_fault(
    next_provider: Literal["yes", "until two object to the same", "no"],
    said: str,
    action: str,
    *,
    rated: bool = False,
) -> Outcome:
    return Outcome(next_provider, "neutral", rated, said, action)


OUTCOMES: dict[ErrorKind, Outcome] = {
    ErrorKind.CONNECTION: _failure(
        "could not be reached", "Check the internet connection and the provider's address."
    ),
    ErrorKind.TIMEOUT: _failure(
        "did not answer in time", "Try again, or allow more time for an attempt."
    ),
    ErrorKind.SERVER_ERROR: _failure(
        "had an error of its own", "Try again in a minute; nothing is wrong on your side."
    ),
    ErrorKind.OVERLOADED: _failure(
        "is overloaded", "Try again in a minute; nothing is wrong on your side."
    ),
    ErrorKind.RATE_LIMITED: _failure(
        "asked for fewer requests",
        "Wait a little, or ask the provider for a higher limit.",
        circuit="rests",
    ),
    ErrorKind.AUTH: _failure(
        "did not accept the key", "Check this provider's key and start again.", circuit="opens"
    ),
    ErrorKind.PERMISSION: _failure(
        "does not let this key do that",
        "Give the key access in the provider's own console.",
        circuit="opens",
    ),
    ErrorKind.BILLING: _failure(
        "is out of credit", "Top up the account with this provider.", circuit="opens"
    ),
    ErrorKind.MODEL_NOT_FOUND: _failure(
        "does not serve this model", "Choose another model for this provider.", circuit="opens"
    ),
    ErrorKind.BAD_RESPONSE: _failure(
        "sent something that is no answer",
        "Check the provider's address; a proxy or a sign-in page may be in the way.",
    ),
    ErrorKind.BAD_REQUEST: _not_its_fault(
        "until two object to the same",
        "did not understand the request",
        "Change the goal or the options.",
    ),
    ErrorKind.CONTEXT_TOO_LONG: _not_its_fault(
        "until two object to the same",
        "found the request too long",
        "Shorten the goal or its context.",
    ),
    ErrorKind.REFUSED: _not_its_fault("yes", "declined to answer", "Put the goal in other words."),
    ErrorKind.TRUNCATED: _not_its_fault(
        "yes",
        "ran out of room before it had answered",
        "Allow a longer answer, or ask for less.",
        rated=True,
    ),
    ErrorKind.INVALID_PLAN: _not_its_fault(
        "yes",
        "answered, but not with a plan that holds",
        "Try again, or put another provider first.",
        rated=True,
    ),
    ErrorKind.CANCELLED: _not_its_fault("no", "was stopped by you", "Run it again when you like."),
    ErrorKind.INTERRUPTED: _not_its_fault(
        "no", "was cut off when Switchyard stopped", "Run it again."
    ),
    ErrorKind.INTERNAL: _not_its_fault(
        "no", "was not at fault: Switchyard failed", "Try again, and tell us if it stays."
    ),
}

# What a success rate is of, everywhere: outcomes of a call that say something of its provider.
RATED = frozenset({"ok", *(kind.value for kind, outcome in OUTCOMES.items() if outcome.rated)})


class SwitchyardError(Exception):
    """Every error of ours."""


class ProviderError(SwitchyardError):
    """A provider gave no usable answer.

    `retry_after` is in seconds. `parameter` names the one parameter that the vendor rejected and
    that it could do without, where it did. `field` is what of the request itself it objects to, in
    one name for all vendors. `models` are those on offer instead, where that is known.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        http_status: int | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        parameter: str | None = None,
        field: str | None = None,
        models: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.http_status = http_status
        self.retry_after = retry_after
        self.request_id = request_id
        self.parameter = parameter
        self.field = field
        self.models = tuple(models)


class InvalidAnswer(SwitchyardError):
    """The answer is text, but not what was asked for."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


class BadRequest(SwitchyardError):
    """A caller asked for something that cannot be done; the message says what and why."""


class KeyFound(BadRequest):
    """What was to be sent and kept holds what looks like a key. The message does not repeat it."""


class RunError(SwitchyardError):
    """A run ended without a plan.

    `kind` is an ErrorKind's value or one of `no_provider_configured`, `all_providers_failed`,
    `deadline`, `limit`. `retry_after` is in seconds, None where nothing is known.
    """

    kind = "internal"

    def __init__(
        self,
        message: str,
        action: str,
        *,
        attempts: Sequence[Attempt] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.action = action
        self.attempts = tuple(attempts)
        self.retry_after = retry_after


class NoProviderConfigured(RunError):
    kind = "no_provider_configured"


class AllProvidersFailed(RunError):
    kind = "all_providers_failed"


class DeadlineExceeded(RunError):
    kind = "deadline"


class RunCancelled(RunError):
    kind = "cancelled"


class LimitReached(RunError):
    kind = "limit"


class StepFailed(RunError):
    """`kind` is that of the step's own error."""

    def __init__(self, message: str, action: str, *, cause: RunError) -> None:
        super().__init__(message, action, attempts=cause.attempts, retry_after=cause.retry_after)
        self.kind = cause.kind


class HistoryUnavailable(RunError):
    """The history cannot be written, so nothing was asked."""

    kind = "internal"
