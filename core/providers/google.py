"""Google's wire format, by way of the google-genai SDK."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable, Mapping
from contextlib import aclosing
from importlib import import_module
from types import MappingProxyType
from typing import Any

import httpx2

from core.providers.answers import failures
from core.providers.answers.complaint import is_error
from core.providers.answers.endings import cut_off
from core.providers.answers.shape import sound
from core.providers.http import READ_TIMEOUT, make_client, was_sent, without_sdk_variables
from core.providers.profiles import profile_of
from core.values.calls import Reply, Request, Usage
from core.values.errors import ProviderError


class Google:
    """One Gemini model."""

    def __init__(self, name: str, *, model: str, api_key: str, base_url: str | None) -> None:
        self.model = model
        self._profile = profile_of(name, model)
        self._key = api_key
        self._base_url = base_url
        self._http = make_client(strict_text=True)
        self._http.event_hooks = {"response": [_look_inside]}
        self._sdk: Any = None

    async def complete(
        self, request: Request, *, on_text: Callable[[str], None] | None = None
    ) -> Reply:
        config = self._config(request)
        arguments = {
            "model": self.model,
            "contents": [
                {
                    "role": "model" if message.role == "assistant" else "user",
                    "parts": [{"text": message.content}],
                }
                for message in request.messages
                if message.role != "system"
            ],
            "config": config,
        }
        was_sent.set(False)
        try:
            await self.prepare()
            ask = self._sdk.aio.models
            allowed = config.get("max_output_tokens")
            if on_text is None:
                answer = await ask.generate_content(**arguments)
                reply = self._read(answer, allowed=allowed)
            else:
                chunks = await ask.generate_content_stream(**arguments)
                reply = await self._stream(chunks, on_text, allowed=allowed)
            return sound(reply, asked=self.model)
        except ProviderError:
            raise
        except Exception as error:  # noqa: BLE001 - the SDK lets foreign exceptions through
            raise self._translated(error, sent=config) from None

    async def models(self) -> list[str]:
        """Names of the models that can write text, in the vendor's order.

        Raises:
            ProviderError: the vendor did not tell.
        """
        try:
            await self.prepare()
            return [
                model.name.removeprefix("models/")
                async for model in await self._sdk.aio.models.list()
                if model.name
                and "generateContent" in (model.supported_actions or ("generateContent",))
            ]
        except Exception as error:  # noqa: BLE001 - the SDK lets foreign exceptions through
            raise self._translated(error, listing=True) from None

    async def prepare(self) -> None:
        try:
            if self._sdk is None:
                await self._connect()
        except Exception as error:  # noqa: BLE001 - an SDK may fail at anything here
            raise failures.not_started(error) from None

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _connect(self) -> None:
        genai = await asyncio.to_thread(import_module, "google.genai")
        if self._sdk is None:
            # A finish reason newer than the SDK is a warning there and handled here.
            warnings.filterwarnings("ignore", message=".*is not a valid", category=UserWarning)
            types = genai.types
            options = types.HttpOptions(
                base_url=self._base_url,
                api_version="v1beta",
                timeout=int(READ_TIMEOUT * 1000),  # milliseconds here, and endless without it
                httpx_async_client=self._http,
                retry_options=types.HttpRetryOptions(attempts=1),
            )
            with without_sdk_variables():
                self._sdk = genai.Client(api_key=self._key, vertexai=False, http_options=options)

    def _config(self, request: Request) -> dict[str, Any]:
        profile = self._profile
        config: dict[str, Any] = {"max_output_tokens": max(request.max_tokens, profile.min_tokens)}
        system = "\n\n".join(m.content for m in request.messages if m.role == "system")
        if system:
            config["system_instruction"] = system
        if profile.temperature and request.temperature is not None:
            config["temperature"] = request.temperature
        if thinking := {k: v for k, v in profile.extra.items() if k not in request.dropped}:
            config["thinking_config"] = thinking
        if request.json_schema is not None and "response_json_schema" not in request.dropped:
            config["response_mime_type"] = "application/json"
            config["response_json_schema"] = request.json_schema
        return {name: value for name, value in config.items() if name not in request.dropped}

    def _read(self, answer: Any, *, allowed: int | None) -> Reply:
        feedback = answer.prompt_feedback
        if feedback is not None and feedback.block_reason:
            raise failures.refused(feedback.block_reason_message)
        if not answer.candidates:
            raise failures.not_an_answer(answer)
        candidate = answer.candidates[0]
        usage = _usage(answer.usage_metadata)
        return self._reply(
            _text(candidate), candidate.finish_reason, answer, usage=usage, allowed=allowed
        )

    async def _stream(
        self, chunks: Any, on_text: Callable[[str], None], *, allowed: int | None
    ) -> Reply:
        pieces: list[str] = []
        finish, usage, last = None, None, None
        async with aclosing(chunks):
            async for chunk in chunks:
                last = chunk
                usage = chunk.usage_metadata or usage
                feedback = chunk.prompt_feedback
                if feedback is not None and feedback.block_reason:
                    raise failures.refused(feedback.block_reason_message)
                for candidate in (chunk.candidates or ())[:1]:
                    finish = candidate.finish_reason or finish
                    if text := _text(candidate):
                        pieces.append(text)
                        on_text(text)
        if last is None or finish is None:
            raise failures.bad_response("Its answer broke off in the middle.")
        return self._reply("".join(pieces), finish, last, usage=_usage(usage), allowed=allowed)

    def _reply(
        self, text: str, finish: Any, answer: Any, *, usage: Usage, allowed: int | None
    ) -> Reply:
        reason = str(getattr(finish, "value", finish) or "")
        truncated = cut_off(text, reason, written=usage.output_tokens, allowed=allowed)
        return Reply(text, answer.model_version or self.model, usage, answer.response_id, truncated)

    def _translated(
        self,
        error: Exception,
        *,
        sent: Mapping[str, Any] = MappingProxyType({}),
        listing: bool = False,
    ) -> ProviderError:
        optional = [
            name for name in (*sent, *sent.get("thinking_config", ())) if name not in _NEEDED
        ]
        if isinstance(error, failures.ErrorInside):
            return failures.from_status(200, error.body, optional=optional, provider="google")
        code = getattr(error, "code", None)
        if not isinstance(code, int):
            return failures.from_exception(error)
        return failures.from_status(
            code,
            getattr(error, "details", None),
            headers=getattr(getattr(error, "response", None), "headers", None),
            optional=optional,
            provider="google",
            listing=listing,
        )


_NEEDED = ("max_output_tokens", "system_instruction")


async def _look_inside(response: httpx2.Response) -> None:
    """An error that came with a 200 is one: the SDK makes an answer without text of it."""
    if response.status_code == 200 and "json" in response.headers.get("content-type", ""):
        value = json.loads((await response.aread()).strip() or b"null")
        if is_error(value):
            raise failures.ErrorInside(value)


def _text(candidate: Any) -> str:
    parts = (candidate.content.parts if candidate.content else None) or ()
    return "".join(part.text for part in parts if part.text and not part.thought)


def _usage(usage: Any) -> Usage:
    if usage is None:
        return Usage()
    # Thoughts are billed as output and counted apart.
    written = [usage.candidates_token_count, usage.thoughts_token_count]
    output = sum(count or 0 for count in written) if any(c is not None for c in written) else None
    return Usage(usage.prompt_token_count, output, usage.cached_content_token_count)
