"""Redaction: secrets are found by value and replaced in history, log, traceback and answer.

A secret that could be a word is none where it stands as one: goals, plans and answers are never
rewritten for it. What machines say, a vendor's complaint or a log, is, where it stands as a
credential.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
import threading
import traceback
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any
from urllib.parse import quote, quote_plus

SHOWN = "[key]"
_SHORTEST = 6  # characters; shorter ones would be found everywhere
_HEAD = 20  # characters that give a longer secret away on their own


_A_VENDORS = re.compile(r"(?:sk|xai|pplx|nvapi)-|(?:gsk|hf|ghp|r8)_|AIza")
_WORDS = re.compile(r"[^\W\d_]+\d{0,4}|\d{1,12}[^\W\d_]{0,3}")
# What stands before a credential: in a header, an address, a setting, a vendor's complaint.
_LEADS = (
    r"""(?i:\b(?:bearer|basic)\s+|://[^\s/@:]*:"""
    r"""|(?:key|token|password|passwd|secret|authorization|credential)s?["']?\s*"""
    r"""(?:(?:provided|given|is|was)\s*)?(?:[:=]\s*["'(\[<]?|,\s*["']|\s?["'(\[<]))"""
)
_MANY_WORDS = 24  # characters


def could_be_a_word(secret: str) -> bool:
    """Whether a person who writes `secret` may mean the word, or two or three of them.

    Such as "unused", "research", "agent_type" or "gpt-4": nothing is told by it, and a text is
    not rewritten for it.
    """
    if len(secret) > _MANY_WORDS or _A_VENDORS.match(secret):
        return False
    words = re.split(r"[ _.'/-]", secret)
    return len(words) <= 3 and all(
        _WORDS.fullmatch(word) and len(re.findall(r"(?<=[a-z])[A-Z]", word)) <= 2 for word in words
    )


class Redactor:
    """Replaces each secret, in the forms in which it gets about, with "[key]".

    The forms: as it is, URL-encoded, in base64, escaped for JSON; and the first 20 characters of
    one that is longer than 24. Of one that could be a word: base64 alone.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if secret}
        words = {secret for secret in known if len(secret) < _SHORTEST or could_be_a_word(secret)}
        forms = {form for secret in known - words for form in _forms(secret)}
        encoded = {form for word in words for form in _encoded(word)}
        forms |= {form for form in encoded if len(form) > _SHORTEST and not could_be_a_word(form)}
        # A form that holds another one cannot be there without it: the rest need no look.
        self._signs = tuple(
            form for form in forms if not any(other in form for other in forms - {form})
        )
        self._pattern = _any_of(forms)
        self._longest = max(map(len, forms), default=0)
        self._in_order = sorted(forms)
        spelt = _any_of({form for word in words for form in _forms(word)}).pattern
        self._credentials = re.compile(rf"({_LEADS})(?:{spelt})(?!\w)") if words else None

    def __call__(self, text: str) -> str:
        for sign in self._signs:
            if sign in text:
                return self._pattern.sub(SHOWN, text)
        return text

    def strictly(self, text: str) -> str:
        """For what machines say: words, too, where they stand as a credential."""
        said = self(text)
        return self._credentials.sub(rf"\1{SHOWN}", said) if self._credentials else said

    def settled(self, text: str) -> int:
        """How much of `text`, in characters, is redacted the same whatever follows it."""
        end = self._beginning(text, 0)
        if end < len(text):
            for found in self._pattern.finditer(text):
                if found.start() < end < found.end():
                    end = self._beginning(text, found.end())
        return end

    def _beginning(self, text: str, start: int) -> int:
        """Where, from `start` on, the longest tail begins that more text could make a secret."""
        for place in range(max(start, len(text) - self._longest), len(text)):
            tail = text[place:]
            # In order, whatever begins with the tail comes right after it.
            after = bisect_right(self._in_order, tail)
            if after < len(self._in_order) and self._in_order[after].startswith(tail):
                return place
        return len(text)


class InPieces:
    """Redacts a text that comes in pieces. A tail that a secret could begin with waits.

    What is given out joins to what `redact` makes of the whole text.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._waiting = ""

    def __call__(self, piece: str, *, last: bool = False) -> str:
        text = self._waiting + piece
        end = len(text)
        if isinstance(self._redact, Redactor) and not last:
            end = self._redact.settled(text)
        self._waiting = text[end:]
        return self._redact(text[:end])


def _forms(secret: str) -> Iterator[str]:
    yield secret
    if len(secret) > 24:
        yield secret[:_HEAD]
    raw = secret.encode("utf-8", "surrogatepass")
    for encoded in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield encoded
        yield re.sub(r"%..", lambda code: code[0].lower(), encoded)
    yield from _encoded(secret)
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]


def _encoded(secret: str) -> Iterator[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(raw).decode()
        yield encoded
        yield encoded.rstrip("=")


def _any_of(forms: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def strict(redact: Callable[[str], str]) -> Callable[[str], str]:
    """The same for what machines say."""
    return redact.strictly if isinstance(redact, Redactor) else redact


def install(redactor: Callable[[str], str]) -> Callable[[], None]:
    """Scrub every log record as it is made, and what uncaught exceptions print. Returns the undo.

    Records are scrubbed where they are made, so that a handler added later, a library's own
    included, never sees a secret.
    """
    redactor = strict(redactor)
    make_record = logging.getLogRecordFactory()
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook

    def scrubbed(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make_record(*args, **kwargs)
        _scrub(record, redactor)
        return record

    def uncaught(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        _print("", (kind, error, trace), redactor)

    def uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit:
            name = args.thread.name if args.thread else "unknown"
            _print(f"Exception in thread {name}:\n", args[:3], redactor)

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        said = args.err_msg or "Exception ignored"
        _print(f"{said}:\n", (args.exc_type, args.exc_value, args.exc_traceback), redactor)

    logging.setLogRecordFactory(scrubbed)
    sys.excepthook, threading.excepthook = uncaught, uncaught_in_thread
    sys.unraisablehook = unraisable

    def undo() -> None:
        logging.setLogRecordFactory(make_record)
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks

    return undo


def _scrub(record: logging.LogRecord, redactor: Callable[[str], str]) -> None:
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - logging would print the arguments in clear
        message = f"{record.msg} {record.args!r}"
        record.msg, record.args = redactor(message), None
    if redactor(message) != message:
        _scrub_arguments(record, redactor)
    if record.exc_info and record.exc_info[0] is not None:
        # Formatters print this text when it is there; without exc_info none can make its own.
        record.exc_text = redactor(_text_of(record.exc_info)).rstrip("\n")
        record.exc_info = None
    if record.stack_info:
        record.stack_info = redactor(record.stack_info)


def _scrub_arguments(record: logging.LogRecord, redactor: Callable[[str], str]) -> None:
    if isinstance(record.args, tuple):
        # An access log's formatter takes its record's arguments apart: keep their number.
        record.args = tuple(redactor(a) if isinstance(a, str) else a for a in record.args)
    message = record.getMessage()
    if redactor(message) != message:
        record.msg, record.args = redactor(message), None


def _print(head: str, exc_info: Any, redactor: Callable[[str], str]) -> None:
    if sys.stderr is not None:  # there is none under pythonw
        sys.stderr.write(redactor(head + _text_of(exc_info)))
        sys.stderr.flush()


def _text_of(exc_info: Any) -> str:
    return "".join(traceback.format_exception(*exc_info))
