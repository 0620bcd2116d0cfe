"""What every provider owes the router, whatever its vendor sends."""

from __future__ import annotations

import asyncio
import copy
import http.client
import json
import resource
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import pytest

from core.providers.connect import WIRES, connect
from core.values.calls import Message, Reply, Request, Usage
from core.values.errors import ProviderError
from core.values.outcomes import ErrorKind
from core.values.ports import Provider
from core.values.registry import PROVIDERS
from tests.standin import (
    CANARIES,
    HELLO,
    SEATS,
    Act,
    Received,
    Script,
    StandIn,
    Yard,
    answer,
    bad_utf8,
    close_mid_body,
    closed_port,
    cut_mid_stream,
    drip_body,
    drip_headers,
    empty_answer,
    error_mid_stream,
    eventually,
    gzip_bomb,
    hang,
    hang_after_headers,
    html,
    huge_body,
    json_value,
    raw,
    redirect,
    refusal,
    replay,
    reset,
    silence_mid_stream,
    sse,
    status,
    stream_without_finish,
)

HI = Request((Message("user", "hi"),))
BY_WIRE = {
    wire: [name for name, seat in SEATS.items() if seat.wire == wire]
    for wire in ("anthropic", "openai", "google")
}

every_provider = pytest.mark.parametrize("name", PROVIDERS)
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@asynccontextmanager
async def connected(name: str, base_url: str) -> AsyncIterator[Any]:
    spec = PROVIDERS[name]
    key = CANARIES.get(name, "none")
    provider = WIRES[spec.wire](name, model=spec.model, api_key=key, base_url=base_url)
    try:
        yield provider
    finally:
        await provider.aclose()


async def put(
    name: str,
    base_url: str,
    request: Request = HI,
    *,
    on_text: Callable[[str], None] | None = None,
) -> Reply:
    async with connected(name, base_url) as provider:
        return await provider.complete(request, on_text=on_text)


def ask(
    name: str,
    script: Script | None,
    request: Request = HI,
    *,
    streamed: bool = False,
    pieces: list[str] | None = None,
) -> tuple[Reply, list[Received]]:
    """The reply to one request, and all that its vendor was sent."""
    heard = [] if pieces is None else pieces
    with StandIn(SEATS[name].wire, script) as vendor:
        on_text = heard.append if streamed else None
        reply = asyncio.run(put(name, vendor.base_url, request, on_text=on_text))
        return reply, vendor.requests


def fail(name: str, script: Script, *, streamed: bool = False, requests: int = 1) -> ProviderError:
    """The error that one request ends with."""
    with StandIn(SEATS[name].wire, script) as vendor:
        on_text = [].append if streamed else None
        with pytest.raises(ProviderError) as failure:
            asyncio.run(put(name, vendor.base_url, on_text=on_text))
        assert len(vendor.requests) == requests
        return failure.value


def fail_at_each(name: str, acts: Sequence[Act], *, streamed: bool = False) -> list[ProviderError]:
    """The errors of one provider whose vendor does all of this, one after the other."""

    async def ask_for_each(base_url: str) -> list[ProviderError]:
        async with connected(name, base_url) as provider:
            return [await failing(provider, act) for act in acts]

    async def failing(provider: Provider, act: Act) -> ProviderError:
        try:
            reply = await provider.complete(HI, on_text=[].append if streamed else None)
        except ProviderError as error:
            return error
        raise AssertionError(f"{act} was taken for {reply}")

    with StandIn(SEATS[name].wire, acts) as vendor:
        failures = asyncio.run(ask_for_each(vendor.base_url))
        assert len(vendor.requests) == len(acts)
        return failures


# Answers


@every_provider
@both_ways
def test_an_answer_is_its_text_its_model_its_usage_and_its_id(name, streamed):
    text = "Grüße, 你好 🚂\n\nand a second line."

    reply, _ = ask(name, answer(text, model="the-one-that-served"), streamed=streamed)

    assert reply.content == text
    assert reply.model == "the-one-that-served"
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (11, 7)
    assert reply.request_id == ("standin" if name == "google" else "req_1")
    assert not reply.truncated


@every_provider
def test_streamed_pieces_come_while_they_are_written_and_join_to_the_answer(name):
    pieces: list[str] = []
    moments: list[float] = []

    async def listen(base_url):
        def on_text(piece):
            pieces.append(piece)
            moments.append(time.monotonic())

        return await put(name, base_url, on_text=on_text)

    with StandIn(SEATS[name].wire, answer(HELLO, interval=0.03)) as vendor:
        reply = asyncio.run(listen(vendor.base_url))

    assert "".join(pieces) == reply.content == HELLO
    assert len(pieces) == 4
    assert moments[-1] - moments[0] > 0.05


@every_provider
@both_ways
def test_thinking_is_no_part_of_the_answer(name, streamed):
    pieces: list[str] = []

    act = answer("Forty-two.", thinking="Let me see.")
    reply, _ = ask(name, act, streamed=streamed, pieces=pieces)

    assert reply.content == "Forty-two."
    assert "".join(pieces) == ("Forty-two." if streamed else "")


