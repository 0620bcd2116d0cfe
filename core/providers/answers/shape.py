"""Type checks of replies: an SDK passes on any JSON that a vendor sent, a record does not."""

from __future__ import annotations

from dataclasses import replace

from core.values.calls import Reply, Usage
from core.values.texts import sendable


def sound(reply: Reply, *, asked: str) -> Reply:
    """The reply; what has not the type it should have is unknown, or the model that was asked."""
    usage = reply.usage
    return replace(
        reply,
        content=sendable(reply.content),
        model=_text(reply.model) or asked,
        usage=Usage(
            _count(usage.input_tokens), _count(usage.output_tokens), _count(usage.cached_tokens)
        ),
        request_id=_text(reply.request_id),
    )


def _text(value: object) -> str | None:
    return sendable(value) if isinstance(value, str) else None


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None
