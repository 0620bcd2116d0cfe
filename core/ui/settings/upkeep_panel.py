"""What the history takes up, a copy of it, and what of it is kept."""

from __future__ import annotations

import time
from collections.abc import Mapping

import streamlit as st

from core.ui import show
from core.ui.actions import done
from core.ui.services import services
from core.values.errors import HistoryUnavailable
from core.values.history.retention import HistorySize, Removal, RemovalProgress, RetentionPolicy
from core.values.ports import Upkeep
from core.values.wording import ago, bytes_in_words, count, exact_time

_LOOK_EVERY = 1.0  # seconds between two looks at how far a removal is
_FOR_GOOD = 0.0  # not None, which a choice shows as nothing chosen
_DAYS = {
    _FOR_GOOD: "for good",
    7.0: "7 days",
    30.0: "30 days",
    90.0: "90 days",
    365.0: "a year",
    730.0: "2 years",
}
_BYTES = {
    _FOR_GOOD: "without a limit",
    500e6: "up to 500 MB",
    1e9: "up to 1 GB",
    5e9: "up to 5 GB",
    20e9: "up to 20 GB",
}


def panel() -> None:
    upkeep = services().upkeep
    if upkeep is None:
        st.caption("Nobody looks after the history here.")
        return
    try:
        _size(upkeep.usage())
        _copy()
        _keep(upkeep)
    except HistoryUnavailable as error:
        st.error(show.plain(f"{error.message} {error.action}"), icon=":material/database_off:")


def _size(usage: HistorySize) -> None:
    oldest = "none yet"
    if usage.oldest_call is not None:
        oldest = ago(time.time() - usage.oldest_call)
    figures = (
        ("On disk", bytes_in_words(usage.file_bytes + usage.log_bytes), None),
        ("Of it texts", bytes_in_words(usage.text_bytes), "What was asked and answered. About."),
        ("Calls", f"{usage.calls:,}", f"In {count(usage.runs, 'run')}."),
        ("Oldest call", oldest, _exactly(usage.oldest_call)),
    )
    with st.grid(len(figures), min_column_width=150, border=True) as grid:
        for label, value, help_ in figures:
            with grid.cell():
                st.metric(label, value, help=help_)
    free = bytes_in_words(usage.disk_free_bytes)
    st.caption(
        f"{show.plain(free)} are free on this disk. "
        f"{show.plain(bytes_in_words(usage.unused_bytes))} of the file wait for new calls."
    )


def _exactly(moment: float | None) -> str | None:
    return None if moment is None else exact_time(moment, st.context.timezone)


def _copy() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.link_button("Download a copy", "autonomous/backup", icon=":material/download:")
        st.caption(
            "The whole history in one SQLite file, as it is now. Runs go on meanwhile.",
            width="stretch",
        )


def _keep(upkeep: Upkeep) -> None:
    st.markdown("**What is kept**")
    chosen = upkeep.policy()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        texts = _choice("Texts", _DAYS, chosen.texts_days)
        numbers = _choice("Numbers", _DAYS, chosen.numbers_days)
        most = _choice("The whole file", _BYTES, chosen.most_bytes)
    wanted = RetentionPolicy(texts, numbers, None if most is None else int(most))
    removal = upkeep.preview(wanted)
    st.markdown(show.plain(_would_go(removal, same=wanted == chosen)))
    st.caption(
        "Texts are goals, plans, requests and answers; numbers are who was asked, when, and what"
        " came of it. The figures on Performance stay. It is looked after once a day."
    )
    if wanted != chosen or removal:
        label = "Keep it so and remove the rest" if removal else "Keep it so"
        if st.button(label, icon=":material/auto_delete:", key="keep it so"):
            done(services().engine.choices.set, "retention", _as_choice(wanted))
            upkeep.start(wanted)
            st.rerun()
    _progress()


def _as_choice(policy: RetentionPolicy) -> dict[str, float | None] | None:
    return None if policy == RetentionPolicy() else policy.as_choice()


def _choice(label: str, usual: Mapping[float, str], kept: float | None) -> float | None:
    words, now = dict(usual), kept or _FOR_GOOD
    if now not in words:
        words[now] = f"{now:g} days" if usual is _DAYS else bytes_in_words(now)
    key = f"keep {label}"
    if st.session_state.get(f"{key} as") != now:  # chosen elsewhere since
        st.session_state[f"{key} as"] = st.session_state[key] = now
    chosen = st.selectbox(label, list(words), key=key, format_func=words.__getitem__, width=210)
    return chosen or None


def _would_go(removal: Removal, *, same: bool) -> str:
    if not removal:
        return "Nothing that there is would be removed."
    parts = []
    if removal.texts:
        parts.append(f"the texts of {count(removal.texts, 'call')}")
    if removal.goals:
        parts.append(f"the goals of {count(removal.goals, 'run')} that asked nobody")
    if removal.calls:
        parts.append(count(removal.calls, "call"))
    if removal.runs:
        parts.append(count(removal.runs, "run"))
    what = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    when = f", the oldest of {_exactly(removal.oldest)}" if removal.oldest is not None else ""
    verb = "The next look removes" if same else "This would remove"
    return f"{verb} {what}{when}: about {bytes_in_words(removal.bytes)}. It cannot be undone."


@st.fragment(run_every=_LOOK_EVERY)
def _progress() -> None:
    upkeep = services().upkeep
    if upkeep is None:
        return
    now = upkeep.progress()
    if now.running:
        _how_far(now)
        st.session_state["removing"] = True
        return
    if st.session_state.pop("removing", False):
        st.rerun()
    if now.error:
        st.error(show.plain(now.error), icon=":material/database_off:")
    elif now.finished_at is not None and now.done:
        gone = now.done
        when = ago(time.time() - now.finished_at)
        st.caption(
            f"{count(gone.texts + gone.goals, 'text')}, {count(gone.calls, 'call')} and"
            f" {count(gone.runs, 'run')} were removed"
            f" {when}, and {show.plain(bytes_in_words(gone.bytes))} given back to the disk."
        )


def _how_far(now: RemovalProgress) -> None:
    expected, done_ = (
        some.texts + some.calls + some.runs + some.goals for some in (now.expected, now.done)
    )
    share = min(1.0, done_ / expected) if expected else 0.0
    st.progress(share, text=f"Removing: {done_:,} of about {expected:,}")
