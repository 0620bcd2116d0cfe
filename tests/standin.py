"""Loopback stand-ins for the vendors: every byte they send is decided by a script.

    with StandIn("openai", [status(503), answer("Hello")]) as vendor:
        ...  # point an SDK at vendor.base_url, then read vendor.requests

`python -m tests.standin --port 9000` runs one in a process of its own, for benchmarks.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import json
import random
import re
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain, repeat
from typing import Any, Literal, NamedTuple

from core.practice import wire as wires
from core.practice.wire import event

Wire = Literal["anthropic", "openai", "google"]

HELLO = "Hello from a stand-in."
PROSE = "I would start by reading up on the topic, then draft a summary, and check it at the end."


def _plan(*dependencies: list[int]) -> str:
    done = ("research", "Collect the sources"), ("coder", "Write the draft"), ("review", "Check it")
    steps = [
        {
            "agent_type": agent,
            "description": description,
            "tool_name": None,
            "parameters": {},
            "dependencies": needed,
        }
        for (agent, description), needed in zip(done, dependencies, strict=True)
    ]
    plan = {"reasoning": "Read first, then write, then check.", "confidence": 0.9}
    return json.dumps({**plan, "estimated_duration": 15.0, "steps": steps})


PLAN = _plan([], [0], [0, 1])
CYCLIC_PLAN = _plan([2], [0], [1])


@dataclass(eq=False)
class Received:
    """One request as it came in."""

    method: str
    path: str  # with its query
    headers: dict[str, str]  # names in lower case
    raw: bytes
    at: float  # seconds, monotonic
    disconnected_at: float | None = None  # when the client hung up on an unfinished answer

    @cached_property
    def body(self) -> Any:
        """The parsed JSON; None where it is none."""
        try:
            return json.loads(self.raw)
        except ValueError:
            return None

    @property
    def stream(self) -> bool:
        if ":streamGenerateContent" in self.path:
            return True
        return isinstance(self.body, dict) and self.body.get("stream") is True

    @property
    def model(self) -> str:
        in_path = re.search(r"/models/([^:?]+)", self.path)
        return in_path[1] if in_path else str((self.body or {}).get("model", ""))

    @property
    def prompt(self) -> str:
        """The text of the last user message, in any of the three wires; "" without one."""
        body = self.body if isinstance(self.body, dict) else {}
        for message in reversed(body.get("messages") or body.get("contents") or []):
            if message.get("role", "user") == "user":
                content = message.get("content", message.get("parts"))
                parts = [{"text": content}] if isinstance(content, str) else content or []
                return "".join(part.get("text", "") for part in parts)
        return ""


@dataclass(frozen=True)
class Act:
    """What a stand-in does with one request; `play` may write at once or return a coroutine."""

    name: str
    play: Callable[[Exchange], Awaitable[None] | None]

    def __repr__(self) -> str:
        return self.name


Script = Act | Iterable[Act] | Callable[[Received], Act]


class StandIn:
    """One stand-in vendor on its own port.

    A script is one act for every request, acts in turn (the last one is repeated) or a function
    of the request. Lists of models, and BitNet's health, are answered without it.
    """

    def __init__(
        self,
        wire: Wire,
        script: Script | None = None,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.wire = wire
        self._tls = tls
        self.script = script
        self.models = [f"{wire}-large", f"{wire}-small"]
        self.listing: Act | None = None  # instead of the list of models
        self.requests: list[Received] = []  # put to the script, in order
        self.listings: list[Received] = []  # every other
        self.failures: list[Exception] = []  # of the script; raised by close()
        self._connections: set[_Connection] = set()
        self._loop = _loop()
        self._server = self._on_loop(self._listen(port))
        self.port: int = self._server.sockets[0].getsockname()[1]
        host = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.base_url = host + ("/v1" if wire == "openai" else "")

    @property
    def script(self) -> Script | None:
        return self._script

    @script.setter
    def script(self, script: Script | None) -> None:
        self._script = script
        match script:
            case None:
                self._act = _always(answer(HELLO))
            case Act():
                self._act = _always(script)
            case Iterable():
                acts = list(script)
                in_turn = chain(acts, repeat(acts[-1]))
                self._act = lambda _: next(in_turn)
            case _:
                self._act = script

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and hang up. Raises the first exception that the script raised."""
        self._on_loop(self._stop())
        if self.failures:
            raise self.failures[0]

    def hang_up(self) -> None:
        """Close every connection, as a vendor does with idle ones; keep listening."""
        self._on_loop(self._hang_up())

    def respond(self, received: Received) -> Act:
        path = received.path.partition("?")[0]
        if received.method == "GET":
            self.listings.append(received)
            if path.endswith("/health"):
                return json_value({"status": "ok"})
            if not path.endswith("/models"):
                return status(404)
            return self.listing or json_value(WIRES[self.wire].listing(self.models))
        self.requests.append(received)
        try:
            return self._act(received)
        except Exception as failure:  # noqa: BLE001 - a test's own script; close() raises it
            self.failures.append(failure)
            return status(500, headers={"x-standin": "the script failed"})

    def _on_loop(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self, port: int) -> asyncio.Server:
        return await self._loop.create_server(
            lambda: _Connection(self), "127.0.0.1", port, backlog=1024, ssl=self._tls
        )

    async def _stop(self) -> None:
        self._server.close()
        await self._hang_up()
        await self._server.wait_closed()

    async def _hang_up(self) -> None:
        for connection in list(self._connections):
            connection.transport.abort()
        await asyncio.sleep(0)