@both_ways
@pytest.mark.parametrize(
    ("name", "counted", "usage"),
    [
        (
            "anthropic",
            {
                "input_tokens": 3,
                "cache_creation_input_tokens": 10,
                "cache_read_input_tokens": 20,
                "output_tokens": 5,
            },
            Usage(33, 5, 20),
        ),
        (
            "google",
            {"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 30},
            Usage(9, 34, None),
        ),
        ("google", {"promptTokenCount": 9, "thoughtsTokenCount": 30}, Usage(9, 30, None)),
        (
            "google",
            {"promptTokenCount": 9, "candidatesTokenCount": 4, "cachedContentTokenCount": 8},
            Usage(9, 4, 8),
        ),
        (
            "openai",
            {
                "prompt_tokens": 50,
                "completion_tokens": 40,
                "total_tokens": 90,
                "prompt_tokens_details": {"cached_tokens": 32},
                "completion_tokens_details": {"reasoning_tokens": 33},
            },
            Usage(50, 40, 32),
        ),
        (
            "deepseek",
            {
                "prompt_tokens": 50,
                "completion_tokens": 40,
                "total_tokens": 90,
                "prompt_cache_hit_tokens": 0,
                "prompt_cache_miss_tokens": 50,
            },
            Usage(50, 40, 0),
        ),
        (
            "deepseek",
            {"prompt_tokens": 50, "completion_tokens": 40, "prompt_cache_hit_tokens": 32},
            Usage(50, 40, 32),
        ),
        (
            "kimi",
            {"prompt_tokens": 50, "completion_tokens": 40, "cached_tokens": 32},
            Usage(50, 40, 32),
        ),
        ("openai", {"prompt_tokens": 50, "prompt_tokens_details": "none"}, Usage(50)),
    ],
)
def test_usage_counts_cached_input_and_thinking(name, counted, usage, streamed):
    assert ask(name, answer(HELLO, usage=counted), streamed=streamed)[0].usage == usage


@every_provider
@both_ways
def test_usage_that_the_vendor_does_not_tell_is_unknown_and_not_zero(name, streamed):
    assert ask(name, answer(HELLO, usage=None), streamed=streamed)[0].usage == Usage()


@every_provider
@both_ways
def test_an_answer_cut_off_at_its_length_says_so(name, streamed):
    reply, _ = ask(name, answer("Half a sen", finish="length"), streamed=streamed)

    assert reply.content == "Half a sen"
    assert reply.truncated


@every_provider
def test_messages_keep_their_roles_and_their_order(name):
    said = (
        Message("system", "Be brief."),
        Message("user", "one"),
        Message("assistant", "two"),
        Message("user", "three"),
    )

    _, (received,) = ask(name, None, Request(said))

    assert _conversation(SEATS[name].wire, received.body) == [
        ("system", "Be brief."),
        ("user", "one"),
        ("assistant", "two"),
        ("user", "three"),
    ]
    assert received.model == PROVIDERS[name].model


def _conversation(wire: str, body: dict[str, Any]) -> list[tuple[str, str]]:
    if wire == "anthropic":
        turns = [(turn["role"], turn["content"]) for turn in body["messages"]]
        return [("system", body["system"]), *turns]
    if wire == "google":
        roles = {"user": "user", "model": "assistant"}
        system = body["systemInstruction"]["parts"][0]["text"]
        turns = [(roles[turn["role"]], turn["parts"][0]["text"]) for turn in body["contents"]]
        return [("system", system), *turns]
    return [(turn["role"], turn["content"]) for turn in body["messages"]]


@every_provider
@both_ways
@pytest.mark.parametrize("tokens", [12_345, 200_000])
def test_an_answer_may_be_at_least_as_long_as_was_asked_for(name, tokens, streamed):
    asked = Request(HI.messages, max_tokens=tokens)

    _, (received,) = ask(name, None, asked, streamed=streamed)

    body = received.body
    lengths = [
        body.get("max_tokens"),
        body.get("max_completion_tokens"),
        body.get("generationConfig", {}).get("maxOutputTokens"),
    ]
    assert [length for length in lengths if length is not None] == [tokens]


@every_provider
def test_models_on_offer_are_listed(name):
    async def listed(base_url):
        async with connected(name, base_url) as provider:
            return await provider.models()

    with StandIn(SEATS[name].wire) as vendor:
        vendor.models = ["one", "two-large", "vendor/three"]
        assert asyncio.run(listed(vendor.base_url)) == vendor.models
        assert vendor.requests == []


@every_provider
@pytest.mark.parametrize(
    ("listing", "kind"),
    [
        (status(401), ErrorKind.AUTH),
        (status(404), ErrorKind.BAD_RESPONSE),
        (status(404, "404 page not found"), ErrorKind.BAD_RESPONSE),
        (status(500), ErrorKind.SERVER_ERROR),
        (reset(), ErrorKind.CONNECTION),
        (html(), ErrorKind.BAD_RESPONSE),
    ],
    ids=repr,
)
def test_a_list_of_models_that_cannot_be_had_is_an_error_of_the_provider(name, listing, kind):
    async def listed(base_url):
        async with connected(name, base_url) as provider:
            return await provider.models()

    with StandIn(SEATS[name].wire) as vendor:
        vendor.listing = listing
        with pytest.raises(ProviderError) as failure:
            asyncio.run(listed(vendor.base_url))
    assert failure.value.kind is kind


@every_provider
def test_a_provider_answers_many_at_once_and_mixes_nothing_up(name):
    async def all_at_once(base_url):
        async with connected(name, base_url) as provider:
            asked = [Request((Message("user", f"number {n}"),)) for n in range(40)]
            return await asyncio.gather(*(provider.complete(request) for request in asked))

    with StandIn(SEATS[name].wire, lambda received: answer(received.prompt, delay=0.05)) as vendor:
        replies = asyncio.run(all_at_once(vendor.base_url))

    assert [reply.content for reply in replies] == [f"number {n}" for n in range(40)]


@every_provider
def test_a_connection_that_the_vendor_closed_while_idle_costs_nobody_a_failure(name):
    async def twice(vendor):
        async with connected(name, vendor.base_url) as provider:
            await provider.complete(HI)
            await asyncio.to_thread(vendor.hang_up)
            return await provider.complete(HI)

    with StandIn(SEATS[name].wire) as vendor:
        assert asyncio.run(twice(vendor)).content == HELLO
        assert len(vendor.requests) == 2


# Failures


K = ErrorKind
STATUSES: list[tuple[Act, ErrorKind]] = [
    (status(400), K.BAD_REQUEST),
    (status(401), K.AUTH),
    (status(402), K.BILLING),
    (status(403), K.PERMISSION),
    (status(404), K.MODEL_NOT_FOUND),
    (status(408), K.TIMEOUT),
    (status(409), K.BAD_REQUEST),
    (status(410), K.MODEL_NOT_FOUND),
    (status(413), K.CONTEXT_TOO_LONG),
    (status(422), K.BAD_REQUEST),
    (status(429), K.RATE_LIMITED),
    (status(500), K.SERVER_ERROR),
    (status(502), K.SERVER_ERROR),
    (status(503), K.OVERLOADED),
    (status(504), K.TIMEOUT),
    (status(520), K.SERVER_ERROR),
    (status(529), K.OVERLOADED),
    (status(401, ""), K.AUTH),
    (status(429, "slow down"), K.RATE_LIMITED),
    (status(500, "null"), K.SERVER_ERROR),
    (status(500, []), K.SERVER_ERROR),
    (status(500, {"error": "out of luck"}), K.SERVER_ERROR),
    (status(500, {"error": None}), K.SERVER_ERROR),
    (html(502), K.SERVER_ERROR),
    (html(403), K.PERMISSION),
    (status(301), K.BAD_RESPONSE),
    (status(304), K.BAD_RESPONSE),
]
CONNECTIONS: list[tuple[Act, ErrorKind]] = [
    (reset(), K.CONNECTION),
    (close_mid_body(), K.CONNECTION),
    (cut_mid_stream(), K.CONNECTION),
    (cut_mid_stream(0), K.CONNECTION),
    (raw(b""), K.CONNECTION),
    (raw(b"SSH-2.0-OpenSSH_9.7\r\n"), K.CONNECTION),
    (raw(b"HTTP/1.1 200 OK\r\n" + b"x-many: 1\r\n" * 100_000 + b"\r\n"), K.CONNECTION),
    (raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 10), K.CONNECTION),
    (status(204, ""), K.BAD_RESPONSE),
]
NOT_GZIP = b"\x1f\x8b is how gzip begins"
NO_ANSWERS: list[tuple[Act, ErrorKind]] = [
    (html(), K.BAD_RESPONSE),
    (replay(NOT_GZIP, headers={"content-encoding": "gzip"}), K.BAD_RESPONSE),
    (replay(NOT_GZIP, headers={"content-encoding": "gzip"}, code=500), K.BAD_RESPONSE),
    (json_value(None), K.BAD_RESPONSE),
    (json_value([]), K.BAD_RESPONSE),
    (json_value([1, 2]), K.BAD_RESPONSE),
    (json_value({}), K.BAD_RESPONSE),
    (json_value("x"), K.BAD_RESPONSE),
    (json_value(7), K.BAD_RESPONSE),
    (json_value(True), K.BAD_RESPONSE),
    (json_value({"ok": True}), K.BAD_RESPONSE),
    (json_value({"choices": [], "candidates": [], "content": []}), K.BAD_RESPONSE),
    (raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), K.BAD_RESPONSE),
    (bad_utf8(), K.BAD_RESPONSE),
    (empty_answer(), K.BAD_RESPONSE),
    (answer(""), K.BAD_RESPONSE),
    (answer(" \n\t "), K.BAD_RESPONSE),
    (answer(None, thinking="Only a thought."), K.BAD_RESPONSE),
    (answer(None, finish="length"), K.TRUNCATED),
    (answer("", finish="length", thinking="Hm, hm, hm"), K.TRUNCATED),
    (refusal(), K.REFUSED),
]


