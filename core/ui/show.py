"""Badges, escaping and other small pieces that several pages show."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping, Sequence

import streamlit as st

from core.planning.plan import Plan, PlanStep
from core.running.preview import Standing
from core.ui.components.plan_graph import plan_graph
from core.ui.services import services
from core.values.registry import label_of
from core.values.statuses import STATUSES
from core.values.wording import ago, exact_time, percent, seconds_in_words

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&^=])")


# Streamlit puts pictures in their places even in code and after a backslash.
_PICTURE = re.compile(r":(?=material/|streamlit:)")


def plain(text: str) -> str:
    """Text of a model or a vendor, so that Markdown shows it as it stands."""
    return _MARKDOWN.sub(r"\\\1", without_pictures(text)).replace("\n", "  \n")


def without_pictures(text: str) -> str:
    """The same to read; what Streamlit takes for the name of a picture is held apart unseen."""
    return _PICTURE.sub(":\u2060", text)


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


def practice_bar() -> None:
    """On every page while practice providers answer: nobody shall take them for real ones."""
    engine = services().engine
    if not engine.lineup.practising:
        return
    with st.container(
        key="practice", horizontal=True, border=True, vertical_alignment="center", gap="small"
    ):
        st.markdown(
            ":violet-badge[:material/school: Practice] :small[Practice providers answer: nothing"
            " leaves this computer, and nothing costs money.]",
            width="stretch",
        )
        if engine.settings.practice == "auto":
            st.page_link(
                "providers/providers.py", label="Set up a real one", icon=":material/arrow_forward:"
            )


# How a provider stands: Material symbol and colour, by the kinds of core.running.preview.Standing.
STANDINGS = {
    "ready": ("check_circle", "green"),
    "back": ("restart_alt", "orange"),
    "resting": ("hourglass_top", "orange"),
    "needs_you": ("error", "red"),
    "switched_off": ("toggle_off", "gray"),
    "not_set_up": ("key_off", "gray"),
    "drilled": ("local_fire_department", "orange"),
    "kept_out": ("lock", "gray"),
}


def standing_icon(standing: Standing) -> str:
    icon, colour = STANDINGS[standing.kind]
    return f":{colour}[:material/{icon}:]"


def status_badge(status: str) -> None:
    """`status` is a row of core.values.statuses."""
    row = STATUSES[status]
    st.badge(row.label, icon=row.material, color=row.colour)


def agent(name: str) -> str:
    """Whoever does a step, as a title."""
    return name.replace("_", " ").strip().capitalize() or "Step"


def plan_facts(plan: Plan) -> None:
    """How sure its author is, how long it would take, and of how many steps it is."""
    steps = f"**{len(plan.steps)}** step{'' if len(plan.steps) == 1 else 's'}"
    st.markdown(
        f"Confidence **{percent(plan.confidence, digits=0)}** · Estimated time"
        f" **{seconds_in_words(plan.estimated_duration)}** · {steps}",
        help="Confidence and time are what the provider itself said of its plan.",
    )


def plan_view(plan: Plan, states: Mapping[int, str] | None = None) -> None:
    """The plan: how sure, how long, why, its steps drawn, and its steps in order."""
    st.subheader("Plan", anchor=False)
    plan_head(plan, states)
    plan_steps(plan)


def plan_head(plan: Plan, states: Mapping[int, str] | None = None) -> None:
    """How sure, how long, why, and its steps drawn."""
    plan_facts(plan)
    st.markdown(plain(plan.reasoning))
    plan_graph(plan, states)


def plan_steps(plan: Plan, *, only_here: Collection[int] = ()) -> None:
    for index, step in enumerate(plan.steps):
        with st.container(border=True, gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"**{step_name(index, step)}**", width="stretch")
                if index in only_here:
                    st.badge("Only here", icon=":material/difference:", color="orange")
            st.markdown(plain(step.description))
            st.caption(step_facts(step.dependencies, step.tool_name))


def step_name(index: int, step: PlanStep) -> str:
    """Markdown: `3. Research`."""
    return f"{index + 1}. {plain(agent(step.agent_type))}"


def step_facts(dependencies: Sequence[int], tool: str | None) -> str:
    """Markdown: what a step waits for, and with what it might be done."""
    facts = []
    if dependencies:
        needed = ", ".join(str(dependency + 1) for dependency in dependencies)
        facts.append(f"after step{'s' if len(dependencies) > 1 else ''} {needed}")
    else:
        facts.append("can start at once")
    if tool:
        facts.append(f"suggested tool: {plain(tool)} (advice: no tool is run)")
    return " · ".join(facts)


def health_strip(standings: Mapping[str, Standing]) -> None:
    """A line a provider: icon, name, and in words what is not as usual."""
    with st.container(gap="xxsmall"):
        for name, standing in standings.items():
            said = "" if standing.kind == "ready" else f" :gray[{plain(standing.words)}]"
            st.markdown(f":small[{standing_icon(standing)} {plain(label_of(name))}{said}]")
