"""One provider on the Providers page: how it is, and what can be done about it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, tzinfo
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.providers import retired as models
from core.providers.model_list import Found, found_in_words
from core.routing.health import Health
from core.routing.ranking import PROVEN
from core.running.preview import standing
from core.ui import show
from core.ui.actions import done
from core.ui.providers.evidence import Evidence, Today
from core.ui.providers.strip import strip
from core.ui.services import services
from core.values.calls import Attempt
from core.values.registry import PROVIDERS, label_of
from core.values.telling.attempts import attempt_in_words
from core.values.wording import ago, cost, count, exact_time, percent, seconds_in_words

_Colour = Literal["green", "orange", "red", "gray"]
_STIRRING = 1.0  # seconds between two looks at a card on which something is about to change


@dataclass(frozen=True, slots=True)
class Place:
    """Where a card stands in the order, from 0, of how many."""

    index: int
    of: int


def card(name: str, place: Place, evidence: Evidence, *, zone: tzinfo) -> None:
    engine = services().engine
    simulated = engine.lineup.practising

    @st.fragment(run_every=_STIRRING if stirring(name) else None)
    def view() -> None:
        was = stirring(name)
        with st.container(border=True, key=f"card_{name}"):
            if name in engine.lineup.set_up(simulated=simulated):
                _full(name, place, evidence, zone=zone)
            else:
                _not_set_up(name, place)
        if was and not stirring(name):
            st.rerun()  # once: it need not tick any more

    view()


def stirring(name: str) -> bool:
    """Is something about to change by itself: a rest, a test, a drill?"""
    engine = services().engine
    router = engine.router()
    resting = router.health(name).breaker.until is not None
    return resting or engine.control.doing(name) is not None or engine.control.drills.down(name)


def _full(name: str, place: Place, evidence: Evidence, *, zone: tzinfo) -> None:
    engine = services().engine
    router = engine.router()
    health, model = router.health(name), router.providers[name].model
    _head(name, place, health, now=router.clock())
    if gone := models.retired(name, model):
        _offer(name, models.in_words(gone, today=date.today()), gone.successor)
    figures, hours, days = st.columns([6, 5, 2], gap="medium")
    with figures:
        _figures(evidence.today.get(name, Today()))
    for column, label, form, cells in (
        (hours, "Last 24 hours", "%H:%M", evidence.hours[name]),
        (days, "Last 7 days", "%a %d %b", evidence.days[name]),
    ):
        with column.container(gap="xsmall"):
            st.caption(label)
            strip(cells, label=label, form=form, zone=zone, key=f"{label} {name}")
    if health.last_failure is not None:
        _failure(health.last_failure)
    _actions(name, model)


# -- the head


def _head(name: str, place: Place, health: Health, *, now: float) -> None:
    engine = services().engine
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    row.markdown(f"#### {place.index + 1}. {show.plain(label_of(name))}", anchors=False)
    said, icon, colour = _state(name, health, now=now)
    row.badge(said, icon=icon, color=colour)
    if engine.lineup.practising:
        with row:
            show.practice_badge()
    row.space("stretch")
    _switch(name, row)
    _movers(name, place, row)


def _state(name: str, health: Health, *, now: float) -> tuple[str, str, _Colour]:
    """In words, its icon and the icon's colour."""
    engine = services().engine
    if name in engine.lineup.switched_off:
        return "Switched off", ":material/power_settings_new:", "gray"
    if engine.control.drills.down(name):
        return "Pretended down", ":material/local_fire_department:", "orange"
    there = standing(health, now=now)
    if there.kind == "needs_you":
        return f"Needs you: {there.words}", ":material/error:", "red"
    if there.kind == "ready":
        return "Ready", ":material/check_circle:", "green"
    return there.words.capitalize(), ":material/hourglass_top:", "orange"


def _switch(name: str, row: DeltaGenerator) -> None:
    control = services().engine.control
    key = f"use {name}"
    # What holds is the engine's word, not what this window last showed.
    st.session_state[key] = name not in services().engine.lineup.switched_off
    row.toggle(
        f"Use {label_of(name)}",
        key=key,
        help="Switched off, it is never asked, whatever the strategy.",
        on_change=lambda: done(control.switch, name, on=bool(st.session_state[key])),
    )


