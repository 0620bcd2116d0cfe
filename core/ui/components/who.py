"""The panel of who would answer now, and why."""

from __future__ import annotations

import time

import streamlit as st

from core.routing.strategies import STRATEGIES
from core.running.preview import (
    NEVER_ASKED,
    Candidate,
    Standing,
    in_a_sentence,
    passed_over,
    standing,
    who_would_answer,
)
from core.ui import show
from core.ui.services import services
from core.values.registry import label_of

_TURNS = {"first": "First", "then": "Then", "last": "Last", "never": "Not asked"}


def standings(*, private: bool = False) -> dict[str, Standing]:
    """Everyone's, by priority."""
    engine = services().engine
    practising = engine.lineup.practising
    router, wall = engine.router(simulated=practising), time.time()
    absent = engine.lineup.absent(None, private=private, simulated=practising)
    skips = {skip.provider: skip for skip in absent}

    def of(name: str) -> Standing:
        if skip := skips.get(name) or router.why_not(name):
            return passed_over(skip, now=wall)
        return standing(router.health(name), now=router.clock())

    return {name: of(name) for name in engine.lineup.priority}


def candidates(*, private: bool) -> list[Candidate]:
    """Everyone, in the order that a run which started now would ask them."""
    engine = services().engine
    router = engine.router()
    found = standings(private=private)
    others = {name: said for name, said in found.items() if said.kind in NEVER_ASKED}
    return who_would_answer(
        [router.health(name) for name in found if name not in others],
        engine.lineup.strategy,
        now=router.clock(),
        absentees=others,
    )


@st.fragment(run_every=2)
def first_view(*, private: bool = False) -> None:
    """Who is first and why, in a sentence, and everyone behind a button."""
    found = candidates(private=private)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":small[{show.plain(sentence(found))}]", width="stretch")
        with st.popover("Why?", type="tertiary", help="Everyone, in the order they would be asked"):
            who_view(found)


@st.fragment(run_every=2)
def everyone_view(*, private: bool = False) -> None:
    """Everyone, in the order they would be asked, in a card."""
    with st.container(border=True, gap="small"):
        st.markdown("**Who would answer now**")
        who_view(candidates(private=private))


def sentence(found: list[Candidate]) -> str:
    label = label_of(found[0].name) if found else ""
    return in_a_sentence(found, services().engine.lineup.strategy, label)


def who_view(found: list[Candidate]) -> None:
    """One line a provider: its turn, its state and the reason for its place."""
    drawn = STRATEGIES[services().engine.lineup.strategy].drawn
    for candidate in found:
        turn = "By lot" if drawn and candidate.turn == "then" else _TURNS[candidate.turn]
        words = [candidate.standing.words]
        if candidate.record:
            words.append(candidate.record)
        if candidate.why and candidate.why != candidate.record:
            words.append(candidate.why)
        name = show.plain(label_of(candidate.name))
        name = f"**{name}**" if candidate.turn != "never" else name
        st.markdown(
            f":gray[{turn}] {show.standing_icon(candidate.standing)} {name}"
            f"  \n:small[:gray[{show.plain(' · '.join(words))}]]"
        )
    if said := STRATEGIES[services().engine.lineup.strategy].chance:
        st.caption(show.plain(said))
