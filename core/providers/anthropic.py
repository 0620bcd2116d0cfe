"""Anthropic's wire format, by way of the anthropic SDK."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

from core.errors import ErrorKind, ProviderError
from core.providers import failures
from core.providers.http import READ_TIMEOUT, make_client, was_sent, without_sdk_variables
from core.providers.profiles import profile_of
from core.providers.shape import sound
from core.types import Reply, Request, Usage


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
        arguments = self._arguments(request)
        was_sent.set(False)
        try:
            client = self._sdk or await self._connect()
            if on_text is None:
                # Without a time-out of ours the SDK refuses to wait for a long answer.
                answer = await client.messages.create(**arguments, timeout=READ_TIMEOUT)
                reply = self._read(answer)
            else:
                reply = await self._stream(client, arguments, on_text)
            return sound(reply, asked=self.model)
        except ProviderError:
            raise
        except Exception as error:  # noqa: BLE001 - SDKs let foreign exceptions through
            raise self._translated(error, optional=arguments) from None

    async def models(self) -> list[str]:
        """Names of the models on offer, newest first.

        Raises:
            ProviderError: the vendor did not tell.
        """
        try:
            client = self._sdk or await self._connect()
            return [model.id async for model in client.models.list()]
        except Exception as error:  # noqa: BLE001 - SDKs let foreign exceptions through
            raise self._translated(error) from None

    async def prepare(self) -> None:
        if self._sdk is None:
            await self._connect()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _connect(self) -> Any:
        anthropic = await asyncio.to_thread(import_module, "anthropic")
        if self._sdk is None:
            # That a model is about to retire is told in the console, by its own words.
            warnings.filterwarnings("ignore", message="The model '", category=DeprecationWarning)
            with without_sdk_variables():
                self._sdk = anthropic.AsyncAnthropic(
                    api_key=self._key,
                    base_url=self._base_url,
                    max_retries=0,
                    http_client=self._http,
                )
        return self._sdk

    def _arguments(self, request: Request) -> dict[str, Any]:
        profile = self._profile
        extra: dict[str, Any] = {}
        if profile.temperature and request.temperature is not None:
            # Gone from the SDK's signature; older models still take it, up to 1.
            extra["temperature"] = min(request.temperature, 1.0)
        optional: dict[str, Any] = dict(profile.extra)
        if request.json_schema is not None and profile.json_mode == "schema":
            form = {"type": "json_schema", "schema": request.json_schema}
            optional["output_config"] = {"format": form}
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
            "extra_body": {k: v for k, v in extra.items() if k not in request.dropped},
        }

    def _read(self, answer: Any) -> Reply:
        content = getattr(answer, "content", None)
        if not isinstance(content, list) or isinstance(answer, list):
            raise failures.not_an_answer(answer)
        text = "".join(block.text for block in content if block.type == "text")
        return _reply(
            text,
            answer.stop_reason,
            answer,
            usage=_usage(answer.usage),
            request_id=answer._request_id,
        )

    async def _stream(
        self, client: Any, arguments: dict[str, Any], on_text: Callable[[str], None]
    ) -> Reply:
        stream = await client.messages.create(**arguments, stream=True)
        if not hasattr(stream, "__aiter__"):
            raise failures.not_an_answer(stream)
        pieces: list[str] = []
        message: Any = None
        stop_reason, output_tokens, last = None, None, None
        async with stream:
            async for event in stream:
                if event.type == "message_start":
                    message = event.message
                elif event.type == "content_block_delta" and event.delta.type == "text_delta":
                    pieces.append(event.delta.text)
                    on_text(event.delta.text)
                elif event.type == "message_delta":
                    last = event.delta
                    stop_reason = event.delta.stop_reason
                    output_tokens = event.usage.output_tokens if event.usage else None
        if message is None or stop_reason is None:
            raise failures.bad_response("Its answer broke off in the middle.")
        return _reply(
            "".join(pieces),
            stop_reason,
            last,
            model=message.model,
            usage=_usage(message.usage, output_tokens),
            request_id=stream.response.headers.get("request-id"),
        )

    def _translated(
        self, error: Exception, *, optional: dict[str, Any] | None = None
    ) -> ProviderError:
        response = getattr(error, "response", None)
        if response is None:
            return failures.from_exception(error)
        sent = optional or {}
        return failures.from_status(
            response.status_code,
            getattr(error, "body", None),
            headers=response.headers,
            request_id=getattr(error, "request_id", None),
            optional=[name for name in (*sent, *sent.get("extra_body", ())) if name not in _NEEDED],
        )


_NEEDED = ("model", "messages", "max_tokens", "system", "extra_body")


def _reply(
    text: str,
    stop_reason: str | None,
    end: Any,
    *,
    usage: Usage,
    request_id: str | None,
    model: str | None = None,
) -> Reply:
    if stop_reason == "refusal":
        details = getattr(end, "stop_details", None)
        raise failures.refused(getattr(details, "explanation", None))
    if stop_reason == "model_context_window_exceeded":
        raise ProviderError(
            ErrorKind.CONTEXT_TOO_LONG, "The request fills the model's memory.", http_status=200
        )
    truncated = stop_reason == "max_tokens"
    if not text.strip():
        raise failures.empty(truncated=truncated)
    return Reply(text, model or end.model, usage, request_id, truncated)


def _usage(usage: Any, output_tokens: int | None = None) -> Usage:
    if usage is None or usage.input_tokens is None:
        return Usage(None, output_tokens)
    cached = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    # Anthropic counts cached input apart; the total is what the others call input.
    return Usage(
        usage.input_tokens + cached + written,
        usage.output_tokens if output_tokens is None else output_tokens,
        usage.cache_read_input_tokens,
    )
