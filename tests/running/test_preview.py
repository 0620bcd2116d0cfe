"""Who would answer now: what the preview says is what the walk then does."""

import contextlib
import random

import pytest

from core.routing.breaker import Policy
from core.routing.ranking import PROVEN
from core.routing.strategies import EXPLORED, STRATEGIES
from core.running.preview import in_a_sentence, passed_over, standing, who_would_answer
from core.values.calls import Skip
from core.values.errors import RunError
from core.values.outcomes import ErrorKind
from tests.test_router import Clock, Recorder, Scripted, call, made

KINDS = [None, None, None, *ErrorKind]


class Moody(Scripted):
    """Answers or fails by chance."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.rng = rng

    async def complete(self, request, *, on_text=None):
        self.kinds = [self.rng.choice(KINDS)]
        if self.kinds[0] in (ErrorKind.CANCELLED, ErrorKind.INTERRUPTED, ErrorKind.INTERNAL):
            self.kinds = [ErrorKind.SERVER_ERROR]
        self.extra = {"retry_after": self.rng.choice([None, 20.0, 500.0])}
        return await super().complete(request, on_text=on_text)


def lived_in(seed: int) -> tuple[object, Clock, Recorder]:
    """A router with a past: some rest, some need a person, some are proven."""
    rng, clock, history = random.Random(seed), Clock(), Recorder()
    # So little patience that nothing waits for a vendor's own time: the clock stands still.
    policy = Policy(run_timeout=0.012)
    router = made(clock, history, policy, **{name: Moody(rng) for name in "abcdefg"})
    for _ in range(rng.randrange(60)):
        clock.tick(rng.choice([0.1, 1.0, 30.0]))
        with contextlib.suppress(RunError):
            call(router, rng.choice(list(STRATEGIES)))
    clock.tick(rng.choice([1.0, 30.0, 90.0]))
    return router, clock, history


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("strategy", [name for name, row in STRATEGIES.items() if not row.drawn])
def test_a_run_asks_in_the_order_that_the_preview_told(strategy, seed):
    router, clock, history = lived_in(seed)
    found = who_would_answer([router.health(n) for n in "abcdefg"], strategy, now=clock())
    told = [candidate.name for candidate in found if candidate.turn != "never"]
    router.providers = {name: Scripted(ErrorKind.REFUSED) for name in "abcdefg"}
    router.rng = Always(EXPLORED)
    before, decisions = len(history.begun), []
    with pytest.raises(RunError):
        call(router, strategy, decided=decisions.append)
    asked = [attempt.provider for attempt in history.begun[before:]]
    assert asked == told
    # Whoever waits for the rest of all others was resting as it was decided.
    skipped = {skip.provider: passed_over(skip, now=clock()) for skip in decisions[0].skipped}
    assert skipped == {c.name: c.standing for c in found if c.turn in ("last", "never")}
    never = {candidate.name for candidate in found if candidate.turn == "never"}
    assert {skip.provider for skip in decisions[-1].skipped} == never


class Always(random.Random):
    """Chance that never falls on what is rare."""

    def __init__(self, least: float) -> None:
        self.least = least

    def random(self) -> float:
        return self.least


def test_under_a_strategy_that_draws_nobody_is_said_to_be_first():
    router = made(a=Scripted(), b=Scripted())
    found = who_would_answer([router.health(n) for n in "ab"], "random", now=1000.0)
    assert [candidate.turn for candidate in found] == ["then", "then"]
    assert in_a_sentence(found, "random", "A") == "Drawn by lot among 2."


def test_each_state_is_said_in_plain_words():
    clock = Clock()
    policy = Policy()
    router = made(
        clock,
        policy=policy,
        a=Scripted(),
        b=Scripted(ErrorKind.BILLING),
        c=Scripted(*[ErrorKind.SERVER_ERROR] * 3),
    )
    for _ in range(3):
        with pytest.raises(RunError):
            call(router, order=("c",))
    with pytest.raises(RunError):
        call(router, order=("b",))
    call(router, order=("a",))

    def said(name: str) -> str:
        return standing(router.health(name), now=clock()).words

    assert [said(name) for name in "abc"] == [
        "ready",
        "is out of credit",
        "resting, back in 60 s",
    ]
    clock.tick(18)
    assert said("c") == "resting, back in 42 s"
    clock.tick(60)
    assert said("c") == "rested, to be tried"

    def absent(name: str, reason: str) -> str:
        return passed_over(Skip(name, reason), now=clock()).words

    assert absent("anthropic", "switched_off") == "switched off"
    assert absent("anthropic", "no_key") == "no key"
    assert absent("bitnet", "no_key") == "not running"


def test_best_so_far_shows_the_figures_that_it_chose_by():
    router = made(a=Scripted(), b=Scripted())
    for _ in range(PROVEN):
        call(router, order=("a",))
    found = who_would_answer([router.health(n) for n in "ab"], "best_performance", now=1000.0)
    assert (found[0].name, found[0].record) == ("a", "100 % of 10 calls (72.2 to 100.0 %), 0 s")
    assert found[0].why == found[0].record


def test_where_all_rest_and_none_may_be_asked_at_once_a_run_is_said_to_wait():
    clock = Clock()
    router = made(clock, a=Scripted(ErrorKind.SERVER_ERROR))
    for _ in range(4):
        with pytest.raises(RunError):
            call(router)
    found = who_would_answer([router.health("a")], "priority", now=clock())
    assert [candidate.turn for candidate in found] == ["never"]
    said = "Nobody could answer at once: a run waits a few seconds, or fails."
    assert in_a_sentence(found, "priority", "A") == said


def test_nobody_is_said_so():
    assert in_a_sentence([], "priority", "") == "Nobody could answer now."


def test_asking_what_would_happen_changes_nothing():
    router, clock, _ = lived_in(3)
    before = [router.health(name) for name in "abcdefg"]
    for strategy in STRATEGIES:
        who_would_answer(before, strategy, now=clock())
    assert [router.health(name) for name in "abcdefg"] == before
