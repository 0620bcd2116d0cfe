"""Shows a model's Markdown, rendered anew from its parts so that nothing in it acts."""

from __future__ import annotations

from itertools import groupby

import pandas as pd
import streamlit as st

from core.ui.show import plain, without_pictures
from core.web.markdown import Block, blocks
from core.web.rendering import BOXES, Spelling, as_markdown, cell

_PAGE = Spelling(plain, BOXES, below=3)  # a text's headings stand below those of a page
_APART = ("code", "table")  # these have room of their own: a wide one scrolls on a phone


def read_view(text: str) -> None:
    """Show `text` as its writer meant it, as far as that is safe."""
    for kind, some in groupby(blocks(text), key=lambda block: block.kind in _APART and block.kind):
        if not kind:
            st.markdown(without_pictures(as_markdown(list(some), _PAGE)))
            continue
        for block in some:
            if kind == "code":
                st.code(block.spans[0].text, language=None, wrap_lines=True)
            else:
                st.table(_frame(block), width="content")


def _frame(table: Block) -> pd.DataFrame:
    head, *body = [
        [without_pictures(cell(each, _PAGE)) for each in row.parts] for row in table.parts
    ]
    # A frame's columns need a name each; the ending is not seen.
    names = [name + "\u2060" * number for number, name in enumerate(head)]
    return pd.DataFrame(body, columns=names)
