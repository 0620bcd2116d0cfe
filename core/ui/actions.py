"""Does what a click asks for, and shows the error where it cannot be done."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.ui import show
from core.ui.services import services
from core.values.errors import BadRequest, RunError


def done(act: Callable[..., object], *values: object, **named: object) -> None:
    """Do it; if that fails, a note says why and what to do."""
    if fault := why_not(act, *values, **named):
        st.toast(show.plain(fault), icon=":material/error:")


def why_not(act: Callable[..., object], *values: object, **named: object) -> str | None:
    """Do it; if that fails, why and what to do."""
    try:
        act(*values, **named)
    except BadRequest as error:
        return str(error)
    except RunError as error:
        return f"{error.message} {error.action}"
    return None


def keep(key: str, field: str) -> None:
    """Make what the widget `field` shows the choice `key`; for its `on_change`."""
    done(services().engine.control.choose, key, st.session_state[field])


def follow(field: str, chosen: object) -> None:
    """Have a widget about to be drawn show what is chosen, in whichever tab that was.

    `field` is its key, which no widget of another page may have.
    """
    # Only what differs: setting it anew would undo what is being typed at this moment.
    if st.session_state.get(field) != chosen:
        st.session_state[field] = chosen
