"""The walk, with providers of five lines and a clock in the hand."""

import asyncio
import contextlib
import random
import time
from collections import Counter

import pytest

from core.routing.breaker import FORCED_EVERY, Policy
from core.routing.router import Ask, MultiProviderStrategy
from core.routing.strategies import STRATEGIES
from core.values.calls import Attempt, Message, Reply, Request
from core.values.errors import (
    AllProvidersFailed,
    BadRequest,
    DeadlineExceeded,
    InvalidAnswer,
    NoProviderConfigured,
    ProviderError,
    RunError,
)
from core.values.outcomes import ErrorKind

HELLO = [{"role": "user", "content": "hello"}]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += seconds


class Scripted:
    """Answers, or fails in the ways it was told, one after the other and then for ever."""

    model = "model"

    def __init__(self, *kinds: ErrorKind | None, text: str = "hello", **extra: object) -> None:
        self.kinds, self.text, self.extra, self.asked = list(kinds), text, extra, 0

    async def prepare(self) -> None:
        pass

    async def complete(self, request, *, on_text=None):
        kind = self.kinds[min(self.asked, len(self.kinds) - 1)] if self.kinds else None
        self.asked += 1
        if kind is not None:
            raise ProviderError(kind, "as told", **self.extra)
        return Reply(self.text, "model")

    async def aclose(self) -> None:
        pass


class Recorder:
    """A history in a list."""

    def __init__(self) -> None:
        self.begun: list[Attempt] = []
        self.ended: list[Attempt] = []

    def next_call_id(self) -> int:
        return len(self.begun) + 1

    async def begin(self, attempt, messages) -> None:
        self.begun.append(attempt)

    async def end(self, attempt, response) -> None:
        self.ended.append(attempt)

    def recent_attempts(self) -> list[Attempt]:
        return sorted(self.ended, key=lambda attempt: attempt.started_at)


def made(clock=None, history=None, policy=None, **providers):
    clock = clock or Clock()
    router = MultiProviderStrategy(
        providers, history, clock=clock, wall=clock, rng=random.Random(0), policy=policy
    )
    return router


def call(router, strategy="priority", **more):
    ask = Ask(Request((Message("user", "hello"),)), strategy, **more)
    return asyncio.run(router.ask(ask))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_falls_back_until_one_answers(strategy):
    history = Recorder()
    router = made(
        history=history,
        a=Scripted(ErrorKind.SERVER_ERROR),
        b=Scripted(ErrorKind.TIMEOUT),
        c=Scripted(),
    )
    reply, provider = asyncio.run(router.call_with_fallback(HELLO, strategy=strategy))
    assert (reply.content, provider) == ("hello", "c")
    asked = [attempt.provider for attempt in history.ended]
    assert asked[-1] == "c"
    assert len(asked) == len(set(asked))


def test_the_intent_is_recorded_before_the_provider_is_asked():
    history = Recorder()

    class Looks(Scripted):
        async def complete(self, request, *, on_text=None):
            assert [attempt.status for attempt in history.begun] == ["running"]
            assert not history.ended
            return await super().complete(request)

    call(made(history=history, a=Looks()))
    assert [attempt.status for attempt in history.ended] == ["ok"]


def test_three_failures_then_none_then_one_probe_among_two_hundred():
    clock, dead, alive = Clock(), Scripted(ErrorKind.CONNECTION), Scripted()
    router = made(clock, dead=dead, alive=alive)
    for _ in range(50):
        call(router)
    assert dead.asked == 3
    clock.tick(59.9)
    call(router)
    assert dead.asked == 3
    clock.tick(0.1)

    class Slow(Scripted):
        async def complete(self, request, *, on_text=None):
            self.asked += 1
            await asyncio.sleep(0.05)
            raise ProviderError(ErrorKind.CONNECTION, "still dead")

    slow = Slow()
    router.providers = {"dead": slow, "alive": alive}

    async def crowd():
        ask = Ask(Request((Message("user", "hello"),)), "priority")
        return await asyncio.gather(*(router.ask(ask) for _ in range(200)))

    answers = asyncio.run(crowd())
    assert slow.asked == 1
    assert {answer.provider for answer in answers} == {"alive"}


