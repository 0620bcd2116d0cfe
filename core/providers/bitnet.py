"""BitNet on this computer: a ternary GGUF file in this process, or a look at a server's health."""

from __future__ import annotations

import asyncio
import importlib.util
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

from core.providers import gguf
from core.providers.answers import failures
from core.values.calls import Reply, Request, Usage
from core.values.errors import ProviderError, no_text
from core.values.outcomes import ErrorKind

_CONTEXT = 4096  # tokens, or the model's own limit if that is less; memory grows with it
_BATCH = 64  # tokens of prompt between two chances to stop: about a second on two slow cores
_BLOCK = 4 * 1024 * 1024  # bytes
_HEALTH_TIMEOUT = 0.3  # seconds, for the whole look


class LocalBitNet:
    """One model in this process. It is loaded when first asked and writes one answer at a time.

    The engine holds the interpreter lock while it loads, so everything else waits; `_load` does
    what it can to keep that short.
    """

    def __init__(self, path: Path, model: str) -> None:
        self.model = model
        self._path = path
        # One thread: it alone touches the engine, so the engine is loaded once and needs no lock.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bitnet")
        self._engine: Any = None  # xllamacpp.Server, which comes without types
        self._listeners: set[_AnswerSoFar] = set()
        self._closed = False

    async def complete(
        self, request: Request, *, on_text: Callable[[str], None] | None = None
    ) -> Reply:
        if self._closed:
            raise _stopped()
        loop = asyncio.get_running_loop()
        listener = _AnswerSoFar(loop, on_text)
        self._listeners.add(listener)
        try:
            return await loop.run_in_executor(self._worker, self._answer, request, listener)
        finally:
            # If this task was cancelled, the thread is still writing.
            listener.stop.set()
            self._listeners.discard(listener)

    async def models(self) -> list[str]:
        """The one model there is, without loading it.

        Raises:
            ProviderError: it cannot run here.
        """
        fault = await asyncio.to_thread(obstacle, self._path)
        if fault:
            raise ProviderError(ErrorKind.MODEL_NOT_FOUND, fault)
        return [self.model]

    async def prepare(self) -> None:
        """Nothing: the file is loaded by the first request, which its deadline can end."""

    async def aclose(self) -> None:
        """Stop what is being written and free the memory."""
        if self._closed:
            return
        self._closed = True
        for listener in self._listeners:
            listener.stop.set()
        await asyncio.get_running_loop().run_in_executor(self._worker, self._unload)
        self._worker.shutdown(wait=False)

    def _answer(self, request: Request, listener: _AnswerSoFar) -> Reply:
        if not listener.stop.is_set() and self._engine is None:
            self._engine = _load(self._path, self.model, listener.stop)
        if listener.stop.is_set():
            raise _stopped()
        try:
            self._engine.handle_chat_completions(_body(request), listener.hear)
        except Exception as error:  # whatever the engine raises, it is not ours
            raise ProviderError(
                ErrorKind.BAD_REQUEST,
                "The model's chat template or the form asked for does not fit this request; "
                "change the goal or the options.",
                # A schema that it cannot enforce is the one part it could do without.
                parameter="response_format" if request.json_schema is not None else None,
            ) from error
        return listener.reply(self.model)

    def _unload(self) -> None:
        self._engine = None


def obstacle(path: Path) -> str | None:
    """Why the model cannot run in this process, in a sentence; None if it can. Loads nothing."""
    if importlib.util.find_spec("xllamacpp") is None:
        return 'BitNet cannot run here yet; install the extra with: pip install -e ".[bitnet]".'
    return gguf.check(path)


async def server_is_up(base_url: str, client: httpx2.AsyncClient) -> bool:
    """Does a server of llama.cpp's kind answer at `base_url`, with its model loaded?"""
    url = base_url.rstrip("/").removesuffix("/v1") + "/health"
    try:
        async with asyncio.timeout(_HEALTH_TIMEOUT), client.stream("GET", url) as answer:
            return answer.status_code == httpx2.codes.OK
    except (OSError, httpx2.HTTPError, httpx2.InvalidURL):  # a TimeoutError is an OSError
        return False


