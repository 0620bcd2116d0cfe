"""What a step is told: the goal, its own words and the results it builds on, made to fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.planning.fitting import BYTES_PER_TOKEN, fitted, kept_and_whole
from core.planning.plan import Plan, PlanStep
from core.planning.prompts import final_messages, step_messages
from core.providers.context import SMALLEST, room_for_prompt
from core.values.calls import Request
from core.values.runs import RunRequest

_OVERHEAD = 1_500  # bytes of a prompt that are neither texts nor the step's own words
SKIPPED = "(This step was skipped.)"


@dataclass(frozen=True, slots=True)
class Cut:
    """`step`'s result was given in part; the numbers are of characters."""

    step: int
    kept: int
    whole: int


@dataclass(frozen=True, slots=True)
class Briefing:
    request: Request
    cuts: tuple[Cut, ...]


def needed(plan: Plan, index: int) -> Sequence[int]:
    """The steps whose results `index` is given; the final answer is given all."""
    if index == len(plan.steps):
        return range(len(plan.steps))
    return plan.steps[index].dependencies


def briefing(
    asked: RunRequest,
    plan: Plan,
    index: int,
    results: Mapping[int, str],
    *,
    provider: str,
    model: str,
) -> Briefing:
    """What `provider` is asked for step `index`; with `index` past the last, the final answer."""
    earlier = needed(plan, index)
    labelled = [_labelled(plan.steps[each], each, results[each]) for each in earlier]
    own = "" if index == len(plan.steps) else plan.steps[index].description
    whole = [asked.goal, asked.context or "", *labelled]
    texts = fitted(whole, _room(whole, own, provider, model, asked.max_tokens))
    text, context, *told = texts
    if index == len(plan.steps):
        messages = final_messages(text, told, context=context)
    else:
        details = _details(plan.steps[index])
        messages = step_messages(text, own, told, context=context, details=details)
    cuts = [
        Cut(each, *cut)
        for each, long, short in zip(earlier, labelled, told, strict=True)
        if (cut := kept_and_whole(long, short))
    ]
    return Briefing(Request(messages, asked.temperature, asked.max_tokens), tuple(cuts))


def _room(texts: Sequence[str], own: str, provider: str, model: str, max_tokens: int) -> int:
    """Bytes that `texts` may take."""
    besides = _OVERHEAD + len(own.encode("utf-8", "replace"))
    if sum(map(len, texts)) + besides <= SMALLEST:  # fits anywhere: spares looking the model up
        return SMALLEST * BYTES_PER_TOKEN
    room = room_for_prompt(provider, model, max_tokens) * BYTES_PER_TOKEN
    return max(room - besides, room // 3)


def _labelled(step: PlanStep, index: int, result: str) -> str:
    return f"Step {index + 1}: {step.description}\n\n{result}"


def _details(step: PlanStep) -> str | None:
    """The step's parameters, and the tool it would like: advice, for there are no tools."""
    said = {"parameters": step.parameters, "suggested tool": step.tool_name}
    known = {name: value for name, value in said.items() if value}
    return json.dumps(known, ensure_ascii=False)[:4_000] if known else None