@every_provider
@both_ways
@pytest.mark.parametrize("table", [STATUSES, CONNECTIONS, NO_ANSWERS], ids=len)
def test_every_failure_lands_in_its_kind_after_one_request(name, table, streamed):
    failures = fail_at_each(name, [act for act, _ in table], streamed=streamed)

    seen = [(repr(act), failure.kind) for (act, _), failure in zip(table, failures, strict=True)]
    assert seen == [(repr(act), kind) for act, kind in table]
    assert all(failure.message.strip() for failure in failures)


@pytest.mark.parametrize("name", [*BY_WIRE["anthropic"], *BY_WIRE["openai"]])
@both_ways
def test_what_an_sdk_fails_at_as_nobody_foresaw_is_no_answer_and_logged(name, streamed, caplog):
    strange = status(400, headers={"content-type": "application/json; charset=hex"})

    assert fail(name, strange, streamed=streamed).kind is K.BAD_RESPONSE

    (record,) = [record for record in caplog.records if record.name == "manyways"]
    assert record.exc_info
    assert record.exc_info[0] is AssertionError


@pytest.mark.parametrize("code", [1113, -5, 10**30])
def test_a_number_in_a_stream_that_is_no_status_is_no_answer(code):
    failure = fail("google", sse({"error": {"code": code, "message": "No."}}), streamed=True)

    assert (failure.kind, failure.message, failure.http_status) == (K.BAD_RESPONSE, "No.", None)


