"""Search hits: marked in a text, cut to a snippet, and ranked by BM25."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache

from core.values.history.words import ALONE, PICTURE, PICTURES, Term

# Around each hit of a snippet. Nothing else in a snippet is one of them.
HIT, END = "\ue000", "\ue001"

_LENGTH = 180  # characters of a snippet
_BEFORE = 60  # of them in front of the first hit


def snippet(texts: Iterable[str], terms: Sequence[Term]) -> str:
    """A piece of the first text that holds one of them, each hit between HIT and END."""
    pattern = _pattern(tuple(terms))
    shown = [_readable(text) for text in texts]
    for text in shown:
        folded = text.translate(_FOLDED)
        if first := pattern.search(folded):
            start = max(0, first.start() - _BEFORE)
            end = min(len(text), max(start + _LENGTH, first.end()))
            return _framed(text, start, end, pattern.finditer(folded, start, end))
    text = next(filter(None, shown), "")
    return _framed(text, 0, min(len(text), _LENGTH), ())


def marked(text: str, terms: Sequence[Term]) -> str:
    """The whole text, each hit between HIT and END."""
    text = _unmarked(text)
    return _framed(text, 0, len(text), _pattern(tuple(terms)).finditer(text.translate(_FOLDED)))


def pieces(snippet: str) -> list[tuple[str, bool]]:
    """A marked text in order, piece by piece, and whether each is a hit."""
    found = []
    for part in re.split(f"({HIT}[^{END}]*{END})", snippet):
        if part:
            hit = part.startswith(HIT)
            found.append((part.strip(HIT + END) if hit else part, hit))
    return found


def best_first(texts: Sequence[tuple[int, str]], terms: Sequence[Term]) -> list[int]:
    """The keys of `texts`, best match first, in the given order where they are equal.

    By BM25 (Robertson and Zaragoza, 2009) without the rarity of a word, since each holds all.
    """
    if not texts:
        return []
    patterns = [_pattern((term,)) for term in terms]
    lengths = [len(text) + 1 for _, text in texts]
    usual = sum(lengths) / len(lengths)
    scores = dict.fromkeys((key for key, _ in texts), 0.0)
    for (key, text), length in zip(texts, lengths, strict=True):
        folded = text.translate(_FOLDED)
        for pattern in patterns:
            often = sum(1 for _ in pattern.finditer(folded))
            scores[key] += often * 2.2 / (often + 1.2 * (0.25 + 0.75 * length / usual))
    return sorted(scores, key=lambda key: -scores[key])


class _Folded(dict[int, str]):
    """Each character as it is compared, always one for one, so that places stay the same."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        folded = unicodedata.normalize("NFKC", character).casefold()[:1] or character
        if not "\uac00" <= folded <= "\ud7a3":  # whose parts would be letters too
            folded = unicodedata.normalize("NFD", folded)[:1]
        self[code] = folded
        return folded


_FOLDED = _Folded()


# Not a picture, which is a word of its own: with two ways to read it a search would take for ever.
_BETWEEN = rf"(?:_|[^\w{PICTURES}])"


@cache
def _pattern(terms: tuple[Term, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_side_by_side, terms)) or r"(?!)")


def _side_by_side(term: Term) -> str:
    found = ""
    for place, word in enumerate(term.words):
        alone = bool(ALONE.fullmatch(word) or _picture(word))
        if place:
            close = alone or ALONE.fullmatch(term.words[place - 1])
            found += _BETWEEN + ("*" if close else "+")
        last = place == len(term.words) - 1
        found += _one(word, alone=alone, begins=term.begins and last)
    return found


def _one(word: str, *, alone: bool, begins: bool) -> str:
    literal = re.escape(word.translate(_FOLDED))
    if alone:
        return f"(?:{literal}|{re.escape(_picture(word) or word)})"
    after = r"[^\W_]*" if begins else r"(?![^\W_])"
    return rf"(?<![^\W_]){literal}{after}"


def _picture(word: str) -> str | None:
    if code := re.fullmatch("u([0-9a-f]{4,5})", word):
        picture = chr(int(code[1], 16))
        return picture if PICTURE.fullmatch(picture) else None
    return None


def _readable(text: str) -> str:
    """On one line, and without the signs of JSON where that is what it is."""
    text = _unmarked(text)
    if text.lstrip()[:1] in ("{", "["):
        text = re.sub(r'\\[nrt"]|[{}\[\]"]', " ", text)
    return " ".join(text.split())


def _unmarked(text: str) -> str:
    return text.replace(HIT, "").replace(END, "")


def _framed(text: str, start: int, end: int, hits: Iterable[re.Match[str]]) -> str:
    shown, at = "…" * (start > 0), start
    for hit in hits:
        shown += f"{text[at : hit.start()]}{HIT}{text[hit.start() : hit.end()]}{END}"
        at = hit.end()
    return shown + text[at:end] + "…" * (end < len(text))
