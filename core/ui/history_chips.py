"""Filters that only a figure's link sets: each said in words, and taken away by a click."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from core.ui import show
from core.words import seconds_in_words

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


def _counted(_: Filters) -> str:
    return "As counted in Performance"


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


def _saved(filters: Filters) -> str:
    return "Saved by fallback" if filters["saved"][-1] != "false" else "Not saved by fallback"


_CHIPS: tuple[tuple[tuple[str, ...], Callable[[Filters], str | None], str], ...] = (
    (("counted",), _counted, "Without what is under way and what a fire drill pretended."),
    (("slower_than", "up_to"), _took, "A bar of the chart of latencies."),
    (("saved",), _saved, "A provider failed in these runs and another one answered."),
)
