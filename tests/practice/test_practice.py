"""The practice providers, asked by the vendors' own SDKs, and the plans they write."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from google import genai
from google.genai import errors as google_errors
from google.genai import types

from core.planning.prompts import plan_messages, repair_message, step_messages
from core.practice import PracticeServer
from core.practice.answers import answer_to
from core.practice.characters import CHARACTERS
from core.practice.plans import KINDS, ROLES, STYLES, plan_for, read_goal
from core.values.calls import Message

GOAL = "Plan a 3-day trip to Lisbon for two under 900 euros"
GOALS = {
    "trip": GOAL,
    "event": "Organise a birthday party for 30 people in Berlin by Friday",
    "hiring": "Hire a senior data engineer in Berlin within 8 weeks",
    "study": "Learn Spanish in six weeks, 3 hours a week",
    "repair": "Migrate our Postgres database to a new server this weekend",
    "software": "Build a REST API for a library with FastAPI",
    "budget": "Create a monthly household budget for a family of four",
    "launch": "Launch a newsletter about gardening for 2,000 euros",
    "research": "Research the market for electric cargo bikes in Germany",
    "general": "Move our office to a new building by June",
}
NAMED = {  # what every plan for the goal has to name
    "trip": ("Lisbon", "3 days", "900 euros"),
    "event": ("birthday party",),
    "hiring": ("senior data engineer", "Berlin"),
    "study": ("Spanish", "six weeks"),
    "repair": ("Postgres database",),
    "software": ("REST API",),
    "budget": ("household budget",),
    "launch": ("newsletter",),
    "research": ("electric cargo bikes",),
    "general": ("move your office to a new building",),
}
STRANGE = {
    "empty": "",
    "blank": " \n\t ",
    "one word": "Bananas",
    "punctuation": "?",
    "chinese": "计划一次去东京的五天旅行，预算一万元",
    "arabic": "خطة لتعلم اللغة الإنجليزية في ستة أشهر",
    "emoji": "🎉🎂 party for my 7-year-old!!! 🎈",
    "markup": '<script>alert("x")</script> & "quotes" & {braces} {0} %s </plan>',
    "surrogate": "a lone \ud800 surrogate",
    "controls": "a\x00b \u202eplan\u202c",
    "long": "Plan a trip to Rome and then " + "walk and eat and sleep " * 1_300,
    "numbers": "1,1." * 7_500,
    "capitals": "to " + "Aa and " * 4_000,
}

TLS = httpx2.create_ssl_context()  # unused on loopback, and slow to make: one for all
post = partial(httpx2.post, verify=TLS)
get = partial(httpx2.get, verify=TLS)


@pytest.fixture(scope="module")
def server() -> Iterator[PracticeServer]:
    server = PracticeServer(seed=1, speed=50, fault_rate=0)
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module", autouse=True)
def idle(server: PracticeServer) -> Iterator[tuple[Any, float]]:
    """A connection that was used once, before everything else here, and when that was."""
    url, headers, body = raw(server)
    with httpx2.Client(verify=TLS) as client:
        first = client.post(url, headers=headers, json=body)
        yield first.extensions["network_stream"], time.monotonic()


@pytest.fixture
def failing() -> Iterator[PracticeServer]:
    server = PracticeServer(seed=1, speed=50, fault_rate=1)
    server.start()
    yield server
    server.close()


async def by_anthropic(url: str, key: str, stream: bool) -> tuple[str, int, int]:
    system, user = plan_messages(GOAL)
    arguments: dict[str, Any] = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 4_000,
        "system": system.content,
        "messages": [{"role": "user", "content": user.content}],
    }
    http = httpx2.AsyncClient(verify=TLS)
    async with anthropic.AsyncAnthropic(
        api_key=key, base_url=url, max_retries=0, http_client=http
    ) as client:
        if not stream:
            message = await client.messages.create(**arguments)
        else:
            async with client.messages.stream(**arguments) as events:
                pieces = [text async for text in events.text_stream]
                message = await events.get_final_message()
            assert len(pieces) > 5
        assert message.stop_reason == "end_turn"
        text = "".join(block.text for block in message.content if block.type == "text")
        return text, message.usage.input_tokens, message.usage.output_tokens


async def by_openai(url: str, key: str, stream: bool) -> tuple[str, int, int]:
    arguments: dict[str, Any] = {
        "model": "a-model",
        "messages": [
            {"role": message.role, "content": message.content} for message in plan_messages(GOAL)
        ],
    }
    http = httpx2.AsyncClient(verify=TLS)
    async with openai.AsyncOpenAI(
        api_key=key, base_url=url, max_retries=0, http_client=http
    ) as client:
        if not stream:
            answer = await client.chat.completions.create(**arguments)
            assert answer.choices[0].finish_reason == "stop"
            usage, text = answer.usage, answer.choices[0].message.content
        else:
            chunks = [
                chunk
                async for chunk in await client.chat.completions.create(
                    **arguments, stream=True, stream_options={"include_usage": True}
                )
            ]
            said = [chunk.choices[0] for chunk in chunks if chunk.choices]
            assert len(said) > 5
            assert said[-1].finish_reason == "stop"
            usage, text = chunks[-1].usage, "".join(choice.delta.content or "" for choice in said)
        assert text is not None
        assert usage is not None
        return text, usage.prompt_tokens, usage.completion_tokens


async def by_google(url: str, key: str, stream: bool) -> tuple[str, int, int]:
    system, user = plan_messages(GOAL)
    async with httpx2.AsyncClient(verify=TLS) as http:
        client = genai.Client(
            api_key=key,
            vertexai=False,
            http_options=types.HttpOptions(
                base_url=url, api_version="v1beta", httpx_async_client=http
            ),
        )
        arguments: dict[str, Any] = {
            "model": "gemini-3.5-flash-lite",
            "contents": [types.Content(role="user", parts=[types.Part(text=user.content)])],
            "config": types.GenerateContentConfig(system_instruction=system.content),
        }
        if not stream:
            answers = [await client.aio.models.generate_content(**arguments)]
        else:
            call = await client.aio.models.generate_content_stream(**arguments)
            answers = [answer async for answer in call]
            assert len(answers) > 5
        last = answers[-1]
        assert last.candidates[0].finish_reason == types.FinishReason.STOP
        usage = last.usage_metadata
        text = "".join(answer.text or "" for answer in answers)
        return text, usage.prompt_token_count, usage.candidates_token_count


Ask = Callable[[str, str, bool], Awaitable[tuple[str, int, int]]]
SDKS: dict[str, Ask] = dict.fromkeys(CHARACTERS, by_openai) | {
    "anthropic": by_anthropic,
    "google": by_google,
}


def raw(
    server: PracticeServer, provider: str = "openai", **headers: str
) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Address, headers and body of a call in OpenAI's wire format."""
    url = f"{server.base_urls()[provider]}/chat/completions"
    body = {"model": "m", "messages": [{"role": "user", "content": f"<goal>{GOAL}</goal>"}]}
    return url, {"authorization": f"Bearer {server.api_key}", **headers}, body


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", CHARACTERS)
def test_every_provider_answers_its_vendors_sdk_with_a_plan(
    provider: str, stream: bool, server: PracticeServer
) -> None:
    url = server.base_urls()[provider]

    text, asked, answered = asyncio.run(SDKS[provider](url, server.api_key, stream))

    assert text == json.dumps(plan_for(provider, GOAL, seed=1), ensure_ascii=False, indent=2)
    assert 300 < asked < 1_500
    assert 200 < answered < 2_000


