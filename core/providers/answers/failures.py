"""From an HTTP error or an SDK's exception to a ProviderError."""

from __future__ import annotations

import json
import logging
import math
import re
import ssl
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from core.providers.answers.complaint import Complaint, read
from core.providers.answers.meanings import kind_of, status_inside
from core.providers.answers.parameters import field_of, refused_parameter
from core.providers.http import BodyTooLarge, was_sent
from core.values.errors import ProviderError
from core.values.outcomes import ErrorKind

MAX_RETRY_AFTER = 3600.0  # seconds; a vendor that asks for more is asked again after this
_NO_SUCH_ADDRESS = (404, 405)
_NO_ANSWER = "It sent something that is not an answer."

_log = logging.getLogger("manyways")


class ErrorInside(Exception):
    """What came with a 200 is a vendor's error; `body` is its JSON or its text."""

    def __init__(self, body: object) -> None:
        super().__init__()
        self.body = body


def from_sdk(
    error: Exception, *, provider: str, optional: Iterable[str] = (), listing: bool = False
) -> ProviderError:
    """The error that an exception of the openai or anthropic SDK stands for, or of our reading."""
    if isinstance(error, ErrorInside):
        return from_status(200, error.body, optional=optional, provider=provider)
    response = getattr(error, "response", None)
    if response is None:
        return from_exception(error)
    return from_status(
        response.status_code,
        response.text,  # SDKs hand on a part of it
        headers=response.headers,
        request_id=getattr(error, "request_id", None),
        optional=optional,
        provider=provider,
        listing=listing,
    )


def from_status(
    status: int | None,
    body: object,
    *,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
    optional: Iterable[str] = (),
    provider: str = "",
    listing: bool = False,
) -> ProviderError:
    """The error that a vendor's status and body stand for. No model is asked in a `listing`.

    `optional` names the parameters of the request that it could do without: if the vendor
    rejected one of them by name, the error's `parameter` says which.
    """
    headers = headers or {}
    complaint = read(body)
    inside = status in (None, 0, 200)
    meant = status_inside(complaint) if inside else status or 0
    kind = kind_of(provider, meant, complaint, listing=listing)
    parameter = refused_parameter(complaint, meant, kind, optional)
    if parameter is not None:
        kind = ErrorKind.BAD_REQUEST
    return ProviderError(
        kind,
        _in_words(complaint, meant or status, kind),
        # Inside a stream a vendor may call any number a status.
        http_status=status if status in range(1000) else None,
        retry_after=_retry_after(headers, complaint),
        request_id=request_id,
        parameter=parameter,
        field=field_of(complaint) if kind is ErrorKind.BAD_REQUEST else None,
    )


def _in_words(complaint: Complaint, status: int | None, kind: ErrorKind) -> str:
    words = complaint.words
    if complaint.page:
        words = f"It sent a web page: “{words}”." if words else "It sent a web page."
    if status in _NO_SUCH_ADDRESS and kind is ErrorKind.BAD_RESPONSE:
        heard = f" It said: {words}" if words else ""
        return f"Nothing is served at this address; check the provider's address.{heard}"
    return words or f"It answered with status {status} and no explanation."


def from_exception(error: BaseException) -> ProviderError:
    """The error that an exception without a status stands for; causes are looked at too.

    SDKs let foreign exceptions through and wrap others, so the whole chain is read. One that
    nobody foresaw may be a fault of ours: it is logged, and the next provider is asked.
    """
    if isinstance(error, ProviderError):
        return error
    if not was_sent.get():
        _log.error("a request could not be written", exc_info=error)
        words = "It was not asked, for the request could not be written."
        return ProviderError(ErrorKind.BAD_REQUEST, words)
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    tls = next((link for link in chain if isinstance(link, ssl.SSLError)), None)
    if tls is not None and any(isinstance(link, httpx2.ConnectError) for link in chain):
        return ProviderError(ErrorKind.CONNECTION, _tls_in_words(tls))
    for kinds, kind, message in _EXCEPTIONS:
        if any(isinstance(link, kinds) for link in chain):
            return ProviderError(kind, message)
    _log.error("an answer could not be read", exc_info=error)
    return ProviderError(ErrorKind.BAD_RESPONSE, _NO_ANSWER)


