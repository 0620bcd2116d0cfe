"""Plan and PlanStep, the parser of a model's answer into one, and the order of its steps."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from core.planning.amounts import seconds, share
from core.planning.dependencies import linked
from core.planning.loose_json import MAX_DIGITS, MAX_NESTING, TOO_DEEP, Broken, Effort, values
from core.planning.prompts import PLAN_EXAMPLE
from core.values.errors import InvalidAnswer
from core.values.thinking import told_apart

MAX_STEPS = 20
MAX_ANSWER = 200_000  # characters; many times the longest plan
_MAX_PARAMETERS = 20_000  # characters that are written as a text
_MAX_WRAPPINGS = 10  # a tool call's arguments in a message in a choice in a list
_JSON_BEGINS = ("{", "[", "`")

_NO_TOOL = ("", "null", "none", "n/a", "-")
_BLANK = "is blank"
_NOT_PARAMETERS = 'must be an object or a list of {"name": string, "value": string}'
_TOO_LONG = f"the answer is longer than {MAX_ANSWER:,} characters"
_NOT_KEPT = f"a number is NaN, infinite or longer than {MAX_DIGITS} digits"


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError(_BLANK)
    return text


def _tool(name: str | None) -> str | None:
    return None if name is None or name.strip().casefold() in _NO_TOOL else name


def _from_pairs(value: object) -> object:
    """Strict structured output has no free-form objects: there, parameters come as pairs.

    And some models write either as a text.
    """
    if isinstance(value, str):
        value = _from_text(value)
    if not isinstance(value, list):
        return {} if value is None else value
    if not all(isinstance(pair, dict) and isinstance(pair.get("name"), str) for pair in value):
        raise ValueError(_NOT_PARAMETERS)
    return {pair["name"]: pair.get("value") for pair in value}


def _from_text(text: str) -> object:
    if text.strip().casefold() in (*_NO_TOOL, "[]"):
        return None
    found = list(values(text, Effort(_MAX_PARAMETERS)))
    alone = len(found) == 1 and text.strip()[-1] in "}]`" and text.strip()[0] in _JSON_BEGINS
    return _plain(found[0]) if alone and not isinstance(found[0], Broken) else text


class PlanStep(BaseModel):
    """`dependencies` are zero-based indexes of earlier steps, each once."""

    model_config = ConfigDict(frozen=True, strict=True)

    agent_type: Annotated[str, Field(max_length=80), AfterValidator(_not_blank)]
    description: Annotated[str, Field(max_length=4_000), AfterValidator(_not_blank)]
    tool_name: Annotated[str | None, Field(max_length=200), AfterValidator(_tool)] = None
    parameters: Annotated[dict[str, Any], BeforeValidator(_from_pairs)] = {}
    dependencies: Annotated[
        list[int],
        BeforeValidator(lambda value: [] if value is None else value),
        AfterValidator(lambda indexes: list(dict.fromkeys(indexes))),
    ] = []


class Plan(BaseModel):
    """A plan whose steps can all be run. `estimated_duration` is in seconds."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    reasoning: str = Field(max_length=8_000)
    confidence: Annotated[float, Field(ge=0, le=1), BeforeValidator(share)]
    estimated_duration: Annotated[float, Field(ge=0), BeforeValidator(seconds)]
    steps: list[PlanStep] = Field(min_length=1, max_length=MAX_STEPS)

    @model_validator(mode="after")
    def _every_step_can_start(self) -> Plan:
        if fault := _knot(self.steps):
            raise ValueError(fault)
        return self


def read_plan(text: str) -> Plan:
    """The last whole plan in an answer, whatever stands around it.

    What the model thought aloud is passed over; so is our own example, where there is another.

    Raises:
        InvalidAnswer: there is none; the fault is that of the object that came nearest.
    """
    answer = told_apart(text).answer
    if len(answer) > MAX_ANSWER:
        raise InvalidAnswer(_TOO_LONG)
    last: Plan | None = None
    nearest, effort = _Fault(4, "there is no JSON object in the answer"), Effort()
    for found in values(answer, effort):
        plan = _read(found, effort)
        if isinstance(plan, _Fault):
            nearest = min(nearest, plan, key=lambda fault: fault.distance)
        elif last is None or plan != EXAMPLE:
            last = plan
    if last is None:
        raise InvalidAnswer(nearest.words)
    return last


