"""A model's Markdown, read into headings, lists, code and paragraphs, and nothing else.

What is shown or exported is made anew from these parts, so that an image, a link or a tag in the
text stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["heading", "point", "code", "table", "paragraph"]
Style = Literal["plain", "strong", "emphasis", "code"]


class Span(NamedTuple):
    style: Style
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """`level` is a heading's (1..6) or how far in a point stands (0..5); `mark` is a point's."""

    kind: Kind
    spans: tuple[Span, ...]
    level: int = 0
    mark: str = "-"


_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_POINT = re.compile(r"( *)(?:([-*+])|(\d{1,4})[.)])\s+(.*)$")
_SPANS = re.compile(r"`([^`\n]+)`|\*\*([^*\n]+)\*\*|(?<![\w*])\*([^*\s][^*\n]*)\*(?![\w*])")


def blocks(text: str) -> list[Block]:
    """The parts of `text`, in its order; no part is lost."""
    found: list[Block] = []
    paragraph: list[str] = []
    lines = iter(text.expandtabs(4).splitlines())
    for line in lines:
        block = _block(line, lines)
        if block or not line.strip():
            found += _paragraph(paragraph)
            paragraph = []
        if block:
            found.append(block)
        elif line.strip():
            paragraph.append(line.strip())
    return found + _paragraph(paragraph)


def _block(line: str, lines: Iterator[str]) -> Block | None:
    """What begins with `line`, if it is more than a line of a paragraph."""
    if fence := _FENCE.match(line):
        return Block("code", (Span("plain", "\n".join(_until(fence[1], lines))),))
    if heading := _HEADING.match(line):
        return Block("heading", _spans(heading[2]), len(heading[1]))
    if point := _POINT.match(line):
        mark = f"{point[3]}." if point[3] else "-"
        return Block("point", _spans(point[4]), min(len(point[1]) // 2, 5), mark)
    if line.lstrip().startswith("|"):
        return Block("table", (Span("plain", line.strip()),))
    return None


def _until(fence: str, lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.strip().startswith(fence):
            return
        yield line


def _paragraph(lines: list[str]) -> list[Block]:
    return [Block("paragraph", _spans("\n".join(lines)))] if lines else []


def _spans(text: str) -> tuple[Span, ...]:
    spans, at = [], 0
    for found in _SPANS.finditer(text):
        if found.start() > at:
            spans.append(Span("plain", text[at : found.start()]))
        code, strong, emphasis = found.groups()
        if code is not None:
            spans.append(Span("code", code))
        else:
            spans.append(Span("strong", strong) if strong else Span("emphasis", emphasis))
        at = found.end()
    return (*spans, Span("plain", text[at:])) if at < len(text) else tuple(spans)
