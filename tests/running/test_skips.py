"""Who was not asked, and why: recorded as it was decided, and told wherever a run is told of."""

import asyncio
import contextlib
import csv
import io
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.routing.ask import Ask
from core.routing.breaker import Policy
from core.routing.ranking import PROVEN
from core.routing.skips import not_asked_in_words
from core.routing.strategies import EXPLORED, STRATEGIES
from core.running.run_json import run_as_json
from core.values.calls import Attempt, Decision, Message, Request, Skip, SkipReason
from core.values.errors import ProviderError, RunError
from core.values.outcomes import ErrorKind
from core.values.registry import PROVIDERS
from core.values.runs import RunRecord, RunRequest
from core.values.telling.attempts import help_with
from db.lists import export
from db.lists.queries import Archive
from db.sqlite.decisions import decisions_from, decisions_text
from db.sqlite.rows import run_row
from db.sqlite.writer import SqliteHistory
from tests import standin
from tests.db.old_files import old_file
from tests.running.asking import answer_of
from tests.running.desk import killed, ran, running
from tests.standin import PLAN
from tests.test_router import HELLO, Clock, Scripted, call, made


def plan(engine, **more):
    return answer_of(engine, "POST", "/plan", json={"goal": "Plan a picnic", **more})


def stored(engine, run_id):
    return answer_of(engine, "GET", f"/runs/{run_id}").json()


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
        run = ran(engine, private=True)
        assert reasons(run_as_json(run)) == dict.fromkeys(
            ("openai", "google", "deepseek"), "private"
        )
        (decision,) = engine.runs.stored(run.record.id).record.decisions
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
        (decision,) = engine.runs.stored(body["run_id"]).record.decisions
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
            text = answer_of(engine, "POST", "/plan/stream", **asked).text
            last = text.strip().split("\n\n")[-1]
            assert last.startswith(f"event: {ending}")
            body = json.loads(last.split("data: ", 1)[1])
            assert reasons(body) == {"anthropic": "needs_attention"}


def test_a_step_that_found_nobody_says_what_helps(tmp_path, yard, three):
    says(yard, "anthropic", 402)
    says(yard, "openai", 401)
    asked = []

    def once(received):
        asked.append(received)
        return standin.answer(PLAN) if len(asked) < 3 else standin.status(503)

    yard["google"].script = once
    with running(tmp_path / "console.db", three) as engine:
        plan(engine)
        body = answer_of(engine, "POST", "/plan-and-execute", json={"goal": "Plan a picnic"}).json()
    assert reasons(body) == {"anthropic": "needs_attention", "openai": "needs_attention"}
    assert "Anthropic, which is out of credit" in body["error"]["message"]
    assert "Top up the account with Anthropic" in body["error"]["action"]
    assert "what is done is kept" in body["error"]["action"]


def test_out_of_time_it_names_those_who_were_not_asked(tmp_path, yard, three):
    says(yard, "anthropic", 402)
    with running(tmp_path / "console.db", three) as engine:
        plan(engine)
        for name in ("openai", "google"):
            yard[name].script = lambda received: standin.hang()
        answer = plan(engine, timeout=0.5)
    error = answer.json()["error"]
    assert (answer.status_code, error["kind"]) == (504, "deadline")
    assert error["message"] == (
        "Time ran out before a provider had answered; not asked was Anthropic, which is out of"
        " credit."
    )
    assert error["action"].endswith(", or top up the account with Anthropic.")


def test_when_nobody_could_be_asked_each_reason_is_named(tmp_path, yard, three):
    for name in ("anthropic", "openai", "google"):
        says(yard, name, 401)
    with running(tmp_path / "console.db", three) as engine:
        engine.control.switch("google", on=False)
        plan(engine)
        body = plan(engine).json()
    assert body["attempts"] == []
    assert body["error"]["message"] == (
        "Nobody could be asked: Anthropic did not accept the key; OpenAI did not accept the key;"
        " Google is switched off."
    )
    # No waiting helps.
    assert body["error"]["action"] == (
        "Check Anthropic's key and start again, or check OpenAI's key and start again."
    )


def test_what_helps_names_the_provider_for_every_kind_of_failure():
    for kind in ErrorKind:
        said = help_with(kind, "openai")
        assert "this provider" not in said
        assert "the provider" not in said
        assert said.endswith(".")


