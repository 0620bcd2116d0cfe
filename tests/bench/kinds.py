"""What is timed: per environment its kinds of call, and the worker that runs them there.

A peer pins its own versions of the SDK beneath it, so each lives in a venv of its own and is
compared with the bare SDK of that venv. `python -m tests.bench.kinds <environment> <port> <folder>`
prints its versions, then answers one JSON line with another:

    ["round", scenario]              each kind once, in random order: {kind: seconds}
    ["burst", scenario, kind, calls] that many calls, 32 at once: calls a second
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from itertools import cycle
from typing import Any

MODEL = "gpt-4o-mini"  # in LiteLLM's price map; outside of it LiteLLM is twice as slow
MESSAGES = [{"role": "user", "content": "Plan this task"}]
OPTIONS: dict[str, Any] = {"temperature": 0.3, "max_tokens": 100}
OURS = "switchyard"
SDK, HTTPX2, FDATASYNC = "bare openai SDK", "httpx2 POST and JSON", "fdatasync of 8 KB"
MEMORY, DURABLE, LITELLM = "Switchyard, in memory", "Switchyard, durable history", "LiteLLM Router"
REST = 0.005  # seconds after each call, so that nobody's background work falls on the next
AT_ONCE = 32

Call = Callable[[], Awaitable[float]]  # gives the moment that counts, by time.perf_counter()
Url = Callable[[str], str]  # of the stand-in, by path
Kinds = dict[str, dict[str, Call]]  # scenario -> kind -> call


def timed(ask: Callable[[], Awaitable[Any]]) -> Call:
    async def call() -> float:
        await ask()
        return time.perf_counter()

    return call


def first_token(chunks: Callable[[], Any], has_text: Callable[[Any], Any]) -> Call:
    """The stream is read to its end, outside of the measured time."""

    async def call() -> float:
        moment = 0.0
        async for chunk in chunks():
            if not moment and has_text(chunk):
                moment = time.perf_counter()
        return moment

    return call


def delta(chunk: Any) -> str | None:
    return chunk.choices[0].delta.content if chunk.choices else None


def client(base_url: str) -> Any:
    from openai import AsyncOpenAI

    return AsyncOpenAI(api_key="none", base_url=base_url, max_retries=0, timeout=60)


def sdk(url: Url, name: str) -> Kinds:
    """The yardstick: fallback is written out, an open circuit is one call to the second."""
    from openai import InternalServerError

    ok, fail = client(url(f"{name}-sdk/ok")), client(url(f"{name}-sdk/fail"))

    async def ask(sdk: Any, **options: Any) -> Any:
        return await sdk.chat.completions.create(
            model=MODEL, messages=MESSAGES, **OPTIONS, **options
        )

    async def fall_back() -> Any:
        try:
            return await ask(fail)
        except InternalServerError:
            return await ask(ok)

    async def chunks() -> Any:
        async for chunk in await ask(ok, stream=True, stream_options={"include_usage": True}):
            yield chunk

    return {
        "happy": {SDK: timed(lambda: ask(ok))},
        "fallback": {SDK: timed(fall_back)},
        "open": {SDK: timed(lambda: ask(ok))},
        "stream": {SDK: first_token(chunks, delta)},
    }


async def switchyard(url: Url, folder: str) -> Kinds:
    import httpx2

    http = httpx2.AsyncClient()
    body = {"model": MODEL, "messages": MESSAGES, **OPTIONS}
    file, size, block = os.open(f"{folder}/floor", os.O_RDWR | os.O_CREAT), 1 << 22, bytes(8192)
    os.pwrite(file, bytes(size), 0)  # so that the file need not grow, as a WAL does not
    os.fsync(file)
    at = cycle(range(0, size, len(block)))

    async def post() -> Any:
        return (await http.post(url("httpx2/ok") + "/chat/completions", json=body)).json()

    async def sync() -> None:
        os.pwrite(file, block, next(at))
        os.fdatasync(file)

    kinds = await router(url, MEMORY, None)
    kinds["happy"] |= {HTTPX2: timed(post), FDATASYNC: timed(sync)}
    return kinds


async def router(url: Url, kind: str, history: Any) -> Kinds:
    from core.breaker import Policy
    from core.multi_provider_strategy import Ask, MultiProviderStrategy
    from core.providers import connect
    from core.types import Message, Request

    def strategy(first: str, **policy: Any) -> MultiProviderStrategy:
        environ = {"LLM_PRIORITY": "openai,deepseek,kimi", "OPENAI_MODEL": MODEL}
        for name, path in {"OPENAI": first, "DEEPSEEK": "ok", "KIMI": "ok"}.items():
            key = "KIMI_K2_API_KEY" if name == "KIMI" else f"{name}_API_KEY"
            environ |= {key: "none", f"{name}_BASE_URL": url(f"{kind.split()[-1]}/{path}")}
        return MultiProviderStrategy(connect(environ), history, policy=Policy(**policy))

    happy, fallback = strategy("ok"), strategy("fail", threshold=10**9)
    opened = strategy("fail", cooldown=3600.0)

    def ask(strategy: MultiProviderStrategy) -> Call:
        return timed(lambda: strategy.call_with_fallback(MESSAGES, **OPTIONS, strategy="priority"))

    request = Request(tuple(Message(**message) for message in MESSAGES), **OPTIONS)

    async def first_text() -> float:
        watcher = Watcher()
        await happy.ask(Ask(request, "priority", watcher=watcher))
        return watcher.moment

    for _ in range(3):
        await opened.call_with_fallback(MESSAGES, **OPTIONS, strategy="priority")
    return {
        "happy": {kind: ask(happy)},
        "fallback": {kind: ask(fallback)},
        "open": {kind: ask(opened)},
        "stream": {kind: first_text},
    }


class Watcher:
    moment = 0.0

    def attempt_started(self, *_: object) -> None: ...

    def token(self, *_: object) -> None:
        self.moment = self.moment or time.perf_counter()

    def attempt_ended(self, *_: object) -> None: ...


async def litellm(url: Url, folder: str) -> Kinds:
    from litellm import Router

    def deployment(name: str, path: str) -> dict[str, Any]:
        where = {"model": f"openai/{MODEL}", "api_base": url(f"litellm/{path}"), "api_key": "none"}
        return {"model_name": name, "litellm_params": where}

    three = [deployment("any", "ok") for _ in range(3)]
    happy = Router(model_list=three, num_retries=0)
    chain = [deployment("first", "fail"), deployment("second", "ok"), deployment("third", "ok")]
    fallback = Router(
        model_list=chain,
        num_retries=0,
        disable_cooldowns=True,
        fallbacks=[{"first": ["second", "third"]}],
    )
    cooling = Router(
        model_list=[deployment("any", "fail"), *three[1:]],
        num_retries=2,
        allowed_fails=0,
        cooldown_time=3600,
    )

    async def ask(router: Any, model: str, **options: Any) -> Any:
        return await router.acompletion(model=model, messages=MESSAGES, **OPTIONS, **options)

    async def chunks() -> Any:
        async for chunk in await ask(
            happy, "any", stream=True, stream_options={"include_usage": True}
        ):
            yield chunk

    for _ in range(30):  # until the failing deployment has been met and rests
        await ask(cooling, "any")
    return {
        "happy": {LITELLM: timed(lambda: ask(happy, "any"))},
        "fallback": {LITELLM: timed(lambda: ask(fallback, "first"))},
        "open": {LITELLM: timed(lambda: ask(cooling, "any"))},
        "stream": {LITELLM: first_token(chunks, delta)},
    }


async def pydantic_ai(url: Url, folder: str) -> Kinds:
    from pydantic_ai.direct import model_request, model_request_stream
    from pydantic_ai.messages import ModelRequest, PartStartEvent
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.settings import ModelSettings

    def model(path: str) -> Any:
        provider = OpenAIProvider(openai_client=client(url(f"pydantic-ai/{path}")))
        return OpenAIChatModel(MODEL, provider=provider)

    happy, fallback = (
        FallbackModel(model("ok"), model("ok")),
        FallbackModel(model("fail"), model("ok")),
    )
    prompt = [ModelRequest.user_text_prompt(MESSAGES[0]["content"])]
    settings = ModelSettings(**OPTIONS)

    async def chunks() -> Any:
        async with model_request_stream(happy, prompt, model_settings=settings) as events:
            async for event in events:
                yield event

    name = "pydantic-ai FallbackModel"
    return {
        "happy": {name: timed(lambda: model_request(happy, prompt, model_settings=settings))},
        "fallback": {name: timed(lambda: model_request(fallback, prompt, model_settings=settings))},
        "stream": {name: first_token(chunks, lambda event: isinstance(event, PartStartEvent))},
    }


async def langchain(url: Url, folder: str) -> Kinds:
    from langchain_openai import ChatOpenAI

    def chat(path: str) -> Any:
        where = {"base_url": url(f"langchain/{path}"), "api_key": "none", "max_retries": 0}
        return ChatOpenAI(model=MODEL, **where, **OPTIONS)

    happy, fallback = (
        chat("ok").with_fallbacks([chat("ok")]),
        chat("fail").with_fallbacks([chat("ok")]),
    )
    name = "LangChain with_fallbacks"
    return {
        "happy": {name: timed(lambda: happy.ainvoke(MESSAGES))},
        "fallback": {name: timed(lambda: fallback.ainvoke(MESSAGES))},
        "stream": {name: first_token(lambda: happy.astream(MESSAGES), lambda chunk: chunk.content)},
    }


ENVIRONMENTS: dict[str, tuple[Callable[[Url, str], Awaitable[Kinds]], tuple[str, ...]]] = {
    OURS: (switchyard, ("openai", "httpx2")),
    "litellm": (litellm, ("litellm", "openai")),
    "pydantic-ai": (pydantic_ai, ("pydantic-ai-slim", "openai")),
    "langchain": (langchain, ("langchain-openai", "openai")),
}


async def one_round(kinds: dict[str, Call]) -> dict[str, float]:
    seconds = {}
    for kind in random.sample(sorted(kinds), len(kinds)):
        start = time.perf_counter()
        seconds[kind] = await kinds[kind]() - start
        await asyncio.sleep(REST)
    return seconds


async def burst(call: Call, calls: int) -> float:
    turns = iter(range(calls))

    async def caller() -> None:
        for _ in turns:
            await call()

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    return calls / (time.perf_counter() - start)


async def work(environment: str, port: str, folder: str) -> None:
    if len(cores := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(0, {cores[0]})

    def url(path: str) -> str:
        return f"http://127.0.0.1:{port}/{path}/v1"

    build, packages = ENVIRONMENTS[environment]
    try:
        versions = {package: version(package) for package in packages}
    except PackageNotFoundError as error:
        print(json.dumps({"missing": error.name}), flush=True)
        return
    kinds = sdk(url, environment)
    for scenario, more in (await build(url, folder)).items():
        kinds[scenario] |= more
    print(json.dumps(versions), flush=True)
    # Reading blocks the loop on purpose: while another environment's turn lasts, this one is still.
    while line := sys.stdin.readline():
        verb, scenario, *rest = json.loads(line)
        answer = await (
            one_round(kinds[scenario])
            if verb == "round"
            else burst(kinds[scenario][rest[0]], rest[1])
        )
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
