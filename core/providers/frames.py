"""The JSON that a vendor sends: event by event, or whole where it did not stream after all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2

from core.providers import failures
from core.providers.complaint import is_error

_BOM = b"\xef\xbb\xbf"
DONE = object()  # the vendor's own word that its stream is over


async def whole(response: httpx2.Response) -> Mapping[str, Any]:
    """The JSON object of a body.

    Raises:
        ErrorInside: it is an error.
        ProviderError: it is no object, but a web page, say.
    """
    return _answer(await response.aread())


async def frames(response: httpx2.Response) -> AsyncIterator[Any]:
    """The JSON object of each event, and DONE where that is said.

    A body that is no stream of events is one object. What is no object is passed over.

    Raises:
        ErrorInside: one of them is an error.
    """
    name, data, rest, came = b"", [], [], False
    async for line in _lines(response):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
        elif field == b"error" and value:  # as old builds of llama-server send it
            raise failures.ErrorInside(value.decode("utf-8", "replace"))
        elif not line:
            frame = _frame(name, b"\n".join(data))
            name, data = b"", []
            if frame is not None:
                came = True
                yield frame
            if frame is DONE:
                return
        elif field not in (b"", b"id", b"retry"):
            rest.append(line)
    if data and (frame := _frame(name, b"\n".join(data))) is not None:
        yield frame
    elif not came and rest:
        yield _answer(b"\n".join(rest))


async def _lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Lines as events have them, ended by CR, LF or both."""
    pieces: list[bytes] = []
    async for chunk in response.aiter_bytes():
        pieces.append(chunk)
        if b"\n" not in chunk and b"\r" not in chunk:
            continue
        # What follows a CR decides whether the line ends there.
        *lines, last = b"".join(pieces).splitlines(keepends=True)
        pieces = [] if last.endswith(b"\n") else [last]
        for line in lines if pieces else (*lines, last):
            yield line.rstrip(b"\r\n").removeprefix(_BOM)
    for line in b"".join(pieces).splitlines():
        yield line.removeprefix(_BOM)


def _frame(name: bytes, data: bytes) -> Any:
    text = data.strip()
    if text.startswith(b"[DONE]"):
        return DONE
    if name == b"error":
        raise failures.ErrorInside(text.decode("utf-8", "replace"))
    if not text:
        return None
    value = json.loads(text)
    if is_error(value):
        raise failures.ErrorInside(value)
    return value if isinstance(value, Mapping) else None


def _answer(body: bytes) -> Mapping[str, Any]:
    text = body.removeprefix(_BOM).strip()
    if text and text[:1] not in b'{["':
        words = text.decode()
        raise failures.not_an_answer(words) if "<" in words[:200] else failures.ErrorInside(words)
    value = json.loads(text)
    if is_error(value):
        raise failures.ErrorInside(value)
    if not isinstance(value, Mapping):
        raise failures.not_an_answer(value)
    return value
