"""A patch of Streamlit: what one fragment has drawn is delivered before the next one's turn.

A fragment's thread hands its messages to the session's event loop. When a request for another
fragment is handled after that thread has ended, but before its last messages are, Streamlit (1.67,
AppSession) makes a new runner and ignores what the old one still sends: a click that was carried
out shows nothing. With several parts that look for news by themselves, one draw in 150 was lost so
on a busy machine. Here such a request waits until the old runner's last message is handled.

A fragment that looks for news may also ask just after its page was left, before its browser has
learned of that. Streamlit then draws into the next page what has no place there, and the browser
shows nothing at all ("Bad delta path"): one time in ten on a busy machine. Here nobody answers.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import streamlit

_KNOWN = "1.67."  # what is used here are private names
_SOON = 0.002  # seconds between two looks at whether the old runner is gone

_log = logging.getLogger("manyways")

Ask = Callable[[Any, Any], None]


def deliver_what_was_drawn(version: str = streamlit.__version__) -> None:
    """For all sessions; once, before there are any. Streamlit of another version stays as it is."""
    if not version.startswith(_KNOWN):
        _log.warning(
            "Streamlit %s was not tried with Manyways, and now and then a click may show nothing. "
            "Install Streamlit %sx.",
            version,
            _KNOWN,
        )
        return
    from streamlit.runtime.app_session import AppSession  # where another version may have none

    patient: Any = in_turn(AppSession.request_rerun)
    AppSession.request_rerun = patient  # type: ignore[method-assign] # that is the point


def in_turn(ask: Ask) -> Ask:
    """As `ask`, but not while a runner of the session is ending, nor for a page that was left.

    Whatever comes meanwhile waits, too: each request carries what the widgets say.
    """
    waiting: WeakKeyDictionary[Any, deque[Any]] = WeakKeyDictionary()

    def request_rerun(self: Any, client_state: Any) -> None:
        queue = waiting.setdefault(self, deque())
        of_fragment = client_state is not None and client_state.fragment_id
        if of_fragment and client_state.page_script_hash not in ("", self.page_script_hash):
            return
        if not queue and not (of_fragment and _is_ending(self)):
            ask(self, client_state)
            return
        queue.append(client_state)
        if len(queue) == 1:
            self._event_loop.call_later(_SOON, go_on, self)

    def go_on(session: Any) -> None:
        queue = waiting[session]
        try:
            if not _is_ending(session):
                ask(session, queue.popleft())
        finally:
            if queue:
                session._event_loop.call_later(_SOON, go_on, session)

    return request_rerun


def _is_ending(session: Any) -> bool:
    """It takes no more requests, and its last message has not been handled."""
    runner = session._scriptrunner
    return runner is not None and runner._requests._state.name == "STOP"
