r"""The search language: a person's words as terms, and a text as its indexed words.

    tea kettle        both words, anywhere
    "tea kettle"      side by side
    kett*             words that begin so

Case, accents and punctuation make no difference. Scripts that put no spaces between words are
indexed letter by letter, so that any piece of them is found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from core.values.texts import escaped

_MOST_WORDS = 32
# Thai, Lao, Myanmar, Khmer, kana, ideographs, Hangul; then symbols and pictures, each by its code.
_LETTERS = (
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ec0-\u0ec6"
    "\u1000-\u102a\u1780-\u17b3\u3040-\u3096\u309d-\u30fa\u30fc-\u30ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_MARKS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u17b4-\u17d3"
)
PICTURES = "\u2190-\u2bff\U0001f000-\U0001faff"
_ACCENTS = re.compile("[\u0300-\u036f]+")
ALONE = re.compile(f"[{_LETTERS}][{_MARKS}]*")
PICTURE = re.compile(f"[{PICTURES}]")
_ASKED = re.compile(r'["“”„]([^"“”„]*)["“”„]?(\*?)|([^\s"“”„]+)')


@dataclass(frozen=True, slots=True)
class Term:
    """Words side by side; `begins`: the last one need only begin so."""

    words: tuple[str, ...]
    begins: bool = False


def terms_of(text: str) -> tuple[Term, ...]:
    """What a person asks for, all of which must be found. Nothing that is typed is an error."""
    found = []
    for quoted, star, bare in _ASKED.findall(text):
        # Without a word in it there is nothing to look for.
        if words := tuple(_words(quoted or bare)):
            found.append(Term(words, bool(star) or bare.endswith("*")))
    return tuple(found[:_MOST_WORDS])


def searchable(text: str | None) -> str:
    """`text` as it is indexed: what a tokenizer of words that have spaces between them needs."""
    if not text:
        return ""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKD", escaped(text)).casefold()
    text = unicodedata.normalize("NFC", _ACCENTS.sub("", text))
    if ALONE.search(text):
        text = ALONE.sub(r" \g<0> ", text)
    if PICTURE.search(text):
        text = PICTURE.sub(lambda found: f" u{ord(found[0]):x} ", text)
    return text


def _words(text: str) -> Iterator[str]:
    """As FTS5 sees them."""
    word = ""
    for character in searchable(text):
        if unicodedata.category(character)[0] in "LNM" or unicodedata.category(character) == "Co":
            word += character
        elif word:
            yield word
            word = ""
    if word:
        yield word