def _always(act: Act) -> Callable[[Received], Act]:
    return lambda _: act


class Seat(NamedTuple):
    wire: Wire
    base_url_env: str
    key_env: str | None


SEATS: dict[str, Seat] = {
    "anthropic": Seat("anthropic", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
    "openai": Seat("openai", "OPENAI_BASE_URL", "OPENAI_API_KEY"),
    "google": Seat("google", "GOOGLE_BASE_URL", "GOOGLE_API_KEY"),
    "deepseek": Seat("openai", "DEEPSEEK_BASE_URL", "DEEPSEEK_API_KEY"),
    "kimi": Seat("openai", "KIMI_BASE_URL", "KIMI_K2_API_KEY"),
    "nvidia": Seat("openai", "NVIDIA_BASE_URL", "NVIDIA_API_KEY"),
    "bitnet": Seat("openai", "BITNET_BASE_URL", None),
}
CANARIES = {
    name: f"sk-canary-{name}-0123456789abcdef" for name, seat in SEATS.items() if seat.key_env
}


class Yard:
    """A stand-in for each of the seven providers; `scripts` by name, else they say hello."""

    def __init__(self, scripts: Mapping[str, Script] | None = None) -> None:
        self.scripts = dict(scripts or {})
        self.vendors = {
            name: StandIn(seat.wire, self.scripts.get(name)) for name, seat in SEATS.items()
        }

    def __getitem__(self, name: str) -> StandIn:
        return self.vendors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.vendors)

    def __enter__(self) -> Yard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def requests(self) -> list[Received]:
        """Of all vendors, in the order of arrival."""
        of_all = chain.from_iterable(vendor.requests for vendor in self.vendors.values())
        return sorted(of_all, key=lambda received: received.at)

    def env(self, *names: str) -> dict[str, str]:
        """The environment in which these providers (all, without names) are set up."""
        environ = {}
        for name in names or SEATS:
            seat = SEATS[name]
            environ[seat.base_url_env] = self.vendors[name].base_url
            if seat.key_env:
                environ[seat.key_env] = CANARIES[name]
        return environ

    def close(self) -> None:
        for vendor in self.vendors.values():
            vendor.close()