def _movers(name: str, place: Place, row: DeltaGenerator) -> None:
    for way, by, edge in (("up", -1, 0), ("down", 1, place.of - 1)):
        if row.button(
            way.capitalize(),
            key=f"{way} {name}",
            icon=f":material/arrow_{way}ward:",
            help=f"Move {label_of(name)} {way} the order",
            type="tertiary",
            disabled=place.index == edge,
        ):
            done(services().engine.control.move, name, by=by)
            st.rerun()


# -- its model


def _model(name: str, model: str, row: DeltaGenerator) -> None:
    key = f"models {name}"
    with row:
        choice = st.popover(
            show.plain(model),
            icon=":material/neurology:",
            key=key,
            on_change="rerun",
            help="The model that is asked. Choose another one here.",
        )
    if choice.open:
        with choice:
            _choice(name, model, key)


def _choice(name: str, model: str, popover: str) -> None:
    control = services().engine.control
    found = control.found(name)
    if found is None and control.doing(name) is None:
        control.check(name)
        st.rerun()  # so that the card ticks until the list is there
    default = _default(name)
    offered = found.models if found else ()
    options = list(dict.fromkeys([model, *offered, default]))
    picked = st.selectbox(
        "Model",
        options,
        key=f"model of {name}",
        format_func=lambda option: _option(name, option),
        accept_new_options=True,
        help="Choose one, or type a name that is not in the list.",
    )
    st.caption(_list_in_words(name, found))
    row = st.container(horizontal=True)
    if row.button("Use this model", key=f"take {name}", type="primary", disabled=picked == model):
        _take(name, picked, popover)
    if model != default and row.button(
        f"Back to {show.plain(default)}", key=f"default {name}", type="tertiary"
    ):
        _take(name, None, popover)


def _take(name: str, model: str | None, popover: str) -> None:
    done(services().engine.control.choose_model, name, model)
    st.session_state.pop(f"model of {name}", None)
    st.session_state.pop(popover, None)
    st.rerun()


def _default(name: str) -> str:
    engine = services().engine
    return PROVIDERS[name].model if engine.lineup.practising else engine.settings.models[name]


def _option(name: str, model: str) -> str:
    gone = models.retired(name, model)
    if gone is None:
        return model
    if models.is_gone(gone, today=date.today()):
        return f"{model} (retired; now {gone.successor})"
    return f"{model} (retires soon; then {gone.successor})"


def _list_in_words(name: str, found: Found | None) -> str:
    label = show.plain(label_of(name))
    if found is None:
        return f"Asking {label} which models it serves."
    if not found.ok:
        return show.plain(f"The list could not be had: {found_in_words(found)}")
    return f"{len(found.models)} on offer, by {label}'s own list of {ago(time.time() - found.at)}."


def _offer(name: str, sentence: str, successor: str) -> None:
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown(f":orange[:material/update:] {show.plain(sentence)}")
    if row.button(f"Switch to {show.plain(successor)}", key=f"successor {name}", type="primary"):
        done(services().engine.control.choose_model, name, successor)
        st.rerun()


# -- what it did


def _figures(today: Today) -> None:
    practising = services().engine.lineup.practising
    if today.rate is not None:
        rate = percent(today.rate)
    else:
        rate = "nothing to judge by" if today.calls else "no call yet"
    median = "no answer yet" if today.median is None else seconds_in_words(today.median)
    facts = {
        "Calls today": (f"{today.calls:,}", None),
        "Answered": (rate, _doubt(today)),
        "Median time": (median, "Of the calls that were answered."),
        "Cost": (cost(today.cost, unpriced=today.unpriced, simulated=practising), None),
    }
    row = st.container(horizontal=True, gap="medium")
    for label, (value, why) in facts.items():
        row.markdown(f":small[:gray[{label}]]  \n**{show.plain(value)}**", help=why)
    if today.earlier:
        calls = count(today.earlier, "call")
        st.caption(show.plain(f"Today also {calls} of an earlier model, not counted here."))


def _doubt(today: Today) -> str | None:
    if today.calls and not today.rated:
        return "What was stopped, refused or misunderstood says nothing of the provider."
    few = 0 < today.rated < PROVEN
    return f"Of {today.rated}: too few to judge." if few else None


