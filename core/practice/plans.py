"""The plan writer: one goal, seven characters, a plan that is worth reading from each.

A style says which moves a provider makes, what each waits for, and how it talks; the kind of
goal (`kinds.py`) says what those moves are; the goal's own words (`goal.py`) fill them in.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from core.practice.goal import Goal, read_goal
from core.practice.kinds import Move, Role

Shape = Mapping[Role, tuple[Role, ...]]  # in order; what each waits for comes before it


@dataclass(frozen=True, slots=True)
class Style:
    shape: Shape
    method: str  # the sentence of the reasoning that explains the shape
    given: str  # the sentence about what the goal fixes
    ungiven: str  # the same where it fixes nothing
    confidence: float  # 0..1, for a goal that names one figure
    pace: float  # how long it takes over a step; 1 is middling
    rich: bool = False  # longer sentences
    careful: bool = False  # says what could be wrong
    habits: Mapping[Role, str] = field(default_factory=dict)  # what it adds to a step


SECONDS: dict[Role, float] = {
    "scope": 2.0, "facts": 5.0, "options": 4.5, "people": 4.0, "numbers": 3.5, "draft": 6.0,
    "detail": 4.0, "risks": 3.0, "verify": 3.5, "schedule": 2.0, "review": 3.0, "deliver": 2.5,
}  # fmt: skip

STYLES: dict[str, Style] = {
    "anthropic": Style(
        {
            "scope": (),
            "facts": ("scope",),
            "options": ("scope",),
            "numbers": ("options",),
            "risks": ("facts", "options"),
            "draft": ("facts", "numbers"),
            "review": ("draft", "risks"),
            "deliver": ("review",),
        },
        "I have put a separate look at the risks beside the figures, because surprises are "
        "cheapest before anything has been decided.",
        given="You have settled {fixed}; I treat that as firm.",
        ungiven="You have left dates and figures open, so the first step settles them.",
        confidence=0.82,
        pace=1.1,
        rich=True,
        careful=True,
        habits={
            "facts": "Mark whatever is still an assumption.",
            "options": "Say what would change the choice.",
            "review": "Put problems right rather than listing them.",
        },
    ),
    "openai": Style(
        {
            "facts": (),
            "options": (),
            "numbers": ("options",),
            "draft": ("facts", "numbers"),
            "schedule": ("draft",),
            "deliver": ("draft", "schedule"),
        },
        "Two lookups run at the same time; everything after them has one owner and one result.",
        given="Constraints: {fixed}.",
        ungiven="No constraints are given, so assumptions are written down where they matter.",
        confidence=0.88,
        pace=0.8,
        habits={
            "facts": "Result: a short list.",
            "options": "Result: a first choice and a second.",
            "numbers": "Result: one table, one total.",
            "schedule": "Result: dates and owners.",
        },
    ),
    "google": Style(
        {
            "facts": (),
            "people": (),
            "options": (),
            "detail": ("facts",),
            "numbers": ("options",),
            "draft": ("facts", "people", "numbers"),
            "review": ("draft", "detail"),
        },
        "Three strands of research start at once and meet in the draft, so that no single source "
        "carries the result.",
        given="The searches are narrowed to what the goal names: {fixed}.",
        ungiven="The goal names no dates or figures, so the searches start broad.",
        confidence=0.85,
        pace=0.9,
        rich=True,
        habits={
            "facts": "Keep the source and date of everything that is used.",
            "options": "Note where every claim comes from.",
            "review": "List what changed, with the reason.",
        },
    ),
    "deepseek": Style(
        {
            "scope": (),
            "numbers": ("scope",),
            "facts": ("scope",),
            "verify": ("numbers", "facts"),
            "options": ("facts",),
            "draft": ("verify", "options"),
            "schedule": ("draft",),
        },
        "Figures and facts are gathered separately and then checked against each other, so that "
        "an error in one shows up in the other.",
        given="Known: {fixed}. All else is an estimate until it has been checked.",
        ungiven="No value is given, so every figure is an estimate until it has been checked.",
        confidence=0.84,
        pace=1.0,
        habits={
            "scope": "Give every requirement a number that can be checked.",
            "numbers": "Show a low, a middle and a high case.",
            "options": "Score each from 1 to 5.",
            "schedule": "Allow 20 per cent slack.",
        },
    ),
    "kimi": Style(
        {
            "scope": (),
            "facts": ("scope",),
            "people": ("scope",),
            "options": ("facts",),
            "numbers": ("options",),
            "detail": ("people",),
            "risks": ("people", "options"),
            "draft": ("numbers", "detail", "risks"),
            "review": ("draft",),
        },
        "The plan reads widely before it writes: what people need and what the facts allow are "
        "followed up side by side, and both flow into the draft.",
        given="The brief mentions {fixed}, and every step was written with that in view.",
        ungiven="The brief mentions no dates or figures, so the first step collects them.",
        confidence=0.83,
        pace=1.3,
        rich=True,
        careful=True,
        habits={
            "scope": "Take the side remarks in the brief as seriously as the headline.",
            "facts": "Keep what matters word for word, with where it was found.",
            "options": "Keep what was rejected, with the reason.",
            "draft": "Say for each part which requirement it answers.",
        },
    ),
    "nvidia": Style(
        {
            "facts": (),
            "options": (),
            "people": (),
            "numbers": (),
            "draft": ("facts", "options", "people", "numbers"),
            "deliver": ("draft",),
        },
        "Four steps need nothing from each other, so they run at once; a single merge keeps the "
        "way to a result short.",
        given="Held constant: {fixed}.",
        ungiven="Nothing is held constant yet, so rough assumptions will do.",
        confidence=0.86,
        pace=0.6,
        habits={
            "facts": "Timebox: 20 minutes.",
            "options": "Timebox: 20 minutes.",
            "numbers": "Rough figures will do.",
            "draft": "Keep only what changes a decision.",
        },
    ),
    "bitnet": Style(
        {
            "facts": (),
            "numbers": (),
            "draft": ("facts", "numbers"),
            "review": ("draft",),
        },
        "Four steps are enough for a start.",
        given="The plan keeps to {fixed}.",
        ungiven="Dates and figures can be added later.",
        confidence=0.66,
        pace=0.7,
    ),
}


def write_plan(provider: str, text: str, *, seed: int = 0) -> str:
    """A plan for the goal in `text` as JSON text; the same for the same three inputs."""
    return json.dumps(plan_for(provider, text, seed=seed), ensure_ascii=False, indent=2)


def plan_for(provider: str, text: str, *, seed: int = 0) -> dict[str, Any]:
    style, goal = STYLES[provider], read_goal(text)
    doubt = Random(f"{seed}/{provider}/{goal.text}").uniform(-0.02, 0.02)
    return {
        "reasoning": _reasoning(style, goal),
        "confidence": round(style.confidence + _clearness(goal) + doubt, 2),
        "estimated_duration": round(_longest_way(style), 1),  # seconds
        "steps": _steps(style, goal),
    }


def _steps(style: Style, goal: Goal) -> list[dict[str, Any]]:
    roles = list(style.shape)
    steps: list[dict[str, Any]] = [
        {
            "agent_type": move.agent,
            "description": _description(move, style, role, goal),
            "tool_name": move.tool,
            "parameters": _parameters(move, goal),
            "dependencies": [roles.index(needed) for needed in style.shape[role]],
        }
        for role in roles
        for move in (goal.kind.moves[role],)
    ]
    if goal.text and not _names_the_goal(steps, goal):
        steps[0]["description"] += f" The goal: {goal.facts['goal']}."
    return steps


def _description(move: Move, style: Style, role: Role, goal: Goal) -> str:
    told = _fill((move.rich if style.rich else "") or move.plain, goal)
    fixed = goal.facts.get("fixed") if role == "scope" else None
    parts = (told, fixed and f"Given: {fixed}.", style.habits.get(role))
    return " ".join(part for part in parts if part)


def _names_the_goal(steps: list[dict[str, Any]], goal: Goal) -> bool:
    told = " ".join(step["description"] for step in steps).casefold()
    said = (goal.facts.get(name) for name in ("thing", "topic", "item", "aim", "goal", "place"))
    return any(words and words.casefold() in told for words in said)


def _fill(template: str, goal: Goal) -> str:
    told = template.format_map(goal.slots)
    return told[0].upper() + told[1:]


def _parameters(move: Move, goal: Goal) -> dict[str, str]:
    """Filled from the goal alone; a query that cannot be is the goal itself."""
    filled = {}
    for name, template in move.parameters.items():
        needed = {slot for _, slot, _, _ in string.Formatter().parse(template) if slot}
        if needed <= goal.facts.keys() | {"where"}:
            filled[name] = template.format_map(goal.slots)
        elif name == "query" and goal.text:
            filled[name] = goal.facts["goal"].strip("“”")
    return filled


def _reasoning(style: Style, goal: Goal) -> str:
    if not goal.text:
        return f"The goal is empty, so the plan is a general one. {style.method}"
    fixed = goal.facts.get("fixed")
    given = style.given.format(fixed=fixed) if fixed else style.ungiven
    caution = _fill(goal.kind.caution, goal) if style.careful else ""
    parts = (_fill(goal.kind.why, goal), given, style.method, caution)
    return " ".join(part for part in parts if part)


def _clearness(goal: Goal) -> float:
    """How much surer a goal of this clearness makes anyone."""
    words = len(goal.text.split())
    named = len(goal.facts.keys() & {"place", "time", "people", "money", "when", "thing", "tool"})
    return min(named, 4) * 0.02 - 0.02 - (0.15 if words < 3 and len(goal.text) < 12 else 0)


def _longest_way(style: Style) -> float:
    """Seconds until the last step is done, if steps wait only for what they need."""
    done: dict[Role, float] = {}
    for role, needed in style.shape.items():
        done[role] = max((done[each] for each in needed), default=0.0) + SECONDS[role] * style.pace
    return max(done.values())
