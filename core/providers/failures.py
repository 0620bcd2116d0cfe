"""What a vendor's failure means: one reading for all wire formats, by status, code and words."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from core.errors import ErrorKind, ProviderError
from core.providers.http import BodyTooLarge, was_sent
from core.texts import MAX_MESSAGE

MAX_RETRY_AFTER = 3600.0  # seconds; a vendor that asks for more is asked again after this
_NO_ANSWER = "It sent something that is not an answer."

_log = logging.getLogger("switchyard")


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: ErrorKind
    words: str = ""  # a pattern for the error's codes and message, lower case
    statuses: range | tuple[int, ...] = range(1000)

    def fits(self, status: int, text: str) -> bool:
        return status in self.statuses and re.search(self.words, text) is not None


# Vendors' status codes lie (an empty account is a 400 at one and a 429 at another), so words
# come before codes. The first rule that fits decides.
_RULES = (
    _Rule(
        ErrorKind.BILLING,
        r"insufficient_quota|exceeded_current_quota|credit balance|insufficient balance"
        r"|billing_error|spend_limit|usage_limit_reached|specified api usage limits"
        r"|organization_on_hold|perday",
    ),
    _Rule(ErrorKind.BILLING, statuses=(402,)),
    _Rule(
        ErrorKind.CONTEXT_TOO_LONG,
        r"context_length_exceeded|maximum context length|prompt is too long|exceed_context_size"
        r"|exceeded model token limit|input token count.*exceed|context window",
        (200, 400, 413, 422, 500),
    ),
    _Rule(ErrorKind.OVERLOADED, r"overloaded"),
    _Rule(
        ErrorKind.AUTH,
        r"api_key_invalid|invalid_api_key|api key not valid|unregistered callers"
        r"|authorization failed|authentication_error",
        (400, 401, 403),
    ),
    _Rule(ErrorKind.AUTH, statuses=(401,)),
    _Rule(ErrorKind.MODEL_NOT_FOUND, r"model_not_found|model.{0,80}does not exist", (400, 403)),
    _Rule(ErrorKind.REFUSED, r"content_filter|content_policy", (400, 403)),
    _Rule(ErrorKind.PERMISSION, statuses=(403,)),
    _Rule(ErrorKind.MODEL_NOT_FOUND, statuses=(404, 410)),
    _Rule(ErrorKind.TIMEOUT, statuses=(408, 504)),
    _Rule(ErrorKind.CONTEXT_TOO_LONG, statuses=(413,)),
    _Rule(ErrorKind.RATE_LIMITED, statuses=(429,)),
    _Rule(ErrorKind.OVERLOADED, statuses=(503, 529)),
    _Rule(ErrorKind.BAD_REQUEST, statuses=range(400, 500)),
    # No status: an error event inside a stream that had begun with 200.
    _Rule(ErrorKind.SERVER_ERROR, statuses=(0, 200, *range(500, 1000))),
)


def from_status(
    status: int | None,
    body: object,
    *,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
    optional: Iterable[str] = (),
) -> ProviderError:
    """The error that a vendor's status and body stand for.

    `optional` names the parameters of the request that it could do without: if the vendor
    rejected one of them by name, the error's `parameter` says which.
    """
    headers = headers or {}
    message = _message(body)
    start = message[:MAX_MESSAGE]
    # What cannot be read as the vendor's own error is judged by its status alone.
    text = f"{_codes(body)} {start}".lower() if isinstance(body, Mapping) else ""
    fitting = (rule.kind for rule in _RULES if rule.fits(status or 0, text))
    kind = next(fitting, ErrorKind.BAD_RESPONSE)
    return ProviderError(
        kind,
        message or f"It answered with status {status} and no explanation.",
        # Inside a stream a vendor may call any number a status.
        http_status=status if status in range(1000) else None,
        retry_after=_retry_after(headers, body),
        request_id=request_id,
        parameter=_rejected(body, start, optional) if kind is ErrorKind.BAD_REQUEST else None,
    )


def from_exception(error: BaseException) -> ProviderError:
    """The error that an exception without a status stands for; causes are looked at too.

    SDKs let foreign exceptions through and wrap others, so the whole chain is read. One that
    nobody foresaw may be a fault of ours: it is logged, and the next provider is asked.
    """
    if not was_sent.get():
        _log.error("a request could not be written", exc_info=error)
        words = "It was not asked, for the request could not be written."
        return ProviderError(ErrorKind.BAD_REQUEST, words)
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
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


def bad_response(message: str) -> ProviderError:
    return ProviderError(ErrorKind.BAD_RESPONSE, message, http_status=200)


def not_an_answer(value: object) -> ProviderError:
    """For a 200 whose body is not of the vendor's shape."""
    if isinstance(value, str) and "<" in value[:200]:
        return bad_response("It sent a web page instead of an answer.")
    return bad_response(_NO_ANSWER)


def refused(explanation: object = None) -> ProviderError:
    words = explanation if isinstance(explanation, str) else ""
    return ProviderError(
        ErrorKind.REFUSED,
        words.strip() or "It declined to answer this.",
        http_status=200,
    )


def empty(*, truncated: bool) -> ProviderError:
    if truncated:
        return ProviderError(
            ErrorKind.TRUNCATED, "It used up its length before it wrote an answer.", http_status=200
        )
    return bad_response("It sent an answer without text.")


def _error_of(body: object) -> Mapping[str, Any]:
    if isinstance(body, list) and body:
        body = body[0]  # Google streams errors inside a list
    if not isinstance(body, Mapping):
        return {}
    inner = body.get("error")
    return inner if isinstance(inner, Mapping) else body


def _message(body: object) -> str:
    error = _error_of(body)
    for key in ("message", "detail", "title"):
        if isinstance(error.get(key), str) and error[key].strip():
            return str(error[key]).strip()
    if isinstance(body, Mapping) and isinstance(body.get("error"), str):
        return str(body["error"])
    return ""


def _codes(body: object) -> str:
    """Types, codes and details, as one text to search."""
    error = _error_of(body)
    parts = [error.get(key) for key in ("type", "code", "status", "error_code")]
    details = error.get("details")
    return " ".join(str(part) for part in [*parts, json.dumps(details, default=str)] if part)


def _rejected(body: object, message: str, optional: Iterable[str]) -> str | None:
    named = str(_error_of(body).get("param") or "")
    root = re.split(r"[.\[]", named)[0]
    for name in optional:
        words = name.replace("_", "[_ ]?")
        if root == name or re.search(rf"\b{words}\b", message, re.IGNORECASE):
            return name
    return None


def _retry_after(headers: Mapping[str, str], body: object) -> float | None:
    """Seconds until the vendor wants to be asked again, at most an hour; nonsense is None."""
    candidates = [
        _seconds(headers.get("retry-after-ms"), scale=0.001),
        _seconds(headers.get("retry-after")),
        _until(headers.get("retry-after"), headers.get("date")),
        _retry_info(body),
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


def _retry_info(body: object) -> float | None:
    details = _error_of(body).get("details")
    for detail in details if isinstance(details, list) else []:
        delay = detail.get("retryDelay") if isinstance(detail, Mapping) else None
        if isinstance(delay, str) and delay.endswith("s"):
            return _seconds(delay[:-1])
    return None
