"""One password for the whole console: a form and a signed cookie, or a Bearer token."""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import os
import re
import secrets
import time
from collections import deque
from collections.abc import Callable
from html import escape
from pathlib import Path
from string import Template
from typing import NamedTuple
from urllib.parse import parse_qs

from itsdangerous import BadData, URLSafeSerializer
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, RedirectResponse, Response

LOGIN_PATH = "/console/login"
FRONT = "../"  # from there; a proxy may have taken away a part of the path that only browsers know
SESSION = 30 * 24 * 3600  # seconds a browser stays signed in

TRIES = 10  # wrong passwords a minute, per client
TRIES_OVERALL = 100  # the same for all clients together: addresses are cheap
MINUTE = 60.0

_PAGE = Template((Path(__file__).parent / "login.html").read_text(encoding="utf-8"))
_WRONG = "That is not the password. Please try again."
_TOO_OFTEN = "Too many wrong passwords. Please wait a minute, then try again."

_log = logging.getLogger(__name__)


class Login:
    """Knows the password only as a digest, and its callers by cookie or Bearer token.

    The key of the cookies is a file, so that open tabs survive a restart; the password is part
    of what is signed with, so that a new password ends every session. `clock` gives UTC seconds
    since the epoch, `monotonic` seconds.
    """

    def __init__(
        self,
        password: str,
        secret_file: Path,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = _read_or_make(secret_file)
        self._digest = self._digest_of(password.encode("utf-8", "surrogateescape"))
        self._clock = clock
        self._tries = _Tries(monotonic)
        # Cookies know no ports: two consoles on one host must not overwrite each other's.
        mark = self._digest_of(b"cookie").hex()[:8]
        self._cookie = f"manyways_{mark}"
        self._known = (self._cookie, f"switchyard_{mark}")  # by its first name, too
        self._signer = URLSafeSerializer(
            self._key,
            salt=b"session" + self._digest,
            signer_kwargs={"digest_method": hashlib.sha256},
        )

    def knows(self, headers: Headers) -> bool:
        """Whether the request carries a session cookie of ours that is still good."""
        for cookies in headers.getlist("cookie"):
            sent = cookie_parser(cookies)
            if any(name in sent and self._is_good(sent[name]) for name in self._known):
                return True
        return False

    def wait(self, client: str) -> int:
        """Whole seconds until `client` may try a password again; 0: now."""
        return self._tries.wait(client)

    def accepts_token(self, headers: Headers, client: str) -> bool:
        """Whether `Authorization: Bearer` holds the password; a wrong guess is remembered."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        # Headers come decoded as latin-1; back to the bytes that were sent. A bare strip() would
        # take the last byte of "à", which is a space in latin-1.
        guess = self._digest_of(token.strip(" \t").encode("latin-1"))
        if scheme.lower() != "bearer":
            return False
        if hmac.compare_digest(guess, self._digest):
            return True
        # A script that repeats one stale password guesses nothing; it shall not lock out others.
        self._tries.missed(client, guess)
        return False

    def page(
        self, next_path: str, *, front: str = FRONT, error: str = "", status: int = 401
    ) -> Response:
        """The form. `next_path` begins at the console's front page; `front` leads there."""
        alert = f'<p id="error" role="alert">{escape(error)}</p>' if error else ""
        html = _PAGE.substitute(
            action=front + LOGIN_PATH[1:],
            next=escape(_local(next_path)),
            alert=alert,
            invalid='aria-invalid="true" aria-describedby="error"' if error else "",
        )
        return HTMLResponse(html, status, {"Cache-Control": "no-store"})

    def sign_in(self, body: bytes, *, client: str, secure: bool) -> Response:
        """The answer to the posted form; `secure`: the browser came over https."""
        password, next_path = _fields(body)
        if seconds := self.wait(client):
            page = self.page(next_path, error=_TOO_OFTEN, status=429)
            page.headers["Retry-After"] = str(seconds)
            return page
        if not hmac.compare_digest(self._digest_of(password), self._digest):
            self._tries.missed(client)
            return self.page(next_path, error=_WRONG)
        there = FRONT + _local(next_path)[1:]
        answer = RedirectResponse(there, 303, {"Cache-Control": "no-store"})
        answer.set_cookie(
            self._cookie,
            self._signer.dumps(int(self._clock()) + SESSION),
            max_age=SESSION,
            httponly=True,
            secure=secure,
            # Strict would show the form to a signed-in person who follows a link to a run from
            # a chat or a mail. What another site may start is decided by Origin, not by this.
            samesite="lax",
        )
        return answer

    def _digest_of(self, guess: bytes) -> bytes:
        # Digests are of one length, so that comparing them does not tell the password's.
        return hmac.digest(self._key, guess, "sha256")

    def _is_good(self, signed: str) -> bool:
        try:
            until = self._signer.loads(signed)
        except BadData:
            return False
        return isinstance(until, int) and self._clock() < until


class _Miss(NamedTuple):
    at: float  # seconds, monotonic
    client: str
    guess: bytes | None  # digest of a Bearer token


class _Tries:
    """The wrong passwords of the last minute."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._misses: deque[_Miss] = deque(maxlen=TRIES_OVERALL)

    def wait(self, client: str) -> int:
        now = self._monotonic()
        recent = [miss for miss in self._misses if miss.at > now - MINUTE]
        own = [miss for miss in recent if miss.client == client]
        full = [
            misses[0].at
            for misses, limit in ((own, TRIES), (recent, TRIES_OVERALL))
            if len(misses) >= limit
        ]
        return math.ceil(max(full) + MINUTE - now) if full else 0

    def missed(self, client: str, guess: bytes | None = None) -> None:
        known = guess is not None and any(
            (miss.client, miss.guess) == (client, guess) for miss in self._misses
        )
        if not known:
            self._misses.append(_Miss(self._monotonic(), client, guess))


def _fields(body: bytes) -> tuple[bytes, str]:
    try:
        # latin-1 both ways keeps the bytes that were sent, whatever they are.
        form = parse_qs(body.decode("latin-1"), encoding="latin-1", max_num_fields=10)
    except ValueError:
        return b"", "/"
    password = form.get("password", [""])[-1]
    return password.encode("latin-1"), form.get("next", ["/"])[-1]


def _local(path: str) -> str:
    """`path` where it stays on this console, else its front page."""
    # Browsers read "//host" and "/\\host" as another host, and drop tabs and line ends.
    return path if re.fullmatch(r"/(?!/)[!-\[\]-~]*", path) else "/"


def _read_or_make(secret_file: Path) -> bytes:
    try:
        return _read(secret_file) or _make(secret_file)
    except OSError as error:
        _log.warning("Sign-ins end with this process: no key in %s (%s).", secret_file, error)
        return secrets.token_bytes(32)


def _read(secret_file: Path) -> bytes:
    """The key; empty where there is none that is long enough."""
    try:
        key = secret_file.read_bytes()
    except FileNotFoundError:
        return b""
    secret_file.chmod(0o600)  # a copy or a restored backup may have become readable
    return key if len(key) >= 32 else b""


def _make(secret_file: Path) -> bytes:
    key = secrets.token_bytes(32)
    secret_file.parent.mkdir(parents=True, exist_ok=True)
    secret_file.unlink(missing_ok=True)  # an empty or a cut-off one
    # Private from its first moment on: never readable, not even before a chmod.
    descriptor = os.open(secret_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    return key
