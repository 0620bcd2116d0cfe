"""A button that puts a text on the clipboard."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_HERE = Path(__file__)

_component = st.components.v2.component(
    "manyways_copy_button",
    html=(
        '<button type="button"><span class="icon" aria-hidden="true">content_copy</span>'
        '<span class="label"></span></button><span role="status" class="unseen"></span>'
    ),
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=_HERE.with_suffix(".js").read_text(encoding="utf-8"),
)


def copy_button(text: str, *, key: str, label: str = "Copy") -> None:
    _component(key=key, data={"text": text, "label": label}, width="content")