def _failure(attempt: Attempt) -> None:
    assert attempt.error_kind is not None
    at = exact_time(attempt.started_at, st.context.timezone)
    past = ago(time.time() - attempt.started_at)
    outcome = attempt.error_kind.outcome
    message = f": {attempt.message}" if attempt.message else "."
    action = f" {outcome.action}" if outcome.needs_you else ""
    st.markdown(
        f":gray[Last failure {past}.] {show.plain(f'{outcome.reason}{message}{action}')}", help=at
    )


# -- what can be done


def _actions(name: str, model: str) -> None:
    engine = services().engine
    control, label = engine.control, label_of(name)
    doing = control.doing(name)
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    _model(name, model, row)
    if row.button(
        "Test",
        key=f"test {name}",
        icon=":material/network_check:",
        disabled=doing is not None,
        help=f"Asks {label} for its list of models. Free; nothing is written.",
    ):
        control.check(name)
        st.rerun()
    if row.button(
        "Try now",
        key=f"try {name}",
        icon=":material/send:",
        disabled=doing is not None,
        help=f"Asks {label} one short real question, also while it rests. It costs a few tokens "
        "and is in the history; if it answers, it is back at once.",
    ):
        control.try_now(name)
        st.rerun()
    _drill(name, row)
    row.page_link(
        "history/history.py",
        label="Its calls",
        icon=":material/history:",
        query_params={"provider": name},
    )
    if engine.lineup.practising and name not in engine.lineup.set_up(simulated=False):
        with row.popover("Ask the real one", type="tertiary", icon=":material/key:"):
            how_to(name)
    _outcome(name, doing)


def _drill(name: str, row: DeltaGenerator) -> None:
    drills, label = services().engine.control.drills, label_of(name)
    if drills.down(name):
        if row.button("End the drill", key=f"undrill {name}", icon=":material/stop_circle:"):
            drills.end(name)
            st.rerun()
    elif row.button(
        "Pretend it is down",
        key=f"drill {name}",
        icon=":material/local_fire_department:",
        help=f"A fire drill of 10 minutes: {label} is asked nothing and counts as unreachable, "
        "so you can see that the others take over. No figure is touched.",
    ):
        drills.start(name)
        st.rerun()


def _outcome(name: str, doing: str | None) -> None:
    control, label = services().engine.control, show.plain(label_of(name))
    if doing:
        what = "Asking for its models" if doing == "testing" else "Asking a short question"
        st.markdown(f":blue[:material/progress_activity:] {what}: {label}.")
        return
    found, tried = control.found(name), control.tried(name)
    if found is not None:
        good = found.ok and found.served
        _said(f"Test {ago(time.time() - found.at)}: {found_in_words(found)}", good=good)
        if found.message and not found.ok:
            st.caption(show.plain(found.message))
        if found.ok and not found.served:
            _instead(name, found)
    if isinstance(tried, Attempt):
        past = ago(time.time() - tried.started_at)
        _said(f"Try {past}: {attempt_in_words(tried)}", good=tried.status == "ok")
    elif tried:
        _said(tried, good=False)


def _instead(name: str, found: Found) -> None:
    other = models.instead_of(name, found.model, found.models)
    if other and models.retired(name, found.model) is None:
        _offer(name, "It serves another one that is much alike.", other)


def _said(sentence: str, *, good: bool) -> None:
    icon = ":green[:material/check_circle:]" if good else ":red[:material/error:]"
    st.markdown(f"{icon} {show.plain(sentence)}")


# -- one that cannot be asked


def _not_set_up(name: str, place: Place) -> None:
    spec = PROVIDERS[name]
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    row.markdown(f"#### {place.index + 1}. {show.plain(spec.label)}", anchors=False)
    row.badge("Not set up", icon=":material/key_off:", color="gray")
    row.space("stretch")
    _movers(name, place, row)
    how_to(name)


def how_to(name: str) -> None:
    """What a provider needs, and where it is to be had."""
    spec = PROVIDERS[name]
    if spec.runs_here:
        st.markdown(
            f"Start a BitNet server at `{spec.base_url}`, or set `BITNET_MODEL_PATH` to a model "
            "file and start Manyways again. It needs no key; nothing leaves this computer."
        )
        return
    variables = " or ".join(f"`{variable}`" for variable in spec.key_env)
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown(
        f"Good for {spec.best_for}. Set {variables} in `.env` beside `console_app.py`, then start "
        "Manyways again."
    )
    row.link_button(f"Get a key from {spec.label}", spec.keys_page, icon=":material/open_in_new:")
