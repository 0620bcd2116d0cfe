"""The OpenAI wire format: OpenAI, DeepSeek, Kimi, NVIDIA NIM and a BitNet server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from core.errors import ProviderError
from core.providers import failures
from core.providers.http import make_client, was_sent, without_sdk_variables
from core.providers.profiles import profile_of
from core.providers.shape import sound
from core.types import Reply, Request, Usage

_PATH = "/chat/completions"
_REFUSALS = ("content_filter",)


class OpenAICompatible:
    """One model behind the OpenAI wire format, by way of the openai SDK."""

    def __init__(self, name: str, *, model: str, api_key: str, base_url: str | None) -> None:
        self.model = model
        self._name = name
        self._profile = profile_of(name, model)
        self._key = api_key
        self._base_url = base_url
        self._http = make_client()
        self._sdk: Any = None
        self._types: Any = None
        self._stream_type: Any = None

    async def complete(
        self, request: Request, *, on_text: Callable[[str], None] | None = None
    ) -> Reply:
        body = self._body(request)
        was_sent.set(False)
        try:
            if self._sdk is None:
                await self._connect()
            if on_text is None:
                # The SDK's own post(): its create() first sorts every parameter by its type,
                # which costs more than all of our routing, and ours are plain JSON already.
                answer = await self._sdk.post(_PATH, body=body, cast_to=self._types.ChatCompletion)
                reply = self._read(answer)
            else:
                reply = await self._stream(body, on_text)
            return sound(reply, asked=self.model)
        except ProviderError:
            raise
        except Exception as error:  # noqa: BLE001 - SDKs let foreign exceptions through
            raise self._translated(error, sent=body) from None

    async def models(self) -> list[str]:
        """Names of the models on offer, in the vendor's order.

        Raises:
            ProviderError: the vendor did not tell.
        """
        try:
            await self.prepare()
            return [model.id async for model in self._sdk.models.list()]
        except Exception as error:  # noqa: BLE001 - SDKs let foreign exceptions through
            raise self._translated(error) from None

    async def prepare(self) -> None:
        if self._sdk is None:
            await self._connect()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _connect(self) -> None:
        openai = await asyncio.to_thread(import_module, "openai")
        if self._sdk is None:
            self._types = openai.types.chat
            self._stream_type = openai.AsyncStream[self._types.ChatCompletionChunk]
            with without_sdk_variables():
                self._sdk = openai.AsyncOpenAI(
                    api_key=self._key,
                    base_url=self._base_url,
                    max_retries=0,
                    http_client=self._http,
                )

    def _body(self, request: Request) -> dict[str, Any]:
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
        for name in request.dropped:
            body.pop(name, None)
        messages = [
            {"role": message.role, "content": message.content} for message in request.messages
        ]
        return {"model": self.model, "messages": messages, **body}

    def _read(self, answer: Any) -> Reply:
        choices = getattr(answer, "choices", None)
        if isinstance(answer, str | list) or not isinstance(choices, list) or not choices:
            raise _complaint(answer)
        message = choices[0].message
        if message is None:
            raise failures.not_an_answer(answer)
        return _reply(
            text=message.content,
            refusal=message.refusal,
            finish=choices[0].finish_reason,
            usage=_usage(answer.usage),
            model=answer.model or self.model,
            request_id=answer._request_id,
        )

    async def _stream(self, body: dict[str, Any], on_text: Callable[[str], None]) -> Reply:
        pieces: list[str] = []
        refusal, finish, usage, model, request_id = "", None, None, self.model, None
        stream = await self._sdk.post(
            _PATH,
            body={**body, "stream": True, "stream_options": {"include_usage": True}},
            cast_to=self._types.ChatCompletion,
            stream=True,
            stream_cls=self._stream_type,
        )
        if not hasattr(stream, "__aiter__"):
            raise failures.not_an_answer(stream)
        request_id = stream.response.headers.get("x-request-id")
        async with stream:
            async for chunk in stream:
                model = chunk.model or model
                usage = chunk.usage or usage
                for choice in chunk.choices or ():
                    finish = choice.finish_reason or finish
                    delta = choice.delta
                    if delta is None:
                        continue
                    refusal += delta.refusal or ""
                    if delta.content:
                        pieces.append(delta.content)
                        on_text(delta.content)
        if finish is None:
            raise failures.bad_response("Its answer broke off in the middle.")
        return _reply(
            text="".join(pieces),
            refusal=refusal,
            finish=finish,
            usage=_usage(usage),
            model=model,
            request_id=request_id,
        )

    def _translated(
        self, error: Exception, *, sent: Mapping[str, Any] = MappingProxyType({})
    ) -> ProviderError:
        response = getattr(error, "response", None)
        body = getattr(error, "body", None)
        if response is None and body is None:
            return failures.from_exception(error)
        return failures.from_status(
            response.status_code if response is not None else None,
            body if isinstance(body, dict) else {"error": {"message": ""}},
            headers=response.headers if response is not None else None,
            request_id=getattr(error, "request_id", None),
            optional=[name for name in sent if name not in _NEEDED],
        )


_NEEDED = ("model", "messages")


def _json_format(schema: Any, mode: str) -> dict[str, Any]:
    if mode == "object":
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }


def _complaint(answer: Any) -> ProviderError:
    """A 200 without choices: some servers put their error into it."""
    error = getattr(answer, "error", None)
    if isinstance(error, dict):
        words = str(error.get("message") or "")
        return failures.bad_response(f"It sent an error as if it were an answer: {words}")
    return failures.not_an_answer(answer)


def _reply(
    *,
    text: Any,
    refusal: str | None,
    finish: str | None,
    usage: Usage,
    model: str,
    request_id: str | None,
) -> Reply:
    if refusal or finish in _REFUSALS:
        raise failures.refused(refusal or None)
    truncated = finish == "length"
    if not isinstance(text, str) or not text.strip():
        raise failures.empty(truncated=truncated)
    return Reply(text, model, usage, request_id, truncated)


def _usage(usage: Any) -> Usage:
    if usage is None:
        return Usage()
    details = usage.prompt_tokens_details
    return Usage(
        usage.prompt_tokens, usage.completion_tokens, details.cached_tokens if details else None
    )
