"""Renders parsed Markdown: as safe Markdown for a page or a file, or as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from core.web.markdown import Block, Kind, Span, Style, can_be_followed

_SMALLEST_HEADING = 6


@dataclass(frozen=True, slots=True)
class Spelling:
    """How Markdown is to be spelt for its reader."""

    said: Callable[[str], str]  # a text -> Markdown that shows it as it stands
    ticks: tuple[str, str]  # an empty box and a ticked one, before an item
    below: int = 0  # levels that its headings stand below their own


def literal(text: str) -> str:
    """Text as Markdown that shows it as it stands, with no more backslashes than that takes."""
    escaped = _AT_A_LINES_START.sub(r"\1\2\\", _SPECIAL.sub(r"\\\g<0>", text))
    return escaped.replace("\n", "  \n")


_SPECIAL = re.compile(r"[\\`*\[\]<]|!(?=\[|\Z)|(?<!\w)_|_(?!\w)|&(?=#?\w)|~(?=~)|(?<=~)~")
_AT_A_LINES_START = re.compile(r"^([ \t]*)(?:(\d{1,9})(?=[.)])|(?=[#>+=|:-]))", re.MULTILINE)
FILE = Spelling(literal, ("[ ] ", "[x] "))


def as_markdown(parts: Sequence[Block], how: Spelling = FILE) -> str:
    return "\n".join(_lines(parts, how))


def _lines(parts: Sequence[Block], how: Spelling) -> list[str]:
    lines: list[str] = []
    other = False  # whether a list has the other mark, so that it does not go on with that before
    for before, block in zip([None, *parts], parts, strict=False):
        if before is not None and not (before.kind == "paragraph" and block.kind == "list"):
            lines.append("")
        elif before is not None and block.start not in (None, 1):
            lines.append("")  # only a list from 1 may follow at once
        other = before is not None and before.kind == block.kind == "list" and not other
        if block.kind == "list":
            lines += _list(block, how, other=other)
        else:
            lines += _WRITTEN[block.kind](block, how)
    return lines


def _heading(block: Block, how: Spelling) -> list[str]:
    level = min(block.level + how.below, _SMALLEST_HEADING)
    return [f"{'#' * level} {_one_line(_markdown(block.spans, how))}"]


def _fenced(block: Block, _: Spelling) -> list[str]:
    text = block.spans[0].text
    fence = "`" * max(3, _longest_ticks(text) + 1)
    return [fence, *text.split("\n"), fence]


def _quoted(block: Block, how: Spelling) -> list[str]:
    return [f"> {line}".rstrip(" ") for line in _lines(block.parts, how)] or [">"]


def _list(block: Block, how: Spelling, *, other: bool) -> list[str]:
    lines: list[str] = []
    for number, item in enumerate(block.parts, start=block.start or 0):
        mark = ("* " if other else "- ") if block.start is None else f"{number}{').'[not other]} "
        inner = _lines(item.parts, how)
        tick = "" if item.ticked is None else how.ticks[item.ticked]
        first, rest = inner[:1] or [""], inner[1:]
        lines.append(f"{mark}{tick}{first[0]}")
        lines += [" " * len(mark) + line if line else "" for line in rest]
        if "" in inner and item is not block.parts[-1]:
            lines.append("")
    return lines


def _table(block: Block, how: Spelling) -> list[str]:
    rows = [
        f"| {' | '.join(_between_bars(each, how) for each in row.parts)} |" for row in block.parts
    ]
    rules = [_RULES.get(cell.align, "---") for cell in block.parts[0].parts]
    return [rows[0], f"| {' | '.join(rules)} |", *rows[1:]]


_RULES = {"left": ":--", "center": ":-:", "right": "--:"}


def cell(block: Block, how: Spelling) -> str:
    """A table's cell, in one line."""
    spans = [span._replace(text=span.text.replace("\n", " / ")) for span in block.spans]
    return _one_line(_markdown(spans, how))


def _between_bars(block: Block, how: Spelling) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", cell(block, how))


def _one_line(text: str) -> str:
    return " ".join(text.split("\n")).strip()


_WRITTEN: dict[Kind, Callable[[Block, Spelling], list[str]]] = {
    "heading": _heading,
    "paragraph": lambda block, how: _markdown(block.spans, how).strip().split("\n"),
    "code": _fenced,
    "quote": _quoted,
    "table": _table,
    "rule": lambda block, how: ["***"],
}
_MARKS: tuple[tuple[Style, str], ...] = (("strong", "**"), ("emphasis", "*"), ("struck", "~~"))


