r"""Words in goals, plans, requests and answers: how they are asked for, found and marked.

    tea kettle        both words, anywhere
    "tea kettle"      side by side
    kett*             words that begin so

Case, accents and punctuation make no difference. Scripts that put no spaces between words are
indexed letter by letter, so that any piece of them is found. What a system message says is not
indexed: it is the same for every call, and would be found in each.
"""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain

from db.rows import Row, escaped

# Around each hit of a snippet. Nothing else in a snippet is one of them.
HIT, END = "\ue000", "\ue001"

UNKNOWN = "[]"  # a request that was written before

_MOST_WORDS = 32
_AT_ONCE = 64  # rows in one statement
_LENGTH = 180  # characters of a snippet
_BEFORE = 60  # of them in front of the first hit
# Thai, Lao, Myanmar, Khmer, kana, ideographs, Hangul; then symbols and pictures, each by its code.
_LETTERS = (
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ec0-\u0ec6"
    "\u1000-\u102a\u1780-\u17b3\u3040-\u3096\u309d-\u30fa\u30fc-\u30ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_MARKS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u17b4-\u17d3"
)
_PICTURES = "\u2190-\u2bff\U0001f000-\U0001faff"
_ACCENTS = re.compile("[\u0300-\u036f]+")
_ALONE = re.compile(f"[{_LETTERS}][{_MARKS}]*")
_PICTURE = re.compile(f"[{_PICTURES}]")
_ASKED = re.compile(r'["“”„]([^"“”„]*)["“”„]?(\*?)|([^\s"“”„]+)')


def said_in(request: str) -> str:
    """What the messages say, without the system's."""
    messages = json.loads(request)
    return escaped("\n".join(m["content"] for m in messages if m["role"] != "system"))


@dataclass(frozen=True, slots=True)
class Source:
    """What has words: its table, its key there, and its two columns of words."""

    table: str
    key: str
    columns: tuple[str, str]
    texts: str  # key and both texts, of those that have ended
    said: Callable[[str], str] = str  # the first text as it is read

    @property
    def words(self) -> str:
        return f"{self.table}_words"


CALLS = Source(
    "call",
    "id",
    ("asked", "answered"),
    """SELECT id, request AS one, response AS two
         FROM call JOIN call_text ON call_id = id
        WHERE status <> 'running'""",
    said_in,
)
RUNS = Source(
    "run",
    "number",
    ("goal", "plan"),
    "SELECT number AS id, goal AS one, plan AS two FROM run WHERE status <> 'running'",
)
SOURCES = (CALLS, RUNS)


# -- what is asked for


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


def match_of(terms: Iterable[Term]) -> str:
    """The same in the language of FTS5."""
    return " AND ".join(f'"{" ".join(term.words)}"{" *" * term.begins}' for term in terms)


def searchable(text: str | None) -> str:
    """`text` as it is indexed: what a tokenizer of words that have spaces between them needs."""
    if not text:
        return ""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKD", escaped(text)).casefold()
    text = unicodedata.normalize("NFC", _ACCENTS.sub("", text))
    if _ALONE.search(text):
        text = _ALONE.sub(r" \g<0> ", text)
    if _PICTURE.search(text):
        text = _PICTURE.sub(lambda found: f" u{ord(found[0]):x} ", text)
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


# -- the index


@contextmanager
def kept_up(
    connection: sqlite3.Connection,
    *,
    calls: Collection[int],
    runs: Collection[str],
    texts: Sequence[Row] = (),
) -> Iterator[None]:
    """Whichever of these calls and runs end inside are indexed after. In the caller's transaction.

    What had ended before is left out of the index first, for its text may be another one after.
    `texts` are rows of call_text that are written inside: what they say need not be read again.
    """
    ended = ((CALLS, "call.id", calls), (RUNS, "run.id", runs))
    before = [texts_of(connection, source, keys, key=key) for source, key, keys in ended]
    for (source, _, _), some in zip(ended, before, strict=True):
        forget(connection, source, some)
    yield
    once = {*calls} - {text.key for text in before[0]}
    known = [
        Text(key, said_in(request), answer or "")
        for key, request, answer in texts
        if request != UNKNOWN and key in once
    ]
    index(connection, CALLS, known)
    rest = {*calls} - {text.key for text in known}
    index(connection, CALLS, texts_of(connection, CALLS, rest, key="call.id"))
    index(connection, RUNS, texts_of(connection, RUNS, runs, key="run.id"))