@pytest.mark.parametrize(
    "kinds",
    [
        [ErrorKind.CONNECTION] * 3,
        [ErrorKind.AUTH],
        [ErrorKind.CONNECTION, ErrorKind.BAD_REQUEST, ErrorKind.CONNECTION],
        [ErrorKind.TIMEOUT, None, ErrorKind.TIMEOUT],
    ],
)
def test_a_restart_changes_nothing(kinds):
    clock, history = Clock(), Recorder()
    router = made(clock, history, a=Scripted(*kinds), b=Scripted())
    for _ in kinds:
        clock.tick(1)
        call(router)
    again = made(clock, a=Scripted(), b=Scripted())
    again.remember(history.recent_attempts(), {"a": (1, 2, 3.0)})
    for name in ("a", "b"):
        for seconds in (0, 30, 58, 59, 60, 61):
            now = clock.now + seconds
            assert again.health(name).breaker.state(now) == router.health(name).breaker.state(now)
        assert again.health(name).recent == router.health(name).recent
        assert again.health(name).last_used == router.health(name).last_used
        assert again.health(name).last_answered == router.health(name).last_answered
    assert again.health("a").succeeded == 1


@pytest.mark.parametrize("ahead", [61, 400 * 86_400])
def test_a_clock_that_was_set_back_makes_no_rest_longer(ahead):
    clock, history = Clock(), Recorder()
    clock.tick(ahead)
    router = made(clock, history, a=Scripted(ErrorKind.CONNECTION), b=Scripted())
    for _ in range(3):
        call(router)
        clock.tick(1)
    asked = router.health("a").breaker.until
    assert asked is not None
    clock.tick(-ahead)

    again = made(clock, a=Scripted(), b=Scripted())
    again.remember(history.recent_attempts(), {})

    health = again.health("a")
    assert health.breaker.state(clock.now) == "open"
    assert health.breaker.until <= clock.now + 60
    assert health.last_used <= clock.now
    assert again.health("b").last_answered <= clock.now
    assert again.health("b").last_used <= clock.now


def test_a_vendors_own_rest_is_no_longer_than_it_said_after_the_clock_was_set_back():
    clock, history = Clock(), Recorder()
    clock.tick(86_400)
    limited = Scripted(ErrorKind.RATE_LIMITED, retry_after=90.0)
    call(made(clock, history, a=limited, b=Scripted()))
    clock.tick(-86_400)
    again = made(clock, a=Scripted(), b=Scripted())
    again.remember(history.recent_attempts(), {})
    assert again.health("a").breaker.until <= clock.now + 90


def test_what_came_after_the_clock_was_set_back_still_came_after():
    clock, history = Clock(), Recorder()
    clock.tick(86_400)
    failing = Scripted(ErrorKind.CONNECTION, ErrorKind.CONNECTION, ErrorKind.CONNECTION, None)
    router = made(clock, history, a=failing)
    for _ in range(3):
        with contextlib.suppress(AllProvidersFailed):
            call(router)
    clock.tick(-86_000)  # the answer comes by the right clock, before the failures by the wrong one
    monotonic = clock.now
    router.clock = lambda: monotonic + 86_400
    call(router)
    again = made(clock, a=Scripted())
    again.remember(history.recent_attempts(), {})
    assert again.health("a").breaker.state(clock.now) == "closed"


def test_a_changed_key_is_given_another_chance_at_once():
    clock, history = Clock(), Recorder()
    call(made(clock, history, a=Scripted(ErrorKind.AUTH), b=Scripted()))
    again = MultiProviderStrategy(
        {"a": Scripted(), "b": Scripted()}, configs={"a": "new key"}, clock=clock, wall=clock
    )
    again.remember(history.recent_attempts(), {})
    assert again.health("a").breaker.state(clock.now) == "closed"


def test_a_walk_ends_with_the_providers_it_began_with_and_moves_no_new_circuit():
    clock = Clock()

    class Replaced(Scripted):
        async def complete(self, request, *, on_text=None):
            clock.tick(1)
            router.replace_providers({"a": Scripted()}, {"a": "new key"})
            clock.tick(1)
            return await super().complete(request)

    history = Recorder()
    router = made(clock, history, a=Replaced(ErrorKind.AUTH), b=Scripted())
    assert call(router).provider == "b"
    assert [attempt.config for attempt in history.ended] == ["", ""]
    assert router.health("a").breaker.state(clock.now) == "closed"
    assert call(router, order=("b", "a")).provider == "a"


