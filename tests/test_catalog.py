"""Which models a vendor serves, and which it no longer does."""

import asyncio
import time
from datetime import date, timedelta

import pytest

from core.config.settings import read_settings
from core.providers import retired as models
from core.providers.connect import connect_real
from core.providers.model_list import Found, found_in_words, look
from core.providers.retired import RETIRED, in_words, instead_of, is_gone, retired
from core.values.outcomes import ErrorKind
from core.values.registry import PROVIDERS
from tests import standin
from tests.standin import CANARIES, Yard

NAMES = tuple(PROVIDERS)
DAY = date(2026, 11, 24)


def looked(yard: Yard, name: str, *, patience: float = 10.0, **more: str) -> Found:
    settings = read_settings({**yard.env(name), **more}, None)
    provider = connect_real(settings).providers[name]

    async def act() -> Found:
        try:
            return await look(
                name,
                provider,
                wall=time.time,
                redact=lambda text: text.replace(CANARIES.get(name, "\0"), "***"),
                patience=patience,
            )
        finally:
            await provider.aclose()

    return asyncio.run(act())


@pytest.mark.parametrize("name", NAMES)
def test_a_test_lists_the_models_by_the_real_sdk_and_asks_nothing_that_costs(name, yard):
    vendor = yard[name]
    vendor.models = ["some-other", PROVIDERS[name].model, "some-third"]
    found = looked(yard, name)
    assert found.ok
    assert found.models == tuple(vendor.models)
    assert found.served
    assert vendor.requests == []
    assert f"{PROVIDERS[name].model} is one of 3 models on offer" in found_in_words(found)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_is_not_on_the_list_is_named(name, yard):
    yard[name].models = ["some-other"]
    found = looked(yard, name)
    assert found.ok
    assert not found.served
    assert f"{PROVIDERS[name].model} is not among the 1 model on offer" in found_in_words(found)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("listing", "kinds"),
    [
        (standin.status(401), {ErrorKind.AUTH}),
        (standin.status(503), {ErrorKind.OVERLOADED, ErrorKind.SERVER_ERROR}),
        (standin.html(), {ErrorKind.BAD_RESPONSE}),
        (standin.reset(), {ErrorKind.CONNECTION}),
        (standin.hang(), {ErrorKind.TIMEOUT}),
        (standin.drip_body(), {ErrorKind.TIMEOUT}),
    ],
    ids=lambda value: repr(value) if isinstance(value, standin.Act) else "",
)
def test_a_list_that_cannot_be_had_is_told_in_words(name, listing, kinds, yard):
    yard[name].listing = listing
    slow = ErrorKind.TIMEOUT in kinds
    found = looked(yard, name, patience=1.5 if slow else 10)
    assert found.error_kind in kinds
    assert found.models == ()
    said = found_in_words(found)
    assert said.startswith(PROVIDERS[name].label)
    assert found.error_kind.outcome.action in said


def test_an_empty_list_is_said_to_be_empty(yard):
    yard["openai"].models = []
    assert "no model is on offer" in found_in_words(looked(yard, "openai"))


def test_a_key_that_a_vendor_echoes_is_not_kept(yard):
    yard["openai"].models = [f"gpt-{CANARIES['openai']}"]
    assert looked(yard, "openai").models == ("gpt-***",)


def test_only_a_list_that_needs_the_key_proves_the_key(yard):
    assert "The key works" in found_in_words(looked(yard, "deepseek"))
    assert "only Try now proves the key" in found_in_words(looked(yard, "nvidia"))
    assert "key" not in found_in_words(looked(yard, "bitnet"))


def test_every_retired_model_has_a_provider_and_a_successor_that_stays():
    for row in RETIRED:
        assert row.provider in PROVIDERS
        assert retired(row.provider, row.successor) is None
    defaults = [(name, spec.model) for name, spec in PROVIDERS.items()]
    assert [retired(name, model) for name, model in defaults] == [None] * len(defaults)
    assert len({(row.provider, row.model) for row in RETIRED}) == len(RETIRED)


@pytest.mark.parametrize(
    "model",
    [
        "claude-sonnet-4-20250514",
        "gpt-4o",
        "gemini-2.5-flash",
        "deepseek-chat",
        "kimi-k2-turbo-preview",
        "meta/llama-3.1-70b-instruct",
    ],
)
def test_the_models_of_the_first_description_have_successors_that_are_todays_defaults(model):
    row = next(row for row in RETIRED if row.model == model)
    assert row.successor == PROVIDERS[row.provider].model


def test_the_day_makes_the_sentence():
    gone, going = retired("deepseek", "deepseek-chat"), retired("openai", "gpt-4o")
    unknown = retired("nvidia", "meta/llama-3.1-70b-instruct")
    assert in_words(gone, today=DAY) == (
        "DeepSeek no longer serves deepseek-chat since 24 July 2026; its successor is "
        "deepseek-flash."
    )
    assert in_words(going, today=DAY) == (
        "OpenAI stops serving gpt-4o on 14 January 2027; its successor is gpt-6-luna."
    )
    assert in_words(unknown, today=DAY).startswith(
        "NVIDIA NIM no longer serves meta/llama-3.1-70b-instruct; its successor is"
    )
    assert is_gone(gone, today=DAY)
    assert not is_gone(going, today=DAY)
    assert is_gone(going, today=going.on)
    assert not is_gone(going, today=going.on - timedelta(days=1))
    assert is_gone(unknown, today=DAY)


def test_what_to_switch_to_is_on_offer():
    assert instead_of("openai", "gpt-4o", ()) == "gpt-6-luna"
    assert instead_of("openai", "gpt-4o", ("gpt-6-luna", "gpt-9")) == "gpt-6-luna"
    assert instead_of("openai", "gpt-4o", ("gpt-4o-mini", "tts-1")) == "gpt-4o-mini"
    assert instead_of("kimi", "kimi-k3-beta", ("kimi-k3", "other")) == "kimi-k3"
    assert instead_of("openai", "something", ("tts-1",)) is None
    assert instead_of("openai", PROVIDERS["openai"].model, ()) is None
    assert models.retired("openai", "something") is None
