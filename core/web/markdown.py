"""The parser of a model's Markdown: headings, lists, tables, code and paragraphs alone.

What is shown or exported is made anew from these parts, so that an image or a tag in the text
stays text, and an address is followed by nobody but its reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from typing import Literal, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

Kind = Literal[
    "heading", "paragraph", "code", "list", "item", "quote", "table", "row", "cell", "rule"
]
Style = Literal["strong", "emphasis", "struck", "code"]
LONGEST = 100_000  # characters; what is longer is no Markdown, but one block of text


class Span(NamedTuple):
    """Text in one style. `address` is where a link or an image in the text points."""

    text: str
    styles: frozenset[Style] = frozenset()
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A table holds rows, a row cells; a list holds items, and an item and a quote any blocks."""

    kind: Kind
    spans: tuple[Span, ...] = ()
    parts: tuple[Block, ...] = ()
    level: int = 0  # of a heading, 1..6
    start: int | None = None  # the first number of a list; None: it has none
    ticked: bool | None = None  # an item's box; None: it has none
    align: str = ""  # a cell's: left, center, right


@lru_cache(maxsize=64)
def blocks(text: str) -> tuple[Block, ...]:
    """The parts of `text`, in its order."""
    if len(text) > LONGEST:
        return (Block("code", (Span(_inert(text)),)),)
    return _parts(iter(_PARSER.parse(text)))


def can_be_followed(address: str) -> bool:
    return _FOLLOWED.match(address) is not None


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    # An address that nobody may follow is read as well, for its text and itself to be shown.
    parser.validateLink = lambda url: True  # type: ignore[method-assign] # its documented way
    return parser


_PARSER = _parser()
_FOLLOWED = re.compile(r"https?://[^/]|mailto:.", re.IGNORECASE)
# What turns the writing around, and what no text has.
_ACTING = re.compile(r"[\u202a-\u202e\u2066-\u2069\ufeff\x00-\x08\x0b-\x1f\x7f]")
_BREAK = re.compile(r"<br\s{0,9}/?>", re.IGNORECASE)
_TICK = re.compile(r"\[([ xX])\]\s+")
_HOLDS: dict[str, Kind] = {
    "bullet_list": "list",
    "ordered_list": "list",
    "list_item": "item",
    "blockquote": "quote",
    "table": "table",
    "tr": "row",
}
_SAYS: dict[str, Kind] = {
    "heading": "heading",
    "paragraph": "paragraph",
    "th": "cell",
    "td": "cell",
}
_STYLES: dict[str, Style] = {"strong": "strong", "em": "emphasis", "s": "struck"}


def _parts(tokens: Iterator[Token]) -> tuple[Block, ...]:
    """What stands until the block that `tokens` are in ends."""
    found: list[Block] = []
    for token in tokens:
        name = token.type.removesuffix("_open")
        if name in _HOLDS:
            found.append(_holding(_HOLDS[name], token, _parts(tokens)))
        elif name in _SAYS:
            spans = _spans(next(tokens).children or ())
            next(tokens)  # its end
            found.append(_saying(_SAYS[name], token, spans))
        elif token.type in ("fence", "code_block"):
            found.append(Block("code", (Span(_inert(token.content.removesuffix("\n"))),)))
        elif token.type == "hr":
            found.append(Block("rule"))
        elif name in ("thead", "tbody"):
            found += _parts(tokens)
        elif token.nesting < 0:
            break
    return tuple(found)


def _holding(kind: Kind, token: Token, parts: tuple[Block, ...]) -> Block:
    if token.type == "ordered_list_open":
        return Block(kind, parts=parts, start=int(token.attrGet("start") or 1))
    first = parts[0] if kind == "item" and parts else None
    if first and first.kind == "paragraph" and first.spans:
        span = first.spans[0]
        if not span.styles and span.address is None and (tick := _TICK.match(span.text)):
            rest = (span._replace(text=span.text[tick.end() :]), *first.spans[1:])
            whole = (replace(first, spans=rest), *parts[1:])
            return Block(kind, parts=whole, ticked=tick[1] != " ")
    return Block(kind, parts=parts)


def _saying(kind: Kind, token: Token, spans: tuple[Span, ...]) -> Block:
    if kind == "heading":
        return Block(kind, spans, level=int(token.tag[1:]))
    style = str(token.attrGet("style") or "")
    return Block(kind, spans, align=style.removeprefix("text-align:"))


def _spans(tokens: Sequence[Token]) -> tuple[Span, ...]:
    pieces = [piece for piece in _pieces(tokens) if piece.text]
    joined = []
    for (styles, address), same in groupby(pieces, key=lambda piece: piece[1:]):
        text = "".join(piece.text for piece in same)
        joined.append(Span(text if "code" in styles else _BREAK.sub("\n", text), styles, address))
    return tuple(joined)


def _pieces(tokens: Sequence[Token]) -> Iterator[Span]:
    styles: list[Style] = []
    address: str | None = None
    for token in tokens:
        style = _STYLES.get(token.type.rpartition("_")[0])
        if style and token.nesting > 0:
            styles.append(style)
        elif style:
            styles.remove(style)
        elif token.type in ("link_open", "link_close"):
            address = _address(token, "href")
        else:
            yield _piece(token, styles, address)


def _piece(token: Token, styles: Sequence[Style], address: str | None) -> Span:
    if token.type in ("softbreak", "hardbreak"):
        return Span("\n", frozenset(styles), address)
    if token.type == "image":
        return Span(_inert(token.content) or "image", frozenset(styles), _address(token, "src"))
    if token.type == "code_inline":
        styles = [*styles, "code"]
    return Span(_inert(token.content), frozenset(styles), address)


def _address(token: Token, attribute: str) -> str | None:
    return _inert(str(token.attrGet(attribute) or "")) or None


def _inert(text: str) -> str:
    return _ACTING.sub("", text)