def closed_port() -> int:
    """A port on 127.0.0.1 on which nobody listens.

    It is below those that the system gives to connections, of which other tests make thousands:
    one of them could have it before its user does.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def eventually(true: Callable[[], object], *, within: float = 2.0) -> bool:
    """Whether it becomes true within so many seconds."""
    end = time.monotonic() + within
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


# Answers in the vendor's own shape. As an answer to a streamed request they are its events.


def answer(
    text: str | None,
    *,
    usage: wires.Usage = (11, 7),
    finish: str | None = "stop",
    model: str | None = None,
    thinking: str | None = None,
    refusal: str | None = None,
    delay: float = 0,
    interval: float = 0,
) -> Act:
    """A whole answer: `delay` seconds before its first byte, `interval` before each event.

    `finish` is "stop", "length" or a reason in the wire's own words.
    """
    rendered: dict[tuple[str, str, bool], tuple[bytes, ...]] = {}

    def play(exchange: Exchange) -> Awaitable[None] | None:
        named = model or exchange.received.model
        key = exchange.wire, named, exchange.received.stream
        if key not in rendered:
            said = Said(text, named, usage, finish, thinking=thinking, refusal=refusal)
            rendered[key] = whole(said, exchange.wire, stream=exchange.received.stream)
        parts = rendered[key]
        if delay or interval:
            return exchange.pace(parts, delay=delay, interval=interval)
        exchange.send_whole(parts)
        return None

    return Act(f"answer({_short(text)}, {finish})", play)


def refusal(how: str | None = None) -> Act:
    """The vendor declines: by the stop reason, or where there is another way, by `how`.

    OpenAI also "message" (`message.refusal`); Google also "prompt" (`promptFeedback`).
    """

    def play(exchange: Exchange) -> Awaitable[None] | None:
        if how == "prompt":
            blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
            return json_value(blocked).play(exchange)
        if how == "message":
            return answer(None, refusal="I can't help with that.").play(exchange)
        reason = {"anthropic": "refusal", "openai": "content_filter", "google": "SAFETY"}
        return answer(None, finish=reason[exchange.wire]).play(exchange)

    return Act(f"refusal({how or ''})", play)


def empty_answer() -> Act:
    """A proper end, but no text."""
    return answer(None)


def stream_without_finish(text: str = HELLO) -> Act:
    """All the text and a clean end of the body, but no word that the answer is finished."""
    return answer(text, finish=None)


def silence_mid_stream(after: int = 2) -> Act:
    """So many pieces of text, or half of a plain body, and then nothing for ever."""
    return _unfinished("silence_mid_stream", after, _forever)


def cut_mid_stream(after: int = 2) -> Act:
    """So many pieces of text, or half of a plain body, and then the connection is closed."""
    return _unfinished("cut_mid_stream", after, lambda exchange: exchange.close())


def error_mid_stream(code: int = 503, *, message: str = "Try later", after: int = 2) -> Act:
    """So many pieces of text and then the vendor's error event; a plain 200 with an error."""

    def play(exchange: Exchange) -> None:
        error = _error(exchange.wire, code, message)
        if not exchange.received.stream:
            exchange.send_whole((_dump(error),))
            return
        exchange.send_whole((*_start(exchange, after), event(error)))

    return Act(f"error_mid_stream({code})", play)


def status(
    code: int,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    *,
    message: str = "The stand-in says no",
) -> Act:
    """An error in the vendor's own shape, or with this body (text is sent as it is)."""

    def play(exchange: Exchange) -> None:
        shaped = _error(exchange.wire, code, message) if body is None else body
        sent = shaped.encode() if isinstance(shaped, str) else _dump(shaped)
        exchange.respond(code, sent, headers=headers or {})

    return Act(f"status({code})", play)


def json_value(value: Any) -> Act:
    """200 with this JSON, or a stream of this one event."""
    play = _body("", b"null").play if value is None else sse(value).play
    return Act(f"json_value({_short(value)})", play)


def sse(*events: Any) -> Act:
    """200 with exactly these events; a plain request gets the first one's JSON."""

    def play(exchange: Exchange) -> None:
        if exchange.received.stream:
            exchange.send_whole([event(each) for each in events])
        else:
            exchange.respond(200, _dump(events[0]))

    return Act(f"sse({_short(events)})", play)


def html(code: int = 200) -> Act:
    """What a captive portal or a broken proxy sends."""
    page = b"<!doctype html><html><body><h1>Sign in to the guest network</h1></body></html>"
    return _body(f"html({code})", page, code=code, content_type="text/html; charset=utf-8")


def bad_utf8() -> Act:
    """An answer with bytes that are no UTF-8 in its text."""

    def play(exchange: Exchange) -> None:
        said = _said(exchange, "bad \0 bytes")
        parts = whole(said, exchange.wire, stream=exchange.received.stream)
        exchange.send_whole([part.replace(b"\\u0000", b"\xff\xfe") for part in parts])

    return Act("bad_utf8", play)


def raw(data: bytes) -> Act:
    """Exactly these bytes, then the connection is closed."""

    def play(exchange: Exchange) -> None:
        exchange.send(data)
        exchange.close()

    return Act("raw", play)


