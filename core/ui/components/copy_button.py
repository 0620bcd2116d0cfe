"""A button that puts a text on the clipboard."""

from __future__ import annotations

from core.ui.components.component import component

_component = component(
    "manyways_copy_button",
    __file__,
    (
        '<button type="button"><span class="icon" aria-hidden="true">content_copy</span>'
        '<span class="label"></span></button><span role="status" class="unseen"></span>'
    ),
)


def copy_button(text: str, *, key: str, label: str = "Copy") -> None:
    _component(key=key, data={"text": text, "label": label}, width="content")
