"""The plan editor: words, order and dependencies of steps; each change is kept."""

from __future__ import annotations

from functools import partial
from typing import Any
from zlib import crc32

import streamlit as st

from core.planning.edit import added_step, edited_step, movable, moved_step, without_step
from core.planning.plan import MAX_STEPS, Plan, json_text
from core.running.run import Run
from core.ui import show
from core.ui.run.going_on import change, changed


def editor(run: Run) -> None:
    """The steps as fields. What is done or skipped is shown, and stays."""
    plan = run.plan
    assert plan is not None
    settled = run.settled_steps()
    for index in range(len(plan.steps)):
        with st.container(border=True, gap="small"):
            if index in settled:
                _kept(plan, index)
            else:
                _fields(run.record.id, plan, index)
    st.button(
        "Add a step",
        icon=":material/add:",
        key="add step",
        disabled=len(plan.steps) >= MAX_STEPS,
        on_click=change,
        args=(run.record.id, partial(_with_another, plan)),
    )


def _with_another(plan: Plan) -> Plan:
    last = len(plan.steps)
    words = "Say here what this step should do."
    return added_step(plan, last, description=words, dependencies=[last - 1])


def _kept(plan: Plan, index: int) -> None:
    step = plan.steps[index]
    st.markdown(f"**{show.step_name(index, step)}**")
    st.markdown(show.plain(step.description))
    st.caption("Done or skipped, so it stays as it is.")


def _fields(run_id: str, plan: Plan, index: int) -> None:
    step = plan.steps[index]
    # Another plan has other fields: none keeps what was typed for a step that has moved.
    name = f"{crc32(json_text(plan).encode()):x} {index}"
    head = st.container(horizontal=True, vertical_alignment="center", gap="xsmall")
    head.markdown(f"**{show.step_name(index, step)}**", width="stretch")
    for label, icon, to in (
        ("Up", ":material/arrow_upward:", index - 1),
        ("Down", ":material/arrow_downward:", index + 1),
    ):
        head.button(
            label,
            icon=icon,
            key=f"{label} {name}",
            help=f"Move step {index + 1} {label.lower()}",
            type="tertiary",
            disabled=not movable(plan, index, to),
            on_click=change,
            args=(run_id, partial(moved_step, plan, index, to)),
        )
    head.button(
        "Remove",
        icon=":material/delete:",
        key=f"remove {name}",
        help=f"Remove step {index + 1}",
        type="tertiary",
        disabled=len(plan.steps) == 1,
        on_click=change,
        args=(run_id, partial(without_step, plan, index)),
    )
    # What the fields hold is compared with the plan, rather than waited for in a callback: a change
    # that comes while the page is still being drawn has none.
    words = st.text_area(
        f"What step {index + 1} does",
        step.description,
        key=f"words {name}",
        height="content",
        max_chars=4_000,
    )
    needs = st.multiselect(
        "Builds on",
        [other for other in range(len(plan.steps)) if other != index],
        step.dependencies,
        format_func=lambda other: f"Step {other + 1}",
        key=f"needs {name}",
        placeholder="Nothing: it can start at once",
    )
    edits: list[dict[str, Any]] = []
    if (words or "").strip() != step.description.strip():
        edits.append({"description": words or ""})
    if sorted(needs) != sorted(step.dependencies):
        edits.append({"dependencies": needs})
    for edit in edits:
        if changed(run_id, partial(edited_step, plan, index, **edit)):
            st.rerun()
    if step.tool_name:
        st.caption(f"Suggested tool: {show.plain(step.tool_name)}. No tool is run; it is advice.")
