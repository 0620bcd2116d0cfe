"""A list put in order by dragging, by touch, by arrow keys and by buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from core.ui.components.component import component

_component = component(
    "manyways_order_list",
    __file__,
    (
        "<ol></ol>"
        '<p id="how" class="unseen">The arrow keys move it; Home and End move it all the way.</p>'
        '<p role="status" class="unseen"></p>'
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    label: str
    kind: str  # of core.running.preview.Standing
    icon: str  # a Material symbol's name
    state: str  # in words


def order_list(
    rows: Sequence[Row], *, key: str, label: str, on_order: Callable[[list[str]], None]
) -> None:
    """Show `rows`; `on_order` gets all their names in the order that somebody gave them."""
    known = [row.name for row in rows]

    def moved() -> None:
        event = st.session_state[key].moved
        order = event.get("order") if isinstance(event, dict) else None
        # A window that was open before may know other rows than there are now.
        if isinstance(order, list) and sorted(map(str, order)) == sorted(known):
            on_order(order)

    _component(
        key=key,
        data={"label": label, "rows": [asdict(row) for row in rows]},
        on_moved_change=moved,
    )
