"""Streamed downloads: piece by piece, few at once, dropped where the client stops reading."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator, Iterator

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

_PATIENCE = 30.0  # seconds in which a client takes no piece at all
_ASIDE = 0.2  # seconds between two looks at whether the server is to stop

HEAD = "manyways.head"  # in a scope: nobody reads the body


class Turns:
    """So many downloads of a kind at once. Asked on the server's loop alone."""

    def __init__(self, most: int) -> None:
        self._left = most

    def take(self) -> bool:
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        self._left += 1


class Download(Response):
    """`pieces`, none of them empty, are made in a thread, one ahead; `close` is always called.

    A client that leaves, that takes nothing for half a minute, or a server that stops ends it in
    the middle, so that no part of a file looks like the whole.
    """

    def __init__(
        self,
        pieces: Iterator[str | bytes],
        *,
        media_type: str,
        name: str,
        size: int | None = None,
        close: Callable[[], None],
        stopping: Callable[[], bool],
    ) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        if size is not None:
            self.headers["Content-Length"] = str(size)
        self._pieces, self._close, self._stopping = pieces, close, stopping
        self._ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_gone(receive))
        try:
            start: Message = {"type": "http.response.start", "status": self.status_code}
            await send({**start, "headers": self.raw_headers})
            if scope.get(HEAD):
                await self._end()
                await send({"type": "http.response.body", "body": b""})
            else:
                await self._send_pieces(gone, send)
        finally:
            gone.cancel()
            await self._end()

    async def _send_pieces(self, gone: asyncio.Task[None], send: Send) -> None:
        piece = await self._next()
        while True:
            following = await self._next() if piece else None
            if not following:
                await self._end()  # before the client has all, and may ask for the next
            message = {"type": "http.response.body", "body": piece, "more_body": bool(following)}
            sent = await self._sent(asyncio.ensure_future(_sending(send, message)), gone)
            if not (sent and following):
                return
            piece = following

    async def _next(self) -> bytes:
        """Empty after the last."""
        piece = await asyncio.to_thread(next, self._pieces, b"")
        return piece.encode() if isinstance(piece, str) else piece

    async def _sent(self, sending: asyncio.Future[None], gone: asyncio.Task[None]) -> bool:
        """Whether the client took it in time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE
        while not (sending.done() or gone.done() or self._stopping() or loop.time() > until):
            await asyncio.wait({sending, gone}, timeout=_ASIDE, return_when="FIRST_COMPLETED")
        if sending.done() and not gone.done() and not self._stopping():
            sending.result()
            return True
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await sending
        return False

    async def _end(self) -> None:
        if not self._ended:
            self._ended = True
            # Shielded: whatever becomes of the client, nothing of it shall stay.
            await asyncio.shield(asyncio.to_thread(self._close_all))

    def _close_all(self) -> None:
        try:
            if isinstance(self._pieces, Generator):
                self._pieces.close()
        finally:
            self._close()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _sending(send: Send, message: Message) -> None:
    await send(message)
