"""What a practice provider says to a conversation: a plan, a step's result, or a plain sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from core.practice.goal import Goal, read_goal, shortened
from core.practice.plans import write_plan
from core.values.calls import Message


def answer_to(provider: str, messages: Sequence[Message], *, seed: int = 0) -> str:
    asked = [message.content for message in messages if message.role == "user"]
    last = asked[-1] if asked else ""
    goal, step = _between("goal", last), _between("step", _without("goal", last))
    results = _RESULT.findall(_without("goal", last))
    if step:
        return _result(step, read_goal(goal or ""))
    if goal and results:
        return _final(goal, results)
    told = next((found for text in reversed(asked) if (found := _between("goal", text))), None)
    if told is None and any("<goal>" in text for text in asked):
        told = ""
    wants_plan = re.search(r"\bplan\b", _all(messages), re.IGNORECASE) and "JSON" in _all(messages)
    if told is None and not wants_plan:
        return _small_talk(last)
    return write_plan(provider, last if told is None else told, seed=seed)


def _all(messages: Sequence[Message]) -> str:
    return "\n".join(message.content for message in messages)


def _between(tag: str, text: str) -> str | None:
    """The last such element's text, None if there is none or it is empty."""
    _, found, rest = text.rpartition(f"<{tag}>")
    inside = rest.partition(f"</{tag}>")[0].strip() if found else ""
    return inside.replace("&lt;", "<") or None


def _without(tag: str, text: str) -> str:
    before, found, rest = text.partition(f"<{tag}>")
    return before + rest.rpartition(f"</{tag}>")[2] if found else text


_RESULT = re.compile(r"<result>\n(.*?)\n</result>", re.DOTALL)
_GIST = re.compile(r"\*\*(.+?)\*\* *(.+)")  # a point of a report: its name, and what it says
_MOST_POINTS = 2  # of each step


def _final(goal: str, results: Sequence[str]) -> str:
    """What an answer made of the steps' results looks like."""
    parts = []
    for number, result in enumerate(results, start=1):
        head, _, report = result.replace("&lt;", "<").partition("\n\n")
        step = shortened(" ".join(head.partition(": ")[2].split()[:200]), 120)
        points = [f"   - **{name}** {said}" for name, said in _GIST.findall(report)]
        parts.append("\n".join([f"{number}. {step}", *points[:_MOST_POINTS]]))
    fixed = read_goal(goal).facts.get("fixed")
    keeps = f" It keeps to what you named: {fixed}." if fixed else ""
    return (
        f"## {shortened(' '.join(goal.split()[:200]), 120)}\n\n"
        f"All {len(parts)} parts are worked out and fit together.{keeps}\n\n"
        + "\n".join(parts)
        + "\n\n**Still yours to decide:** the points that were marked as open on the way. "
        "This answer comes from a practice provider; set an API key to hear from a model itself."
    )


def _small_talk(asked: str) -> str:
    said = shortened(" ".join(asked.split()[:200]))
    if not said:
        return "This is a practice provider. Ask it for a plan and it will write one."
    return (
        f"This is a practice provider, so here is a practice answer to “{said}”. "
        "Set an API key to hear from the model itself."
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """How one sort of step is reported. `{step}` and `{given}` are filled in."""

    begins: re.Pattern[str]  # the words that such a step begins with
    reports: tuple[str, ...]


def _work(begins: str, *reports: str) -> _Work:
    words = "|".join(word.replace("_", " ") for word in begins.split())
    return _Work(re.compile(rf"(?:{words})\b", re.IGNORECASE), reports)


_WORKS = (
    _work(
        "agree settle define turn say write_down_what describe_the_present scope clarify",
        "Settled: *{step}*\n\n"
        "- **Part of it:** what was asked for, and what it cannot do without.\n"
        "- **Not part of it:** two wishes that can wait, written down so that they are not lost.\n"
        "- **Done when:** someone who was not involved can see that it works.{given}",
    ),
    _work(
        "check verify recount reconcile measure test review read walk take have let count "
        "proofread add_up_every show validate choose_three choose_two compare_the",
        "Went through the work so far point by point: *{step}*\n\n"
        "- **Holds:** the overall order, and everything that later steps build on.\n"
        "- **Corrected:** two vague wordings and one figure that had been counted twice.\n"
        "- **Still open:** one assumption that only you can confirm.{given}",
        "Checked: *{step}*\n\n"
        "Nothing has to be started again. Two details were made more precise, and one point stays "
        "marked as uncertain because there was no second source for it.{given}",
    ),
    _work(
        "add set_up_a_cost split divide estimate work_out budget calculate put_the_key",
        "Worked out: *{step}*\n\n"
        "- **Largest part:** about half of the total; care matters most here.\n"
        "- **Known parts:** about a third, fixed in advance.\n"
        "- **Reserve:** a tenth, for what was not foreseen.{given}\n\n"
        "The sum holds as long as the largest part does not grow by more than a fifth.",
    ),
    _work(
        "put_bookings put_the_steps set_the_countdown spread fit fix block cut choose_a_quiet "
        "schedule plan_the_dates book",
        "Put in order: *{step}*\n\n"
        "1. **At once:** whatever others have to answer or confirm.\n"
        "2. **Next:** the work that everything later needs.\n"
        "3. **Last:** the finishing touches, with one free slot before the end.{given}",
    ),
    _work(
        "write build draft lay set design make prepare put release sketch describe deploy sum "
        "summarise summarize create compose code implement get_ready rehearse",
        "A first version is ready: *{step}*\n\n"
        "It opens with the result, then gives the parts in the order in which they are needed, "
        "each with the person who takes care of it. Background has gone to the end, so that the "
        "beginning is enough to act on.{given}",
        "Drafted: *{step}*\n\n"
        "- **First part:** what is to be reached, in two sentences.\n"
        "- **Main part:** the parts in order, each with its result.\n"
        "- **Last part:** what is deliberately left out, and why.{given}",
    ),
    _work(
        "list name look_for plan_the_way note try identify",
        "Listed: *{step}*\n\n"
        "1. **Most likely:** a delay in something that others deliver. Remedy: ask early, and "
        "have a second choice.\n"
        "2. **Most costly:** a decision that cannot be taken back. Remedy: take it last.\n"
        "3. **Easily missed:** a condition in the small print. Remedy: read it before anything is "
        "signed or paid.{given}",
    ),
)
_OTHER_WORK = _work(
    "",
    "Looked into it: *{step}*\n\n"
    "- **First choice:** the well-known way. It is not the cheapest, but it has the fewest "
    "surprises.\n"
    "- **Second choice:** costs less and takes longer; good if dates can move.\n"
    "- **Ruled out:** a third way that looked good until its conditions were read.{given}",
    "Found enough to decide: *{step}*\n\n"
    "Three sources agree on the main points and differ on details that do not change the choice. "
    "The two best options are close; the first is easier to change later.{given}",
)


def _result(step: str, goal: Goal) -> str:
    words = " ".join(step.split()[:200])
    work = next((work for work in _WORKS if work.begins.match(words)), _OTHER_WORK)
    fixed = goal.facts.get("fixed")
    given = f"\n\nThis keeps to what the goal names: {fixed}." if fixed else ""
    report = work.reports[crc32(words.encode("utf-8", "replace")) % len(work.reports)]
    return report.format(step=shortened(words, 160), given=given)
