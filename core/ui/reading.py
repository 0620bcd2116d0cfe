"""A model's Markdown on a page: made anew from its parts, so that nothing in it acts."""

from __future__ import annotations

from itertools import groupby

import streamlit as st

from core.reading import blocks
from core.rendering import BOXES, Look, as_markdown
from core.ui.show import plain

_PAGE = Look(plain, BOXES, below=3)  # a text's headings stand below those of a page


def read_view(text: str) -> None:
    """Show `text` as its writer meant it, as far as that is safe."""
    for is_code, some in groupby(blocks(text), key=lambda block: block.kind == "code"):
        if is_code:
            for block in some:
                st.code(block.spans[0].text, language=None, wrap_lines=True)
        else:
            st.markdown(as_markdown(list(some), _PAGE))
