"""BitNet in this process, against the real engine with a model of 0.4 MB, and GGUF headers."""

import asyncio
import contextlib
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx2
import pytest

from core.providers import bitnet, gguf
from core.providers.bitnet import LocalBitNet
from core.values.calls import Message, Reply, Request
from core.values.errors import ProviderError
from core.values.outcomes import ErrorKind

SAYS, REPEATS, IS_SILENT = "What now?", "~", "Done."  # to each prompt the model does as named
COLOUR = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}},
    "required": ["colour"],
}


@pytest.fixture(scope="module")
def write_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    needed = "runs with the test extra"
    pytest.importorskip("xllamacpp", reason=needed)
    pytest.importorskip("gguf", reason=needed)
    from tests.tiny_gguf import write_tiny_gguf

    def write(**kwargs: Any) -> Path:
        path: Path = write_tiny_gguf(tmp_path_factory.mktemp("model") / "tiny.gguf", **kwargs)
        return path

    return write


@pytest.fixture(scope="module")
def model(write_model: Callable[..., Path]) -> Path:
    return write_model(context=4096)


def ask(prompt: str, **kwargs: Any) -> Request:
    return Request((Message("user", prompt),), temperature=0.0, **kwargs)


def run(path: Path, use: Callable[[LocalBitNet], Coroutine[Any, Any, Any]]) -> Any:
    """What `use` makes of a provider, which is closed afterwards."""

    async def main() -> Any:
        async with contextlib.aclosing(LocalBitNet(path, "bitnet-local")) as provider:
            return await use(provider)

    return asyncio.run(main())


def failure(path: Path, request: Request) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        run(path, lambda provider: provider.complete(request))
    return caught.value


