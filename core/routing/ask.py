"""What a routed request asks for, and its answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from core.values.calls import Attempt, Decision, Message, Reply, Request, Skip
from core.values.ports import Watcher


@dataclass(frozen=True, slots=True)
class Ask:
    """What a walk is after. `deadline` is in seconds of the router's clock."""

    request: Request
    strategy: str = "round_robin"
    order: tuple[str, ...] | None = None  # who may be asked, by priority; None: everyone
    read: Callable[[Reply], Any] | None = None  # raises InvalidAnswer
    repair: Callable[[str], Message] | None = None  # a fault in words -> the message that names it
    deadline: float | None = None
    run_id: str | None = None
    step: int | None = None
    # Of the whole run; a RunError that it raises ends the walk before anything is sent.
    ordinals: Iterator[int] = field(default_factory=itertools.count)
    watcher: Watcher | None = None
    # Provider and model -> what that one is asked instead of `request`.
    tailored: Callable[[str, str], Request] | None = None
    absent: tuple[Skip, ...] = ()  # whom the caller left out of `order`, and why
    chosen: bool = False  # `order` was named for this run, not taken from the settings
    # Told what was decided before anything is sent, and whenever that has changed.
    decided: Callable[[Decision], None] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answered with what, after which attempts. `value` is what `read` made of it."""

    reply: Reply
    provider: str
    value: Any
    attempts: tuple[Attempt, ...]
