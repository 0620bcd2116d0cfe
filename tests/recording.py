"""Calls written as the console writes them, for tests of what is made of them."""

import asyncio
from dataclasses import replace

from core.values.calls import Attempt, Message
from core.values.outcomes import ErrorKind

START = 1_790_000_000.0


def record(history, *calls, runs=()):
    """Each call is what differs from an answer of OpenAI's in 100 ms."""

    async def write():
        for run in runs:
            await history.begin_run(replace(run, status="running"))
        for number, changes in enumerate(calls):
            begun = Attempt(history.next_call_id(), number, "openai", "gpt", "random", START)
            done = replace(begun, **{"status": "ok", "latency_ms": 100.0, **changes})
            await history.begin(replace(done, status="running"), (Message("user", "?"),))
            if done.status != "running":
                await history.end(done, "!")
        for run in runs:
            if run.status != "running":
                await history.end_run(run)

    asyncio.run(write())


def failed(kind=ErrorKind.TIMEOUT, **changes):
    return {"status": "failed", "error_kind": kind, **changes}


def answers(*seconds, **changes):
    return [{"latency_ms": took * 1000, **changes} for took in seconds]