def test_the_description_for_programs_tells_what_the_success_rate_is_of(tmp_path, three):
    with running(tmp_path / "console.db", three) as engine:
        paths = answer_of(engine, "GET", "/openapi.json").json()["paths"]
    said = paths["/status"]["get"]["description"]
    for kind in ("cancelled", "interrupted", "internal", "refused", "bad_request"):
        assert kind in said
    assert "timeout" not in said
    for reason in ("resting", "needs_attention", "switched_off", "drilled", "private"):
        assert reason in paths["/runs/{run_id}"]["get"]["description"]


@pytest.mark.parametrize(
    ("asked", "status"), [({}, 422), ({"goal": ""}, 422), ({"goal": "x", "more": 1}, 422)]
)
def test_an_answer_that_turns_a_request_away_skipped_nobody(asked, status, tmp_path, three):
    with running(tmp_path / "console.db", three) as engine:
        answer = answer_of(engine, "POST", "/plan", json=asked)
        assert (answer.status_code, answer.json()["skipped"]) == (status, [])


def test_what_was_decided_survives_a_kill_in_the_middle_of_the_first_call(tmp_path, yard, three):
    says(yard, "anthropic", 401)
    answers(yard, "openai")
    path = tmp_path / "console.db"
    with running(path, three) as engine:
        assert plan(engine).status_code == 200
    yard["openai"].script = yard["google"].script = lambda received: standin.hang()
    before = len(yard["openai"].requests)
    with killed(path, three, goal="Plan a walk"):
        assert standin.eventually(lambda: len(yard["openai"].requests) > before, within=20)
    with closing(sqlite3.connect(path)) as connection:
        run_id, text = connection.execute(
            "SELECT id, decisions FROM run WHERE goal = 'Plan a walk'"
        ).fetchone()
    assert "anthropic" in text
    with running(path, three) as engine:
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


# -- what is recorded


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_order_is_recorded_with_how_it_came_about(strategy):
    providers = {name: Scripted() for name in "abc"}
    router, decisions = made(**providers), []
    call(router, strategy, decided=decisions.append)
    (decision,) = decisions
    assert decision.strategy == strategy
    assert sorted(decision.order) == ["a", "b", "c"]
    assert (decision.drawn, decision.probability) == {"random": (True, 1 / 6)}.get(
        strategy, (False, None)
    )


def test_the_probability_of_trying_somebody_unproven_is_recorded_either_way():
    router, seen = made(a=Scripted(), b=Scripted()), set()
    for _ in range(PROVEN):
        call(router, order=("a",))
    for _ in range(200):
        decisions = []
        call(router, "best_performance", order=("a", "b"), decided=decisions.append)
        if router.health("b").record.proven:
            break
        seen.add((decisions[0].order, decisions[0].drawn, decisions[0].probability))
    assert seen == {(("a", "b"), True, 1 - EXPLORED), (("b", "a"), True, EXPLORED)}
    call(router, "best_performance", decided=decisions.append)
    assert (decisions[-1].drawn, decisions[-1].probability) == (False, None)


def test_one_alone_is_drawn_by_nothing():
    decisions = []
    call(made(a=Scripted()), "random", decided=decisions.append)
    assert (decisions[0].drawn, decisions[0].probability) == (False, None)


def test_who_comes_to_rest_before_its_turn_is_recorded_at_its_turn():
    clock = Clock()

    class Meanwhile(Scripted):
        """While it is asked, another run opens the circuit of b."""

        async def complete(self, request, *, on_text=None):
            self.asked += 1
            ask = Ask(Request((Message("user", "hello"),)), "priority", order=("b",))
            with contextlib.suppress(RunError):
                await router.ask(ask)
            raise ProviderError(ErrorKind.SERVER_ERROR, "as told")

    router = made(clock, a=Meanwhile(), b=Scripted(ErrorKind.BILLING), c=Scripted())
    decisions = []
    assert call(router, decided=decisions.append).provider == "c"
    assert [[skip.provider for skip in each.skipped] for each in decisions] == [[], ["b"]]
    assert decisions[-1].skipped[0] == Skip("b", "needs_attention", ErrorKind.BILLING)


