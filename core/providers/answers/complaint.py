"""The message, code and field of a vendor's error body, whatever its shape."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_DEPTH = 5  # of errors inside errors, as gateways pass them on
_LISTED = 5  # faults of one request that are told
_WORDS = (
    *("message", "detail", "msg", "error_msg", "error_message", "errorMessage", "status_msg"),
    *("error_description", "description", "Message", "title"),
)
_CODES = (
    *("type", "code", "status", "error_code", "errorCode", "error_type", "reason", "status_code"),
    *("statusCode", "http_code"),
)
_WITHIN = ("error", "errors", "innererror", "metadata", "raw", "detail", "details", "base_resp")


@dataclass(frozen=True, slots=True)
class Complaint:
    words: str = ""
    codes: str = ""  # types, codes, states and details: one text to search
    field: str | None = None  # the part of the request that it is about, as a path
    status: int | None = None  # the HTTP status that the body itself names
    own: bool = False  # in a vendor's form, with a type or a code; not a web server's
    page: bool = False  # a web page, of which `words` are the title


def read(body: object) -> Complaint:
    """A vendor's error, from its parsed body or its text."""
    value = _unpacked(body)
    if isinstance(value, Mapping) and "error" not in value and _is_page(value.get("message")):
        value = value["message"]
    if isinstance(value, str):
        page = _is_page(value)
        return Complaint(_title(value) if page else value.strip(), page=page)
    if isinstance(value, list) and len(value) == 1:
        value = _unpacked(value[0])  # Google streams errors inside a list
    layers = list(_layers(value))
    words = _words(value)
    return Complaint(
        words,
        " ".join(_codes(layers)),
        next((field for layer in layers if (field := _field(layer))), None) or _led_by(words),
        next((status for layer in layers if (status := _status(layer))), None),
        _is_own(value),
    )


def is_error(value: object) -> bool:
    """Is this JSON, sent as if it were an answer, an error?"""
    if not isinstance(value, Mapping):
        return False
    return bool(value.get("error")) or "error" in (value.get("type"), value.get("object"))


def _unpacked(value: object) -> Any:
    """The JSON in a text, where there is some: gateways hand on other vendors' bodies as text."""
    if not isinstance(value, str):
        return value
    text = value.lstrip("\ufeff \t\r\n")
    if not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _is_page(value: object) -> bool:
    start = value.lstrip("\ufeff \t\r\n")[:200].lower() if isinstance(value, str) else ""
    return (
        start.startswith("<")
        and re.match(r"<(!doctype|html|head|body|\?xml|!--)", start) is not None
    )


def _title(page: str) -> str:
    found = re.search(r"<(title|h1)[^>]*>(.{1,300}?)</\1>", page[:20_000], re.I | re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", found[2])).split()) if found else ""


def _layers(value: object, depth: int = _DEPTH) -> Iterator[Mapping[str, Any]]:
    """The error itself and those that it was made of, outermost first."""
    value = _unpacked(value)
    if depth and isinstance(value, Mapping):
        yield value
        for key in _WITHIN:
            yield from _layers(value.get(key), depth - 1)
    elif depth and isinstance(value, list):
        for one in value[:_LISTED]:
            yield from _layers(one, depth - 1)


def _words(value: object, depth: int = _DEPTH) -> str:
    value = _unpacked(value)
    if isinstance(value, str):
        return _title(value) if _is_page(value) else value.strip()
    if not depth:
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, (_words(one, depth - 1) for one in value[:_LISTED])))
    return _words_of(value, depth - 1) if isinstance(value, Mapping) else ""


def _words_of(error: Mapping[str, Any], depth: int) -> str:
    inner = _unpacked(error.get("error"))
    keys = _WORDS if isinstance(inner, str) or not inner else ("error", *_WORDS)
    found = (_words(error.get(key), depth) for key in (*keys, "errors", "base_resp"))
    words = next(filter(None, found), "") or (_words(inner, depth) if inner else "")
    metadata = error.get("metadata")
    raw = _words(metadata.get("raw"), depth) if isinstance(metadata, Mapping) else ""
    if raw and raw not in words:
        words = f"{words.rstrip('.: ')}: {raw}" if words else raw
    place = _place(error.get("loc"))
    if place and words:
        return f"{place}: {words}"
    return words or next((str(error[key]) for key in ("code", "type") if error.get(key)), "")


def _codes(layers: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for layer in layers:
        for key in _CODES:
            if isinstance(layer.get(key), str | int):
                yield str(layer[key])
        if isinstance(layer.get("error"), str) and layer.get("message"):
            yield layer["error"]
        if layer.get("details") and not isinstance(layer["details"], str):
            yield json.dumps(layer["details"], default=str)[:4000]


def _field(error: Mapping[str, Any]) -> str | None:
    for key in ("param", "field"):
        if isinstance(error.get(key), str) and error[key].strip():
            return str(error[key]).strip()
    violations = error.get("fieldViolations")
    if isinstance(violations, list) and violations and isinstance(violations[0], Mapping):
        return _field(violations[0])
    return _place(error.get("loc")) or None


def _place(where: object) -> str:
    parts = where if isinstance(where, list) else []
    return ".".join(str(part) for part in parts if part != "body")


def _led_by(words: str) -> str | None:
    """The field that the words begin with, as Anthropic's do: `messages.0.content: too short`."""
    found = re.match(r"(?:body ?-> ?)?`?([a-z][a-z_]*(?:[.\[][a-z0-9_\]]+)*)`?(?::\s|\s*\n)", words)
    return found[1] if found else None


def _status(error: Mapping[str, Any]) -> int | None:
    for key in ("code", "status", "status_code", "statusCode", "http_code"):
        named = error.get(key)
        if isinstance(named, str) and named.isascii() and named.isdigit() and len(named) == 3:
            named = int(named)
        if type(named) is int and 400 <= named <= 599:
            return named
    return None


def _is_own(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    inner = value.get("error")
    if not isinstance(inner, Mapping):
        return "error" in (value.get("type"), value.get("object"))
    return any(inner.get(key) for key in ("type", "code", "status", "param"))
