"""Starts runs from a page, and repeats them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from core.config.keys import Keys
from core.running.run import Run
from core.ui import show
from core.ui.services import services
from core.values.errors import BadRequest, KeyFound, RunError
from core.values.registry import label_of
from core.values.runs import RunRequest

_LOOKED_AT = "looked at here"
_KEY = "key in question"  # on which page, and what goes on once that is answered


def start(begin: Callable[..., str], *asked: RunRequest | str) -> None:
    """`begin` a run and go where it shows; or say on the page why it did not start."""

    def go(keys: Keys) -> None:
        try:
            run_id = begin(*asked, keys=keys)
        except KeyFound:
            ask_about_key("run plan", go)
            st.switch_page("run/run_plan.py")
        except BadRequest as error:
            st.error(show.plain(str(error)))
        except RunError as error:
            st.error(show.plain(f"{error.message} {error.action}"))
        else:
            look_at(run_id)
            st.switch_page("run/run_plan.py", query_params={"run": run_id})

    forget_key()
    go("refuse")


def ask_about_key(page: str, go: Callable[[Keys], None]) -> None:
    """What is to be done with something that looks like a key; `key_question` of `page` asks."""
    st.session_state[_KEY] = (page, go)


def forget_key() -> None:
    st.session_state.pop(_KEY, None)


def key_question(page: str) -> None:
    """Whether to send what looks like a key, if that is in question on this page."""
    of, go = st.session_state.get(_KEY, (None, None))
    if of != page or go is None:
        return
    with st.container(border=True, key="key question"):
        st.markdown(
            ":orange[:material/key:] **This looks like it holds a key.** Nothing was sent, and "
            "nothing was kept. A key in a goal would go to the providers and into the history."
        )
        without = st.button("Send it without the key", type="primary", key="without the key")
        as_it_is = st.button("It is no key: send it as it is", key="no key")
    if without or as_it_is:
        forget_key()
        go("remove" if without else "keep")


def look_at(run_id: str) -> None:
    """Somebody wants to see this run in this window: who started it, or followed a link to it."""
    st.session_state[_LOOKED_AT] = run_id


def looked_at(run_id: str) -> bool:
    return bool(st.session_state.get(_LOOKED_AT) == run_id)


def run_again(run: Run, *, first: str | None = None, max_tokens: int | None = None) -> None:
    """The same goal with the same options; with `first`, that provider is asked before others."""
    engine, request = services().engine, run.record.again()
    if max_tokens is not None:
        request = replace(request, max_tokens=max_tokens)
    if first is not None:
        able = engine.lineup.eligible()
        order = (first, *(name for name in able if name != first))
        request = replace(request, strategy="priority", priority=order)
    start(engine.submit, request)


def again_buttons(run: Run) -> None:
    """Run again, and run again with another provider first."""
    engine = services().engine
    if st.button("Run again", icon=":material/replay:", key="again"):
        run_again(run)
    others = [name for name in engine.lineup.eligible() if name != run.record.provider]
    if others and not run.record.request.private:
        first = st.menu_button(
            "Another first",
            others,
            format_func=lambda name: show.plain(label_of(name)),
            icon=":material/swap_vert:",
            key="another first",
            help="Run it again, and ask somebody else first this time",
        )
        if first:
            run_again(run, first=first)