def test_what_an_old_model_is_asked_after_it_was_replaced_moves_no_new_circuit():
    class Replacing(Scripted):
        async def complete(self, request, *, on_text=None):
            router.replace_providers({"a": self, "b": Scripted()}, {"b": "new model"})
            clock.tick(1)
            return await super().complete(request)

    clock = Clock()
    gone = Scripted(ErrorKind.MODEL_NOT_FOUND)
    router = made(clock, a=Replacing(ErrorKind.SERVER_ERROR), b=gone, c=Scripted())
    assert call(router).provider == "c"
    assert gone.asked == 1
    assert router.health("b").failed == 1
    assert router.health("b").last_failure is None
    assert router.health("b").breaker.state(clock.now) == "closed"


def test_when_all_rest_the_soonest_back_is_asked_after_all():
    clock, a, b = (
        Clock(),
        Scripted(*[ErrorKind.SERVER_ERROR] * 3, None),
        Scripted(ErrorKind.SERVER_ERROR),
    )
    router = made(clock, a=a, b=b)
    for _ in range(3):
        with pytest.raises(AllProvidersFailed):
            call(router)
    clock.tick(6)
    assert call(router).provider == "a"
    assert router.health("a").breaker.state(clock.now) == "closed"


def test_when_all_rest_everyone_waits_for_the_one_probe_that_brings_a_provider_back():
    class Recovers(Scripted):
        async def complete(self, request, *, on_text=None):
            await asyncio.sleep(0.02)
            return await super().complete(request)

    clock = Clock()
    only = Recovers(*[ErrorKind.SERVER_ERROR] * 3, None)
    router = made(clock, only=only)
    for _ in range(3):
        with pytest.raises(AllProvidersFailed):
            call(router)
    clock.tick(10)

    async def crowd():
        ask = Ask(Request((Message("user", "hello"),)), "priority")
        return await asyncio.gather(*(router.ask(ask) for _ in range(50)))

    assert [answer.provider for answer in asyncio.run(crowd())] == ["only"] * 50


class Running(Clock):
    """Goes on by itself, too."""

    def __call__(self) -> float:
        return self.now + time.monotonic()


def stumbled(clock: Clock, *kinds: ErrorKind | None) -> tuple[MultiProviderStrategy, Scripted]:
    """A provider that answered, failed until its circuit opened, and failed the last resort, and
    then does `kinds`; with one that never answers."""
    flaky = Scripted(None, *[ErrorKind.SERVER_ERROR] * 4, *kinds)
    router = made(clock, flaky=flaky, dead=Scripted(ErrorKind.BILLING))
    call(router)
    for _ in range(4):
        with pytest.raises(AllProvidersFailed):
            call(router)
    assert flaky.asked == 5
    return router, flaky


def test_who_answered_a_moment_ago_is_waited_for_until_the_last_resort_may_ask_again():
    clock = Running()
    router, flaky = stumbled(clock, None)
    clock.tick(FORCED_EVERY - 0.2)
    began = clock()
    assert call(router).provider == "flaky"
    assert clock() - began < FORCED_EVERY
    assert flaky.asked == 6


def test_who_fails_after_the_wait_as_well_is_waited_for_no_more():
    clock = Running()
    router, flaky = stumbled(clock, ErrorKind.SERVER_ERROR)
    clock.tick(FORCED_EVERY - 0.2)
    with pytest.raises(AllProvidersFailed):
        call(router)
    assert flaky.asked == 6


def test_nobody_is_waited_for_into_the_second_half_of_the_time_that_is_left():
    clock = Running()
    router, flaky = stumbled(clock, None)
    with pytest.raises(AllProvidersFailed):
        call(router, deadline=clock() + 2 * FORCED_EVERY - 1)
    assert flaky.asked == 5


def test_who_is_pretended_down_is_not_waited_for():
    clock = Running()
    router, _ = stumbled(clock)
    router.pretends_down = lambda name: True
    with pytest.raises(AllProvidersFailed) as failed:
        call(router)
    assert failed.value.attempts == ()


def test_a_new_model_is_not_waited_for_because_the_old_one_answered():
    clock = Running()
    router, flaky = stumbled(clock)
    new = Scripted(*[ErrorKind.SERVER_ERROR] * 5)
    router.replace_providers({"flaky": new}, {"flaky": "new model"})
    for _ in range(5):
        with pytest.raises(AllProvidersFailed):
            call(router)
    assert (flaky.asked, new.asked) == (5, 4)


