"""The limits that a person may set: how long, how often, how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from core.config import limits
from core.config.limits import LIMITS
from core.running.steps.progress import MOST_SIDE_BY_SIDE, SIDE_BY_SIDE
from core.ui import actions as acting
from core.ui import show
from core.ui.actions import done
from core.ui.services import services

_REFUSED = "limit refused"  # of which field, and why
_FROM = {"default": "the default", "environment": "from the environment", ".env": "from .env"}


@dataclass(frozen=True, slots=True)
class Ceiling:
    """One field of core.values.runs.Limits; without a value there is no limit."""

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
    "usd": Ceiling("Cost of a run, in US dollars", "Of the calls whose price is known.", 0.01, 0.1),
    "usd_per_day": Ceiling(
        "Cost of a day, in US dollars",
        "All runs together, since midnight on this computer.",
        0.01,
        1.0,
    ),
}


def form() -> None:
    st.markdown("**Patience with providers**")
    grid = st.grid(2, min_column_width=300, gap="medium")
    for key in LIMITS:
        with grid.container(gap="xsmall"):
            _patience(key)
    st.markdown("**What one run may take**")
    st.caption("A field without a number is no limit. A run that reaches one can be continued.")
    grid = st.grid(2, min_column_width=300, gap="medium")
    with grid.container(gap="xsmall"):
        _side_by_side()
    for name in CEILINGS:
        with grid.container(gap="xsmall"):
            _ceiling(name)


def number(
    label: str,
    known: float | None,
    keep: Callable[[float], object],
    *,
    key: str,
    least: float,
    whole: bool = False,
    **how: Any,
) -> None:
    """A field for a number that is kept as soon as it is another one; a refusal stands beneath.

    A number that is there cannot be emptied: whoever clears the field, or types letters, gets back
    what holds. `known` is what holds now, whoever set it.
    """
    acting.follow(key, None if known is None else float(known))

    def changed() -> None:
        value = st.session_state[key]
        if value is None:
            return
        st.session_state[_REFUSED] = (key, _kept(value, keep, whole=whole))

    st.number_input(
        label,
        # Also what was kept when less could be set: it is shown as it is.
        min_value=float(least if known is None else min(least, known)),
        value=None if known is None else float(known),  # what a field that is cleared goes back to
        key=key,
        on_change=changed,
        **{"format": "%.10g", **how},
    )
    of, fault = st.session_state.get(_REFUSED, ("", None))
    if of == key and fault:
        st.error(show.plain(fault), icon=":material/error:")


def not_whole(value: float) -> str | None:
    whole = value == int(value)
    return None if whole else f"This must be a whole number, and {value:g} is none"


def _kept(value: float, keep: Callable[[float], object], *, whole: bool) -> str | None:
    """Why it was not; None if it was."""
    if not whole:
        return acting.why_not(keep, value)
    if fault := not_whole(value):
        return f"{fault}; nothing was changed."
    return acting.why_not(keep, int(value))


def _patience(key: str) -> None:
    engine, row = services().engine, LIMITS[key]
    settings, choices = engine.settings, engine.choices
    default = getattr(settings, row.setting)
    in_force = limits.in_force(settings, choices, key)
    chosen = limits.chosen(settings, choices, key)
    least, most = limits.span(settings, key)
    number(
        f"{row.label} ({row.unit})",
        in_force,
        lambda value: engine.control.choose(key, None if value == default else value),
        key=f"limit {key}",
        least=least,
        whole=row.whole,
        max_value=float(most),
        step=1.0,
        help=row.help,
    )
    origin = _FROM[settings.origin[row.variable]]
    if chosen is None:
        st.caption(f"{origin.capitalize()}. From {least:g} to {most:g}.")
        return
    line = st.container(horizontal=True, vertical_alignment="center")
    said = f"Chosen here; {default:g} is {origin}."
    if chosen != in_force:
        said = f"{chosen:g} was chosen, which is more than a run may take. {said}"
    line.caption(said)
    line.button(
        f"Back to {default:g}",
        key=f"default {key}",
        type="tertiary",
        on_click=done,
        args=(engine.control.choose, key, None),
    )


def _side_by_side() -> None:
    engine = services().engine
    number(
        "Steps side by side",
        engine.side_by_side,
        lambda value: engine.control.choose(
            "side_by_side", None if value == SIDE_BY_SIDE else value
        ),
        key="side by side",
        least=1,
        whole=True,
        max_value=float(MOST_SIDE_BY_SIDE),
        step=1.0,
        help="How many steps of a plan may be under way at once, when they do not wait for "
        "each other.",
    )


def _ceiling(name: str) -> None:
    engine, row = services().engine, CEILINGS[name]
    known = getattr(engine.limits, name)

    def keep(value: float | None) -> None:
        change: dict[str, Any] = {name: value}
        kept = replace(engine.limits, **change)
        engine.control.choose("limits", kept.as_json() or None)

    ceiling(name, row.label, known, keep, key=f"ceiling {name}", help=row.help)


def ceiling(
    name: str,
    label: str,
    known: float | None,
    keep: Callable[[float | None], object],
    *,
    key: str,
    unit: float = 1,
    **how: Any,
) -> None:
    """One of CEILINGS as a field, and a button to be without it. `unit`: how much one is."""
    row = CEILINGS[name]
    number(
        label,
        None if known is None else known / unit,
        lambda value: keep(value * unit),
        key=key,
        least=row.least / unit,
        whole=row.whole,
        **{"step": float(row.step), "placeholder": "No limit", **how},
    )
    if known is not None:
        st.button(
            "Remove this limit",
            key=f"without {key}",
            type="tertiary",
            on_click=done,
            args=(keep, None),
        )
