"""Cutting off what takes too long: asyncio.timeout(), with one timer for all that is under way.

A timer for each request is a quarter of what a request through the router costs.
"""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from types import TracebackType


class Deadlines:
    """Of the requests that are under way on an event loop, one loop at a time."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._under_way: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None  # at the first of them, or before

    def add(self, deadline: Deadline, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not loop:
            self._loop, self._under_way, self._timer = loop, set(), None
        self._under_way.add(deadline)
        if self._timer is None or deadline.at < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(deadline.at, self._look, loop)

    def remove(self, deadline: Deadline) -> None:
        self._under_way.discard(deadline)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for deadline in [late for late in self._under_way if late.at <= now]:
            self._under_way.discard(deadline)
            deadline.expire()
        if self._under_way:
            first = min(deadline.at for deadline in self._under_way)
            self._timer = loop.call_at(first, self._look, loop)


class Deadline:
    """Within `with`: after so many seconds what is awaited there is ended by a TimeoutError.

    `expired` tells that one from a TimeoutError of somebody else's.
    """

    __slots__ = ("_all", "_cancelling", "_task", "at", "expired")

    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        self._all, self._task, self._cancelling = deadlines, task, task.cancelling()
        self.at = loop.time() + seconds
        self.expired = False
        deadlines.add(self, loop)

    def expire(self) -> None:
        self.expired = True
        self._task.cancel()

    def __enter__(self) -> Deadline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._all.remove(self)
        # As asyncio.timeout() does: if somebody else has cancelled the task, too, it stays so.
        if self.expired and self._task.uncancel() <= self._cancelling and kind is CancelledError:
            raise TimeoutError from error
