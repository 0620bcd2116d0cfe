"""Plan and PlanStep, reading one out of a model's answer, and the order of its steps."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
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

from core.errors import InvalidAnswer

MAX_STEPS = 20
MAX_ANSWER = 200_000  # characters; many times the longest plan
MAX_NESTING = 32  # levels
MAX_DIGITS = 18  # of a whole number: fits in 64 bits
MAX_TRIES = 100  # objects looked at in one answer ...
MAX_EFFORT = 3_000_000  # ... and characters: a try may read the answer to its end


_BLANK = "is blank"
_NOT_PARAMETERS = 'must be an object or a list of {"name": string, "value": string}'
_TOO_LONG = f"the answer is longer than {MAX_ANSWER:,} characters"
_TOO_DEEP = f"the JSON is nested more than {MAX_NESTING} levels deep"
_NOT_KEPT = f"a number is NaN, infinite or longer than {MAX_DIGITS} digits"


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError(_BLANK)
    return text


def _from_pairs(value: object) -> object:
    """Strict structured output has no free-form objects: there, parameters come as pairs."""
    if not isinstance(value, list):
        return {} if value is None else value
    if not all(isinstance(pair, dict) and isinstance(pair.get("name"), str) for pair in value):
        raise ValueError(_NOT_PARAMETERS)
    return {pair["name"]: pair.get("value") for pair in value}


class PlanStep(BaseModel):
    """`dependencies` are zero-based indexes of earlier steps, each once."""

    model_config = ConfigDict(frozen=True, strict=True)

    agent_type: Annotated[str, Field(max_length=80), AfterValidator(_not_blank)]
    description: Annotated[str, Field(max_length=4_000), AfterValidator(_not_blank)]
    tool_name: Annotated[str | None, Field(max_length=200), AfterValidator(lambda t: t or None)] = (
        None
    )
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
    confidence: float = Field(ge=0, le=1)
    estimated_duration: float = Field(ge=0)
    steps: list[PlanStep] = Field(min_length=1, max_length=MAX_STEPS)

    @model_validator(mode="after")
    def _every_step_can_start(self) -> Plan:
        if fault := _knot(self.steps):
            raise ValueError(fault)
        return self


def read_plan(text: str) -> Plan:
    """The first valid plan in an answer, whatever stands around it.

    Raises:
        InvalidAnswer: there is none; the fault is that of the object that came nearest.
    """
    if len(text) > MAX_ANSWER:
        raise InvalidAnswer(_TOO_LONG)
    faults = [_Fault(4, "there is no JSON object in the answer")]
    for found in _objects(text):
        plan = found if isinstance(found, _Fault) else _plan(found)
        if isinstance(plan, Plan):
            return plan
        faults.append(plan)
    raise InvalidAnswer(min(faults, key=lambda fault: fault.distance).words)


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


def _objects(text: str) -> Iterator[dict[str, Any] | _Fault]:
    start = text.find("{")
    for _ in range(min(MAX_TRIES, MAX_EFFORT // max(len(text), 1))):
        if start < 0:
            return
        found, end = _object(text, start)
        yield found
        start = text.find("{", end)


_NUMBERS = json.JSONDecoder(
    strict=False,  # a line break inside a string is a slip, not a mystery
    parse_int=lambda digits: int(digits) if len(digits.lstrip("-")) <= MAX_DIGITS else math.inf,
)
# A string (kept as it is), a // comment, or a comma with nothing but comments before a bracket.
# Possessive and without a way to fail at a quotation mark, so that the time stays linear.
_SLIPS = re.compile(
    r'("(?:[^"\\]|\\.)*+"?)|//[^\n]*+|,(?=(?:\s|//[^\n]*+)*+[}\]])',
    re.DOTALL,
)


def _object(text: str, start: int) -> tuple[dict[str, Any] | _Fault, int]:
    """What begins at the brace at `start`, and where to look on."""
    try:
        return _NUMBERS.raw_decode(text, start)
    except json.JSONDecodeError:
        mended = _SLIPS.sub(lambda slip: slip[1] or "", text[start:])
    except RecursionError:
        return _Fault(1, _TOO_DEEP), start + 1
    try:
        return _NUMBERS.raw_decode(mended)[0], start + 1
    except json.JSONDecodeError as error:
        return _broken(error), start + 1
    except RecursionError:
        return _Fault(1, _TOO_DEEP), start + 1


def _broken(error: json.JSONDecodeError) -> _Fault:
    if error.msg.startswith("Unterminated") or error.pos >= len(error.doc.rstrip("` \t\r\n")):
        return _Fault(1, "the JSON object breaks off before its end")
    near = error.doc[max(error.pos - 30, 0) : error.pos + 10]
    return _Fault(
        2 if error.doc[: error.pos].strip() == "{" else 1,
        f"line {error.lineno} of the JSON object is broken near {near!r}: {error.msg.lower()}",
    )


def _plan(found: dict[str, Any]) -> Plan | _Fault:
    inner = found.get("plan")
    if "steps" not in found and isinstance(inner, dict):
        found = inner
    if "steps" not in found:
        return _Fault(3, 'the JSON object has no "steps"')
    try:
        return Plan.model_validate(_plain(found))
    except InvalidAnswer as error:
        return _Fault(0, error.fault)
    except ValidationError as error:
        return _Fault(0, _words(error))


_SURROGATE = re.compile("[\ud800-\udfff]")  # alone: the pairs are joined by now


def _plain(value: Any, level: int = 0) -> Any:
    """The value, if it can be written as JSON and UTF-8 again."""
    if level > MAX_NESTING:
        raise InvalidAnswer(_TOO_DEEP)
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
