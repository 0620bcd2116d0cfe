"""A provider that costs next to nothing: canned OpenAI answers over raw asyncio.

`python -m tests.bench.standin` prints its port and serves until it is ended. The path chooses:

    POST /<caller>/ok/...    200, a chat completion; with "stream": true in chunks, 5 ms apart
    POST /<caller>/fail/...  500
    GET  /counts             how often each <caller>/ok and <caller>/fail was asked, as JSON
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter

GAP = 0.005  # seconds between the chunks of a stream
WORDS = ("A", " plan", " of", " three", " steps.")
HEAD = {"id": "chatcmpl-1", "created": 1790000000, "model": "gpt-4o-mini"}
USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}


def answer(kind: str, **choice: object) -> dict[str, object]:
    return {**HEAD, "object": kind, "choices": [{"index": 0, "finish_reason": None, **choice}]}


def event(content: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


def response(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


MESSAGE = {"role": "assistant", "content": "".join(WORDS), "refusal": None}
COMPLETION = {**answer("chat.completion", message=MESSAGE, finish_reason="stop"), "usage": USAGE}
DELTAS = [
    *({"delta": {"role": "assistant", "content": word}} for word in WORDS),
    {"delta": {}, "finish_reason": "stop"},
]
EVENTS = [event(answer("chat.completion.chunk", **delta)) for delta in DELTAS]
EVENTS[-1] += event({**HEAD, "object": "chat.completion.chunk", "choices": [], "usage": USAGE})
EVENTS[-1] += b"data: [DONE]\n\n"
CHUNKS = [b"%x\r\n%s\r\n" % (len(text), text) for text in EVENTS] + [b"0\r\n\r\n"]
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
OK = response(b"200 OK", json.dumps(COMPLETION).encode())
FAIL = response(b"500 Internal Server Error", b'{"error": {"message": "out of order"}}')


class StandIn(asyncio.Protocol):
    def __init__(self, counts: Counter[bytes]) -> None:
        self.counts = counts
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's types name the wider base.
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment] # of TCP it is one

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, rest = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = 0
        if (at := head.lower().find(b"content-length:")) >= 0:
            length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        self.reply(head.split(b" ", 2)[1], rest[:length])

    def reply(self, path: bytes, body: bytes) -> None:
        if path == b"/counts":
            counts = {name.decode(): count for name, count in self.counts.items()}
            self.transport.write(response(b"200 OK", json.dumps(counts).encode()))
            return
        self.counts[b"/".join(path.split(b"/")[1:3])] += 1
        if b"/fail/" in path:
            self.transport.write(FAIL)
        elif b'"stream":true' in body.replace(b" ", b""):
            self.transport.write(STREAM)
            self.send(0)
        else:
            self.transport.write(OK)

    def send(self, index: int) -> None:
        self.transport.write(CHUNKS[index])
        if index + 1 < len(CHUNKS):
            asyncio.get_running_loop().call_later(GAP, self.send, index + 1)


async def serve() -> None:
    if len(cores := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(0, {cores[-1]})
    counts: Counter[bytes] = Counter()
    server = await asyncio.get_running_loop().create_server(lambda: StandIn(counts), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
