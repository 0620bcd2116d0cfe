from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import logging
import re
import socket
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from core.values.outcomes import ErrorKind
from core.web.guard import MAX_BODY, Guard, check_bind, response_headers
from core.web.login import LOGIN_PATH, SESSION, TRIES, TRIES_OVERALL, Login
from core.web.problems import problem
from tests import standin

PASSWORD = "sésame & <b>"
HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "Console.Example"})
OPENING_HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """One uvicorn for all tests; each plugs in the app that it is about."""

    port: int
    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    @contextmanager
    def asking(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str | bytes] | None = None,
        body: bytes | Iterator[bytes] | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with closing(connection):
            chunked = isinstance(body, Iterator)
            given = {"Host": f"localhost:{self.port}", **(headers or {})}
            connection.request(method, path, body, given, encode_chunked=chunked)
            with connection.getresponse() as response:
                yield response

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str | bytes] | None = None,
        body: bytes | Iterator[bytes] | None = None,
    ) -> Answer:
        with self.asking(method, path, headers, body) as response:
            received = Headers(raw=[(n.encode(), v.encode()) for n, v in response.getheaders()])
            upgraded = response.status == 101
            return Answer(response.status, received, b"" if upgraded else response.read())

    def sign_in(self, password: str | bytes, next_path: str = "/") -> Answer:
        return self.ask(
            "POST",
            LOGIN_PATH,
            {"Content-Type": "application/x-www-form-urlencoded"},
            urlencode({"password": password, "next": next_path}).encode(),
        )

    def cookie(self) -> dict[str, str]:
        return {"Cookie": self.sign_in(PASSWORD).headers["set-cookie"].partition(";")[0]}


async def page(request: Request) -> Response:
    return PlainTextResponse(f"the page {request.url.path}", headers={"X-Frame-Options": "ALLOW"})


async def plan(request: Request) -> Response:
    return JSONResponse({"bytes": len(await request.body())})


async def crash(request: Request) -> Response:
    raise RuntimeError(request.url.path)


async def stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


APP = Starlette(
    routes=[
        Mount(
            "/autonomous",
            routes=[
                Route("/plan", plan, methods=["POST"]),
                Route("/status", page),
                Route("/crash", crash),
            ],
        ),
        Route("/healthz", page),
        Route("/_stcore/health", page),
        WebSocketRoute("/_stcore/stream", stream),
        Route("/{path:path}", page, methods=["GET", "POST", "PUT"]),
    ]
)


def guarded(folder: Path, *, password: str | None = None, app: ASGIApp = APP) -> Guard:
    return Guard(app, hosts=HOSTS, password=password, secret_file=folder / "keys" / "secret")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        ours = Server(listener.getsockname()[1], APP)
        config = uvicorn.Config(ours, lifespan="off", log_config=None, ws="websockets-sansio")
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        while not running.started:
            time.sleep(0.005)
        yield ours
        running.should_exit = True
        thread.join()


@pytest.fixture
def console(server: Server, tmp_path: Path) -> Server:
    server.app = guarded(tmp_path)
    return server


@pytest.fixture
def locked(server: Server, tmp_path: Path) -> Server:
    server.app = guarded(tmp_path, password=PASSWORD)
    return server


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += seconds


def is_api_error(answer: Answer, kind: ErrorKind) -> bool:
    error = answer.json["error"]
    return bool(
        answer.json == problem(kind, error["message"], error["action"])
        and error["message"].endswith(".")
        and error["action"].endswith(".")
    )


def carries_the_headers(answer: Answer) -> bool:
    return all(
        answer.headers.getlist(name) == [value] for name, value in response_headers().items()
    )


# Where requests come from


@pytest.mark.parametrize(
    ("host", "origin", "site", "websocket"),
    list(
        itertools.product(
            ["localhost", "evil.example"],
            [None, "own", "http://localhost:3000"],
            [None, "cross-site"],
            [False, True],
        )
    ),
)
def test_only_the_console_itself_may_ask(
    console: Server, host: str, origin: str | None, site: str | None, websocket: bool
) -> None:
    headers = {"Host": f"{host}:{console.port}"}
    if origin:
        headers["Origin"] = headers["Host"].join(["http://", ""]) if origin == "own" else origin
    if site:
        headers["Sec-Fetch-Site"] = site

    if websocket:
        answer = console.ask("GET", "/_stcore/stream", headers | OPENING_HANDSHAKE)
    else:
        answer = console.ask("POST", "/autonomous/plan", headers, b"{}")

    ours = host == "localhost" and origin in {None, "own"} and site is None
    if websocket:
        assert answer.status == (101 if ours else 403)
    else:
        refused = 403 if host == "localhost" else 421
        assert answer.status == (200 if ours else refused)