@pytest.mark.parametrize("name", [*BY_WIRE["anthropic"], *BY_WIRE["openai"]])
@both_ways
def test_a_request_that_cannot_be_written_is_not_the_vendors_fault(name, streamed, caplog):
    async def after_an_answer(base_url):
        on_text = [].append if streamed else None
        async with connected(name, base_url) as provider:
            await provider.complete(HI, on_text=on_text)
            with pytest.raises(ProviderError) as failure:
                await provider.complete(Request((Message("user", "\ud800"),)), on_text=on_text)
            return failure.value

    with StandIn(SEATS[name].wire) as vendor:
        failure = asyncio.run(after_an_answer(vendor.base_url))
        assert len(vendor.requests) == 1

    assert failure.kind.outcome.circuit == "neutral"
    assert failure.kind.outcome.next_provider != "no"
    (record,) = [record for record in caplog.records if record.name == "manyways"]
    assert record.exc_info


@every_provider
@both_ways
def test_a_status_its_words_and_the_request_id_are_kept(name, streamed):
    codes = [400, 401, 404, 429, 500, 529]
    acts = [status(code, message=f"Words on {code}") for code in codes]

    failures = fail_at_each(name, acts, streamed=streamed)

    assert [failure.http_status for failure in failures] == codes
    assert [failure.message for failure in failures] == [f"Words on {code}" for code in codes]
    ids = [None if name == "google" else f"req_{place}" for place in range(1, len(codes) + 1)]
    assert [failure.request_id for failure in failures] == ids


def _anthropic(code: int, kind: str, message: str, **details: str) -> Act:
    error: dict[str, Any] = {"type": kind, "message": message}
    if details:
        error["details"] = details
    return status(code, {"type": "error", "error": error, "request_id": "req_x"})


def _openai(status_code: int, message: str, /, **more: str) -> Act:
    return status(status_code, {"error": {"message": message, **more}})


def _google(code: int, state: str, message: str, *details: dict[str, Any]) -> Act:
    error = {"code": code, "message": message, "status": state, "details": list(details)}
    return status(code, {"error": error})


def _quota(window: str) -> dict[str, Any]:
    quota = f"GenerateRequestsPer{window}PerProjectPerModel-FreeTier"
    return {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": quota, "quotaValue": "20"}],
    }


