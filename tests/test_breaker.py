import math
import random

import pytest

from core.routing.breaker import FORCED_EVERY, Breaker, Policy, began, ended
from core.values.outcomes import ErrorKind

POLICY = Policy()
OPENS = [kind for kind in ErrorKind if kind.outcome.circuit == "opens"]
NEUTRAL = [kind for kind in ErrorKind if kind.outcome.circuit == "neutral"]
COUNTS = [kind for kind in ErrorKind if kind.outcome.circuit in ("counts", "rests")]


def after(
    breaker: Breaker, kind: ErrorKind | None, *, at: float, retry_after: float | None = None
) -> Breaker:
    """One request that begins and ends at `at`."""
    sent = began(breaker, now=at, lease_until=at + 50)
    return ended(sent, kind, began=at, now=at, policy=POLICY, retry_after=retry_after)


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(3):
        breaker = after(breaker, ErrorKind.SERVER_ERROR, at=at)
    return breaker


@pytest.mark.parametrize("kind", COUNTS)
def test_the_third_failure_in_a_row_opens_the_circuit(kind):
    breaker = Breaker()
    for at in (1.0, 2.0):
        breaker = after(breaker, kind, at=at)
        assert breaker.state(at) == "closed"
    breaker = after(breaker, kind, at=3.0)
    assert breaker.state(3.0) == "open"
    assert breaker.state(62.999) == "open"
    assert breaker.state(63.0) == "half_open"


def test_a_success_in_between_starts_the_count_anew():
    breaker = Breaker()
    for kind in (ErrorKind.TIMEOUT, ErrorKind.TIMEOUT, None, ErrorKind.TIMEOUT, ErrorKind.TIMEOUT):
        breaker = after(breaker, kind, at=1.0)
    assert breaker.state(1.0) == "closed"


@pytest.mark.parametrize("kind", NEUTRAL)
def test_a_neutral_outcome_neither_counts_nor_forgives(kind):
    breaker = after(after(Breaker(), ErrorKind.TIMEOUT, at=1), ErrorKind.TIMEOUT, at=2)
    breaker = after(breaker, kind, at=3)
    assert breaker.failures == 2
    assert after(breaker, ErrorKind.TIMEOUT, at=4).state(4) == "open"


@pytest.mark.parametrize("kind", OPENS)
def test_what_needs_a_person_opens_at_once(kind):
    breaker = after(Breaker(), kind, at=5)
    assert breaker.state(5) == "open"
    assert breaker.needs_you
    assert not breaker.admits_last_resort(30)


def test_a_rate_limit_rests_for_as_long_as_the_vendor_says():
    breaker = after(Breaker(), ErrorKind.RATE_LIMITED, at=10, retry_after=7)
    assert not breaker.admits(16.9)
    assert not breaker.admits_last_resort(16.9)
    assert breaker.admits(17)


def test_half_open_admits_one_and_the_lease_expires():
    breaker = opened()
    assert breaker.admits(60)
    probing = began(breaker, now=60, lease_until=100)
    assert not probing.admits(99)
    assert probing.admits(100)


def test_a_probe_that_succeeds_closes_and_one_that_fails_opens_for_another_cooldown():
    assert after(opened(), None, at=60).state(60) == "closed"
    again = after(opened(), ErrorKind.CONNECTION, at=60)
    assert again.state(119) == "open"
    assert again.admits(120)


def test_a_neutral_probe_gives_the_lease_back():
    assert after(opened(), ErrorKind.CANCELLED, at=60).admits(60)


def test_a_late_result_from_before_the_circuit_opened_moves_nothing():
    breaker = opened(at=10)
    assert ended(breaker, None, began=5, now=11, policy=POLICY) == breaker
    assert ended(breaker, ErrorKind.TIMEOUT, began=5, now=11, policy=POLICY) == breaker


def test_the_last_resort_asks_a_resting_provider_once_in_five_seconds():
    breaker = opened()
    assert breaker.admits_last_resort(1)
    breaker = after(breaker, ErrorKind.CONNECTION, at=1)
    assert not breaker.admits_last_resort(1 + FORCED_EVERY - 0.1)
    assert breaker.admits_last_resort(1 + FORCED_EVERY)


class Reference:
    """The circuit told once more, in other words: requests have names, states are objects."""

    def __init__(self) -> None:
        self.row: list[str] = []  # names of countable failures since the last success
        self.resting_until: float | None = None
        self.holder: str | None = None
        self.holder_until = -math.inf
        self.forced_at = -math.inf
        self.by_vendor = self.by_person = False
        self.epoch = 0
        self.sent: dict[str, int] = {}

    def open(self, now: float) -> bool:
        if self.resting_until is None:
            return True
        return now >= self.resting_until and not self._held(now)

    def forced(self, now: float) -> bool:
        if self.resting_until is None or self.by_vendor or self.by_person or self._held(now):
            return False
        return now - self.forced_at >= 5

    def _held(self, now: float) -> bool:
        return self.holder is not None and now < self.holder_until

    def send(self, name: str, now: float, lease: float) -> None:
        self.sent[name] = self.epoch
        if self.resting_until is not None:
            self.holder, self.holder_until, self.forced_at = name, now + lease, now

    def result(self, name: str, kind: ErrorKind | None, now: float, retry: float | None) -> None:
        epoch = self.sent.pop(name)
        resting = self.resting_until is not None
        if (resting and name != self.holder) or (not resting and epoch != self.epoch):
            return
        if kind is None:
            self.row = []
            if resting:
                self.resting_until, self.holder = None, None
                self.by_vendor = self.by_person = False
                self.forced_at = -math.inf
                self.epoch += 1
            return
        circuit = kind.outcome.circuit
        if circuit == "neutral":
            self.holder_until = -math.inf
            return
        self.row.append(name)
        stated = circuit == "rests" and retry is not None
        if stated or resting or circuit == "opens" or len(self.row) >= 3:
            self.resting_until = now + (retry if stated and retry else 60)
            self.by_vendor, self.by_person = stated, circuit == "opens"
            self.holder, self.holder_until = None, -math.inf
            self.epoch += 1


def test_a_million_random_steps_agree_with_an_independent_model():
    rng = random.Random(20261123)
    kinds = [None, None, None, *ErrorKind]
    now, breaker, model = 0.0, Breaker(), Reference()
    flying: dict[str, float] = {}
    seen = set()
    for step in range(1_000_000):
        now += rng.choice((0.001, 0.3, 1.7, 6.0, 25.0))
        admits, forced = breaker.admits(now), breaker.admits_last_resort(now)
        assert admits == model.open(now), step
        assert forced == model.forced(now), step
        seen.add((breaker.state(now), admits, forced))
        if flying and (len(flying) > 6 or rng.random() < 0.5):
            name = rng.choice(list(flying))
            kind = rng.choice(kinds)
            retry = rng.choice((None, 3.0, 90.0)) if kind is ErrorKind.RATE_LIMITED else None
            breaker = ended(
                breaker, kind, began=flying.pop(name), now=now, policy=POLICY, retry_after=retry
            )
            model.result(name, kind, now, retry)
        elif admits or forced:
            lease = rng.choice((2.0, 50.0))
            breaker = began(breaker, now=now, lease_until=now + lease)
            flying[str(step)] = now
            model.send(str(step), now, lease)
    assert len(seen) >= 5