@pytest.mark.parametrize("host", ["LOCALHOST:1", "127.0.0.1", "[::1]:8000", "console.example"])
def test_allowed_names_are_served_in_any_case_and_on_any_port(console: Server, host: str) -> None:
    assert console.ask("GET", "/", {"Host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "localhost.",
        "localhost@evil.example",
        "evil.example@localhost",
        "localhost:8000:9",
        "localhost:port",
        "localhost/",
        "localhost, evil.example",
        "[::2]",
        "[::1",
        "192.168.0.7",
    ],
)
def test_any_other_host_is_refused(console: Server, host: str) -> None:
    answer = console.ask("GET", "/autonomous/status", {"Host": host})

    assert answer.status == 421
    assert is_api_error(answer, ErrorKind.BAD_REQUEST)


def test_by_any_name_it_may_be_asked_whether_it_lives_and_nothing_else(console: Server) -> None:
    def status(method: str, path: str, host: str, **more: str) -> int:
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        return console.ask(method, path, {"Host": host, **headers}).status

    for host in ("10.244.1.17:8000", "[fd00::17]:8000", "console.default.svc", "evil.example"):
        assert status("GET", "/healthz", host) == status("HEAD", "/healthz", host) == 200
        assert status("POST", "/healthz", host) == status("GET", "/healthz/", host) == 421
        assert status("GET", "/autonomous/status", host) == 421
        # A page in a browser is no probe.
        assert status("GET", "/healthz", host, Origin=f"http://{host}") == 421
        assert status("GET", "/healthz", host, Sec_Fetch_Site="cross-site") == 421
    refused = console.ask("POST", "/healthz", {"Host": "evil.example"})
    assert is_api_error(refused, ErrorKind.BAD_REQUEST)


FORWARDING = (
    "Forwarded",
    "X-Forwarded-For",
    "x-forwarded-host",
    "X-FORWARDED-PROTO",
    "X-Forwarded-Server",
    "X-Forwarded-Port",
    "X-Forwarded",
    "X-Original-Forwarded-For",
    "Via",
    "X-Real-IP",
    "X-Client-IP",
    "CF-Connecting-IP",
    "CF-Connecting-IPv6",
    "True-Client-IP",
    "Fastly-Client-IP",
    "X-Cluster-Client-IP",
    "X-Envoy-External-Address",
    "X-Azure-ClientIP",
    "Client-IP",
    "X-Remote-Addr",
    "X-Appengine-User-IP",
    "CDN-Loop",
    "Fly-Client-IP",
)


@pytest.mark.parametrize("value", ["203.0.113.5", "127.0.0.1", ""])
@pytest.mark.parametrize("name", FORWARDING)
def test_what_a_proxy_passes_on_is_refused_while_there_is_no_password(
    console: Server, name: str, value: str
) -> None:
    answer = console.ask("GET", "/autonomous/status", {name: value})
    assert answer.status == 403
    assert is_api_error(answer, ErrorKind.PERMISSION)
    assert "CONSOLE_PASSWORD" in answer.json["error"]["action"]
    page = console.ask("GET", "/history", {name: value})
    assert (page.status, b"CONSOLE_PASSWORD" in page.body) == (403, True)
    assert console.ask("GET", "/_stcore/stream", {**OPENING_HANDSHAKE, name: value}).status == 403
    assert console.ask("GET", "/_stcore/health", {name: value}).status == 403
    assert console.ask("GET", "/healthz", {name: value}).status == 200


@pytest.mark.parametrize("name", FORWARDING)
def test_with_a_password_a_proxy_may_pass_requests_on(locked: Server, name: str) -> None:
    headers = {**locked.cookie(), name: "203.0.113.5"}
    assert locked.ask("GET", "/history", headers).status == 200
    assert locked.ask("GET", "/_stcore/stream", {**OPENING_HANDSHAKE, **headers}).status == 101


@pytest.mark.parametrize("name", ["X-Trip-Id", "User-Agent", "X-Request-Id", "Viaduct", "X-Zip"])
def test_no_other_header_makes_a_request_one_of_a_proxy(console: Server, name: str) -> None:
    assert console.ask("GET", "/autonomous/status", {name: "203.0.113.5"}).status == 200


@pytest.mark.parametrize(
    ("host", "origin", "hinted"),
    [
        ("localhost", "http://localhost:8443", True),  # nginx: Host $host
        ("127.0.0.1:8000", "http://localhost:8443", True),  # nginx: no Host at all
        ("console.example", "https://console.example:8443", True),
        ("localhost", "http://evil.example", False),
    ],
)
def test_a_host_that_lost_its_port_on_the_way_is_told_what_to_set(
    console: Server, host: str, origin: str, hinted: bool
) -> None:
    answer = console.ask("GET", "/history", {"Host": host, "Origin": origin})
    assert answer.status == 403
    assert (b"$http_host" in answer.body) is hinted


