"""Anthropic's wire format, by way of the anthropic SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import httpx2

from core.providers.answers import failures
from core.providers.answers.endings import cut_off
from core.providers.answers.frames import DONE, frames, whole
from core.providers.answers.shape import sound
from core.providers.http import make_client, was_sent, without_sdk_variables
from core.providers.profiles import profile_of
from core.values.calls import Reply, Request, Usage
from core.values.errors import ProviderError

_PATH = "/v1/messages"


class Anthropic:
    """One model of Anthropic's."""

    def __init__(self, name: str, *, model: str, api_key: str, base_url: str | None) -> None:
        self.model = model
        self._profile = profile_of(name, model)
        self._key = api_key
        self._base_url = base_url
        self._http = make_client()
        self._sdk: Any = None

    async def complete(
        self, request: Request, *, on_text: Callable[[str], None] | None = None
    ) -> Reply:
        body = self._body(request, stream=on_text is not None)
        was_sent.set(False)
        try:
            await self.prepare()
            return sound(await self._ask(body, on_text), asked=self.model)
        except ProviderError:
            raise
        except Exception as error:  # noqa: BLE001 - SDKs let foreign exceptions through
            raise self._translated(error, sent=body) from None

    async def models(self) -> list[str]:
        """Names of the models on offer, newest first.

        Raises:
            ProviderError: the vendor did not tell.
        """
        try:
            await self.prepare()
            return [model.id async for model in self._sdk.models.list()]
        except Exception as error:  # noqa: BLE001 - SDKs let foreign exceptions through
            raise failures.from_sdk(error, provider="anthropic", listing=True) from None

    async def prepare(self) -> None:
        try:
            if self._sdk is None:
                await self._connect()
        except Exception as error:  # noqa: BLE001 - an SDK may fail at anything here
            raise failures.not_started(error) from None

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _connect(self) -> None:
        anthropic = await asyncio.to_thread(import_module, "anthropic")
        if self._sdk is None:
            with without_sdk_variables():
                self._sdk = anthropic.AsyncAnthropic(
                    api_key=self._key,
                    base_url=self._base_url,
                    max_retries=0,
                    http_client=self._http,
                )

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

    async def _ask(self, body: dict[str, Any], on_text: Callable[[str], None] | None) -> Reply:
        stream = "stream" in body
        # The SDK's own post(), and the bytes that came: its create() knows only today's parameters
        # and its models only today's answers.
        response = await self._sdk.post(_PATH, body=body, cast_to=httpx2.Response, stream=stream)
        heard = _Heard(on_text)
        try:
            if stream:
                async for frame in frames(response):
                    heard.take(frame)
            else:
                heard.take(await whole(response))
        finally:
            await response.aclose()
        return heard.reply(
            self.model, allowed=body["max_tokens"], request_id=response.headers.get("request-id")
        )

    def _translated(self, error: Exception, *, sent: Mapping[str, Any]) -> ProviderError:
        return failures.from_sdk(
            error, provider="anthropic", optional=[name for name in sent if name not in _NEEDED]
        )


_NEEDED = ("model", "messages", "max_tokens", "system")


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

    def reply(self, asked: str, *, allowed: int, request_id: str | None) -> Reply:
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