class _AnswerSoFar:
    """What the engine says in answer to one request. `hear` runs on the worker thread."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_text: Callable[[str], None] | None
    ) -> None:
        self.stop = threading.Event()
        self._loop = loop
        self._on_text = on_text
        self._pieces: list[str] = []
        self._finish: str | None = None
        self._usage = Usage()
        self._error: Mapping[str, Any] | None = None

    def hear(self, chunk: Mapping[str, Any]) -> bool:
        """Take the next piece; True stops the engine, which would swallow an exception."""
        if self.stop.is_set():
            return True
        self._error = chunk.get("error") or self._error
        if chunk.get("usage"):
            self._usage = _usage(chunk["usage"])
        for choice in chunk.get("choices") or ():
            self._finish = choice.get("finish_reason") or self._finish
            text = (choice.get("delta") or {}).get("content")
            if text:
                self._pieces.append(text)
                if self._on_text is not None:
                    self._loop.call_soon_threadsafe(self._tell, text)
        return False

    def reply(self, model: str) -> Reply:
        if self.stop.is_set():
            raise _stopped()
        if self._error is not None:
            raise _translated(self._error)
        if self._finish is None:
            raise failures.bad_response("Its answer broke off in the middle.")
        text, truncated = "".join(self._pieces), self._finish == "length"
        if not text.strip():
            raise no_text(truncated=truncated)
        return Reply(text, model, self._usage, None, truncated)

    def _tell(self, text: str) -> None:
        # Text that was under way when the caller gave up is nobody's any more.
        if self._on_text is not None and not self.stop.is_set():
            self._on_text(text)


def _load(path: Path, model: str, stop: threading.Event) -> Any:
    fault = obstacle(path)
    if fault:
        raise ProviderError(ErrorKind.MODEL_NOT_FOUND, fault)
    try:
        _read_ahead(path, stop)
        if stop.is_set():
            return None
        return _start(path, model)
    except Exception as error:
        raise ProviderError(
            ErrorKind.MODEL_NOT_FOUND,
            f"{path.name} could not be loaded; check that it is whole and that there is enough "
            "free memory for it.",
        ) from error


def _read_ahead(path: Path, stop: threading.Event) -> None:
    """Bring the file into the page cache while others can still run."""
    with path.open("rb", buffering=0) as file:
        block = bytearray(_BLOCK)
        while file.readinto(block) and not stop.is_set():
            pass


def _start(path: Path, model: str) -> Any:
    xllamacpp: Any = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = [model]
    params.n_ctx = _CONTEXT
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = _BATCH
    params.cache_ram_mib = 0
    params.warmup = params.fit_params = False  # they took most of the time of a load
    params.verbosity = 0
    # It always listens, so nobody must be able to connect: a socket in a directory that is ours
    # alone and gone once it listens; where there are none, a key that nobody has.
    params.api_keys = [secrets.token_urlsafe(32)]
    params.cors_origins = ""
    params.ui = params.endpoint_slots = False
    with tempfile.TemporaryDirectory() as private:
        local = hasattr(socket, "AF_UNIX")
        params.hostnames = [f"{private}/s.sock" if local else "127.0.0.1"]
        engine = xllamacpp.Server(params)
    # To free an engine that has never answered blocks the whole process for good.
    engine.handle_completions({"prompt": "a", "n_predict": 1})
    return engine


def _body(request: Request) -> dict[str, Any]:
    optional: dict[str, Any] = {"max_tokens": request.max_tokens}
    if request.temperature is not None:
        optional["temperature"] = request.temperature
    if request.json_schema is not None:
        optional["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": dict(request.json_schema)},
        }
    return {
        "messages": [
            {"role": message.role, "content": message.content} for message in request.messages
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,  # so that it can be stopped while it still reads the prompt
        **{name: value for name, value in optional.items() if name not in request.dropped},
    }


def _usage(usage: Mapping[str, Any]) -> Usage:
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        usage.get("prompt_tokens"), usage.get("completion_tokens"), details.get("cached_tokens")
    )


def _translated(error: Mapping[str, Any]) -> ProviderError:
    if error.get("type") == "exceed_context_size_error":
        return ProviderError(
            ErrorKind.CONTEXT_TOO_LONG,
            f"The request is {error.get('n_prompt_tokens')} tokens long and the model has room "
            f"for {error.get('n_ctx')}; shorten the goal or its context.",
        )
    return failures.from_status(error.get("code"), {"error": dict(error)})


def _stopped() -> ProviderError:
    return ProviderError(
        ErrorKind.INTERRUPTED, "It was stopped before it had answered; run it again."
    )
