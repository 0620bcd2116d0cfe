"""Finish reasons: whether an answer is whole, cut off at its length, or a failure."""

from __future__ import annotations

from typing import Literal

from core.providers.answers import failures
from core.values.errors import ProviderError, no_text
from core.values.outcomes import ErrorKind

Ending = ErrorKind | Literal["whole", "cut"]

# Vendors' and servers' reasons, lower case. What is not here is not known to be good.
ENDINGS: dict[str, Ending] = {
    **dict.fromkeys(
        ("stop", "end_turn", "stop_sequence", "stop_token", "eos", "eos_token", "end", "complete"),
        "whole",
    ),
    **dict.fromkeys(("completed", "done", "finished", "tool_calls", "tool_use"), "whole"),
    **dict.fromkeys(("function_call",), "whole"),
    **dict.fromkeys(
        ("length", "max_tokens", "max_output_tokens", "max_completion_tokens", "model_length"),
        "cut",
    ),
    **dict.fromkeys(("token_limit", "pause_turn"), "cut"),
    **dict.fromkeys(
        ("content_filter", "content_filtered", "refusal", "safety", "recitation", "blocklist"),
        ErrorKind.REFUSED,
    ),
    **dict.fromkeys(
        ("prohibited_content", "spii", "language", "sensitive", "blocked", "model_armor"),
        ErrorKind.REFUSED,
    ),
    **dict.fromkeys(("guardrail_intervened", "moderation"), ErrorKind.REFUSED),
    "model_context_window_exceeded": ErrorKind.CONTEXT_TOO_LONG,
    "context_length_exceeded": ErrorKind.CONTEXT_TOO_LONG,
    "insufficient_system_resource": ErrorKind.OVERLOADED,
    **dict.fromkeys(("error", "network_error", "abort", "aborted"), ErrorKind.SERVER_ERROR),
    "timeout": ErrorKind.TIMEOUT,
}
_SAID = {
    ErrorKind.CONTEXT_TOO_LONG: "The request fills the model's memory.",
    ErrorKind.OVERLOADED: "It broke off its answer: it was overloaded.",
    ErrorKind.SERVER_ERROR: "It broke off its answer: it had an error of its own.",
    ErrorKind.TIMEOUT: "It broke off its answer: it ran out of time.",
}


def cut_off(
    text: str, reason: str, *, written: object, allowed: int | None, unknown: Ending | None = None
) -> bool:
    """Was the answer cut off at its length limit?

    `written` of the `allowed` tokens were used: old servers say "stop" at the limit as well.
    `unknown` is what a reason counts as that is not in the table; "" is none, and whole.

    Raises:
        ProviderError: it is no answer.
    """
    # Google's gateway says more after a colon.
    ending = ENDINGS.get(reason.lower().split(":")[0], unknown) if reason else "whole"
    if ending is None:
        raise failures.bad_response(f"It broke off its answer, for the reason “{reason[:40]}”.")
    if ending is ErrorKind.REFUSED:
        raise failures.refused()
    if isinstance(ending, ErrorKind):
        raise ProviderError(ending, _SAID[ending], http_status=200)
    full = type(written) is int and allowed is not None and written >= allowed
    truncated = ending == "cut" or full
    if not text.strip():
        raise no_text(truncated=truncated)
    return truncated
