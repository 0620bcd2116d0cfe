"""The route of one walk: whom to ask next and for how long, whom to wait for, when to give up.

A frozen value and pure functions. The walk drives them in real time, the preview in no time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from core.routing import skips
from core.routing.breaker import FORCED_EVERY, Policy
from core.routing.health import Health
from core.values.calls import Skip
from core.values.outcomes import ErrorKind

REPEATS = 3  # each without one more parameter that the vendor refused by name
Again = Literal["without", "repair"]  # without what was refused, or with the fault named


@dataclass(frozen=True, slots=True)
class View:
    """How things stand at one moment, for the walk that looks."""

    healths: Mapping[str, Health]
    now: float  # seconds of the circuits' clock
    wall: float  # the same moment in UTC seconds
    policy: Policy = field(default_factory=Policy)
    # Until when (UTC seconds) one is pretended down; None where it is not.
    pretends_down: Callable[[str], float | None] = lambda name: None
    # Who is asked by another model or key now than this walk asks it by.
    replaced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Route:
    """Whose turn is still to come, and how those ended who have had theirs.

    In the first round everyone in order is asked who does not rest. In each round after that, the
    last resort, those who have a turn left are, soonest back first. Times are of the circuits'
    clock.
    """

    order: tuple[str, ...]
    deadline: float
    queue: tuple[str, ...]  # in this round, whoever is being asked included
    passed: tuple[str, ...] = ()  # who could not be asked when its turn in the first round came
    ran_out: float | None = None  # when the first round was over
    # When whoever was asked failed; for ever, where asking once more makes no sense.
    failed: Mapping[str, float] = field(default_factory=dict)
    # Who found the request itself wrong, by what it is that they object to.
    objectors: Mapping[str, frozenset[str]] = field(default_factory=dict)
    # Who could not be asked when the order was made or its turn came, and has not been since.
    skipped: Mapping[str, Skip] = field(default_factory=dict)
    prepared: frozenset[str] = frozenset()
    # Of the one that is being asked.
    again: Again | None = None
    repeats: int = 0
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Prepare:
    """It is this one's turn: have it get ready to be asked, and look again whether it may be."""

    name: str


@dataclass(frozen=True, slots=True)
class Try:
    """Ask this one at once, for so many seconds at most."""

    name: str
    limit: float
    again: Again | None = None  # it is its turn still
    drilled: bool = False  # it is pretended down: nothing is sent
    last_resort: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at that moment, or as soon as anybody's request has ended."""

    until: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nobody is asked any more. `retry_after`: seconds until the first is back, where known."""

    why: Literal["nobody", "late", "objected", "failed"]
    objectors: frozenset[str] = frozenset()
    retry_after: float | None = None


Move = Prepare | Try | Wait | GiveUp


@dataclass(frozen=True, slots=True)
class Failure:
    """How the request to the one whose turn it is failed."""

    kind: ErrorKind
    at: float
    parameter: str | None = None  # that the vendor refused by name and could do without
    field: str | None = None  # what of the request itself it objects to
    repairable: bool = False  # there is an answer, and a way to name its fault
    drilled: bool = False


def begin(order: Sequence[str], view: View, *, deadline: float) -> Route:
    """The route of those in `order`, first to last."""
    skipped = {name: skip for name in order if (skip := why_not(name, view))}
    return Route(tuple(order), deadline, tuple(order), skipped=skipped)


def next_move(route: Route, view: View) -> tuple[Route, Move]:
    """What to do now, and the route with everyone passed over on the way there."""
    if not route.order:
        return route, GiveUp("nobody")
    for names in route.objectors.values():
        if len(names) > 1:  # two that object to the same thing in the request are believed
            return route, GiveUp("objected", names)
    if route.again:
        return _turn(route, view)
    while route.queue:
        if _may_ask(route.queue[0], route, view):
            return _turn(route, view)
        route = _pass_over(route, view)
    return _last_resort(route, view)


def after(route: Route, failure: Failure) -> Route:
    """Once the request to whoever's turn it is has failed."""
    name = route.queue[0]
    route = _objected(route, name, failure)
    if failure.parameter is not None and route.repeats < REPEATS:
        return replace(route, again="without", repeats=route.repeats + 1)
    if failure.kind is ErrorKind.INVALID_PLAN and failure.repairable and not route.repaired:
        return replace(route, again="repair", repaired=True)
    passing = failure.kind.outcome.circuit in ("counts", "rests") and not failure.drilled
    once_more = passing and name not in route.failed
    return replace(
        route,
        queue=route.queue[1:],
        failed={**route.failed, name: failure.at if once_more else math.inf},
        again=None,
        repeats=0,
        repaired=False,
    )


def why_not(name: str, view: View) -> Skip | None:
    """Why it is not asked now; None where it may be."""
    if until := view.pretends_down(name):
        return Skip(name, "drilled", until=round(until, 1))
    return skips.why_not(view.healths[name], now=view.now, wall=view.wall)


def _may_ask(name: str, route: Route, view: View) -> bool:
    if route.ran_out is None:
        return view.healths[name].breaker.admits(view.now)
    return _after_all(name, view)