@pytest.mark.parametrize("base", ["manyways", "/manyways/", "a/b"])
def test_below_a_base_path_all_is_as_at_the_root(server: Server, tmp_path: Path, base: str) -> None:
    def below(**more: Any) -> Guard:
        return Guard(APP, hosts=HOSTS, secret_file=tmp_path / "secret", base=base, **more)

    root = f"/{base.strip('/')}"
    server.app = below(password=None)
    for at in ("", root):
        assert server.ask("GET", f"{at}/healthz").body == b"the page /healthz"
        assert server.ask("GET", f"{at}/autonomous/status").body == b"the page /autonomous/status"
        assert server.ask("POST", f"{at}/autonomous/plan", body=b"{}").json == {"bytes": 2}
        evil = server.ask("GET", f"{at}/autonomous/status", {"Host": "evil.example"})
        assert is_api_error(evil, ErrorKind.BAD_REQUEST)
        assert server.ask("GET", f"{at}/healthz", {"Host": "10.0.0.7"}).status == 200
    assert server.ask("GET", f"{root}/history").body == f"the page {root}/history".encode()

    server.app = below(password=PASSWORD)
    for path in ("/history", "/", "/a/b/?c=/d/e", LOGIN_PATH):
        form = server.ask("GET", f"{root}{path}")
        assert form.status == 401
        assert _field(form, "action", at=f"{root}{path}") == f"{root}{LOGIN_PATH}"
    assert server.ask("GET", f"{root}/_stcore/health").status == 200
    assert server.ask("GET", f"{root}/_stcore/host-config").status == 401
    assert server.ask("GET", f"{root}/autonomous/status").status == 401
    asked = {"password": PASSWORD, "next": "/history"}
    signed_in = server.ask("POST", root + LOGIN_PATH, body=urlencode(asked).encode())
    assert signed_in.status == 303
    assert urljoin(root + LOGIN_PATH, signed_in.headers["location"]) == f"{root}/history"


def _field(form: Answer, name: str, *, at: str) -> str:
    found = re.search(rf' {name}="([^"]*)"', form.body.decode())
    assert found
    return urljoin(at, unescape(found[1]))


@pytest.mark.parametrize("prefix", ["", "/tools", "/tools/manyways"])
@pytest.mark.parametrize("path", ["/", "/history?page=2", "/a/b/c", "/a/", "/a%2Fb"])
def test_signing_in_leads_back_below_a_prefix_that_a_proxy_takes_away(
    locked: Server, prefix: str, path: str
) -> None:
    form = locked.ask("GET", path)  # as it arrives here; the browser is at prefix + path
    assert _field(form, "action", at=prefix + path) == prefix + LOGIN_PATH
    wanted = re.search(r'name="next" value="([^"]*)"', form.body.decode())
    assert wanted
    answer = locked.sign_in(PASSWORD, unescape(wanted[1]))
    assert urljoin(prefix + LOGIN_PATH, answer.headers["location"]) == prefix + path
    again = locked.sign_in("wrong", unescape(wanted[1]))
    assert _field(again, "action", at=prefix + LOGIN_PATH) == prefix + LOGIN_PATH
    front = locked.ask("GET", LOGIN_PATH, locked.cookie()).headers["location"]
    assert urljoin(prefix + LOGIN_PATH, front) == f"{prefix}/"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://{own}", 200),
        ("HTTP://{own}", 200),
        ("https://{own}", 200),  # a proxy ended TLS
        ("null", 403),
        ("", 403),
        ("{own}", 403),
        ("file://", 403),
        ("ftp://{own}", 403),
        ("http://localhost", 403),
        ("http://localhost:3000", 403),
        ("http://127.0.0.1:{port}", 403),
        ("http://{own}/", 403),
        ("http://{own}.evil.example", 403),
        ("http://{own}@evil.example", 403),
        ("http://evil.example@{own}", 403),
        ("http://{own} http://evil.example", 403),
    ],
)
def test_an_origin_must_be_the_consoles_own(console: Server, origin: str, status: int) -> None:
    own = f"localhost:{console.port}"
    headers = {"Origin": origin.format(own=own, port=console.port)}

    assert console.ask("POST", "/anywhere", headers, b"").status == status


def test_a_page_that_came_without_tls_may_not_ask_where_there_is_tls(tmp_path: Path) -> None:
    def status(scheme: str, origin: str) -> int:
        headers = [(b"host", b"console.example"), (b"origin", origin.encode())]
        return asked(guarded(tmp_path), headers=headers, scheme=scheme).status

    assert status("https", "https://console.example") == 200
    assert status("https", "https://console.example:443") == 200
    assert status("https", "http://console.example") == 403
    assert status("http", "https://console.example") == 200


