"""Which request parameter a vendor rejects, and whether the request can do without it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.providers.answers.complaint import Complaint
from core.values.outcomes import ErrorKind

_REFUSING = (0, 200, 400, 403, 404, 415, 422, 500, 501)  # statuses that come with a refusal
# Kinds that the words alone suggest, where it is the parameter that the model does not take.
_MISTAKEN = (ErrorKind.BAD_REQUEST, ErrorKind.SERVER_ERROR)
_NAMED_MISTAKEN = (*_MISTAKEN, ErrorKind.PERMISSION, ErrorKind.MODEL_NOT_FOUND)

# What vendors call a parameter when they do not call it by its name.
_ALSO = {
    "stream": r"stream(ing)?( mode| responses?)? (is |are )?(not|un|disabled)"
    r"|(unsupported|not support|unrecogni[sz]ed|unknown|unexpected|disallow).{0,40}\bstream(ing)?\b"
    r"|[`'\"]stream[`'\"]",
    "response_format": r"json[_ ](schema|object|mode)|structured[_ ]outputs?|guided|grammar",
    "response_json_schema": r"json mode|response[_ ]?(schema|mime[_ ]?type)|structured output"
    r"|controlled generation",
    "output_config": r"output[_ ]?format|structured[_ ]outputs?|json[_ ]schema",
    "chat_template_kwargs": r"chat[_ ]template|enable[_ ]thinking",
    "thinking_config": r"\bthinking\b|\bbudget\b",
    "thinking": r"\bthinking\b",
    "reasoning_effort": r"\breasoning\b",
}
_ORDINARY = ("stream",)  # words that say nothing by themselves

# What of a request is about what is asked, by the names that the vendors have for it. How much may
# be written, say, is not: each model has limits of its own.
_FIELDS = {
    "messages": "messages",
    "contents": "messages",
    "content": "messages",
    "prompt": "messages",
    "input": "messages",
    "system": "system",
    "systeminstruction": "system",
}


def refused_parameter(
    complaint: Complaint, status: int, kind: ErrorKind, optional: Iterable[str]
) -> str | None:
    """The one of `optional` that the vendor refuses; None where it says nothing of the sort."""
    names = tuple(optional)
    if status not in _REFUSING or complaint.page or kind not in _NAMED_MISTAKEN:
        return None
    path = [_squeezed(part) for part in re.split(r"[.\[\]/ ]+", complaint.field or "")]
    by_field = next((name for name in names if _squeezed(name) in path), None)
    if by_field is not None or kind not in _MISTAKEN:
        return by_field
    words = complaint.words[:500]
    for name in names:
        if name not in _ORDINARY and _says(rf"\b{name.replace('_', '[_ ]?')}\b", words):
            return name
    if kind is ErrorKind.SERVER_ERROR:
        return None  # a machine that breaks may say anything
    return next((name for name in names if name in _ALSO and _says(_ALSO[name], words)), None)


def field_of(complaint: Complaint) -> str | None:
    """What of the goal the vendor objects to, in one name for all vendors."""
    parts = (_squeezed(part) for part in re.split(r"[.\[\]/ ]+", complaint.field or ""))
    return next((_FIELDS[part] for part in parts if part in _FIELDS), None)


def _says(pattern: str, words: str) -> bool:
    return re.search(pattern, words, re.IGNORECASE) is not None


def _squeezed(name: str) -> str:
    return name.replace("_", "").lower()
