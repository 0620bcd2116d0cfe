"""Pieces that several pages show."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

import streamlit as st

from core.plan import Plan
from core.preview import Standing
from core.providers import label_of
from core.types import Attempt
from core.words import ago, attempt_in_words, exact_time, money, seconds_in_words

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&^=])")


def plain(text: str) -> str:
    """Text of a model or a vendor, so that Markdown shows it as it stands."""
    return _MARKDOWN.sub(r"\\\1", text).replace("\n", "  \n")


def when(moment: float, *, now: float | None = None, said: str = "") -> None:
    """A moment (UTC seconds) as people say it; the exact one, in their own time, on hover."""
    past = (time.time() if now is None else now) - moment
    st.badge(
        f"{said} {ago(past)}".strip(),
        icon=":material/schedule:",
        color="gray",
        help=exact_time(moment, st.context.timezone),
    )


def practice_badge() -> None:
    st.badge(
        "Practice",
        icon=":material/school:",
        color="violet",
        help="Practice providers answered: nothing left this computer, nothing cost money.",
    )


# How a provider stands: Material symbol and colour, by the kinds of core.preview.Standing.
STANDINGS = {
    "ready": ("check_circle", "green"),
    "back": ("restart_alt", "orange"),
    "resting": ("hourglass_top", "orange"),
    "needs_you": ("error", "red"),
    "switched_off": ("toggle_off", "gray"),
    "not_set_up": ("key_off", "gray"),
}


def standing_icon(standing: Standing) -> str:
    icon, colour = STANDINGS[standing.kind]
    return f":{colour}[:material/{icon}:]"


_BADGES = {
    "ok": (":material/check_circle:", "green"),
    "running": (":material/progress_activity:", "blue"),
    "failed": (":material/cancel:", "red"),
    "cancelled": (":material/stop_circle:", "gray"),
    "interrupted": (":material/power_off:", "gray"),
    "completed": (":material/check_circle:", "green"),
}


def status_badge(status: str, label: str | None = None) -> None:
    icon, colour = _BADGES[status]
    st.badge(label or status.capitalize(), icon=icon, color=colour)  # type: ignore[arg-type] # a str of the table above


def attempt_lines(attempts: Sequence[Attempt], *, now: float) -> None:
    """Each attempt on a line: what happened in words, and the figures."""
    for attempt in attempts:
        said, figures = st.columns([3, 2], vertical_alignment="center")
        icon, colour = _BADGES[attempt.status]
        said.markdown(f":{colour}[{icon}] {plain(attempt_in_words(attempt))}")
        if attempt.status == "running":
            figures.caption(seconds_in_words(max(0.0, now - attempt.started_at)))
            continue
        parts = [plain(attempt.model)]
        if attempt.latency_ms is not None:
            parts.append(seconds_in_words(attempt.latency_ms / 1000))
        if attempt.usage.output_tokens is not None:
            parts.append(f"{attempt.usage.input_tokens} → {attempt.usage.output_tokens} tokens")
            parts.append("practice" if attempt.simulated else plain(money(attempt.cost_usd)))
        figures.caption(" · ".join(parts))
        if attempt.message and attempt.status != "ok":
            st.caption(plain(attempt.message))


def plan_view(plan: Plan) -> None:
    """The plan: why, how sure, how long, and its steps in order."""
    sure, long, steps = st.columns(3)
    sure.metric("Confidence", f"{plan.confidence:.0%}")
    long.metric("Estimated time", seconds_in_words(plan.estimated_duration))
    steps.metric("Steps", len(plan.steps))
    st.markdown(plain(plan.reasoning))
    st.markdown(f"```mermaid\n{diagram(plan)}\n```")
    for number, step in enumerate(plan.steps, start=1):
        with st.container(border=True):
            st.markdown(f"**{number}. {plain(step.agent_type.capitalize())}**")
            st.markdown(plain(step.description))
            if facts := _step_facts(step.dependencies, step.tool_name):
                st.caption(facts)


def diagram(plan: Plan) -> str:
    """The steps as a Mermaid flowchart; nothing of the model's text can leave its label."""
    lines = ["flowchart LR"]
    for index, step in enumerate(plan.steps):
        words = re.sub(r"[^\w .,'-]", " ", step.agent_type)[:30].strip() or "step"
        lines.append(f'  s{index}["{index + 1}. {words}"]')
    for index, step in enumerate(plan.steps):
        lines += [f"  s{dependency} --> s{index}" for dependency in step.dependencies]
    return "\n".join(lines)


def _step_facts(dependencies: Sequence[int], tool: str | None) -> str:
    facts = []
    if dependencies:
        needed = ", ".join(str(dependency + 1) for dependency in dependencies)
        facts.append(f"after step{'s' if len(dependencies) > 1 else ''} {needed}")
    else:
        facts.append("can start at once")
    if tool:
        facts.append(f"suggested tool: {plain(tool)}")
    return " · ".join(facts)


def health_strip(standings: Mapping[str, Standing]) -> None:
    """A line a provider: icon, name, and in words what is not as usual."""
    with st.container(gap="xxsmall"):
        for name, standing in standings.items():
            said = "" if standing.kind == "ready" else f" :gray[{plain(standing.words)}]"
            st.markdown(f":small[{standing_icon(standing)} {plain(label_of(name))}{said}]")
