"""The welcome: what Manyways is, in three sentences, on the first visit alone."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from core.ui.services import services
from core.values.errors import HistoryUnavailable

_SEEN = "welcomed"
_HERE = "welcome"  # in this window, until it is closed


def welcome() -> None:
    choices = services().engine.choices
    if not choices.get(_SEEN):
        st.session_state[_HERE] = True
        with suppress(HistoryUnavailable):  # then it is explained once more, which harms nobody
            choices.set(_SEEN, True)
    if st.session_state.get(_HERE):
        _card()


def _card() -> None:
    with st.container(key="welcome", border=True, gap="small"):
        st.markdown(
            "**Welcome.** Write down a goal, and one of seven AI providers turns it into a plan."
            " If one fails, the next is asked by itself, and you see who was asked and why."
            " All of it is kept on this computer, under History."
        )
        st.button("Got it", icon=":material/check:", type="tertiary", on_click=_close)


def _close() -> None:
    st.session_state[_HERE] = False
