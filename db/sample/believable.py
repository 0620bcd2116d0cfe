"""The generator of a believable history: daily rhythm, outages, fallback, changing models."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate, count
from random import Random
from typing import Any

from core.values.calls import Attempt, Message, Usage
from core.values.outcomes import ErrorKind
from core.values.runs import RunRecord, RunRequest, Source, run_id_at
from db.sample.phrases import Phrases

_SLOT = 900.0  # seconds for which the traffic stays the same
_DAY = 86_400.0
_COOLDOWN = 60.0  # seconds that a provider rests after three failures in a row
_SYSTEM = Message("system", "You are a planner. Answer with one JSON object and nothing else.")
_STEP = Message("system", "You carry out one step of a plan. Answer with its result.")
_STRATEGIES = ("priority", "round_robin", "best_performance", "random")


@dataclass(frozen=True, slots=True)
class Habits:
    """How one provider is. Made up, like all else here."""

    models: tuple[str, ...]  # each in its time, one after the other
    first_token: float  # seconds, median
    pace: float  # tokens a second, median
    fails: float  # share of its calls, on a good day
    invalid: float  # share of its plans
    outages: float  # a month

    @property
    def unreliable(self) -> float:
        return self.fails + self.invalid


@dataclass(frozen=True, slots=True)
class Mishap:
    kind: ErrorKind
    http_status: int | None
    message: str
    seconds: tuple[float, float]


CHARACTERS = {
    "anthropic": Habits(
        ("claude-sonnet-4-20250514", "claude-sonnet-5-5"), 0.9, 70, 0.015, 0.005, 3
    ),
    "openai": Habits(("gpt-4o", "gpt-6-luna"), 0.5, 95, 0.012, 0.008, 2),
    "google": Habits(("gemini-3.5-flash-lite",), 0.4, 160, 0.02, 0.015, 2),
    "deepseek": Habits(("deepseek-flash",), 1.1, 40, 0.04, 0.02, 5),
    "kimi": Habits(("kimi-k3",), 0.8, 60, 0.03, 0.02, 4),
    "nvidia": Habits(("nvidia/nemotron-3-super-120b-a12b",), 0.6, 80, 0.05, 0.03, 6),
    "bitnet": Habits(("bitnet-local",), 0.3, 18, 0.01, 0.12, 1),
}
_OUTAGE = (
    Mishap(ErrorKind.OVERLOADED, 529, "Overloaded", (0.1, 0.6)),
    Mishap(ErrorKind.SERVER_ERROR, 500, "Internal server error", (0.2, 3)),
    Mishap(ErrorKind.TIMEOUT, None, "No answer within 45 s.", (45, 45.1)),
    Mishap(ErrorKind.CONNECTION, None, "The connection was refused.", (0.002, 0.05)),
)
_GOOD_DAY = (
    *_OUTAGE[:3],
    Mishap(ErrorKind.RATE_LIMITED, 429, "Rate limit reached, try again in 8 s.", (0.05, 0.4)),
    Mishap(ErrorKind.RATE_LIMITED, 429, "Too many requests", (0.05, 0.4)),
    Mishap(ErrorKind.BAD_RESPONSE, 200, "The answer was a web page.", (0.1, 0.9)),
    Mishap(ErrorKind.REFUSED, 200, "The model declined to answer.", (0.8, 4)),
    Mishap(ErrorKind.TRUNCATED, 200, "The answer was cut off.", (8, 30)),
    Mishap(ErrorKind.CONTEXT_TOO_LONG, 400, "The request is too long.", (0.1, 0.5)),
    Mishap(ErrorKind.BILLING, 402, "Insufficient balance", (0.1, 0.3)),
)


@dataclass(frozen=True, slots=True)
class Exchange:
    attempt: Attempt  # ended
    messages: tuple[Message, ...]
    response: str | None


@dataclass(frozen=True, slots=True)
class MadeUpRun:
    """One run with its calls, in the order they were made."""

    run: RunRecord
    exchanges: tuple[Exchange, ...]


def believable(calls: int, *, days: float, until: float, seed: int = 0) -> Iterator[MadeUpRun]:
    """So many calls in the days before `until` (UTC seconds), oldest first, all practice."""
    teller = _Teller(Random(seed), since=until - days * _DAY, until=until)
    moments = _Moments(since=until - days * _DAY, until=until)
    told = 0
    while told < calls:
        started_at = moments.at((told + teller.rng.random()) / calls)
        story = teller.story(started_at, most=calls - told)
        told += len(story.exchanges)
        yield story


class _Moments:
    """From the share of all calls to when that many had been made."""

    def __init__(self, *, since: float, until: float) -> None:
        self._since = since
        slots = max(1, math.ceil((until - since) / _SLOT))
        self._slot = (until - since) / slots
        self._sums = [
            *accumulate(_traffic(since + slot * self._slot, slot / slots) for slot in range(slots))
        ]

    def at(self, share: float) -> float:
        wanted = min(share, 1.0) * self._sums[-1]
        slot = min(bisect(self._sums, wanted), len(self._sums) - 1)
        before = self._sums[slot - 1] if slot else 0.0
        inside = (wanted - before) / (self._sums[slot] - before)
        return self._since + (slot + min(inside, 0.999)) * self._slot


def _traffic(moment: float, share: float) -> float:
    """Most at ten and at three, little at night and on Sundays, more and more over the months."""
    hour, weekday = moment % _DAY / 3600, int(moment // _DAY + 3) % 7
    busy = sum(math.exp(-(((hour - peak) / 2.5) ** 2)) for peak in (10, 15))
    return (0.15 + busy) * (0.3 if weekday > 4 else 1.0) * (1 + share)


@dataclass(slots=True)
class _State:
    """Of one provider, as the story goes on."""

    down: list[tuple[float, float]]  # outages, in order
    streak: int = 0
    rests_until: float = 0.0
    used_at: float = 0.0


@dataclass(slots=True)
class _Teller:
    rng: Random
    since: float
    until: float
    ids: Iterator[int] = field(default_factory=lambda: count(1))
    states: dict[str, _State] = field(init=False)
    phrases: Phrases = field(init=False)

    def __post_init__(self) -> None:
        self.phrases = Phrases(self.rng)
        self.states = {name: _State(self._outages(one)) for name, one in CHARACTERS.items()}

    def story(self, started_at: float, *, most: int) -> MadeUpRun:
        """With at most so many calls."""
        rng = self.rng
        goal, strategy = self.phrases.goal(), self._strategy(started_at)
        source: Source = rng.choice(("ui", "ui", "api", "python"))
        run = RunRecord(
            run_id_at(started_at, rng.getrandbits),
            RunRequest(goal, strategy=strategy, source=source),
            strategy,
            simulated=True,
            started_at=started_at,
        )
        asked = (_SYSTEM, Message("user", f"<goal>\n{goal}\n</goal>"))
        exchanges = self._walk(run, asked, None, started_at, ordinal=0, most=most)
        last = exchanges[-1].attempt
        if last.status == "ok" and rng.random() < 0.08:
            exchanges += self._steps(run, _end(last), ordinal=len(exchanges), most=most)
        return MadeUpRun(_ended(run, exchanges), tuple(exchanges))

    def _steps(self, run: RunRecord, began: float, *, ordinal: int, most: int) -> list[Exchange]:
        found: list[Exchange] = []
        for step in range(self.rng.randrange(2, 5)):
            room = most - ordinal - len(found)
            if room < 1:
                break
            asked = (_STEP, Message("user", f"<step>\n{self.phrases.result()}\n</step>"))
            found += self._walk(run, asked, step, began, ordinal=ordinal + len(found), most=room)
            began = _end(found[-1].attempt)
        return found

    def _walk(
        self,
        run: RunRecord,
        asked: tuple[Message, ...],
        step: int | None,
        began: float,
        *,
        ordinal: int,
        most: int,
    ) -> list[Exchange]:
        """Until one answers; the last that there is room for does."""
        found: list[Exchange] = []
        for name in self._order(run.strategy, began):
            while True:
                is_last = len(found) + 1 >= most
                one = self._call(run, name, began, step, ordinal + len(found), asked, is_last)
                found.append(one)
                began = _end(one.attempt) + 0.001
                mend = one.attempt.error_kind is ErrorKind.INVALID_PLAN and len(found) < 2
                if not mend or is_last:
                    break
            if one.attempt.status != "failed" or is_last:
                break
        return found

    def _call(
        self,
        run: RunRecord,
        name: str,
        began: float,
        step: int | None,
        ordinal: int,
        asked: tuple[Message, ...],
        answers: bool,
    ) -> Exchange:
        rng, who, state = self.rng, CHARACTERS[name], self.states[name]
        state.used_at = began
        share = (began - self.since) / (self.until - self.since)
        model = who.models[min(int(share * len(who.models)), len(who.models) - 1)]
        attempt = partial(
            Attempt,
            next(self.ids), ordinal, name, model, run.strategy, began,
            run_id=run.id, step=step, simulated=True, config="practice",
        )  # fmt: skip
        down = any(low <= began < high for low, high in state.down)
        if not answers and rng.random() < (0.9 if down else who.fails):
            state.streak += 1
            if state.streak >= 3:
                state.streak, state.rests_until = 0, began + _COOLDOWN
            failure = rng.choice(_OUTAGE if down else _GOOD_DAY)
            return Exchange(_failed(attempt, failure, rng), asked, None)
        state.streak = 0
        if not answers and rng.random() < 0.004:
            done = attempt(
                status="cancelled",
                error_kind=ErrorKind.CANCELLED,
                message="Stopped by you.",
                latency_ms=rng.uniform(500, 9000),
            )
            return Exchange(done, asked, None)
        return self._answer(attempt, who, asked, planning=step is None, valid=answers)

    def _answer(
        self,
        attempt: Callable[..., Attempt],
        who: Habits,
        asked: tuple[Message, ...],
        *,
        planning: bool,
        valid: bool,
    ) -> Exchange:
        rng = self.rng
        said = self.phrases.plan() if planning else self.phrases.result()
        told = len(said) // 4
        heard = sum(len(message.content) for message in asked) // 4
        # The way there is long for some, and the day has its hour.
        first = who.first_token * math.exp(rng.gauss(0, 0.35))
        seconds = first + told / (who.pace * math.exp(rng.gauss(0, 0.25)))
        facts: dict[str, Any] = {
            "status": "ok",
            "http_status": 200,
            "latency_ms": seconds * 1000,
            "ttft_ms": first * 1000 if rng.random() < 0.9 else None,
            "usage": Usage(heard, told, 0),
            "cost_usd": 0.0,  # as practice does
            "request_id": f"req_{rng.getrandbits(64):016x}",
        }
        if not valid and planning and rng.random() < who.invalid:
            fault = "step 2 depends on step 7, which is not there"
            kind = ErrorKind.INVALID_PLAN
            facts |= {"status": "failed", "error_kind": kind, "message": fault}
        return Exchange(attempt(**facts), asked, said)

    def _order(self, strategy: str, now: float) -> Sequence[str]:
        ready = [name for name, state in self.states.items() if state.rests_until <= now]
        names = ready or list(CHARACTERS)
        if strategy == "random":
            self.rng.shuffle(names)
        elif strategy == "round_robin":
            names.sort(key=lambda name: self.states[name].used_at)
        elif strategy == "best_performance":
            names.sort(key=lambda name: CHARACTERS[name].unreliable * self.rng.uniform(0.7, 1.3))
        return names

    def _strategy(self, moment: float) -> str:
        """Each in its season, now and then another."""
        if self.rng.random() < 0.1:
            return self.rng.choice(_STRATEGIES)
        share = (moment - self.since) / (self.until - self.since)
        return _STRATEGIES[min(int(share * 3), 2)]

    def _outages(self, who: Habits) -> list[tuple[float, float]]:
        rng, found = self.rng, []
        at = self.since
        while (at := at + rng.expovariate(who.outages / (30 * _DAY))) < self.until:
            found.append((at, at + rng.lognormvariate(8, 0.8)))  # about 50 minutes
        return found


def _failed(attempt: Callable[..., Attempt], failure: Mishap, rng: Random) -> Attempt:
    return attempt(
        status="failed",
        error_kind=failure.kind,
        message=failure.message,
        latency_ms=rng.uniform(*failure.seconds) * 1000,
        http_status=failure.http_status,
    )


def _end(attempt: Attempt) -> float:
    return attempt.started_at + (attempt.latency_ms or 0.0) / 1000


def _ended(run: RunRecord, exchanges: Sequence[Exchange]) -> RunRecord:
    last = exchanges[-1].attempt
    planner = next(
        (one for one in exchanges if one.attempt.step is None and one.attempt.status == "ok"), None
    )
    ended = partial(replace, run, finished_at=_end(last))
    if last.status == "cancelled":
        return ended(status="cancelled", error_kind="cancelled", error="You stopped this run.")
    if planner is None:
        error = "No provider could answer."
        return ended(status="failed", error_kind="all_providers_failed", error=error)
    return ended(
        status="completed",
        provider=planner.attempt.provider,
        model=planner.attempt.model,
        plan=planner.response,
    )
