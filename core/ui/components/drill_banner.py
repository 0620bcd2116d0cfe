"""The banner of a fire drill: on every page, with the button that ends it."""

from __future__ import annotations

import time

import streamlit as st

from core.ui import show
from core.ui.address import redraw
from core.ui.services import services
from core.values.registry import label_of
from core.values.wording import seconds_in_words

_SHOWN = "drills shown"


def _names() -> tuple[str, ...]:
    return tuple(drill.provider for drill in services().engine.control.drills.under_way())


def banner() -> None:
    """Nothing while there is no drill."""
    names = _names()
    st.session_state[_SHOWN] = names
    if names:
        _banner()


def watch() -> None:
    """Within any fragment that runs now and then: draw the page anew when drills come or go."""
    if st.session_state.get(_SHOWN, ()) != _names():
        redraw()


@st.fragment(run_every=1)
def _banner() -> None:
    drills = services().engine.control.drills
    if st.session_state.get(_SHOWN, ()) != _names():
        redraw()
    with st.container(key="fire_drill", border=True):
        for drill in drills.under_way():
            label = label_of(drill.provider)
            row = st.container(horizontal=True, vertical_alignment="center")
            left = seconds_in_words(max(0.0, drill.until - time.time()))
            row.markdown(
                f":orange[:material/local_fire_department:] **Fire drill.** {show.plain(label)} is "
                f"pretended down for another {left}. It is asked nothing, and no figure counts it."
            )
            if row.button(f"End the drill of {label}", key=f"end drill {drill.provider}"):
                drills.end(drill.provider)
                st.rerun()
