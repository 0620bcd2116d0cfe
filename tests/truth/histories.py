"""Histories to audit, written as the console writes them: usual ones, and odd ones."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from core.config.settings import read_settings
from core.running.engine import Engine
from core.ui import services
from core.values.calls import Attempt, Decision, Message, Skip, Usage
from core.values.outcomes import ErrorKind
from core.values.runs import RunRecord, RunRequest, run_id_at
from db.choices import Choices
from db.figures.performance import Performance
from db.lists.queries import Archive
from db.sqlite.writer import SqliteHistory
from db.upkeep.removal import remove_numbers
from db.upkeep.upkeep import Upkeep

DAY = 86_400.0
_PROVIDERS = ("anthropic", "openai", "google", "deepseek", "kimi", "nvidia", "bitnet")
_AT_ONCE = 200
_KINDS = [kind for kind in ErrorKind if kind not in (ErrorKind.CANCELLED, ErrorKind.INTERRUPTED)]


@dataclass
class Teller:
    """Makes runs up. Each call is what differs from an answer of OpenAI's."""

    seed: int = 0
    runs: list[RunRecord] = field(default_factory=list)
    calls: list[Attempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)

    def run(self, at: float, *calls: dict[str, Any], **changes: Any) -> None:
        run = RunRecord(
            run_id_at(at, self.rng.getrandbits), RunRequest("Plan a picnic", source="api"),
            "priority", False, at, "completed", finished_at=at + 60,
        )  # fmt: skip
        self.runs.append(replace(run, **changes))
        for ordinal, change in enumerate(calls):
            call = Attempt(
                len(self.calls) + 1, ordinal, "openai", "gpt", "priority", at + ordinal,
                run.id, simulated=self.runs[-1].simulated, status="ok", latency_ms=900.0,
            )  # fmt: skip
            self.calls.append(replace(call, **change))

    def usual(self, at: float, *, simulated: bool = False, newer: bool = False) -> None:
        """A run of one to five calls, in which anything may happen."""
        rng, calls = self.rng, list[dict[str, Any]]()
        begun = at
        for step in [None, 0, 1][: rng.choice((1, 1, 1, 3))]:
            for provider in rng.sample(_PROVIDERS, 3):
                call = self._call(provider, step, newer=newer) | {"started_at": begun}
                calls.append(call)
                begun += (call["latency_ms"] or 0) / 1000 + rng.choice((0, 0.01, 20))
                if call["status"] != "failed":
                    break
        last = calls[-1]
        status = {"ok": "completed", "running": "running"}.get(last["status"], "failed")
        self.run(at, *calls, status=status, simulated=simulated)

    def _call(self, provider: str, step: int | None, *, newer: bool) -> dict[str, Any]:
        rng = self.rng
        fate = rng.random()
        call: dict[str, Any] = {
            "provider": provider,
            "step": step,
            "model": "second" if newer and provider in ("openai", "kimi") else "first",
            "status": "ok",
            "latency_ms": rng.lognormvariate(7, 1.2),
        }
        if fate < 0.72:
            tokens = None if rng.random() < 0.1 else rng.randrange(1, 3000)
            ttft = None if rng.random() < 0.1 else call["latency_ms"] * rng.random()
            unpriced = provider == "nvidia" or rng.random() < 0.02
            call |= {"usage": Usage(rng.randrange(2000), tokens), "ttft_ms": ttft}
            return call | {"cost_usd": None if unpriced else rng.choice((0, rng.random() / 50))}
        if fate < 0.75:
            stopped = rng.choice(("cancelled", "interrupted"))
            took = rng.choice((None, call["latency_ms"]))
            return call | {"status": stopped, "error_kind": ErrorKind(stopped), "latency_ms": took}
        if fate < 0.77:
            down = {"status": "failed", "drilled": True, "error_kind": ErrorKind.CONNECTION}
            return call | down | {"latency_ms": 0.0}
        kind = rng.choice((ErrorKind.INVALID_PLAN, ErrorKind.OVERLOADED, *_KINDS))
        priced = (
            rng.random() / 50 if kind == ErrorKind.INVALID_PLAN and rng.random() < 0.8 else None
        )
        http = rng.choice((None, 429, 503))
        return call | {
            "status": "failed", "error_kind": kind, "cost_usd": priced, "http_status": http,
            "ttft_ms": 30.0 if rng.random() < 0.1 else None,  # it broke off
        }  # fmt: skip

    def write(self, path: Path) -> None:
        history = SqliteHistory.open(path)
        try:
            asyncio.run(self._write(history))
        finally:
            history.close()

    async def _write(self, history: SqliteHistory) -> None:
        for begin in range(0, len(self.runs), _AT_ONCE):
            runs = self.runs[begin : begin + _AT_ONCE]
            ids = {run.id for run in runs}
            calls = [call for call in self.calls if call.run_id in ids]
            asked = (Message("user", "?"),)
            await asyncio.gather(*(history.begin_run(replace(r, status="running")) for r in runs))
            for _ in calls:
                history.next_call_id()  # as a router does before it asks
            await asyncio.gather(
                *(history.begin(replace(call, status="running"), asked) for call in calls)
            )
            ended = [call for call in calls if call.status != "running"]
            await asyncio.gather(*(history.end(call, "!") for call in ended))
            await asyncio.gather(*(history.end_run(r) for r in runs if r.status != "running"))


