"""Real vendors' recorded bytes, replayed through the adapters.

The recordings are other people's and lie outside this repository: `RECORDED_TRAFFIC` names the
folder with their `recorded.jsonl`, one interaction a line: `provider`, `request` (`url`),
`response` (`status`, `headers`, `body`), `meta` (`stream`, `req_stream`).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.providers.connect import WIRES
from core.values.calls import Message, Reply, Request, Usage
from core.values.errors import ProviderError
from core.values.outcomes import ErrorKind
from core.values.ports import Provider
from core.values.registry import PROVIDERS
from tests.standin import SEATS, Act, StandIn, replay

FOLDER = os.environ.get("RECORDED_TRAFFIC")
NAMES = {"moonshot": "kimi", "llamacpp": "bitnet"}  # where the recordings say it otherwise
HI = Request((Message("user", "hi"),))
K = ErrorKind

pytestmark = pytest.mark.skipif(
    not FOLDER, reason="RECORDED_TRAFFIC names no folder with recorded.jsonl"
)


@dataclass(frozen=True)
class Recording:
    id: str
    name: str
    url: str
    status: int
    headers: dict[str, str]
    body: str
    streamed: bool

    def __str__(self) -> str:
        return f"{self.name}-{self.status}-{'sse' if self.streamed else 'json'}-{self.id[:8]}"

    @property
    def wire(self) -> str:
        return SEATS[self.name].wire

    def act(self, *, piece: int | None = None) -> Act:
        body = self.body.encode()
        return replay(body, code=self.status, headers=self.headers, piece=piece)


def _recordings() -> list[Recording]:
    if not FOLDER:
        return []
    rows = map(json.loads, (Path(FOLDER) / "recorded.jsonl").read_text("utf-8").splitlines())
    return [
        Recording(
            row["id"],
            NAMES.get(row["provider"], row["provider"]),
            row["request"]["url"],
            row["response"]["status"],
            row["response"]["headers"],
            row["response"]["body"],
            bool(row["meta"].get("stream")),
        )
        for row in rows
    ]


RECORDINGS = _recordings()
ERRORS = [recording for recording in RECORDINGS if recording.status >= 400]
LISTS = [
    recording
    for recording in RECORDINGS
    if recording.status == 200 and recording.url.partition("?")[0].endswith("/models")
]
ANSWERS = [
    recording
    for recording in RECORDINGS
    if recording.status == 200
    and recording.url.partition("?")[0].endswith(
        ("/messages", "/chat/completions", ":generateContent", ":streamGenerateContent")
    )
]


def end_of(
    recording: Recording, act: Act | None = None, *, streamed: bool | None = None
) -> tuple[Reply | ProviderError, str]:
    """How a request ends that gets this recording for an answer, and what was heard until then."""
    streamed = recording.streamed if streamed is None else streamed
    pieces: list[str] = []

    async def complete(provider: Provider) -> Reply | ProviderError:
        try:
            return await provider.complete(HI, on_text=pieces.append if streamed else None)
        except ProviderError as error:
            return error

    with StandIn(recording.wire, act or recording.act()) as vendor:
        return _with_provider(recording.name, vendor, complete), "".join(pieces)


def _with_provider(name: str, vendor: StandIn, use: Callable[[Provider], Any]) -> Any:
    spec = PROVIDERS[name]

    async def run() -> Any:
        provider = WIRES[spec.wire](
            name, model=spec.model, api_key="none", base_url=vendor.base_url
        )
        try:
            return await use(provider)
        finally:
            await provider.aclose()

    return asyncio.run(run())


# What a recording says, read without any SDK and without the adapters.


@dataclass
class Told:
    text: str = ""
    refusal: str = ""
    finish: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached: int | None = None
    models: set[str] = field(default_factory=set)

    @property
    def kind(self) -> ErrorKind | None:
        if self.refusal or self.finish in ("refusal", "content_filter", "SAFETY"):
            return K.REFUSED
        if self.text.strip():
            return None
        cut_off = self.finish in ("max_tokens", "length", "MAX_TOKENS")
        return K.TRUNCATED if cut_off else K.BAD_RESPONSE


def told_by(recording: Recording) -> Told:
    told = Told()
    for value in _values(recording):
        _READERS[recording.wire](value, told)
    return told


def _values(recording: Recording) -> Iterator[Any]:
    if not recording.streamed:
        yield json.loads(recording.body)
        return
    for line in recording.body.splitlines():
        if line.startswith("data:") and line[5:].strip() != "[DONE]":
            yield json.loads(line[5:])


def _anthropic(value: Any, told: Told) -> None:
    message = value.get("message") or value
    usage = message.get("usage") or {}
    told.models |= {message.get("model")} - {None}
    if "input_tokens" in usage and value["type"] != "message_delta":
        told.cached = usage.get("cache_read_input_tokens")
        written = usage.get("cache_creation_input_tokens") or 0
        told.input_tokens = usage["input_tokens"] + (told.cached or 0) + written
    told.output_tokens = usage.get("output_tokens", told.output_tokens)
    for block in message.get("content") or ():
        told.text += block["text"] if block["type"] == "text" else ""
    delta = value.get("delta") or {}
    told.text += delta.get("text", "") if delta.get("type") == "text_delta" else ""
    told.finish = delta.get("stop_reason") or message.get("stop_reason") or told.finish


def _openai(value: Any, told: Told) -> None:
    told.models |= {value.get("model")} - {None}
    for choice in value["choices"][:1]:
        message = choice.get("message") or choice.get("delta") or {}
        told.text += message.get("content") or ""
        told.refusal += message.get("refusal") or ""
        told.finish = choice.get("finish_reason") or told.finish
    if usage := value.get("usage"):
        told.input_tokens = usage["prompt_tokens"]
        told.output_tokens = usage["completion_tokens"]
        told.cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")


def _google(value: Any, told: Told) -> None:
    told.models |= {value.get("modelVersion")} - {None}
    for candidate in value["candidates"][:1]:
        parts = candidate.get("content", {}).get("parts", ())
        told.text += "".join(part.get("text", "") for part in parts if not part.get("thought"))
        told.finish = candidate.get("finishReason") or told.finish
    if usage := value.get("usageMetadata"):
        written = [usage.get("candidatesTokenCount"), usage.get("thoughtsTokenCount")]
        counted = [count for count in written if count is not None]
        told.input_tokens = usage.get("promptTokenCount")
        told.output_tokens = sum(counted) if counted else None
        told.cached = usage.get("cachedContentTokenCount")


_READERS: dict[str, Callable[[Any, Told], None]] = {
    "anthropic": _anthropic,
    "openai": _openai,
    "google": _google,
}


@pytest.mark.parametrize("recording", ANSWERS, ids=str)
def test_a_recorded_answer_is_its_text_and_usage_or_the_right_kind_of_none(recording):
    told = told_by(recording)

    end, heard = end_of(recording)

    if told.kind is not None:
        assert isinstance(end, ProviderError)
        assert end.kind is told.kind
        return
    assert isinstance(end, Reply)
    assert end.content == told.text
    assert end.usage == Usage(told.input_tokens, told.output_tokens, told.cached)
    assert end.model in (told.models or {PROVIDERS[recording.name].model})
    assert end.truncated == (told.finish in ("max_tokens", "length", "MAX_TOKENS"))
    assert heard == (told.text if recording.streamed else "")


@pytest.mark.parametrize("recording", [one for one in ANSWERS if one.streamed], ids=str)
def test_a_recorded_stream_reads_the_same_in_splinters(recording):
    whole, _ = end_of(recording)

    splintered, _ = end_of(recording, recording.act(piece=7))

    if isinstance(whole, Reply):
        assert isinstance(splintered, Reply)
        assert (splintered.content, splintered.usage) == (whole.content, whole.usage)
    else:
        assert isinstance(splintered, ProviderError)
        assert splintered.kind is whole.kind


@pytest.mark.parametrize("recording", [one for one in ANSWERS if one.streamed], ids=str)
def test_a_recorded_stream_that_breaks_off_before_its_finish_is_never_an_answer(recording):
    cut = recording.body.encode().replace(b'": "', b'":"')
    mark = {
        "anthropic": b'"message_delta"',
        "openai": b'"finish_reason":"',
        "google": b"finishReas",
    }
    place = cut.find(mark[recording.wire])
    assert place > 0

    end, _ = end_of(recording, replay(cut[: cut.rfind(b"\n", 0, place) + 1], headers={}))

    assert isinstance(end, ProviderError)
    assert end.kind is K.BAD_RESPONSE


# (status, words of the body, kind), from the vendors' own descriptions; the first that fits.
MEANINGS: dict[str, list[tuple[int, str, ErrorKind]]] = {
    "anthropic": [
        (400, "prompt is too long", K.CONTEXT_TOO_LONG),
        (400, "credit balance", K.BILLING),
        (400, "", K.BAD_REQUEST),
        (401, "", K.AUTH),
        (404, "", K.MODEL_NOT_FOUND),
        (529, "", K.OVERLOADED),
    ],
    "openai": [
        (400, "context_length_exceeded", K.CONTEXT_TOO_LONG),
        (400, "does not exist", K.MODEL_NOT_FOUND),
        (400, "", K.BAD_REQUEST),
        (401, "", K.AUTH),
        (404, "", K.MODEL_NOT_FOUND),
        (429, "insufficient_quota", K.BILLING),
    ],
    "google": [
        (400, "API_KEY_INVALID", K.AUTH),
        (403, "unregistered callers", K.AUTH),
        (404, "", K.MODEL_NOT_FOUND),
        (429, "PerDay", K.BILLING),
        (429, "", K.RATE_LIMITED),
    ],
    "deepseek": [
        (400, "maximum context length", K.CONTEXT_TOO_LONG),
        (401, "", K.AUTH),
        (402, "", K.BILLING),
    ],
    "kimi": [
        (400, "exceeded model token limit", K.CONTEXT_TOO_LONG),
        (400, "temperature", K.BAD_REQUEST),
        (403, "exceeded_current_quota_error", K.BILLING),
        (404, "resource_not_found_error", K.MODEL_NOT_FOUND),
        (429, "exceeded_current_quota_error", K.BILLING),
        (429, "engine_overloaded_error", K.OVERLOADED),
        (429, "rate_limit_reached_error", K.RATE_LIMITED),
    ],
    "nvidia": [
        (403, "Authorization failed", K.AUTH),
        (404, "Not found for account", K.MODEL_NOT_FOUND),
        (410, "end of life", K.MODEL_NOT_FOUND),
        (429, "", K.RATE_LIMITED),
    ],
}


@pytest.mark.parametrize("recording", ERRORS, ids=str)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_recorded_error_means_what_its_vendor_means_by_it(recording, streamed):
    meant = next(
        kind
        for status, words, kind in MEANINGS[recording.name]
        if status == recording.status and words in recording.body
    )

    end, heard = end_of(recording, streamed=streamed)

    assert isinstance(end, ProviderError)
    assert end.kind is meant
    assert end.http_status == recording.status
    assert end.message == _words(recording.body)
    assert heard == ""


def _words(body: str) -> str:
    """What the vendor says, in whichever field it says it."""
    error = json.loads(body).get("error") or json.loads(body)
    said: str = error.get("message") or error.get("detail") or error["title"]
    return said.strip()[:500]


def test_the_recorded_waits_are_read():
    asked = {
        json.loads(recording.body)["error"]["details"][-1]["retryDelay"]: end_of(recording)[0]
        for recording in ERRORS
        if "retryDelay" in recording.body
    }

    assert asked
    for delay, end in asked.items():
        assert isinstance(end, ProviderError)
        assert end.retry_after == pytest.approx(float(delay.removesuffix("s")))


@pytest.mark.parametrize("recording", LISTS, ids=str)
def test_a_recorded_list_of_models_is_read(recording):
    body = json.loads(recording.body)
    writing = [
        model.get("id") or model["name"].removeprefix("models/")
        for model in body.get("data") or body["models"]
        if "generateContent" in model.get("supportedGenerationMethods", ["generateContent"])
    ]

    async def list_models(provider: Any) -> list[str]:
        return await provider.models()

    with StandIn(recording.wire) as vendor:
        vendor.listing = recording.act()
        assert _with_provider(recording.name, vendor, list_models) == writing


def test_every_recording_is_replayed_or_known_to_be_none_of_our_requests():
    rest = {
        recording.url.partition("?")[0].rpartition("/")[2]
        for recording in RECORDINGS
        if recording not in ERRORS + LISTS + ANSWERS
    }

    assert rest <= {"count_tokens", "responses"}