def replay(
    body: bytes, *, code: int = 200, headers: Mapping[str, str], piece: int | None = None
) -> Act:
    """A recorded response: its body byte for byte, in chunks of so many bytes or whole."""

    def play(exchange: Exchange) -> None:
        if piece is None:
            exchange.respond(code, body, headers=headers)
            return
        exchange.start(headers, code=code)
        for start in range(0, len(body), piece):
            exchange.send_part(body[start : start + piece])
        exchange.finish()

    return Act("replay", play)


def redirect(url: str, code: int = 307) -> Act:
    return _body(f"redirect({code})", b"", code=code, headers={"location": url})


def hang() -> Act:
    """Takes the request and never answers."""
    return Act("hang", _forever)


def hang_after_headers() -> Act:
    def play(exchange: Exchange) -> Awaitable[None]:
        exchange.start()
        return _forever(exchange)

    return Act("hang_after_headers", play)


def drip_body(interval: float = 0.05) -> Act:
    """A right answer, one byte every so many seconds."""

    async def play(exchange: Exchange) -> None:
        exchange.start()
        body = b"".join(_whole(exchange))
        for position in range(len(body)):
            exchange.send_part(body[position : position + 1])
            await asyncio.sleep(interval)
        exchange.finish()

    return Act("drip_body", play)