def _months(teller: Teller, now: float) -> None:
    """Seventy days until a minute ago, real and practice, with a model that took over."""
    for ago in sorted((teller.rng.random() ** 2 * 70 * DAY + 60 for _ in range(450)), reverse=True):
        simulated, newer = teller.rng.random() < 0.2, ago < 9 * DAY
        teller.usual(now - ago, simulated=simulated, newer=newer)


def _clocks(teller: Teller, now: float) -> None:
    """Some days of last year in which clocks change, somewhere, and each hour of them."""
    year = datetime.fromtimestamp(now, UTC).year - 1
    for month, first, days in ((3, 7, 2), (3, 28, 4), (9, 24, 6), (10, 24, 10)):
        start = datetime(year, month, first, tzinfo=UTC).timestamp()
        for quarter in range(days * 24 * 2):
            teller.usual(start + quarter * 1800 + teller.rng.random() * 1799)


def _one(teller: Teller, now: float) -> None:
    teller.run(now - 700, {"cost_usd": 0.0123})


def _failures(teller: Teller, now: float) -> None:
    for place in range(40):
        kind = _KINDS[place % len(_KINDS)]
        teller.run(
            now - 600 * place - 90, {"status": "failed", "error_kind": kind}, status="failed"
        )


def _refusals(teller: Teller, now: float) -> None:
    for place in range(12):
        refusal = {"status": "failed", "error_kind": ErrorKind.REFUSED}
        teller.run(now - 600 * place - 90, refusal, status="failed")


def _practice(teller: Teller, now: float) -> None:
    for place in range(60):
        teller.usual(now - 3600 * place - 90, simulated=True)


def _drills(teller: Teller, now: float) -> None:
    drill = {"status": "failed", "drilled": True, "error_kind": ErrorKind.CONNECTION}
    for place in range(5):
        teller.run(now - 600 * place - 90, drill, drill, status="failed")


def _unpriced(teller: Teller, now: float) -> None:
    for place in range(25):
        teller.run(now - 600 * place - 90, {"cost_usd": None}, {"cost_usd": None, "step": 0})


def _cut_off(teller: Teller, now: float) -> None:
    """Killed, stopped, under way, and runs that asked nobody."""
    killed = {"status": "interrupted", "error_kind": ErrorKind.INTERRUPTED, "latency_ms": None}
    stopped = {"status": "cancelled", "error_kind": ErrorKind.CANCELLED}
    for place in range(6):
        at = now - 600 * place - 90
        teller.run(at, killed, status="interrupted")
        teller.run(at - 100, {}, stopped, status="cancelled")
        teller.run(at - 200, {"latency_ms": None}, {"latency_ms": 0.0}, {"latency_ms": 0.04})
        teller.run(at - 300, status="failed", error_kind="no_provider_configured")


