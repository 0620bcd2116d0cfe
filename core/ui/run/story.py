"""The outcome of a run that has ended: its story, its error, and a button for what helps."""

from __future__ import annotations

import streamlit as st

from core.running.remedies import blamed, moved_down, page_of, remedy
from core.running.run import Run
from core.ui import actions as acting
from core.ui import show
from core.ui.run import again
from core.ui.services import services
from core.values.calls import Attempt
from core.values.outcomes import Remedy
from core.values.registry import label_of
from core.values.statuses import STATUSES

_LONGEST = 32_000  # tokens


def story_view(run: Run) -> None:
    failed = blamed(run.attempts)
    found = remedy(failed) if failed else None
    if run.record.status == "completed" and (run.progress.begun or failed is None):
        st.markdown(show.plain(run.story))
        return
    with st.container(border=True, gap="small"):
        if run.record.status == "completed":
            st.markdown(f":green[:material/alt_route:] {show.plain(run.story)}")
        else:
            st.markdown(show.plain(run.story))
            st.markdown(_why_it_ended(run))
        with st.container(horizontal=True, gap="small"):
            if failed and found:
                _button(run, failed, found)
            if failed and (found is None or found.leads != "down"):
                _move_down(run, failed, f"Move {label_of(failed.provider)} down")


def _why_it_ended(run: Run) -> str:
    """And what to do, marked with how grave it is."""
    row = STATUSES[run.phase]
    if run.record.status == "interrupted" or run.error is None:
        then = "Continue it" if run.progress.begun else "Run it again"
        said = f"Manyways was stopped before this run had ended. {then} when you like."
    else:
        said = show.plain(f"{run.error.message} {run.error.action}")
    return f":{row.colour}[{row.material}] {said}"


def _button(run: Run, failed: Attempt, found: Remedy) -> None:
    label = show.plain(found.label)
    match found.leads:
        case "billing" | "keys":
            if page := page_of(failed, found.leads):
                st.link_button(label, page, icon=":material/open_in_new:")
        case "providers" | "settings":
            icon = ":material/dns:" if found.leads == "providers" else ":material/tune:"
            st.page_link(f"{found.leads}/{found.leads}.py", label=label, icon=icon)
        case "goal":
            st.button(
                label, icon=":material/edit:", key="goal again", on_click=_edit_goal, args=(run,)
            )
        case "longer":
            tokens = min(2 * run.record.request.max_tokens, _LONGEST)
            if st.button(label, icon=":material/notes:", key="longer"):
                again.run_again(run, max_tokens=tokens)
        case "down":
            _move_down(run, failed, label)


def _edit_goal(run: Run) -> None:
    st.session_state["goal"] = run.record.goal


def _move_down(run: Run, failed: Attempt, label: str) -> None:
    """Offered where the order decides; once done, it says so and can be undone."""
    name, engine = failed.provider, services().engine
    moved = st.session_state.get("moved down")
    if moved == (run.record.id, name):
        place = engine.lineup.priority.index(name) + 1
        st.markdown(f"{show.plain(label_of(name))} is now number {place} in your order.")
        st.button("Undo", icon=":material/undo:", key="undo move", on_click=_undo)
    elif engine.lineup.strategy == "priority" and name in engine.lineup.priority:
        st.button(
            label,
            icon=":material/arrow_downward:",
            key="move down",
            on_click=_move,
            args=(run.record.id, name, run.record.provider),
        )


def _move(run_id: str, name: str, answered: str | None) -> None:
    engine = services().engine
    order = moved_down(engine.lineup.priority, name, answered)
    acting.done(engine.control.choose, "priority", order)
    if list(engine.lineup.priority) == order:
        st.session_state["moved down"] = (run_id, name)


def _undo() -> None:
    st.session_state.pop("moved down", None)
    acting.done(services().engine.control.undo, "priority")
