"""Anthropic's wire format, by way of the anthropic SDK."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.providers.answers import failures
from core.providers.answers.endings import cut_off
from core.providers.answers.frames import DONE
from core.providers.sdks.base import Heard, PostingProvider
from core.values.calls import Reply, Request, Usage


class Anthropic(PostingProvider):
    """One model of Anthropic's."""

    package, client = "anthropic", "AsyncAnthropic"
    path = "/v1/messages"
    request_id = "request-id"
    needed = ("model", "messages", "max_tokens", "system")
    lengths = ("max_tokens",)

    def _body(self, request: Request, *, stream: bool) -> dict[str, Any]:
        profile = self._profile
        optional: dict[str, Any] = dict(profile.extra)
        if profile.temperature and request.temperature is not None:
            # Older models take it, up to 1.
            optional["temperature"] = min(request.temperature, 1.0)
        if request.json_schema is not None and profile.json_mode == "schema":
            form = {"type": "json_schema", "schema": request.json_schema}
            optional["output_config"] = {"format": form}
        if stream:
            optional["stream"] = True
        system = "\n\n".join(m.content for m in request.messages if m.role == "system")
        return {
            "model": self.model,
            "max_tokens": max(request.max_tokens, profile.min_tokens),
            "messages": [
                {"role": message.role, "content": message.content}
                for message in request.messages
                if message.role != "system"
            ],
            **({"system": system} if system else {}),
            **{name: value for name, value in optional.items() if name not in request.dropped},
        }

    def _heard(self, on_text: Callable[[str], None] | None) -> Heard:
        return _Heard(on_text)


@dataclass(slots=True)
class _Heard:
    """What has come of an answer, in events or whole."""

    on_text: Callable[[str], None] | None
    pieces: list[str] = field(default_factory=list)
    message: Mapping[str, Any] | None = None
    end: Mapping[str, Any] = field(default_factory=dict)  # what holds the stop reason
    over: bool = False
    written: Any = None
    odd: Any = None

    def take(self, frame: Any) -> None:
        if frame is DONE or frame.get("type") == "message_stop":
            self.over = True
        elif frame.get("type") == "message_start":
            self.message = frame.get("message")
        elif frame.get("type") == "content_block_delta":
            self._hear(frame.get("delta") or {}, kind="text_delta")
        elif frame.get("type") == "message_delta":
            self.end = frame.get("delta") or {}
            self.written = (frame.get("usage") or {}).get("output_tokens")
        elif isinstance(frame.get("content"), list):
            self.message = self.end = frame
            self.over = True
            for block in frame["content"]:
                self._hear(block, kind="text")
        else:
            self.odd = frame

    def _hear(self, block: Mapping[str, Any], *, kind: str) -> None:
        text = block.get("text")
        if block.get("type") == kind and text:
            self.pieces.append(text)
            if self.on_text:
                self.on_text(text)

    def reply(self, asked: str, *, allowed: int | None, request_id: str | None) -> Reply:
        if self.message is None:
            raise failures.odd(self.odd)
        reason = self.end.get("stop_reason") or ""
        if not (reason or self.over):
            raise failures.bad_response("Its answer broke off in the middle.")
        if reason == "refusal":
            details = self.end.get("stop_details")
            raise failures.refused((details or {}).get("explanation"))
        usage = _usage(self.message.get("usage"), self.written)
        text = "".join(self.pieces)
        # A reason from the future ends a message that is whole: what fails comes as an error.
        truncated = cut_off(
            text, reason, written=usage.output_tokens, allowed=allowed, unknown="whole"
        )
        return Reply(text, self.message.get("model") or asked, usage, request_id, truncated)


def _usage(usage: Any, output_tokens: Any) -> Usage:
    counted = usage if isinstance(usage, Mapping) else {}
    output = counted.get("output_tokens") if output_tokens is None else output_tokens
    if counted.get("input_tokens") is None:
        return Usage(None, output)
    # Anthropic counts cached input apart; the total is what the others call input.
    cached = counted.get("cache_read_input_tokens")
    written = counted.get("cache_creation_input_tokens")
    return Usage(counted["input_tokens"] + (cached or 0) + (written or 0), output, cached)