@pytest.mark.parametrize(
    ("method", "path", "fetch", "status"),
    [
        ("GET", "/history", {"Site": "none"}, 200),
        ("GET", "/history", {"Site": "same-origin", "Mode": "cors"}, 200),
        ("POST", "/autonomous/plan", {"Site": "same-origin"}, 200),
        ("GET", "/history", {"Site": "cross-site", "Mode": "navigate"}, 200),
        (
            "GET",
            "/history",
            {"Site": "same-site", "Mode": "navigate", "Dest": "document"},
            200,
        ),
        ("GET", "/history", {"Site": "cross-site", "Mode": "navigate", "Dest": "iframe"}, 403),
        ("GET", "/history", {"Site": "cross-site", "Mode": "no-cors"}, 403),
        ("GET", "/autonomous/status", {"Site": "cross-site", "Mode": "navigate"}, 403),
        ("GET", "/autonomous/status", {"Site": "same-site"}, 403),
        ("POST", "/history", {"Site": "same-site", "Mode": "navigate"}, 403),
        ("PUT", "/history", {"Site": "something-new"}, 403),
    ],
)
def test_another_site_may_link_here_and_nothing_else(
    console: Server, method: str, path: str, fetch: dict[str, str], status: int
) -> None:
    headers = {f"Sec-Fetch-{name}": value for name, value in fetch.items()}

    assert console.ask(method, path, headers).status == status


def test_a_network_neighbour_is_refused_while_there_is_no_password(tmp_path: Path) -> None:
    own = [(b"host", b"localhost")]
    loopback = [("127.0.0.1", 8000), ("::1", 8000), ("::ffff:127.0.0.1", 8000), ("/a.sock", None)]

    for server in loopback:
        assert asked(guarded(tmp_path), headers=own, server=server).status == 200
    for server in [("192.168.0.7", 8000), ("::ffff:10.0.0.1", 8000), ("fe80::1", 8000)]:
        assert asked(guarded(tmp_path), headers=own, server=server).status == 403
        locked = guarded(tmp_path, password=PASSWORD)
        assert asked(locked, headers=own, server=server).status == 401


# What no client library sends


def asked(
    guard: ASGIApp,
    *,
    headers: list[tuple[bytes, bytes]],
    body: list[Message] | None = None,
    **scope: Any,
) -> Answer:
    """The answer of `guard` to a request that no server of ours would hand on."""
    request: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/autonomous/plan",
        "raw_path": b"/autonomous/plan",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 8000),
        **scope,
    }
    unread = body or [{"type": "http.request", "body": b"{}", "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        return unread.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    async def answering() -> None:
        await guard(request, receive, send)

    asyncio.run(answering())
    if not sent:
        return Answer(0, Headers(), b"")
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], Headers(raw=sent[0]["headers"]), content)


@pytest.mark.parametrize(
    "hosts",
    [[], [b"localhost", b"localhost"], [b"localhost", b"evil.example"], [b"\xff\x00\x80"]],
)
def test_a_missing_doubled_or_garbled_host_is_refused(tmp_path: Path, hosts: list[bytes]) -> None:
    answer = asked(guarded(tmp_path), headers=[(b"host", host) for host in hosts])

    assert answer.status == 421


def test_bad_bytes_in_any_header_do_not_crash(tmp_path: Path) -> None:
    names = [b"origin", b"sec-fetch-site", b"content-length", b"authorization", b"cookie"]
    for name, password in itertools.product(names, [None, PASSWORD]):
        headers = [(b"host", b"localhost"), (name, b"\xff\xfe\x00\x01 \xc3\x28=;")]
        answer = asked(guarded(tmp_path, password=password), headers=headers)
        assert answer.status in {200, 400, 401, 403}


def test_two_origins_are_refused(tmp_path: Path) -> None:
    own = (b"origin", b"http://localhost")

    assert asked(guarded(tmp_path), headers=[(b"host", b"localhost"), own, own]).status == 403


# How much


def test_a_body_of_2_mb_is_served(console: Server) -> None:
    answer = console.ask("POST", "/autonomous/plan", body=b"x" * MAX_BODY)

    assert answer.json == {"bytes": MAX_BODY}


def test_a_body_sent_in_chunks_arrives_whole(console: Server) -> None:
    answer = console.ask("POST", "/autonomous/plan", body=iter([b"one", b"two" * 9000, b"three"]))

    assert answer.json == {"bytes": 27_008}


@pytest.mark.parametrize("path", ["/autonomous/plan", "/_stcore/upload_file/a/b"])
def test_a_declared_size_over_2_mb_is_refused_before_the_body_is_read(
    console: Server, path: str
) -> None:
    with console.asking("POST", path, {"Content-Length": str(MAX_BODY + 1)}) as response:
        assert response.status == 413
        assert response.getheader("Connection") == "close"


