"""Whole plans carried out while a fifth of all calls fail, in ten ways."""

import random
import threading
from pathlib import Path

import pytest

from core.routing.strategies import STRATEGIES
from tests import standin
from tests.faults.test_chaos import WAYS
from tests.running.desk import LAST, desk_of, plan_text, step_in
from tests.standin import Yard


def faulty(seed: int, rate: float):
    rng, lock = random.Random(seed), threading.Lock()

    def script(received):
        step = step_in(received)
        with lock:
            fails = rng.random() < rate
            way = rng.choice(WAYS if step is None else WAYS[:-2])
        if fails:
            return way()
        return standin.answer(plan_text() if step is None else f"Result of step {step}.")

    return script


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_none_of_a_hundred_plans_fails_and_every_request_is_a_row(strategy, tmp_path: Path):
    """A quarter of them under each strategy."""
    with Yard() as yard:
        for seed, name in enumerate(yard):
            yard[name].script = faulty(seed, 0.2)
        with desk_of(tmp_path, yard) as desk:
            assert standin.eventually(
                lambda: "bitnet" in desk.engine.lineup.eligible(simulated=False), within=10
            )
            waiting = [f"Goal {number}" for number in range(25)]
            runs = []
            under_way = [desk.start(goal, strategy=strategy) for goal in waiting[:5]]
            del waiting[:5]
            while under_way:
                runs.append(desk.ended(under_way.pop(0)))
                if waiting:
                    under_way.append(desk.start(waiting.pop(), strategy=strategy))
            assert [run.error.message for run in runs if run.error] == []
            for run in runs:
                assert [view.state for view in run.steps()] == ["done"] * (LAST + 1)
            received = [r for r in yard.requests if r.method == "POST"]
            assert len(received) == desk.archive.count_calls()
            assert len(received) > 25 * (LAST + 2)
            failed = [a for run in runs for a in run.attempts if a.status == "failed"]
            assert 0.1 < len(failed) / len(received) < 0.3
            assert len({attempt.error_kind for attempt in failed}) > 4
