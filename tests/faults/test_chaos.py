"""Everything at once: a fifth of all calls fail, in twelve ways, and nobody notices."""

import asyncio
import random
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from core.planning.planner import LLMPlanner
from core.providers.connect import connect
from core.routing.breaker import Policy
from core.routing.router import Ask, MultiProviderStrategy
from core.routing.strategies import STRATEGIES
from core.values.calls import Request
from core.values.errors import RunError
from db.sqlite.writer import SqliteHistory
from tests import standin
from tests.standin import CYCLIC_PLAN, PLAN, PROSE, Yard

WAYS = (
    lambda: standin.status(500),
    lambda: standin.status(503),
    lambda: standin.status(529),
    lambda: standin.status(429),
    lambda: standin.status(429, headers={"retry-after": "1"}),
    standin.html,
    lambda: standin.json_value(None),
    standin.empty_answer,
    standin.close_mid_body,
    standin.reset,
    lambda: standin.answer(PROSE),
    lambda: standin.answer(CYCLIC_PLAN),
)


def faulty(seed: int, rate: float):
    """A script that fails `rate` of its calls, each way as often as the others."""
    rng, lock = random.Random(seed), threading.Lock()

    def script(received):
        with lock:
            fails, way = rng.random() < rate, rng.choice(WAYS)
        return way() if fails else standin.answer(PLAN)

    return script


def rows(path: Path) -> list[tuple[str, int]]:
    with sqlite3.connect(path) as connection:
        found = connection.execute(
            "SELECT provider, count(*) FROM call GROUP BY provider ORDER BY provider"
        ).fetchall()
    connection.close()
    return found


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_none_of_500_users_sees_a_failure_and_every_request_is_a_row(strategy, tmp_path):
    path = tmp_path / "console.db"
    with Yard({}) as yard:
        for seed, name in enumerate(yard):
            yard[name].script = faulty(seed, 0.2)

        async def everyone() -> list[object]:
            history = SqliteHistory.open(path)
            providers = connect(yard.env())
            router = MultiProviderStrategy(
                providers, history, rng=random.Random(1), policy=Policy()
            )
            planner = LLMPlanner(router)
            ten = asyncio.Semaphore(10)

            async def user(number: int) -> object:
                async with ten:
                    try:
                        ask = Ask(Request(()), strategy)
                        return await planner.create_plan(f"Goal {number}", ask=ask)
                    except RunError as error:
                        return error

            try:
                return await asyncio.gather(*(user(number) for number in range(500)))
            finally:
                for provider in providers.values():
                    await provider.aclose()
                history.close()

        results = asyncio.run(everyone())
        assert [str(result) for result in results if isinstance(result, RunError)] == []
        received: dict[str, int] = {}
        for name in yard:
            asked = [request for request in yard[name].requests if request.method == "POST"]
            received[name] = len(asked)
        assert dict(rows(path)) == {name: n for name, n in received.items() if n}
        assert sum(received.values()) > 500


@pytest.mark.parametrize("name", ["anthropic", "openai", "google"])
@pytest.mark.parametrize(
    "fault",
    [
        standin.hang,
        standin.hang_after_headers,
        standin.drip_body,
        standin.drip_headers,
        standin.silence_mid_stream,
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_attempt_ends_within_a_quarter_second_of_its_deadline(name, fault, stream):
    if fault is standin.silence_mid_stream and not stream:
        return  # there is no middle of a stream that is none

    class Watches:
        def attempt_started(self, attempt): ...

        def token(self, ordinal, text): ...

        def attempt_ended(self, attempt): ...

    with Yard({}) as yard:
        yard[name].script = lambda received: fault()
        yard["deepseek"].script = lambda received: standin.answer(PLAN)

        async def one():
            providers = connect({**yard.env(name, "deepseek"), "LLM_PRIORITY": f"{name},deepseek"})
            for provider in providers.values():
                await provider.prepare()
            policy = Policy(attempt_timeout=0.5, run_timeout=20)
            router = MultiProviderStrategy(providers, policy=policy)
            try:
                ask = Ask(
                    Request(()),
                    "priority",
                    (name, "deepseek"),
                    watcher=Watches() if stream else None,
                )
                return await LLMPlanner(router).create_plan("A goal", ask=ask)
            finally:
                for provider in providers.values():
                    await provider.aclose()

        planned = asyncio.run(one())
        assert planned.provider == "deepseek"
        first = planned.attempts[0]
        assert first.error_kind == "timeout"
        assert 500 <= first.latency_ms < 750
        gone = yard[name].requests[0]
        assert standin.eventually(lambda: gone.disconnected_at is not None)


def test_a_dead_provider_costs_its_three_requests_and_a_restart_changes_nothing(tmp_path):
    path = tmp_path / "console.db"
    with Yard({}) as yard:
        yard["openai"].script = lambda received: standin.status(500)
        yard["google"].script = lambda received: standin.answer(PLAN)
        environment = {**yard.env("openai", "google"), "LLM_PRIORITY": "openai,google"}

        async def plans(number: int) -> None:
            history = SqliteHistory.open(path)
            providers = connect(environment)
            router = MultiProviderStrategy(providers, history, policy=Policy(cooldown=3.0))
            router.remember(
                history.recent_attempts(simulated=False), history.totals(simulated=False)
            )
            ask = Ask(Request(()), "priority", ("openai", "google"))
            await asyncio.gather(
                *(LLMPlanner(router).create_plan("A goal", ask=ask) for _ in range(number))
            )
            for provider in providers.values():
                await provider.aclose()
            history.close()

        for _ in range(5):
            asyncio.run(plans(1))  # each in a life of its own
        assert len(yard["openai"].requests) == 3
        rested = time.monotonic()
        asyncio.run(plans(20))
        assert len(yard["openai"].requests) == 3 or time.monotonic() - rested > 3
        time.sleep(max(0.0, 3.1 - (time.monotonic() - rested)))
        asyncio.run(plans(200))
        assert len(yard["openai"].requests) == 4