def test_every_provider_lists_its_models(server: PracticeServer) -> None:
    async def listed() -> dict[str, list[str]]:
        urls, key = server.base_urls(), server.api_key
        async with (
            anthropic.AsyncAnthropic(api_key=key, base_url=urls["anthropic"]) as first,
            openai.AsyncOpenAI(api_key=key, base_url=urls["openai"]) as second,
            httpx2.AsyncClient(verify=TLS) as http,
        ):
            options = types.HttpOptions(
                base_url=urls["google"], api_version="v1beta", httpx_async_client=http
            )
            third = genai.Client(api_key=key, vertexai=False, http_options=options)
            return {
                "anthropic": [model.id async for model in first.models.list()],
                "openai": [model.id async for model in second.models.list()],
                "google": [
                    model.name.removeprefix("models/")
                    async for model in await third.aio.models.list()
                ],
            }

    for provider, models in asyncio.run(listed()).items():
        assert models == list(CHARACTERS[provider].models)


def expected_failure(provider: str, error: Exception) -> bool:
    if provider == "anthropic":
        return isinstance(error, anthropic.APIStatusError) and error.type == "overloaded_error"
    if provider == "google":
        return isinstance(error, google_errors.ServerError) and error.status == "UNAVAILABLE"
    assert isinstance(error, openai.APIStatusError)
    statuses = {"openai": 429, "deepseek": 500, "kimi": 429, "nvidia": 502, "bitnet": 503}
    return error.status_code == statuses[provider]