def test_whose_rest_is_over_when_its_turn_comes_was_not_skipped():
    clock = Clock()

    class Slow(Scripted):
        async def complete(self, request, *, on_text=None):
            clock.tick(61)
            return await super().complete(request, on_text=on_text)

    policy = Policy(run_timeout=600)
    slow = Slow(ErrorKind.SERVER_ERROR)
    router = made(clock, policy=policy, a=slow, b=Scripted(ErrorKind.BILLING, None))
    with pytest.raises(RunError):
        call(router, order=("b",))
    decisions = []
    assert call(router, decided=decisions.append).provider == "b"
    assert [[skip.provider for skip in each.skipped] for each in decisions] == [["b"], []]


def test_the_library_needs_none_of_it():
    router = made(a=Scripted(ErrorKind.BILLING), b=Scripted())
    for _ in range(2):
        reply, provider = asyncio.run(router.call_with_fallback(HELLO, strategy="priority"))
        assert (reply.content, provider) == ("hello", "b")
    assert router.get_stats_summary()["available_providers"] == ["b"]


def test_each_walk_of_a_run_has_a_decision(tmp_path, yard, three):
    says(yard, "anthropic", 401)
    with running(tmp_path / "console.db", three) as engine:
        plan(engine)
        body = answer_of(engine, "POST", "/plan-and-execute", json={"goal": "Plan a picnic"}).json()
        assert body["status"] == "success"
        record = engine.runs.stored(body["run_id"]).record
        steps = len(body["plan"]["steps"])
        assert {decision.step for decision in record.decisions} == {None, *range(steps + 1)}
        for decision in record.decisions:
            assert decision.order == ("anthropic", "openai", "google")
            assert decision.skipped[0].reason == "needs_attention"
        assert engine.runs.get(body["run_id"]).record.decisions == record.decisions


def test_a_run_that_goes_on_keeps_what_was_decided_before(tmp_path, yard, three):
    for name in ("anthropic", "openai", "google"):
        says(yard, name, 401)
    with running(tmp_path / "console.db", three) as engine:
        run_id = plan(engine).json()["run_id"]
        answers(yard, "anthropic", "openai", "google")
        engine.control.switch("openai", on=False)
        answer_of(engine, "POST", f"/runs/{run_id}/continue")
        first, second = engine.runs.stored(run_id).record.decisions
        assert (first.order, second.order) == (
            ("anthropic", "openai", "google"),
            ("anthropic", "google"),
        )


def test_an_order_named_for_the_run_is_told_from_one_of_the_settings(tmp_path, yard, three):
    with running(tmp_path / "console.db", three) as engine:
        for more, chosen in (({}, False), ({"priority": ["google", "kimi"]}, True)):
            run_id = plan(engine, **more).json()["run_id"]
            (decision,) = engine.runs.stored(run_id).record.decisions
            assert decision.chosen is chosen
        reasons = {skip.provider: skip.reason for skip in decision.skipped}
        assert reasons["anthropic"] == reasons["openai"] == "not_asked_for"
        assert reasons["kimi"] == "no_key"


# -- in the file

NO_KEY = tuple(Skip(name, "no_key") for name in ("deepseek", "kimi", "nvidia", "bitnet"))
USUAL = Decision("round_robin", ("anthropic", "openai", "google"), NO_KEY)


def test_it_takes_about_150_bytes_a_run():
    rested = Skip("google", "resting", ErrorKind.OVERLOADED, 1_790_000_060.5)
    everyone = Decision("round_robin", tuple(PROVIDERS))
    for decision, most in ((USUAL, 160), (everyone, 90), (replace(USUAL, skipped=()), 50)):
        text = decisions_text((decision,), strategy="round_robin")
        assert text is not None
        assert len(text) <= most
    steps = tuple(replace(USUAL, step=step) for step in range(6))
    both = decisions_text((USUAL, *steps), strategy="round_robin")
    assert both is not None
    assert len(both) <= 160 + 6 * 60  # those passed over are not told again
    told = decisions_text((replace(USUAL, skipped=(rested,)),), strategy="round_robin")
    assert told is not None
    assert len(told) <= 110


