"""Placeholders that are no API keys, and the detector of API keys in texts."""

from __future__ import annotations

import re
from typing import Literal

from core.values.errors import KeyFound
from core.values.redaction import SHOWN

Keys = Literal["refuse", "remove", "keep"]  # what becomes of what looks like a key

# The words with which people say that a key belongs here. No vendor's key has words alone, and
# what local servers are given instead of one ("unused", "none", "no-key") says no such thing.
_SAID_OF_A_KEY = frozenset(
    """
    a access actual add ai aiza ant anthropic api api03 apikey azure bearer bitnet change
    changeme claude deepseek enter fill from gemini goes google gpt here in insert key
    keygoeshere keyhere kimi llm me model moonshot my mykey nvapi nvidia of openai own paste
    placeholder proj project provider put real replace replaceme replacethis secret sk
    svcacct tbd the this to todo token value with your yourapikey yourapikeyhere yourkey
    yourkeyhere yours yourtoken
    """.split()  # noqa: SIM905 - a list of seventy strings would take seventy lines
)
_TELLING = re.compile("key|token|your|change|replace|placeholder|here|todo|tbd|insert|paste|xxx")
_FILLED_IN_LATER = re.compile(
    r"<.*>|\[.*\]|\{.*\}|\$\{?\w+\}?|%\w+%|.*(?:\.\.\.|…)"  # <your key>, ${KEY}, sk-...
    r"|(?:[^\W_]{0,6}[-_])*[x*•._#-]{3,}|aizax{3,}",  # xxx, sk-xxxxxxxx, ********
    re.IGNORECASE,
)
_LONGEST = 200  # characters of a placeholder


def is_placeholder(text: str) -> bool:
    """Whether `text` only says that a key belongs here."""
    text = re.sub(r"\Abearer\s+", "", text.strip(" \t\"'"), flags=re.IGNORECASE).lower()
    if len(text) > _LONGEST:
        return False
    if _FILLED_IN_LATER.fullmatch(text):
        return True
    words = re.findall(r"[^\W_]+", text)
    said = all(word in _SAID_OF_A_KEY or re.fullmatch("x{3,}", word) for word in words)
    return said and text.isascii() and bool(_TELLING.search(text))


# Beginnings that vendors chose so that a key is known for one, and what has to come after. Each
# look ahead is bounded: a long text costs no more than its length.
_KEY = re.compile(
    r"""
    -----BEGIN\ [A-Z0-9\ ]{0,40}PRIVATE\ KEY[A-Z\ ]{0,10}-----
        [\s\S]*?(?:-----END\ [A-Z0-9\ ]{0,40}PRIVATE\ KEY[A-Z\ ]{0,10}-----|\Z)
    | (?<![\w-])(?:
        sk-(?:ant|proj|svcacct|admin|or-v1)-[\w-]{8,}
      | sk-(?=(?:[\w-]{0,200}[-_])?
            (?:(?=[A-Za-z]{0,200}\d)(?=\d{0,200}[A-Za-z])[A-Za-z0-9]{8}|[A-Za-z0-9]{16}))[\w-]{12,}
      | (?:sk|rk)_(?:live|test)_\w{10,}
      | AIza[\w-]{16,} | GOCSPX-[\w-]{16,} | ya29\.[\w-]{20,}
      | nvapi-[\w-]{16,} | xai-\w{20,} | pplx-\w{20,} | gsk_\w{20,} | hf_[A-Za-z0-9]{20,}
      | r8_\w{20,} | npm_\w{20,} | pypi-[\w-]{20,} | glpat-[\w-]{16,}
      | gh[opusr]_[A-Za-z0-9]{16,} | github_pat_\w{20,} | xox[abeprs]-[\w-]{10,}
      | shp(?:at|ss)_[a-f0-9]{20,} | dop_v1_[a-f0-9]{20,} | SG\.[\w-]{16,}\.[\w-]{16,}
      | (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?!\w)
      | eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}
    )
    | (?P<before>(?i:bearer\s{1,3}
        |(?:api|secret|access|secret[\ _-]?access|client|auth)[\ _-]?(?:key|token|secret)
         ["']?\s{0,3}[:=]\s{0,3}["']?))
      (?=[^\s"']{0,200}\d)(?=[^\s"']{0,200}[A-Za-z])
      (?=[\w+/=.~-]{0,200}[A-Za-z0-9/+]{16})[\w+/=.~-]{20,}
    """,
    re.VERBOSE,
)


def keys_in(text: str) -> frozenset[str]:
    """What looks like a key, of whichever vendor; no word does, no placeholder, and no digest."""
    return frozenset(match[0] for match in _KEY.finditer(text) if not is_placeholder(match[0]))


def without_keys(text: str) -> str:
    """`text` with "[key]" for each."""

    def hidden(match: re.Match[str]) -> str:
        known = is_placeholder(match[0])
        return match[0] if known else f"{match['before'] or ''}{SHOWN}"

    return _KEY.sub(hidden, text)


def checked(text: str, name: str, keys: Keys) -> str:
    """`text` as it may be sent and kept. `name` is what people call it.

    Raises:
        KeyFound: it holds what looks like a key, and `keys` are to be refused.
    """
    if keys == "keep" or not keys_in(text):
        return text
    if keys == "refuse":
        raise KeyFound(
            f"The {name} holds something that looks like a key, so it was neither sent nor kept. "
            "Take the key out, or write [key] in its place."
        )
    return without_keys(text)
