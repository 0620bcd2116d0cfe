"""Streamlit's own requests and event loop; the session around them has three lines."""

import asyncio
import logging
from types import SimpleNamespace

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests

from core.ui.streamlit_patch import deliver_what_was_drawn, in_turn


class Session:
    page_script_hash = "history"

    def __init__(self) -> None:
        self._event_loop = asyncio.get_running_loop()
        self._scriptrunner = None
        self.log: list[str] = []

    def run_and_end(self) -> None:
        """A runner that takes no more requests, whose last messages are on their way."""
        requests = ScriptRequests()
        requests.request_rerun(RerunData())
        requests.on_scriptrunner_ready()
        requests.on_scriptrunner_ready()
        self._scriptrunner = SimpleNamespace(_requests=requests)
        self._event_loop.call_later(0.02, self._gone)

    def _gone(self) -> None:
        self.log.append("last message")
        self._scriptrunner = None


def ask(session: Session, wanted: ClientState) -> None:
    session.log.append(wanted.fragment_id or "page")


def asked(*wanted: str, ending: bool) -> list[str]:
    async def run() -> list[str]:
        session, request = Session(), in_turn(ask)
        if ending:
            session.run_and_end()
        for fragment in wanted:
            request(session, ClientState(fragment_id=fragment))
        await asyncio.sleep(0.2)
        return session.log

    return asyncio.run(run())


def test_a_part_waits_until_the_one_before_it_is_delivered_and_all_stay_in_order():
    assert asked("a", "b", "", "c", ending=True) == ["last message", "a", "b", "page", "c"]


def test_nothing_waits_while_nothing_is_ending():
    assert asked("a", "", "b", ending=False) == ["a", "page", "b"]


def test_a_whole_page_does_not_wait_for_a_part():
    assert asked("", ending=True) == ["page", "last message"]


def test_a_part_of_a_page_that_was_left_is_not_drawn():
    async def run() -> list[str]:
        session, request = Session(), in_turn(ask)
        for page in ("history", "run plan", ""):
            request(session, ClientState(fragment_id=f"of {page}", page_script_hash=page))
        request(session, ClientState(page_script_hash="run plan"))
        return session.log

    assert asyncio.run(run()) == ["of history", "of ", "page"]


def test_a_request_that_fails_does_not_hold_up_the_next():
    def fails(session: Session, wanted: ClientState) -> None:
        ask(session, wanted)
        if wanted.fragment_id == "a":
            raise ValueError("a")

    async def run() -> list[str]:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        session, request = Session(), in_turn(fails)
        session.run_and_end()
        request(session, ClientState(fragment_id="a"))
        request(session, ClientState(fragment_id="b"))
        await asyncio.sleep(0.2)
        return session.log

    assert asyncio.run(run()) == ["last message", "a", "b"]


def test_another_version_of_streamlit_is_left_as_it_is_with_a_sentence(caplog):
    before = AppSession.request_rerun
    with caplog.at_level(logging.WARNING, "manyways"):
        for version in ("1.68.0", "1.670.1", "2.0"):
            deliver_what_was_drawn(version)
    assert AppSession.request_rerun is before
    assert [record.message.split(" was")[0] for record in caplog.records] == [
        "Streamlit 1.68.0", "Streamlit 1.670.1", "Streamlit 2.0",
    ]  # fmt: skip
