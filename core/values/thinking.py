"""Separates what a model thinks aloud from its answer, whole or streamed.

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


# With a maker's name before it: `seed:think`, `ds_think`, `antthinking`.
_NAMES = (
    r"(?:[a-z]{1,12}[:_]|ant)?(?:think(?:ing)?|thoughts?|thought_process|reasoning|reflection"
    r"|scratchpad|monologue|chain_of_thought|cot)"
)
_BAR = r"[|｜]"
_OPENS = (
    rf"<{_NAMES}(?:\s[^<>]{{0,80}})?>",
    rf"<{_BAR}{_NAMES}{_BAR}>",
    r"\[THINK(?:ING)?\]",  # Magistral
    r"◁think▷",  # Kimi
    r"<\|(?:START_THINKING|begin_of_thought|inner_prefix)\|>",  # Command, OpenThinker, Apertus
    r"<\|channel>\s?thought\b|<unused94>thought\b",  # Gemma
    r"(?:<\|start\|>\s?assistant)?<\|channel\|>\s?(?:analysis|commentary).{0,80}?<\|message\|>",
)
_CLOSES = (
    rf"<\s?/\s?{_NAMES}\s?>",
    rf"<(?:{_BAR}/|/{_BAR}){_NAMES}{_BAR}>",
    r"\[/THINK(?:ING)?\]",
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
_WORDS = re.compile(r"\AHere is my thought process:|Here is my response:|assistantfinal")
_FRAME = re.compile(
    r"<(answer|response|final_answer)>(.*)</\1>"
    r"|<\|(?:START_RESPONSE|begin_of_solution)\|>(.*)<\|(?:END_RESPONSE|end_of_solution)\|>",
    re.DOTALL | re.IGNORECASE,
)
_LEFT_OVER = tuple(
    f"<|{name}|>" for name in ("return", "end", "im_end", "eot_id", "END_OF_TURN_TOKEN")
)
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
_EFFORT = 1_000_000  # characters read for marks, those that are read again included
_LOOK_BACK = 200  # characters
_LONGEST_MARK = 120  # characters, about
_READ_BEHIND = 8  # characters behind a mark that tell whether it is one

_Found = tuple[int, str, int]  # where it begins, what was thought, where the text goes on


def told_apart(text: str) -> Said:
    """`text` without its thinking, and the thinking.

    Thinking that was opened and never closed goes on to the end, and leaves no answer. A text
    without any comes back as it was.
    """
    thoughts: list[str] = []
    kept, rest = "", text
    effort = 0
    for _ in range(_MOST_THOUGHTS):
        found = _first(rest) if effort < _EFFORT else None
        if found is None:
            break
        effort += len(rest)
        begins, inside, ends = found
        kept += rest[:begins]
        thoughts.append(inside)
        rest = rest[ends:]
    if not thoughts:
        return Said("", text)
    answer = _without_left_over((kept + rest).strip())
    if frame := _FRAME.fullmatch(answer):
        answer = (frame[2] or frame[3] or "").strip()
    return Said("\n\n".join(filter(None, (thought.strip() for thought in thoughts))), answer)


def answer_so_far(text: str) -> str:
    """The answer in a text that is still being written."""
    return "" if _MAY_BECOME_A_MARK.match(text) else told_apart(text).answer


class AnswerInPieces:
    """The answer alone, from a text that arrives in pieces.

    Where the mark that opens the thinking was left out, it is known only at its end that what was
    passed on was no answer: the answer then begins anew.
    """

    __slots__ = ("_at", "_effort", "_passed", "_thinks")

    def __init__(self) -> None:
        self._at = 0  # how much of the text was looked at
        self._passed: list[str] = []
        self._thinks = False
        self._effort = 0

    def take(self, text: str, *, last: bool = False) -> tuple[str, bool]:
        """What is new of the answer in `text`, which is all that has arrived by now.

        And whether it replaces all that was passed on before.
        """
        start = max(len(text) - _LONGEST_MARK, self._at)
        waits = _MAY_BECOME_A_MARK.search(text, start) or not (self._at or text.strip())
        if waits and not last:
            return "", False
        begun, self._at = self._at, len(text)
        if last or (self._effort < _EFFORT and _has_mark(text, begun)):
            self._effort += len(text)
            return self._told_apart(text)
        new = "" if self._thinks else text[begun:]
        self._passed.append(new)
        return new, False

    def _told_apart(self, text: str) -> tuple[str, bool]:
        before, answer = "".join(self._passed), told_apart(text).answer
        # Whatever is said next: is it thought, or answered?
        self._thinks = told_apart(f"{text}x").answer == answer
        self._passed = [answer]
        anew = not answer.startswith(before.rstrip())
        return answer if anew else answer[len(before) :], anew


def _has_mark(text: str, begun: int) -> bool:
    """Is a mark in what came from `begun` on, or just before it?"""
    start = max(begun - _LONGEST_MARK, 0)
    ends = (each.end() for one in (_OPEN, _CLOSE, _WORDS) for each in one.finditer(text, start))
    return any(end + _READ_BEHIND > begun for end in ends)


def _without_left_over(answer: str) -> str:
    end = len(answer)
    while answer.endswith(_LEFT_OVER, 0, end):
        end = answer.rindex("<|", 0, end)
        while end and answer[end - 1].isspace():
            end -= 1
    return answer[:end]


def _first(text: str) -> _Found | None:
    """The first piece of thinking."""
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
        before = text[max(opened.start() - _LOOK_BACK, 0) : opened.start()].rstrip(" \t")
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
