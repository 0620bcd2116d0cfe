"""The loopback server: seven practice providers in one thread, each with its own address."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import socket
import threading
import time
from collections.abc import AsyncGenerator
from functools import partial
from random import Random

from core.practice.answers import answer_to
from core.practice.characters import CHARACTERS, Character, Fault
from core.practice.loopback import MAX_HEAD, Answering, Asking, converse
from core.practice.wire import Answer, Json, Question

FAULT_RATE = 0.06  # of calls; 0..1
LONGEST = 3.0  # seconds that any answer takes
BEAT = 0.04  # seconds between two pieces of a stream
_BACKLOG = 512  # connections waiting to be accepted


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
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="practice-providers", daemon=True
        )
        self._started = threading.Event()

    def start(self) -> None:
        self._thread.start()
        self._started.wait()

    def close(self) -> None:
        """Stop serving; answers under way are cut off."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout=2)
        self._socket.close()

    def base_urls(self) -> dict[str, str]:
        """Provider name -> base URL in the form its vendor's SDK takes."""
        port = self._socket.getsockname()[1]
        return {
            name: f"http://127.0.0.1:{port}/{name}{character.wire.mount}"
            for name, character in CHARACTERS.items()
        }

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(
            partial(converse, self._answer), sock=self._socket, limit=MAX_HEAD
        )
        self._started.set()
        await self._stop.wait()
        server.close()

    async def _answer(self, asking: Asking) -> Answering:
        name, slash, rest = asking.path[1:].partition("/")
        path = slash + rest
        character = CHARACTERS.get(name)
        if character is None or "origin" in asking.headers:
            # Only a web page sends an Origin, and no page has business here.
            return _json(403 if character else 404, {"error": {"message": "Not for you."}})
        if path == character.health:
            return _json(200, {"status": "ok"})
        if not self._knows(character.wire.key(asking.headers)):
            return _complaint(character, *character.denied, "The API key is not valid.")
        if asking.method == "GET" and path == character.wire.models:
            return _json(200, character.wire.listing(character.models))
        call = character.wire.call.fullmatch(path)
        if asking.method != "POST" or call is None:
            return _complaint(character, 404, "not_found_error", f"No such address: {path}")
        try:
            question = character.wire.read(json.loads(asking.body), call)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return _complaint(character, 400, "invalid_request_error", "The body cannot be read.")
        return await self._call(name, question)

    def _knows(self, key: str) -> bool:
        return secrets.compare_digest(key.encode(), self.api_key.encode())

    async def _call(self, name: str, question: Question) -> Answering:
        character = CHARACTERS[name]
        thinking = self._rng.uniform(*character.first_token)
        fault = self._draw_fault(character)
        if fault:
            await self._wait(thinking)
            return Answering(fault.status, fault.body.encode(), fault.media_type, fault.headers)
        answer = _compose(name, question, self._seed)
        headers = {character.wire.request_id: f"req_{answer.id}"}
        writing = min(len(answer.text) / character.pace, LONGEST - thinking)
        await self._wait(thinking)
        if question.stream:
            frames = self._stream(character, answer, writing)
            return Answering(200, frames, "text/event-stream; charset=utf-8", headers)
        await self._wait(writing)
        return _json(200, character.wire.whole(answer), headers)

    def _draw_fault(self, character: Character) -> Fault | None:
        first, self._called = not self._called, True
        if first or self._rng.random() >= self._fault_rate:
            return None
        return self._rng.choice(character.faults)

    async def _stream(
        self, character: Character, answer: Answer, writing: float
    ) -> AsyncGenerator[bytes, None]:
        """The frames of an answer, evenly over `writing` seconds."""
        wire = character.wire
        pieces = _pieces(answer.text, max(1, round(writing / BEAT)))
        started, whole = asyncio.get_running_loop().time(), writing / self._speed
        if opening := wire.opening(answer):
            yield opening
        for number, piece in enumerate(pieces, start=1):
            yield wire.piece(answer, piece)
            due = started + whole * number / len(pieces)
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        yield wire.closing(answer)

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


def _compose(name: str, question: Question, seed: int) -> Answer:
    character = CHARACTERS[name]
    text = answer_to(name, question.messages, seed=seed)
    asked = sum(_tokens(message.content, character) + 4 for message in question.messages)
    needed = _tokens(text, character)
    truncated = question.max_tokens is not None and needed > question.max_tokens
    if truncated and question.max_tokens:
        text = text[: max(1, len(text) * question.max_tokens // needed)]
    return Answer(
        id=secrets.token_hex(10),
        model=question.model,
        text=text,
        input_tokens=asked,
        output_tokens=_tokens(text, character),
        created=int(time.time()),
        truncated=truncated,
        wants_usage=question.wants_usage,
    )


def _tokens(text: str, character: Character) -> int:
    plain = len(text.encode("ascii", "ignore"))
    return max(1, round(plain / character.chars_per_token + (len(text) - plain) * 0.8))


def _pieces(text: str, count: int) -> list[str]:
    """About `count` pieces that end between words."""
    words = re.findall(r"\s*\S{1,40}", text) or [text]
    size = -(-len(words) // count)
    pieces = ["".join(words[start : start + size]) for start in range(0, len(words), size)]
    return [*pieces[:-1], text[len("".join(pieces[:-1])) :]]


def _json(status: int, body: Json, headers: dict[str, str] | None = None) -> Answering:
    return Answering(status, json.dumps(body).encode(), headers=headers or {})


def _complaint(character: Character, status: int, name: str, message: str) -> Answering:
    return _json(status, character.wire.error(status, name, message))
