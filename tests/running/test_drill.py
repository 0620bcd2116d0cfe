"""Fire drills: a provider is pretended down, the others take over, and no figure moves."""

import asyncio

import pytest

from core.routing.ask import Ask
from core.routing.breaker import Breaker
from core.routing.drill import LENGTH, SAID, Drill, Drills
from core.routing.router import MultiProviderStrategy
from core.routing.strategies import STRATEGIES
from core.values.calls import Message, Reply, Request
from core.values.errors import AllProvidersFailed
from core.values.outcomes import ErrorKind
from core.values.telling.run_story import story
from db.lists.queries import Archive
from tests.running.desk import ran, running


class Clock:
    now = 1_790_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture(params=["real", "practice"])
def engine(request, tmp_path, yard):
    environment = {**yard.env("anthropic", "openai"), "LLM_STRATEGY": "priority"}
    if request.param == "practice":
        environment = {"LLM_STRATEGY": "priority"}
    with running(tmp_path / "console.db", environment) as engine:
        yield engine


def test_a_drill_ends_by_itself_and_a_second_start_begins_it_anew():
    clock = Clock()
    drills = Drills(wall=clock)
    assert drills.under_way() == ()
    begun = drills.start("openai")
    assert begun == Drill("openai", clock.now + LENGTH)
    clock.now += LENGTH - 1
    assert drills.down("openai")
    assert not drills.down("google")
    again = drills.start("openai")
    clock.now += 2
    assert drills.under_way() == (again,)
    clock.now += LENGTH
    assert not drills.down("openai")
    assert drills.under_way() == ()


def test_several_can_be_pretended_down_and_each_can_be_ended():
    clock = Clock()
    drills = Drills(wall=clock)
    drills.start("openai")
    clock.now += 10
    drills.start("google")
    assert [drill.provider for drill in drills.under_way()] == ["openai", "google"]
    drills.end("openai")
    drills.end("nobody")
    assert [drill.provider for drill in drills.under_way()] == ["google"]


def test_a_drilled_attempt_reaches_no_vendor_and_the_next_provider_answers(engine, yard):
    router = engine.router(simulated=engine.lineup.practising)
    before = router.health("anthropic")
    engine.control.drills.start("anthropic")
    done = ran(engine)
    assert done.record.status == "completed"
    drilled = done.attempts[0]
    assert (drilled.provider, drilled.drilled) == ("anthropic", True)
    assert (drilled.error_kind, drilled.message) == (ErrorKind.CONNECTION, SAID)
    assert done.attempts[-1].status == "ok"
    assert not done.attempts[-1].drilled
    assert yard["anthropic"].requests == []
    assert router.health("anthropic") == before  # neither breaker, nor rate, nor last use
    assert story(done.attempts).startswith("Anthropic was pretended down in a fire drill")


def test_a_drilled_attempt_is_kept_and_marked_and_is_in_no_figure(engine):
    simulated = engine.lineup.practising
    engine.control.drills.start("anthropic")
    done = ran(engine)
    archive = Archive(engine.history.path)
    stored = archive.calls_of(done.record.id)
    assert [call.drilled for call in stored][:2] == [True, False]
    assert stored[0].message == SAID
    assert archive.call_text(stored[0].id) is not None
    assert "anthropic" not in archive.totals(simulated=simulated)
    recent = archive.recent_attempts(simulated=simulated)
    assert "anthropic" not in {attempt.provider for attempt in recent}
    archive.close()


def test_after_a_drill_the_provider_is_asked_again_at_once(engine):
    engine.control.drills.start("anthropic")
    for _ in range(4):
        ran(engine)
    engine.control.drills.end("anthropic")
    first = ran(engine).attempts[0]
    assert (first.provider, first.drilled) == ("anthropic", False)
    assert first.status == "ok" or engine.lineup.practising  # where some calls fail by design


def test_a_test_during_a_drill_reaches_no_vendor_either(engine, yard):
    engine.control.drills.start("anthropic")
    found = engine.control.check("anthropic").result(60)
    assert (found.error_kind, found.message) == (ErrorKind.CONNECTION, SAID)
    assert yard["anthropic"].listings == []
    tried = engine.control.try_now("anthropic").result(60)
    assert tried.drilled
    assert yard["anthropic"].requests == []


def test_when_everyone_is_pretended_down_the_run_says_to_end_the_drill(engine):
    for name in engine.lineup.priority:
        engine.control.drills.start(name)
    failed = ran(engine)
    assert failed.record.status == "failed"
    assert "fire drill" in failed.error.message
    assert "End the fire drill" in failed.error.action


def test_a_drill_does_not_outlive_the_process(tmp_path, yard):
    environment = {**yard.env("anthropic"), "LLM_STRATEGY": "priority"}
    with running(tmp_path / "console.db", environment) as engine:
        engine.control.drills.start("anthropic")
        ran(engine)
    with running(tmp_path / "console.db", environment) as engine:
        assert engine.control.drills.under_way() == ()
        router = engine.router(simulated=False)
        assert router.health("anthropic").breaker == Breaker()
        assert ran(engine).record.provider == "anthropic"


class Answers:
    model = "m"
    asked = 0

    async def prepare(self):
        pass

    async def complete(self, request, *, on_text=None):
        self.asked += 1
        return Reply("Hello", "m")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_copes_with_any_one_provider_pretended_down(strategy):
    for down in "abc":
        providers = {name: Answers() for name in "abc"}
        router = MultiProviderStrategy(
            providers, pretends_down=lambda name, down=down: name == down
        )
        for _ in range(5):
            answer = asyncio.run(router.ask(Ask(request(), strategy)))
            assert answer.provider != down
        assert providers[down].asked == 0


def test_all_pretended_down_is_a_failure_with_every_attempt():
    router = MultiProviderStrategy(
        {"a": Answers(), "b": Answers()}, pretends_down=lambda name: True
    )
    with pytest.raises(AllProvidersFailed) as failure:
        asyncio.run(router.ask(Ask(request())))
    assert [attempt.provider for attempt in failure.value.attempts] == ["a", "b"]
    assert all(attempt.drilled for attempt in failure.value.attempts)


def request():
    return Request((Message("user", "Hello"),))
