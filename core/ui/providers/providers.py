"""Providers: how each one is, in which order they are asked, and what to do about it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from core.insight.suggest import suggest
from core.routing.ranking import TrackRecord, evidence, reasons
from core.routing.strategies import STRATEGIES
from core.ui import show
from core.ui.actions import done
from core.ui.components import who
from core.ui.components.order_list import Row, order_list
from core.ui.providers import card as provider_card
from core.ui.providers.evidence import LOOKS_BACK, Evidence, gather
from core.ui.providers.strip import legend
from core.ui.services import services
from core.values.errors import HistoryUnavailable
from core.values.periods import zone
from core.values.registry import label_of
from core.values.wording import ago, exact_time


def _strategy() -> None:
    engine = services().engine
    st.session_state["strategy for all"] = engine.lineup.strategy

    def keep() -> None:
        done(engine.control.choose, "strategy", st.session_state["strategy for all"])

    chosen = st.segmented_control(
        "Strategy",
        list(STRATEGIES),
        required=True,
        format_func=lambda name: STRATEGIES[name].label,
        key="strategy for all",
        on_change=keep,
        help="Who is asked first in each run, for everyone; a run may choose another.",
    )
    st.caption(STRATEGIES[chosen or engine.lineup.strategy].help)


def _order() -> None:
    control = services().engine.control
    rows = []
    for name, there in who.standings().items():
        icon, _ = show.STANDINGS[there.kind]
        rows.append(Row(name, label_of(name), there.kind, icon, there.words))
    st.markdown("Order", help="Strategies that follow your order start at the top.")
    order_list(
        rows,
        key="order for all",
        label="Everyone's order of the providers",
        on_order=lambda order: done(control.choose, "priority", order),
    )


def _suggestion(found: Evidence) -> None:
    engine = services().engine
    names = engine.lineup.set_up()
    better = suggest(
        engine.lineup.priority, {n: found.records.get(n, TrackRecord()) for n in names}
    )
    st.markdown("**An order from your own history**")
    if better is None:
        proven = [name for name in names if found.records.get(name, TrackRecord()).proven]
        st.caption(
            f"Your order fits what the last {LOOKS_BACK} days have shown."
            if len(proven) > 1
            else f"Too few calls in the last {LOOKS_BACK} days: once two providers have 10 each, "
            "an order is suggested here."
        )
        return
    said = ", ".join(label_of(name) for name in better.order if name in names)
    st.markdown(show.plain(f"The last {LOOKS_BACK} days suggest: {said}."))
    row = st.container(horizontal=True, vertical_alignment="center")
    if row.button("Use this order", key="take order", type="primary", icon=":material/swap_vert:"):
        done(engine.control.choose, "priority", list(better.order))
        st.rerun()
    with row.popover("Why", type="tertiary"):
        _evidence(better.order, [name for name in better.order if name in names], found)


def _evidence(order: Sequence[str], names: Sequence[str], found: Evidence) -> None:
    now = list(services().engine.lineup.priority)
    records = [found.records.get(name, TrackRecord()) for name in names]
    st.markdown(
        "Whoever answers more reliably comes first; where the rates cannot be told apart, whoever "
        "answers faster. Who cannot be judged yet stays in place."
    )
    for name, record, reason in zip(names, records, reasons(records), strict=True):
        place, before = order.index(name) + 1, now.index(name) + 1
        was = "" if place == before else f", now {before}"
        said = " · ".join(filter(None, (evidence(record), reason)))
        st.markdown(
            f"**{place}. {show.plain(label_of(name))}**{was}  \n:small[:gray[{show.plain(said)}]]"
        )


def _last_change() -> None:
    engine = services().engine
    changes = engine.choices.changes("priority", limit=1)
    if not changes or time.time() - changes[0].changed_at > 3600:
        return
    at = changes[0].changed_at
    row = st.container(horizontal=True, vertical_alignment="center")
    row.caption(
        f"The order was changed {ago(time.time() - at)}.", help=exact_time(at, st.context.timezone)
    )
    if row.button("Undo", key="undo order", icon=":material/undo:", type="tertiary"):
        done(engine.control.undo, "priority")
        st.rerun()


def _page() -> None:
    engine = services().engine
    names = engine.lineup.priority
    there = zone(st.context.timezone)
    try:
        found = gather(services(), names, simulated=engine.lineup.practising, zone=there)
    except HistoryUnavailable as error:
        st.error(show.plain(f"{error.message} {error.action}"), icon=":material/database_off:")
        found = Evidence.unknown(names)
    left, right = st.columns(2, gap="large")
    with left:
        _strategy()
        _suggestion(found)
    with right:
        _order()
        _last_change()
    legend()
    for index, name in enumerate(names):
        place = provider_card.Place(index, len(names))
        provider_card.card(name, place, found, zone=there)


st.title("Providers")
_page()
