"""A model's Markdown on a page: made anew from its parts, so that nothing in it acts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import streamlit as st

from core.reading import Block, Span, blocks
from core.ui.show import plain

_SMALLEST_HEADING = 6
_BELOW = 3  # levels that a text's headings stand below those of a page


def read_view(text: str) -> None:
    """Show `text` as its writer meant it, as far as that is safe."""
    for kind, group in groupby(blocks(text), key=lambda block: _shown_as(block)):
        some = list(group)
        if kind == "text":
            st.markdown(_markdown(some))
        else:
            lines = "\n".join(span.text for block in some for span in block.spans)
            st.code(lines, language=None, wrap_lines=True)


def _shown_as(block: Block) -> str:
    return block.kind if block.kind in ("code", "table") else "text"


def _markdown(some: Sequence[Block]) -> str:
    lines = []
    for block, following in zip(some, [*some[1:], None], strict=True):
        lines.append(_line(block))
        if block.kind != "point" or following is None or following.kind != "point":
            lines.append("")
    return "\n".join(lines)


def _line(block: Block) -> str:
    said = "".join(map(_span, block.spans))
    if block.kind == "heading":
        return f"{'#' * min(block.level + _BELOW, _SMALLEST_HEADING)} {said.strip()}"
    if block.kind == "point":
        return f"{'    ' * min(block.level, 3)}{block.mark} {said.strip()}"
    return said


def _span(span: Span) -> str:
    text = span.text.strip()
    if span.style == "plain" or not text:
        return plain(span.text)
    if span.style == "code":
        return f"`{text}`"
    mark = "**" if span.style == "strong" else "*"
    return f"{mark}{plain(text)}{mark}"
