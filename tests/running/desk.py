"""Engines for tests, and a party that their runs plan and carry out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config.settings import read_settings
from core.running.engine import Engine
from core.running.run import Run
from core.values.runs import RunRequest
from db.choices import Choices
from db.lists.queries import Archive
from db.sqlite.writer import SqliteHistory
from tests import standin
from tests.standin import Act, Received, Yard

NEEDS = [[], [], [0], [1], [2, 3], [2], [4, 5]]  # two branches that meet, three wide at most
LAST = len(NEEDS)  # the final answer's number
GOAL = "Find a venue and a caterer for the summer party"
WIRES = ("anthropic", "openai", "google")


def plan_text(needs: list[list[int]] = NEEDS) -> str:
    steps = [
        {
            "agent_type": "research",
            "description": f"Do part {'abcdefghij'[index]} of the party.",
            "tool_name": None,
            "parameters": {},
            "dependencies": needed,
        }
        for index, needed in enumerate(needs)
    ]
    plan = {"reasoning": "Parts first.", "confidence": 0.9, "estimated_duration": 20}
    return json.dumps({**plan, "steps": steps})


def step_in(received: Received, needs: list[list[int]] = NEEDS) -> int | None:
    """Which step a request asks for; None: the plan; past the last: the final answer."""
    if "Plan this goal" in received.prompt:
        return None
    found = re.search(r"<step>\nDo part ([a-j])", received.prompt)
    return "abcdefghij".index(found[1]) if found else len(needs)


def worker(
    act: Callable[[int], Act] | None = None, needs: list[list[int]] = NEEDS
) -> Callable[[Received], Act]:
    """A vendor that plans `needs`, and does each step as `act` says."""

    def script(received: Received) -> Act:
        step = step_in(received, needs)
        if step is None:
            return standin.answer(plan_text(needs))
        return act(step) if act else standin.answer(f"Result of step {step}.")

    return script


def asked_for(yard: Yard, needs: list[list[int]] = NEEDS) -> list[int]:
    """The steps of all requests for steps, in the order of arrival."""
    steps = [step_in(received, needs) for received in yard.requests]
    return [step for step in steps if step is not None]


@contextmanager
def running(path: Path, environment: Mapping[str, str]) -> Iterator[Engine]:
    """An engine with its history in the file `path`."""
    history = SqliteHistory.open(path)
    archive = Archive(path)
    engine = Engine(read_settings(environment, None), history, archive, Choices(history))
    try:
        yield engine
    finally:
        engine.close()
        archive.close()
        history.close()


def ended(engine: Engine, run_id: str) -> Run:
    run = engine.runs.get(run_id)
    assert run is not None
    assert run.done.wait(60)
    return run


def ran(engine: Engine, goal: str = "Plan a picnic", **options: Any) -> Run:
    return ended(engine, engine.submit(RunRequest(goal, **options)))


@dataclass
class Desk:
    """An engine that asks the stand-ins of a yard, and what tests do with it."""

    engine: Engine
    archive: Archive

    def start(self, goal: str = GOAL, **options: Any) -> str:
        return self.engine.submit(RunRequest(goal, **{"execute": True, **options}))

    def ended(self, run_id: str) -> Run:
        return ended(self.engine, run_id)

    def ran(self, goal: str = GOAL, **options: Any) -> Run:
        return self.ended(self.start(goal, **options))

    def went_on(self, run: Run, **how: Any) -> Run:
        self.engine.carry_on(run.record.id, **how)
        return self.ended(run.record.id)

    def stored(self, run: Run) -> Run:
        stored = self.engine.runs.stored(run.record.id)
        assert stored is not None
        return stored


@contextmanager
def desk_of(path: Path, yard: Yard, *names: str, **environ: str) -> Iterator[Desk]:
    environment = {**yard.env(*names), "CONSOLE_PRACTICE": "off", **environ}
    with (
        running(path / "console.db", environment) as engine,
        closing(Archive(path / "console.db")) as archive,
    ):
        yield Desk(engine, archive)


_ALONE = """
import json, sys, time
from pathlib import Path
from core.values.runs import RunRequest
from tests.running.desk import running
path, environment, options = json.loads(sys.argv[1])
with running(Path(path), environment) as engine:
    print(engine.submit(RunRequest.read(options)), flush=True)
    time.sleep(60)
"""


@contextmanager
def killed(path: Path, environment: Mapping[str, str], **options: Any) -> Iterator[str]:
    """A run in a process of its own, which is killed at the end; its id."""
    told = json.dumps([str(path), dict(environment), options])
    command = [sys.executable, "-c", _ALONE, told]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()