WORDS: list[tuple[str, Act, ErrorKind]] = [
    (
        "anthropic",
        _anthropic(400, "invalid_request_error", "prompt is too long: 200001 tokens > 200000"),
        K.CONTEXT_TOO_LONG,
    ),
    (
        "anthropic",
        _anthropic(
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
        ),
        K.BILLING,
    ),
    (
        "anthropic",
        _anthropic(429, "rate_limit_error", "No.", error_code="enforced_spend_limit_reached"),
        K.BILLING,
    ),
    (
        "anthropic",
        _anthropic(400, "invalid_request_error", "No.", error_code="organization_on_hold"),
        K.BILLING,
    ),
    ("anthropic", _anthropic(404, "not_found_error", "model: claude-9"), K.MODEL_NOT_FOUND),
    ("anthropic", answer("All I", finish="model_context_window_exceeded"), K.CONTEXT_TOO_LONG),
    ("anthropic", answer("I won't", finish="refusal"), K.REFUSED),
    ("openai", _openai(400, "Too long.", code="context_length_exceeded"), K.CONTEXT_TOO_LONG),
    ("openai", _openai(429, "Quota.", code="insufficient_quota"), K.BILLING),
    ("openai", _openai(429, "Quota.", type="insufficient_quota"), K.BILLING),
    ("openai", _openai(429, "Slow down.", code="rate_limit_exceeded"), K.RATE_LIMITED),
    ("openai", _openai(400, "No.", code="model_not_found", param="model"), K.MODEL_NOT_FOUND),
    ("openai", _openai(403, "No access to model.", code="model_not_found"), K.MODEL_NOT_FOUND),
    ("openai", _openai(403, "Country not supported."), K.PERMISSION),
    ("openai", refusal("message"), K.REFUSED),
    ("openai", answer("I wrote this much", finish="content_filter"), K.REFUSED),
    ("deepseek", _openai(400, "This model's maximum context length is 9."), K.CONTEXT_TOO_LONG),
    ("deepseek", _openai(402, "Insufficient Balance", type="unknown_error"), K.BILLING),
    ("kimi", _openai(400, "Request exceeded model token limit: 9"), K.CONTEXT_TOO_LONG),
    ("kimi", _openai(429, "No money", type="exceeded_current_quota_error"), K.BILLING),
    ("kimi", _openai(403, "Not active", type="exceeded_current_quota_error"), K.BILLING),
    ("kimi", _openai(429, "Busy", type="engine_overloaded_error"), K.OVERLOADED),
    ("kimi", _openai(429, "TPM", type="rate_limit_reached_error"), K.RATE_LIMITED),
    ("kimi", _openai(400, "High risk", type="content_filter"), K.REFUSED),
    ("kimi", _openai(404, "Not found", type="resource_not_found_error"), K.MODEL_NOT_FOUND),
    (
        "nvidia",
        status(403, {"status": 403, "title": "Forbidden", "detail": "Authorization failed"}),
        K.AUTH,
    ),
    (
        "nvidia",
        status(410, {"title": "Gone", "status": 410, "detail": "It reached its end of life"}),
        K.MODEL_NOT_FOUND,
    ),
    ("nvidia", status(429, {"status": 429, "title": "Too Many Requests"}), K.RATE_LIMITED),
    ("bitnet", _openai(400, "Too big", type="exceed_context_size_error"), K.CONTEXT_TOO_LONG),
    ("bitnet", status(503, {"error": {"code": 503, "message": "Loading model"}}), K.OVERLOADED),
    (
        "google",
        _google(400, "INVALID_ARGUMENT", "Bad key.", {"reason": "API_KEY_INVALID"}),
        K.AUTH,
    ),
    (
        "google",
        _google(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers."),
        K.AUTH,
    ),
    (
        "google",
        _google(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum (8)."),
        K.CONTEXT_TOO_LONG,
    ),
    ("google", _google(429, "RESOURCE_EXHAUSTED", "Slow.", _quota("Minute")), K.RATE_LIMITED),
    ("google", _google(429, "RESOURCE_EXHAUSTED", "Slow.", _quota("Day")), K.BILLING),
    ("google", refusal("prompt"), K.REFUSED),
    *(
        ("google", answer(None, finish=reason), K.REFUSED)
        for reason in ("RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE")
    ),
    ("google", answer(None, finish="OTHER"), K.BAD_RESPONSE),
    ("google", answer(None, finish="A_REASON_FROM_THE_FUTURE"), K.BAD_RESPONSE),
]


@both_ways
@pytest.mark.parametrize(("name", "act", "kind"), WORDS)
def test_the_words_of_a_vendor_are_believed_before_its_status(name, act, kind, streamed):
    assert fail(name, act, streamed=streamed).kind is kind


@every_provider
@pytest.mark.parametrize(
    ("code", "kind"), [(500, K.SERVER_ERROR), (429, K.RATE_LIMITED), (401, K.AUTH)]
)
def test_an_error_inside_a_plain_200_is_read_like_any_other(name, code, kind):
    failure = fail(name, error_mid_stream(code, message="The machine is on fire"))

    assert failure.kind is kind
    assert failure.message == "The machine is on fire"


@pytest.mark.parametrize(
    ("name", "act", "kind"),
    [
        ("anthropic", error_mid_stream(529), K.OVERLOADED),
        ("anthropic", error_mid_stream(500), K.SERVER_ERROR),
        ("google", error_mid_stream(503), K.OVERLOADED),
        ("google", error_mid_stream(500), K.SERVER_ERROR),
        *((name, error_mid_stream(500), K.SERVER_ERROR) for name in BY_WIRE["openai"]),
    ],
)
def test_an_error_in_the_middle_of_a_stream_fails_it_with_what_was_heard_before(name, act, kind):
    pieces: list[str] = []
    with pytest.raises(ProviderError) as failure:
        ask(name, act, streamed=True, pieces=pieces)

    assert failure.value.kind is kind
    assert failure.value.message == "Try later"
    assert HELLO.startswith("".join(pieces))
    assert pieces


@every_provider
def test_a_stream_that_ends_without_a_finish_is_no_answer(name):
    assert fail(name, stream_without_finish(), streamed=True).kind is K.BAD_RESPONSE


@every_provider
@both_ways
def test_a_vendor_that_nobody_can_reach_is_a_matter_of_the_connection(name, streamed):
    base_url = f"http://127.0.0.1:{closed_port()}"
    began = time.monotonic()

    with pytest.raises(ProviderError) as failure:
        asyncio.run(put(name, base_url, on_text=[].append if streamed else None))

    assert failure.value.kind is K.CONNECTION
    assert time.monotonic() - began < 1


@every_provider
def test_a_vendor_that_speaks_no_tls_is_a_matter_of_the_connection_and_hears_no_key(name):
    with StandIn(SEATS[name].wire) as vendor:
        with pytest.raises(ProviderError) as failure:
            asyncio.run(put(name, vendor.base_url.replace("http:", "https:")))
        assert vendor.requests == []
    assert failure.value.kind is K.CONNECTION


def test_a_connection_that_does_not_come_about_is_given_up_within_seconds():
    async def ask_all(base_url):
        asked = (put(name, base_url) for name in PROVIDERS)
        return await asyncio.gather(*asked, return_exceptions=True)

    with socket.create_server(("127.0.0.1", 0)) as mute:  # never says a word of TLS
        began = time.monotonic()
        failures = asyncio.run(ask_all(f"https://127.0.0.1:{mute.getsockname()[1]}"))

    assert [failure.kind for failure in failures] == [K.CONNECTION] * len(PROVIDERS)
    assert time.monotonic() - began < 8


@every_provider
@both_ways
def test_a_redirect_is_not_followed(name, streamed):
    codes = [301, 302, 303, 307, 308]
    with StandIn(SEATS[name].wire) as elsewhere:
        acts = [redirect(elsewhere.base_url, code) for code in codes]
        failures = fail_at_each(name, acts, streamed=streamed)
        assert elsewhere.requests + elsewhere.listings == []

    assert {failure.kind for failure in failures} == {K.BAD_RESPONSE}
    assert [failure.http_status for failure in failures] == codes


@every_provider
@both_ways
@pytest.mark.parametrize(
    "act", [gzip_bomb(100), gzip_bomb(100, layers=2), huge_body(100)], ids=repr
)
def test_a_body_that_swells_is_cut_off_before_it_fills_the_memory(name, act, streamed):
    before = _peak_megabytes()

    failure = fail(name, act, streamed=streamed)

    assert failure.kind is K.BAD_RESPONSE
    assert _peak_megabytes() - before < 64


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


RETRY_AFTER: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"retry-after": "5"}, 5),
    ({"retry-after": "0.5"}, 0.5),
    ({"retry-after-ms": "1500"}, 1.5),
    ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
    ({"retry-after": "90000"}, 3600),
    ({"retry-after": "1e300"}, 3600),
    ({"retry-after": "inf"}, None),
    ({"retry-after": "1e309"}, None),
    ({"retry-after": "nan"}, None),
    ({"retry-after": "-5"}, None),
    ({"retry-after": "0"}, None),
    ({"retry-after": "soon"}, None),
    ({"retry-after": ""}, None),
    ({"retry-after": "Mon, 99 Foo 2026 25:61:61 GMT"}, None),
    ({"retry-after": "1 Jan 99999999999999999999 00:00:00 GMT"}, None),
    ({"retry-after": "Mon, 01 Jan 2024 00:00:00 GMT"}, None),
    # By the vendor's own clock, which is years behind ours.
    (
        {
            "retry-after": "Mon, 01 Jan 2024 00:00:30 GMT",
            "date": "Mon, 01 Jan 2024 00:00:00 GMT",
        },
        30,
    ),
    (
        {"retry-after": "Mon, 01 Jan 2024 00:00:30 GMT", "date": "yesterday"},
        None,
    ),
]


