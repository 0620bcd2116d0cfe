"""The HTTP clients of all providers: no redirects, no environment, and a cap on bodies."""

from __future__ import annotations

import codecs
import os
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import httpx2

from core.config.certificates import tls_context

MAX_BODY = 16 * 1024 * 1024  # bytes, decoded
CONNECT_TIMEOUT = 5.0  # seconds
_LANE = 4  # requests at once in one pool
READ_TIMEOUT = 600.0  # seconds a read may stall; the deadline of an attempt is kept by cancelling

# What the SDKs read by themselves. Kept from them, so that nothing meant for one vendor
# (an organisation, extra headers, another address) travels to another.
# Certificates are ours to choose.
_SDK_VARIABLES = ("OPENAI_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "SSL_CERT_")

# Whether the request that this task is making got past the SDK: what fails before is our fault.
was_sent: ContextVar[bool] = ContextVar("was_sent", default=True)


class BodyTooLarge(Exception):
    """The decoded body of an answer went over MAX_BODY."""


class _CappedStream(httpx2.AsyncByteStream):
    def __init__(
        self, stream: httpx2.AsyncByteStream, encoding: str, *, strict: bool = False
    ) -> None:
        self._stream = stream
        self._text = codecs.getincrementaldecoder("utf-8")() if strict else None
        self._begun = not strict
        self._decoder = zlib.decompressobj(wbits=47) if encoding in ("gzip", "deflate") else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        room = MAX_BODY
        async for chunk in self._stream:
            try:
                # At most one byte more than fits is ever decoded, however well it was packed.
                data = self._decoder.decompress(chunk, room + 1) if self._decoder else chunk
            except zlib.error as error:
                raise httpx2.DecodingError(str(error)) from error
            room -= len(data)
            if room < 0:
                raise BodyTooLarge
            if self._text is not None:
                self._text.decode(data)
            if not self._begun and data:
                data, self._begun = data.removeprefix(codecs.BOM_UTF8), True
            yield data
        if self._text is not None:
            self._text.decode(b"", final=True)

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Lanes(httpx2.AsyncBaseTransport):
    """Small connection pools, a further one opened only when those before it are busy.

    At each request a pool looks at the socket of every idle connection. With a few dozen calls
    at once in one pool that costs more than a third of what the SDK does.
    """

    def __init__(self) -> None:
        self._pools: list[httpx2.AsyncHTTPTransport] = []
        self._busy: list[int] = []  # requests under way, by pool

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        lane = next((i for i, busy in enumerate(self._busy) if busy < _LANE), len(self._busy))
        if lane == len(self._busy):
            limits = httpx2.Limits(max_connections=None, max_keepalive_connections=2 * _LANE)
            pool = httpx2.AsyncHTTPTransport(verify=_tls(), trust_env=False, limits=limits)
            self._pools.append(pool)
            self._busy.append(0)
        self._busy[lane] += 1
        try:
            return await self._pools[lane].handle_async_request(request)
        finally:
            self._busy[lane] -= 1

    async def aclose(self) -> None:
        for pool in self._pools:
            await pool.aclose()


class _CappedTransport(_Lanes):
    def __init__(self, *, strict_text: bool) -> None:
        super().__init__()
        self._strict_text = strict_text

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        was_sent.set(True)
        # google-genai knows one time-out for connecting and reading, and sets it on each request.
        timeouts = request.extensions.get("timeout", {})
        request.extensions["timeout"] = {**timeouts, "connect": CONNECT_TIMEOUT}
        response = await super().handle_async_request(request)
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "deflate"):
            await response.aclose()
            raise httpx2.DecodingError("an encoding that was not asked for", request=request)
        strict = self._strict_text and response.status_code == 200
        if encoding != "identity":
            del response.headers["content-encoding"]
            response.headers.pop("content-length", None)
        elif not strict and _length(response) <= MAX_BODY:
            return response  # it cannot go over
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # an async transport's always is
        response.stream = _CappedStream(response.stream, encoding, strict=strict)
        return response


def _length(response: httpx2.Response) -> int:
    length = response.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else MAX_BODY + 1


@cache
def _tls() -> ssl.SSLContext:
    # 20 ms each: one for all clients.
    return tls_context(os.environ)


def make_client(*, strict_text: bool = False) -> httpx2.AsyncClient:
    """A client for one provider. It belongs to the event loop that first uses it.

    With `strict_text` an answer that is no UTF-8 fails, for an SDK that would let it pass.
    """
    return httpx2.AsyncClient(
        transport=_CappedTransport(strict_text=strict_text),
        # Bodies are small and loopback or TLS is fast: not being compressed saves us the work.
        headers={"accept-encoding": "identity"},
        timeout=httpx2.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT),
        follow_redirects=False,
        trust_env=False,
    )


@contextmanager
def without_sdk_variables() -> Iterator[None]:
    """Hide the SDKs' own environment variables while a client is being made."""
    hidden = {
        name: os.environ.pop(name) for name in list(os.environ) if name.startswith(_SDK_VARIABLES)
    }
    try:
        yield
    finally:
        os.environ.update(hidden)
