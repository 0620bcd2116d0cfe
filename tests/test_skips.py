"""Who was not asked, and why: recorded as it was decided, and told wherever a run is told of."""

import asyncio
import csv
import io
import json
import sqlite3
import time
from contextlib import closing, contextmanager

import httpx2
import pytest

from core.api import make_api
from core.engine import Engine
from core.settings import read_settings
from core.skips import not_asked_in_words
from db import export
from db.history import SqliteHistory
from db.queries import Archive
from db.settings import Choices
from tests import standin
from tests.process import Console
from tests.standin import PLAN

LISTED = {"resting", "needs_attention", "switched_off", "drilled", "private"}


@contextmanager
def running(path, environment):
    history = SqliteHistory.open(path)
    archive = Archive(path)
    engine = Engine(read_settings(environment, None), history, archive, Choices(history))
    try:
        yield engine
    finally:
        engine.close()
        archive.close()
        history.close()


def told(engine, method, path, **more):
    """An answer of the API."""
    api = make_api(
        lambda: engine,
        export_csv=lambda filters: iter(()),
        export_jsonl=lambda filters: iter(()),
        backup=lambda copy: 0,
    )

    async def ask():
        transport = httpx2.ASGITransport(app=api)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, timeout=60, **more)

    return asyncio.run(ask())


def plan(engine, **more):
    return told(engine, "POST", "/plan", json={"goal": "Plan a picnic", **more})


def stored(engine, run_id):
    return told(engine, "GET", f"/runs/{run_id}").json()


def reasons(body):
    return {skip["provider"]: skip["reason"] for skip in body["skipped"]}


def says(yard, name, code, **more):
    yard[name].script = lambda received: standin.status(code, **more)


def answers(yard, *names):
    for name in names:
        yard[name].script = lambda received: standin.answer(PLAN)


@pytest.fixture
def three(yard):
    return {**yard.env("anthropic", "openai", "google"), "LLM_STRATEGY": "priority"}


def test_who_was_skipped_is_named_in_the_error_with_what_helps(tmp_path, yard, three):
    says(yard, "anthropic", 402)
    says(yard, "openai", 401)
    says(yard, "google", 503)
    with running(tmp_path / "console.db", three) as engine:
        first = plan(engine).json()
        assert reasons(first) == {}
        assert "Anthropic" in first["error"]["action"]
        again = plan(engine).json()
        assert [attempt["provider"] for attempt in again["attempts"]] == ["google"]
        assert reasons(again) == {"anthropic": "needs_attention", "openai": "needs_attention"}
        assert again["skipped"][0] == {
            "provider": "anthropic",
            "reason": "needs_attention",
            "message": "Anthropic is out of credit, so it was not asked.",
            "until": None,
        }
        message, action = again["error"]["message"], again["error"]["action"]
        assert "Google is overloaded" in message
        assert "Anthropic, which is out of credit" in message
        assert "OpenAI, which did not accept the key" in message
        assert "nothing is wrong on your side" not in action
        assert action.startswith("Top up the account with Anthropic, or check OpenAI's key")
        assert stored(engine, again["run_id"])["skipped"] == again["skipped"]
    with running(tmp_path / "console.db", three) as engine:  # after a restart
        found = stored(engine, again["run_id"])
        assert (found["skipped"], found["error"]["message"]) == (again["skipped"], message)


def test_who_rests_is_listed_with_the_moment_it_is_back(tmp_path, yard, three):
    says(yard, "anthropic", 429, headers={"retry-after": "300"})
    with running(tmp_path / "console.db", three) as engine:
        assert reasons(plan(engine).json()) == {}
        body = plan(engine).json()
        assert body["provider_used"] == "openai"
        (skip,) = body["skipped"]
        assert (skip["provider"], skip["reason"]) == ("anthropic", "resting")
        assert skip["message"].startswith("Anthropic asked for fewer requests and rests until ")
        assert 200 < skip["until"] - time.time() <= 300
        assert stored(engine, body["run_id"])["skipped"] == [skip]


