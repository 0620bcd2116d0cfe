"""The JSON events of a stream, or of one whole body where the vendor did not stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2

from core.providers.answers import failures
from core.providers.answers.complaint import is_error

_BOM = b"\xef\xbb\xbf"
# Of an event; `error` is what old builds of llama-server write.
_FIELDS = (b"data", b"event", b"error", b"id", b"retry")
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
    rest: list[bytes] = []
    came = False
    async for event in _events(response, rest):
        frame = _frame(event)
        if frame is not None:
            came = True
            yield frame
        if frame is DONE:
            return
    if rest and not came:
        yield _answer(b"\n".join(rest))


async def _events(
    response: httpx2.Response, rest: list[bytes]
) -> AsyncIterator[dict[bytes, list[bytes]]]:
    """Each event's values by field. What belongs to none is added to `rest`."""
    event: dict[bytes, list[bytes]] = {}
    async for line in _lines(response):
        field, _, value = line.partition(b":")
        if not line:
            yield event
            event = {}
        elif field in _FIELDS:
            event.setdefault(field, []).append(value.removeprefix(b" "))
        elif field:  # else it is a comment
            rest.append(line)
    yield event


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


def _frame(event: Mapping[bytes, list[bytes]]) -> Any:
    text = b"\n".join(event.get(b"data", event.get(b"error", ()))).strip()
    if text.startswith(b"[DONE]"):
        return DONE
    if not text:
        return None
    if b"error" in (*event, *event.get(b"event", ())):
        raise failures.ErrorInside(text.decode("utf-8", "replace"))
    value = json.loads(text)
    if is_error(value):
        raise failures.ErrorInside(value)
    return value if isinstance(value, Mapping) else None


def _answer(body: bytes) -> Mapping[str, Any]:
    text = body.removeprefix(_BOM).strip()
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        words = text.decode()
        if not words or words[0] in '{["<':
            raise failures.not_an_answer(words) from None
        value = {"error": words}
    if is_error(value):
        raise failures.ErrorInside(value)
    if not isinstance(value, Mapping):
        raise failures.not_an_answer(value)
    return value
