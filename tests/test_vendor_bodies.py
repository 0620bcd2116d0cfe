"""What vendors say when something is the matter, word for word, read by the adapters.

`VENDOR_BODIES` names a file of such bodies that lies outside this repository, one a line:
`provider`, `stream`, `status`, `headers`, `body`, and `expect`: the kinds that it may be read as,
or the answer that it is.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.providers.connect import WIRES, connect
from core.routing.router import Ask, MultiProviderStrategy
from core.values.calls import Message, Reply, Request, Usage
from core.values.errors import ProviderError
from core.values.outcomes import ErrorKind
from core.values.registry import PROVIDERS
from tests.standin import HELLO, SEATS, Act, Script, StandIn, Yard, answer, replay, status

FILE = os.environ.get("VENDOR_BODIES")
NAMES = {"moonshot": "kimi", "llamacpp": "bitnet"}  # where the file says it otherwise
HI = Request((Message("user", "hi"),))


def end_of(
    name: str,
    body: str,
    *,
    code: int = 200,
    streamed: bool = False,
    content_type: str = "application/json",
) -> Reply | ProviderError:
    """How a request ends that gets this for an answer."""
    act = replay(body.encode(), code=code, headers={"content-type": content_type})
    return ended(name, act, streamed=streamed)


def ended(name: str, act: Act, *, streamed: bool) -> Reply | ProviderError:
    spec = PROVIDERS[name]

    async def ask(base_url: str) -> Reply | ProviderError:
        provider = WIRES[spec.wire](name, model=spec.model, api_key="none", base_url=base_url)
        try:
            return await provider.complete(HI, on_text=[].append if streamed else None)
        except ProviderError as error:
            return error
        finally:
            await provider.aclose()

    with StandIn(SEATS[name].wire, act) as vendor:
        end = asyncio.run(ask(vendor.base_url))
        assert len(vendor.requests) == 1
        return end


def _rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(FILE).read_text("utf-8").splitlines()] if FILE else []


@pytest.mark.skipif(not FILE, reason="VENDOR_BODIES names no file of vendors' bodies")
@pytest.mark.parametrize(
    "row", _rows(), ids=lambda row: f"{row['case']}-{'streamed' if row['stream'] else 'whole'}"
)
def test_a_body_that_was_seen_is_read_as_its_vendor_means_it(row):
    end = end_of(
        NAMES.get(row["provider"], row["provider"]),
        row["body"],
        code=row["status"],
        streamed=row["stream"],
        content_type=row["headers"]["content-type"],
    )

    expected = row["expect"]
    if isinstance(expected, list):
        assert isinstance(end, ProviderError), end
        assert end.kind in expected, (end.kind, end.message)
        assert "no explanation" not in end.message
        return
    assert isinstance(end, Reply), (end.kind, end.message)
    assert end.content == expected["text"]
    assert end.usage == Usage(*expected["usage"])
    assert end.truncated == expected.get("truncated", False)


# What we know of without that file, and what lies beside it.

K = ErrorKind


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


def anthropic(message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_x"}


def google(code: int, message: str, state: str, *details: Any) -> dict[str, Any]:
    return error(message, code=code, status=state, details=list(details))


ORG = "Your organization must be verified to use this model."
FASTAPI = {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Not permitted"}]}
TOO_LONG = K.CONTEXT_TOO_LONG
BODIES: list[tuple[str, int, Any, ErrorKind]] = [
    # Out of money
    ("openai", 429, error("Not active.", code="billing_not_active"), K.BILLING),
    ("openai", 400, error("No.", code="billing_hard_limit_reached"), K.BILLING),
    ("openai", 429, error("You exceeded it.", type="insufficient_quota"), K.BILLING),
    ("google", 429, google(429, "Your prepayment credits are depleted.", "X"), K.BILLING),
    ("google", 429, google(429, "The monthly spending cap was reached.", "X"), K.BILLING),
    (
        "google",
        403,
        google(403, "This API method requires billing to be enabled.", "PERMISSION_DENIED"),
        K.BILLING,
    ),
    ("anthropic", 400, anthropic("You have reached your specified API usage limits."), K.BILLING),
    ("deepseek", 402, "Insufficient Balance", K.BILLING),
    (
        "kimi",
        429,
        error("Your account is suspended", type="exceeded_current_quota_error"),
        K.BILLING,
    ),
    ("nvidia", 402, {"title": "Payment Required", "detail": "Cloud credits expired"}, K.BILLING),
    ("openai", 402, error("This request requires more credits", code=402), K.BILLING),
    (
        "openai",
        400,
        error("Budget has been exceeded! Current cost: 1, Max budget: 1", type="budget_exceeded"),
        K.BILLING,
    ),
    ("openai", 429, error("User over budget. Spend=2, Budget=1", code="429"), K.BILLING),
    ("openai", 200, {"code": "1113", "msg": "余额不足, 请充值"}, K.BILLING),
    ("openai", 429, error("You exceeded your current quota, please check your plan."), K.BILLING),
    ("anthropic", 400, anthropic("You're out of extra usage. Add more."), K.BILLING),
    ("openai", 403, error("Out of call volume quota. It is replenished soon."), K.BILLING),
    # Too long
    ("openai", 400, {"message": "Please reduce your prompt; or completion length."}, TOO_LONG),
    ("openai", 424, {"error": "`inputs` tokens + `max_new_tokens` must be <= 4096"}, TOO_LONG),
    ("openai", 400, {"code": "X", "message": "Range of input length should be [1, 9]"}, TOO_LONG),
    ("nvidia", 400, error("It has more tokens (9) than the model's context can hold"), TOO_LONG),
    (
        "nvidia",
        400,
        error(
            "This model's maximum context length is 4096 tokens. However, you requested 5000.",
            type="BadRequestError",
            code=400,
        ),
        K.CONTEXT_TOO_LONG,
    ),
    (
        "nvidia",
        400,
        {
            "object": "error",
            "message": "The decoder prompt (length 5000) is longer than the maximum model length.",
            "type": "BadRequestError",
            "code": 400,
        },
        K.CONTEXT_TOO_LONG,
    ),
    ("bitnet", 500, error("Context size has been exceeded.", code=500), K.CONTEXT_TOO_LONG),
    (
        "bitnet",
        500,
        error("input (900 tokens) is too large to process. increase the physical batch size"),
        K.CONTEXT_TOO_LONG,
    ),
    (
        "bitnet",
        400,
        error("the request exceeds the available context size. try increasing the context size"),
        K.CONTEXT_TOO_LONG,
    ),
    (
        "bitnet",
        400,
        {"error": "The number of tokens to keep is greater than the context length."},
        K.CONTEXT_TOO_LONG,
    ),
    (
        "anthropic",
        400,
        anthropic("input length and `max_tokens` exceed context limit: 199000 + 8000 > 200000"),
        K.CONTEXT_TOO_LONG,
    ),
    ("anthropic", 413, anthropic("Request exceeds the maximum size"), K.CONTEXT_TOO_LONG),
    ("google", 400, google(400, "Request payload size exceeds the limit", "X"), K.CONTEXT_TOO_LONG),
    ("openai", 400, error("Invalid.", code="string_above_max_length"), K.CONTEXT_TOO_LONG),
    ("openai", 400, error("Please reduce the length of the messages."), K.CONTEXT_TOO_LONG),
    ("openai", 429, error("Request too large for gpt-6 on tokens per min"), K.CONTEXT_TOO_LONG),
    (
        "openai",
        400,
        error(
            "Provider returned error",
            code=400,
            metadata={"raw": json.dumps(anthropic("prompt is too long: 9 tokens > 8 maximum"))},
        ),
        K.CONTEXT_TOO_LONG,
    ),
    ("openai", 400, error("litellm.ContextWindowExceededError: ..."), K.CONTEXT_TOO_LONG),
    # The content is declined
    ("anthropic", 400, anthropic("Output blocked by content filtering policy"), K.REFUSED),
    ("openai", 400, error("Flagged: it violates our usage policy.", code="x"), K.REFUSED),
    ("openai", 400, error("Your prompt was flagged.", code="invalid_prompt"), K.REFUSED),
    (
        "openai",
        400,
        error(
            "The response was filtered due to the prompt triggering the content management policy.",
            code="content_filter",
            innererror={"code": "ResponsibleAIPolicyViolation"},
        ),
        K.REFUSED,
    ),
    ("openai", 403, error("Your input was flagged", code=403), K.REFUSED),
    ("deepseek", 400, error("Content Exists Risk", type="invalid_request_error"), K.REFUSED),
    ("kimi", 400, error("It was considered high risk", type="content_filter"), K.REFUSED),
    ("openai", 400, error("可能包含不安全或敏感内容", code="1301"), K.REFUSED),
    # A model that is not there, or not any more
    ("openai", 400, {"message": "The provided model identifier is invalid."}, K.MODEL_NOT_FOUND),
    ("openai", 400, error("模型不存在，请检查模型代码。", code="1211"), K.MODEL_NOT_FOUND),
    ("deepseek", 400, error("Model Not Exist"), K.MODEL_NOT_FOUND),
    (
        "deepseek",
        400,
        error("The supported API model names are deepseek-flash, but you passed deepseek-chat."),
        K.MODEL_NOT_FOUND,
    ),
    (
        "openai",
        404,
        error("The model `x` does not exist or you do not have access"),
        K.MODEL_NOT_FOUND,
    ),
    ("openai", 404, error("The model `x` has been deprecated", code="y"), K.MODEL_NOT_FOUND),
    ("openai", 400, error("gpt-x is not a valid model ID", code=400), K.MODEL_NOT_FOUND),
    ("openai", 404, error("No endpoints found for x/y.", code=404), K.MODEL_NOT_FOUND),
    ("openai", 404, error("No.", code="DeploymentNotFound"), K.MODEL_NOT_FOUND),
    ("openai", 400, error("It is gone", code="model_decommissioned"), K.MODEL_NOT_FOUND),
    ("openai", 400, error("/chat/completions: Invalid model name passed in"), K.MODEL_NOT_FOUND),
    ("openai", 503, error("No available channel", code="model_not_found"), K.MODEL_NOT_FOUND),
    ("bitnet", 404, error('model "x" not found, try pulling it first'), K.MODEL_NOT_FOUND),
    ("bitnet", 404, {"error": 'model "x" not found'}, K.MODEL_NOT_FOUND),
    ("bitnet", 400, {"error": "No models loaded. Please load a model."}, K.MODEL_NOT_FOUND),
    (
        "google",
        404,
        google(404, "models/x is not found for API version v1beta", "NOT_FOUND"),
        K.MODEL_NOT_FOUND,
    ),
    ("nvidia", 404, "404 page not found\n", K.MODEL_NOT_FOUND),
    (
        "nvidia",
        404,
        {"status": 404, "title": "Not Found", "detail": "Function 'x': Not found for account 'y'"},
        K.MODEL_NOT_FOUND,
    ),
    # An address that is not the vendor's
    ("openai", 404, error("Invalid URL (POST /v1/v1/chat/completions)", type="x"), K.BAD_RESPONSE),
    ("openai", 404, error("Resource not found", code="404"), K.BAD_RESPONSE),
    ("openai", 404, {"detail": "Not Found"}, K.BAD_RESPONSE),
    ("openai", 404, {"message": "Cannot POST /v1", "error": "Not Found"}, K.BAD_RESPONSE),
    ("openai", 404, {"status": 404, "error": "Not Found", "path": "/v1"}, K.BAD_RESPONSE),
    ("openai", 404, "<html><head><title>404 Not Found</title></head></html>", K.BAD_RESPONSE),
    ("openai", 404, "404 page not found", K.BAD_RESPONSE),
    ("openai", 404, "", K.BAD_RESPONSE),
    ("openai", 404, "null", K.BAD_RESPONSE),
    ("openai", 405, {"detail": "Method Not Allowed"}, K.BAD_RESPONSE),
    ("openai", 421, "", K.BAD_RESPONSE),
    ("openai", 426, "Upgrade Required", K.BAD_RESPONSE),
    ("kimi", 404, {"code": 5, "error": "url.not_found", "message": "没找到对象"}, K.BAD_RESPONSE),
    ("bitnet", 404, error("File Not Found", code=404, type="not_found_error"), K.BAD_RESPONSE),
    ("bitnet", 200, {"error": "Unexpected endpoint or method. (POST /v1/v1)"}, K.BAD_RESPONSE),
    ("anthropic", 404, anthropic("Not Found", "not_found_error"), K.BAD_RESPONSE),
    ("anthropic", 404, {"detail": "Not Found"}, K.BAD_RESPONSE),
    ("google", 404, "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>", K.BAD_RESPONSE),
    ("google", 404, "404 page not found", K.BAD_RESPONSE),
    # A person has to see to the account
    ("anthropic", 400, anthropic("This organization has been disabled."), K.PERMISSION),
    ("google", 400, google(400, "User location is not supported.", "X"), K.PERMISSION),
    ("openai", 400, error(ORG, code="model_not_found", param="model"), K.PERMISSION),
    ("openai", 403, error("No.", code="unsupported_country_region_territory"), K.PERMISSION),
    ("openai", 451, "", K.PERMISSION),
    ("openai", 401, error("key not allowed to access model x"), K.PERMISSION),
    ("kimi", 403, error("Access terminated. Review our Community Guidelines"), K.PERMISSION),
    ("openai", 400, error("User message was blocked by our safety filter"), K.REFUSED),
    ("openai", 400, error("This key has been disabled"), K.PERMISSION),
    # The key
    ("deepseek", 401, "Authentication Fails (governor)", K.AUTH),
    ("google", 400, [google(400, "API key expired.", "INVALID_ARGUMENT")], K.AUTH),
    ("google", 403, google(403, "Your API key was reported as leaked.", "X"), K.AUTH),
    ("openai", 401, error("No auth credentials found", code=401), K.AUTH),
    ("openai", 401, {"statusCode": 401, "message": "Access denied, invalid key"}, K.AUTH),
    # Outages, however they dress
    (
        "nvidia",
        400,
        {"title": "Bad Request", "detail": "DEGRADED function cannot be invoked"},
        K.OVERLOADED,
    ),
    ("nvidia", 503, "no healthy upstream", K.OVERLOADED),
    ("google", 503, google(503, "It is experiencing high demand.", "UNAVAILABLE"), K.OVERLOADED),
    ("bitnet", 503, error("Loading model", code=503), K.OVERLOADED),
    ("openai", 500, error("The server is busy"), K.OVERLOADED),
    ("openai", 400, error("There are no healthy deployments for this model"), K.OVERLOADED),
    ("openai", 524, "<!DOCTYPE html><title>x | 524: A timeout occurred</title>", K.TIMEOUT),
    ("openai", 502, "<html><h1>502 Bad Gateway</h1></html>", K.SERVER_ERROR),
    ("openai", 403, error("Rate Limit Exceeded", code="rateLimitExceeded"), K.RATE_LIMITED),
    (
        "anthropic",
        429,
        anthropic("It would exceed your rate limit; reduce the prompt length.", "rate_limit_error"),
        K.RATE_LIMITED,
    ),
    # The request
    ("nvidia", 422, FASTAPI, K.BAD_REQUEST),
    ("openai", 400, error("Messages must alternate."), K.BAD_REQUEST),
    ("openai", 409, error("Conflict"), K.BAD_REQUEST),
    # Inside a 200
    ("openai", 200, error("Slow down", type="rate_limit_error"), K.RATE_LIMITED),
    ("openai", 200, error("quota exceeded", type="quota"), K.RATE_LIMITED),
    ("openai", 200, error("No.", code=502), K.SERVER_ERROR),
    ("openai", 200, error("Gone", code="504"), K.TIMEOUT),
    ("openai", 200, {"error": "upstream connect error: no healthy upstream"}, K.OVERLOADED),
    ("openai", 200, {"error": "Something broke"}, K.SERVER_ERROR),
    ("openai", 200, {"object": "error", "message": "No.", "code": 400}, K.BAD_REQUEST),
    ("openai", 200, {"choices": [{"error": {"code": 429, "message": "No."}}]}, K.RATE_LIMITED),
    ("openai", 200, "upstream request timeout", K.TIMEOUT),
    ("bitnet", 200, error("Too big", type="exceed_context_size_error"), K.CONTEXT_TOO_LONG),
    ("anthropic", 200, anthropic("Overloaded", "overloaded_error"), K.OVERLOADED),
    ("anthropic", 200, anthropic("Slow down", "rate_limit_error"), K.RATE_LIMITED),
    ("anthropic", 200, {"error": "no healthy upstream"}, K.OVERLOADED),
    ("google", 200, google(503, "Busy", "UNAVAILABLE"), K.OVERLOADED),
    ("google", 200, google(400, "API key not valid.", "INVALID_ARGUMENT"), K.AUTH),
]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("name", "code", "body", "kind"), BODIES)
def test_a_failure_is_what_its_words_say(name, code, body, kind, streamed):
    text = body if isinstance(body, str) else json.dumps(body)

    end = end_of(name, text, code=code, streamed=streamed)

    assert isinstance(end, ProviderError)
    assert (end.kind, end.http_status) == (kind, code), end.message
    if code in (404, 405) and kind is K.BAD_RESPONSE:
        assert "check the provider's address" in end.message
    if text not in ("", "null") and "<html><head>" not in text:
        assert "no explanation" not in end.message


WORDS: list[tuple[Any, str]] = [
    (FASTAPI, "seed: Not permitted"),
    ({"detail": "Say it otherwise"}, "Say it otherwise"),
    ({"detail": {"error": {"message": "Say it"}}}, "Say it"),
    ({"detail": ["One", "Two"]}, "One; Two"),
    ({"error": "bad_input", "message": "Say it otherwise"}, "Say it otherwise"),
    ({"error": "Say it otherwise"}, "Say it otherwise"),
    ({"error": {"code": "bad_input"}}, "bad_input"),
    ({"errors": [{"code": 7, "message": "Say it"}]}, "Say it"),
    ({"message": "Say it"}, "Say it"),
    ({"msg": "Say it"}, "Say it"),
    ({"error": {"message": json.dumps(error("Say it"))}}, "Say it"),
    ("Say it otherwise", "Say it otherwise"),
    ("\ufeff" + json.dumps(error("Say it")), "Say it"),
    (
        error("Provider returned error", metadata={"raw": "Say it otherwise"}),
        "Provider returned error: Say it otherwise",
    ),
    ("<html><title>Sign in &amp; go on</title></html>", "It sent a web page: “Sign in & go on”."),
    ("", "It answered with status 400 and no explanation."),
]


@pytest.mark.parametrize("name", ["openai", "anthropic"])
@pytest.mark.parametrize(("body", "words"), WORDS)
def test_a_vendors_own_words_are_kept_in_whichever_shape_they_come(name, body, words):
    end = end_of(name, body if isinstance(body, str) else json.dumps(body), code=400)

    assert isinstance(end, ProviderError)
    assert end.message == words


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (error("No.", param="messages[0].content"), "messages"),
        (error("messages.0.content: at least one character"), "messages"),
        ({"detail": [{"loc": ["body", "messages", 0], "msg": "No."}]}, "messages"),
        (error("No.", param="model"), None),
        (error("No."), None),
    ],
)
def test_the_part_of_the_request_that_a_vendor_objects_to_is_named(body, field):
    end = end_of("openai", json.dumps(body), code=400)

    assert isinstance(end, ProviderError)
    assert end.field == field


# Answers that are good, in shapes that are not the usual ones


def events(*values: Any) -> str:
    return "".join(f"data: {v if isinstance(v, str) else json.dumps(v)}\n\n" for v in values)


def chunk(content: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return {"id": "c", "model": "m", "choices": [choice], **more}


def completion(content: Any, finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {"model": "m", "choices": [{"message": message, "finish_reason": finish}], **more}


PARTS = [{"type": "thinking", "text": "Hm"}, {"type": "text", "text": "Hel"}, {"text": "lo"}]
MESSAGE = {
    "type": "message",
    "model": "m",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
STREAMS: list[tuple[str, str]] = [
    ("openai", events(chunk("Hello"), "[DONE]")),
    ("openai", events(chunk("Hello", ""), "[DONE]")),
    ("openai", events(chunk(PARTS), chunk(None, "stop"), "[DONE]")),
    ("openai", events(chunk("Hello"), chunk(None, "STOP"), "[DONE]")),
    ("openai", events("", {}, {"choices": None}, {"type": "ping"}, chunk("Hello", "stop"))),
    ("openai", events({"choices": [{"index": 0}]}, chunk("Hello", "eos"), "[DONE]")),
    ("openai", "\ufeff" + events(chunk("Hello", "stop"))),
    ("openai", events(chunk("Hello", "stop")).replace("data: ", "data:").replace("\n", "\r\n")),
    ("openai", events(chunk("Hello", "stop")).rstrip("\n")),
    ("openai", "event: ping\n\n: wait\n\nid: 7\n" + events(chunk("Hello", "stop"))),
    ("openai", json.dumps(completion("Hello"))),
    ("openai", json.dumps(completion("Hello", None), indent=2)),
    ("openai", "\ufeff" + json.dumps(completion(PARTS))),
    ("anthropic", json.dumps(MESSAGE)),
    ("anthropic", "\ufeff" + json.dumps(MESSAGE, indent=2)),
    (
        "anthropic",
        events(
            {"type": "message_start", "message": {"model": "m", "usage": None}},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hello"}},
            {"type": "message_stop"},
        ),
    ),
    (
        "google",
        "\ufeff"
        + events(
            {"candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}]}
        ),
    ),
]


@pytest.mark.parametrize(("name", "body"), STREAMS)
def test_a_stream_that_is_an_answer_is_one(name, body):
    end = end_of(name, body, streamed=True, content_type="text/event-stream")

    assert isinstance(end, Reply), end
    assert end.content == "Hello"


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(completion("Hello", None)),
        json.dumps(completion("Hello", "")),
        json.dumps(completion(PARTS)),
        json.dumps(completion("Hello", usage="much")),
        "\ufeff" + json.dumps(completion("Hello")),
        " \n\n" + json.dumps(completion("Hello")),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain; charset=utf-8"])
def test_a_whole_answer_is_one_whatever_its_envelope(body, content_type):
    end = end_of("openai", body, content_type=content_type)

    assert isinstance(end, Reply), end
    assert end.content == "Hello"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (events(error("Busy", code=503)), K.OVERLOADED),
        (events({"error": "upstream connect error: no healthy upstream"}), K.OVERLOADED),
        ("event: error\ndata: no healthy upstream\n\n", K.OVERLOADED),
        ('error: {"code": 400, "message": "exceeds the context size"}\n\n', K.CONTEXT_TOO_LONG),
        (json.dumps(error("Busy", code=503)), K.OVERLOADED),
        (events(chunk("Half"), {**chunk("", "error"), **error("No.", code=429)}), K.RATE_LIMITED),
        (events(chunk("Half")), K.BAD_RESPONSE),
        (events(chunk("Half"), "{"), K.BAD_RESPONSE),
        (events("[DONE]"), K.BAD_RESPONSE),
        ("", K.BAD_RESPONSE),
        ("<html><title>Sign in</title></html>", K.BAD_RESPONSE),
    ],
)
def test_an_error_in_a_stream_is_read_like_any_other(body, kind):
    end = end_of("openai", body, streamed=True, content_type="text/event-stream")

    assert isinstance(end, ProviderError), end
    assert end.kind is kind


# How an answer ended

FINISHES: list[tuple[str, str, ErrorKind | None]] = [
    ("openai", "stop", None),
    ("openai", "eos", None),
    ("openai", "insufficient_system_resource", K.OVERLOADED),
    ("openai", "error", K.SERVER_ERROR),
    ("openai", "abort", K.SERVER_ERROR),
    ("openai", "sensitive", K.REFUSED),
    ("openai", "SAFETY", K.REFUSED),
    ("openai", "content_filter: PROHIBITED_CONTENT", K.REFUSED),
    ("openai", "of_the_future", K.BAD_RESPONSE),
    ("anthropic", "end_turn", None),
    ("anthropic", "model_context_window_exceeded", K.CONTEXT_TOO_LONG),
    ("google", "STOP", None),
    ("google", "OTHER", K.BAD_RESPONSE),
    ("google", "MALFORMED_RESPONSE", K.BAD_RESPONSE),
    ("google", "UNEXPECTED_TOOL_CALL", K.BAD_RESPONSE),
    ("google", "OF_THE_FUTURE", K.BAD_RESPONSE),
    ("google", "SAFETY", K.REFUSED),
]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("name", "finish", "kind"), FINISHES)
def test_only_a_finish_that_is_known_to_be_good_makes_an_answer(name, finish, kind, streamed):
    end = ended(name, answer("The first half", finish=finish), streamed=streamed)

    if kind is None:
        assert isinstance(end, Reply), end
        assert not end.truncated
    else:
        assert isinstance(end, ProviderError)
        assert end.kind is kind


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", PROVIDERS)
def test_an_answer_that_used_all_its_tokens_is_cut_off_whatever_it_says(name, streamed):
    end = ended(name, answer("The first half", usage=(11, 8000)), streamed=streamed)
    none = ended(name, answer("", usage=(11, 8000)), streamed=streamed)

    assert isinstance(end, Reply)
    assert end.truncated
    assert isinstance(none, ProviderError)
    assert none.kind is K.TRUNCATED


# What a request can do without


REFUSALS: list[tuple[str, int, Any, str]] = [
    (
        "openai",
        400,
        error("Unrecognized request argument supplied: stream_options"),
        "stream_options",
    ),
    (
        "openai",
        400,
        error("Extra inputs are not permitted", param="stream_options"),
        "stream_options",
    ),
    ("openai", 400, error(ORG, param="stream", code="unsupported_value"), "stream"),
    ("openai", 400, error("Streaming is not supported for this model"), "stream"),
    ("openai", 500, error("response_format is not implemented"), "response_format"),
    ("openai", 500, error("bad", param="response_format.type"), "response_format"),
    ("openai", 200, error("json_schema is not supported", code=400), "response_format"),
    ("openai", 400, error("This model does not support structured outputs"), "response_format"),
    ("nvidia", 400, error("chat_template is not supported here."), "chat_template_kwargs"),
    (
        "nvidia",
        422,
        {"detail": [{"loc": ["body", "chat_template_kwargs"], "msg": "No"}]},
        "chat_template_kwargs",
    ),
    (
        "nvidia",
        422,
        {"detail": "body -> chat_template_kwargs\n  Extra inputs"},
        "chat_template_kwargs",
    ),
    (
        "google",
        400,
        google(400, "JSON mode is not enabled for this model", "X"),
        "response_json_schema",
    ),
    (
        "google",
        400,
        google(
            400,
            "Invalid value",
            "INVALID_ARGUMENT",
            {"fieldViolations": [{"field": "generation_config.thinking_config"}]},
        ),
        "thinking_config",
    ),
    ("anthropic", 400, anthropic("Streaming is not supported for this model"), "stream"),
]


@pytest.mark.parametrize(("name", "code", "body", "parameter"), REFUSALS)
def test_what_a_vendor_refuses_is_left_out_and_it_answers(name, code, body, parameter):
    asked = Request(HI.messages, json_schema={"type": "object", "properties": {}})
    spec = PROVIDERS[name]
    heard: list[str] = []

    async def twice(base_url: str) -> tuple[ProviderError, Reply]:
        provider = WIRES[spec.wire](name, model=spec.model, api_key="k", base_url=base_url)
        try:
            with pytest.raises(ProviderError) as failure:
                await provider.complete(asked, on_text=heard.append)
            dropped = frozenset({failure.value.parameter})
            again = replace(asked, dropped=dropped)
            return failure.value, await provider.complete(again, on_text=heard.append)
        finally:
            await provider.aclose()

    with StandIn(SEATS[name].wire, [status(code, body), answer(HELLO)]) as vendor:
        failure, reply = asyncio.run(twice(vendor.base_url))
        first, second = vendor.requests

    assert failure.kind is K.BAD_REQUEST
    assert failure.parameter == parameter
    assert reply.content == HELLO == "".join(heard)
    assert first.raw.count(b"stream") > second.raw.count(b"stream") or "stream" not in parameter


def test_an_outage_that_mentions_a_stream_is_no_refusal_of_streaming():
    end = end_of("openai", json.dumps(error("The stream broke", code=500)), code=500, streamed=True)

    assert isinstance(end, ProviderError)
    assert (end.kind, end.parameter) == (K.SERVER_ERROR, None)


# Walks


def test_two_refusals_for_reasons_of_their_own_leave_the_third_to_be_asked():
    scripts = {
        "google": status(400, google(400, "User location is not supported.", "X")),
        "openai": status(400, error(ORG, param="stream", code="unsupported_value")),
        "deepseek": answer(HELLO),
    }

    assert asked_in_turn(scripts) == ("deepseek", HELLO)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (status(405), status(405)),
        (status(409), status(421)),
        (status(451), status(426)),
        (status(400, anthropic("This organization has been disabled.")), status(400)),
        (status(400, error("Content Exists Risk")), status(400, error("It violates our policy"))),
        (status(400), status(400)),
        (status(422, FASTAPI), status(400, error("No.", param="messages"))),
    ],
)
def test_no_two_refusals_but_of_the_same_content_end_a_walk(first, second):
    scripts = {"openai": first, "deepseek": second, "kimi": answer(HELLO)}

    assert asked_in_turn(scripts) == ("kimi", HELLO)


def asked_in_turn(scripts: dict[str, Script]) -> tuple[str, str]:
    """Who answered what, of these providers asked in this order."""

    async def ask(environ: dict[str, str]) -> tuple[str, str]:
        providers = connect(environ)
        router = MultiProviderStrategy(providers)
        try:
            answer = await router.ask(Ask(HI, "priority", tuple(scripts)))
            return answer.provider, answer.reply.content
        finally:
            for provider in providers.values():
                await provider.aclose()

    with Yard(scripts) as yard:
        return asyncio.run(ask(yard.env(*scripts)))
