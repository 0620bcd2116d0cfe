"""The loopback server: seven practice providers in one thread, each with its own address."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator
from random import Random

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from core.practice.answers import answer_to
from core.practice.characters import CHARACTERS, Character, Fault
from core.practice.wire import WireReply, WireRequest, event

FAULT_RATE = 0.06  # of calls; 0..1
LONGEST = 3.0  # seconds that any answer takes
BEAT = 0.04  # seconds between two pieces of a stream
_THREAD = "practice-providers"


class PracticeServer:
    """Serves until `close`, or until the process ends.

    `speed` divides every delay. With `seed`, delays and faults repeat; the texts always do.
    The first call never fails.
    """

    def __init__(
        self, *, seed: int | None = None, speed: float = 1.0, fault_rate: float = FAULT_RATE
    ) -> None:
        self.api_key = f"practice-{secrets.token_urlsafe(24)}"
        self._seed = seed or 0
        self._rng = Random(seed)
        self._speed = speed
        self._fault_rate = fault_rate
        self._called = False
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=2048)
        methods = ["GET", "POST", "OPTIONS"]
        app = Starlette(routes=[Route("/{name}{path:path}", self._answer, methods=methods)])
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", loop="asyncio",
            timeout_keep_alive=3600,  # seconds: closing one as it is used would look like a fault
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name=_THREAD, daemon=True
        )

    def start(self) -> None:
        logging.getLogger("uvicorn.error").addFilter(_is_for_the_operator)
        self._thread.start()
        while self._thread.is_alive() and not self._server.started:
            time.sleep(0.002)  # a process that ends in the middle of it would be told so

    def close(self) -> None:
        """Stop serving; answers under way are cut off."""
        self._server.should_exit = self._server.force_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=2)
        self._socket.close()

    def base_urls(self) -> dict[str, str]:
        """Provider name -> base URL in the form its vendor's SDK takes."""
        port = self._socket.getsockname()[1]
        return {
            name: f"http://127.0.0.1:{port}/{name}{character.wire.mount}"
            for name, character in CHARACTERS.items()
        }

    async def _answer(self, request: Request) -> Response:
        name, path = request.path_params["name"], request.path_params["path"]
        character = CHARACTERS.get(name)
        if character is None or "origin" in request.headers:
            # Only a web page sends an Origin, and no page has business here.
            return JSONResponse({"error": {"message": "Not for you."}}, 403 if character else 404)
        if path == character.health:
            return JSONResponse({"status": "ok"})
        key = request.headers.get(character.wire.key, "").removeprefix("Bearer ")
        if not secrets.compare_digest(key.encode(), self.api_key.encode()):
            return _complaint(character, 401, "The API key is not valid.")
        if request.method == "GET" and path == character.wire.models:
            return JSONResponse(character.wire.listing(character.models))
        call = character.wire.call.fullmatch(path)
        if request.method != "POST" or call is None:
            return _complaint(character, 404, f"No such address: {path}")
        try:
            question = character.wire.read(await request.json(), call)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return _complaint(character, 400, "The body cannot be read.")
        return await self._call(name, question)

    async def _call(self, name: str, question: WireRequest) -> Response:
        character = CHARACTERS[name]
        thinking = self._rng.uniform(*character.first_token)
        if fault := self._draw_fault(character):
            await asyncio.sleep(thinking / self._speed)
            kind = HTMLResponse if isinstance(fault.body, str) else JSONResponse
            return kind(fault.body, fault.status, fault.headers)
        answer = _compose(name, question, self._seed)
        headers = {character.wire.request_id: f"req_{answer.id}"}
        writing = min(len(answer.text or "") / character.pace, LONGEST - thinking)
        await asyncio.sleep(thinking / self._speed)
        if question.stream:
            events = self._stream(character, answer, writing)
            return StreamingResponse(events, 200, headers, "text/event-stream")
        await asyncio.sleep(writing / self._speed)
        return JSONResponse(character.wire.whole(answer), 200, headers)

    def _draw_fault(self, character: Character) -> Fault | None:
        first, self._called = not self._called, True
        if first or self._rng.random() >= self._fault_rate:
            return None
        return self._rng.choice(character.faults)

    async def _stream(
        self, character: Character, answer: WireReply, writing: float
    ) -> AsyncIterator[bytes]:
        """The events of an answer, evenly over `writing` seconds."""
        words = re.findall(r"\s*\S{1,40}|\s+", answer.text or "")
        size = -(-len(words) // max(1, round(writing / BEAT))) or 1
        pieces = ["".join(words[start : start + size]) for start in range(0, len(words), size)]
        events = character.wire.events(answer, pieces)
        started, whole = time.monotonic(), writing / self._speed
        for number, each in enumerate(events):
            yield event(each)
            due = started + whole * number / len(events)
            await asyncio.sleep(max(0.0, due - time.monotonic()))


def _is_for_the_operator(record: logging.LogRecord) -> bool:
    """What this server's thread has to tell is its own faults, not that it runs or was cut off."""
    if record.threadName != _THREAD:
        return True
    error = record.exc_info[1] if record.exc_info else None
    return error is not None and not isinstance(error, ClientDisconnect | asyncio.CancelledError)


def _compose(name: str, question: WireRequest, seed: int) -> WireReply:
    text = answer_to(name, question.messages, seed=seed)
    asked, needed = sum(_tokens(each.content) + 4 for each in question.messages), _tokens(text)
    allowed = question.max_tokens or needed
    if needed > allowed:
        text = text[: max(1, len(text) * allowed // needed)]
    finish = "length" if needed > allowed else "stop"
    usage = asked, _tokens(text)
    return WireReply(text, question.model, usage, finish, id=secrets.token_hex(10))


def _tokens(text: str) -> int:
    plain = len(text.encode("ascii", "ignore"))
    return max(1, round(plain / 4 + (len(text) - plain) * 0.8))


def _complaint(character: Character, status: int, message: str) -> Response:
    return JSONResponse(character.wire.error(status, message), status)