def test_who_is_switched_off_pretended_down_or_kept_out_is_listed(tmp_path, yard):
    names = ("openai", "google", "deepseek", "bitnet")
    environment = {**yard.env(*names), "LLM_STRATEGY": "priority"}
    with running(tmp_path / "console.db", environment) as engine:
        assert standin.eventually(lambda: engine.lineup.bitnet_up, within=10)
        engine.control.switch("deepseek", on=False)
        engine.control.drills.start("openai")
        body = plan(engine).json()
        assert body["provider_used"] == "google"
        assert reasons(body) == {"openai": "drilled", "deepseek": "switched_off"}
        until = next(skip["until"] for skip in body["skipped"] if skip["provider"] == "openai")
        assert 500 < until - time.time() <= 600
        assert reasons(plan(engine, priority=["google"]).json()) == {}
        run = engine.run(engine.submit("Plan a picnic", source="ui", private=True))
        assert run.done.wait(30)
        assert reasons(run.as_json()) == dict.fromkeys(("openai", "google", "deepseek"), "private")
        (decision,) = engine.stored_run(run.record.id).record.decisions
        others = {skip.provider: skip.reason for skip in decision.skipped}
        assert others.pop("anthropic") == others.pop("kimi") == others.pop("nvidia") == "no_key"
        assert set(others.values()) == {"private"}
        engine.control.switch("bitnet", on=False)
        engine.control.switch("google", on=False)
        engine.control.switch("openai", on=False)
        refused = plan(engine)
        assert (refused.status_code, refused.json()["error"]["kind"]) == (
            503,
            "no_provider_configured",
        )
        assert reasons(refused.json()) == dict.fromkeys(names, "switched_off")
        assert reasons(stored(engine, refused.json()["run_id"])) == reasons(refused.json())


def test_who_is_asked_after_all_was_not_skipped(tmp_path, yard):
    says(yard, "openai", 500)
    environment = {**yard.env("openai"), "LLM_STRATEGY": "priority", "LLM_FAILURE_THRESHOLD": "1"}
    with running(tmp_path / "console.db", environment) as engine:
        plan(engine)
        answers(yard, "openai")
        body = plan(engine).json()
        assert (body["status"], reasons(body)) == ("success", {})
        (decision,) = engine.stored_run(body["run_id"]).record.decisions
        assert decision.order == ("openai",)
        assert {skip.reason for skip in decision.skipped} == {"no_key"}


def test_every_end_of_a_run_tells_it(tmp_path, yard, three):
    says(yard, "anthropic", 401)
    with running(tmp_path / "console.db", three) as engine:
        plan(engine)
        for ending, script in (("run_completed", standin.answer(PLAN)), ("run_failed", None)):
            for name in ("openai", "google"):
                yard[name].script = lambda received, act=script: act or standin.status(503)
            asked = {"json": {"goal": "Plan a picnic"}}
            text = told(engine, "POST", "/plan/stream", **asked).text
            last = text.strip().split("\n\n")[-1]
            assert last.startswith(f"event: {ending}")
            body = json.loads(last.split("data: ", 1)[1])
            assert reasons(body) == {"anthropic": "needs_attention"}


@pytest.mark.parametrize(
    ("asked", "status"), [({}, 422), ({"goal": ""}, 422), ({"goal": "x", "more": 1}, 422)]
)
def test_an_answer_that_turns_a_request_away_skipped_nobody(asked, status, tmp_path, three):
    with running(tmp_path / "console.db", three) as engine:
        answer = told(engine, "POST", "/plan", json=asked)
        assert (answer.status_code, answer.json()["skipped"]) == (status, [])


