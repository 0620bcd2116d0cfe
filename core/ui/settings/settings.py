"""Settings: what is in force and why, the limits, the history's upkeep, changes and versions."""

from __future__ import annotations

import time
from collections.abc import Callable

import pandas as pd
import streamlit as st

from core.config.changes import KEYS, any_change_in_words
from core.config.inventory import inventory
from core.config.versions import versions
from core.ui import show
from core.ui.actions import done
from core.ui.services import services
from core.ui.settings import limit_form, upkeep_panel
from core.values.errors import HistoryUnavailable
from core.values.wording import ago, exact_time

_SHOWN = 15  # changes at first


def _problems() -> None:
    problems = services().engine.settings.problems
    unused = [problem for problem in problems if not problem.used]
    used = [problem for problem in problems if problem.used]
    if not problems:
        return
    with st.container(border=True, key="problems"):
        for listed, said in (
            (unused, "could not be used as written"),
            (used, "had better be changed"),
        ):
            if listed:
                number = "1 value" if len(listed) == 1 else f"{len(listed)} values"
                st.markdown(f":orange[:material/warning:] **{number} {said}**")
            for problem in listed:
                where = f" in `.env`, line {problem.line}" if problem.line else ""
                st.markdown(f"- `{problem.variable}`{where}: {show.plain(problem.sentence)}")
        st.caption("Mend them and start Manyways again.")


def _every_setting() -> None:
    engine = services().engine
    lines = inventory(engine.settings, engine.choices)
    st.caption(
        "What is chosen in the console wins over the environment, which wins over `.env`. Keys and "
        "the password are never shown."
    )
    st.dataframe(
        pd.DataFrame(
            {
                "Setting": [line.name for line in lines],
                "Value": [line.value for line in lines],
                "Comes from": [line.origin for line in lines],
                "What it is": [line.meaning for line in lines],
                "About": [line.section for line in lines],
            }
        ),
        hide_index=True,
        height=35 * (len(lines) + 1) + 3,
        column_order=["About", "Setting", "Value", "Comes from", "What it is"],
        column_config={
            "About": st.column_config.TextColumn(width=100),
            "Setting": st.column_config.TextColumn(width=220),
            "Value": st.column_config.TextColumn(width=260),
            "Comes from": st.column_config.TextColumn(width=110),
        },
        alt="Every setting with its value and where the value comes from.",
    )


def _changes() -> None:
    engine = services().engine
    many = st.session_state.get("changes shown", _SHOWN)
    try:
        changes = engine.choices.changes(limit=many + 1)
    except HistoryUnavailable as error:
        st.error(show.plain(f"{error.message} {error.action}"), icon=":material/database_off:")
        return
    told = [(change, said) for change in changes if (said := any_change_in_words(change))]
    if not told:
        st.caption("Nothing has been changed yet. Every change of a setting will stand here.")
        return
    for number, (change, said) in enumerate(told[:many]):
        row = st.container(horizontal=True, vertical_alignment="center", key=f"change {number}")
        row.markdown(show.plain(said), width="stretch")
        at = exact_time(change.changed_at, st.context.timezone)
        row.caption(ago(time.time() - change.changed_at), help=at, width="content")
        if change.key == KEYS:
            continue
        if row.button(
            "Undo",
            key=f"undo {number} {change.changed_at}",
            icon=":material/undo:",
            type="tertiary",
            disabled=engine.choices.get(change.key) == change.old,
            help="Puts back what held before this change.",
        ):
            done(engine.control.choose, change.key, change.old)
            st.rerun()
    if len(changes) > many and st.button("Show more", key="more changes"):
        st.session_state["changes shown"] = many + 50
        st.rerun()


def _about() -> None:
    database = services().records.database()
    found = {**versions(), database.name: database.version}
    st.table(
        pd.DataFrame({"What": list(found), "Version": list(found.values())}),
        border="horizontal",
        hide_index=True,
        width="content",
    )
    if database.note:
        st.info(show.plain(database.note), icon=":material/info:")


_TABS: dict[str, Callable[[], None]] = {
    "Limits": limit_form.form,
    "History": upkeep_panel.panel,
    "Every setting": _every_setting,
    "Changes": _changes,
    "Versions": _about,
}

st.title("Settings")
_problems()
for tab, shown in zip(
    st.tabs(list(_TABS), key="settings", on_change="rerun"), _TABS.values(), strict=True
):
    if tab.open:
        with tab:
            shown()