def test_an_answer_by_another_key_gives_the_old_one_no_turn():
    class Replacing(Scripted):
        async def complete(self, request, *, on_text=None):
            router.replace_providers({"a": Scripted()}, {"a": "new key"})
            clock.tick(1)
            await router.ask(Ask(request, "priority", ("a",)))
            clock.tick(1)
            return await super().complete(request)

    clock, a = Clock(), Scripted(ErrorKind.CONNECTION, None)
    router = made(clock, a=a, b=Replacing(ErrorKind.SERVER_ERROR))
    with pytest.raises(AllProvidersFailed):
        call(router)
    assert a.asked == 1


def test_an_answer_while_the_failure_is_written_down_gives_another_turn():
    class Slow(Recorder):
        async def end(self, attempt, response):
            await super().end(attempt, response)
            if attempt.status == "failed":
                clock.tick(1)
                await router.ask(Ask(Request((Message("user", "hello"),)), "priority"))
                clock.tick(1)

    clock, a = Clock(), Scripted(ErrorKind.CONNECTION, None)
    router = made(clock, Slow(), a=a)
    assert [attempt.status for attempt in call(router).attempts] == ["failed", "ok"]
    assert a.asked == 3


def test_who_has_not_answered_for_a_minute_is_not_waited_for():
    clock = Running()
    router, flaky = stumbled(clock, ErrorKind.SERVER_ERROR, None)
    clock.tick(58)
    with pytest.raises(AllProvidersFailed):
        call(router)
    clock.tick(3)
    began = time.monotonic()
    with pytest.raises(AllProvidersFailed):
        call(router)
    assert time.monotonic() - began < FORCED_EVERY / 2
    assert flaky.asked == 6


def beside_another_run(*kinds: ErrorKind | None) -> tuple[MultiProviderStrategy, Scripted]:
    """`a` does `kinds`: the first for the run at hand, the second for another one that asks `a`
    while `b` fails the run at hand, and the others for that one again."""

    class Slow(Scripted):
        async def complete(self, request, *, on_text=None):
            clock.tick(1)
            with contextlib.suppress(AllProvidersFailed):
                await router.ask(Ask(request, "priority", ("a",)))
            clock.tick(1)
            return await super().complete(request)

    clock, a = Clock(), Scripted(*kinds)
    router = made(clock, a=a, b=Slow(ErrorKind.SERVER_ERROR))
    return router, a


@pytest.mark.parametrize(
    "kind", [ErrorKind.CONNECTION, ErrorKind.OVERLOADED, ErrorKind.RATE_LIMITED]
)
def test_when_nobody_is_left_who_answered_another_run_since_is_asked_once_more(kind):
    router, a = beside_another_run(kind, None, None)
    answer = call(router)
    assert [attempt.provider for attempt in answer.attempts] == ["a", "b", "a"]
    assert a.asked == 3


@pytest.mark.parametrize(
    ("kinds", "asked"),
    [
        ((ErrorKind.CONNECTION, None, ErrorKind.CONNECTION), 3),  # once more, not twice
        ((ErrorKind.CONNECTION, ErrorKind.CONNECTION, None), 2),  # it failed the other run as well
        ((ErrorKind.REFUSED, None, None), 2),  # it would say so again
        ((ErrorKind.AUTH, None, None), 1),  # it needs somebody, so the other run passed it by
    ],
)
def test_who_is_not_asked_once_more(kinds, asked):
    router, a = beside_another_run(*kinds)
    with pytest.raises(AllProvidersFailed) as failed:
        call(router)
    assert a.asked == asked
    assert len(failed.value.attempts) == (3 if asked == 3 else 2)


def test_a_full_outage_makes_no_storm():
    clock, a, b = Clock(), Scripted(ErrorKind.SERVER_ERROR), Scripted(ErrorKind.SERVER_ERROR)
    router = made(clock, a=a, b=b)
    for _ in range(1000):
        clock.tick(0.01)
        with pytest.raises(AllProvidersFailed):
            call(router)
    assert a.asked + b.asked <= 2 * 3 + 2 * 2 + 2


