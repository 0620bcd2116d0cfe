"""Google's wire format, by way of the google-genai SDK."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable, Mapping
from contextlib import aclosing
from importlib import import_module
from typing import Any

import httpx2

from core.providers.answers import failures
from core.providers.answers.complaint import is_error
from core.providers.answers.endings import cut_off
from core.providers.http import READ_TIMEOUT, without_sdk_variables
from core.providers.sdks.base import SdkProvider
from core.values.calls import Reply, Request, Usage
from core.values.errors import ProviderError


class Google(SdkProvider):
    """One Gemini model."""

    strict_text = True

    def __init__(self, name: str, *, model: str, api_key: str, base_url: str | None) -> None:
        super().__init__(name, model=model, api_key=api_key, base_url=base_url)
        self._http.event_hooks = {"response": [_look_inside]}

    async def _list(self) -> list[str]:
        return [
            model.name.removeprefix("models/")
            async for model in await self._sdk.aio.models.list()
            if model.name and "generateContent" in (model.supported_actions or ("generateContent",))
        ]

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

    def _body(self, request: Request, *, stream: bool) -> dict[str, Any]:
        contents = [
            {
                "role": "model" if message.role == "assistant" else "user",
                "parts": [{"text": message.content}],
            }
            for message in request.messages
            if message.role != "system"
        ]
        return {"model": self.model, "contents": contents, "config": self._config(request)}

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

    async def _ask(self, body: dict[str, Any], on_text: Callable[[str], None] | None) -> Reply:
        models, allowed = self._sdk.aio.models, body["config"].get("max_output_tokens")
        if on_text is None:
            return self._read(await models.generate_content(**body), allowed=allowed)
        chunks = await models.generate_content_stream(**body)
        return await self._stream(chunks, on_text, allowed=allowed)

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
        self, error: Exception, *, sent: Mapping[str, Any], listing: bool = False
    ) -> ProviderError:
        config = sent.get("config", {})
        names = (*config, *config.get("thinking_config", ()))
        optional = [name for name in names if name not in _NEEDED]
        if isinstance(error, failures.ErrorInside):
            return failures.from_status(200, error.body, optional=optional, provider=self._name)
        code = getattr(error, "code", None)
        if not isinstance(code, int):
            return failures.from_exception(error)
        return failures.from_status(
            code,
            getattr(error, "details", None),
            headers=getattr(getattr(error, "response", None), "headers", None),
            optional=optional,
            provider=self._name,
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