def test_who_still_sends_a_body_that_is_too_large_reads_the_answer(console: Server) -> None:
    size = MAX_BODY + 4_000_000
    with closing(socket.create_connection(("127.0.0.1", console.port), timeout=5)) as client:
        client.sendall(
            b"POST /autonomous/plan HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
            % size
        )
        for _ in range(4):  # a connection that was closed meanwhile would be reset by this
            time.sleep(0.1)
            client.sendall(b"x" * (size // 4))
        answer = b""
        while more := client.recv(65_536):
            answer += more

    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"status":"error"' in answer


def test_chunks_are_counted_while_they_are_read(console: Server) -> None:
    with closing(socket.create_connection(("127.0.0.1", console.port), timeout=5)) as client:
        client.sendall(
            b"POST /autonomous/plan HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(33):  # no last chunk: the answer must not wait for it
            client.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        answer = client.recv(65_536)
        while b"\r\n\r\n{" not in answer:  # the body may come after the headers
            more = client.recv(65_536)
            assert more
            answer += more

    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"status":"error"' in answer


def test_a_small_content_length_does_not_hide_a_large_chunked_body(tmp_path: Path) -> None:
    headers = [(b"host", b"localhost"), (b"content-length", b"5"), (b"transfer-encoding", b"x")]
    chunk = {"type": "http.request", "body": b"x" * MAX_BODY, "more_body": True}

    answer = asked(guarded(tmp_path), headers=headers, body=[chunk, dict(chunk)])

    assert answer.status == 413
    assert is_api_error(answer, ErrorKind.BAD_REQUEST)


@pytest.mark.parametrize(
    ("lengths", "status"),
    [
        (["2"], 200),
        (["0" * 30 + "2"], 200),
        (["-1"], 400),
        (["+2"], 400),
        (["1_0"], 400),
        (["2, 2"], 400),
        (["two"], 400),
        ([""], 400),
        (["\xb2"], 400),
        (["2", "2"], 400),
        ([str(MAX_BODY)], 200),
        ([str(MAX_BODY + 1)], 413),
        (["9" * 9000], 413),
    ],
)
def test_a_content_length_is_a_plain_number(
    tmp_path: Path, lengths: list[str], status: int
) -> None:
    headers = [(b"content-length", length.encode("latin-1")) for length in lengths]

    answer = asked(guarded(tmp_path), headers=[(b"host", b"localhost"), *headers])

    assert answer.status == status


def test_a_client_that_leaves_in_the_middle_of_its_body_is_not_answered(tmp_path: Path) -> None:
    headers = [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")]
    body: list[Message] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    assert asked(guarded(tmp_path), headers=headers, body=body).status == 0


# Streams


def test_a_stream_passes_event_by_event(server: Server, tmp_path: Path) -> None:
    seen = threading.Event()

    async def events() -> AsyncIterator[str]:
        yield "data: first\n\n"
        await asyncio.to_thread(seen.wait, 5)
        yield "data: second\n\n"

    async def sse(scope: Scope, receive: Receive, send: Send) -> None:
        response = StreamingResponse(events(), media_type="text/event-stream")
        await response(scope, receive, send)

    server.app = guarded(tmp_path, app=sse)
    with server.asking("POST", "/s") as response:
        assert response.readline() == b"data: first\n"
        seen.set()
        assert response.read() == b"\ndata: second\n\n"


@pytest.mark.parametrize("chunked", [False, True])
def test_an_app_learns_that_its_client_has_left(
    server: Server, tmp_path: Path, chunked: bool
) -> None:
    left = threading.Event()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"on", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    server.app = guarded(tmp_path, app=waits)
    with server.asking("POST", "/s", body=iter([b"go"]) if chunked else b"go") as response:
        response.read(2)

    assert left.wait(5)


def test_the_start_and_stop_of_the_server_reach_the_app(tmp_path: Path) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any: ...

    asyncio.run(guarded(tmp_path, app=app)({"type": "lifespan"}, nothing, nothing))

    assert seen == ["lifespan"]


# Response headers


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, 200),
        ("GET", "/autonomous/nowhere", {}, 404),
        ("GET", "/autonomous/plan", {}, 405),
        ("GET", "/autonomous/crash", {}, 500),
        ("GET", "/", {"Host": "evil.example"}, 421),
        ("POST", "/", {"Origin": "null"}, 403),
        ("POST", "/", {"Content-Length": "9999999"}, 413),
        ("GET", "/_stcore/stream", OPENING_HANDSHAKE, 101),
    ],
)
def test_every_response_carries_the_headers_once(
    console: Server, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = console.ask(method, path, headers)

    assert answer.status == status
    assert carries_the_headers(answer)


def test_sign_in_pages_and_redirects_carry_the_headers(locked: Server) -> None:
    assert carries_the_headers(locked.ask("GET", "/"))
    assert carries_the_headers(locked.sign_in("wrong"))
    assert carries_the_headers(locked.sign_in(PASSWORD))


def test_browsers_post_our_own_form_with_its_origin() -> None:
    # With no-referrer they would send `Origin: null`, which is refused.
    assert response_headers()["Referrer-Policy"] == "same-origin"


def test_the_policy_names_no_foreign_host_and_allows_no_eval() -> None:
    policy = response_headers()["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self' blob: 'sha256-" in policy
    assert not any(word in policy for word in ("http", "*", "eval", "//", "ws:"))
    assert policy.count("unsafe-inline") == policy.count("style-src 'self' 'unsafe-inline'") == 1


def test_a_crash_is_answered_without_its_reason_and_still_reaches_the_log(
    server: Server, tmp_path: Path
) -> None:
    server.app = Starlette(
        routes=[Route("/autonomous/crash", crash)],
        middleware=[Middleware(Guard, hosts=HOSTS, password=None, secret_file=tmp_path / "unused")],
    )
    logged: list[logging.LogRecord] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(record)

    handler = Listening()
    logging.getLogger("uvicorn.error").addHandler(handler)
    try:
        answer = server.ask("GET", "/autonomous/crash")
        # The server logs once it has answered.
        assert standin.eventually(lambda: any(record.exc_info for record in logged))
    finally:
        logging.getLogger("uvicorn.error").removeHandler(handler)

    assert answer.status == 500
    assert is_api_error(answer, ErrorKind.INTERNAL)
    assert b"RuntimeError" not in answer.body


def test_a_crash_in_the_middle_of_an_answer_only_ends_it(tmp_path: Path) -> None:
    sent: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    async def send(message: Message) -> None:
        sent.append(message["type"])

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def crashes() -> None:
        headers = [(b"host", b"localhost")]
        scope = {"type": "http", "method": "GET", "scheme": "http", "path": "/", "headers": headers}
        with pytest.raises(RuntimeError):
            await guarded(tmp_path, app=app)(scope, receive, send)

    asyncio.run(crashes())
    assert sent == ["http.response.start"]


# The password


@pytest.mark.parametrize(
    "path", ["/", "/history?status=failed", "/static/js/index.js", "/media/a", LOGIN_PATH]
)
def test_browsers_are_shown_the_form_in_place(locked: Server, path: str) -> None:
    answer = locked.ask("GET", path)

    assert answer.status == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    assert b'<label for="password">' in answer.body
    assert b"the page" not in answer.body


@pytest.mark.parametrize("path", ["/healthz", "/_stcore/health"])
def test_health_stays_open(locked: Server, path: str) -> None:
    assert locked.ask("GET", path).status == 200


@pytest.mark.parametrize(
    "path", ["/healthz/", "//healthz", "/healthz/../history", "/%2e/healthz", "/_stcore/metrics"]
)
def test_nothing_that_resembles_health_is_open(locked: Server, path: str) -> None:
    assert locked.ask("GET", path).status == 401


def test_other_writes_without_a_password_are_refused_in_a_sentence(locked: Server) -> None:
    answer = locked.ask("PUT", "/_stcore/upload_file/a/b", body=b"x")

    assert answer.status == 401
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.body.count(b"\n") == 1


def test_the_right_password_opens_the_page_that_was_asked_for(locked: Server) -> None:
    form = locked.ask("GET", "/history?provider=openai&page=2").body
    assert b'name="next" value="/history?provider=openai&amp;page=2"' in form

    answer = locked.sign_in(PASSWORD, "/history?provider=openai&page=2")

    assert answer.status == 303
    led_to = urljoin(LOGIN_PATH, answer.headers["location"])
    assert led_to == "/history?provider=openai&page=2"
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=lax", "Path=/", f"Max-Age={SESSION}"} <= set(attributes)
    assert "Secure" not in attributes  # http://localhost
    opened = {"Cookie": f"other=1; {cookie}; more=2"}
    assert locked.ask("GET", "/history", opened).status == 200
    assert locked.ask("GET", "/autonomous/status", opened).status == 200
    assert locked.ask("GET", "/_stcore/stream", opened | OPENING_HANDSHAKE).status == 101
    front = locked.ask("GET", LOGIN_PATH, opened).headers["location"]
    assert urljoin(LOGIN_PATH, front) == "/"


def test_a_cookie_that_came_over_https_stays_on_https(tmp_path: Path) -> None:
    login = Login(PASSWORD, tmp_path / "secret")
    body = urlencode({"password": PASSWORD}).encode()

    answer = login.sign_in(body, client="a", secure=True)

    assert "Secure" in answer.headers["set-cookie"]


def test_a_wrong_password_is_said_so_and_never_echoed(locked: Server) -> None:
    answer = locked.sign_in("my other password", "/history")

    assert answer.status == 401
    assert b'role="alert"' in answer.body
    assert b'value="/history"' in answer.body
    assert b"my other password" not in answer.body
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"password",
        b"password=",
        b"\xff\xfe=%ff",
        b"{}",
        b"password=%00",
        b"a=1&" * 50 + urlencode({"password": PASSWORD}).encode(),
    ],
)
def test_a_form_of_nonsense_is_a_wrong_password(locked: Server, body: bytes) -> None:
    assert locked.ask("POST", LOGIN_PATH, body=body).status == 401


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\r\nSet-Cookie: a=b",
        "/ /evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/é",
        "",
    ],
)
def test_signing_in_leads_to_no_other_host(locked: Server, elsewhere: str) -> None:
    answer = locked.sign_in(PASSWORD, elsewhere)

    assert answer.status == 303
    assert urljoin(f"http://here{LOGIN_PATH}", answer.headers["location"]) == "http://here/"