def test_what_was_decided_survives_a_kill_in_the_middle_of_the_first_call(tmp_path, yard, three):
    says(yard, "anthropic", 401)
    answers(yard, "openai")
    with Console(tmp_path, three) as console:
        assert console.plan("Plan a picnic").status_code == 200
        yard["openai"].script = lambda received: standin.hang()
        yard["google"].script = lambda received: standin.hang()
        before = len(yard["openai"].requests)
        with console.client.stream(
            "POST", "/autonomous/plan/stream", json={"goal": "Plan a walk"}
        ) as answer:
            next(answer.iter_lines())
            assert standin.eventually(lambda: len(yard["openai"].requests) > before, within=20)
            console.kill()
    with closing(sqlite3.connect(console.database)) as connection:
        run_id, text = connection.execute(
            "SELECT id, decisions FROM run WHERE goal = 'Plan a walk'"
        ).fetchone()
    assert "anthropic" in text
    with running(console.database, three) as engine:
        body = stored(engine, run_id)
        assert body["error"]["kind"] == "interrupted"
        assert reasons(body) == {"anthropic": "needs_attention"}


def test_the_export_holds_it_exactly_and_in_words(tmp_path, yard, three):
    says(yard, "anthropic", 401)
    with running(tmp_path / "console.db", three) as engine:
        plan(engine)
        run_id = plan(engine).json()["run_id"]
    path, asked = tmp_path / "console.db", {"view": ["runs"]}
    lines = "".join(export.export_jsonl(path, asked)).splitlines()
    (line,) = (run for run in map(json.loads, lines) if run["id"] == run_id)
    (decision,) = line["decisions"]
    assert decision["order"] == ["anthropic", "openai", "google"]
    assert decision["strategy"] == "priority"
    assert decision["skipped"][0] == {
        "provider": "anthropic",
        "reason": "needs_attention",
        "error_kind": "auth",
        "until": None,
    }
    table = "".join(export.export_csv(path, asked, not_asked=not_asked_in_words))
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(table))}
    assert "Anthropic did not accept the key, so it was not asked." in rows[run_id]["not_asked"]


# -- the status


def status(engine):
    return told(engine, "GET", "/status").json()["llm_providers"]


def test_only_those_that_may_be_asked_now_are_available(tmp_path, yard):
    names = ("anthropic", "openai", "google", "deepseek", "kimi")
    says(yard, "anthropic", 401)
    says(yard, "openai", 429, headers={"retry-after": "300"})
    environment = {**yard.env(*names), "LLM_STRATEGY": "priority"}
    with running(tmp_path / "console.db", environment) as engine:
        assert status(engine)["available_providers"] == list(names)
        plan(engine)
        engine.control.switch("deepseek", on=False)
        engine.control.drills.start("kimi")
        assert status(engine)["available_providers"] == ["google"]


def test_the_status_counts_by_the_rule_of_performance_live_and_after_a_restart(tmp_path, yard):
    environment = {**yard.env("openai"), "LLM_STRATEGY": "priority"}
    path = tmp_path / "console.db"
    with running(path, environment) as engine:
        plan(engine)
        says(yard, "openai", 500)
        plan(engine)
        yard["openai"].script = lambda received: standin.refusal()
        for _ in range(3):
            plan(engine)
        says(yard, "openai", 400)
        plan(engine)
        live = status(engine)
        figures = live["providers"]["openai"]
        assert (figures["total_calls"], figures["failed_calls"], figures["success_rate"]) == (
            2,
            1,
            "50.0%",
        )
        assert live["total_calls"] == 2
    with running(path, environment) as engine:
        after = status(engine)["providers"]["openai"]
        same = ("total_calls", "successful_calls", "failed_calls", "success_rate")
        assert {name: after[name] for name in same} == {name: figures[name] for name in same}


def test_who_only_ever_declined_is_shown_without_a_rate(tmp_path, yard):
    yard["openai"].script = lambda received: standin.refusal()
    path, environment = tmp_path / "console.db", yard.env("openai")
    for _ in range(2):
        with running(path, environment) as engine:
            plan(engine)
            figures = status(engine)["providers"]["openai"]
            assert (figures["total_calls"], figures["success_rate"]) == (0, None)