@every_provider
def test_the_wait_that_a_vendor_asks_for_is_understood_and_nobody_waits(name):
    began = time.monotonic()

    failures = fail_at_each(name, [status(429, headers=headers) for headers, _ in RETRY_AFTER])

    for failure, (headers, seconds) in zip(failures, RETRY_AFTER, strict=True):
        expected = None if seconds is None else pytest.approx(seconds)
        assert failure.retry_after == expected, headers
    assert time.monotonic() - began < 4


@every_provider
def test_a_wait_until_a_date_is_counted_from_now(name):
    until = formatdate(time.time() + 90, usegmt=True)

    assert fail(name, status(503, headers={"retry-after": until})).retry_after == pytest.approx(
        90, abs=3
    )


@every_provider
def test_two_waits_at_once_are_nonsense_and_break_nothing(name):
    two = raw(
        b"HTTP/1.1 429 Slow\r\nretry-after: 5\r\nretry-after: 10\r\ncontent-length: 2\r\n\r\n{}"
    )

    failure = fail(name, two)

    assert failure.kind is K.RATE_LIMITED
    assert failure.retry_after is None


@both_ways
@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        ("34.4s", 34.4),
        ("48s", 48),
        ("90000s", 3600),
        ("infs", None),
        ("-1s", None),
        ("s", None),
        (7, None),
        (None, None),
    ],
)
def test_google_says_in_the_body_how_long_to_wait(delay, seconds, streamed):
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    act = _google(429, "RESOURCE_EXHAUSTED", "Slow down.", _quota("Minute"), info)

    asked = fail("google", act, streamed=streamed).retry_after

    assert asked == (None if seconds is None else pytest.approx(seconds))


# Parameters that a model refuses

WARM = Request(HI.messages, temperature=0.7, json_schema={"type": "object", "properties": {}})
# Models that take a temperature, for the providers whose default does not.
WARM_MODELS = {"anthropic": "claude-sonnet-4-5", "kimi": "kimi-k2-turbo-preview"}

