"""What only stands for a key, and what in a text looks like one."""

from __future__ import annotations

import re

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
