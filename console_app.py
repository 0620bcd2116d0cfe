"""The composition root: settings, history, engine, routes and guard become one application."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import config

from core.config.changes import note_keys
from core.config.settings import read_settings
from core.routing.skips import not_asked_in_words
from core.running.engine import Engine
from core.ui.services import Services, provide
from core.ui.streamlit_patch import deliver_what_was_drawn
from core.values.errors import ManywaysError
from core.values.redaction import Redactor, install
from core.web.api import make_api
from core.web.guard import STRANGER, Guard, check_bind
from core.web.problems import NOT_FOUND
from db.choices import Choices
from db.figures.performance import Performance
from db.lists import export, queries
from db.sqlite.ours import why_not
from db.sqlite.writer import SqliteHistory
from db.upkeep.upkeep import Upkeep

HERE = Path(__file__).resolve().parent

log = logging.getLogger("manyways")
settings = read_settings(os.environ, HERE / ".env")
redact = Redactor(settings.secrets)
install(redact)
logging.basicConfig(level=settings.log_level)
for chatty in ("httpx2", "google_genai", "watchdog"):
    logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
deliver_what_was_drawn()
for problem in settings.problems:
    log.warning("%s", problem)


class Console:
    """What lives from start to stop. Made when the server starts, not when it is imported."""

    engine: Engine
    upkeep: Upkeep


console = Console()


def _open(closing: ExitStack) -> Services:
    """What `closing` closes, last first: SQLite leaves one file once nobody reads any more."""
    history = SqliteHistory.open(settings.database_path, redact=redact)
    closing.callback(history.close)
    archive = queries.Archive(settings.database_path)
    closing.callback(archive.stop)
    choices = Choices(history)
    closing.callback(choices.close)
    note_keys(settings, choices)
    console.upkeep = Upkeep(history, choices)
    closing.callback(console.upkeep.close)
    console.engine = Engine(settings, history, archive, choices, redact=redact)
    closing.callback(console.engine.close)
    notices = tuple(str(problem) for problem in settings.problems)
    if history.notice:
        notices = (history.notice, *notices)
    for sentence in console.engine.control.retired(date.today()):
        log.warning("%s", sentence)
    console.upkeep.keep()
    return Services(console.engine, archive, Performance(archive), notices, console.upkeep)


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[dict[str, Any]]:
    if fault := check_bind(str(config.get_option("server.address") or ""), settings.password_text):
        _refuse_to_start(fault)
    with ExitStack() as closing:
        try:
            services = _open(closing)
        except ManywaysError as error:
            closing.close()
            _refuse_to_start(str(error))
        provide(services)
        closing.callback(provide, None)
        _stop_engine_on_signals(services.engine)
        threading.Thread(target=_warm, args=(services.engine,), daemon=True).start()
        yield {}


def _refuse_to_start(reason: str) -> None:
    sys.stderr.write(f"Manyways did not start. {reason}\n")
    sys.stderr.flush()
    os._exit(1)  # an exception here would reach the terminal as a traceback


def _warm(engine: Engine) -> None:
    """Import what the first page and the first plan need, then keep it out of collections."""
    engine.warm()
    import pandas  # noqa: F401 - imported for its effect

    import core.insight.templates  # noqa: F401 - imported for its effect

    gc.collect()
    gc.freeze()


def _stop_engine_on_signals(engine: Engine) -> None:
    # Open streams would hold the server's shutdown up until their runs have ended.
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        before = signal.getsignal(number)

        def stop(signum: int, frame: Any, before: Any = before) -> None:
            first = not engine.stopping.is_set()
            threading.Thread(target=engine.close, daemon=True).start()
            if callable(before):
                # Once all is closed the server raises what it was told once more, which for
                # Ctrl+C ends the launcher with "Aborted!" and an error. Signal 0 is none.
                quiet = first and signum == signal.SIGINT and sys.platform != "win32"
                before(0 if quiet else signum, frame)

        signal.signal(number, stop)


async def healthz(request: Request) -> JSONResponse:
    reason = console.engine.complaint()
    body = {"status": "degraded" if reason else "ok", "reason": reason}
    if request.scope.get(STRANGER):
        del body["reason"]
    return JSONResponse(body)


class _FloorUp:
    """Answers where a page opened by its own address looks for the server first.

    Streamlit's page takes its address for the server's, and asks the next shorter one only after
    a refusal. Browsers put every status from 400 on into their console, so this is none of them.
    """

    def __init__(self, app: ASGIApp, base: str) -> None:
        self._app = app
        self._root = f"/{base.strip('/')}/".replace("//", "/")
        self._page = re.compile(
            rf"{re.escape(self._root)}[^/]+/_stcore/(?:health|host-config)", re.DOTALL
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._page.fullmatch(scope["path"]):
            await Response(status_code=300)(scope, receive, send)
        elif scope["path"] == "/" != self._root:
            await RedirectResponse(self._root[1:], 307)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def nothing_here(request: Request) -> JSONResponse:
    return JSONResponse(NOT_FOUND, 404)


def _guarded(app: ASGIApp) -> Guard:
    """Made as the server starts, and with it the key of the sign-ins, beside the history."""
    if fault := why_not(settings.database_path):
        _refuse_to_start(fault)
    base = str(config.get_option("server.baseUrlPath") or "")
    return Guard(
        _FloorUp(app, base),
        hosts=frozenset(settings.allowed_hosts),
        password=settings.password_text,
        secret_file=settings.database_path.with_name("console.key"),
        base=base,
    )


api = make_api(
    lambda: console.engine,
    export_csv=lambda filters: export.export_csv(
        settings.database_path, filters, not_asked=not_asked_in_words
    ),
    export_jsonl=lambda filters: export.export_jsonl(settings.database_path, filters),
    backup=lambda target: console.upkeep.backup(target),
)
app = st.App(
    HERE / "core" / "ui" / "main.py",
    routes=[
        Route("/healthz", healthz),
        Route("/autonomous", nothing_here),
        Mount("/autonomous", app=api),
    ],
    middleware=[Middleware(_guarded)],
    lifespan=lifespan,
)


def _options(arguments: Sequence[str]) -> dict[str, Any]:
    """What Streamlit is told, by the names that `streamlit run` knows, in the environment, too."""
    parser = argparse.ArgumentParser("python console_app.py", allow_abbrev=False)
    for names, kind, meaning in (
        (("--server.port", "--port"), int, "the port to listen on"),
        (("--server.address", "--address", "--host"), str, "the address to listen on"),
        (("--server.baseUrlPath",), str, "what the path of every page begins with"),
        (("--server.sslCertFile",), str, "a certificate, to serve https"),
        (("--server.sslKeyFile",), str, "its key"),
    ):
        option = names[0].removeprefix("--")
        variable = "STREAMLIT_" + re.sub(r"(?<=[a-z])(?=[A-Z])|\.", "_", option).upper()
        default = os.environ.get(variable) or None
        parser.add_argument(
            *names, dest=option, type=kind, default=default, metavar="VALUE", help=meaning
        )
    given = vars(parser.parse_args(arguments))
    asked = {name: value for name, value in given.items() if value is not None}
    if not 0 < asked.get("server.port", 1) < 1 << 16:
        parser.error("a port is a number from 1 to 65535")
    return asked


if __name__ == "__main__":
    app.run(config=_options(sys.argv[1:]))
