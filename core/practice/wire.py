"""The three wire formats: how each vendor's SDK asks, and what it wants to read.

A `Wire` is a row of plain functions. Practice speaks it, and so do the tests' stand-ins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.values.calls import Message, Role

Json = dict[str, Any]
Event = Json | str
Usage = tuple[int, int] | Mapping[str, Any] | None  # input and output, the vendor's own, or none


@dataclass(frozen=True, slots=True)
class WireRequest:
    model: str
    messages: tuple[Message, ...]
    stream: bool
    max_tokens: int | None


@dataclass(frozen=True, slots=True)
class WireReply:
    text: str | None  # None: nothing but its end
    model: str = ""
    usage: Usage = None
    finish: str | None = "stop"  # or "length", or the vendor's word; None: it is never said
    id: str = "standin"

    def finished(self, stop: str, length: str) -> str | None:
        return {"stop": stop, "length": length}.get(self.finish or "", self.finish)

    def counted(self, into: str, out: str, total: str = "") -> Json:
        if not isinstance(self.usage, tuple):
            return dict(self.usage or {})
        counts = {into: self.usage[0], out: self.usage[1], total: sum(self.usage)}
        return {name: count for name, count in counts.items() if name}


@dataclass(frozen=True, slots=True)
class Wire:
    """Paths are what follows the provider's own prefix."""

    mount: str  # what the SDK's base URL ends in
    call: re.Pattern[str]
    models: str
    request_id: str  # the response header's name
    key: str  # the header that brings it
    read: Callable[[Json, re.Match[str]], WireRequest]
    whole: Callable[[WireReply], Json]
    events: Callable[[WireReply, Sequence[str]], list[Event]]  # the text cut by the caller
    listing: Callable[[Sequence[str]], Json]
    error: Callable[[int, str], Json]  # status, message


def event(value: Any) -> bytes:
    kind = value.get("type") if isinstance(value, dict) else None
    name = f"event: {kind}\n" if kind else ""
    return f"{name}data: {value if isinstance(value, str) else json.dumps(value)}\n\n".encode()


def text_of(content: Any) -> str:
    """The text of a string, of a block, or of a list of them."""
    if isinstance(content, Mapping):
        content = content.get("text") or content.get("parts") or ""
    return content if isinstance(content, str) else "\n".join(filter(None, map(text_of, content)))


_ROLES: dict[Any, Role] = {"system": "system", "assistant": "assistant", "model": "assistant"}


def _messages(system: Any, turns: Any, content: str) -> tuple[Message, ...]:
    first = (Message("system", text_of(system)),) if system else ()
    said = (Message(_ROLES.get(turn.get("role"), "user"), text_of(turn[content])) for turn in turns)
    return (*first, *said)


