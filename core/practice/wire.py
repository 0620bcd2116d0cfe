"""The three wire formats: how each vendor's SDK asks, and what it wants to read.

A `Wire` is a row of plain functions. Practice speaks it, and so do the tests' stand-ins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from core.values.calls import Message, Role

Json = dict[str, Any]
Usage = tuple[int, int] | Mapping[str, Any] | None  # input and output, the vendor's own, or none


@dataclass(frozen=True, slots=True)
class WireRequest:
    model: str
    messages: tuple[Message, ...]
    stream: bool
    max_tokens: int | None
    wants_usage: bool = True  # in a stream


@dataclass(frozen=True, slots=True)
class WireReply:
    text: str | None  # None: nothing but its end
    model: str = ""
    usage: Usage = None
    finish: str | None = "stop"  # or "length", or the vendor's word; None: it is never said
    thinking: str | None = None
    refusal: str | None = None
    id: str = "standin"
    created: int = 1  # UTC seconds since the epoch
    wants_usage: bool = True

    def finished(self, stop: str, length: str) -> str | None:
        return {"stop": stop, "length": length}.get(self.finish or "", self.finish)

    def counted(self, into: str, out: str, total: str = "") -> Json:
        if not isinstance(self.usage, tuple):
            return dict(self.usage or {})
        counts = {into: self.usage[0], out: self.usage[1], total: sum(self.usage)}
        return {name: count for name, count in counts.items() if name}


class Events(NamedTuple):
    """An answer as server-sent events; what `pieces` are of the text is the caller's choice."""

    opening: list[bytes]
    pieces: list[bytes]
    closing: list[bytes]

    @property
    def all(self) -> tuple[bytes, ...]:
        return (*self.opening, *self.pieces, *self.closing)


@dataclass(frozen=True, slots=True)
class Wire:
    """Paths are what follows the provider's own prefix."""

    mount: str  # what the SDK's base URL ends in
    call: re.Pattern[str]
    models: str
    request_id: str  # the response header's name
    key: Callable[[Mapping[str, str]], str]  # from headers, names in lower case
    read: Callable[[Json, re.Match[str]], WireRequest]
    whole: Callable[[WireReply], Json]
    events: Callable[[WireReply, Sequence[str]], Events]
    listing: Callable[[Sequence[str]], Json]
    error: Callable[[int, str], Json]  # status, message


def event(value: Any, kind: str | None = None) -> bytes:
    name = f"event: {kind}\n" if kind else ""
    return f"{name}data: {json.dumps(value)}\n\n".encode()


def text_of(content: Any) -> str:
    """The text of a string, of a block, or of a list of them."""
    if isinstance(content, Mapping):
        content = content.get("text") or content.get("parts") or ""
    return content if isinstance(content, str) else "\n".join(filter(None, map(text_of, content)))


_ROLES: dict[Any, Role] = {
    "system": "system", "developer": "system", "assistant": "assistant", "model": "assistant",
}  # fmt: skip


