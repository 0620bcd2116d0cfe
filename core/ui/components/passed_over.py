"""The list of providers that were set up and yet not asked, with the reasons."""

from __future__ import annotations

import streamlit as st

from core.routing.skips import passed_over
from core.ui import show
from core.values.registry import label_of
from core.values.runs import RunRecord
from core.values.telling.attempts import skip_in_short
from core.values.wording import moment_near


def passed_over_view(run: RunRecord) -> None:
    """A grey line each; nothing where nobody was passed over, or where it was not recorded."""
    skips = passed_over(run.decisions)
    if not skips:
        return
    zone = st.context.timezone
    with st.container(gap="xxsmall"):
        for skip in skips:
            until = skip.until
            back = "" if until is None else f"at {moment_near(until, run.started_at, zone)}"
            why = skip_in_short(skip, back=back)
            if skip.reason == "needs_attention":
                why = f"it {why}"
            words = f"{label_of(skip.provider)} · not asked: {why}"
            st.markdown(f":small[:gray[:material/block: {show.plain(words)}]]")