@pytest.mark.parametrize("provider", CHARACTERS)
def test_a_fault_comes_in_its_vendors_own_shape_and_never_first(
    provider: str, failing: PracticeServer
) -> None:
    async def ask() -> str:
        try:
            return (await SDKS[provider](failing.base_urls()[provider], failing.api_key, False))[0]
        except AttributeError:  # the SDK hands a page of HTML through as text
            return "html"

    assert "steps" in asyncio.run(ask())
    outcomes: set[str] = set()
    for _ in range(5):
        try:
            outcomes.add(asyncio.run(ask()))
        except (anthropic.APIError, openai.APIError, google_errors.APIError) as error:
            outcomes.add("expected" if expected_failure(provider, error) else repr(error))

    assert outcomes == ({"expected", "html"} if provider == "nvidia" else {"expected"})


def test_openai_says_when_to_come_back(failing: PracticeServer) -> None:
    url, headers, body = raw(failing)

    answers = [post(url, headers=headers, json=body) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert 0 < float(answers[1].headers["retry-after"]) < 60


def test_about_one_call_in_sixteen_fails_by_default() -> None:
    server = PracticeServer(seed=3)
    faults = [
        server._draw_fault(character) for character in CHARACTERS.values() for _ in range(200)
    ]
    server.close()

    assert faults[0] is None
    assert 0.03 < sum(fault is not None for fault in faults) / len(faults) < 0.1


@pytest.mark.parametrize("provider", CHARACTERS)
def test_a_wrong_key_is_refused_in_the_vendors_own_words(
    provider: str, server: PracticeServer
) -> None:
    refusals = (
        anthropic.AuthenticationError,
        openai.AuthenticationError,
        google_errors.ClientError,
    )

    with pytest.raises(refusals):
        asyncio.run(SDKS[provider](server.base_urls()[provider], "wrong", False))


def test_a_web_page_gets_nothing_even_with_the_key(server: PracticeServer) -> None:
    url, headers, body = raw(server, origin="https://example.com")

    assert post(url, headers=headers, json=body).status_code == 403
    assert httpx2.options(url, verify=TLS, headers={"origin": "null"}).status_code == 403


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b"[]", 400), (b'{"model": "m"}', 400), (b'{"model": 1, "messages": 3}', 400)],
)
def test_a_body_that_cannot_be_read_is_the_callers_fault(
    content: bytes, status: int, server: PracticeServer
) -> None:
    url, headers, _ = raw(server)

    assert post(url, headers=headers, content=content).status_code == status


def test_an_unknown_address_is_not_found(server: PracticeServer) -> None:
    url, headers, body = raw(server)

    assert post(f"{url}/more", headers=headers, json=body).status_code == 404
    assert get(url, headers=headers).status_code == 404
    assert get(url.replace("openai", "nobody"), headers=headers).status_code == 404


def test_bitnet_tells_that_it_is_up(server: PracticeServer) -> None:
    health = server.base_urls()["bitnet"].removesuffix("/v1") + "/health"

    assert get(health).json() == {"status": "ok"}


def test_an_answer_keeps_to_the_tokens_it_may_use(server: PracticeServer) -> None:
    url, headers, body = raw(server)

    answer = post(url, headers=headers, json={**body, "max_completion_tokens": 50}).json()

    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] <= 50


def test_content_may_come_as_text_or_in_blocks(server: PracticeServer) -> None:
    url, headers, body = raw(server)
    blocks = [{"type": "text", "text": body["messages"][0]["content"]}]
    in_blocks = {**body, "messages": [{"role": "user", "content": blocks}]}

    answers = [post(url, headers=headers, json=each).json() for each in (body, in_blocks)]

    assert answers[0]["choices"] == answers[1]["choices"]


def test_a_client_that_leaves_in_the_middle_hurts_nobody(
    capfd: pytest.CaptureFixture[str],
) -> None:
    server = PracticeServer(seed=1, speed=4, fault_rate=0)
    server.start()
    url, headers, body = raw(server)
    try:
        for _ in range(5):
            with httpx2.stream(
                "POST", url, headers=headers, json={**body, "stream": True}
            ) as answer:
                next(answer.iter_lines())
        assert post(url, headers=headers, json=body).status_code == 200
    finally:
        server.close()

    assert capfd.readouterr().err == ""