@dataclass(frozen=True, slots=True)
class Text:
    """What is in the index of one call or run: `one` was asked, `two` came of it."""

    key: int
    one: str
    two: str


def index(connection: sqlite3.Connection, source: Source, texts: Iterable[Text]) -> None:
    """Each once: another time, and it would be found twice."""
    columns = f"rowid, {', '.join(source.columns)}"
    _each(connection, source, texts, f"INSERT INTO {source.words} ({columns})", "(?, ?, ?)")


def forget(connection: sqlite3.Connection, source: Source, texts: Iterable[Text]) -> None:
    """`texts` as they were indexed, and are still kept."""
    columns = f"{source.words}, rowid, {', '.join(source.columns)}"
    sql = f"INSERT INTO {source.words} ({columns})"
    _each(connection, source, texts, sql, "('delete', ?, ?, ?)")


def index_older(connection: sqlite3.Connection, rows: int) -> int:
    """Index the newest `rows` texts of those that were there before the index; how many it did."""
    for source in SOURCES:
        if (below := _below(connection, source)) is None:
            continue
        sql = f"{source.texts} AND {source.key} < ? ORDER BY {source.key} DESC LIMIT ?"
        some = _read(connection, source, sql, below, rows)
        if some:
            _set_below(connection, source, some[-1].key)
            index(connection, source, some)
            return len(some)
        _set_below(connection, source, None)
    return 0


def texts_of(
    connection: sqlite3.Connection, source: Source, keys: Collection[int | str], *, key: str
) -> list[Text]:
    """Of those that have ended, by their `key`."""
    if not keys:
        return []
    wanted = json.dumps([*keys])
    sql = f"{source.texts} AND {key} IN (SELECT value FROM json_each(?))"
    return _read(connection, source, sql, wanted)


def _read(connection: sqlite3.Connection, source: Source, sql: str, *values: object) -> list[Text]:
    # One row, for the interpreter's lock is given up at each.
    (packed,) = connection.execute(
        f"SELECT json_group_array(json_array(id, one, two)) FROM ({sql})", values
    ).fetchone()
    return [Text(key, source.said(one), two or "") for key, one, two in json.loads(packed)]


def _each(
    connection: sqlite3.Connection, source: Source, texts: Iterable[Text], sql: str, row: str
) -> None:
    below = _below(connection, source) or 0
    rows = [
        (text.key, searchable(text.one), searchable(text.two))
        for text in texts
        # Of a text that is no longer kept there is nothing to forget, and FTS5 counts.
        if text.key >= below and (text.one or text.two)
    ]
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        values = tuple(chain.from_iterable(some))
        connection.execute(f"{sql} VALUES {', '.join([row] * len(some))}", values)


def _below(connection: sqlite3.Connection, source: Source) -> int | None:
    row = connection.execute(
        "SELECT below FROM unindexed WHERE source = ?", (source.table,)
    ).fetchone()
    return row[0] if row else None


def _set_below(connection: sqlite3.Connection, source: Source, below: int | None) -> None:
    if below is None:
        connection.execute("DELETE FROM unindexed WHERE source = ?", (source.table,))
    else:
        connection.execute("UPDATE unindexed SET below = ? WHERE source = ?", (below, source.table))


# -- what was found


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


@cache
def _pattern(terms: tuple[Term, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_side_by_side, terms)) or r"(?!)")


def _side_by_side(term: Term) -> str:
    found = ""
    for place, word in enumerate(term.words):
        alone = bool(_ALONE.fullmatch(word) or _picture(word))
        if place:
            found += r"[\W_]*" if alone or _ALONE.fullmatch(term.words[place - 1]) else r"[\W_]+"
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
        return picture if _PICTURE.fullmatch(picture) else None
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
