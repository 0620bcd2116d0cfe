"""Chips for the filters that have no field: each in words, and removed by a click."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from core.ui import show
from core.values.errors import BadRequest
from core.values.history.filters import run_filter_from
from core.values.registry import label_of
from core.values.wording import seconds_in_words

OF_FIGURES = ("counted", "slower_than", "up_to", "saved")
Filters = Mapping[str, Sequence[str]]


def chips(filters: Filters, forget: Callable[..., None]) -> None:
    """`forget` is called with each filter to take away, as None."""
    shown = [
        (names, words, why)
        for names, say, why in _CHIPS
        if any(name in filters for name in names) and (words := say(filters))
    ]
    if not shown:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for names, words, why in shown:
            st.button(
                show.plain(words),
                key=f"without {names[0]}",
                icon=":material/close:",
                type="tertiary",
                help=f"{why} Click to take this filter away.",
                on_click=forget,
                kwargs=dict.fromkeys(names),
            )


def _answered_by(filters: Filters) -> str | None:
    return f"Answered by {' or '.join(map(label_of, filters['answered_by']))}"


def _counted(filters: Filters) -> str | None:
    return "As counted in Performance" if _yes("counted", filters) else None


def _took(filters: Filters) -> str | None:
    try:
        told = [
            f"{word} {seconds_in_words(float(filters[name][-1]))}"
            for name, word in (("slower_than", "more than"), ("up_to", "at most"))
            if name in filters
        ]
    except ValueError:
        return None  # which the page says above
    return f"Took {' and '.join(told)}"


def _saved(filters: Filters) -> str | None:
    saved = _yes("saved", filters)
    if saved is None:
        return None
    return "Saved by fallback" if saved else "Not saved by fallback"


def _yes(name: str, filters: Filters) -> bool | None:
    """As the filter itself reads it."""
    try:
        wanted: bool = getattr(run_filter_from({name: filters[name]}), name)
    except BadRequest:
        return None  # which the page says above
    return wanted


_CHIPS: tuple[tuple[tuple[str, ...], Callable[[Filters], str | None], str], ...] = (
    (("answered_by",), _answered_by, "Whoever else was asked."),
    (("counted",), _counted, "Without what is under way and what a fire drill pretended."),
    (("slower_than", "up_to"), _took, "A bar of the chart of latencies."),
    (("saved",), _saved, "Saved: one provider failed in the run and another one answered."),
)
