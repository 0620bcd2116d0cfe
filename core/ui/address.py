"""The address of a page, which both the browser and the page change.

What the browser asks for carries the address of that moment. If it looked just before it learned of
a new one, it brings the old one along, and a page drawn with that takes back what was just chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_Address = dict[str, list[str]]
_CHANGED = "address changed"
_DRAWN = "address drawn"
_ON = "page drawn"


def go_to(asked: Mapping[str, Sequence[str] | str], *, of: str | None = None) -> None:
    """Make `asked` all that the address asks for. In one go: each change is a step of Back.

    Not if it asks for that already, nor when the page `of` this path was left: a look that comes
    late, or together with a click that leads elsewhere, may bring along what a widget said that has
    gone since, and Streamlit takes this for a choice.
    """
    before = now()
    if _left(of) or before == {
        name: [v] if isinstance(v, str) else [*v] for name, v in asked.items()
    }:
        return
    st.query_params.from_dict(asked)
    st.session_state[_CHANGED] = (before, now())


@contextmanager
def drawing(path: str = "") -> Iterator[None]:
    """While the page of that path is drawn: with the address that it changed to, if it did."""
    st.session_state[_ON] = (path, _page())
    before, after = st.session_state.pop(_CHANGED, (None, None))
    if before is not None and before == now() != after and not _gone_back():
        st.query_params.from_dict(after)
    try:
        yield
    finally:
        st.session_state[_DRAWN] = now()


def redraw() -> None:
    """Draw the page anew, from a part that looks now and then; or leave that to the next look."""
    if now() == st.session_state.get(_DRAWN):
        st.rerun()


def _gone_back() -> bool:
    """Whether the browser's Back or Forward asked for the page: it means the older address."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def _left(path: str | None) -> bool:
    """Whether that page is not the one that was drawn last, or not the one that is asked for."""
    drawn = st.session_state.get(_ON)
    return None not in (path, drawn) and drawn != (path, _page())


def _page() -> str | None:
    context = get_script_run_ctx()
    return context.page_script_hash if context else None


def now() -> _Address:
    """What the address asks for."""
    return {name: st.query_params.get_all(name) for name in st.query_params}
