"""Doing what a person asked for, and saying so when it cannot be done."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.errors import RunError
from core.ui import show


def done(act: Callable[..., object], *values: object, **named: object) -> None:
    """Do it; if that fails, a note says why and what to do."""
    try:
        act(*values, **named)
    except RunError as error:
        st.toast(show.plain(f"{error.message} {error.action}"), icon=":material/error:")
