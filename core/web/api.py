"""/autonomous/*: the same engine, for scripts. Mounted beside the console in one process."""

from __future__ import annotations

import asyncio
import html
import json
import math
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Annotated, Any, BinaryIO, TypeVar

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.routing.strategies import STRATEGIES
from core.running.engine import Engine
from core.running.feed import Event
from core.running.run import Run
from core.running.run_json import run_as_json
from core.values.errors import BadRequest, RunError
from core.values.outcomes import ErrorKind, meaning
from core.values.registry import PROVIDERS
from core.values.runs import RunRequest
from core.values.telling.attempts import SKIPS
from core.values.texts import check_text
from core.web import run_documents as export
from core.web.downloads import HEAD, Download, Turns
from core.web.problems import NOT_ALLOWED, NOT_FOUND, OURS, problem

Export = Callable[[Mapping[str, list[str]]], Iterator[str]]  # the page's filters -> pieces of text

_EXPORTS = 3  # at once
_SILENCE = 10.0  # seconds without an event, after which proxies begin to take a stream for dead

_T = TypeVar("_T")


def _known(strategy: str) -> str:
    if strategy not in STRATEGIES:
        raise ValueError(f"there are {', '.join(STRATEGIES)}")
    return strategy


StrategyName = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": list(STRATEGIES)}),
]


class PlanRequest(BaseModel):
    """What to plan, and how."""

    model_config = ConfigDict(extra="forbid")

    goal: str = Field(description="What to get done, in your own words.", min_length=1)
    strategy: StrategyName | None = Field(
        None, description="Who is asked first; as set in the console if left out."
    )
    priority: list[str] | None = Field(
        None,
        min_length=1,
        description="The order for this run, by name; those not named are not asked.",
    )
    temperature: float = Field(0.3, ge=0, le=2)
    max_tokens: int = Field(2000, ge=1, le=200_000, description="Longest answer, in tokens.")
    context: str | None = Field(None, description="Background that the plan should heed.")
    execute: bool = Field(False, description="Carry the plan out, too.")
    timeout: float | None = Field(None, gt=0, le=3600, description="Seconds the run may take.")


_STATUS_SAID = (
    "`available_providers` may be asked now: who rests, needs a person, is switched off or is"
    " pretended down is not among them. The success rate, here and everywhere, is of the calls that"
    " say something of the provider: those that ended as "
    f"{', '.join(kind.value for kind in ErrorKind if not kind.outcome.rated)} do not, and are in"
    " none of `total_calls`, `failed_calls` and `success_rate`, which is null where no call says"
    " anything. `avg_latency` is of answers, and null without one."
)
_RUN_SAID = (
    "`skipped` names the providers that were set up and yet passed over, each with `provider`,"
    f" `reason` ({', '.join(reason for reason, row in SKIPS.items() if row.set_up)}), `message`"
    " and `until` (UTC seconds, or null). It is null for runs of versions that did not record it."
)

_TOKENS = (
    "A `token` event carries what is new of an answer, without what its model thinks aloud. Where"
    " it has `anew`, what came before of the answer with the same `ordinal` was thinking: drop it."
)


class _Rejected(Exception):
    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        action: str,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = problem(kind, message, action)
        self.headers = headers


