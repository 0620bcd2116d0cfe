"""An option of a run is one field: the API, the record and a run made again all carry it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from core.values.errors import BadRequest
from core.values.runs import Limits, RunRecord, RunRequest
from core.web.api import PlanRequest
from db.lists.queries import Archive
from db.sqlite.rows import RUN_COLUMNS, run_from
from db.sqlite.writer import SqliteHistory
from tests.running.asking import answer_of
from tests.running.desk import ran, running
from tests.standin import Yard

FIELDS = [field.name for field in fields(RunRequest)]
# What is asked for in the console or in Python alone, and what the API says otherwise.
NOT_IN_THE_BODY = {"approve", "private", "limits", "side_by_side", "source", "idempotency_key"}
# Of each option a value that is not its default.
ASKED = RunRequest(
    goal="Plan a picnic",
    context="It may rain.",
    strategy="priority",
    priority=("bitnet", "openai"),
    temperature=0.7,
    max_tokens=900,
    timeout=50.0,
    execute=True,
    approve=True,
    private=True,
    limits=Limits(seconds=40.0, calls=9, usd=2.0, usd_per_day=3.0),
    side_by_side=2,
    source="api",
    idempotency_key="once",
)


def test_the_example_says_something_of_every_option() -> None:
    usual = RunRequest("")
    assert [name for name in FIELDS if getattr(ASKED, name) == getattr(usual, name)] == []


def test_the_api_takes_every_option_that_is_not_for_the_console_alone() -> None:
    taken = PlanRequest.model_fields
    assert set(taken) == {*FIELDS} - NOT_IN_THE_BODY
    usual = RunRequest("")
    for name in taken.keys() - {"goal"}:
        assert taken[name].default == getattr(usual, name)


def test_what_the_api_is_asked_for_is_what_is_run(tmp_path: Path) -> None:
    body = {name: value for name, value in ASKED.options().items() if name not in NOT_IN_THE_BODY}
    body["goal"] = ASKED.goal
    with running(tmp_path / "console.db", {"CONSOLE_PRACTICE": "on"}) as engine:
        key = {"Idempotency-Key": "once"}
        answer = answer_of(engine, "POST", "/plan", json=body, headers=key)
        run = engine.runs.get(answer.json()["run_id"])
        assert run is not None
        asked = run.record.request
    for name in (*PlanRequest.model_fields, "source", "idempotency_key"):
        assert getattr(asked, name) == getattr(ASKED, name)


def test_a_record_comes_back_with_every_option(tmp_path: Path) -> None:
    path = tmp_path / "console.db"
    with closing(SqliteHistory.open(path)) as history:
        asyncio.run(written(history, RunRecord("r", ASKED, "priority", False, 1_790_000_000.0)))
    with closing(Archive(path)) as archive:
        stored = archive.run("r")
        assert stored is not None
        assert stored.request == replace(ASKED, idempotency_key=stored.request.idempotency_key)
        again = archive.run_by_idempotency_key("once")
        assert again is not None
        assert ASKED.asks_the_same(again.request)


async def written(history: SqliteHistory, record: RunRecord) -> None:
    await history.begin_run(record)


def test_a_run_made_again_is_asked_for_with_every_option(tmp_path: Path) -> None:
    with running(tmp_path / "console.db", {"CONSOLE_PRACTICE": "on"}) as engine:
        first = ran(engine, **{name: getattr(ASKED, name) for name in FIELDS})
        assert first.record.request == ASKED
        stored = engine.runs.stored(first.record.id)
        assert stored is not None
        for run in (first, stored):
            assert run.record.again() == replace(ASKED, source="ui", idempotency_key=None)
        other = engine.runs.get(engine.replan(first.record.id, "Plan a walk"))
        assert other is not None
        assert other.done.wait(60)
        assert other.record.request == replace(first.record.again(), goal="Plan a walk")
        compared = engine.compare(ASKED, ["bitnet", "openai"])
        for run_id, name in zip(compared, ("bitnet", "openai"), strict=True):
            one = engine.runs.get(run_id)
            assert one is not None
            assert one.record.request == replace(ASKED, priority=(name,), idempotency_key=None)


OTHERWISE: dict[str, Any] = {
    "goal": "Plan a walk",
    "context": None,
    "strategy": "random",
    "priority": ("openai",),
    "temperature": 0.2,
    "max_tokens": 901,
    "timeout": None,
    "execute": False,
    "approve": False,
    "private": False,
}


@pytest.mark.parametrize("name", [*OTHERWISE])
def test_a_key_with_an_option_that_differs_is_refused(name: str, asked_once: Any) -> None:
    with pytest.raises(BadRequest, match="another request"):
        asked_once.submit(replace(ASKED, **{name: OTHERWISE[name]}))


@pytest.mark.parametrize("name", sorted({*FIELDS} - {*OTHERWISE}))
def test_who_asks_and_what_the_console_may_change_make_no_other_request(
    name: str, asked_once: Any
) -> None:
    usual = RunRequest("", idempotency_key="once")
    first = asked_once.submit(ASKED)
    assert asked_once.submit(replace(ASKED, **{name: getattr(usual, name)})) == first


@pytest.fixture(scope="module")
def asked_once(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An engine that was asked once."""
    path = tmp_path_factory.mktemp("once") / "console.db"
    with running(path, {"CONSOLE_PRACTICE": "on"}) as engine:
        engine.submit(ASKED)
        yield engine


def test_a_run_of_an_earlier_version_is_read_with_what_it_was_run_with(tmp_path: Path) -> None:
    """Its options lacked some, and what now are options stood in `execution`."""
    path = tmp_path / "console.db"
    options = {"context": None, "priority": None, "temperature": None, "max_tokens": 500}
    terms = {"approve": True, "private": False, "side_by_side": 4, "limits": {"calls": 7}}
    row = dict.fromkeys(RUN_COLUMNS) | {
        "id": "old",
        "goal": "Plan a picnic",
        "status": "completed",
        "strategy": "random",
        "started_at": 1_790_000_000.0,
        "source": "ui",
        "simulated": False,
        "plan": '{"steps": []}',
        "options": json.dumps(options),
        "request_digest": "0123",
        "execution": json.dumps({**terms, "skipped": [], "failed": {}, "begun": False}),
    }
    assert run_from([*row.values()]).request == RunRequest(
        "Plan a picnic",
        temperature=None,
        max_tokens=500,
        approve=True,
        side_by_side=4,
        limits=Limits(calls=7),
        source="ui",
    )
    SqliteHistory.open(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        put = f"INSERT INTO run ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
        connection.execute(put, [*row.values()])
    with closing(Archive(path)) as archive:
        assert archive.page_of_runs(limit=1)["waits"].tolist() == [True]


def test_the_history_says_which_plan_waits_for_its_reader(tmp_path: Path, yard: Yard) -> None:
    path = tmp_path / "console.db"
    with running(path, yard.env("openai")) as engine, closing(Archive(path)) as archive:
        waiting = ran(engine, approve=True)
        assert archive.page_of_runs(limit=1)["waits"].tolist() == [True]
        engine.carry_on(waiting.record.id)
        assert engine.runs.get(waiting.record.id).done.wait(60)
        assert archive.page_of_runs(limit=1)["waits"].tolist() == [False]
