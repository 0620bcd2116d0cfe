"""What a model thought aloud before it answered, told from the answer.

Some models write their thinking into the text itself, each in marks of its own; a few leave out
the mark that opens it, since their prompt ends with it.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Sequence
from typing import NamedTuple


class Said(NamedTuple):
    thinking: str
    answer: str


_NAMES = r"(?:seed:)?(?:think(?:ing)?|thoughts?|thought_process|reasoning|reflection|scratchpad)"
_OPENS = (
    rf"<{_NAMES}(?:\s[^<>]{{0,80}})?>",
    r"\[THINK\]",  # Magistral
    r"◁think▷",  # Kimi
    r"<\|(?:START_THINKING|begin_of_thought|inner_prefix)\|>",  # Command, OpenThinker, Apertus
    r"<\|channel>\s?thought\b|<unused94>thought\b",  # Gemma
    r"(?:<\|start\|>\s?assistant)?<\|channel\|>\s?(?:analysis|commentary).{0,80}?<\|message\|>",
)
_CLOSES = (
    rf"<\s?/\s?{_NAMES}\s?>",
    r"\[/THINK\]",
    r"◁/think▷",
    r"<\|(?:END_THINKING|end_of_thought|inner_suffix)\|>",
    r"<channel\|>|<unused95>",
    r"(?:<\|end\|>\s*)?(?:<\|start\|>\s?assistant)?<\|channel\|>\s?final.{0,80}?<\|message\|>",
    r"<\|end\|>(?=\s*<\|start\|>)",
)
_OPEN = re.compile("|".join(_OPENS), re.IGNORECASE)
_CLOSE = re.compile("|".join(_CLOSES), re.IGNORECASE)
# Marks that are words, and count at a text's beginning alone: Granite's, and those of gpt-oss where
# a server has dropped all but their words.
_WORDED = re.compile(
    r"Here is my thought process:(.*?)(?:Here is my response:|\Z)"
    r"|analysis(?=[A-Z\W])(.*)assistantfinal",
    re.DOTALL,
)
_FRAME = re.compile(
    r"<(answer|response|final_answer)>(.*)</\1>"
    r"|<\|(?:START_RESPONSE|begin_of_solution)\|>(.*)<\|(?:END_RESPONSE|end_of_solution)\|>",
    re.DOTALL | re.IGNORECASE,
)
_LEFT_OVER = re.compile(r"(?:\s*<\|(?:return|end|im_end|eot_id|END_OF_TURN_TOKEN)\|>)+\s*\Z")
_FENCE = re.compile(r" {0,3}(```++|~~~++)")
# Where a mark is only spoken of: in code, or between quotation marks. Each alternative takes what
# it has begun with, so that the time stays linear.
_QUOTED = re.compile(r"`++(?:[^`\n]++`++)?|\"(?:[^\"\\\n]|\\.)*+\"?|“[^”\n]*+”?|'[^'\s]{1,60}'")
_MARKS = "`\"'“”‘’"
_ENDS = "`\"'”"
_MID_SENTENCE = re.compile(r"[ \t]+[a-z]|[,;)]")  # goes on as one that speaks of the mark
_SENTENCE_ENDS = tuple("\n.!?:…}])>")
_MAY_BECOME_A_MARK = re.compile(r"\s*[<\[◁]\S{0,60}\Z")
_MOST_THOUGHTS = 20

_Found = tuple[int, str, int]  # where it begins, what was thought, where the text goes on


def told_apart(text: str) -> Said:
    """`text` without its thinking, and the thinking.

    Thinking that was opened and never closed goes on to the end, and leaves no answer. A text
    without any comes back as it was.
    """
    thoughts: list[str] = []
    kept, rest = "", text
    for _ in range(_MOST_THOUGHTS):
        found = _first(rest)
        if found is None:
            break
        begins, inside, ends = found
        kept += rest[:begins]
        thoughts.append(inside)
        rest = rest[ends:]
    if not thoughts:
        return Said("", text)
    answer = _LEFT_OVER.sub("", kept + rest).strip()
    if frame := _FRAME.fullmatch(answer):
        answer = (frame[2] or frame[3] or "").strip()
    return Said("\n\n".join(filter(None, (thought.strip() for thought in thoughts))), answer)


def answer_so_far(text: str) -> str:
    """The answer in a text that is still being written."""
    return "" if _MAY_BECOME_A_MARK.match(text) else told_apart(text).answer


def _first(text: str) -> _Found | None:
    """The first stretch of thinking."""
    start = len(text) - len(text.lstrip())
    if worded := _WORDED.match(text, start):
        return start, worded[1] or worded[2] or "", worded.end()
    if opened := _OPEN.match(text, start):
        return start, *_inside(text, opened.end())
    if not (_OPEN.search(text) or _CLOSE.search(text)):
        return None
    spoken = _spoken(text)
    closed = next((each for each in _CLOSE.finditer(text) if not _within(each, spoken)), None)
    for opened in _OPEN.finditer(text, endpos=closed.start() if closed else len(text)):
        before = text[: opened.start()].rstrip(" \t")
        if _within(opened, spoken) or not before.endswith(_SENTENCE_ENDS):
            continue
        if closed or before.endswith("\n"):
            return opened.start(), *_inside(text, opened.end())
    if closed is None or _MID_SENTENCE.match(text, closed.end()):
        return None
    return 0, text[: closed.start()], closed.end()


def _inside(text: str, start: int) -> tuple[str, int]:
    """What was thought from `start` on, and where it ended."""
    for closed in _CLOSE.finditer(text, start):
        before, after = text[closed.start() - 1], text[closed.end() : closed.end() + 1]
        if not (before in _MARKS and after and after in _MARKS):
            return text[start : closed.start()], closed.end()
    return text[start:], len(text)


def _within(mark: re.Match[str], spans: Sequence[tuple[int, int]]) -> bool:
    at = bisect(spans, (mark.start(), len(mark.string))) - 1
    return at >= 0 and mark.end() <= spans[at][1]


def _spoken(text: str) -> list[tuple[int, int]]:
    """Where marks are spoken of, in order: blocks of code that end, code in a line, quotations."""
    spans: list[tuple[int, int]] = []
    at, fence, since, held = 0, "", 0, 0
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if not fence and mark:
            fence, since, held = mark[1], at, len(spans)
        elif fence and mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
            spans[held:] = [(since, at + len(line))]
            fence = ""
        else:
            quoted = (each for each in _QUOTED.finditer(line) if each[0][-1] in _ENDS)
            spans += [(at + each.start(), at + each.end()) for each in quoted if len(each[0]) > 1]
        at += len(line)
    return spans