def make_api(
    engine: Callable[[], Engine],
    *,
    export_csv: Export,
    export_jsonl: Export,
    backup: Callable[[BinaryIO], int],
) -> FastAPI:
    """The application to mount at /autonomous. `engine` is asked for at each request."""
    api = FastAPI(
        title="Manyways",
        description="Plans from seven LLM providers, with automatic fallback.",
        version="1",
        docs_url=None,  # the usual page loads its scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_plans(api, engine)
    _add_going_on(api, engine)
    _add_reading(api, engine)
    _add_exports(api, engine, export_csv, export_jsonl)
    _add_backup(api, engine, backup)
    _add_errors(api)
    api.add_middleware(_HeadAsGet)
    return api


class _HeadAsGet:
    """HEAD is GET whose body is not sent: the server leaves it out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET", HEAD: True}
        await self._app(scope, receive, send)


_Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


def _add_plans(api: FastAPI, engine: Callable[[], Engine]) -> None:
    schema = PlanRequest.model_json_schema()
    # The body is read by hand: a script need not say that it sends JSON.
    body = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}

    said = _RUN_SAID

    @api.post("/plan", summary="Plan a goal", description=said, openapi_extra=body)
    async def plan(request: Request, idempotency_key: _Key = None) -> JSONResponse:
        run_id = await _submit(engine(), await _read(request), idempotency_key)
        return await _result(engine(), run_id)

    @api.post("/plan-and-execute", summary="Plan a goal and carry the plan out", openapi_extra=body)
    async def plan_and_execute(request: Request, idempotency_key: _Key = None) -> JSONResponse:
        asked = (await _read(request)).model_copy(update={"execute": True})
        return await _result(engine(), await _submit(engine(), asked, idempotency_key))

    @api.post(
        "/plan/stream", summary="Plan a goal and watch", description=_TOKENS, openapi_extra=body
    )
    async def stream(request: Request, idempotency_key: _Key = None) -> StreamingResponse:
        run_id = await _submit(engine(), await _read(request), idempotency_key)
        run = await _find(engine(), run_id)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_events(run), media_type="text/event-stream", headers=headers)


def _add_going_on(api: FastAPI, engine: Callable[[], Engine]) -> None:
    @api.post("/runs/{run_id}/continue", summary="Go on with a run; what is done is kept")
    async def go_on(run_id: str) -> JSONResponse:
        await _find(engine(), run_id)
        await _asked(engine().carry_on, run_id)
        return await _result(engine(), run_id)

    @api.post("/runs/{run_id}/stop", summary="Stop a run; what is done is kept")
    async def stop(run_id: str) -> JSONResponse:
        run = await _find(engine(), run_id)
        if engine().cancel(run_id):
            await run.feed.wait()
        return JSONResponse(run_as_json(run))


def _add_reading(api: FastAPI, engine: Callable[[], Engine]) -> None:
    @api.get("/status", summary="How the providers are doing", description=_STATUS_SAID)
    async def status() -> dict[str, Any]:
        return await asyncio.to_thread(_status, engine())

    @api.get("/runs/{run_id}.md", summary="One run's result as Markdown")
    async def as_markdown(run_id: str) -> PlainTextResponse:
        run = await _find(engine(), run_id)
        text = await asyncio.to_thread(export.as_markdown, run)
        return PlainTextResponse(text, media_type="text/markdown; charset=utf-8")

    @api.get("/runs/{run_id}.html", summary="One run's result as a page of its own")
    async def as_html(run_id: str) -> HTMLResponse:
        run = await _find(engine(), run_id)
        return HTMLResponse(await asyncio.to_thread(export.as_html, run))

    summary = "One run with its plan, its steps and its attempts"

    @api.get("/runs/{run_id}", summary=summary, description=_RUN_SAID)
    async def run(run_id: str) -> JSONResponse:
        return JSONResponse(run_as_json(await _find(engine(), run_id)))

    @api.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_docs_page(api.openapi()))


def _add_exports(
    api: FastAPI, engine: Callable[[], Engine], export_csv: Export, export_jsonl: Export
) -> None:
    turns = Turns(_EXPORTS)

    def answer(request: Request, export: Export, media_type: str, name: str) -> Download:
        pieces = export(_filters(request))
        if not turns.take():
            raise _later("Others are being exported just now, and each takes memory.")
        return Download(
            pieces,
            media_type=media_type,
            name=name,
            close=turns.give_back,
            stopping=engine().stopping.is_set,
        )

    @api.get("/export.csv", summary="Calls as a table; with view=runs, runs")
    async def as_csv(request: Request) -> Response:
        return answer(request, export_csv, "text/csv; charset=utf-8", "calls.csv")

    @api.get("/export.jsonl", summary="Calls, or runs, as JSON lines")
    async def as_jsonl(request: Request) -> Response:
        return answer(request, export_jsonl, "application/x-ndjson", "calls.jsonl")


def _add_backup(
    api: FastAPI, engine: Callable[[], Engine], backup: Callable[[BinaryIO], int]
) -> None:
    turns = Turns(1)  # each takes as much of the disk as the history

    @api.get("/backup", summary="The whole history in one SQLite file")
    async def whole(request: Request) -> Response:
        if not turns.take():
            raise _later("The history is being copied already.")
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed once it has been sent

        def close() -> None:
            copy.close()  # which gives its space back to the disk
            turns.give_back()

        try:
            size = 0 if request.scope.get(HEAD) else await asyncio.to_thread(backup, copy)
            copy.seek(0)
        except RunError as error:
            close()
            raise _refused(error) from None
        except BaseException:
            close()
            raise
        return Download(
            _pieces(copy),
            media_type="application/vnd.sqlite3",
            name=time.strftime("manyways-%Y-%m-%d.db", time.gmtime()),
            size=size or None,
            close=close,
            stopping=engine().stopping.is_set,
        )


def _pieces(copy: BinaryIO) -> Iterator[bytes]:
    while piece := copy.read(1 << 18):
        yield piece


def _later(said: str) -> _Rejected:
    action = "Try again in half a minute."
    return _Rejected(503, "busy", said, action, headers={"Retry-After": "30"})


def _add_errors(api: FastAPI) -> None:
    @api.exception_handler(_Rejected)
    async def refused(request: Request, error: _Rejected) -> JSONResponse:
        return JSONResponse(error.body, error.status, error.headers)

    @api.exception_handler(BadRequest)
    async def bad_request(request: Request, error: BadRequest) -> JSONResponse:
        return JSONResponse(problem("bad_request", str(error), "Correct it and try again."), 422)

    @api.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        body = NOT_ALLOWED if error.status_code == 405 else NOT_FOUND
        headers = dict(error.headers or {})
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"
        return JSONResponse(body, error.status_code, headers)

    @api.exception_handler(RequestValidationError)
    async def header(request: Request, error: RequestValidationError) -> JSONResponse:
        action = "Shorten the header Idempotency-Key to 200 characters."
        return JSONResponse(problem("bad_request", "A header is not right.", action), 422)

    @api.exception_handler(Exception)
    async def ours(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse(OURS, 500)


async def _read(request: Request) -> PlanRequest:
    raw = await request.body()  # the guard has capped it
    try:
        value = json.loads(raw)
        check_text(json.dumps(value, ensure_ascii=False), "body")
    except (ValueError, RecursionError):
        raise _Rejected(
            400, "bad_request", "The body is not JSON.", 'Send a body such as {"goal": "..."}.'
        ) from None
    if not isinstance(value, dict):
        raise _Rejected(
            422,
            "bad_request",
            "The body is not a JSON object.",
            'Send a body such as {"goal": "..."}.',
        )
    try:
        return PlanRequest.model_validate(value)
    except ValidationError as error:
        raise _Rejected(422, "bad_request", *_complaint(error)) from None


def _complaint(error: ValidationError) -> tuple[str, str]:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part)[:60] for part in first["loc"]) or "body"
    if first["type"] == "extra_forbidden":
        return (
            f"There is no field “{field}”.",
            f"Leave it out; the fields are {', '.join(PlanRequest.model_fields)}.",
        )
    if first["type"] == "missing":
        return f"The field “{field}” is missing.", f"Add “{field}” to the body."
    return (
        f"The field “{field}” is not right: {first['msg']}.",
        f"Correct “{field}” and send it again.",
    )


async def _submit(engine: Engine, asked: PlanRequest, key: str | None) -> str:
    options = {**asked.model_dump(), "source": "api", "idempotency_key": key}
    return await _asked(engine.submit, RunRequest.read(options))


async def _asked(act: Callable[..., _T], *values: Any, **named: Any) -> _T:
    """What the engine says to it, or its refusal as an answer."""
    try:
        return await asyncio.to_thread(act, *values, **named)
    except BadRequest as error:
        raise _Rejected(422, "bad_request", str(error), "Correct it and send it again.") from None
    except RunError as error:
        raise _refused(error) from None


def _refused(error: RunError) -> _Rejected:
    return _Rejected(503, error.kind, error.message, error.action, headers=_retry_after(error))


def _retry_after(error: RunError) -> dict[str, str]:
    if error.retry_after is None:
        return {}
    return {"Retry-After": str(math.ceil(error.retry_after))}


async def _find(engine: Engine, run_id: str) -> Run:
    run = engine.runs.get(run_id)
    if run is None and len(run_id) <= 64:
        run = await asyncio.to_thread(engine.runs.stored, run_id)
    if run is None:
        raise _Rejected(404, "not_found", "There is no run with this id.", "Check the id.")
    return run


def _status(engine: Engine) -> dict[str, Any]:
    def told(*, simulated: bool) -> dict[str, Any]:
        router = engine.router(simulated=simulated)
        available = router.available(engine.lineup.eligible(simulated=simulated))
        return {**router.get_stats_summary(), "available_providers": available}

    body = {
        "status": "operational",
        "llm_providers": told(simulated=False),
        "timestamp": time.time(),
    }
    return body | ({"practice_providers": told(simulated=True)} if engine.lineup.practising else {})


async def _result(engine: Engine, run_id: str) -> JSONResponse:
    run = await _find(engine, run_id)
    await run.feed.wait()
    error = run.error
    if error is None:
        return JSONResponse(run_as_json(run))
    row = meaning(error.kind)
    return JSONResponse(run_as_json(run), row.http if row else 500, _retry_after(error))


async def _events(run: Run) -> AsyncIterator[str]:
    events = aiter(run.feed.follow())
    pending: asyncio.Future[Event | None] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(events, None))
            await asyncio.wait({pending}, timeout=_SILENCE)
            if not pending.done():
                yield ": still at work\n\n"  # a comment, which readers of the stream pass over
                continue
            event, pending = pending.result(), None
            if event is None:
                return
            yield f"event: {event.type}\ndata: {json.dumps(event.data)}\n\n"
    finally:
        if pending:
            pending.cancel()
            await asyncio.wait({pending})


def _filters(request: Request) -> dict[str, list[str]]:
    query = request.query_params
    return {name: query.getlist(name) for name in query}


def _docs_page(schema: Mapping[str, Any]) -> str:
    """The interface as one page that needs no script and nothing from elsewhere."""
    addresses = [
        (method.upper(), f"/autonomous{path}", operation.get("summary", ""))
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    fields = [
        (
            name,
            json.dumps(field["default"]) if "default" in field else "required",
            field.get("description", ""),
        )
        for name, field in PlanRequest.model_json_schema()["properties"].items()
    ]
    names = f"Strategies: {', '.join(STRATEGIES)}. Providers: {', '.join(PROVIDERS)}."
    return _DOCS.format(rows=_rows(addresses), fields=_rows(fields), names=names)


def _rows(rows: list[tuple[str, str, str]]) -> str:
    cells = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    return "".join(f"<tr>{row}</tr>" for row in cells)


_DOCS = r"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Manyways API</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto;
max-width: 52rem; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #8884;
vertical-align: top }}
pre {{ padding: 1rem; background: #8882; border-radius: 8px; overflow: auto }}
</style><h1>Manyways API</h1>
<p>The same engine as the console, for scripts. The description for
programs is at <a href="openapi.json">openapi.json</a>.</p>
<pre>curl -X POST http://localhost:8000/autonomous/plan \
  -d '{{"goal": "Plan a weekend in Lisbon"}}'</pre>
<h2>Addresses</h2><table>
<tr><th>Method</th><th>Address</th><th>What it does</th></tr>
{rows}</table>
<h2>Fields of a plan request</h2><table>
<tr><th>Field</th><th>Default</th><th>Meaning</th></tr>
{fields}</table>
<p>{names}</p><p>The header <code>Idempotency-Key</code> makes a repeated request give the same run.
Errors are JSON: a kind, one sentence, and one thing to do.</p></html>"""
