"""What each kind of failure means: in words, for the next provider, the circuit, the rates."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


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
        "no", "was cut off when Manyways stopped", "Run it again."
    ),
    ErrorKind.INTERNAL: _not_its_fault(
        "no", "was not at fault: Manyways failed", "Try again, and tell us if it stays."
    ),
}
