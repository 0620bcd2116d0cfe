"""The OpenAI wire format: OpenAI, DeepSeek, Kimi, NVIDIA NIM and a BitNet server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.providers.answers import failures
from core.providers.answers.endings import cut_off
from core.providers.answers.frames import DONE
from core.providers.sdks.base import Heard, PostingProvider
from core.values.calls import Reply, Request, Usage


class OpenAICompatible(PostingProvider):
    """One model behind the OpenAI wire format, by way of the openai SDK."""

    package, client = "openai", "AsyncOpenAI"
    path = "/chat/completions"
    request_id = "x-request-id"
    needed = ("model", "messages")
    lengths = ("max_tokens", "max_completion_tokens")

    def _body(self, request: Request, *, stream: bool) -> dict[str, Any]:
        profile = self._profile
        tokens = max(request.max_tokens, profile.min_tokens)
        length = profile.token_parameter
        if length in request.dropped:
            length = "max_completion_tokens" if length == "max_tokens" else "max_tokens"
        body: dict[str, Any] = {length: tokens, **profile.extra}
        if profile.temperature and request.temperature is not None:
            body["temperature"] = request.temperature
        if request.json_schema is not None and profile.json_mode != "none":
            body["response_format"] = _json_format(request.json_schema, profile.json_mode)
        if stream and "stream" not in request.dropped:
            body |= {"stream_options": {"include_usage": True}, "stream": True}
        for name in request.dropped:
            body.pop(name, None)
        messages = [
            {"role": message.role, "content": message.content} for message in request.messages
        ]
        return {"model": self.model, "messages": messages, **body}

    def _heard(self, on_text: Callable[[str], None] | None) -> Heard:
        return _Heard(on_text or _unheard)


def _unheard(_: str) -> None:
    """For an answer that nobody listens to while it is written."""


def _json_format(schema: Any, mode: str) -> dict[str, Any]:
    if mode == "object":
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }


@dataclass(slots=True)
class _Heard:
    """What has come of an answer, in whichever pieces."""

    on_text: Callable[[str], None]
    pieces: list[str] = field(default_factory=list)
    refusal: str = ""
    finish: str = ""
    over: bool = False  # by the vendor's word, or because the whole came at once
    usage: Any = None
    model: Any = None
    odd: Mapping[str, Any] | None = None  # what came instead of a choice

    def take(self, frame: Any) -> None:
        if frame is DONE:
            self.over = True
            return
        self.model = frame.get("model") or self.model
        self.usage = frame.get("usage") or self.usage
        choices = frame.get("choices")
        if not choices:
            self.odd = frame
        for choice in choices or ():
            self._choose(choice)

    def _choose(self, choice: Mapping[str, Any]) -> None:
        if choice.get("error"):
            raise failures.ErrorInside(choice)
        self.usage = choice.get("usage") or self.usage
        self.finish = choice.get("finish_reason") or self.finish
        self.over = self.over or bool(choice.get("message"))
        said = choice.get("delta") or choice.get("message") or {}
        self.refusal += said.get("refusal") or ""
        if text := _text(said.get("content")):
            self.pieces.append(text)
            self.on_text(text)

    def reply(self, asked: str, *, allowed: int | None, request_id: str | None) -> Reply:
        if self.refusal:
            raise failures.refused(self.refusal)
        text = "".join(self.pieces)
        if not (text or self.finish or self.over) or (self.odd and not (text or self.finish)):
            raise failures.odd(self.odd)
        if not (self.finish or self.over):
            raise failures.bad_response("Its answer broke off in the middle.")
        usage = _usage(self.usage)
        truncated = cut_off(text, self.finish, written=usage.output_tokens, allowed=allowed)
        return Reply(text, self.model or asked, usage, request_id, truncated)


def _text(content: Any) -> str:
    """The text of a content, which some send in parts; thinking is no part of it."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    return "".join(map(_text_of, parts))


def _text_of(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type", "text") not in ("text", "output_text"):
        return ""
    text = part.get("text")
    return text if isinstance(text, str) else ""


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, Mapping):
        return Usage()
    details = usage.get("prompt_tokens_details")
    counts = (
        details.get("cached_tokens") if isinstance(details, Mapping) else None,
        usage.get("cached_tokens"),  # Kimi
        usage.get("prompt_cache_hit_tokens"),  # DeepSeek
    )
    cached = next((count for count in counts if count is not None), None)
    return Usage(usage.get("prompt_tokens"), usage.get("completion_tokens"), cached)