def test_who_needs_a_person_or_named_its_own_time_is_not_forced():
    clock = Clock()
    billed, limited = (
        Scripted(ErrorKind.BILLING),
        Scripted(ErrorKind.RATE_LIMITED, retry_after=600.0),
    )
    router = made(clock, a=billed, b=limited)
    with pytest.raises(AllProvidersFailed):
        call(router)
    clock.tick(30)
    with pytest.raises(AllProvidersFailed) as failed:
        call(router)
    assert (billed.asked, limited.asked) == (1, 1)
    assert failed.value.retry_after == pytest.approx(570)
    assert failed.value.attempts == ()


@pytest.mark.parametrize(
    ("kind", "field"), [(ErrorKind.CONTEXT_TOO_LONG, None), (ErrorKind.BAD_REQUEST, "messages")]
)
def test_two_who_object_to_the_same_in_the_request_end_the_walk(kind, field):
    c = Scripted()
    with pytest.raises(AllProvidersFailed):
        call(made(a=Scripted(kind, field=field), b=Scripted(kind, field=field), c=c))
    assert c.asked == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Scripted(ErrorKind.CONTEXT_TOO_LONG), Scripted(ErrorKind.BAD_REQUEST, field="messages")),
        (Scripted(ErrorKind.BAD_REQUEST), Scripted(ErrorKind.BAD_REQUEST)),
        (
            Scripted(ErrorKind.BAD_REQUEST, field="messages"),
            Scripted(ErrorKind.BAD_REQUEST, field="temperature"),
        ),
        (Scripted(ErrorKind.REFUSED), Scripted(ErrorKind.REFUSED)),
    ],
)
def test_two_who_object_to_different_things_leave_the_third_to_be_asked(first, second):
    answer = call(made(a=first, b=second, c=Scripted()))

    assert answer.provider == "c"


def test_two_parameters_refused_one_after_the_other_are_both_left_out():
    class Picky(Scripted):
        async def complete(self, request, *, on_text=None):
            self.asked += 1
            for name in ("temperature", "response_format"):
                if name not in request.dropped:
                    raise ProviderError(ErrorKind.BAD_REQUEST, f"no {name}", parameter=name)
            return Reply("hello", "model")

    router = made(a=Picky())

    assert [attempt.status for attempt in call(router).attempts] == ["failed", "failed", "ok"]
    assert [attempt.status for attempt in call(router).attempts] == ["ok"]


def test_who_finds_ever_more_parameters_to_refuse_is_left_alone():
    class Insatiable(Scripted):
        async def complete(self, request, *, on_text=None):
            self.asked += 1
            raise ProviderError(ErrorKind.BAD_REQUEST, "no", parameter=f"p{self.asked}")

    insatiable = Insatiable()

    assert call(made(a=insatiable, b=Scripted())).provider == "b"
    assert insatiable.asked == 4


def test_who_cannot_be_prepared_fails_as_itself_and_the_next_is_asked():
    class Broken(Scripted):
        async def prepare(self) -> None:
            raise FileNotFoundError("cacert.pem")

    answer = call(made(a=Broken(ErrorKind.CONNECTION), b=Scripted()))

    assert [(a.provider, a.error_kind) for a in answer.attempts] == [
        ("a", ErrorKind.CONNECTION),
        ("b", None),
    ]


def test_a_parameter_refused_by_name_is_dropped_once_and_remembered():
    class Picky(Scripted):
        async def complete(self, request, *, on_text=None):
            self.asked += 1
            if "temperature" not in request.dropped:
                raise ProviderError(
                    ErrorKind.BAD_REQUEST, "no temperature", parameter="temperature"
                )
            return Reply("hello", "model")

    picky = Picky()
    router = made(a=picky)
    assert [attempt.status for attempt in call(router).attempts] == ["failed", "ok"]
    assert [attempt.status for attempt in call(router).attempts] == ["ok"]
    assert picky.asked == 3


def test_a_value_that_was_refused_says_nothing_of_another_value():
    class Choosy(Scripted):
        async def complete(self, request, *, on_text=None):
            if request.temperature > 1 and "temperature" not in request.dropped:
                raise ProviderError(ErrorKind.BAD_REQUEST, "at most 1", parameter="temperature")
            return Reply("left out" if request.dropped else "kept", "model")

    router = made(a=Choosy())

    def answers(temperature: float) -> list[str]:
        ask = Ask(Request((Message("user", "hello"),), temperature))
        answer = asyncio.run(router.ask(ask))
        return [*(a.status for a in answer.attempts), answer.reply.content]

    assert answers(1.5) == ["failed", "ok", "left out"]
    assert answers(0.3) == ["ok", "kept"]
    assert answers(1.5) == ["ok", "left out"]


