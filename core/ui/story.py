"""The story of a run that has ended: one sentence, and what to do about it."""

from __future__ import annotations

import streamlit as st

from core.providers import label_of
from core.remedies import Remedy, blamed, moved_down, page_of, remedy
from core.runs import Run
from core.types import Attempt
from core.ui import acting, again, show
from core.ui.services import services
from core.words import story

_LONGEST = 32_000  # tokens


def story_view(run: Run) -> None:
    if run.record.status == "completed" and run.terms.begun:
        st.markdown(show.plain(_carried_out(run)))
        return
    failed = blamed(run.attempts)
    found = remedy(failed) if failed else None
    if run.record.status == "completed" and failed is None:
        st.markdown(show.plain(story(_planning(run))))
        return
    with st.container(border=True, gap="small"):
        st.markdown(_sentence(run))
        with st.container(horizontal=True, gap="small"):
            if failed and found:
                _button(run, failed, found)
            if failed and (found is None or found.leads != "down"):
                _move_down(run, failed, f"Move {label_of(failed.provider)} down")


def _sentence(run: Run) -> str:
    """What happened, marked with how grave it is."""
    if run.record.status == "completed":
        return f":green[:material/alt_route:] {show.plain(story(_planning(run)))}"
    if run.record.status == "interrupted":
        then = "Continue it" if run.terms.begun else "Run it again"
        said = f"Switchyard was stopped before this run had ended. {then} when you like."
        return f":gray[:material/power_off:] {said}"
    error = run.error
    told = f"{error.message} {error.action}" if error else story(_planning(run))
    if run.record.status == "cancelled":
        return f":gray[:material/stop_circle:] {show.plain(told)}"
    return f":red[:material/error:] {show.plain(told)}"


def _carried_out(run: Run) -> str:
    last = len(run.plan.steps) if run.plan else 0
    skipped = [str(index + 1) for index in sorted(run.terms.skipped) if index < last]
    but = f", but for step{'s' if len(skipped) > 1 else ''} {', '.join(skipped)}" if skipped else ""
    if last in run.terms.skipped:
        but += ", without a final answer"
    by = f" {label_of(run.record.provider)} had planned it." if run.record.provider else ""
    return f"The plan was carried out{but}.{by}"


def _planning(run: Run) -> list[Attempt]:
    return [attempt for attempt in run.attempts if attempt.step is None]


def _button(run: Run, failed: Attempt, found: Remedy) -> None:
    label = show.plain(found.label)
    match found.leads:
        case "billing" | "keys":
            if page := page_of(failed, found.leads):
                st.link_button(label, page, icon=":material/open_in_new:")
        case "providers" | "settings":
            icon = ":material/dns:" if found.leads == "providers" else ":material/tune:"
            st.page_link(f"views/{found.leads}.py", label=label, icon=icon)
        case "goal":
            st.button(
                label, icon=":material/edit:", key="goal again", on_click=_edit_goal, args=(run,)
            )
        case "longer":
            tokens = min(2 * int(run.record.options.get("max_tokens") or 2000), _LONGEST)
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