@settings(max_examples=40)
@given(
    st.lists(
        st.builds(
            Decision,
            st.sampled_from(list(STRATEGIES)),
            st.lists(st.sampled_from(list(PROVIDERS)), unique=True).map(tuple),
            st.lists(
                st.builds(
                    Skip,
                    st.sampled_from(list(PROVIDERS)),
                    st.sampled_from(get_args(SkipReason)),
                    st.none() | st.sampled_from(list(ErrorKind)),
                    st.none() | st.floats(0, 4e9),
                )
            ).map(tuple),
            st.none() | st.integers(0, 30),
            st.just(value=False),
            st.none(),
            st.booleans(),
        )
        | st.builds(
            Decision,
            st.just("random"),
            st.just(("openai", "google")),
            drawn=st.just(value=True),
            probability=st.none() | st.floats(0, 1),
        )
    ).map(tuple)
)
def test_decisions_come_back_as_they_were_written(decisions):
    text = decisions_text(decisions, strategy="random")
    assert decisions_from(text, strategy="random") == decisions


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "null", "3", "{}", '"x"', "[1]", "[{}]", "[[]]", "{", "[null]"),
        '[{"order":3}]',
        '[{"order":["openai"],"skipped":[["openai","bored"]]}]',
        '[{"order":["openai"],"skipped":[["openai","resting","gone"]]}]',
        '[{"order":["openai"],"skipped":[[]]}]',
        '[{"order":["openai"],"skipped":7}]',
        "[" * 100_000,
    ],
)
def test_what_cannot_be_read_was_not_recorded(text):
    assert decisions_from(text, strategy="random") == ()


def test_a_history_of_the_version_before_keeps_everything_and_claims_nothing(tmp_path, yard, three):
    path = tmp_path / "console.db"
    old_file(path, 9)
    with running(path, three) as engine:
        body = stored(engine, "old")
        assert (body["goal"], body["skipped"]) == ("An old goal", None)
        assert [attempt["provider"] for attempt in body["attempts"]] == ["kimi", "openai"]
        assert engine.runs.stored("old").record.decisions == ()
        assert plan(engine).json()["skipped"] == []
    table = "".join(export.export_csv(path, {"view": ["runs"]}, not_asked=not_asked_in_words))
    told = {row["goal"]: row["not_asked"] for row in csv.DictReader(io.StringIO(table))}
    assert told == {"An old goal": "", "Cut off": "", "Plan a picnic": "nobody"}
    lines = "".join(export.export_jsonl(path, {"view": ["runs"]})).splitlines()
    assert json.loads(lines[0])["decisions"] is None


def test_an_outcome_that_the_version_before_could_not_write_is_taken(tmp_path):
    path = tmp_path / "console.db"
    old_file(path, 9)
    record = RunRecord("new", RunRequest("A goal"), "random", False, 1_790_000_000.0, "completed")
    row = run_row(record, lambda text: text)[:-1]
    (tmp_path / "console.db.spool.jsonl").write_text(json.dumps([["run", row]]) + "\n")
    history = SqliteHistory.open(path)
    history.close()
    with closing(Archive(path)) as archive:
        assert archive.run("new") == record


def test_it_costs_no_commit_of_its_own(tmp_path):
    """It goes with the call's intent; of two that begin at once the later word counts."""
    history = SqliteHistory.open(tmp_path / "console.db")
    record = RunRecord("r", RunRequest("A goal"), "random", False, 1_790_000_000.0)
    later = Decision("random", ("kimi",), step=1)

    async def calls():
        await history.begin_run(record)
        history.decided(replace(record, decisions=(USUAL,)))
        assert decided() is None  # nothing was written for it alone
        begun = [
            Attempt(history.next_call_id(), n, "openai", "m", "random", 1.0, run_id="r")
            for n in range(12)
        ]
        writing = [history.begin(each, ()) for each in begun[:6]]
        history.decided(replace(record, decisions=(USUAL, later)))
        writing += [history.begin(each, ()) for each in begun[6:]]
        await asyncio.gather(*writing)

    def decided():
        with closing(Archive(tmp_path / "console.db")) as archive:
            return archive.run("r").decisions or None

    asyncio.run(calls())
    assert decided() == (USUAL, later)
    history.close()


# -- the status


def status(engine):
    return answer_of(engine, "GET", "/status").json()["llm_providers"]


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
            assert figures["avg_latency"] is None  # nobody knows how long an answer takes
