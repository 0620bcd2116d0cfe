"""The limits that a person may set: how long, how often, how much."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from core import limits
from core.execution import MOST_SIDE_BY_SIDE, SIDE_BY_SIDE
from core.limits import LIMITS
from core.ui import show
from core.ui.acting import done
from core.ui.services import services

_FROM = {"default": "the default", "environment": "from the environment", ".env": "from .env"}


@dataclass(frozen=True, slots=True)
class Ceiling:
    """One field of core.meter.Limits; without a value there is no limit."""

    label: str
    help: str
    least: float  # on the Run page, too; what is kept already may be smaller, and stays
    step: float
    whole: bool = False


CEILINGS: dict[str, Ceiling] = {
    "seconds": Ceiling(
        "Working time of a run (s)",
        "Plan and steps together. The time that a plan waits for you does not count.",
        6.0,  # a tenth of a minute, which is what the Run page counts in
        10.0,
    ),
    "calls": Ceiling("Calls of a run", "Requests sent, failed ones too.", 1, 1, whole=True),
    "usd": Ceiling("Cost of a run (US $)", "Of the calls whose price is known.", 0.01, 0.1),
    "usd_per_day": Ceiling(
        "Cost of a day (US $)", "All runs together, since midnight on this computer.", 0.01, 1.0
    ),
}


def form() -> None:
    st.markdown("**Patience with providers**")
    grid = st.grid(2, min_column_width=300, gap="medium")
    for key in LIMITS:
        with grid.container(gap="xsmall"):
            _patience(key)
    st.markdown("**What one run may take**")
    st.caption("An empty field is no limit. A run that reaches one stops and can be continued.")
    grid = st.grid(2, min_column_width=300, gap="medium")
    with grid.container(gap="xsmall"):
        _side_by_side()
    for name in CEILINGS:
        with grid.container(gap="xsmall"):
            _ceiling(name)


def _patience(key: str) -> None:
    engine, row = services().engine, LIMITS[key]
    kind = int if row.whole else float
    default = getattr(engine.settings, row.setting)
    field = f"limit {key}"
    st.session_state[field] = kind(limits.in_force(engine.settings, engine.choices, key))

    def keep() -> None:
        value = st.session_state[field]
        done(engine.control.choose, key, None if value in (None, default) else value)

    st.number_input(
        f"{row.label} ({row.unit})",
        min_value=kind(min(row.least, default)),
        max_value=kind(max(row.most, default)),
        step=kind(1),
        format="%d" if row.whole else "%g",
        key=field,
        help=row.help,
        on_change=keep,
    )
    origin = _FROM[engine.settings.origin[row.variable]]
    if limits.chosen(engine.choices, key) is None:
        st.caption(f"{origin.capitalize()}. From {row.least:g} to {row.most:g}.")
        return
    line = st.container(horizontal=True, vertical_alignment="center")
    line.caption(f"Chosen here; {default:g} is {origin}.")
    line.button(
        f"Back to {default:g}",
        key=f"default {key}",
        type="tertiary",
        on_click=done,
        args=(engine.control.choose, key, None),
    )


def _side_by_side() -> None:
    engine = services().engine
    chosen = engine.choices.get("side_by_side")
    st.session_state["side by side"] = chosen if isinstance(chosen, int) else SIDE_BY_SIDE

    def keep() -> None:
        value = st.session_state["side by side"]
        done(engine.control.choose, "side_by_side", None if value == SIDE_BY_SIDE else value)

    st.number_input(
        "Steps side by side",
        min_value=1,
        max_value=MOST_SIDE_BY_SIDE,
        key="side by side",
        help="How many steps of a plan may be under way at once, when they do not wait for "
        "each other.",
        on_change=keep,
    )


def _ceiling(name: str) -> None:
    engine, row = services().engine, CEILINGS[name]
    kind = int if row.whole else float
    known = getattr(engine.limits, name)
    field = f"ceiling {name}"
    st.session_state[field] = None if known is None else kind(known)

    def keep() -> None:
        kept = replace(engine.limits, **{name: st.session_state[field] or None})
        done(engine.control.choose, "limits", kept.as_json() or None)

    st.number_input(
        show.plain(row.label),
        min_value=kind(min(row.least, known or row.least)),
        step=kind(row.step),
        format="%d" if row.whole else "%g",
        value=None,
        placeholder="no limit",
        key=field,
        help=row.help,
        on_change=keep,
    )
