"""One call or one run in full, for the drawer and for a page of its own alike."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.routing.strategies import STRATEGIES
from core.running.run import Run
from core.running.totals import call_cost
from core.ui import show
from core.ui.components.marked_text import marked_text
from core.ui.components.passed_over import passed_over_view
from core.ui.run import again
from core.ui.services import services
from core.values.calls import Attempt
from core.values.history import marks
from core.values.history.words import terms_of
from core.values.registry import label_of
from core.values.runs import RunRecord
from core.values.statuses import STATUSES
from core.values.telling.attempts import attempt_in_words, chain, order_in_words
from core.values.thinking import told_apart
from core.values.wording import listed, seconds_in_words, step_in_words

_LONGEST, _LONGEST_PAGE = 20_000, 400_000  # characters of one text, in a drawer and on its page


@dataclass(frozen=True, slots=True)
class _Look:
    """How texts are shown: what is marked in them, and how much of them."""

    text: str
    longest: int
    whole: bool


def call_of(address: str) -> Attempt | None:
    """The call that an address names; None where it names none."""
    if not (address.isascii() and address.isdecimal() and len(address) < 18):
        return None
    return services().records.call(int(address))


def call_view(call: Attempt, *, whole: bool, text: str = "") -> None:
    """What was asked and answered, why, how long, how much, and the run it belongs to.

    `whole`: on a page of its own, where long texts have room. `text`: what was searched for,
    which is marked.
    """
    _call_head(call, whole=whole, text=text)
    run = services().records.run(call.run_id) if call.run_id else None
    _facts(_call_facts(call, run))
    if run:
        _its_run(call, run)
    _texts(call, _Look(text, _LONGEST_PAGE if whole else _LONGEST, whole=whole))


def run_view(run: RunRecord) -> None:
    """A run in short: how it went, who was asked, and the ways on from here."""
    told = Run.finished(run, services().records.calls_of(run.id))
    with st.container(horizontal=True):
        show.status_badge(told.phase)
        if run.simulated:
            show.practice_badge()
        show.when(run.started_at)
    st.markdown(f"**{show.plain(run.goal)}**")
    st.markdown(show.plain(told.story))
    if run.error:
        st.markdown(show.plain(run.error))
    _facts(_run_facts(told))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            "run/run.py",
            label="Open the run",
            icon=":material/open_in_full:",
            query_params={"run": run.id},
        )
        run_again(run)
    st.markdown("##### Calls")
    if not told.attempts:
        st.caption("Nobody was asked.")
    steps = len(told.plan.steps) if told.plan else None
    for call in told.attempts:
        _call_line(call, steps)
    passed_over_view(run)


def run_again(run: RunRecord, *, after: str | None = None) -> None:
    """Offer the same run once more, the same way or with a chosen provider first."""
    engine = services().engine
    able = engine.lineup.eligible()
    chosen = st.menu_button(
        "Run again",
        ["", *dict.fromkeys(name for name in (after, *able) if name in able)],
        key=f"again {run.id}",
        icon=":material/replay:",
        format_func=lambda name: f"{label_of(name)} first" if name else "The same way",
    )
    if chosen is not None and (stored := engine.runs.find(run.id)):
        again.run_again(stored, first=chosen or None)


# -- a call


def _call_head(call: Attempt, *, whole: bool, text: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        show.status_badge(call.status)
        if call.drilled:
            st.badge("Fire drill", icon=":material/local_fire_department:", color="orange")
        if call.simulated:
            show.practice_badge()
        show.when(call.started_at)
        if not whole:
            st.space("stretch")
            st.page_link(
                "history/call.py",
                label="Full page",
                icon=":material/open_in_full:",
                query_params={"call": str(call.id), **({"text": text} if text else {})},
            )
    st.markdown(f"**{show.plain(attempt_in_words(call))}**")
    if call.message and call.status != "ok":
        st.caption("What it said")
        st.code(call.message, language=None, wrap_lines=True)
    if call.error_kind is not None:
        st.caption(show.plain(call.error_kind.outcome.action))


def _call_facts(call: Attempt, run: RunRecord | None) -> Mapping[str, str | None]:
    usage, plan = call.usage, Run.finished(run, []).plan if run else None
    return {
        "Provider": label_of(call.provider),
        "Model": call.model,
        "Took": _took(call.latency_ms),
        "First word after": _took(call.ttft_ms),
        "Tokens in": _count(usage.input_tokens),
        "of these cached": _count(usage.cached_tokens),
        "Tokens out": _count(usage.output_tokens),
        "Cost": call_cost(call),
        "Strategy": STRATEGIES[call.strategy].label
        if call.strategy in STRATEGIES
        else call.strategy,
        "Asked for": step_in_words(call.step, len(plan.steps) if plan else None) if run else None,
        "HTTP status": None if call.http_status is None else str(call.http_status),
        "Asked to wait": None if call.retry_after is None else seconds_in_words(call.retry_after),
        "Request number": call.request_id,
    }


def _its_run(call: Attempt, run: RunRecord) -> None:
    calls = services().records.calls_of(run.id)
    together = [other for other in calls if other.step == call.step]
    place = next((n for n, other in enumerate(together, 1) if other.id == call.id), None)
    with st.container(border=True, gap="small"):
        st.markdown(show.plain(run.goal[:300]))
        asked = chain([(other.provider, other.status) for other in together])
        words = f"{asked} · attempt {place} of {len(together)}" if place else asked
        st.caption(show.plain(words))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(
                "run/run.py",
                label="Open its run",
                icon=":material/account_tree:",
                query_params={"run": run.id},
            )
            run_again(run, after=call.provider)


def _texts(call: Attempt, look: _Look) -> None:
    kept = services().records.call_text(call.id)
    if kept is None:
        st.caption("The texts of this call are no longer kept; its numbers are.")
        return
    request, response = kept
    st.markdown("##### Request")
    for place, message in enumerate(_messages(request)):
        st.caption(str(message.get("role", "")).capitalize())
        _text(str(message.get("content", "")), look, key=f"{call.id} asked {place}")
    st.markdown("##### Answer")
    thinking, answer = told_apart(response or "")
    if answer:
        _text(answer, look, key=f"{call.id} answered")
    elif call.status == "running":
        st.caption("It is still being asked.")
    else:
        st.caption("There was no answer.")
    if thinking:
        with st.expander("What it thought first", icon=":material/psychology:"):
            _text(thinking, look, key=f"{call.id} thought")


def _messages(request: str) -> Sequence[Mapping[str, Any]]:
    try:
        messages = json.loads(request)
    except ValueError:
        return [{"role": "text", "content": request}]
    return messages if isinstance(messages, list) else [{"content": request}]


def _text(text: str, look: _Look, *, key: str) -> None:
    shown = text[: look.longest]
    if look.text:
        marked_text(marks.pieces(marks.marked(shown, terms_of(look.text))), key=key)
    else:
        st.code(shown, language=None, wrap_lines=True)
    if len(text) > look.longest:
        where = "the export as JSON lines has" if look.whole else "its page shows"
        st.caption(f"The first {look.longest:,} of {len(text):,} characters; {where} more.")


# -- a run


def _run_facts(told: Run) -> Mapping[str, str | None]:
    run, came_to = told.record, told.totals(now=time.time())
    answered, waited = told.answered(), sum(gap.seconds for gap in told.pauses() if gap.for_you)
    return {
        "Took": came_to.took,
        "Waited for you": seconds_in_words(waited) if waited else None,
        "Calls": came_to.asked.partition(" ")[0],
        "Pretended in a fire drill": f"{came_to.drilled:,}" if came_to.drilled else None,
        "Strategy": STRATEGIES[run.strategy].label if run.strategy in STRATEGIES else run.strategy,
        "Order": None
        if run.status == "running" and not run.decisions
        else order_in_words(run.decisions),
        "Started from": {"ui": "this console", "api": "the API", "python": "Python"}[
            run.request.source
        ],
        "Answered by": _who_wrote_what(answered),
        "Model": ", ".join(dict.fromkeys(each.model for each in answered.values())),
        "Cost": came_to.cost,
    }


def _who_wrote_what(answered: Mapping[str, Attempt]) -> str:
    """`Google (plan), OpenAI (answer)`"""
    wrote: dict[str, list[str]] = {}
    for what, by in answered.items():
        wrote.setdefault(by.provider, []).append(what)
    return ", ".join(f"{label_of(name)} ({listed(what)})" for name, what in wrote.items())


def _call_line(call: Attempt, steps: int | None) -> None:
    status = STATUSES[call.status]
    figures = [step_in_words(call.step, steps), call.model]
    if call.status == "running":
        figures.append(f"{seconds_in_words(max(0.0, time.time() - call.started_at))} so far")
    if call.usage.output_tokens is not None:
        figures.append(f"{call.usage.output_tokens:,} tokens out")
    if cost := call_cost(call):
        figures.append(cost)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":{status.colour}[{status.sign}] {show.plain(attempt_in_words(call))}")
        st.caption(show.plain(" · ".join(figures)))
        st.space("stretch")
        st.page_link(
            "history/call.py",
            label="Open",
            query_params={"call": str(call.id)},
            help=f"Call {call.id} in full",
        )


# -- both


def _facts(facts: Mapping[str, str | None]) -> None:
    """Names and values side by side; what is not known is left out, not shown as nothing."""
    with st.container(border=True), st.grid("auto", min_column_width=120):
        for name, value in facts.items():
            if value:
                with st.container(gap=None):
                    st.caption(name)
                    st.markdown(show.plain(value))


def _took(milliseconds: float | None) -> str | None:
    return None if milliseconds is None else seconds_in_words(milliseconds / 1000)


def _count(tokens: int | None) -> str | None:
    return None if tokens is None else f"{tokens:,}"
