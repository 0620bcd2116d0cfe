"""What a person does to the providers of a running engine."""

from datetime import date

import pytest

from core.config import limits
from core.config.limits import LIMITS
from core.config.settings import read_settings
from core.routing.breaker import Breaker, Policy, began, ended, let_in
from core.values.calls import Attempt
from core.values.errors import BadRequest, NoProviderConfigured
from core.values.outcomes import ErrorKind
from core.values.registry import PROVIDERS
from core.values.runs import RunRequest
from db.lists.queries import Archive
from tests import standin
from tests.running.desk import ran, running
from tests.standin import PLAN


@pytest.fixture
def engine(tmp_path, yard):
    environment = {**yard.env("openai", "google"), "LLM_STRATEGY": "priority"}
    with running(tmp_path / "console.db", environment) as engine:
        yield engine


@pytest.fixture
def practice(tmp_path):
    with running(tmp_path / "console.db", {"CONSOLE_PRACTICE": "on"}) as engine:
        yield engine


def test_a_test_is_kept_for_the_choice_of_a_model_and_moves_nothing(engine, yard):
    yard["openai"].listing = standin.status(401)
    found = engine.control.check("openai").result(60)
    assert found.error_kind is ErrorKind.AUTH
    assert engine.control.found("openai") == found
    assert engine.control.found("google") is None
    assert engine.control.doing("openai") is None
    assert engine.router(simulated=False).health("openai").breaker == Breaker()
    assert engine.choices.changes() == []


def test_a_practice_provider_can_be_tested_as_well(practice):
    found = practice.control.check("anthropic").result(60)
    assert found.served
    assert "claude-sonnet-5-5" in found.models


def test_a_chosen_model_is_asked_from_the_next_call_on(engine, yard):
    ran(engine)
    engine.control.choose_model("openai", "gpt-6.1-sol")
    ran(engine)
    assert [request.model for request in yard["openai"].requests] == ["gpt-6-luna", "gpt-6.1-sol"]
    engine.control.undo("models")
    ran(engine)
    assert yard["openai"].requests[-1].model == "gpt-6-luna"
    assert engine.choices.get("models") is None


def test_a_chosen_model_outlives_the_process(tmp_path, yard):
    environment = yard.env("openai")
    with running(tmp_path / "console.db", environment) as engine:
        engine.control.choose_model("openai", " gpt-6.1-sol ")
    with running(tmp_path / "console.db", environment) as engine:
        ran(engine)
    assert yard["openai"].requests[-1].model == "gpt-6.1-sol"


def test_the_default_is_chosen_by_choosing_nothing(engine):
    engine.control.choose_model("openai", "gpt-6-luna")
    assert engine.choices.get("models") is None
    engine.control.choose_model("openai", "other")
    engine.control.choose_model("openai", None)
    assert engine.lineup.models == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sk-ant-api03-Ab12Cd34Ef56Gh78Ij90", "looks like a key"),
        (" AIzaSyA1234567890abcdefghijklmnop", "looks like a key"),
        ("{own}", "looks like a key"),
        ("my model\nis", "not the name of a model"),
        ("m" * 201, "not the name of a model"),
    ],
)
def test_what_is_no_model_is_neither_asked_nor_kept(name, said, engine, tmp_path):
    before = engine.router(simulated=False).providers["openai"].model
    name = name.format(own=engine.settings.keys["openai"].reveal())
    with pytest.raises(BadRequest, match=said) as refused:
        engine.control.choose_model("openai", name)
    assert name.strip() not in str(refused.value)
    assert engine.choices.get("models") is None
    assert engine.router(simulated=False).providers["openai"].model == before


def test_practice_providers_take_the_chosen_model_too(practice):
    ran(practice)
    practice.control.choose_model("anthropic", "claude-haiku-5-5")
    attempt = practice.control.try_now("anthropic").result(30)
    assert isinstance(attempt, Attempt)
    assert attempt.model == "claude-haiku-5-5"


def test_another_model_is_not_judged_by_what_the_old_one_did(engine, yard):
    yard["openai"].script = lambda received: standin.status(404)
    ran(engine)
    router = engine.router(simulated=False)
    assert router.health("openai").breaker.needs_you
    engine.control.choose_model("openai", "gpt-6.1-sol")
    assert router.health("openai").breaker.state(router.clock()) == "closed"
    assert router.health("openai").last_failure is None
    yard["openai"].script = lambda received: standin.answer(PLAN)
    assert ran(engine).record.provider == "openai"


def test_an_answer_that_the_old_model_still_owes_does_not_move_the_new_ones_circuit(engine, yard):
    router = engine.router(simulated=False)
    yard["openai"].script = lambda received: standin.answer(PLAN, delay=0.5)
    under_way = engine.runs.get(engine.submit(RunRequest("Plan a picnic", source="ui")))
    assert standin.eventually(lambda: yard["openai"].requests)
    engine.control.choose_model("openai", "gpt-6.1-sol")
    assert under_way.done.wait(10)
    assert under_way.record.status == "completed"  # the old client was not closed under it
    assert under_way.attempts[0].model == "gpt-6-luna"
    assert router.health("openai").breaker.state(router.clock()) == "closed"


def test_a_provider_that_is_switched_off_is_never_asked(engine, yard):
    engine.control.switch("openai", on=False)
    assert engine.lineup.eligible(simulated=False) == ("google",)
    assert ran(engine).record.provider == "google"
    engine.control.switch("google", on=False)
    failed = ran(engine)
    assert isinstance(failed.error, NoProviderConfigured)
    assert "switched off" in failed.error.message
    engine.control.switch("openai", on=True)
    engine.control.switch("google", on=True)
    assert engine.choices.get("switched_off") is None
    assert ran(engine).record.provider == "openai"