def test_a_path_cannot_break_out_of_the_form(locked: Server) -> None:
    form = locked.ask("GET", '/"><script>alert(1)</script>').body

    assert b"<script" not in form


def test_a_foreign_page_cannot_post_the_form(locked: Server) -> None:
    body = urlencode({"password": PASSWORD}).encode()

    for origin in ("https://evil.example", "null"):
        assert locked.ask("POST", LOGIN_PATH, {"Origin": origin}, body).status == 403


@pytest.mark.parametrize("cookie", ["", "manyways=1", "manyways_00000000=x.y", "=;;=", "a" * 5000])
def test_a_websocket_without_a_good_cookie_is_refused(locked: Server, cookie: str) -> None:
    headers = OPENING_HANDSHAKE | {"Cookie": cookie}

    assert locked.ask("GET", "/_stcore/stream", headers).status == 403


def test_a_cookie_from_before_the_product_had_its_name_still_opens(locked: Server) -> None:
    cookie = locked.cookie()["Cookie"]
    assert cookie.startswith("manyways_")
    before = cookie.replace("manyways_", "switchyard_")
    assert locked.ask("GET", "/", {"Cookie": before}).status == 200


def test_a_forged_or_altered_cookie_opens_nothing(locked: Server) -> None:
    cookie = locked.cookie()["Cookie"]
    name, _, value = cookie.partition("=")

    unsigned = value.partition(".")[0]
    for forged in (value[:-1], value.upper(), "x" + value, unsigned, unsigned + "." + "x" * 43):
        assert locked.ask("GET", "/", {"Cookie": f"{name}={forged}"}).status == 401
    assert locked.ask("GET", "/", {"Cookie": cookie}).status == 200


