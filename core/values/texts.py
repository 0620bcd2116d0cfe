"""Checks and cleaning of texts before they are sent, stored or shown."""

from __future__ import annotations

import re
from collections.abc import Callable

from core.values.errors import BadRequest
from core.values.redaction import strict

MAX_MESSAGE = 500  # characters of a vendor's words that are kept
MAX_ANSWER = 1_000_000  # characters of an answer that are kept
CAPPED = f"Its answer was longer than {MAX_ANSWER:,} characters; only its beginning was kept."


def check_text(text: str, name: str) -> None:
    """Refuse a text that cannot be sent to anyone. `name` is what people call it.

    Raises:
        BadRequest: it contains a lone surrogate.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest(
            f"The {name} contains half of a character, such as a cut-off emoji; "
            "write that part again."
        ) from None


def sendable(text: str) -> str:
    """`text` with a question mark for each lone surrogate, which no encoding can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def escaped(text: str) -> str:
    r"""`text` with lone surrogates, which UTF-8 cannot hold, written as `\ud800`."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def vendors_words(message: str, redact: Callable[[str], str]) -> str:
    """A vendor's message as it may be kept: cut after secrets are out, so that none is halved."""
    return sendable(strict(redact)(message))[:MAX_MESSAGE]


def capped(answer: str) -> str:
    """Its beginning, and the word that this is not the whole, where it is too long to be kept."""
    if len(answer) <= MAX_ANSWER:
        return answer
    return f"{answer[:MAX_ANSWER]}\n\n[The rest was left out: {len(answer):,} characters in all.]"


# Spreadsheets trim before they look, and some read the wide forms, too.
_FORMULA = re.compile(r"[\s\0\ufeff]*[=+\-@＝＋－＠]|[\t\r\n\0]")


def inert(text: str) -> str:
    """As a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text