def test_an_answer_that_does_not_hold_is_repaired_once_then_the_next_is_asked():
    def read(reply):
        if reply.content != "good":
            raise InvalidAnswer("it is not good")
        return reply.content

    bad = Scripted(text="bad")
    router = made(a=bad, b=Scripted(text="good"))
    answer = call(router, read=read, repair=lambda fault: Message("user", fault))
    assert [(a.provider, a.error_kind) for a in answer.attempts] == [
        ("a", "invalid_plan"),
        ("a", "invalid_plan"),
        ("b", None),
    ]
    assert router.health("a").breaker.failures == 0


def test_the_deadline_is_kept_by_cancelling_and_everyone_gets_a_share():
    class Hangs(Scripted):
        async def complete(self, request, *, on_text=None):
            self.asked += 1
            await asyncio.sleep(60)

    hanging = {name: Hangs() for name in "abcdef"}
    router = MultiProviderStrategy(
        {**hanging, "g": Scripted()}, policy=Policy(attempt_timeout=0.4, run_timeout=1.2)
    )
    begun = time.monotonic()
    assert call(router).provider == "g"
    assert time.monotonic() - begun < 1.2 + 0.25
    assert all(provider.asked == 1 for provider in hanging.values())
    only = MultiProviderStrategy({"a": Hangs()}, policy=Policy(run_timeout=0.3))
    with pytest.raises(DeadlineExceeded) as late:
        call(only)
    assert [attempt.error_kind for attempt in late.value.attempts] == ["timeout"]


def test_a_provider_cut_off_by_a_callers_short_deadline_is_not_blamed():
    class Hangs(Scripted):
        async def complete(self, request, *, on_text=None):
            await asyncio.sleep(60)

    router = MultiProviderStrategy({"a": Hangs()}, policy=Policy())
    for _ in range(4):
        with pytest.raises(DeadlineExceeded):
            call(router, deadline=time.monotonic() + 0.02)
    assert router.health("a").breaker.failures == 0


def test_a_timeout_of_somebody_elses_is_told_from_our_own():
    class Confused(Scripted):
        async def complete(self, request, *, on_text=None):
            raise TimeoutError

    with pytest.raises(RunError) as failed:
        call(made(a=Confused(), b=Scripted()))
    assert [attempt.error_kind for attempt in failed.value.attempts] == ["internal"]


def test_who_is_stopped_at_the_moment_of_its_deadline_stays_stopped():
    class Hangs(Scripted):
        async def complete(self, request, *, on_text=None):
            await asyncio.sleep(60)

    async def both_at_once():
        history = Recorder()
        router = MultiProviderStrategy({"a": Hangs(), "b": Scripted()}, history)
        router.policy = Policy(attempt_timeout=0.02)
        task = asyncio.create_task(router.ask(Ask(Request(()), "priority")))
        await asyncio.sleep(0)
        time.sleep(0.03)  # the deadline is due, and before it is looked at:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [attempt.status for attempt in history.ended]

    assert asyncio.run(both_at_once()) == ["cancelled"]


def test_stopping_is_recorded_and_blames_nobody():
    history = Recorder()

    class Hangs(Scripted):
        async def complete(self, request, *, on_text=None):
            await asyncio.sleep(60)

    router = made(history=history, a=Hangs())

    async def stopped():
        task = asyncio.create_task(router.ask(Ask(Request(()), "priority")))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stopped())
    assert [attempt.status for attempt in history.ended] == ["cancelled"]
    assert router.health("a").breaker.failures == 0


def test_a_bug_of_ours_is_never_blamed_on_a_provider():
    class Broken(Scripted):
        async def complete(self, request, *, on_text=None):
            raise KeyError("ours")

    other = Scripted()
    router = made(a=Broken(), b=other)
    with pytest.raises(RunError) as failed:
        call(router)
    assert [attempt.error_kind for attempt in failed.value.attempts] == ["internal"]
    assert router.health("a").breaker.failures == 0
    assert other.asked == 0
    assert "KeyError" not in failed.value.message


def test_nobody_set_up_is_said_so():
    with pytest.raises(NoProviderConfigured):
        call(made())