class Counting:
    """An engine that is the real one and counts how often it is started and heard."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.starts = self.chunks = 0
        self._real_start = bitnet._start
        monkeypatch.setattr(bitnet, "_start", self._start)

    def _start(self, path: Path, model: str) -> "Counting":
        self.starts += 1
        self._engine = self._real_start(path, model)
        return self

    def handle_chat_completions(self, body: Any, hear: Callable[[Any], bool]) -> None:
        def count(chunk: Any) -> bool:
            self.chunks += 1
            return hear(chunk)

        self._engine.handle_chat_completions(body, count)


@pytest.mark.parametrize("kind", ["TQ1_0", "TQ2_0"])
def test_a_ternary_llama_answers_with_its_usage(write_model, kind):
    reply = run(write_model(kind=kind), lambda provider: provider.complete(ask(SAYS)))

    assert reply.content == "Weigh anchor at dawn."
    assert reply.model == "bitnet-local"
    assert not reply.truncated
    assert reply.usage.input_tokens == len(SAYS)
    assert reply.usage.output_tokens == 6  # five words and the end


@pytest.mark.parametrize("kind", ["TQ1_0", "TQ2_0"])
def test_a_ternary_bitnet_answers_as_its_schema_says(write_model, kind):
    path = write_model(architecture="bitnet", kind=kind)
    request = ask("Which colour", json_schema=COLOUR)

    reply = run(path, lambda provider: provider.complete(request))

    assert "".join(reply.content.split()) in ('{"colour":"red"}', '{"colour":"green"}')


def test_text_is_streamed_on_the_callers_thread_before_the_reply(model):
    pieces: list[tuple[str, int]] = []

    def on_text(text: str) -> None:
        pieces.append((text, threading.get_ident()))

    reply = run(model, lambda provider: provider.complete(ask(SAYS), on_text=on_text))

    assert [text for text, _ in pieces] == ["Weigh", " anchor", " at", " dawn", "."]
    assert {thread for _, thread in pieces} == {threading.get_ident()}
    assert reply.content == "".join(text for text, _ in pieces)


def test_an_answer_that_is_cut_off_says_so(model):
    reply = run(model, lambda provider: provider.complete(ask(REPEATS, max_tokens=5)))

    assert (reply.content, reply.truncated) == ("~~~~~", True)


def test_an_answer_without_text_is_no_answer(model):
    assert failure(model, ask(IS_SILENT)).kind is ErrorKind.BAD_RESPONSE


def test_a_prompt_that_does_not_fit_says_by_how_much(model):
    error = failure(model, ask("x" * 5000))

    assert error.kind is ErrorKind.CONTEXT_TOO_LONG
    assert "5000 tokens long" in error.message
    assert "room for 4096" in error.message


def test_a_schema_that_cannot_be_enforced_can_be_dropped(model):
    impossible = ask(SAYS, json_schema={"type": "nonsense"})
    error = failure(model, impossible)

    assert error.kind is ErrorKind.BAD_REQUEST
    assert error.parameter is not None
    without = ask(SAYS, json_schema={"type": "nonsense"}, dropped=frozenset({error.parameter}))
    assert run(model, lambda provider: provider.complete(without)).content


def test_five_at_once_load_the_model_once_and_all_are_answered(model, monkeypatch):
    engine = Counting(monkeypatch)

    async def five(provider: LocalBitNet) -> list[Reply]:
        return await asyncio.gather(*(provider.complete(ask(SAYS)) for _ in range(5)))

    replies = run(model, five)

    assert [reply.content for reply in replies] == ["Weigh anchor at dawn."] * 5
    assert engine.starts == 1


def test_cancelling_returns_at_once_stops_the_thread_and_leaves_the_model_usable(
    model, monkeypatch
):
    engine = Counting(monkeypatch)
    heard: list[str] = []

    async def cancel_midway(provider: LocalBitNet) -> tuple[float, int, Reply]:
        begun = asyncio.Event()

        def on_text(text: str) -> None:
            heard.append(text)
            begun.set()

        task = asyncio.create_task(
            provider.complete(ask(REPEATS, max_tokens=4000), on_text=on_text)
        )
        await begun.wait()
        cancelled_at = time.perf_counter()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        took, by_then = time.perf_counter() - cancelled_at, len(heard)
        return took, by_then, await provider.complete(ask(SAYS))

    took, by_then, reply = run(model, cancel_midway)

    assert took < 0.1
    assert len(heard) == by_then, "text was delivered after the cancellation"
    assert engine.chunks < 2000, "the thread went on writing"
    assert reply.content == "Weigh anchor at dawn."


def test_closing_stops_who_is_waiting_and_ends_the_thread(model):
    async def close_midway(provider: LocalBitNet) -> list[Reply | BaseException]:
        begun = asyncio.Event()
        first = provider.complete(ask(REPEATS, max_tokens=4000), on_text=lambda _: begun.set())
        tasks = [asyncio.create_task(each) for each in (first, provider.complete(ask(SAYS)))]
        await begun.wait()
        await provider.aclose()
        late = asyncio.create_task(provider.complete(ask(SAYS)))
        return await asyncio.gather(*tasks, late, return_exceptions=True)

    results = run(model, close_midway)

    kinds = [result.kind for result in results if isinstance(result, ProviderError)]
    assert kinds == [ErrorKind.INTERRUPTED] * 3
    deadline = time.monotonic() + 2
    while any(thread.name.startswith("bitnet") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_model_that_is_closed_while_it_loads_is_freed(model, monkeypatch):
    start, started, closing = bitnet._start, threading.Event(), threading.Event()

    def start_slowly(path: Path, model: str) -> Any:
        engine = start(path, model)
        started.set()
        closing.wait()
        return engine

    async def close_early(provider: LocalBitNet) -> None:
        task = asyncio.create_task(provider.complete(ask(SAYS)))
        await asyncio.to_thread(started.wait)
        closed = asyncio.create_task(provider.aclose())
        await asyncio.sleep(0)
        closing.set()
        await closed
        with pytest.raises(ProviderError, match="stopped before it had answered"):
            await task

    monkeypatch.setattr(bitnet, "_start", start_slowly)
    run(model, close_early)


def test_an_engine_that_is_freed_at_once_does_not_hang(model):
    for _ in range(10):
        bitnet._start(model, "bitnet-local")


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no such sockets")
def test_nobody_can_connect_to_the_engine(model):
    engine = bitnet._start(model, "bitnet-local")

    address = engine.listening_address
    assert address.startswith("unix://")
    assert not Path(address.removeprefix("unix://")).parent.exists()


def test_its_one_model_is_named_without_loading_it(model, monkeypatch):
    engine = Counting(monkeypatch)

    assert run(model, lambda provider: provider.models()) == ["bitnet-local"]
    assert engine.starts == 0


def test_without_the_extra_a_person_is_told_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)

    error = failure(write_header(tmp_path), ask(SAYS))

    assert error.kind.outcome.needs_you
    assert 'pip install -e ".[bitnet]"' in error.message


def test_a_file_that_the_engine_refuses_gets_a_sentence(tmp_path, write_model):
    error = failure(write_header(tmp_path), ask(SAYS))  # a sound header, and nothing behind it

    assert error.kind.outcome.needs_you
    assert error.message.startswith("model.gguf could not be loaded; ")


F32, TQ2_0, I2_S, TL1 = 0, 35, 36, 38
TEXT, ARRAY = 8, 9


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def header(architecture: bytes = b"llama", *, tensor: int = F32, offset: int = 0) -> bytes:
    """A GGUF file with one key and one tensor of eight numbers."""
    return b"".join(
        [
            b"GGUF" + struct.pack("<IQQ", 3, 1, 1),
            text(b"general.architecture") + struct.pack("<I", TEXT) + text(architecture),
            text(b"token_embd.weight") + struct.pack("<IQIQ", 1, 8, tensor, offset),
            bytes(64),
        ]
    )


def write_header(folder: Path, content: bytes | None = None) -> Path:
    path = folder / "model.gguf"
    path.write_bytes(header() if content is None else content)
    return path


def test_files_that_upstream_runs_pass_the_check(write_model, tmp_path):
    for architecture in ("llama", "bitnet"):
        for kind in ("TQ1_0", "TQ2_0"):
            assert gguf.check(write_model(architecture=architecture, kind=kind)) is None
    assert gguf.check(write_header(tmp_path, header(tensor=TQ2_0))) is None


@pytest.mark.parametrize(
    "content",
    [
        header(b"bitnet", tensor=I2_S),
        header(b"llama", tensor=I2_S),
        header(b"llama", tensor=TL1),
        header(b"bitnet-b1.58"),
        header(b"bitnet-25"),
    ],
)
def test_what_only_bitnet_cpp_runs_is_sent_there(tmp_path, content):
    sentence = gguf.check(write_header(tmp_path, content))

    assert sentence is not None
    assert "start bitnet.cpp's server" in sentence
    assert "BITNET_BASE_URL" in sentence


HUGE = 2**63 + 1
START = b"GGUF" + struct.pack("<I", 3)
KEY = text(b"a.key")
HOSTILE = {
    "nothing": (b"", "damaged or incomplete"),
    "three bytes": (b"GGU", "damaged or incomplete"),
    "a web page": (b"<!doctype html><title>Sign in</title>", "not a GGUF file"),
    "zeros": (bytes(4096), "not a GGUF file"),
    "only the magic": (b"GGUF", "damaged or incomplete"),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 1, 1), "big-endian"),
    "version 1": (b"GGUF" + struct.pack("<III", 1, 1, 1), "version 1"),
    "version 99": (b"GGUF" + struct.pack("<IQQ", 99, 1, 1), "version 99"),
    "no tensors": (START + struct.pack("<QQ", 0, 0), "damaged"),
    "too many tensors": (START + struct.pack("<QQ", HUGE, 0), "damaged"),
    "too many keys": (START + struct.pack("<QQ", 1, HUGE), "damaged"),
    "no architecture": (START + struct.pack("<QQ", 1, 0) + bytes(99), "damaged"),
    "an endless key": (START + struct.pack("<QQQ", 1, 1, HUGE) + bytes(99), "damaged"),
    "an unknown type": (START + struct.pack("<QQ", 1, 1) + KEY + struct.pack("<I", 77), "damaged"),
    "an endless list": (
        START + struct.pack("<QQ", 1, 1) + KEY + struct.pack("<IIQ", ARRAY, 4, HUGE),
        "damaged",
    ),
    "an endless list of texts": (
        START + struct.pack("<QQ", 1, 1) + KEY + struct.pack("<IIQ", ARRAY, TEXT, HUGE),
        "damaged",
    ),
    "a list of lists": (
        START + struct.pack("<QQ", 1, 1) + KEY + struct.pack("<IIQ", ARRAY, ARRAY, 1) + bytes(99),
        "damaged",
    ),
    "half a download": (header(offset=100_000), "damaged or incomplete"),
}


@pytest.mark.parametrize(("content", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_no_model_gets_a_sentence(tmp_path, content, said):
    sentence = gguf.check(write_header(tmp_path, content))

    assert sentence is not None
    assert said in sentence
    assert sentence.startswith("model.gguf ")
    assert str(tmp_path) not in sentence


def test_a_header_cut_anywhere_gets_a_sentence(tmp_path):
    whole = header()

    for length in range(len(whole) - 64):
        assert gguf.check(write_header(tmp_path, whole[:length])), length


def test_no_garbage_makes_the_check_fail_or_linger(tmp_path):
    rng = random.Random(0)
    begun = time.perf_counter()

    for _ in range(500):
        content = bytearray(header())
        for _ in range(rng.randint(1, 8)):
            content[rng.randrange(4, len(content))] = rng.randrange(256)
        gguf.check(write_header(tmp_path, bytes(content)))  # a sentence or None, never an exception

    assert time.perf_counter() - begun < 5


def test_no_more_than_the_start_of_an_endless_header_is_read(tmp_path):
    path = write_header(
        tmp_path, START + struct.pack("<QQ", 1, 1) + KEY + struct.pack("<IIQ", ARRAY, TEXT, 2**40)
    )
    with path.open("r+b") as file:
        file.truncate(2**36)  # sparse: 64 GB of empty texts
    begun = time.perf_counter()
    with path.open("rb") as file:
        assert len(file.read(2**26)) == 2**26
    a_part = time.perf_counter() - begun  # of 1,024
    begun = time.perf_counter()

    assert "damaged" in (gguf.check(path) or "")
    assert time.perf_counter() - begun < 400 * a_part


def test_what_is_not_a_file_gets_a_sentence(tmp_path):
    assert "no file missing.gguf" in (gguf.check(tmp_path / "missing.gguf") or "")
    assert "is not a file" in (gguf.check(tmp_path) or "")
    assert "no file beyond.gguf" in (gguf.check(write_header(tmp_path) / "beyond.gguf") or "")
    assert "cannot be read" in (gguf.check(tmp_path / "nul\0.gguf") or "")


def test_a_file_that_changes_is_looked_at_again(tmp_path):
    path = write_header(tmp_path, b"half")
    assert gguf.check(path)

    write_header(tmp_path)
    assert gguf.check(path) is None


async def is_up(answer: bytes | None, *, path: str = "/v1") -> bool:
    """What `server_is_up` says of a server that gives this answer; None: it stays silent."""
    asked: list[bytes] = []
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        if answer is not None:
            writer.write(answer)
        else:
            await reader.read()  # until the other side has had enough
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with httpx2.AsyncClient(trust_env=False) as client:
            up = await bitnet.server_is_up(f"http://127.0.0.1:{port}{path}", client)
        await ended.wait()
    assert asked == [b"GET /health HTTP/1.1\r\n"]
    return up


@pytest.mark.parametrize(
    ("answer", "up"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{", True),  # the body is not waited for
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", False),
        (b"HTTP/1.1 302 Found\r\nlocation: /sign-in\r\ncontent-length: 0\r\n\r\n", False),
        (b"nonsense\r\n\r\n", False),
        (b"", False),
        (None, False),
    ],
)
def test_a_server_is_up_when_its_health_is_200_in_time(answer, up):
    begun = time.perf_counter()

    assert asyncio.run(is_up(answer)) is up
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize("path", ["", "/", "/v1/"])
def test_the_address_of_a_server_may_be_given_with_or_without_v1(path):
    assert asyncio.run(is_up(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", path=path))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "http://[::bad/v1", "nonsense", ""])
def test_an_address_where_nobody_answers_is_not_up(url):
    async def look() -> bool:
        async with httpx2.AsyncClient(trust_env=False) as client:
            return await bitnet.server_is_up(url, client)

    assert asyncio.run(look()) is False
