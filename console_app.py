"""The composition root: settings, history, engine, routes and guard become one application."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from streamlit import config

from core.api import make_api
from core.changes import note_keys
from core.engine import Engine
from core.errors import SwitchyardError
from core.guard import Guard, check_bind
from core.redaction import Redactor, install
from core.settings import read_settings
from core.skips import not_asked_in_words
from core.ui.delivery import deliver_what_was_drawn
from core.ui.services import Services, provide
from db import export, queries
from db.history import SqliteHistory
from db.performance import Performance
from db.settings import Choices
from db.upkeep import Upkeep

HERE = Path(__file__).resolve().parent

log = logging.getLogger("switchyard")
settings = read_settings(os.environ, HERE / ".env")
redact = Redactor(settings.secrets)
install(redact)
deliver_what_was_drawn()
logging.basicConfig(level=settings.log_level)
for chatty in ("httpx2", "google_genai", "watchdog"):
    logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
for problem in settings.problems:
    log.warning("%s", problem)


class Console:
    """What lives from start to stop. Made when the server starts, not when it is imported."""

    engine: Engine
    upkeep: Upkeep


console = Console()


def _open() -> Services:
    history = SqliteHistory.open(settings.database_path, redact=redact)
    archive = queries.Archive(settings.database_path)
    choices = Choices(history)
    note_keys(settings, choices)
    console.engine = Engine(settings, history, archive, choices, redact=redact)
    notices = tuple(str(problem) for problem in settings.problems)
    if history.notice:
        notices = (history.notice, *notices)
    for sentence in console.engine.control.retired(date.today()):
        log.warning("%s", sentence)
    console.upkeep = Upkeep(history, choices)
    console.upkeep.keep()
    return Services(console.engine, archive, Performance(archive), notices, console.upkeep)


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[dict[str, Any]]:
    if fault := check_bind(str(config.get_option("server.address") or ""), settings.password_text):
        _refuse_to_start(fault)
    try:
        services = _open()
    except SwitchyardError as error:
        _refuse_to_start(str(error))
    provide(services)
    _stop_engine_on_signals(services.engine)
    threading.Thread(target=_warm, args=(services.engine,), daemon=True).start()
    yield {}
    services.engine.close()
    provide(None)
    console.upkeep.close()
    services.engine.history.close()


def _refuse_to_start(reason: str) -> None:
    sys.stderr.write(f"Switchyard did not start. {reason}\n")
    sys.stderr.flush()
    os._exit(1)  # an exception here would reach the terminal as a traceback


def _warm(engine: Engine) -> None:
    """Import what the first page and the first plan need, then keep it out of collections."""
    engine.warm()
    import altair  # noqa: F401 - imported for its effect
    import pandas  # noqa: F401 - imported for its effect

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
    return JSONResponse(body)


async def one_floor_up(request: Request) -> Response:
    """Where a page opened by its own address looks for the server first.

    Streamlit's page takes its address for the server's, and asks the next shorter one only after
    a refusal. Browsers put every status from 400 on into their console, so this is none of them.
    """
    return Response(status_code=300)


async def nothing_here(request: Request) -> JSONResponse:
    from core.api import not_found

    return JSONResponse(not_found(), 404)


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
        Route("/{page}/_stcore/health", one_floor_up),
        Route("/{page}/_stcore/host-config", one_floor_up),
        Route("/autonomous", nothing_here),
        Mount("/autonomous", app=api),
    ],
    middleware=[
        Middleware(
            Guard,
            hosts=frozenset(settings.allowed_hosts),
            password=settings.password_text,
            secret_file=settings.database_path.with_name("console.key"),
        )
    ],
    lifespan=lifespan,
)

if __name__ == "__main__":
    app.run()
