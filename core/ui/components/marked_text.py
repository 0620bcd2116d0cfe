"""A text as it stands, with what was searched for marked in it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

_CSS = """
pre {
  margin: 0;
  padding: 1rem;
  font-family: var(--st-code-font);
  font-size: 0.875rem;
  line-height: 1.6;
  white-space: pre-wrap;
  overflow-wrap: anywhere;
  color: var(--st-text-color);
  background: var(--st-code-background-color);
  border-radius: var(--st-base-radius);
}
mark {
  border-radius: 2px;
  color: inherit;
  font-weight: 600;
  background: var(--st-yellow-background-color);
  box-shadow: inset 0 -2px 0 var(--st-yellow-color);
}
"""
# Only text goes in, never markup: what is shown may come from a model.
_JS = """
export default function ({ data, parentElement }) {
  const text = parentElement.querySelector("pre");
  text.replaceChildren(...data.map(([piece, hit]) => {
    if (!hit) return piece;
    const mark = document.createElement("mark");
    mark.textContent = piece;
    return mark;
  }));
}
"""
_component = st.components.v2.component(
    "manyways.marked_text", html="<pre></pre>", css=_CSS, js=_JS
)


def marked_text(pieces: Sequence[tuple[str, bool]], *, key: str) -> None:
    """Pieces in order, each with whether it is a hit."""
    _component(key=f"marked {key}", data=[list(piece) for piece in pieces])