def test_sign_ins_survive_a_restart_but_not_a_new_password(locked: Server, tmp_path: Path) -> None:
    cookie = locked.cookie()

    def status_after_restart(folder: Path, password: str) -> int:
        locked.app = guarded(folder, password=password)
        return locked.ask("GET", "/", cookie).status

    assert status_after_restart(tmp_path, PASSWORD) == 200
    assert status_after_restart(tmp_path, "changed") == 401
    assert status_after_restart(tmp_path / "elsewhere", PASSWORD) == 401


def test_a_sign_in_lasts_thirty_days(tmp_path: Path) -> None:
    clock = Clock()
    login = Login(PASSWORD, tmp_path / "secret", clock=clock)
    answer = login.sign_in(urlencode({"password": PASSWORD}).encode(), client="a", secure=False)
    headers = Headers({"cookie": answer.headers["set-cookie"].partition(";")[0]})

    clock.tick(SESSION - 1)
    assert login.knows(headers)
    clock.tick(1)
    assert not login.knows(headers)


def test_only_the_owner_may_read_the_key(tmp_path: Path) -> None:
    secret = tmp_path / "keys" / "secret"
    guarded(tmp_path, password=PASSWORD)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600

    secret.chmod(0o644)
    key = secret.read_bytes()
    guarded(tmp_path, password=PASSWORD)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_bytes() == key


def test_no_key_is_made_without_a_password(tmp_path: Path) -> None:
    guarded(tmp_path, password="")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damaged", [b"", b"short"])
def test_a_damaged_key_is_replaced(tmp_path: Path, damaged: bytes) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(damaged)

    Login(PASSWORD, secret)

    assert len(secret.read_bytes()) == 32