def _backwards(teller: Teller, now: float) -> None:
    """A clock that was set back by two hours between two calls, and one day within a run."""
    for place in range(30):
        at = now - 3 * 3600 + place * 200 - (7200 if place > 15 else 0)
        teller.run(at, {}, {"started_at": at - DAY, "step": 0}, finished_at=at - 5)


_SKIPS = (
    Skip("kimi", "resting", ErrorKind.OVERLOADED, 1_790_000_000.0),
    Skip("deepseek", "needs_attention", ErrorKind.BILLING),
    Skip("nvidia", "switched_off"),
    Skip("bitnet", "no_key"),
)
_WORDS = ("invite guests", "write invitations", "order cakes", "choose music", "rent tables")


def _plans(teller: Teller, now: float) -> None:
    """The same goal planned and carried out by several, with time to read in between."""
    rng = teller.rng
    for place in range(6):
        steps = [
            {
                "agent_type": "planner", "description": f"{rng.choice(_WORDS)} {place} {number}",
                "tool_name": None, "parameters": {},
                "dependencies": sorted(rng.sample(range(number), min(number, rng.randrange(3)))),
            }
            for number in range(rng.randrange(2, 7))
        ]  # fmt: skip
        plan = {"reasoning": "So.", "confidence": 0.5, "estimated_duration": 60.0, "steps": steps}
        at = now - 7200 * place - 4000
        down = {"status": "failed", "error_kind": ErrorKind.OVERLOADED, "http_status": 529}
        calls = [down | {"provider": "google", "latency_ms": 700.0}, {"started_at": at + 0.9}]
        begun = at + 1.8 + rng.choice((0.5, 30, 600))
        for number in range(len(steps) + 1):
            calls.append({"step": number, "started_at": begun, "ttft_ms": 300.0})
            begun += rng.choice((0.2, 0.9, 3, 20))
        calls[-1] |= {"cost_usd": 0.01}
        if place % 2:
            calls.append(
                {"status": "cancelled", "step": 1, "started_at": begun, "latency_ms": 99.0}
            )
            calls.append({"step": 1, "started_at": begun + 40, "provider": "anthropic"})
        decision = Decision("priority", ("openai", "anthropic"), tuple(rng.sample(_SKIPS, 3)))
        asked = RunRequest("Plan a picnic", execute=place == 3, source="api")
        teller.run(
            at, *calls, plan=json.dumps(plan), decisions=(decision,), request=asked,
            provider="openai",
        )  # fmt: skip


HISTORIES: dict[str, Callable[[Teller, float], None]] = {
    "months": _months,
    "clocks": _clocks,
    "one": _one,
    "failures": _failures,
    "refusals": _refusals,
    "practice": _practice,
    "drills": _drills,
    "unpriced": _unpriced,
    "cut off": _cut_off,
    "backwards": _backwards,
    "plans": _plans,
    "empty": lambda teller, now: None,
}


def write(name: str, path: Path, *, now: float | None = None) -> None:
    teller = Teller()
    HISTORIES[name](teller, time.time() if now is None else now)
    teller.write(path)


@contextmanager
def console(path: Path, environment: dict[str, str] | None = None) -> Iterator[services.Services]:
    """The pages, on that history."""
    history = SqliteHistory.open(path)
    archive = Archive(path)
    settings = read_settings({"CONSOLE_PRACTICE": "off", **(environment or {})}, None)
    engine = Engine(settings, history, archive, Choices(history))
    upkeep = Upkeep(history, engine.choices)
    given = services.Services(engine, archive, Performance(archive), upkeep=upkeep)
    services.provide(given)
    try:
        yield given
    finally:
        services.provide(None)
        upkeep.close()
        engine.close()
        archive.close()
        history.close()


def removed(given: services.Services, before: float) -> None:
    """As retention does it, all at once."""
    while given.engine.history.submit(lambda writer: remove_numbers(writer, before, 1000)).result():
        pass
