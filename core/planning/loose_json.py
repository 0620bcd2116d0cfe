"""A tolerant JSON parser: text around the JSON, and the slips of models that have one meaning.

Read are: a line break in a string, a comma too many, comments, Python's words and quotation marks,
typographic ones, bare keys, and escapes that JSON does not know. What can be read in two ways, such
as a quotation mark within a quotation, is broken.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

MAX_NESTING = 32  # levels
MAX_DIGITS = 18  # of a whole number: fits in 64 bits
TOO_DEEP = f"the JSON is nested more than {MAX_NESTING} levels deep"


class Broken(NamedTuple):
    """What looked like JSON and is none. `at_once`: perhaps it was never meant to be."""

    words: str
    at_once: bool = False


@dataclass(slots=True)
class Effort:
    """How many more characters may be read, those that are read again included."""

    left: int = 500_000


def values(text: str, effort: Effort) -> Iterator[Any]:
    """Each object in `text`, each list of objects and each string that holds one, in order.

    In the place of what cannot be read stands what is Broken about it.
    """
    found = _START.search(text)
    while found and effort.left > 0:
        effort.left -= _EACH
        start = found.start()
        value, end = _value(text, start, effort)
        yield value
        found = _START.search(text, max(end, start + 1))


_START = re.compile(r'\{|\[(?=\s*\{)|"(?=\s*(?:\[\s*)?\{\s*\\)')
_EACH = 20  # characters' worth of effort, however short what is read
_DECODER = json.JSONDecoder(
    strict=False,
    parse_int=lambda digits: int(digits) if len(digits.lstrip("-")) <= MAX_DIGITS else math.inf,
)


def _value(text: str, start: int, effort: Effort) -> tuple[Any, int]:
    """What begins at `start`, and where to look on."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        # A string that is not closed was read to the end.
        unclosed = error.msg.startswith("Unterminated")
        effort.left -= (len(text) if unclosed else error.pos) - start
    except RecursionError:
        effort.left -= len(text) - start
        return Broken(TOO_DEEP), start + 1
    else:
        effort.left -= end - start
        return value, end
    mended = _mended(text, start)
    effort.left -= mended.end - start
    if mended.too_deep:
        return Broken(TOO_DEEP), start + 1
    try:
        return _DECODER.raw_decode(mended.text)[0], mended.end
    except json.JSONDecodeError as error:
        return _broken(error), start + 1


class _Mended(NamedTuple):
    text: str
    end: int
    too_deep: bool = False


# Possessive throughout, so that the time stays linear.
_TOKEN = re.compile(
    r"""(?P<blank>[\s\u200b\u2060\ufeff]++|//[^\n]*+|\#[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)
    |(?P<mark>[{}\[\]:,])
    |(?P<text>"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|[“”„](?:[^“”\\]|\\.)*+[“”]|‘(?:[^‘’\\]|\\.)*+’)
    |(?P<key>[A-Za-z_$][\w$]*+(?=\s*+:))
    |(?P<word>[-+.\w]++)""",
    re.DOTALL | re.VERBOSE,
)
_WORDS = {"True": "true", "False": "false", "None": "null"}


def _mended(text: str, start: int) -> _Mended:
    """The value at `start` in JSON's own spelling; where it has no end, all that can be told."""
    out: list[str] = []
    at, depth, last = start, 0, -1  # the place in `out` of the last piece that is not blank
    while found := _TOKEN.match(text, at):
        at, piece, kind = found.end(), found[0], found.lastgroup
        if kind == "blank":
            out.append(piece if not piece.strip(" \t\r\n") else "\n" * piece.count("\n") or " ")
            continue
        if piece in ("]", "}") and last >= 0 and out[last] == ",":
            out[last] = ""
        depth += (piece in ("[", "{")) - (piece in ("]", "}"))
        if depth > MAX_NESTING:
            return _Mended("", at, too_deep=True)
        last = len(out)
        out.append(_spelt(piece, kind))
        if depth <= 0:
            return _Mended("".join(out), at)
    return _Mended("".join(out) + text[at : at + _CONTEXT], at)


_CONTEXT = 60  # characters behind a fault that help to say what it is
_SLIP = re.compile(r"\\(?:u[0-9a-fA-F]{4}|x([0-9a-fA-F]{2})|(.))|\"", re.DOTALL)
_KNOWN = '"\\/bfnrt'
# Characters that nobody has to escape in a pattern: the backslash before them means nothing.
_NEEDLESS = "'`’‘“”$_&%#~@!,:;=<>- \n"


def _spelt(piece: str, kind: str | None) -> str:
    if kind == "text":
        return f'"{_SLIP.sub(_escape, piece[1:-1])}"'
    if kind == "key":
        return f'"{piece}"'
    return _WORDS.get(piece, piece)


def _escape(slip: re.Match[str]) -> str:
    hexadecimal, letter = slip[1], slip[2]
    if hexadecimal:
        return f"\\u00{hexadecimal}"
    if letter and letter in _NEEDLESS:
        return letter
    if letter and letter not in _KNOWN:
        return f"\\\\{letter}"  # such as \d: it was meant to be read
    return '\\"' if slip[0] == '"' else slip[0]


def _broken(error: json.JSONDecodeError) -> Broken:
    if error.msg.startswith("Unterminated") or error.pos >= len(error.doc.rstrip("` \t\r\n")):
        return Broken("the JSON object breaks off before its end")
    near = error.doc[max(error.pos - 30, 0) : error.pos + 10]
    return Broken(
        f"line {error.lineno} of the JSON object is broken near {near!r}: {error.msg.lower()}",
        at_once=error.doc[: error.pos].strip() == "{",
    )
