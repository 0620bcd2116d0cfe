"""What may be chosen for a run: what comes after the plan, how it is written, its limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from core.running.steps.progress import MOST_SIDE_BY_SIDE
from core.ui import actions as acting
from core.ui import show
from core.ui.run import forecast
from core.ui.services import services
from core.ui.settings.limit_form import CEILINGS, ceiling, not_whole
from core.values.runs import Limits, RunRequest

_AFTER = {
    "look": "Show me the plan first",
    "run": "Carry it out at once",
}
_LENGTHS = {"Short": 1000, "Usual": 2000, "Long": 4000, "Very long": 8000}  # tokens
_PATIENCE = 600.0  # seconds that a plan may take, while nothing else was chosen
_TOGETHER = "steps at once"  # not the key of Settings, whose field is no slider


def after(request: RunRequest) -> RunRequest:
    """With what happens once there is a plan, and who may see the goal."""
    engine = services().engine
    chosen = engine.choices.get("after_planning")
    acting.follow("after planning", chosen if chosen in _AFTER else "look")
    wanted = st.segmented_control(
        "Once there is a plan",
        list(_AFTER),
        required=True,
        format_func=_AFTER.__getitem__,
        key="after planning",
        width="stretch",
        on_change=acting.keep,
        args=("after_planning", "after planning"),
    )
    private = st.toggle(
        "Private: this stays on this computer",
        key="private",
        persist_state="session",
        help="Only BitNet on this computer is asked, and nobody else, whatever happens.",
    )
    if wanted == "run":
        st.caption(show.plain(forecast.for_a_goal()))
    if private and (fault := engine.lineup.why_not_private()):
        st.caption(f":orange[:material/warning:] {show.plain(fault)}")
    return replace(request, execute=wanted == "run", approve=wanted == "look", private=private)


def more(request: RunRequest) -> RunRequest:
    """With how it is written, for as long as the window is open, and what one run may take."""
    temperature = st.slider(
        "Temperature",
        0.0,
        2.0,
        request.temperature,
        0.1,
        key="temperature",
        persist_state="session",
        help="Low: to the point and much the same each time. High: more varied.",
    )
    length = st.select_slider(
        "Length of the answer",
        list(_LENGTHS),
        "Usual",
        key="length",
        persist_state="session",
        help="How much a provider may write. More takes longer and costs more.",
    )
    acting.follow(_TOGETHER, services().engine.side_by_side)
    together = st.slider(
        "Steps side by side",
        1,
        MOST_SIDE_BY_SIDE,
        key=_TOGETHER,
        help="How many steps may be under way at once.",
        on_change=acting.keep,
        args=("side_by_side", _TOGETHER),
    )
    st.markdown(":small[Limits]", help="A run that reaches one stops, and can go on with more.")
    return replace(
        request,
        temperature=temperature,
        max_tokens=_LENGTHS[length],
        side_by_side=together,
        limits=limit_fields(_limits(), key="limit", kept=True),
    )


def _limits() -> Limits:
    engine = services().engine
    unset = engine.choices.get("limits") is None
    return Limits(seconds=_PATIENCE) if unset else engine.limits


def limit_fields(now: Limits, *, key: str, kept: bool = False) -> Limits | None:
    """The four limits as fields. `kept`: each becomes the choice for every run as soon as it is
    changed, and one that is set is taken away by a button; else an empty one is none.

    None: a number cannot be meant, which stands beside its field.
    """
    left, right = st.columns(2)
    faults: list[str] = []

    def field(where: Any, name: str, label: str, *, unit: float = 1, **how: Any) -> Any:
        """`unit`: how much of the limit is one of the field's."""
        row, known, own = CEILINGS[name], getattr(now, name), f"{key} {name}"

        def keep(value: float | None) -> None:
            change: dict[str, Any] = {name: value}
            limits = replace(_limits(), **change)
            services().engine.control.choose("limits", limits.as_json())

        if kept:
            with where:
                ceiling(name, label, known, keep, key=own, unit=unit, **how)
            return known
        amount = where.number_input(
            label,
            min_value=float(min(row.least, known or row.least) / unit),
            value=None if known is None else float(known / unit),
            key=own,
            **{"format": "%.10g" if row.whole else "%.4g", "placeholder": "No limit", **how},
        )
        if amount is None or not row.whole:
            return amount and amount * unit
        if fault := not_whole(amount):
            where.error(f"{fault}.", icon=":material/error:")
            faults.append(fault)
        return int(amount)

    patience = services().engine.policy.run_timeout / 60
    limits = Limits(
        field(
            left,
            "seconds",
            "Minutes of work",
            unit=60,
            step=1.0,
            format="%.4g",
            placeholder=f"{patience:.2g}, as for any run",
        ),
        field(right, "calls", "Calls", step=1.0),
        field(
            left,
            "usd",
            "Dollars for a run",
            step=0.1,
            help="Calls whose price is known are counted. The call that crosses it is the last.",
        ),
        field(
            right,
            "usd_per_day",
            "Dollars for a day",
            step=1.0,
            help="All runs together, since midnight on the computer that Manyways runs on.",
        ),
    )
    return None if faults else limits
