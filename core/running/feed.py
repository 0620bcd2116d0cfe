"""What happens in a run, event by event, for everyone who follows it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from core.values.calls import Attempt


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `type` is that of the stream's events."""

    type: str
    data: dict[str, Any]


class Feed:
    """Written on the engine's loop, followed from any other."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self._events: list[Event] = []
        self._watchers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def tell(self, type_: str, data: dict[str, Any], *, last: bool = False) -> None:
        self._events.append(Event(type_, data))
        if last:
            self.done.set()
        for loop, wake in list(self._watchers):
            if not loop.is_closed():
                loop.call_soon_threadsafe(wake.set)

    async def follow(self) -> AsyncIterator[Event]:
        """Everything from the start on, and what comes, until the run has ended."""
        wake = asyncio.Event()
        watcher = (asyncio.get_running_loop(), wake)
        self._watchers.add(watcher)
        seen = 0
        try:
            while True:
                wake.clear()
                ended = self.done.is_set()
                news = self._events[seen:]
                seen += len(news)
                for event in news:
                    yield event
                if ended and seen == len(self._events):
                    return
                if not ended:
                    await wake.wait()
        finally:
            self._watchers.discard(watcher)

    async def wait(self) -> None:
        async for _ in self.follow():
            pass


def attempt_as_json(attempt: Attempt) -> dict[str, Any]:
    """In the API's form."""
    return {
        "provider": attempt.provider,
        "model": attempt.model,
        "status": attempt.status,
        "error_kind": attempt.error_kind.value if attempt.error_kind else None,
        "http_status": attempt.http_status,
        "message": attempt.message,
        "latency_ms": None if attempt.latency_ms is None else round(attempt.latency_ms, 1),
    }
