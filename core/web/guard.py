"""The ASGI guard: the checks that every request passes first, HTTP and websocket alike.

    proxy ──▶ Host ──▶ Origin ──▶ size ──▶ password ──▶ the app ──▶ response headers
     403      421      403      413, 400   401, 429

A refusal is JSON in the API's error shape where programs ask, one plain sentence elsewhere.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.values.outcomes import ErrorKind
from core.web.login import FRONT, LOGIN_PATH, Login
from core.web.problems import problem

MAX_BODY = 2 * 1024 * 1024  # bytes

_OPEN = frozenset({"/healthz", "/_stcore/health"})  # answer without a password
OPEN = "manyways.open"  # in a scope: it is one of those, below the base
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # methods that change nothing
_RESPONSES = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    kind: ErrorKind
    message: str
    action: str
    headers: Mapping[str, str] = field(default_factory=dict)


WRONG_HOST = Refusal(
    421,
    ErrorKind.BAD_REQUEST,
    "This console does not answer to that host name.",
    "Use http://localhost, or add the name to CONSOLE_ALLOWED_HOSTS.",
)
EXPOSED = Refusal(
    403,
    ErrorKind.PERMISSION,
    "Other computers can reach this console, and it has no password.",
    "Set CONSOLE_PASSWORD, or listen on 127.0.0.1 only, and start again.",
)
FORWARDED = Refusal(
    403,
    ErrorKind.PERMISSION,
    "A proxy has passed this request on, so it may come from another computer, and this console "
    "has no password.",
    "Set CONSOLE_PASSWORD and start again; a proxy on this computer needs it, too.",
)
OTHER_ADDRESS = Refusal(
    403,
    ErrorKind.PERMISSION,
    "The browser's address and the Host that arrived here are not the same.",
    "Let your proxy pass on the Host with its port (nginx: proxy_set_header Host $http_host), or "
    "open the console in a tab of its own.",
)
FOREIGN = Refusal(
    403,
    ErrorKind.PERMISSION,
    "This request came from another website.",
    "Open the console in a tab of its own, or call the API without a browser.",
)
BAD_LENGTH = Refusal(
    400,
    ErrorKind.BAD_REQUEST,
    "The length of the request could not be read.",
    "Send one Content-Length header with the number of bytes in the body.",
)
_DISCARDED = 64 * 1024 * 1024  # bytes of a body too large that are read after all, and dropped
_PATIENCE = 2.0  # seconds they may take
TOO_LARGE = Refusal(
    413,
    ErrorKind.BAD_REQUEST,
    "The request is larger than 2 MB.",
    "Send a shorter goal or context.",
    {"Connection": "close"},
)
NO_PASSWORD = Refusal(
    401,
    ErrorKind.AUTH,
    "This console needs its password.",
    "Send it as Authorization: Bearer, or sign in with a browser.",
    {"WWW-Authenticate": "Bearer"},
)
TOO_OFTEN = Refusal(
    429,
    ErrorKind.RATE_LIMITED,
    "There were too many wrong passwords.",
    "Wait a minute, then send the right one.",
)
BROKEN = Refusal(
    500,
    ErrorKind.INTERNAL,
    "Manyways failed while answering this request.",
    "Try again, and tell us if it stays.",
)


STRANGER = "manyways.stranger"  # in a scope: who asks may learn that we live, and no more
# The names by which proxies tell whom they ask for, whoever has made them.
_FORWARDING = re.compile(
    r".*forwarded.*|via|cdn-loop|"
    r".*(?:client|connecting|external|real|remote|user)-?(?:ip|addr|address)(?:v[46])?"
)


class Guard:
    """ASGI middleware in front of everything.

    `hosts` are the names served, on any port; `secret_file` holds the key of the sign-in
    cookies and is made when there is a password. Below `base` lie the pages, and what is ours lies
    there, too.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str],
        password: str | None,
        secret_file: Path,
        base: str = "",
    ) -> None:
        self._app = app
        self._base = f"/{base.strip('/')}" if base.strip("/") else ""
        self._hosts = frozenset(host.strip().lower().strip("[]") for host in hosts)
        self._login = Login(password, secret_file) if password else None
        self._headers = {
            name.lower().encode(): value.encode() for name, value in response_headers().items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        scope = self._ours_without_base(scope)
        headers = Headers(scope=scope)
        answering = _Answering(send, self._headers)
        answer = self._refusal(scope, headers) or self._unknown_caller(scope, headers)
        if answer is None and _unmeasured(scope, headers):
            body = await _read_body(receive)
            if body is None:
                return  # the client left, nobody is there to be answered
            answer = self._answer_to(body, scope)
            receive = _replaying(body, receive)
        if answer is not None:
            await _send_answer(answer, scope, receive, answering)
        else:
            await self._pass_on(scope, receive, answering)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = _one_authority(headers.getlist("host"))
        fault = self._stranger(scope, headers, host)
        if fault and _is_probe(scope, headers):
            scope[STRANGER], fault = True, None
        elif host and not fault:
            fault = self._origin_fault(scope, headers, host)
        fault = fault or _length_fault(headers.getlist("content-length"))
        return _refuse(fault, scope) if fault else None

    def _stranger(self, scope: Scope, headers: Headers, host: Authority | None) -> Refusal | None:
        if self._login is None and _reached_from_outside(scope):
            return EXPOSED
        if self._login is None and any(_FORWARDING.fullmatch(name) for name in headers):
            return FORWARDED
        return None if host and host[0] in self._hosts else WRONG_HOST

    def _origin_fault(self, scope: Scope, headers: Headers, host: Authority) -> Refusal | None:
        if _foreign_origin(scope, headers, host):
            origin = _one_authority([headers["origin"].lower().partition("://")[2]])
            ours = origin and origin[0] in self._hosts and origin != host
            return OTHER_ADDRESS if ours else FOREIGN
        return FOREIGN if _another_site(scope, headers) else None

    def _ours_without_base(self, scope: Scope) -> Scope:
        """What is ours is asked for below the base or at the root, and served as at the root."""
        path: str = scope["path"]
        inner = path.removeprefix(self._base)
        if not self._base or inner == path or not (_is_ours(inner) or inner in _OPEN):
            return scope
        if not _is_ours(inner):
            return {**scope, OPEN: True}
        raw = scope.get("raw_path") or path.encode()
        return {**scope, "path": inner, "raw_path": raw.removeprefix(self._base.encode())}

    def _below_base(self, scope: Scope) -> str:
        """The path as the browser wrote it, from the console's own front page."""
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        inner: str = path.removeprefix(self._base)
        return inner if inner.startswith("/") else path

    def _unknown_caller(self, scope: Scope, headers: Headers) -> Response | None:
        login = self._login
        opened = scope["path"] in _OPEN or OPEN in scope
        if login is None or opened or _posts_password(scope):
            return None
        if login.knows(headers):
            return RedirectResponse(FRONT, 303) if scope["path"] == LOGIN_PATH else None
        if _for_programs(scope):
            return _wrong_token(login, scope, headers)
        if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}:
            here = self._below_base(scope)
            front = "../" * (here.count("/") - 1)
            page = login.page("/" if here == LOGIN_PATH else _with_query(here, scope), front=front)
            page.headers.update(NO_PASSWORD.headers)
            return page
        return _refuse(NO_PASSWORD, scope)

    def _answer_to(self, body: bytes, scope: Scope) -> Response | None:
        if len(body) > MAX_BODY:
            return _refuse(TOO_LARGE, scope)
        if self._login and _posts_password(scope):
            secure = scope["scheme"] == "https"
            return self._login.sign_in(body, client=_client(scope), secure=secure)
        return None

    async def _pass_on(self, scope: Scope, receive: Receive, answering: _Answering) -> None:
        try:
            await self._app(scope, receive, answering)
        except Exception:
            # The server's own answer to a crash would lack the headers and the API's shape.
            if scope["type"] == "http" and not answering.started:
                await _refuse(BROKEN, scope)(scope, receive, answering)
            raise