def drip_headers(interval: float = 0.05) -> Act:
    """Headers without an end, one byte every so many seconds."""

    async def play(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\n")
        for letter in chain.from_iterable(repeat(b"x-padding: 0\r\n")):
            exchange.send(bytes((letter,)))
            await asyncio.sleep(interval)

    return Act("drip_headers", play)


def reset() -> Act:
    """The connection is reset without a byte."""
    return Act("reset", lambda exchange: exchange.reset())


def close_mid_body() -> Act:
    """A Content-Length that is never reached."""

    def play(exchange: Exchange) -> None:
        body = b"".join(_whole(exchange))
        exchange.send(exchange.head(200, {"content-length": str(len(body))}))
        exchange.send(body[: len(body) // 2])
        exchange.close()

    return Act("close_mid_body", play)


def huge_body(mb: int = 200) -> Act:
    """A right answer behind so many megabytes of padding."""

    async def play(exchange: Exchange) -> None:
        padding, parts = _padded(exchange)
        exchange.start()
        await exchange.pace(chain(repeat(padding, mb), parts))

    return Act(f"huge_body({mb})", play)


def gzip_bomb(mb: int = 300, *, layers: int = 1) -> Act:
    """The same, compressed to about a thousandth, or in layers to even less."""

    async def play(exchange: Exchange) -> None:
        padding, parts = _padded(exchange)
        packed = _bomb(padding, mb, b"".join(parts))
        for _ in range(layers - 1):
            packed = gzip.compress(packed)
        exchange.respond(200, packed, headers={"content-encoding": ", ".join(["gzip"] * layers)})

    return Act(f"gzip_bomb({mb}, {layers})", play)


@cache
def _bomb(padding: bytes, mb: int, rest: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    packed = [packer.compress(padding) for _ in range(mb)]
    return b"".join([*packed, packer.compress(rest), packer.flush()])


def _padded(exchange: Exchange) -> tuple[bytes, tuple[bytes, ...]]:
    stream = exchange.received.stream
    padding = b":" + b" " * (2**20 - 3) + b"\n\n" if stream else b" " * 2**20
    return padding, _whole(exchange)


def _unfinished(name: str, after: int, then: Callable[[Exchange], Awaitable[None] | None]) -> Act:
    def play(exchange: Exchange) -> Awaitable[None] | None:
        exchange.start()
        if exchange.received.stream:
            for part in _start(exchange, after):
                exchange.send_part(part)
        else:
            body = b"".join(_whole(exchange))
            exchange.send_part(body[: len(body) // 2])
        return then(exchange)

    return Act(f"{name}({after})", play)


def _body(
    name: str,
    body: bytes,
    *,
    code: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Act:
    sent = {"content-type": content_type, **(headers or {})}
    return Act(name, lambda exchange: exchange.respond(code, body, headers=sent))


async def _forever(exchange: Exchange) -> None:
    await asyncio.Event().wait()


# The three wires.

WIRES = {"anthropic": wires.ANTHROPIC, "openai": wires.OPENAI, "google": wires.GOOGLE}
_WORDS: dict[Wire, dict[int, str]] = {  # of an error: those that practice never needs
    "anthropic": {
        402: "billing_error",
        403: "permission_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
        504: "timeout_error",
    },
    "google": dict.fromkeys((402, *range(405, 429)), "UNKNOWN")
    | {403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED", 504: "DEADLINE_EXCEEDED"},
    "openai": {429: "rate_limit_exceeded"},
}
_WORD: dict[Wire, str] = {"anthropic": "type", "google": "status", "openai": "code"}
_BEFORE_TEXT: dict[Wire, int] = {"anthropic": 2, "google": 0, "openai": 1}  # events


def _error(wire: Wire, code: int, message: str) -> Any:
    body = WIRES[wire].error(code, message)
    if word := _WORDS[wire].get(code):
        body["error"][_WORD[wire]] = word
    return body


@dataclass(frozen=True, slots=True)
class Said(wires.WireReply):
    # What a practice provider never says.
    thinking: str | None = None
    refusal: str | None = None


def whole(said: Said, wire: Wire, *, stream: bool) -> tuple[bytes, ...]:
    """The answer; as events its text comes in four pieces."""
    if not stream:
        body = WIRES[wire].whole(said)
        _BESIDES[wire][0](body, said)
        return (_dump(body),)
    text = said.text or ""
    size = max(1, -(-len(text) // 4))
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    events: list[Any] = WIRES[wire].events(said, pieces)
    _BESIDES[wire][1](events, said)
    return tuple(map(event, events))


def _anthropic_whole(body: Any, said: Said) -> None:
    if said.thinking is not None:
        block = {"type": "thinking", "thinking": said.thinking, "signature": _SIGNED}
        body["content"].insert(0, block)


def _anthropic_events(events: list[Any], said: Said) -> None:
    if said.thinking is None:
        return
    for each in events:
        if "index" in each:
            each["index"] = 1
    blank = {"type": "thinking", "thinking": "", "signature": ""}
    thinking = {"type": "thinking_delta", "thinking": said.thinking}
    signature = {"type": "signature_delta", "signature": _SIGNED}
    events[1:1] = [
        {"type": "content_block_start", "index": 0, "content_block": blank},
        {"type": "content_block_delta", "index": 0, "delta": thinking},
        {"type": "content_block_delta", "index": 0, "delta": signature},
        {"type": "content_block_stop", "index": 0},
    ]


def _openai_besides(said: Said) -> dict[str, str]:
    besides = {"reasoning_content": said.thinking, "refusal": said.refusal}
    return {name: text for name, text in besides.items() if text is not None}


def _openai_whole(body: Any, said: Said) -> None:
    body["choices"][0]["message"] |= _openai_besides(said)


def _openai_events(events: list[Any], said: Said) -> None:
    if besides := _openai_besides(said):
        choice = {"index": 0, "delta": besides, "finish_reason": None}
        events.insert(1, {**events[0], "choices": [choice]})


def _google_whole(body: Any, said: Said) -> None:
    if said.thinking is not None:
        content = body["candidates"][0].setdefault("content", {"role": "model", "parts": []})
        content["parts"].insert(0, {"text": said.thinking, "thought": True})


_SIGNED = "c2lnbmVk"
_BESIDES: dict[Wire, tuple[Callable[[Any, Said], None], Callable[[list[Any], Said], None]]] = {
    "anthropic": (_anthropic_whole, _anthropic_events),
    "openai": (_openai_whole, _openai_events),
    "google": (_google_whole, lambda events, said: _google_whole(events[0], said)),
}


def _said(exchange: Exchange, text: str = HELLO) -> Said:
    return Said(text, exchange.received.model, (11, 7))


def _whole(exchange: Exchange) -> tuple[bytes, ...]:
    return whole(_said(exchange), exchange.wire, stream=exchange.received.stream)


def _start(exchange: Exchange, pieces: int) -> tuple[bytes, ...]:
    events = whole(_said(exchange), exchange.wire, stream=True)
    return events[: _BEFORE_TEXT[exchange.wire] + pieces]


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def _short(value: object) -> str:
    said = repr(value)
    return said if len(said) <= 40 else said[:37] + "..."


# HTTP/1.1, by hand: every byte is ours, and it is quick enough to benchmark against.


class Exchange:
    """One request and the way back."""

    def __init__(self, connection: _Connection, received: Received) -> None:
        self.wire = connection.standin.wire
        self.received = received
        self._connection = connection
        self._transport = connection.transport
        self._chunked = False

    def send(self, data: bytes) -> None:
        self._transport.write(data)

    def head(self, code: int, headers: Mapping[str, str]) -> bytes:
        stream = code == 200 and self.received.stream
        sent = {
            "content-type": "text/event-stream" if stream else "application/json",
            WIRES[self.wire].request_id: f"req_{len(self._connection.standin.requests)}",
            **headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        return f"HTTP/1.1 {code} Standin\r\n{lines}\r\n".encode("latin-1")

    def respond(self, code: int, body: bytes, *, headers: Mapping[str, str] | None = None) -> None:
        length = {} if code == 204 else {"content-length": str(len(body))}
        self.send(self.head(code, {**(headers or {}), **length}) + body)

    def send_whole(self, parts: Sequence[bytes]) -> None:
        if self.received.stream:
            self.send(
                self.head(200, {"transfer-encoding": "chunked"})
                + b"".join(_chunk(part) for part in parts)
                + b"0\r\n\r\n"
            )
        else:
            self.respond(200, b"".join(parts))

    def start(self, headers: Mapping[str, str] | None = None, *, code: int = 200) -> None:
        """Send a head; the body follows in parts."""
        self.send(self.head(code, {"transfer-encoding": "chunked", **(headers or {})}))
        self._chunked = True

    def send_part(self, part: bytes) -> None:
        self.send(_chunk(part))

    def finish(self) -> None:
        self.send(b"0\r\n\r\n")

    async def pace(self, parts: Iterable[bytes], *, delay: float = 0, interval: float = 0) -> None:
        if delay:
            await asyncio.sleep(delay)
        if not self._chunked:
            self.start()
        for part in parts:
            if interval:
                await asyncio.sleep(interval)
            self.send_part(part)
            await self._connection.writable.wait()
        self.finish()

    def close(self) -> None:
        self._transport.close()

    def reset(self) -> None:
        at_once = struct.pack("ii", 1, 0)
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self._transport.abort()


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)


class _Connection(asyncio.Protocol):
    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.writable = asyncio.Event()
        self.writable.set()
        self.transport: asyncio.Transport
        self._buffer = b""
        self._received: Received | None = None  # the request that is being answered
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.standin._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.standin._connections.discard(self)
        self.writable.set()
        if self._received is not None:
            self._received.disconnected_at = time.monotonic()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._buffer.startswith(b"\x16"):  # somebody speaks TLS
            self.transport.close()
        while self._received is None and (received := self._next()) is not None:
            self._answer(received)

    def _next(self) -> Received | None:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return None
        method, path, _ = first.split(" ")
        self._buffer = rest[length:]
        return Received(method, path, headers, rest[:length], time.monotonic())

    def _answer(self, received: Received) -> None:
        self._received = received
        act = self.standin.respond(received)
        later = act.play(Exchange(self, received))
        if later is None:
            self._received = None
        else:
            self._task = asyncio.ensure_future(later)
            self._task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled():
            return
        if failure := task.exception():
            self.standin.failures.append(RuntimeError(repr(failure)))
            self.transport.abort()
            return
        self._received = None
        self.data_received(b"")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One loop, in a daemon thread, for all stand-ins of this process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="stand-ins", daemon=True).start()
    return loop


def main() -> None:
    options = argparse.ArgumentParser(description="One stand-in vendor that always says hello.")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--wire", choices=sorted(WIRES), default="openai")
    options.add_argument("--delay", type=float, default=0, help="seconds before an answer")
    options.add_argument("--plan", action="store_true", help="answer with a plan")
    chosen = options.parse_args()
    said = answer(PLAN if chosen.plan else HELLO, delay=chosen.delay)
    with StandIn(chosen.wire, said, port=chosen.port) as vendor:
        print(vendor.port, flush=True)  # noqa: T201 - whoever started it reads this line
        threading.Event().wait()


if __name__ == "__main__":
    main()
