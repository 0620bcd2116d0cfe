"""HTTP/1.1 for one kind of client: the vendors' SDKs, on this computer.

By hand on asyncio streams, because a web server of our own in a second thread would add its
lines to the operator's log and its signals to the console's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import unquote

MAX_HEAD = 64 * 1024  # bytes
MAX_BODY = 32 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Asking:
    method: str
    path: str  # without the query
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    gone: Callable[[], bool]  # has the client hung up?


@dataclass(frozen=True, slots=True)
class Answering:
    status: int
    body: bytes | AsyncGenerator[bytes, None]
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Asking], Awaitable[Answering]]


class _Unreadable(Exception):
    """What arrived is no request that this server reads."""

    def __init__(self, status: int) -> None:
        self.status = status


async def converse(
    handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One connection: requests are answered in turn until the client hangs up."""
    # A client that goes in the middle of a request or an answer is nothing to tell anyone. Nor is
    # the end of the process, of which asyncio would make an error of a connection's own.
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        try:
            while True:
                asking = await _read(reader)
                answer = await handler(asking)
                await _write(answer, asking, writer)
        except _Unreadable as refusal:
            await _write_whole(Answering(refusal.status, b""), writer, close=True)
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asking:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _Unreadable(431) from None
    start, *lines = head.decode("latin-1").rstrip().split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    method, _, rest = start.partition(" ")
    target, _, protocol = rest.rpartition(" ")
    length = headers.get("content-length", "0")
    if not protocol.startswith("HTTP/1") or not (length.isascii() and length.isdigit()):
        raise _Unreadable(400)
    if "transfer-encoding" in headers:
        raise _Unreadable(411)
    if len(length) > 12 or int(length) > MAX_BODY:
        raise _Unreadable(413)
    body = await reader.readexactly(int(length))
    return Asking(method, unquote(target.partition("?")[0]), headers, body, reader.at_eof)


async def _write(answer: Answering, asking: Asking, writer: asyncio.StreamWriter) -> None:
    if isinstance(answer.body, bytes):
        await _write_whole(answer, writer)
        return
    writer.write(_head(answer, "Transfer-Encoding: chunked"))
    async with contextlib.aclosing(answer.body) as pieces:
        async for piece in pieces:
            if asking.gone():
                raise ConnectionResetError
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _write_whole(
    answer: Answering, writer: asyncio.StreamWriter, *, close: bool = False
) -> None:
    assert isinstance(answer.body, bytes)
    framing = f"Content-Length: {len(answer.body)}" + ("\r\nConnection: close" if close else "")
    writer.write(_head(answer, framing) + answer.body)
    await writer.drain()


def _head(answer: Answering, framing: str) -> bytes:
    lines = (
        f"HTTP/1.1 {answer.status} {_phrase(answer.status)}",
        f"Content-Type: {answer.media_type}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
        framing,
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _phrase(status: int) -> str:
    # 529 is Anthropic's own.
    return HTTPStatus(status).phrase if status in list(HTTPStatus) else "Overloaded"
