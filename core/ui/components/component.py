"""Makes a component of the files beside a module: its script, and its style with what all share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

_SHARED = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")


def component(name: str, module: str, html: str) -> Any:
    """`module` is the file of the one who draws it; `.css` and `.js` stand beside it."""
    style, script = (
        Path(module).with_suffix(ending).read_text(encoding="utf-8") for ending in (".css", ".js")
    )
    return st.components.v2.component(name, html=html, css=_SHARED + style, js=script)