def check_bind(address: str, password: str | None) -> str | None:
    """What is wrong with listening on `address`, in a sentence; None where nothing is."""
    if password or _is_loopback(address):
        return None
    where = f"on {address}" if address.strip() else "on every network"
    return (
        f"Manyways would listen {where}, where other computers can reach it, and it has no "
        "password: set CONSOLE_PASSWORD, or listen on 127.0.0.1."
    )


def response_headers() -> dict[str, str]:
    """What every response carries, by name."""
    policy = {
        "default-src": "'none'",
        # Components come as modules in blobs; charts are interpreted, so nothing needs eval.
        "script-src": f"'self' blob: {' '.join(_inline_scripts())}",
        # Components, charts and the data grid style themselves in place. A style can reach
        # another host only through an image or a font, and those are held below.
        "style-src": "'self' 'unsafe-inline'",
        # Holds back an answer that shows ![](https://elsewhere/?secret); graphs are blobs.
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",  # the websocket included
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{what} {who}" for what, who in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # With no-referrer browsers post our own login form with `Origin: null`.
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def _inline_scripts() -> list[str]:
    """The sources that allow the inline scripts of the installed Streamlit's page, no others."""
    found = find_spec("streamlit")  # where it is, without importing it
    if found is None or found.origin is None:
        return []
    page = (Path(found.origin).parent / "static" / "index.html").read_text(encoding="utf-8")
    digests = [
        hashlib.sha256(script.encode()).digest()
        for script in re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    ]
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


class _Answering:
    """A `send` that adds the response headers and knows whether an answer has begun."""

    def __init__(self, send: Send, headers: Mapping[bytes, bytes]) -> None:
        self._send = send
        self._headers = headers
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] in _RESPONSES:
            self.started = True
            theirs = [pair for pair in message.get("headers", ()) if pair[0] not in self._headers]
            message = {**message, "headers": [*theirs, *self._headers.items()]}
        await self._send(message)


