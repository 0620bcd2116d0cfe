"""What a practice provider says to a conversation: a plan, a step's result, or a plain sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from zlib import crc32

from core.practice.plans import DATA, plan_for, read_goal, shortened
from core.values.calls import Message


def answer_to(provider: str, messages: Sequence[Message], *, seed: int = 0) -> str:
    asked = [message.content for message in messages if message.role == "user"]
    last = asked[-1] if asked else ""
    goal, besides = _between("goal", last), _without("goal", last)
    step, results = _between("step", besides.partition("<result>")[0]), _RESULT.findall(besides)
    if step:
        return _result(step, goal or "", results)
    if goal and results:
        return _final(goal, results)
    told = next((found for text in reversed(asked) if (found := _between("goal", text))), None)
    everything = "\n".join(message.content for message in messages)
    if told is None and not any("<goal>" in text for text in asked):
        if "JSON" not in everything or not re.search(r"\bplan\b", everything, re.IGNORECASE):
            return _small_talk(last)
        told = last
    plan = plan_for(provider, told or "", seed=seed)
    return json.dumps(plan, ensure_ascii=False, indent=2)


_RESULT = re.compile(r"<result>\n(.*?)\n</result>", re.DOTALL)
_POINT = re.compile(r"\*\*(.+?)\*\* *(.+)")  # of a report: its name, and what it says
_MOST_POINTS = 2  # of each step
_BUILDS_ON = "This builds on:"
_REPORTS: list[tuple[re.Pattern[str], list[str]]] = [
    (re.compile(rf"(?:{'|'.join(begins.split())})(?!\w)", re.IGNORECASE), says)
    for begins, *says in DATA["reports"]
]


def _between(tag: str, text: str) -> str | None:
    """The last such element's text, None if there is none or it is empty."""
    _, found, rest = text.rpartition(f"<{tag}>")
    inside = rest.partition(f"</{tag}>")[0].strip() if found else ""
    return inside.replace("&lt;", "<") or None


def _without(tag: str, text: str) -> str:
    before, found, rest = text.partition(f"<{tag}>")
    return before + rest.rpartition(f"</{tag}>")[2] if found else text


def _line(text: str, limit: int) -> str:
    return shortened(" ".join(text.split()[:200]), limit)


def _parts(result: str) -> tuple[str, list[str]]:
    """Of an earlier step: what it was, and the points of its report."""
    head, _, report = result.replace("&lt;", "<").partition("\n\n")
    own = report.partition(_BUILDS_ON)[0]
    points = [f"**{name}** {said}" for name, said in _POINT.findall(own)]
    return _line((head.partition(": ")[2] or head).partition(". ")[0], 120), points


def _result(step: str, goal: str, results: Sequence[str]) -> str:
    words = _line(step, 160)
    reports = next(says for begins, says in _REPORTS if begins.match(words))
    report = reports[crc32(words.encode("utf-8", "replace")) % len(reports)]
    paragraphs = [report.format(step=words)]
    if results:
        parts = [" → ".join([f"- {about}", *points[:1]]) for about, points in map(_parts, results)]
        paragraphs.append("\n".join([_BUILDS_ON, "", *parts]))
    if fixed := read_goal(goal).facts.get("fixed"):
        paragraphs.append(f"This keeps to what the goal names: {fixed}.")
    return "\n\n".join(paragraphs)


def _final(goal: str, results: Sequence[str]) -> str:
    """What an answer made of the steps' results looks like."""
    told = [
        "\n".join([f"{number}. {about}", *(f"   - {point}" for point in points[:_MOST_POINTS])])
        for number, (about, points) in enumerate(map(_parts, results), start=1)
    ]
    fixed = read_goal(goal).facts.get("fixed")
    keeps = f" It keeps to what you named: {fixed}." if fixed else ""
    return (
        f"## {_line(goal, 120)}\n\n"
        f"All {len(told)} parts are worked out and fit together.{keeps}\n\n"
        + "\n".join(told)
        + "\n\n**Still yours to decide:** the points that were marked as open on the way. "
        "This answer comes from a practice provider; set an API key to hear from a model itself."
    )


def _small_talk(asked: str) -> str:
    if not (said := _line(asked, 80)):
        return "This is a practice provider. Ask it for a plan and it will write one."
    return (
        f"This is a practice provider, so here is a practice answer to “{said}”. "
        "Set an API key to hear from the model itself."
    )