def _markdown(spans: Sequence[Span], how: Spelling) -> str:
    said = []
    for address, some in groupby(spans, key=lambda span: span.address):
        same = list(some)
        inside = _styled(same, how, 0)
        if address is None:
            said.append(inside)
            continue
        if can_be_followed(address):
            inside = f"[{inside}](<{address}>)"
        # As code, which no reader of Markdown turns into a second link.
        shown = "" if _says_itself(same, address) else f" ({_code(address)})"
        said.append(f"{inside}{shown}")
    return "".join(said)


def _styled(spans: Sequence[Span], how: Spelling, depth: int) -> str:
    """The outer style around as much as has it, so that no two marks meet."""
    if depth == len(_MARKS):
        return "".join(_code(s.text) if "code" in s.styles else how.said(s.text) for s in spans)
    style, mark = _MARKS[depth]
    said = []
    for has, some in groupby(spans, key=lambda span: style in span.styles):
        inside = _styled(list(some), how, depth + 1)
        core = inside.strip()
        said.append(inside.replace(core, f"{mark}{core}{mark}", 1) if has and core else inside)
    return "".join(said)


def _code(text: str) -> str:
    text = text.replace("\n", " ")
    ticks = "`" * (_longest_ticks(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}" if text.strip() else text


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _says_itself(spans: Sequence[Span], address: str) -> bool:
    return "".join(span.text for span in spans).strip() in (address, address[len("mailto:") :])


def as_html(parts: Sequence[Block]) -> str:
    return "\n".join(_ELEMENTS[part.kind](part) for part in parts)


BOXES = ("☐ ", "☑ ")


def _item(item: Block) -> str:
    if item.ticked is None:
        return f"<li>{as_html(item.parts)}</li>"
    first, *rest = item.parts
    ticked = replace(first, spans=(Span(BOXES[item.ticked]), *first.spans))
    return f"<li class=box>{as_html([ticked, *rest])}</li>"


def _listed(block: Block) -> str:
    if block.start is None:
        return f"<ul>{as_html(block.parts)}</ul>"
    return f"<ol start={block.start}>{as_html(block.parts)}</ol>"


def _whole_table(block: Block) -> str:
    head, *body = block.parts
    rows = [f"<thead>{_row(head, 'th')}</thead>", *(_row(row, "td") for row in body)]
    return f"<div class=wide><table>{''.join(rows)}</table></div>"


def _row(row: Block, tag: str) -> str:
    cells = []
    for cell in row.parts:
        align = f" style=text-align:{cell.align}" if cell.align in _RULES else ""
        cells.append(f"<{tag}{align}>{_inline(cell.spans)}</{tag}>")
    return f"<tr>{''.join(cells)}</tr>"


def _titled(block: Block) -> str:
    level = min(block.level + 1, _SMALLEST_HEADING)
    return f"<h{level}>{_inline(block.spans)}</h{level}>"


_ELEMENTS: dict[Kind, Callable[[Block], str]] = {
    "heading": _titled,
    "paragraph": lambda block: f"<p>{_inline(block.spans)}</p>",
    "code": lambda block: f"<pre>{_inline(block.spans)}</pre>",
    "list": _listed,
    "item": _item,
    "quote": lambda block: f"<blockquote>{as_html(block.parts)}</blockquote>",
    "table": _whole_table,
    "rule": lambda block: "<hr>",
}
_TAGS: dict[Style, str] = {"strong": "strong", "emphasis": "em", "struck": "s", "code": "code"}


def _inline(spans: Sequence[Span]) -> str:
    said = []
    for address, some in groupby(spans, key=lambda span: span.address):
        same = list(some)
        inside = "".join(map(_span, same))
        if address is not None and can_be_followed(address):
            link = html.escape(address)
            inside = f'<a href="{link}" rel="noopener noreferrer nofollow">{inside}</a>'
        if address is not None and not _says_itself(same, address):
            inside += f" <span class=address>({html.escape(address)})</span>"
        said.append(inside)
    return "".join(said)


def _span(span: Span) -> str:
    said = html.escape(span.text)
    for style, tag in _TAGS.items():
        if style in span.styles:
            said = f"<{tag}>{said}</{tag}>"
    return said