REJECTIONS: list[tuple[str, Act, str]] = [
    *(
        (
            name,
            _openai(
                400,
                "Unsupported value: 'temperature' does not support 0.7 with this model.",
                code="unsupported_value",
                param="temperature",
            ),
            "temperature",
        )
        for name in BY_WIRE["openai"]
    ),
    ("kimi", _openai(400, "invalid temperature: only 1 is allowed for this model"), "temperature"),
    (
        "anthropic",
        _anthropic(400, "invalid_request_error", "`temperature` is deprecated for this model."),
        "temperature",
    ),
    (
        "anthropic",
        _anthropic(
            400, "invalid_request_error", "output_config.format: not supported by this model"
        ),
        "output_config",
    ),
    (
        "openai",
        _openai(
            400,
            "Unsupported parameter: 'max_completion_tokens' is not supported with this model. "
            "Use 'max_tokens' instead.",
            code="unsupported_parameter",
            param="max_completion_tokens",
        ),
        "max_completion_tokens",
    ),
    (
        "openai",
        _openai(400, "Unknown reasoning effort.", param="reasoning_effort"),
        "reasoning_effort",
    ),
    ("bitnet", _openai(400, "Bad schema.", param="response_format.json_schema"), "response_format"),
    ("deepseek", _openai(400, "thinking: unknown field"), "thinking"),
    (
        "google",
        _google(400, "INVALID_ARGUMENT", "Temperature is not supported for this model."),
        "temperature",
    ),
    (
        "google",
        _google(400, "INVALID_ARGUMENT", 'Unknown name "responseJsonSchema": no such field.'),
        "response_json_schema",
    ),
    (
        "google",
        _google(400, "INVALID_ARGUMENT", "Thinking level MINIMAL is not supported."),
        "thinking_level",
    ),
    (
        "google",
        _google(400, "INVALID_ARGUMENT", "thinkingConfig: no such field."),
        "thinking_config",
    ),
]


@pytest.mark.parametrize(("name", "act", "parameter"), REJECTIONS)
def test_a_rejected_parameter_is_named_and_left_out_when_it_is_dropped(name, act, parameter):
    spec = PROVIDERS[name]
    model = WARM_MODELS.get(name, spec.model)

    async def twice(base_url):
        provider = WIRES[spec.wire](name, model=model, api_key="k", base_url=base_url)
        try:
            with pytest.raises(ProviderError) as failure:
                await provider.complete(WARM)
            dropped = frozenset({failure.value.parameter})
            await provider.complete(
                Request(
                    WARM.messages, WARM.temperature, json_schema=WARM.json_schema, dropped=dropped
                )
            )
        finally:
            await provider.aclose()
        return failure.value

    with StandIn(SEATS[name].wire, [act, answer(HELLO)]) as vendor:
        failure = asyncio.run(twice(vendor.base_url))
        first, second = vendor.requests

    assert failure.kind is K.BAD_REQUEST
    assert failure.parameter == parameter
    assert _names(first) - _names(second) >= {_squeezed(parameter)}


def _names(received: Received) -> set[str]:
    def inside(value: Any) -> Iterator[str]:
        for name, inner in value.items() if isinstance(value, dict) else ():
            yield _squeezed(name)
            yield from inside(inner)

    return set(inside(received.body))


def _squeezed(name: str) -> str:
    return name.replace("_", "").lower()


@every_provider
def test_a_request_that_is_wrong_otherwise_names_no_parameter(name):
    failure = fail(name, status(400, message="Messages must alternate between the roles."))

    assert failure.kind is K.BAD_REQUEST
    assert failure.parameter is None


# Whatever comes back


