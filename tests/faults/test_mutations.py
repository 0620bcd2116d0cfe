"""Answers that are almost right: one to three of their values are something else."""

import asyncio
import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from core.providers.connect import WIRES
from core.values.calls import Message, Reply, Request
from core.values.errors import ProviderError
from core.values.outcomes import ErrorKind
from core.values.registry import PROVIDERS
from tests.standin import Act, Said, StandIn, Wire, whole

HI = Request((Message("user", "hi"),))
GONE = object()  # instead of a value: nothing
JUNK = (
    *(None, True, 0, -1, 1e308, 10**400, "", "x", "\ud800", "1e999", "\0"),
    *([], {}, [None], {"a": None}, [[]], [1], {"type": "text"}, {"text": 5}, GONE),
)
BOTTOMLESS = ("[" * 100_000, '{"choices":' + "[" * 100_000, '{"content":' + '{"a":' * 50_000)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    inner = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value) if isinstance(value, list) else inner:
        yield from places(item, (*place, key))


def mutated(value: Any, rng: random.Random) -> Any:
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 3))):
        *way, last = rng.choice([place for place in places(value) if place] or [(None,)])
        if last is None:
            return rng.choice(JUNK[:-1])
        inside = value
        for key in way:
            inside = inside[key]
        junk = rng.choice(JUNK)
        if junk is GONE:
            del inside[last]
        else:
            inside[last] = copy.deepcopy(junk)
    return value


def answers(wire: Wire, *, stream: bool, seed: int) -> Iterator[bytes]:
    said = Said("Hello there", "m", (11, 7), thinking="hm")
    sent = b"".join(whole(said, wire, stream=stream))
    rng = random.Random(seed)
    yield from (_as_event(text, None) if stream else text.encode() for text in BOTTOMLESS)
    for _ in range(80):
        if not stream:
            yield json.dumps(mutated(json.loads(sent), rng)).encode()
            continue
        data = [line[6:] for line in sent.decode().splitlines() if line.startswith("data: {")]
        strange = rng.randrange(len(data))
        mutation = json.dumps(mutated(json.loads(data[strange]), rng))
        end = b"data: [DONE]\n\n" if sent.endswith(b"[DONE]\n\n") else b""
        yield (
            b"".join(
                _as_event(mutation if place == strange else event, json.loads(event))
                for place, event in enumerate(data)
            )
            + end
        )


def _as_event(data: str, event: Any) -> bytes:
    kind = event.get("type") if isinstance(event, dict) else None
    return (f"event: {kind}\n" if kind else "").encode() + f"data: {data}\n\n".encode()


@pytest.mark.chaos
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", ["anthropic", "openai", "google"])
def test_whatever_a_vendor_makes_of_its_answer_it_is_a_reply_or_the_providers_failure(
    name, streamed
):
    spec = PROVIDERS[name]

    async def ask(standin: StandIn, sent: bytes) -> Reply | ErrorKind:
        standin.script = Act("a mutation", lambda exchange: exchange.send_whole((sent,)))
        on_text = (lambda text: None) if streamed else None
        try:
            return await asyncio.wait_for(provider.complete(HI, on_text=on_text), 20)
        except ProviderError as error:
            return error.kind

    async def everything() -> list[Reply | ErrorKind]:
        try:
            return [
                await ask(standin, sent) for sent in answers(standin.wire, stream=streamed, seed=7)
            ]
        finally:
            await provider.aclose()

    with StandIn(name) as standin:
        provider = WIRES[spec.wire](
            name, model=spec.model, api_key="key", base_url=standin.base_url
        )
        told = asyncio.run(everything())
    replies = [one for one in told if isinstance(one, Reply)]
    assert 0 < len(replies) < len(told)
    for reply in replies:
        assert reply.content.strip()
        assert type(reply.usage.output_tokens) in (int, type(None))
    kinds = {one for one in told if isinstance(one, ErrorKind)}
    assert kinds <= {ErrorKind.BAD_RESPONSE, ErrorKind.REFUSED, ErrorKind.TRUNCATED}