def _messages(system: Any, turns: Any, content: str) -> tuple[Message, ...]:
    turns = [turns] if isinstance(turns, Mapping) else turns
    first = (Message("system", text_of(system)),) if system else ()
    said = (Message(_ROLES.get(turn.get("role"), "user"), text_of(turn[content])) for turn in turns)
    return (*first, *said)


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _read(body: Json, _: re.Match[str]) -> WireRequest:
    """Of Anthropic and of OpenAI."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return WireRequest(
        str(body["model"]),
        _messages(body.get("system"), body["messages"], "content"),
        bool(body.get("stream")),
        int(limit) if limit else None,
        bool((body.get("stream_options") or {}).get("include_usage")),
    )


# Anthropic


_SIGNED = "c2lnbmVk"


def _anthropic_whole(answer: WireReply) -> Json:
    thinking = {"type": "thinking", "thinking": answer.thinking, "signature": _SIGNED}
    blocks = ((thinking, answer.thinking), ({"type": "text", "text": answer.text}, answer.text))
    return {
        "id": f"msg_{answer.id}", "type": "message", "role": "assistant", "model": answer.model,
        "content": [block for block, said in blocks if said is not None],
        "stop_reason": answer.finished("end_turn", "max_tokens"), "stop_sequence": None,
        "usage": answer.counted("input_tokens", "output_tokens"),
    }  # fmt: skip


def _anthropic_events(answer: WireReply, pieces: Sequence[str]) -> Events:
    message = _anthropic_whole(answer)
    stop = {name: message[name] for name in ("stop_reason", "stop_sequence")}
    usage = message["usage"]
    begun = usage and {**usage, "output_tokens": 1}
    message |= {"content": [], "stop_reason": None, "usage": begun}
    opening: list[Json] = [{"type": "message_start", "message": message}]
    closing: list[Json] = []
    index = 0
    if answer.thinking is not None:
        blank = {"type": "thinking", "thinking": "", "signature": ""}
        opening += [
            _block("start", index, content_block=blank),
            _block("delta", index, delta=_delta("thinking", answer.thinking)),
            _block("delta", index, delta=_delta("signature", _SIGNED)),
            _block("stop", index),
        ]
        index += 1
    if answer.text is not None:
        opening.append(_block("start", index, content_block={"type": "text", "text": ""}))
        closing.append(_block("stop", index))
    said = [_block("delta", index, delta=_delta("text", piece)) for piece in pieces]
    if answer.finish is not None:
        closing.append({"type": "message_delta", "delta": stop, "usage": usage})
        closing.append({"type": "message_stop"})
    typed = ([event(each, each["type"]) for each in part] for part in (opening, said, closing))
    return Events(*typed)


def _block(what: str, index: int, **more: Any) -> Json:
    return {"type": f"content_block_{what}", "index": index, **more}


def _delta(what: str, text: str) -> Json:
    return {"type": f"{what}_delta", what: text}


def _anthropic_listing(models: Sequence[str]) -> Json:
    born = {"type": "model", "created_at": "2026-01-01T00:00:00Z", "lifecycle": "active"}
    rows = [{"id": name, "display_name": _title(name), **born} for name in models]
    ends = {"first_id": models[0], "last_id": models[-1]} if models else {}
    return {"data": rows, "has_more": False, **ends}


def _title(model: str) -> str:
    return model.replace("-", " ").title()


_ANTHROPIC_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error",
    403: "permission_error", 404: "not_found_error", 413: "request_too_large",
    429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error",
    529: "overloaded_error",
}  # fmt: skip


def _anthropic_error(status: int, message: str) -> Json:
    default = "api_error" if status >= 500 else "invalid_request_error"
    error = {"type": _ANTHROPIC_TYPES.get(status, default), "message": message}
    return {"type": "error", "error": error}


ANTHROPIC = Wire(
    mount="", call=re.compile(r"/v1/messages"), models="/v1/models", request_id="request-id",
    key=_bearer, read=_read, whole=_anthropic_whole, events=_anthropic_events,
    listing=_anthropic_listing, error=_anthropic_error,
)  # fmt: skip

# OpenAI, and the four that are compatible with it


def _openai_object(answer: WireReply, kind: str, choices: list[Json], *, usage: bool) -> Json:
    about = {"id": f"chatcmpl-{answer.id}", "object": kind, "created": answer.created}
    counts = answer.counted("prompt_tokens", "completion_tokens", "total_tokens") if usage else {}
    named = {**about, "model": answer.model, "choices": choices}
    return {**named, "usage": counts} if counts else named


def _openai_whole(answer: WireReply) -> Json:
    message = {"role": "assistant", "content": answer.text, "refusal": answer.refusal}
    if answer.thinking is not None:
        message["reasoning_content"] = answer.thinking
    choice = {"index": 0, "message": message, "logprobs": None}
    choice["finish_reason"] = answer.finished("stop", "length")
    return _openai_object(answer, "chat.completion", [choice], usage=True)


def _openai_events(answer: WireReply, pieces: Sequence[str]) -> Events:
    def chunk(*choices: Json, usage: bool = False) -> bytes:
        return event(_openai_object(answer, "chat.completion.chunk", list(choices), usage=usage))

    def delta(finish: str | None = None, **said: str) -> bytes:
        return chunk({"index": 0, "delta": said, "finish_reason": finish})

    opening = [delta(role="assistant", content="")]
    if answer.thinking is not None:
        opening.append(delta(reasoning_content=answer.thinking))
    if answer.refusal is not None:
        opening.append(delta(refusal=answer.refusal))
    said = [delta(content=piece) for piece in pieces]
    if answer.finish is None:
        return Events(opening, said, [])
    counts = [chunk(usage=True)] if answer.wants_usage and answer.usage else []
    end = [delta(answer.finished("stop", "length")), *counts, b"data: [DONE]\n\n"]
    return Events(opening, said, end)


def _openai_listing(models: Sequence[str]) -> Json:
    born = {"object": "model", "created": 1, "owned_by": "standin"}
    return {"object": "list", "data": [{"id": name, **born} for name in models]}


_OPENAI_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


def _openai_error(status: int, message: str) -> Json:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    code = _OPENAI_CODES.get(status)
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


OPENAI = Wire(
    mount="/v1", call=re.compile(r"/v1/chat/completions"), models="/v1/models",
    request_id="x-request-id", key=_bearer, read=_read, whole=_openai_whole,
    events=_openai_events, listing=_openai_listing, error=_openai_error,
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


def _google_part(
    answer: WireReply, text: str | None, *, first: bool = True, last: bool = True
) -> Json:
    parts: list[Json] = []
    if first and answer.thinking is not None:
        parts.append({"text": answer.thinking, "thought": True})
    if text is not None:
        parts.append({"text": text})
    candidate: Json = {"index": 0}
    if parts:
        candidate["content"] = {"role": "model", "parts": parts}
    if last and answer.finish is not None:
        candidate["finishReason"] = answer.finished("STOP", "MAX_TOKENS")
    counts = answer.counted("promptTokenCount", "candidatesTokenCount", "totalTokenCount")
    return {
        "candidates": [candidate],
        "modelVersion": answer.model,
        "responseId": answer.id,
        **({"usageMetadata": counts} if last and counts else {}),
    }


def _google_events(answer: WireReply, pieces: Sequence[str]) -> Events:
    parts: list[str | None] = [*pieces] or [None]
    *before, end = parts
    said = [
        event(_google_part(answer, piece, first=place == 0, last=False))
        for place, piece in enumerate(before)
    ]
    return Events([], said, [event(_google_part(answer, end, first=not before))])


def _google_listing(models: Sequence[str]) -> Json:
    more = {"supportedGenerationMethods": ["generateContent"]}
    rows = [{"name": f"models/{name}", "displayName": _title(name), **more} for name in models]
    return {"models": rows}


_GOOGLE_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip


def _google_error(status: int, message: str) -> Json:
    name = _GOOGLE_STATUSES.get(status, "INTERNAL" if status >= 500 else "UNKNOWN")
    return {"error": {"code": status, "message": message, "status": name}}


_GOOGLE_CALL = r"/v1(?:beta)?/models/(?P<model>[^:]+):(?P<verb>generate|streamGenerate)Content"
GOOGLE = Wire(
    mount="", call=re.compile(_GOOGLE_CALL), models="/v1beta/models", request_id="x-practice-id",
    key=lambda headers: headers.get("x-goog-api-key", ""), read=_google_read,
    whole=lambda answer: _google_part(answer, answer.text), events=_google_events,
    listing=_google_listing, error=_google_error,
)  # fmt: skip