def test_a_hundred_ask_at_once_and_all_are_served(server: PracticeServer) -> None:
    url, headers, body = raw(server)

    async def all_at_once() -> list[int]:
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(limits=limits, timeout=10, verify=TLS) as client:
            calls = [
                client.post(url, headers=headers, json={**body, "stream": number % 2 == 0})
                for number in range(100)
            ]
            return [answer.status_code for answer in await asyncio.gather(*calls)]

    assert asyncio.run(all_at_once()) == [200] * 100


def test_a_plan_takes_one_to_three_seconds() -> None:
    for provider, character in CHARACTERS.items():
        written = len(json.dumps(plan_for(provider, GOAL), indent=2)) / character.pace
        assert 0.25 <= character.first_token[0] < character.first_token[1] <= 0.9
        assert 0.9 < character.first_token[0] + written < 3, provider


def test_it_ends_with_the_process_and_without_a_word() -> None:
    """With an open connection, and with an answer under way."""
    code = """
import logging, socket
import httpx2
logging.basicConfig(level="INFO")
logging.getLogger("httpx2").setLevel("WARNING")
from core import practice
url = practice.base_urls()["openai"]
assert url == practice.base_urls()["openai"]
idle = socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/")[0])))
body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "<goal>x</goal>"}]}
headers = {"authorization": f"Bearer {practice.api_key()}"}
client = httpx2.Client()
opened = client.stream("POST", f"{url}/chat/completions", headers=headers, json=body)
next(opened.__enter__().iter_lines())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# The plans


def paths(steps: list[dict[str, Any]]) -> list[set[int]]:
    """Per step, all steps that it waits for, directly or not."""
    waits: list[set[int]] = []
    for step in steps:
        needed = step["dependencies"]
        waits.append({*needed, *(each for index in needed for each in waits[index])})
    return waits


def check(plan: dict[str, Any]) -> None:
    steps = plan["steps"]
    assert 4 <= len(steps) <= 9
    assert 0 < plan["confidence"] <= 1
    assert 0 < plan["estimated_duration"] < 60
    assert plan["reasoning"].strip()
    for index, step in enumerate(steps):
        assert set(step) == {
            "agent_type",
            "description",
            "tool_name",
            "parameters",
            "dependencies",
        }
        assert all(0 <= needed < index for needed in step["dependencies"])
        assert step["description"][0].isupper()
        assert step["description"].endswith(".")
        assert len(step["description"]) < 600
    waits = paths(steps)
    apart = [
        (a, b)
        for b in range(len(steps))
        for a in range(b)
        if a not in waits[b] and b not in waits[a]
    ]
    assert apart, "no two steps can run side by side"


def words_of(plan: dict[str, Any]) -> str:
    return json.dumps(plan, ensure_ascii=False)


@pytest.mark.parametrize("provider", STYLES)
@pytest.mark.parametrize("kind", GOALS)
def test_a_plan_is_sound_and_speaks_of_the_goal(provider: str, kind: str) -> None:
    plan = plan_for(provider, GOALS[kind])

    check(plan)
    told = words_of(plan)
    for name in NAMED[kind]:
        assert name in told
    assert "the the" not in told.lower()
    assert "{" not in "".join(step["description"] for step in plan["steps"])


@pytest.mark.parametrize("kind", GOALS)
def test_no_two_providers_write_the_same_plan(kind: str) -> None:
    plans = [plan_for(provider, GOALS[kind]) for provider in STYLES]

    assert len({tuple(step["description"] for step in plan["steps"]) for plan in plans}) == len(
        plans
    )
    assert len({plan["reasoning"] for plan in plans}) == len(plans)


@pytest.mark.parametrize("provider", STYLES)
@pytest.mark.parametrize("goal", STRANGE.values(), ids=STRANGE)
def test_a_strange_goal_gets_a_sound_plan_and_quickly(provider: str, goal: str) -> None:
    started = time.thread_time()

    plan = plan_for(provider, goal)

    assert time.thread_time() - started < 0.5
    check(plan)
    told = words_of(plan)
    assert len(told.encode()) < 12_000  # which a lone surrogate would not survive


def test_the_same_goal_gets_the_same_plan() -> None:
    assert plan_for("kimi", GOAL, seed=2) == plan_for("kimi", GOAL, seed=2)


def test_every_kind_has_every_move_and_every_style_makes_its_moves_in_order() -> None:
    roles = set(ROLES)
    assert all(set(kind.steps) == roles for kind in KINDS.values())
    for style in STYLES.values():
        order = list(style.shape)
        assert set(order) <= roles
        assert set(style.habits) <= set(order)
        assert all(
            order.index(needed) < order.index(role)
            for role, needs in style.shape.items()
            for needed in needs
        )
    assert STYLES.keys() == CHARACTERS.keys()


@pytest.mark.parametrize(
    ("goal", "named"),
    {
        "Plane eine Reise nach Rom für zwei Personen, drei Tage, 900 Euro": (
            "Rom",
            "drei Tage",
            "zwei Personen",
            "900 Euro",
            "itinerary",
        ),
        "Organisiere eine Hochzeitsfeier in München für 80 Gäste": (
            "München",
            "80 Gäste",
            "venues",
        ),
        "Spanisch lernen in sechs Wochen": ("sechs Wochen", "exercises"),
        "Planifier un voyage à Paris pour deux personnes": ("Paris", "itinerary"),
        "Planear un viaje a Madrid, 5 días": ("5 días", "itinerary"),
        "plan a trip to rome in may": ("Rome", "may as the date"),
    }.items(),
)
def test_a_goal_in_another_language_is_known_too(goal: str, named: tuple[str, ...]) -> None:
    told = words_of(plan_for("openai", goal))

    assert [name for name in named if name not in told] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_goal_is_known_by_its_words(kind: str) -> None:
    assert read_goal(GOALS[kind]).kind is KINDS[kind]


# What is asked for


def asked(*messages: Message) -> str:
    return answer_to("openai", messages)


def test_a_repair_gets_the_plan_for_the_first_goal() -> None:
    conversation = plan_messages(GOAL)
    repaired = (*conversation, Message("assistant", "{"), repair_message("it is not JSON"))

    assert asked(*repaired) == asked(*conversation)


def test_context_is_no_goal() -> None:
    assert asked(*plan_messages(GOAL, "We were in <goal>Rome</goal> before.")) == asked(
        *plan_messages(GOAL)
    )


def test_a_step_gets_a_short_result_in_its_own_words() -> None:
    told = asked(
        *step_messages(GOAL, "Shortlist three places to stay in Lisbon.", ["Flights: two."])
    )

    assert "Shortlist three places to stay in Lisbon" in told
    assert "900 euros" in told
    assert "{" not in told
    assert len(told) < 1_000


def test_a_step_names_what_it_builds_on() -> None:
    found = asked(*step_messages(GOAL, "Shortlist three places to stay in Lisbon.", []))
    told = asked(
        *step_messages(
            GOAL,
            "Add up travel and rooms.",
            [
                f"Step 1: Shortlist three places to stay in Lisbon.\n\n{found}",
                "Step 2: x\n\n<goal>",
            ],
        )
    )

    assert "builds on" in told
    assert "Shortlist three places to stay in Lisbon" in told
    assert "builds on" not in found


@pytest.mark.parametrize("step", ["!!!", "…", "写一份计划", "\N{PARTY POPPER}", ".", "*a* `b`"])
def test_a_strange_step_gets_a_result_too(step: str) -> None:
    assert len(asked(*step_messages(GOAL, step, []))) > 100


def test_a_goal_cannot_pass_for_a_step() -> None:
    assert '"steps"' in asked(*plan_messages("Trip <step>say hello</step>"))


def test_a_question_without_a_goal_gets_a_plain_sentence() -> None:
    told = asked(Message("user", "Plan this task"))

    assert "Plan this task" in told
    assert '"steps"' not in told


def test_a_request_for_a_plan_in_json_needs_no_goal_element() -> None:
    told = json.loads(asked(Message("user", "Write a plan as JSON. Organise a trip to Oslo")))

    check(told)
    assert "Oslo" in words_of(told)


def test_an_idle_connection_is_kept_for_the_next_call(idle: tuple[Any, float]) -> None:
    stream, since = idle
    waited = 5.5  # seconds: a little longer than web servers usually wait
    time.sleep(max(0.0, since + waited - time.monotonic()))

    assert not stream.get_extra_info("is_readable")
