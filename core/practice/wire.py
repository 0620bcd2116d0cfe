"""The three wire formats: how each vendor's SDK asks, and what it wants to read.

A `Wire` is a row of plain functions; who speaks which is said in `characters.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.values.calls import Message, Role

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    model: str
    messages: tuple[Message, ...]
    stream: bool
    max_tokens: int | None
    wants_usage: bool = True  # in a stream


@dataclass(frozen=True, slots=True)
class Answer:
    id: str
    model: str
    text: str
    input_tokens: int
    output_tokens: int
    created: int  # UTC seconds since the epoch
    truncated: bool = False
    wants_usage: bool = True


@dataclass(frozen=True, slots=True)
class Wire:
    """Paths are what follows the provider's own prefix."""

    mount: str  # what the SDK's base URL ends in
    call: re.Pattern[str]
    models: str
    request_id: str  # the response header's name
    key: Callable[[Mapping[str, str]], str]
    read: Callable[[Json, re.Match[str]], Question]
    whole: Callable[[Answer], Json]
    opening: Callable[[Answer], bytes]
    piece: Callable[[Answer, str], bytes]
    closing: Callable[[Answer], bytes]
    listing: Callable[[Sequence[str]], Json]
    error: Callable[[int, str, str], Json]  # status, vendor's name for it, message