_EXCEPTIONS: tuple[tuple[tuple[type[BaseException], ...], ErrorKind, str], ...] = (
    ((BodyTooLarge,), ErrorKind.BAD_RESPONSE, "It sent more than 16 MB."),
    ((httpx2.DecodingError,), ErrorKind.BAD_RESPONSE, "It sent bytes that cannot be unpacked."),
    ((httpx2.ConnectTimeout,), ErrorKind.CONNECTION, "It could not be reached within 5 s."),
    ((httpx2.TimeoutException, TimeoutError), ErrorKind.TIMEOUT, "It stopped sending."),
    (
        (httpx2.ConnectError,),
        ErrorKind.CONNECTION,
        "It could not be reached: nothing answers at its address.",
    ),
    (
        (httpx2.TransportError, ConnectionError),
        ErrorKind.CONNECTION,
        "The connection broke off before it had answered.",
    ),
    (
        (json.JSONDecodeError, UnicodeDecodeError),
        ErrorKind.BAD_RESPONSE,
        "It sent an answer that cannot be read.",
    ),
    # SDKs trust the shape of an answer: what they, and we, stumble over is not of that shape.
    (
        (AttributeError, TypeError, LookupError, ValueError, ArithmeticError, RecursionError),
        ErrorKind.BAD_RESPONSE,
        _NO_ANSWER,
    ),
)


# OpenSSL's X509_V_ERR_ numbers.
_CERTIFICATES = {
    9: "Its certificate is not valid yet; check the clock of this computer.",
    10: "Its certificate has expired; check the clock of this computer, or wait until the provider"
    " has renewed it.",
    62: "Its certificate is for another host name; check the provider's address.",
    64: "Its certificate is for another host name; check the provider's address.",
}


def _tls_in_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATES.get(error.verify_code, _UNTRUSTED)
    return (
        "It could not be spoken to over TLS; check whether the provider's address should begin "
        "with http or https."
    )


_UNTRUSTED = (
    "Its certificate is signed by nobody whom this computer trusts; set the environment variable "
    "SSL_CERT_FILE to a file with the certificates of those who may sign it, such as your company."
)


def not_started(error: BaseException) -> ProviderError:
    """For a provider whose client cannot be made, so that nothing was asked."""
    _log.error("a provider's client could not be made", exc_info=error)
    if isinstance(error, ImportError):
        words = "It was not asked: a part of Manyways is missing; install Manyways again."
    else:
        words = "It was not asked: its client could not be started; check the provider's address."
    return ProviderError(ErrorKind.CONNECTION, words)


def bad_response(message: str) -> ProviderError:
    return ProviderError(ErrorKind.BAD_RESPONSE, message, http_status=200)


def not_an_answer(value: object) -> ProviderError:
    """For a 200 whose body is not of the vendor's shape."""
    if isinstance(value, str) and "<" in value[:200]:
        return bad_response("It sent a web page instead of an answer.")
    return bad_response(_NO_ANSWER)


def odd(value: object) -> Exception:
    """For a 200 that holds no answer, but maybe words."""
    words = read(value).words
    kind = value.get("type") if isinstance(value, Mapping) else None
    if words == kind and not words.endswith("error"):
        return not_an_answer(value)  # all that it says is what it is, such as a "message"
    return ErrorInside(value) if words else not_an_answer(value)


def refused(explanation: object = None) -> ProviderError:
    words = explanation if isinstance(explanation, str) else ""
    return ProviderError(
        ErrorKind.REFUSED,
        words.strip() or "It declined to answer this.",
        http_status=200,
    )


def _retry_after(headers: Mapping[str, str], complaint: Complaint) -> float | None:
    """Seconds until the vendor wants to be asked again, at most an hour; nonsense is None."""
    candidates = [
        _seconds(headers.get("retry-after-ms"), scale=0.001),
        _seconds(headers.get("retry-after")),
        _until(headers.get("retry-after"), headers.get("date")),
        _retry_info(complaint),
    ]
    asked = next((seconds for seconds in candidates if seconds is not None), None)
    return None if asked is None else min(asked, MAX_RETRY_AFTER)


def _seconds(text: str | None, *, scale: float = 1.0) -> float | None:
    try:
        seconds = float(text or "") * scale
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _until(text: str | None, date: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(text or "")
        # Judged against the vendor's own clock where it tells: ours may be wrong.
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        seconds = (moment - now).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None


def _retry_info(complaint: Complaint) -> float | None:
    """Google says it among the details of its error."""
    found = re.search(r'"retryDelay": "([^"]*)s"', complaint.codes)
    return _seconds(found[1]) if found else None
