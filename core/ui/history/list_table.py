"""The History table: cards on a phone, links for the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import streamlit as st

from core.ui.components.component import component

Kind = Literal["when", "chip", "text", "found", "chain", "number"]


@dataclass(frozen=True, slots=True)
class ListColumn:
    """`place` is where it stands on a phone's card; level 3 gives way first, then level 2.

    What a cell of each kind holds:
    when: {at (UTC seconds), exact, title}; chip: {tone, sign, word, title};
    text: {text, title, tag}; found: [[text, whether it is a hit], ...];
    chain: {links: [{text, tone, here, apart}], title}; number: str, {since} while it runs, or None.
    """

    id: str
    label: str
    kind: Kind
    place: Literal["head", "body", "foot"] = "foot"
    level: Literal[1, 2, 3] = 1
    wide: bool = False  # takes what room is left


@dataclass(frozen=True, slots=True)
class ListRow:
    id: str
    href: str
    name: str  # what a screen reader calls the link
    cells: Sequence[Any]


_component = component("manyways.history_table", __file__, '<div class="frame"></div>')


def table(
    columns: Sequence[ListColumn],
    rows: Sequence[ListRow],
    *,
    label: str,
    key: str,
    picked: str | None,
    on_open: Callable[[str], None],
) -> None:
    """Show the rows; a click anywhere in one, or Enter on its link, calls `on_open` with its id."""

    def opened() -> None:
        chosen = st.session_state[key].get("open")
        if isinstance(chosen, str):
            on_open(chosen)

    _component(
        key=key,
        data={
            "label": label,
            "picked": picked,
            "columns": [asdict(column) for column in columns],
            "rows": [asdict(row) for row in rows],
        },
        on_open_change=opened,
    )