def bearer(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def text_of(content: Any) -> str:
    """The text of a string, of a block, or of a list of them."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return text_of(content.get("text") or content.get("parts") or "")
    if isinstance(content, Sequence):
        return "\n".join(filter(None, map(text_of, content)))
    return ""


_ROLES: dict[Any, Role] = {
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
    "model": "assistant",
}


def _messages(system: Any, turns: Any, content: str) -> tuple[Message, ...]:
    turns = [turns] if isinstance(turns, Mapping) else turns
    first = (Message("system", text_of(system)),) if system else ()
    said = (Message(_ROLES.get(turn.get("role"), "user"), text_of(turn[content])) for turn in turns)
    return (*first, *said)


def _frame(data: Json, event: str | None = None) -> bytes:
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


# Anthropic


def _anthropic_read(body: Json, _: re.Match[str]) -> Question:
    return Question(
        str(body["model"]),
        _messages(body.get("system"), body["messages"], "content"),
        bool(body.get("stream")),
        int(body["max_tokens"]),
    )


def _anthropic_message(answer: Answer, content: list[Json], stop: str | None, output: int) -> Json:
    return {
        "id": f"msg_01{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": answer.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output,
            "service_tier": "standard",
        },
    }


def _anthropic_stop(answer: Answer) -> str:
    return "max_tokens" if answer.truncated else "end_turn"


def _anthropic_whole(answer: Answer) -> Json:
    content: list[Json] = [{"type": "text", "text": answer.text}]
    return _anthropic_message(answer, content, _anthropic_stop(answer), answer.output_tokens)


def _anthropic_events(events: Iterable[Json]) -> bytes:
    return b"".join(_frame(event, event["type"]) for event in events)


def _anthropic_opening(answer: Answer) -> bytes:
    block = {"type": "text", "text": ""}
    return _anthropic_events(
        (
            {"type": "message_start", "message": _anthropic_message(answer, [], None, 1)},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "ping"},
        )
    )


def _anthropic_piece(_: Answer, text: str) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return _anthropic_events(({"type": "content_block_delta", "index": 0, "delta": delta},))


def _anthropic_closing(answer: Answer) -> bytes:
    stop = {"stop_reason": _anthropic_stop(answer), "stop_sequence": None}
    usage = {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
    return _anthropic_events(
        (
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": stop, "usage": usage},
            {"type": "message_stop"},
        )
    )


def _anthropic_listing(models: Sequence[str]) -> Json:
    rows = [
        {
            "type": "model",
            "id": model,
            "display_name": model.replace("-", " ").title(),
            "created_at": "2026-10-01T00:00:00Z",
            "lifecycle": "active",
        }
        for model in models
    ]
    return {"data": rows, "has_more": False, "first_id": models[0], "last_id": models[-1]}


ANTHROPIC = Wire(
    mount="",
    call=re.compile(r"/v1/messages"),
    models="/v1/models",
    request_id="request-id",
    key=bearer,
    read=_anthropic_read,
    whole=_anthropic_whole,
    opening=_anthropic_opening,
    piece=_anthropic_piece,
    closing=_anthropic_closing,
    listing=_anthropic_listing,
    error=lambda _, name, message: {"type": "error", "error": {"type": name, "message": message}},
)

# OpenAI, and the four that are compatible with it


def _openai_read(body: Json, _: re.Match[str]) -> Question:
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return Question(
        str(body["model"]),
        _messages(None, body["messages"], "content"),
        bool(body.get("stream")),
        int(limit) if limit else None,
        bool((body.get("stream_options") or {}).get("include_usage")),
    )


def _openai_usage(answer: Answer) -> Json:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _openai_object(answer: Answer, kind: str, choices: list[Json], usage: Json | None) -> Json:
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": kind,
        "created": answer.created,
        "model": answer.model,
        "choices": choices,
        "usage": usage,
    }


def _openai_finish(answer: Answer) -> str:
    return "length" if answer.truncated else "stop"


def _openai_whole(answer: Answer) -> Json:
    message = {"role": "assistant", "content": answer.text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": _openai_finish(answer)}
    return _openai_object(answer, "chat.completion", [choice], _openai_usage(answer))


def _openai_chunk(answer: Answer, delta: Json, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _frame(_openai_object(answer, "chat.completion.chunk", [choice], None))


def _openai_closing(answer: Answer) -> bytes:
    usage = _openai_object(answer, "chat.completion.chunk", [], _openai_usage(answer))
    return b"".join(
        (
            _openai_chunk(answer, {}, _openai_finish(answer)),
            _frame(usage) if answer.wants_usage else b"",
            b"data: [DONE]\n\n",
        )
    )


def _openai_listing(models: Sequence[str]) -> Json:
    rows = [
        {"id": model, "object": "model", "created": 1790000000, "owned_by": "practice"}
        for model in models
    ]
    return {"object": "list", "data": rows}


OPENAI = Wire(
    mount="/v1",
    call=re.compile(r"/v1/chat/completions"),
    models="/v1/models",
    request_id="x-request-id",
    key=bearer,
    read=_openai_read,
    whole=_openai_whole,
    opening=lambda answer: _openai_chunk(answer, {"role": "assistant", "content": ""}),
    piece=lambda answer, text: _openai_chunk(answer, {"content": text}),
    closing=_openai_closing,
    listing=_openai_listing,
    error=lambda _, name, message: {
        "error": {"message": message, "type": name, "param": None, "code": name}
    },
)

# Google


def _google_read(body: Json, path: re.Match[str]) -> Question:
    options = body.get("generationConfig") or {}
    limit = options.get("maxOutputTokens")
    system = body.get("systemInstruction") or body.get("system_instruction")
    return Question(
        path["model"],
        _messages(system, body["contents"], "parts"),
        path["verb"] == "streamGenerateContent",
        int(limit) if limit else None,
    )


def _google_part(answer: Answer, text: str, finish: str | None, *, usage: bool = True) -> Json:
    candidate: Json = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    counts = {
        "promptTokenCount": answer.input_tokens,
        "candidatesTokenCount": answer.output_tokens,
        "totalTokenCount": answer.input_tokens + answer.output_tokens,
    }
    return {
        "candidates": [candidate | ({"finishReason": finish} if finish else {})],
        **({"usageMetadata": counts} if usage else {}),
        "modelVersion": answer.model,
        "responseId": answer.id,
    }


def _google_finish(answer: Answer) -> str:
    return "MAX_TOKENS" if answer.truncated else "STOP"


def _google_listing(models: Sequence[str]) -> Json:
    rows = [
        {
            "name": f"models/{model}",
            "displayName": model.replace("-", " ").title(),
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent"],
        }
        for model in models
    ]
    return {"models": rows}


GOOGLE = Wire(
    mount="",
    call=re.compile(
        r"/v1(?:beta)?/models/(?P<model>[^:]+):(?P<verb>generateContent|streamGenerateContent)"
    ),
    models="/v1beta/models",
    request_id="x-request-id",
    key=lambda headers: headers.get("x-goog-api-key", ""),
    read=_google_read,
    whole=lambda answer: _google_part(answer, answer.text, _google_finish(answer)),
    opening=lambda _: b"",
    piece=lambda answer, text: _frame(_google_part(answer, text, None, usage=False)),
    closing=lambda answer: _frame(_google_part(answer, "", _google_finish(answer))),
    listing=_google_listing,
    error=lambda status, name, message: {
        "error": {"code": status, "message": message, "status": name}
    },
)
