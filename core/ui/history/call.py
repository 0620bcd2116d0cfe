"""Call: one call on a page of its own."""

from __future__ import annotations

import streamlit as st

from core.ui import show
from core.ui.history import details
from core.values.errors import HistoryUnavailable


def _call() -> None:
    address = st.query_params.get("call", "")
    call = details.call_of(address)
    if call is None:
        st.warning("There is no call at this address. Choose one under History.")
        st.page_link("history/history.py", label="History", icon=":material/history:")
        return
    st.title(f"Call {call.id}")
    running = call.status == "running"

    @st.fragment(run_every=1.0 if running else None)
    def view() -> None:
        details.call_view(
            details.call_of(address) or call, whole=True, text=st.query_params.get("text", "")
        )

    view()


try:
    _call()
except HistoryUnavailable as error:
    st.title("Call")
    st.error(show.plain(f"{error.message} {error.action}"), icon=":material/database_off:")
    st.button("Try again", icon=":material/refresh:")