def test_a_key_that_cannot_be_kept_costs_only_the_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")

    login = Login(PASSWORD, tmp_path / "file" / "secret")

    answer = login.sign_in(urlencode({"password": PASSWORD}).encode(), client="a", secure=False)
    assert answer.status_code == 303
    assert "secret" in caplog.text
    assert PASSWORD not in caplog.text


def bearer(token: str) -> dict[str, str | bytes]:
    return {"Authorization": b"Bearer " + token.encode()}


def test_programs_send_the_password_as_a_bearer_token(locked: Server) -> None:
    assert locked.ask("GET", "/autonomous/status", bearer(PASSWORD)).status == 200
    plan = locked.ask("POST", "/autonomous/plan", bearer(PASSWORD), b"{}")
    assert plan.json == {"bytes": 2}


@pytest.mark.parametrize("password", ["voilà", "Å", "à la carte"])
def test_a_password_may_end_in_any_letter(server: Server, tmp_path: Path, password: str) -> None:
    server.app = guarded(tmp_path, password=password)

    assert server.ask("GET", "/autonomous/status", bearer(password)).status == 200
    assert server.ask("GET", "/autonomous/status", bearer(f" \t{password}")).status == 200


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic wrong", PASSWORD, f"Basic {PASSWORD}"],
)
def test_a_missing_or_wrong_token_is_refused_in_json(
    locked: Server, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.encode()}

    answer = locked.ask("POST", "/autonomous/plan", headers, b"{}")

    assert answer.status == 401
    assert is_api_error(answer, ErrorKind.AUTH)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_opens_the_api_and_no_page(locked: Server) -> None:
    assert locked.ask("GET", "/history", bearer(PASSWORD)).status == 401


def test_the_eleventh_wrong_password_of_a_minute_has_to_wait(locked: Server) -> None:
    for _ in range(TRIES):
        assert locked.sign_in("wrong").status == 401

    for password in ("wrong", PASSWORD):
        answer = locked.sign_in(password)
        assert answer.status == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert b'role="alert"' in answer.body
    token = locked.ask("GET", "/autonomous/status", bearer(PASSWORD))
    assert token.status == 429
    assert is_api_error(token, ErrorKind.RATE_LIMITED)
    assert "retry-after" in token.headers


def test_guessing_tokens_has_to_wait_and_repeating_a_stale_one_does_not(locked: Server) -> None:
    def status(token: str) -> int:
        return locked.ask("GET", "/autonomous/status", bearer(token)).status

    assert {status("stale") for _ in range(3 * TRIES)} == {401}
    assert status(PASSWORD) == 200
    assert [status(f"guess {n}") for n in range(TRIES)] == [401] * (TRIES - 1) + [429]


def test_a_wait_ends_and_belongs_to_one_client(tmp_path: Path) -> None:
    clock = Clock()
    login = Login(PASSWORD, tmp_path / "secret", monotonic=clock)

    def status(password: str, client: str) -> int:
        body = urlencode({"password": password}).encode()
        return login.sign_in(body, client=client, secure=False).status_code

    for _ in range(TRIES):
        status("wrong", "a")
        clock.tick(1)
    assert login.wait("a") == 60 - TRIES
    assert status(PASSWORD, "a") == 429
    assert status(PASSWORD, "b") == 303
    clock.tick(60 - TRIES)
    assert status(PASSWORD, "a") == 303


def test_many_addresses_together_have_to_wait_too(tmp_path: Path) -> None:
    clock = Clock()
    login = Login(PASSWORD, tmp_path / "secret", monotonic=clock)
    for n in range(TRIES_OVERALL):
        assert login.wait(f"2001:db8::{n}") == 0
        login.sign_in(b"password=wrong", client=f"2001:db8::{n}", secure=False)

    assert login.wait("2001:db8::ffff") == 60
    clock.tick(60)
    assert login.wait("2001:db8::ffff") == 0
    clock.tick(3600)
    assert login.wait("2001:db8::ffff") == 0


def test_the_password_is_not_kept(tmp_path: Path) -> None:
    login = Login("correct horse", tmp_path / "secret")
    login.sign_in(b"password=battery+staple", client="a", secure=False)

    kept = repr(vars(login)) + repr(vars(login._tries))

    assert "correct horse" not in kept
    assert "battery staple" not in kept


# Where to listen


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"])
def test_a_loopback_address_needs_no_password(address: str) -> None:
    assert check_bind(address, None) is None


@pytest.mark.parametrize(
    "address",
    ["", " ", "0.0.0.0", "::", "[::]", "192.168.0.7", "10.0.0.1", "fe80::1", "console.example"],
)
def test_any_other_address_needs_a_password(address: str) -> None:
    assert check_bind(address, PASSWORD) is None
    for none in (None, ""):
        complaint = check_bind(address, none)
        assert complaint is not None
        assert "CONSOLE_PASSWORD" in complaint
