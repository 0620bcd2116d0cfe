"""The error kinds: a row each, with all that a kind means.

A new kind is a row here, and a rule in `core.providers.answers.meanings` that tells it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Self

Circuit = Literal["counts", "rests", "opens", "neutral"]
Leads = Literal["billing", "keys", "providers", "settings", "down", "longer", "goal"]


@dataclass(frozen=True, slots=True)
class Remedy:
    """`label` is the button's; `{it}` in it stands for the provider. `leads` says where to.

    `down`: below the others in the order; `longer`: the same run with a longer answer; `goal`:
    the goal, to be put in other words.
    """

    label: str
    leads: Leads


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a kind of failure means."""

    name: str  # as it is stored and told to programs
    code: int  # as the stored figures count it, for good: a new kind takes the next number
    reason: str  # in words that stand alone: in a list, on an axis, as a filter's choice
    said: str  # a sentence's rest: "Anthropic <said>"
    action: str  # one thing to do
    remedy: Remedy | None = None  # the button for it, where there is one
    circuit: Circuit = "counts"
    rated: bool = True  # does it lower the provider's success rate?
    free: bool = False  # never reached the vendor, or was turned away: costs nothing for certain
    next_provider: Literal["yes", "until two object to the same", "no"] = "yes"
    http: int = 500  # what a script is answered with whose run ends so

    @property
    def needs_you(self) -> bool:
        return self.circuit == "opens"


_DOWN = Remedy("Move {it} down", "down")
_TEST = Remedy("Test {it}", "providers")
_GOAL = Remedy("Change the goal", "goal")


class ErrorKind(StrEnum):
    """Each with its row, in the order in which people see them. `ErrorKind("auth")` finds one."""

    outcome: Outcome

    def __new__(cls, outcome: Any) -> Self:
        kind = str.__new__(cls, outcome.name)
        kind._value_, kind.outcome = outcome.name, outcome
        return kind

    # fmt: off
    CONNECTION = Outcome(
        "connection", 11, "Not reached", "could not be reached",
        "Check the internet connection and the provider's address.", _TEST, free=True,
    )
    TIMEOUT = Outcome(
        "timeout", 10, "No answer in time", "did not answer in time",
        "Try again, or allow more time for an attempt.", Remedy("Allow more time", "settings"),
    )
    SERVER_ERROR = Outcome(
        "server_error", 9, "Error of its own", "had an error of its own",
        "Try again in a minute; nothing is wrong on your side.", _DOWN,
    )
    OVERLOADED = Outcome(
        "overloaded", 8, "Overloaded", "is overloaded",
        "Try again in a minute; nothing is wrong on your side.", _DOWN, free=True,
    )
    RATE_LIMITED = Outcome(
        "rate_limited", 7, "Too many requests", "asked for fewer requests",
        "Wait a little, or ask the provider for a higher limit.", _DOWN, circuit="rests", free=True,
    )
    AUTH = Outcome(
        "auth", 1, "Key not accepted", "did not accept the key",
        "Check this provider's key and start again.", Remedy("Where to get a key", "keys"),
        circuit="opens", free=True,
    )
    PERMISSION = Outcome(
        "permission", 2, "Not allowed", "does not let this key do that",
        "Give the key access in the provider's own console.", Remedy("Open {it}'s keys", "keys"),
        circuit="opens", free=True,
    )
    BILLING = Outcome(
        "billing", 3, "Out of credit", "is out of credit",
        "Top up the account with this provider.", Remedy("Open billing", "billing"),
        circuit="opens", free=True,
    )
    MODEL_NOT_FOUND = Outcome(
        "model_not_found", 4, "Model not served", "does not serve this model",
        "Choose another model for this provider.", Remedy("Choose another model", "providers"),
        circuit="opens", free=True,
    )
    BAD_RESPONSE = Outcome(
        "bad_response", 13, "No usable answer", "sent something that is no answer",
        "Check the provider's address; a proxy or a sign-in page may be in the way.", _TEST,
    )
    BAD_REQUEST = Outcome(
        "bad_request", 5, "Request not understood", "did not understand the request",
        "Change the goal or the options.", _GOAL, circuit="neutral", rated=False,
        next_provider="until two object to the same", free=True,
    )
    CONTEXT_TOO_LONG = Outcome(
        "context_too_long", 6, "Request too long", "found the request too long",
        "Shorten the goal or its context.", Remedy("Shorten the goal", "goal"), circuit="neutral",
        rated=False, next_provider="until two object to the same", free=True,
    )
    REFUSED = Outcome(
        "refused", 12, "Declined to answer", "declined to answer", "Put the goal in other words.",
        _GOAL, circuit="neutral", rated=False,
    )
    TRUNCATED = Outcome(
        "truncated", 14, "Answer cut off", "ran out of room before it had answered",
        "Allow a longer answer, or ask for less.", Remedy("Allow a longer answer", "longer"),
        circuit="neutral",
    )
    INVALID_PLAN = Outcome(
        "invalid_plan", 15, "Plan does not hold", "answered, but not with a plan that holds",
        "Try again, or put another provider first.", _DOWN, circuit="neutral",
    )
    CANCELLED = Outcome(
        "cancelled", 16, "Stopped by you", "was stopped by you", "Run it again when you like.",
        circuit="neutral", rated=False, next_provider="no", http=409,
    )
    INTERRUPTED = Outcome(
        "interrupted", 17, "Manyways stopped", "was cut off when Manyways stopped",
        "Run it again.", circuit="neutral", rated=False, next_provider="no", http=503,
    )
    INTERNAL = Outcome(
        "internal", 18, "Manyways failed", "was not at fault: Manyways failed",
        "Try again, and tell us if it stays.", circuit="neutral", rated=False, next_provider="no",
    )
    # fmt: on


# What a success rate is of, everywhere: outcomes of a call that say something of its provider.
RATED = frozenset({"ok", *(kind.value for kind in ErrorKind if kind.outcome.rated)})


@dataclass(frozen=True, slots=True)
class RunEnd:
    """Why a run ended without a plan or an answer, where that is not one call's failure."""

    reason: str
    http: int


RUN_ENDS = {
    "all_providers_failed": RunEnd("Every provider failed", 503),
    "no_provider_configured": RunEnd("No provider set up", 503),
    "deadline": RunEnd("Time was up", 504),
    "limit": RunEnd("Limit reached", 503),
}


def meaning(kind: str) -> Outcome | RunEnd | None:
    """Of an error kind as it is stored with a call or a run; None: of another version."""
    if kind in RUN_ENDS:
        return RUN_ENDS[kind]
    return ErrorKind(kind).outcome if kind in set(ErrorKind) else None