Authority = tuple[str, int | None]  # name in lower case, without brackets; port where given

_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::([0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443}


def _one_authority(values: list[str]) -> Authority | None:
    found = _AUTHORITY.fullmatch(values[0].lower()) if len(values) == 1 else None
    if found is None:
        return None
    return found[1] or found[2], int(found[3]) if found[3] else None


def _reached_from_outside(scope: Scope) -> bool:
    # Only the connection itself tells how a foreign server (uvicorn --host) was bound.
    server = scope.get("server")
    return server is not None and _is_address(server[0]) and not _is_loopback(server[0])


def _foreign_origin(scope: Scope, headers: Headers, host: Authority) -> bool:
    origins = headers.getlist("origin")
    if not origins:
        return False
    scheme, _, rest = origins[0].lower().partition("://")
    origin = _one_authority([rest]) if len(origins) == 1 else None
    # A proxy that ends TLS hands https pages on as plain http, so an https origin is ours when
    # host and port are. The other way round it is not: a page that came over plain http can
    # have been written by anyone on its way.
    schemes = {"https"} if scope["scheme"] in {"https", "wss"} else {"http", "https"}
    if origin is None or scheme not in schemes:
        return True
    standard = _PORTS[scheme]
    return (origin[0], origin[1] or standard) != (host[0], host[1] or standard)


def _another_site(scope: Scope, headers: Headers) -> bool:
    """Whether the browser says that another site asks, other than by a link that was followed.

    Browsers say so on https and on localhost only; elsewhere Origin alone has to do.
    """
    if all(site in {"same-origin", "none"} for site in headers.getlist("sec-fetch-site")):
        return False
    follows_link = (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
    )
    return not follows_link or _for_programs(scope)


def _length_fault(lengths: list[str]) -> Refusal | None:
    if not lengths:
        return None
    # int() would take "+5", "1_0" and digits of other scripts, and fail on a thousand of them.
    if len(lengths) > 1 or re.fullmatch(r"[0-9]+", lengths[0]) is None:
        return BAD_LENGTH
    return TOO_LARGE if int(lengths[0].lstrip("0")[:20] or "0") > MAX_BODY else None


def _for_programs(scope: Mapping[str, Any]) -> bool:
    path: str = scope["path"]
    return path in {"/autonomous", "/healthz"} or path.startswith("/autonomous/")


def _is_ours(path: str) -> bool:
    """Whether it is no page."""
    return _for_programs({"path": path}) or path == LOGIN_PATH


def _is_probe(scope: Scope, headers: Headers) -> bool:
    """Whether something asks if we live, by whatever name; browsers would say who they are."""
    asks = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}
    by_a_page = "origin" in headers or _another_site(scope, headers)
    return asks and scope["path"] == "/healthz" and not by_a_page


