"""The API and the Python functions beneath it, when they turn a request away."""

import asyncio

import httpx2
import pytest

from core.config.settings import read_settings
from core.planning.planner import LLMPlanner
from core.providers.connect import connect
from core.routing.router import MultiProviderStrategy
from core.running.engine import Engine
from core.running.steps.orchestrator import AutonomousOrchestrator
from core.values.errors import BadRequest
from core.values.runs import RunRequest
from core.web.api import make_api
from db.choices import Choices
from db.lists.queries import Archive
from db.sqlite.writer import SqliteHistory

HALVES = ("\ud83d", "a picnic \ude00 for two")


@pytest.fixture
def engine(tmp_path, yard):
    history = SqliteHistory.open(tmp_path / "console.db")
    archive = Archive(tmp_path / "console.db")
    engine = Engine(read_settings(yard.env("openai"), None), history, archive, Choices(history))
    yield engine
    engine.close()
    archive.close()
    history.close()


def test_who_is_turned_away_is_told_when_to_come_back(engine):
    api = make_api(
        lambda: engine,
        export_csv=lambda filters: iter(()),
        export_jsonl=lambda filters: iter(()),
        backup=lambda copy: 0,
    )

    async def post():
        transport = httpx2.ASGITransport(app=api)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/plan", json={"goal": "Plan a picnic"})

    engine.close()
    answer = asyncio.run(post())

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "10"
    assert "busy" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/plan", "/plan/stream", "/plan-and-execute"])
@pytest.mark.parametrize("field", ["goal", "context"])
def test_what_looks_like_a_key_is_refused_and_not_said_back(engine, yard, path, field):
    key = "AIzaSyZx81Qw7Lk3Vb9Tn2Mh6P-Zx81Qw7Lk3Vb"
    api = make_api(
        lambda: engine,
        export_csv=lambda filters: iter(()),
        export_jsonl=lambda filters: iter(()),
        backup=lambda copy: 0,
    )

    async def post():
        transport = httpx2.ASGITransport(app=api)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            body = {"goal": "Plan a picnic", field: f"Use {key} for it"}
            return await client.post(path, json=body, headers={"Idempotency-Key": "once"})

    answer = asyncio.run(post())

    assert answer.status_code == 422
    assert answer.json()["error"]["kind"] == "bad_request"
    assert f"The {field} holds something that looks like a key" in answer.json()["error"]["message"]
    assert "Take the key out" in answer.json()["error"]["message"]
    assert key not in answer.text
    assert yard["openai"].requests == []
    folder = engine.history.path.parent
    assert not any(key.encode() in file.read_bytes() for file in folder.glob("*.db*"))


@pytest.mark.parametrize("half", HALVES)
def test_half_of_a_character_is_refused_before_there_is_a_run(engine, half):
    for goal, more in ((half, {}), ("Plan a picnic", {"context": half})):
        with pytest.raises(BadRequest, match="half of a character"):
            engine.submit(RunRequest(goal, source="python", **more))
    assert engine.runs.active() == []


@pytest.mark.parametrize("half", HALVES)
def test_half_of_a_character_is_refused_before_anybody_is_asked(yard, half):
    async def turned_away():
        providers = connect(yard.env("openai"))
        planner = LLMPlanner(MultiProviderStrategy(providers))
        with pytest.raises(BadRequest, match="The goal contains half of a character"):
            await AutonomousOrchestrator(planner).plan_and_execute(half)
        with pytest.raises(BadRequest, match="The context contains half of a character"):
            await planner.create_plan("Plan a picnic", context=half)
        for provider in providers.values():
            await provider.aclose()

    asyncio.run(turned_away())
    assert yard.requests == []