def test_a_resting_provider_can_be_tried_at_once_and_comes_back_when_it_answers(engine, yard):
    yard["openai"].script = lambda received: standin.status(429, headers={"retry-after": "600"})
    ran(engine)
    router = engine.router(simulated=False)
    assert router.health("openai").breaker.stated
    yard["openai"].script = lambda received: standin.answer("ready")
    tried = engine.control.try_now("openai").result(30)
    assert tried.status == "ok"
    assert engine.control.tried("openai") == tried
    assert router.health("openai").breaker.state(router.clock()) == "closed"
    stored = Archive(engine.history.path).call(tried.id)  # a call of its own
    assert (stored.status, stored.run_id) == ("ok", None)


def test_a_provider_that_fails_when_tried_rests_again(engine, yard):
    yard["openai"].script = lambda received: standin.status(401)
    ran(engine)
    tried = engine.control.try_now("openai").result(30)
    assert tried.error_kind is ErrorKind.AUTH
    breaker = engine.router(simulated=False).health("openai").breaker
    assert breaker.needs_you
    assert len(yard["openai"].requests) == 2


def test_trying_is_rebuilt_from_the_history_as_it_was(tmp_path, yard):
    environment = {**yard.env("openai"), "LLM_STRATEGY": "priority"}
    yard["openai"].script = lambda received: standin.status(401)
    with running(tmp_path / "console.db", environment) as engine:
        ran(engine)
        yard["openai"].script = lambda received: standin.answer("ready")
        engine.control.try_now("openai").result(30)
    with running(tmp_path / "console.db", environment) as engine:
        router = engine.router(simulated=False)
        assert router.health("openai").breaker.state(router.clock()) == "closed"


def test_letting_in_is_half_open_for_one():
    policy, now = Policy(), 100.0
    breaker = ended(Breaker(), ErrorKind.AUTH, began=99.0, now=now, policy=policy)
    assert not breaker.admits(now)
    opened = let_in(breaker, now=now)
    assert opened.admits(now)
    assert opened.needs_you
    held = began(opened, now=now, lease_until=now + 10)
    assert not let_in(held, now=now + 1).admits(now + 1)
    assert let_in(Breaker(), now=now) == Breaker()


def test_limits_chosen_here_are_in_force_at_once_and_after_a_restart(tmp_path, yard):
    environment = {**yard.env("openai", "google"), "LLM_STRATEGY": "priority"}
    yard["openai"].script = lambda received: standin.status(500)
    with running(tmp_path / "console.db", environment) as engine:
        engine.control.choose("failure_threshold", 1)
        engine.control.choose("cooldown", 1200)
        ran(engine)
        router = engine.router(simulated=False)
        assert router.health("openai").breaker.until > router.clock() + 1000
    with running(tmp_path / "console.db", environment) as engine:
        assert engine.policy.threshold == 1
        assert engine.router(simulated=False).policy.cooldown == 1200
        engine.control.undo("failure_threshold")
        assert engine.router(simulated=False).policy.threshold == 3


@pytest.mark.parametrize("key", LIMITS)
@pytest.mark.parametrize("value", ["text", True, None, float("nan"), -1, 1e9, [1]])
def test_a_limit_that_makes_no_sense_is_as_if_not_chosen(key, value):
    class Chosen:
        def get(self, asked):
            return value if asked == key else None

    settings = read_settings({}, None)
    default = getattr(settings, LIMITS[key].setting)
    assert limits.in_force(settings, Chosen(), key) == default


@pytest.mark.parametrize("key", LIMITS)
def test_the_default_of_a_limit_can_be_set_by_hand(key):
    row = LIMITS[key]
    assert row.least <= getattr(read_settings({}, None), row.setting) <= row.most


@pytest.mark.parametrize("nonsense", ["text", 7, ["openai"], {"nobody": "x", "openai": ""}])
def test_nonsense_among_the_choices_changes_nothing(engine, nonsense):
    engine.choices.set("models", nonsense)
    engine.control.follow()
    assert engine.lineup.models == {}
    assert ran(engine).record.provider == "openai"


def test_moving_keeps_every_provider_once(engine):
    before = engine.lineup.priority
    engine.control.move(before[2], by=-1)
    assert engine.lineup.priority[:3] == (before[0], before[2], before[1])
    engine.control.move(before[0], by=-5)
    assert engine.lineup.priority[0] == before[0]
    assert sorted(engine.lineup.priority) == sorted(PROVIDERS)
    engine.control.undo("priority")
    assert engine.lineup.priority == before


def test_a_model_that_is_gone_is_named_until_its_successor_is_chosen(tmp_path, yard):
    environment = {**yard.env("deepseek"), "DEEPSEEK_MODEL": "deepseek-chat"}
    environment["KIMI_MODEL"] = "kimi-k2-turbo-preview"  # not set up: nobody has to know
    with running(tmp_path / "console.db", environment) as engine:
        said = engine.control.retired(date(2026, 11, 24))
        assert len(said) == 1
        assert "DeepSeek no longer serves deepseek-chat since 24 July 2026" in said[0]
        assert engine.control.retired(date(2026, 7, 1)) == []
        engine.control.choose_model("deepseek", "deepseek-flash")
        assert engine.control.retired(date(2026, 11, 24)) == []