def _read(body: Json, _: re.Match[str]) -> WireRequest:
    """Of Anthropic and of OpenAI."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return WireRequest(
        str(body["model"]),
        _messages(body.get("system"), body["messages"], "content"),
        bool(body.get("stream")),
        int(limit) if limit else None,
    )


# Anthropic


def _anthropic_whole(answer: WireReply) -> Json:
    blocks = [{"type": "text", "text": answer.text}]
    return {
        "id": f"msg_{answer.id}", "type": "message", "role": "assistant", "model": answer.model,
        "content": blocks if answer.text is not None else [],
        "stop_reason": answer.finished("end_turn", "max_tokens"), "stop_sequence": None,
        "usage": answer.counted("input_tokens", "output_tokens"),
    }  # fmt: skip


def _anthropic_events(answer: WireReply, pieces: Sequence[str]) -> list[Event]:
    message = _anthropic_whole(answer)
    usage, reason = message["usage"], message["stop_reason"]
    begun = usage and {**usage, "output_tokens": 1}
    message |= {"content": [], "stop_reason": None, "usage": begun}
    said = [_block("delta", delta={"type": "text_delta", "text": piece}) for piece in pieces]
    start = _block("start", content_block={"type": "text", "text": ""})
    text = [start, *said, _block("stop")] if answer.text is not None else []
    end: Json = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}
    told = [{"type": "message_start", "message": message}, *text]
    return [*told, end, {"type": "message_stop"}] if reason is not None else [*told]


def _block(what: str, **more: Json) -> Json:
    return {"type": f"content_block_{what}", "index": 0, **more}


_ANTHROPIC_TYPES = {401: "authentication_error", 404: "not_found_error", 529: "overloaded_error"}


def _anthropic_error(status: int, message: str) -> Json:
    default = "api_error" if status >= 500 else "invalid_request_error"
    error = {"type": _ANTHROPIC_TYPES.get(status, default), "message": message}
    return {"type": "error", "error": error}


ANTHROPIC = Wire(
    mount="", call=re.compile(r"/v1/messages"), models="/v1/models", request_id="request-id",
    key="authorization", read=_read, whole=_anthropic_whole, events=_anthropic_events,
    listing=lambda models: {"data": [{"type": "model", "id": name} for name in models]},
    error=_anthropic_error,
)  # fmt: skip

# OpenAI, and the four that are compatible with it


def _openai_object(answer: WireReply, kind: str, choices: list[Json], *, usage: bool) -> Json:
    about = {"id": f"chatcmpl-{answer.id}", "object": kind, "created": 1, "model": answer.model}
    counts = answer.counted("prompt_tokens", "completion_tokens", "total_tokens") if usage else {}
    return {**about, "choices": choices, **({"usage": counts} if counts else {})}


def _openai_whole(answer: WireReply) -> Json:
    message = {"role": "assistant", "content": answer.text}
    choice = {"index": 0, "message": message, "finish_reason": answer.finished("stop", "length")}
    return _openai_object(answer, "chat.completion", [choice], usage=True)


def _openai_events(answer: WireReply, pieces: Sequence[str]) -> list[Event]:
    def chunk(*deltas: Json, finish: str | None = None) -> Json:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish} for delta in deltas]
        return _openai_object(answer, "chat.completion.chunk", choices, usage=not deltas)

    said = [chunk({"role": "assistant", "content": ""})]
    said += [chunk({"content": piece}) for piece in pieces]
    end = [chunk({}, finish=answer.finished("stop", "length"))]
    end += [chunk()] if answer.usage else []
    return [*said, *end, "[DONE]"] if answer.finish is not None else [*said]


_OPENAI_CODES = {401: "invalid_api_key", 404: "model_not_found"}


def _openai_error(status: int, message: str) -> Json:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    code = _OPENAI_CODES.get(status)
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


OPENAI = Wire(
    mount="/v1", call=re.compile(r"/v1/chat/completions"), models="/v1/models",
    request_id="x-request-id", key="authorization", read=_read, whole=_openai_whole,
    events=_openai_events, error=_openai_error,
    listing=lambda models: {"data": [{"object": "model", "id": name} for name in models]},
)  # fmt: skip

# Google


def _google_read(body: Json, path: re.Match[str]) -> WireRequest:
    limit = (body.get("generationConfig") or {}).get("maxOutputTokens")
    system = body.get("systemInstruction") or body.get("system_instruction")
    return WireRequest(
        path["model"],
        _messages(system, body["contents"], "parts"),
        path["verb"] == "streamGenerate",
        int(limit) if limit else None,
    )


def _google_whole(answer: WireReply) -> Json:
    candidate: Json = {"index": 0}
    if answer.text is not None:
        candidate["content"] = {"role": "model", "parts": [{"text": answer.text}]}
    if answer.finish is not None:
        candidate["finishReason"] = answer.finished("STOP", "MAX_TOKENS")
    whole = {"candidates": [candidate], "modelVersion": answer.model, "responseId": answer.id}
    counts = answer.counted("promptTokenCount", "candidatesTokenCount", "totalTokenCount")
    return {**whole, "usageMetadata": counts} if counts else whole


def _google_events(answer: WireReply, pieces: Sequence[str]) -> list[Event]:
    parts: list[str | None] = [*pieces] or [None]
    *before, last = parts
    begun = [replace(answer, text=piece, finish=None, usage=None) for piece in before]
    return [_google_whole(each) for each in (*begun, replace(answer, text=last))]


_GOOGLE_STATUSES = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 503: "UNAVAILABLE"}


def _google_error(status: int, message: str) -> Json:
    default = "INTERNAL" if status >= 500 else "INVALID_ARGUMENT"
    name = _GOOGLE_STATUSES.get(status, default)
    return {"error": {"code": status, "message": message, "status": name}}


_GOOGLE_CALL = r"/v1(?:beta)?/models/(?P<model>[^:]+):(?P<verb>generate|streamGenerate)Content"
GOOGLE = Wire(
    mount="", call=re.compile(_GOOGLE_CALL), models="/v1beta/models", request_id="x-practice-id",
    key="x-goog-api-key", read=_google_read,
    whole=_google_whole, events=_google_events, error=_google_error,
    listing=lambda models: {"models": [{"name": f"models/{name}"} for name in models]},
)  # fmt: skip