def _posts_password(scope: Scope) -> bool:
    return (scope["type"], scope["path"], scope.get("method")) == ("http", LOGIN_PATH, "POST")


def _wrong_token(login: Login, scope: Scope, headers: Headers) -> Response | None:
    if seconds := login.wait(_client(scope)):
        answer = _refuse(TOO_OFTEN, scope)
        answer.headers["Retry-After"] = str(seconds)
        return answer
    return None if login.accepts_token(headers, _client(scope)) else _refuse(NO_PASSWORD, scope)


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _with_query(path: str, scope: Scope) -> str:
    query: bytes = scope["query_string"]
    return f"{path}?{query.decode('latin-1')}" if query else path


def _unmeasured(scope: Scope, headers: Headers) -> bool:
    """Whether only reading the body tells its size, or the body is ours to read."""
    if scope["type"] != "http":
        return False
    declared = "content-length" in headers or scope["method"] in _SAFE
    return "transfer-encoding" in headers or not declared or _posts_password(scope)


async def _read_body(receive: Receive) -> bytes | None:
    """The body, or its beginning where that is too large already; None: the client left."""
    body = bytearray()
    more = True
    while more and len(body) <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    unread = [body]

    async def replay() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replay


def _refuse(refusal: Refusal, scope: Scope) -> Response:
    headers = {"Cache-Control": "no-store", **refusal.headers}
    if not _for_programs(scope):
        text = f"{refusal.message} {refusal.action}\n"
        return PlainTextResponse(text, refusal.status, headers)
    body = problem(refusal.kind, refusal.message, refusal.action)
    return JSONResponse(body, refusal.status, headers)


async def _send_answer(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        late = _after_the_body(receive, send) if answer.status_code == TOO_LARGE.status else send
        await answer(scope, receive, late)
        return
    await receive()  # the client's "connect"; closing before accepting is answered with 403
    await send({"type": "websocket.close", "code": 1008})


def _after_the_body(receive: Receive, send: Send) -> Send:
    """Answer at once, and close only when the client has sent what it is sending.

    A connection closed on unread bytes is reset, and the answer may be lost with it.
    """

    async def sending(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        await send({**message, "more_body": True})
        unread = _DISCARDED
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while unread > 0:
                    arrived = await receive()
                    unread -= len(arrived.get("body", b""))
                    if not arrived.get("more_body", False):
                        break
        await send({"type": "http.response.body", "body": b""})

    return sending


def _is_loopback(address: str) -> bool:
    name = address.strip().lower().strip("[]")
    if not _is_address(name):
        return name == "localhost"
    found = ip_address(name)
    # A dual-stack socket reports 127.0.0.1 as ::ffff:127.0.0.1.
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (mapped or found).is_loopback


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
