"""What is timed: per environment its kinds of call, and the worker that runs them there.

A peer pins its own versions of the SDK beneath it, so each lives in a venv of its own and is
compared with the bare SDK of that venv. `python -m tests.bench.kinds <environment> <port> <folder>`
prints its versions, then answers each line of JSON with another:

    ["rounds", scenario, n]           n times {kind: seconds}: each kind once, in random order
    ["burst", scenario, kind, calls]  calls a second, 32 at once
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

OURS = "manyways"
SDK, HTTPX2, FDATASYNC = "bare openai SDK", "httpx2 POST and JSON", "fdatasync of 8 KB"
ADAPTER = "Manyways, one provider"  # asked itself, without choosing or counting
MEMORY, DURABLE, LITELLM = "Manyways, in memory", "Manyways, durable", "LiteLLM Router"
PYDANTIC_AI, LANGCHAIN = "pydantic-ai FallbackModel", "LangChain with_fallbacks"
MODEL = "gpt-4o-mini"  # in LiteLLM's price map; outside of it LiteLLM is twice as slow
MESSAGES = [{"role": "user", "content": "Plan this task"}]
OPTIONS: dict[str, Any] = {"temperature": 0.3, "max_tokens": 100}
STREAM = {"stream": True, "stream_options": {"include_usage": True}}
AT_ONCE = 32
DISK = "disk"  # the scenario in which nothing else is asked

Url = Callable[[str], str]  # of the stand-in, by path
Call = Callable[[], Awaitable[float]]  # gives the moment that counts, by time.perf_counter()
Kinds = dict[str, dict[str, Call]]  # scenario -> kind -> call


def timed(ask: Callable[[], Awaitable[Any]]) -> Call:
    async def call() -> float:
        await ask()
        return time.perf_counter()

    return call


def first_token(stream: Callable[[], Any], has_text: Callable[[Any], Any]) -> Call:
    """What comes after the first text is read as well, outside of the measured time."""

    async def call() -> float:
        moment = 0.0
        async for chunk in stream():
            moment = moment or (time.perf_counter() if has_text(chunk) else 0.0)
        return moment

    return call


def delta(chunk: Any) -> str | None:
    return chunk.choices[0].delta.content if chunk.choices else None


def client(base_url: str) -> Any:
    from openai import AsyncOpenAI

    return AsyncOpenAI(api_key="none", base_url=base_url, max_retries=0, timeout=60)


def sdk(url: Url, environment: str) -> Kinds:
    """The yardstick: fallback is two bare calls, an open circuit one."""
    from openai import InternalServerError

    ok, fail = (client(url(f"{environment}-sdk/{path}")) for path in ("ok", "fail"))

    async def ask(sdk: Any, **more: Any) -> Any:
        return await sdk.chat.completions.create(model=MODEL, messages=MESSAGES, **OPTIONS, **more)

    async def fall_back() -> Any:
        try:
            return await ask(fail)
        except InternalServerError:
            return await ask(ok)

    async def stream() -> Any:
        async for chunk in await ask(ok, **STREAM):
            yield chunk

    once = {SDK: timed(lambda: ask(ok))}
    fallback, first = {SDK: timed(fall_back)}, {SDK: first_token(stream, delta)}
    return {"happy": once, "fallback": fallback, "open": dict(once), "stream": first}


async def manyways(url: Url, folder: str) -> Kinds:
    import httpx2

    from db.sqlite.writer import SqliteHistory

    http = httpx2.AsyncClient()
    body = {"model": MODEL, "messages": MESSAGES, **OPTIONS}
    file, size, block = os.open(f"{folder}/floor", os.O_RDWR | os.O_CREAT), 1 << 22, bytes(8192)
    os.pwrite(file, bytes(size), 0)  # the file need not grow, as a WAL that was used before
    os.fsync(file)
    at = cycle(range(0, size, len(block)))

    async def post() -> Any:
        return (await http.post(url("httpx2/ok") + "/chat/completions", json=body)).json()

    async def sync() -> None:
        os.pwrite(file, block, next(at))
        os.fdatasync(file)

    memory = await routed(url, MEMORY, None)
    durable = await routed(url, DURABLE, SqliteHistory.open(f"{folder}/history.db"))
    kinds = {scenario: calls | durable[scenario] for scenario, calls in memory.items()}
    kinds["happy"] |= {HTTPX2: timed(post), FDATASYNC: timed(sync)}
    return {**kinds, DISK: {FDATASYNC: timed(sync)}}


class Watcher:
    moment = 0.0

    def attempt_started(self, *_: object) -> None: ...

    def token(self, *_: object) -> None:
        self.moment = self.moment or time.perf_counter()

    def attempt_ended(self, *_: object) -> None: ...


async def routed(url: Url, kind: str, history: Any) -> Kinds:
    from core.providers.connect import connect
    from core.providers.pricing import cost_usd
    from core.routing.breaker import Policy
    from core.routing.router import Ask, MultiProviderStrategy
    from core.values.calls import Message, Request

    def router(first: str, **policy: Any) -> MultiProviderStrategy:
        environ = {"LLM_PRIORITY": "openai,deepseek,kimi", "OPENAI_MODEL": MODEL}
        for name, path in {"OPENAI": first, "DEEPSEEK": "ok", "KIMI": "ok"}.items():
            environ["KIMI_K2_API_KEY" if name == "KIMI" else f"{name}_API_KEY"] = "none"
            environ[f"{name}_BASE_URL"] = url(f"{kind.split()[-1]}/{path}")
        return MultiProviderStrategy(
            connect(environ), history, policy=Policy(**policy), price=cost_usd
        )

    def ask(router: MultiProviderStrategy) -> Call:
        return timed(lambda: router.call_with_fallback(MESSAGES, **OPTIONS, strategy="priority"))

    happy, fallback, opened = router("ok"), router("fail", threshold=10**9), router("fail")
    request = Request(tuple(Message(**message) for message in MESSAGES), **OPTIONS)

    async def first() -> float:
        watcher = Watcher()
        await happy.ask(Ask(request, "priority", watcher=watcher))
        return watcher.moment

    for _ in range(3):
        await ask(opened)()
    calls = {"happy": ask(happy), "fallback": ask(fallback), "open": ask(opened), "stream": first}
    kinds = {scenario: {kind: call} for scenario, call in calls.items()}
    if history is None:
        kinds["happy"][ADAPTER] = timed(lambda: happy.providers["openai"].complete(request))
    return kinds


async def litellm(url: Url, folder: str) -> Kinds:
    from litellm import Router

    def deployment(name: str, path: str) -> dict[str, Any]:
        where = {"model": f"openai/{MODEL}", "api_base": url(f"litellm/{path}"), "api_key": "none"}
        return {"model_name": name, "litellm_params": where}

    names = "first", "second", "third"
    one, two, three = (deployment("any", path) for path in ("fail", "ok", "ok"))
    chain = [deployment(name, "fail" if name == "first" else "ok") for name in names]
    happy = Router([deployment("any", "ok"), two, three], num_retries=0)
    onward = [{"first": ["second", "third"]}]
    fallback = Router(chain, num_retries=0, disable_cooldowns=True, fallbacks=onward)
    opened = Router([one, two, three], num_retries=2, allowed_fails=0, cooldown_time=3600)

    async def ask(router: Any, model: str = "any", **more: Any) -> Any:
        return await router.acompletion(model=model, messages=MESSAGES, **OPTIONS, **more)

    async def stream() -> Any:
        async for chunk in await ask(happy, **STREAM):
            yield chunk

    for _ in range(30):  # it draws by lot: until the failing one was met and cools down
        await ask(opened)
    return {
        "happy": {LITELLM: timed(lambda: ask(happy))},
        "fallback": {LITELLM: timed(lambda: ask(fallback, "first"))},
        "open": {LITELLM: timed(lambda: ask(opened))},
        "stream": {LITELLM: first_token(stream, delta)},
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

    happy = FallbackModel(model("ok"), model("ok"))
    fallback = FallbackModel(model("fail"), model("ok"))
    prompt = [ModelRequest.user_text_prompt(MESSAGES[0]["content"])]
    settings = ModelSettings(**OPTIONS)

    async def stream() -> Any:
        async with model_request_stream(happy, prompt, model_settings=settings) as events:
            async for event in events:
                yield event

    def ask(model: Any) -> Call:
        return timed(lambda: model_request(model, prompt, model_settings=settings))

    first = first_token(stream, lambda event: isinstance(event, PartStartEvent))
    calls = {"happy": ask(happy), "fallback": ask(fallback), "stream": first}
    return {scenario: {PYDANTIC_AI: call} for scenario, call in calls.items()}


async def langchain(url: Url, folder: str) -> Kinds:
    from langchain_openai import ChatOpenAI

    def chat(path: str) -> Any:
        where = {"base_url": url(f"langchain/{path}"), "api_key": "none", "max_retries": 0}
        return ChatOpenAI(model=MODEL, **where, **OPTIONS)

    happy = chat("ok").with_fallbacks([chat("ok")])
    fallback = chat("fail").with_fallbacks([chat("ok")])
    first = first_token(lambda: happy.astream(MESSAGES), lambda chunk: chunk.content)
    return {
        "happy": {LANGCHAIN: timed(lambda: happy.ainvoke(MESSAGES))},
        "fallback": {LANGCHAIN: timed(lambda: fallback.ainvoke(MESSAGES))},
        "stream": {LANGCHAIN: first},
    }


# What builds its kinds, the packages it needs, and the seconds of rest after each call: LiteLLM
# logs when a call is over, which would fall on the next.
Environment = tuple[Callable[[Url, str], Awaitable[Kinds]], tuple[str, ...], float]
ENVIRONMENTS: dict[str, Environment] = {
    OURS: (manyways, ("openai", "httpx2"), 0.0),
    "litellm": (litellm, ("litellm", "openai"), 0.004),
    "pydantic-ai": (pydantic_ai, ("pydantic-ai-slim", "openai"), 0.0),
    "langchain": (langchain, ("langchain-openai", "openai"), 0.0),
}


async def one_round(kinds: dict[str, Call], rest: float) -> dict[str, float]:
    seconds = {}
    for kind in random.sample(sorted(kinds), len(kinds)):
        start = time.perf_counter()
        seconds[kind] = await kinds[kind]() - start
        await asyncio.sleep(rest)
    return seconds


async def burst(call: Call, calls: int) -> float:
    turns = iter(range(calls))

    async def caller() -> None:
        for _ in turns:
            await call()

    await asyncio.gather(*(call() for _ in range(AT_ONCE)))  # so that all are connected
    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    return calls / (time.perf_counter() - start)


async def work(environment: str, port: str, folder: str) -> None:
    if len(cores := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(0, {cores[0]})

    def url(path: str) -> str:
        return f"http://127.0.0.1:{port}/{path}/v1"

    build, packages, rest = ENVIRONMENTS[environment]
    try:
        print(json.dumps({package: version(package) for package in packages}), flush=True)
    except PackageNotFoundError as error:
        print(json.dumps({"missing": error.name}), flush=True)
        return
    kinds = sdk(url, environment)
    for scenario, more in (await build(url, folder)).items():
        kinds[scenario] = {**kinds.get(scenario, {}), **more}
    # Reading blocks the loop on purpose: while another environment has its turn, this one is still.
    while line := sys.stdin.readline():
        verb, scenario, *more = json.loads(line)
        calls = kinds.get(scenario, {})
        if verb == "rounds":
            answer: Any = [await one_round(calls, rest) for _ in range(more[0])]
        else:
            answer = await burst(calls[more[0]], more[1])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