def json_text(plan: Plan) -> str:
    return json.dumps(plan.model_dump(), ensure_ascii=False, allow_nan=False)


def waves(plan: Plan) -> list[list[int]]:
    """Step indexes by level: those of a level need only earlier levels, so can run together."""
    levels: list[int] = []
    for step in plan.steps:
        levels.append(1 + max((levels[index] for index in step.dependencies), default=-1))
    return [
        [index for index, own in enumerate(levels) if own == level]
        for level in range(max(levels) + 1)
    ]


def _knot(steps: Sequence[PlanStep]) -> str | None:
    """What keeps a step from ever starting, if anything does."""
    graph = {index: step.dependencies for index, step in enumerate(steps)}
    pairs = [(index, wanted) for index, wanteds in graph.items() for wanted in wanteds]
    for index, wanted in pairs:
        if wanted not in graph:
            return f"steps[{index}] depends on step index {wanted}: no such step"
        if wanted == index:
            return f"steps[{index}] depends on itself"
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " → ".join(f"steps[{index}]" for index in error.args[1]) + " wait for each other"
    for index, wanted in pairs:
        if wanted > index:
            return f"steps[{index}] depends on steps[{wanted}], which does not come before it"
    return None


class _Fault(NamedTuple):
    distance: int  # from a plan: 0 has steps, 1 broke, 2 broke at once, 3 has no steps, 4 is none
    words: str


def _read(found: Any, effort: Effort) -> Plan | _Fault:
    if isinstance(found, Broken):
        return _Fault(2 if found.at_once else 1, found.words)
    inside = list(_with_steps(found, effort))
    if len(inside) > 1:
        return _Fault(0, "the JSON holds more than one plan; send one alone")
    if not inside:
        return _Fault(3, 'the JSON object has no "steps"')
    try:
        plain = _plain(inside[0])
        return Plan.model_validate(plain | {"steps": _with_links(plain["steps"])})
    except InvalidAnswer as error:
        return _Fault(0, error.fault)
    except ValidationError as error:
        return _Fault(0, _words(error))


def _with_steps(value: Any, effort: Effort, level: int = 0) -> Iterator[dict[str, Any]]:
    """The objects with steps in a value: itself, or within a wrapping, such as a tool call's."""
    if isinstance(value, dict) and "steps" in value:
        yield value
    elif level < _MAX_WRAPPINGS:
        inner: Iterable[Any] = ()
        if isinstance(value, dict):
            inner = value.values()
        elif isinstance(value, list):
            inner = value
        elif isinstance(value, str) and value.lstrip()[:1] in _JSON_BEGINS:
            inner = values(value, effort)
        for each in inner:
            yield from _with_steps(each, effort, level + 1)


def _with_links(steps: Any) -> Any:
    """With indexes for dependencies, where these are steps at all."""
    countable = isinstance(steps, list) and 0 < len(steps) <= MAX_STEPS
    if countable and all(isinstance(step, dict) for step in steps):
        return linked(steps)
    return steps


_SURROGATE = re.compile("[\ud800-\udfff]")  # alone: the pairs are joined by now


def _plain(value: Any, level: int = 0) -> Any:
    """The value, if it can be written as JSON and UTF-8 again."""
    if level > MAX_NESTING:
        raise InvalidAnswer(TOO_DEEP)
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_plain(item, level + 1) for item in value]
    if isinstance(value, dict):
        return {_plain(key, level): _plain(item, level + 1) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidAnswer(_NOT_KEPT)
    return value


_WANTED = {
    "missing": "is missing",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "too_short": "is empty",
    "too_long": "has more than {max_length} entries",
    "string_too_long": "is longer than {max_length} characters",
    "greater_than_equal": "is less than {ge:g}",
    "less_than_equal": "is more than {le:g}",
    "value_error": "{error}",
}


def _words(invalid: ValidationError) -> str:
    """The first fault, for a model to mend and a person to read."""
    error = invalid.errors(include_url=False)[0]
    path = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in error["loc"])
    wanted = _WANTED.get(error["type"], "is not valid").format(**error.get("ctx", {}))
    fault = f"{path.removeprefix('.')} {wanted}".strip()
    return f"{fault} (steps[0] is the first step)" if "steps[" in fault else fault


EXAMPLE = Plan.model_validate_json(PLAN_EXAMPLE)
