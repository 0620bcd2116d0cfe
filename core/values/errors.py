"""The exceptions: what can go wrong, for whoever catches it.

ManywaysError
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

from core.values.calls import Attempt
from core.values.outcomes import ErrorKind


class ManywaysError(Exception):
    """Every error of ours."""


class ProviderError(ManywaysError):
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


def no_text(*, truncated: bool) -> ProviderError:
    """For an answer in which nothing is said."""
    if truncated:
        said = "It used up its length before it wrote an answer."
        return ProviderError(ErrorKind.TRUNCATED, said, http_status=200)
    said = "It sent an answer without text."
    return ProviderError(ErrorKind.BAD_RESPONSE, said, http_status=200)


class InvalidAnswer(ManywaysError):
    """The answer is text, but not what was asked for."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


class BadRequest(ManywaysError):
    """A caller asked for something that cannot be done; the message says what and why."""


class KeyFound(BadRequest):
    """What was to be sent and kept holds what looks like a key. The message does not repeat it."""


class RunError(ManywaysError):
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