def _mutations(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place in a JSON value, with everything that should not be there."""
    for wrong in (None, "x", 7, True, [], {}, [7], {"x": 7}):
        if type(wrong) is not type(value):
            yield path, wrong
    if isinstance(value, dict | list):
        places = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in places:
            yield from _mutations(inner, (*path, key))


def _with(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    if not path:
        return wrong
    changed = copy.deepcopy(value)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = wrong
    return changed


def _events_of(name: str, *, streamed: bool) -> list[Any]:
    """What the stand-in itself would send, parsed."""
    wire = SEATS[name].wire
    body = {"model": "m", "stream": streamed}
    place = "streamGenerateContent?alt=sse" if streamed else "generateContent"
    path = f"/v1beta/models/m:{place}" if wire == "google" else "/"
    with StandIn(wire, answer("A few words", thinking="Hm")) as vendor:
        line = http.client.HTTPConnection("127.0.0.1", vendor.port)
        line.request("POST", path, json.dumps(body))
        sent = line.getresponse().read().decode()
        line.close()
    if not streamed:
        return [json.loads(sent)]
    data = [line[6:] for line in sent.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in data if line != "[DONE]"]


@pytest.mark.parametrize("name", ["anthropic", "openai", "google"])
@both_ways
def test_an_answer_of_any_shape_is_a_sound_reply_or_an_error_of_the_provider(name, streamed):
    events = _events_of(name, streamed=streamed)
    scripts = [
        sse(*events[:place], _with(event, path, wrong), *events[place + 1 :])
        for place, event in enumerate(events)
        for path, wrong in _mutations(event)
    ]
    ends: list[Reply | ProviderError] = []

    async def all_of_them(base_url):
        async with connected(name, base_url) as provider:
            for _ in scripts:
                try:
                    end = await provider.complete(HI, on_text=[].append if streamed else None)
                except ProviderError as error:
                    end = error
                ends.append(end)

    with StandIn(SEATS[name].wire, scripts) as vendor:
        asyncio.run(all_of_them(vendor.base_url))

    assert len(ends) == len(scripts) > 100
    for end in ends:
        _check(end)


def _check(end: Reply | ProviderError) -> None:
    if isinstance(end, ProviderError):
        assert end.kind in (K.BAD_RESPONSE, K.TRUNCATED, K.REFUSED, K.SERVER_ERROR)
        assert isinstance(end.message, str)
        return
    reply = end
    assert isinstance(reply.content, str)
    assert reply.content.strip()
    assert isinstance(reply.model, str)
    counts = (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.cached_tokens)
    assert all(count is None or type(count) is int for count in counts)
    assert reply.request_id is None or isinstance(reply.request_id, str)


# Time


@every_provider
@both_ways
@pytest.mark.parametrize(
    "act",
    [hang(), hang_after_headers(), drip_headers(), drip_body(), silence_mid_stream()],
    ids=repr,
)
def test_a_call_that_is_cancelled_ends_at_once_and_hangs_up(name, act, streamed):
    async def cut_short(base_url):
        async with connected(name, base_url) as provider:
            on_text = [].append if streamed else None
            await provider.complete(HI)  # importing the SDK is no part of this
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.06):
                    await provider.complete(HI, on_text=on_text)
            return time.monotonic() - began, time.monotonic()

    with StandIn(SEATS[name].wire, [answer(HELLO), act]) as vendor:
        took, ended = asyncio.run(cut_short(vendor.base_url))
        _, received = vendor.requests
        assert eventually(lambda: received.disconnected_at is not None)

    assert took < 0.3
    assert received.disconnected_at is not None
    assert received.disconnected_at - ended < 0.1


# Keys

LEAKS = {
    "OPENAI_API_KEY": "sk-leak-openai",
    "OPENAI_ADMIN_KEY": "sk-leak-admin",
    "OPENAI_ORG_ID": "org-leak",
    "OPENAI_PROJECT_ID": "proj-leak",
    "OPENAI_CUSTOM_HEADERS": "x-leak: leak-custom-openai",
    "OPENAI_BASE_URL": "{trap}/v1",
    "ANTHROPIC_API_KEY": "sk-leak-anthropic",
    "ANTHROPIC_AUTH_TOKEN": "leak-token",
    "ANTHROPIC_CUSTOM_HEADERS": "x-leak: leak-custom-anthropic",
    "ANTHROPIC_BASE_URL": "{trap}",
    "ANTHROPIC_PROFILE": "leak-profile",
    "GEMINI_API_KEY": "leak-gemini",
    "GOOGLE_API_KEY": "leak-google",
    "GOOGLE_GENAI_USE_VERTEXAI": "true",
    "GOOGLE_GENAI_USE_ENTERPRISE": "true",
    "GOOGLE_GENAI_API_VERSION": "v1leak",
    "GOOGLE_GEMINI_BASE_URL": "{trap}",
    "GOOGLE_CLOUD_PROJECT": "leak-project",
    "GOOGLE_CLOUD_LOCATION": "leak-location",
    "HTTP_PROXY": "{trap}",
    "HTTPS_PROXY": "{trap}",
    "ALL_PROXY": "{trap}",
    "http_proxy": "{trap}",
    "all_proxy": "{trap}",
}
KEY_HEADERS = {
    "anthropic": ("authorization", "Bearer {key}"),
    "openai": ("authorization", "Bearer {key}"),
    "google": ("x-goog-api-key", "{key}"),
}


def test_each_key_goes_to_its_own_vendor_and_nothing_of_the_environment_goes_anywhere(monkeypatch):
    async def ask_all(environ):
        for provider in connect(environ).values():
            await provider.complete(HI)
            await provider.complete(HI, on_text=[].append)
            await provider.models()
            await provider.aclose()

    with Yard() as yard, StandIn("openai") as trap:
        for variable, value in LEAKS.items():
            monkeypatch.setenv(variable, value.format(trap=f"http://127.0.0.1:{trap.port}"))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        asyncio.run(ask_all(yard.env()))

        assert trap.requests + trap.listings == []
        for name, vendor in yard.vendors.items():
            received = vendor.requests + vendor.listings
            assert len(received) >= 3, name
            for one in received:
                _check_keys(name, one)


def _check_keys(name: str, received: Received) -> None:
    header, form = KEY_HEADERS[SEATS[name].wire]
    own = CANARIES.get(name)
    if own:
        assert received.headers[header] == form.format(key=own)
    told = received.path + json.dumps(received.headers) + received.raw.decode()
    assert [other for other, key in CANARIES.items() if key in told] == ([name] if own else [])
    assert "leak" not in told
    assert received.headers["host"].startswith("127.0.0.1:")


def test_a_provider_without_its_key_is_not_connected():
    with Yard() as yard:
        environ = yard.env("anthropic", "kimi")
        asked = connect(environ)

        assert set(asked) == {"anthropic", "kimi"}

        for provider in asked.values():
            asyncio.run(provider.aclose())


def test_kimi_takes_its_key_by_either_name():
    with Yard() as yard:
        environ = yard.env("kimi")
        environ["MOONSHOT_API_KEY"] = environ.pop("KIMI_K2_API_KEY")
        provider = connect(environ)["kimi"]

        async def once():
            await provider.complete(HI)
            await provider.aclose()

        asyncio.run(once())
        assert yard["kimi"].requests[0].headers["authorization"] == f"Bearer {CANARIES['kimi']}"