def test_unknown_strategies_and_roles_are_refused():
    router = made(a=Scripted())
    with pytest.raises(BadRequest):
        asyncio.run(router.call_with_fallback(HELLO, strategy="fastest"))
    with pytest.raises(BadRequest):
        asyncio.run(router.call_with_fallback([{"role": "tool", "content": "x"}]))


def test_taking_turns_shares_evenly():
    router = made(a=Scripted(), b=Scripted(), c=Scripted())

    clock = router.clock
    turns = Counter()
    for _ in range(30):
        clock.tick(1)
        turns[call(router, "round_robin").provider] += 1
    assert set(turns.values()) == {10}


def test_fast_failures_do_not_win_under_best_performance():
    class Slow(Scripted):
        async def complete(self, request, *, on_text=None):
            clock.tick(0.8)
            return await super().complete(request)

    clock = Clock()
    fast, slow = Scripted(ErrorKind.SERVER_ERROR), Slow()
    router = made(clock, fast=fast, slow=slow)
    for _ in range(200):
        clock.tick(30)
        call(router, "best_performance")
    first = Counter(call(router, "best_performance").attempts[0].provider for _ in range(100))
    assert first["slow"] >= 95


def test_what_was_learnt_of_a_model_counts_for_that_model_alone():
    class Other(Scripted):
        model = "other"

    def known(name):
        return router.health(name).record

    router = made(a=Scripted(), b=Scripted())
    for _ in range(12):
        call(router, order=("a",))
    assert known("a").rated == 12
    router.replace_providers({"a": Other(ErrorKind.SERVER_ERROR), "b": Scripted()}, {"a": "other"})
    assert known("a").rated == 0
    assert router.health("a").succeeded == 12  # which is the provider's, whatever its model
    with pytest.raises(RunError):
        call(router, order=("a",))
    assert (known("a").ok, known("a").rated) == (0, 1)
    router.replace_providers({"a": Scripted(), "b": Scripted()}, {"a": "first again"})
    assert (known("a").ok, known("a").rated) == (12, 12)
    router.replace_providers({"a": Scripted(), "b": Scripted()}, {"a": "another key"})
    assert known("a").rated == 12


def test_an_answer_of_the_model_before_is_not_of_the_one_that_is_asked_now():
    class Other(Scripted):
        model = "other"

    class Replacing(Scripted):
        async def complete(self, request, *, on_text=None):
            router.replace_providers({"a": Other()}, {"a": "other"})
            return await super().complete(request)

    router = made(a=Replacing())
    call(router)
    assert router.health("a").record.rated == 0
    router.replace_providers({"a": Scripted()}, {"a": "first again"})
    assert router.health("a").record.rated == 1


def test_a_restart_takes_up_the_record_of_the_present_model():
    def attempt(at, model, *, ok):
        kind = None if ok else ErrorKind.SERVER_ERROR
        status = "ok" if ok else "failed"
        return Attempt(
            at, 0, "a", model, "priority", float(at), status=status, error_kind=kind,
            latency_ms=100.0,
        )  # fmt: skip

    attempts = [attempt(at, "old", ok=True) for at in range(20)]
    attempts += [attempt(20 + at, "model", ok=at % 2 == 0) for at in range(4)]
    router = made(a=Scripted())
    router.remember(attempts, {"a": (22, 2, 2200.0)})
    assert (router.health("a").record.ok, router.health("a").record.rated) == (2, 4)

    class Old(Scripted):
        model = "old"

    router.replace_providers({"a": Old()}, {"a": "old"})
    assert router.health("a").record.rated == 20


def test_walks_that_begin_at_once_take_turns_even_with_providers_not_used_before():
    class Importing(Scripted):
        async def prepare(self):
            await asyncio.sleep(0)  # as the first import of an SDK does

    async def at_once(router):
        ask = Ask(Request((Message("user", "hello"),)), "round_robin")
        answers = await asyncio.gather(*(router.ask(ask) for _ in range(3)))
        return [answer.provider for answer in answers]

    router = made(a=Importing(), b=Importing(), c=Importing(), d=Importing())
    assert asyncio.run(at_once(router)) == ["a", "b", "c"]
    router = made(a=Importing(), b=Importing(), c=Importing(), d=Importing())
    router.pretends_down = lambda name: name == "a"
    assert "a" not in asyncio.run(at_once(router))
    assert router.health("a").last_used is None  # nobody asked it