def _after_all(name: str, view: View) -> bool:
    breaker = view.healths[name].breaker
    return breaker.admits(view.now) or breaker.admits_last_resort(view.now)


def _pass_over(route: Route, view: View) -> Route:
    name, queue = route.queue[0], route.queue[1:]
    if route.ran_out is not None:
        return replace(route, queue=queue)
    route = replace(route, queue=queue, passed=(*route.passed, name))
    return _skip(name, route, view)


def _skip(name: str, route: Route, view: View) -> Route:
    skip = why_not(name, view)
    return replace(route, skipped={**route.skipped, name: skip}) if skip else route


def _turn(route: Route, view: View) -> tuple[Route, Move]:
    """Of the first in the queue."""
    name, last_resort = route.queue[0], route.ran_out is not None
    if not route.again and view.pretends_down(name):
        return _skip(name, route, view), Try(name, 0.0, drilled=True, last_resort=last_resort)
    if name not in route.prepared:
        return replace(route, prepared=route.prepared | {name}), Prepare(name)
    limit = _limit(route, view)
    if limit is None:
        return route, GiveUp("late")
    if name in route.skipped:
        others = {other: skip for other, skip in route.skipped.items() if other != name}
        route = replace(route, skipped=others)
    return route, Try(name, limit, route.again, last_resort=last_resort)


def _limit(route: Route, view: View) -> float | None:
    """Seconds that an attempt may take, so that everyone still to come gets a fair share.

    None: there is no time left.
    """
    remaining, policy = route.deadline - view.now, view.policy
    if remaining <= 0:
        return None
    others = sum(_may_ask(name, route, view) for name in route.queue[1:])
    if route.ran_out is None:
        others += sum(_after_all(name, view) for name in route.passed)
    if others == 0:
        return remaining
    kept = max(remaining - others * policy.fair_share, remaining / (others + 1))
    return min(policy.attempt_timeout, kept)


def _last_resort(route: Route, view: View) -> tuple[Route, Move]:
    """Another round of those who have a turn left, or a wait, when a round is over."""
    if route.ran_out is None:
        route = replace(route, ran_out=view.now)
    left = [name for name in route.order if _has_turn_left(name, route, view)]
    if any(_after_all(name, view) for name in left):
        left.sort(key=lambda name: view.healths[name].breaker.until or 0.0)
        return next_move(replace(route, queue=tuple(left)), view)
    if view.now >= route.deadline:
        return route, GiveUp("late")
    moments = list(_somebody_may_be_back(left, route, view))
    if moments:
        return route, Wait(min(moments))
    return route, GiveUp("failed", retry_after=_soonest_back(route, view))


def _has_turn_left(name: str, route: Route, view: View) -> bool:
    """Who was not asked has, and who answered another run since it failed."""
    return name not in route.failed or _answered_after(name, route.failed[name], view)


def _answered_after(name: str, moment: float, view: View) -> bool:
    """By the model and key that this walk asks."""
    answered = view.healths[name].last_answered
    # A wall clock that was set back makes the history's answers seem to be still to come.
    return name not in view.replaced and answered is not None and moment < answered <= view.now


def _somebody_may_be_back(left: Sequence[str], route: Route, view: View) -> Iterator[float]:
    """The moments that are worth waiting for.

    The deadline, while another run's request to a resting provider is about to end; within a fair
    share of time, when a vendor wants to be asked again by its own word; and soon, when the last
    resort may ask one again that was answering a moment ago.
    """
    now, policy = view.now, view.policy
    ran_out = now if route.ran_out is None else route.ran_out
    a_share = min(route.deadline, now + policy.fair_share)
    # Half of the time that is left at most: who is asked then must have some to answer in.
    soon = min((ran_out + route.deadline) / 2, ran_out + FORCED_EVERY)
    for name in left:
        breaker = view.healths[name].breaker
        if breaker.until is None or view.pretends_down(name):
            continue
        if breaker.lease_until > now:
            yield route.deadline
        if breaker.stated and now < breaker.until <= a_share:
            yield breaker.until
        again = breaker.forced_at
        if again and now < again <= soon and _answered_after(name, now - policy.cooldown, view):
            yield again


def _soonest_back(route: Route, view: View) -> float | None:
    known = (view.healths[name].breaker for name in route.order)
    return min(
        (
            max(breaker.until - view.now, 1.0)
            for breaker in known
            if breaker.until is not None and not breaker.needs_you
        ),
        default=None,
    )


def _objected(route: Route, name: str, failure: Failure) -> Route:
    if failure.kind not in _ABOUT_THE_REQUEST or failure.parameter is not None:
        return route
    too_long = failure.kind is ErrorKind.CONTEXT_TOO_LONG
    what = failure.kind if too_long else failure.field
    if what is None:
        return route
    names = route.objectors.get(what, frozenset()) | {name}
    return replace(route, objectors={**route.objectors, what: names})


_ABOUT_THE_REQUEST = tuple(
    kind for kind in ErrorKind if kind.outcome.next_provider == "until two object to the same"
)
