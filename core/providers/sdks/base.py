"""What the adapters over the vendors' SDKs have in common."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar, Protocol

import httpx2

from core.providers.answers import failures
from core.providers.answers.frames import frames, whole
from core.providers.answers.shape import sound
from core.providers.http import make_client, was_sent, without_sdk_variables
from core.providers.profiles import profile_of
from core.values.calls import Reply, Request
from core.values.errors import ProviderError


class SdkProvider(ABC):
    """One model, by way of an SDK that is imported once it is needed."""

    strict_text: ClassVar[bool] = False  # an answer that is no UTF-8 fails

    def __init__(self, name: str, *, model: str, api_key: str, base_url: str | None) -> None:
        self.model = model
        self._name = name
        self._profile = profile_of(name, model)
        self._key = api_key
        self._base_url = base_url
        self._http = make_client(strict_text=self.strict_text)
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
        """Names of the models that can write text, in the vendor's order.

        Raises:
            ProviderError: the vendor did not tell.
        """
        try:
            await self.prepare()
            return await self._list()
        except Exception as error:  # noqa: BLE001 - SDKs let foreign exceptions through
            raise self._translated(error, sent={}, listing=True) from None

    async def prepare(self) -> None:
        try:
            if self._sdk is None:
                await self._connect()
        except Exception as error:  # noqa: BLE001 - an SDK may fail at anything here
            raise failures.not_started(error) from None

    async def aclose(self) -> None:
        await self._http.aclose()

    @abstractmethod
    async def _connect(self) -> None: ...

    @abstractmethod
    def _body(self, request: Request, *, stream: bool) -> dict[str, Any]: ...

    @abstractmethod
    async def _ask(self, body: dict[str, Any], on_text: Callable[[str], None] | None) -> Reply: ...

    @abstractmethod
    async def _list(self) -> list[str]: ...

    @abstractmethod
    def _translated(
        self, error: Exception, *, sent: Mapping[str, Any], listing: bool = False
    ) -> ProviderError: ...


class Heard(Protocol):
    """What has come of an answer, in pieces or whole."""

    def take(self, frame: Any) -> None: ...

    def reply(self, asked: str, *, allowed: int | None, request_id: str | None) -> Reply: ...


class PostingProvider(SdkProvider):
    """What anthropic's and openai's SDK, which are made alike, have in common."""

    package: ClassVar[str]
    client: ClassVar[str]
    path: ClassVar[str]
    request_id: ClassVar[str]  # a header's name
    needed: ClassVar[tuple[str, ...]]  # of a body: what cannot be left out
    lengths: ClassVar[tuple[str, ...]]  # of a body: what caps the answer

    @abstractmethod
    def _heard(self, on_text: Callable[[str], None] | None) -> Heard: ...

    async def _connect(self) -> None:
        sdk = await asyncio.to_thread(import_module, self.package)
        if self._sdk is None:
            with without_sdk_variables():
                self._sdk = getattr(sdk, self.client)(
                    api_key=self._key,
                    base_url=self._base_url,
                    max_retries=0,
                    http_client=self._http,
                )

    async def _list(self) -> list[str]:
        return [model.id async for model in self._sdk.models.list()]

    async def _ask(self, body: dict[str, Any], on_text: Callable[[str], None] | None) -> Reply:
        stream, heard = "stream" in body, self._heard(on_text)
        # The SDK's own post(), and the bytes that came: its create() knows only today's parameters,
        # sorts each by its type, and its models take an answer apart that is of any other shape.
        how = {"cast_to": httpx2.Response, "stream": stream}
        response = await self._sdk.post(self.path, body=body, **how)
        try:
            if stream:
                async for frame in frames(response):
                    heard.take(frame)
            else:
                heard.take(await whole(response))
        finally:
            await response.aclose()
        return heard.reply(
            self.model,
            allowed=next((body[name] for name in self.lengths if name in body), None),
            request_id=response.headers.get(self.request_id),
        )

    def _translated(
        self, error: Exception, *, sent: Mapping[str, Any], listing: bool = False
    ) -> ProviderError:
        optional = [name for name in sent if name not in self.needed]
        return failures.from_sdk(error, provider=self._name, optional=optional, listing=listing)
