"""The resolver of a step's dependencies: which earlier steps it means, however it names them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from core.values.errors import InvalidAnswer

# Under which keys models put what a step builds on, and what names a step, in one spelling: lower
# case and letters alone. The first that hold.
_NEEDS = (
    *("dependencies", "dependson", "dependency", "deps", "dependentson", "dependsonsteps"),
    *("requires", "requiredsteps", "prerequisites", "predecessors", "previoussteps", "blockedby"),
    *("needs", "after"),
)
_IDS = (
    *("id", "stepid", "taskid", "nodeid", "uid", "stepnumber", "stepnum", "stepno", "stepindex"),
    *("tasknumber", "number", "num", "no", "step", "task", "index", "order", "position", "key"),
)
_TITLES = ("name", "title", "agenttype", "description")
_NOTHING = ("", "none", "null", "n/a", "-")
_NUMBER = re.compile(r"\D*(\d{1,4})\D*")
_TWO_WAYS = (
    "the dependencies can be read in two ways; leave out the ids of the steps, and let each "
    "dependency be the index of an earlier step, where 0 is the first step"
)

_Reading = Callable[[Any], int | None]  # a dependency -> the step it means
_Links = list[list[int]]


def linked(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The steps, each with the zero-based indexes of the steps that it builds on.

    Where steps have ids, dependencies are ids; without, they are indexes. What is of another type
    is left for the plan's own rules.

    Raises:
        InvalidAnswer: a dependency names no step, or may mean one or another.
    """
    plain = [{_spelt(key): value for key, value in step.items()} for step in steps]
    wanted = [_wanted(step, index) for index, step in enumerate(plain)]
    ids = _ids(plain)
    if not ids and all(
        type(each) is int or _name(each) is None for needs in wanted for each in needs
    ):
        links: Sequence[list[Any]] = wanted
    elif any(_name(each) is None for needs in wanted for each in needs):
        links = wanted
    else:
        links = _meant(plain, wanted, ids)
    return [{**step, "dependencies": needs} for step, needs in zip(steps, links, strict=True)]


def _spelt(key: str) -> str:
    return re.sub(r"[\W_]", "", key).lower()


def _ids(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys that tell the steps apart: known ones, and those that count them from 1."""
    count = [str(number) for number in range(1, len(steps) + 1)]
    others = dict.fromkeys(key for step in steps for key in step if key not in _NEEDS)
    counting = [key for key in others if [_name(step.get(key)) for step in steps] == count]
    known = [key for key in _IDS if key in others]
    return [*known, *(key for key in counting if key not in known and len(steps) > 1)]


def _wanted(step: Mapping[str, Any], index: int) -> list[Any]:
    """What a step says that it builds on, as it says it."""
    said = [needs for key in _NEEDS if (needs := _listed(step.get(key)))]
    if any(needs != said[0] for needs in said):
        raise InvalidAnswer(f"steps[{index}] names its dependencies twice, and not the same ones")
    return said[0] if said else []


def _listed(needs: Any) -> list[Any]:
    if needs is None:
        return []
    if isinstance(needs, list):
        parts = [_of_object(part) for part in needs]
        return [p for p in parts if not isinstance(p, str) or p.strip().casefold() not in _NOTHING]
    if not isinstance(needs, str):
        return [needs]
    parts = [part.strip() for part in needs.split(",")]
    return [part for part in parts if part.casefold() not in _NOTHING]


def _of_object(need: Any) -> Any:
    """The id in a dependency that is an object, such as {"step_id": 1, "type": "result"}."""
    if not isinstance(need, Mapping):
        return need
    named = {_spelt(key): value for key, value in need.items()}
    return next((named[key] for key in _IDS if key in named), need)


def _name(value: Any) -> str | None:
    """An id or a dependency in one spelling; None for what is neither."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return " ".join(str(value).split()).casefold() or None


def _meant(
    steps: Sequence[Mapping[str, Any]], wanted: Sequence[list[Any]], ids: Sequence[str]
) -> _Links:
    """The one reading under which every dependency means a step."""
    for key in ids:
        _check_apart([_name(step.get(key)) for step in steps], wanted, key)
    named = [_names(steps, key) for key in (*ids, *_TITLES)]
    whole = [names for names in named if len(names) == len(steps)]
    if links := _all_read(wanted, [names.get for names in whole], of=_name):
        return _only(links)
    part = [names for names in named if 0 < len(names) < len(steps)]
    weaker = _all_read(wanted, [names.get for names in part], of=_name)
    weaker += _all_read(wanted, _by_number(whole, len(steps)), of=lambda each: each)
    if not weaker:
        raise InvalidAnswer(_lost(wanted, whole, len(steps)))
    return _only([links for links in weaker if _can_start(links)] or weaker[-1:])


def _check_apart(names: Sequence[str | None], wanted: Sequence[list[Any]], key: str) -> None:
    for name in {_name(need) for needs in wanted for need in needs}:
        if name and names.count(name) > 1:
            raise InvalidAnswer(f"more than one step has the {key} {name[:60]!r}")


def _names(steps: Sequence[Mapping[str, Any]], key: str) -> dict[str, int]:
    """The steps by what `key` says of them; those that share a name are left out."""
    every = [_name(step.get(key)) for step in steps]
    return {
        name: index
        for index, name in enumerate(every)
        if name is not None and every.count(name) == 1
    }


def _by_number(whole: Sequence[Mapping[str, int]], count: int) -> list[_Reading]:
    """Readings by a number alone: that of an id, a place from 1 in words, a place from 0."""

    def of_id(names: Mapping[str, int]) -> _Reading:
        numbers = [_number(name) for name in names]
        return lambda each: numbers.index(n) if (n := _number(each)) in numbers else None

    def from_one(each: Any) -> int | None:
        number = _number(each)
        in_words = isinstance(each, str) and not each.strip().isdecimal()
        return number - 1 if in_words and number and number <= count else None

    def from_zero(each: Any) -> int | None:
        number = _number(each)
        return number if number is not None and number < count else None

    ids = [
        of_id(names)
        for names in whole
        if None not in (numbers := [_number(name) for name in names])
        and len({*numbers}) == len(numbers)
    ]
    return [*ids, from_one, from_zero]


def _number(value: Any) -> int | None:
    found = _NUMBER.fullmatch(str(value))
    return int(found[1]) if found else None


def _all_read(
    wanted: Sequence[list[Any]], readings: Iterable[Callable[[Any], int | None]], *, of: Any
) -> list[_Links]:
    """What each reading makes of the dependencies, where it makes something of every one."""
    made = []
    for reading in readings:
        links = [[reading(of(each)) for each in needs] for needs in wanted]
        whole = [[index for index in needs if index is not None] for needs in links]
        if whole == links:
            made.append([list(dict.fromkeys(needs)) for needs in whole])
    return made


def _only(links: Sequence[_Links]) -> _Links:
    if any(each != links[0] for each in links):
        raise InvalidAnswer(_TWO_WAYS)
    return links[0]


def _can_start(links: _Links) -> bool:
    return all(need < index for index, needs in enumerate(links) for need in needs)


def _lost(wanted: Sequence[list[Any]], whole: Sequence[Mapping[str, int]], count: int) -> str:
    known = {name for names in whole for name in names} | {str(index) for index in range(count)}
    for index, needs in enumerate(wanted):
        for need in needs:
            if _name(need) not in known:
                return f"steps[{index}] depends on {str(need)[:60]!r}: no such step"
    return _TWO_WAYS
