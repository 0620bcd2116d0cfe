"""The plan writer: reads a goal, and fills in what `plans.toml` has for its kind and a provider.

Whatever cannot be read in a goal with confidence is left out; the plan then says "the place"
instead of a guess. Reading looks at the first 4,000 characters and quotes at most 80.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from random import Random
from typing import Any

DATA: dict[str, Any] = tomllib.loads(
    (resources.files(__package__) / "plans.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True, slots=True)
class Kind:
    slots: Mapping[str, str]  # for what the goal leaves open
    why: str
    steps: Mapping[str, str]  # role -> sentence, after "agent | " where it is not the usual one
    words: str = ""  # that a goal is known by
    verbs: str = ""  # whose object is the thing itself: "organise", not "ruin"
    capitals: str = "place"  # or "tool": what "in X" names
    bare: bool = False  # "Spanish", not "the Spanish"


@dataclass(frozen=True, slots=True)
class Style:
    shape: Mapping[str, list[str]]  # roles in order; what each waits for comes before it
    method: str  # the sentence of the reasoning that explains the shape
    given: str  # the sentence about what the goal fixes
    ungiven: str  # the same where it fixes nothing
    habits: Mapping[str, str] = field(default_factory=dict)  # what it adds to a step


_NAMING = {"place", "time", "people", "money", "when", "deadline", "thing"}  # facts to be sure by
_ANY = DATA["kinds"]["general"]
ROLES: dict[str, dict[str, Any]] = DATA["roles"]
STYLES = {name: Style(**row) for name, row in DATA["styles"].items()}
KINDS = {
    name: Kind(**{**row, **{part: _ANY[part] | row[part] for part in ("slots", "steps")}})
    for name, row in DATA["kinds"].items()
}


@dataclass(frozen=True, slots=True)
class Wish:
    """`facts` holds only what the goal says; `slots` has the kind's wording for the rest."""

    text: str  # one line
    kind: Kind
    facts: Mapping[str, str]

    @property
    def slots(self) -> dict[str, str]:
        quoted = f"“{shortened(self.text)}”" if self.text else "the goal"
        doing = "answer" if self.text.endswith("?") and " " in self.text else "deal with"
        aim = f"{doing} {quoted}" if self.text else "reach the goal"
        return {"where": "", "topic": quoted, "aim": aim, **self.kind.slots, **self.facts}

    def fill(self, template: str) -> str:
        told = template.format_map(self.slots)
        return told[0].upper() + told[1:]


def plan_for(provider: str, text: str, *, seed: int = 0) -> dict[str, Any]:
    """A plan for the goal in `text`; the same for the same three inputs."""
    style, goal = STYLES.get(provider) or STYLES["openai"], read_goal(text)
    slowness = DATA["slowness"].get(provider, 1.0)
    done: dict[str, float] = {}  # seconds, if steps wait only for what they need
    for role, needed in style.shape.items():
        takes = ROLES[role]["seconds"] * slowness
        done[role] = max((done[each] for each in needed), default=0.0) + takes
    named = _NAMING.intersection(goal.facts)
    vague = 0.17 if len(goal.text.split()) < 3 and len(goal.text) < 12 else 0.02
    sure = DATA["confidence"].get(provider, 0.7) + min(len(named), 4) * 0.02 - vague
    doubt = Random(f"{seed}/{provider}/{goal.text}").uniform(-0.02, 0.02)
    given = style.given.format_map(goal.facts) if "fixed" in goal.facts else style.ungiven
    why = f"{goal.fill(goal.kind.why)} {given}" if goal.text else "The plan is a general one."
    return {
        "reasoning": f"{why} {style.method}",
        "confidence": round(sure + doubt, 2),
        "estimated_duration": round(max(done.values()), 1),
        "steps": _steps(style, goal),
    }


def _steps(style: Style, goal: Wish) -> list[dict[str, Any]]:
    roles = list(style.shape)
    steps = [
        {**_step(role, style, goal), "dependencies": sorted(map(roles.index, needed))}
        for role, needed in style.shape.items()
    ]
    told = " ".join(step["description"] for step in steps).casefold()
    quoted = f"“{shortened(goal.text)}”"
    named = [goal.facts[name] for name in ("thing", "topic", "aim", "place") if name in goal.facts]
    if goal.text and not any(words.casefold() in told for words in (*named, quoted)):
        steps[0]["description"] += f" The goal: {quoted}."
    return steps


def _step(role: str, style: Style, goal: Wish) -> dict[str, Any]:
    row, facts = ROLES[role], goal.facts
    agent, _, sentence = goal.kind.steps[role].rpartition(" | ")
    given = f"Given: {facts['fixed']}." if role == "scope" and "fixed" in facts else ""
    said = filter(None, (goal.fill(sentence), given, style.habits.get(role)))
    wants = row.get("parameters", {})  # name -> fact, if there is one
    return {
        "agent_type": agent or row["agent"],
        "description": " ".join(said),
        "tool_name": row.get("tool"),
        "parameters": {name: facts[fact] for name, fact in wants.items() if fact in facts},
    }


# Reading a goal


def _named(name: str, kind: Kind) -> str:
    """Whole words, and signs of scripts that put no space between words."""
    signs = [word for word in kind.words.split() if max(word) >= "\u0370"]
    words = [word for word in kind.words.split() if word not in signs]
    return rf"(?P<{name}>\b(?:{'|'.join(words)})\b|{'|'.join(signs)})"


_NAMED = re.compile(
    "|".join(_named(name, kind) for name, kind in KINDS.items() if kind.words), re.IGNORECASE
)

_VERBS, _MAKING = DATA["verbs"], DATA["making"].split("|")
_VERB = re.compile(rf"({_VERBS})(?:\s(?:and|&)\s({_VERBS}))?\s", re.IGNORECASE)
_LEAD_IN = re.compile(rf"\A(?:(?:{DATA['lead_in']})[,!]?\s+)+", re.IGNORECASE)
_PLAN_FOR = re.compile(
    rf"(?i)\A(?:(?:{DATA['making']}|give|suggest) (?:me |us )?)?(?:(?:an?|the|my|our) )?"
    r"(?:[\w-]+ ){0,2}?(?:plan|itinerary|schedule|roadmap|strategy|checklist)"
    r" (?:for|to|on|of) (?:how to )?"
)
_ABOUT = re.compile(r"(?i)(?:\w+ ){0,2}(?:report|overview|summary|essay|article) (?:on|of|about) ")
_QUESTION = re.compile(r"(?:why|how|what|which|who|whom|when|where|whether|if)\b", re.IGNORECASE)
_STRANGE = re.compile(r"[<>{}\[\]|\\`\"“”*_#=;]|://|--")
_TURN = re.compile(rf"(?i) (?:{DATA['turns']})(?![\w-])|[,:()\u2013\u2014]| and (?=(?:{_VERBS}) )")
_AS_YOURS = {"i": "you", "me": "you", "we": "you", "us": "you", "my": "your", "our": "your"}
_YOURS = re.compile(rf"\b(?:{'|'.join(_AS_YOURS)})\b(?!['\u2019])", re.IGNORECASE)

_DATES = DATA["dates"]
_NUMBER = rf"(?<![\w.,])(?:\d{{1,9}}(?:[.,]\d{{1,3}}){{0,3}}|{DATA['numbers']})"
_AMOUNT = r"\d{1,9}(?:[.,\u202f]\d{1,3}){0,3}(?:\s?(?:k|m|bn|million|billion)\b)?"
_CURRENCY = r"(?:euros?|eur|dollars?|usd|dólares|pounds?|gbp|francs?|chf|yen)(?!\w)|[€$£]"
_NAME = rf"(?!(?:{_DATES}|I|AI|IT|HR|PDF|Q[1-4])\b)(?-i:[A-ZÀ-ÖØ-Þ])[\w'\u2019.-]{{0,28}}\w\b"
_NAMES = rf"(?:the\s)?{_NAME}(?:\s(?:(?:and|und|et|y|of|de|da|del|do|la|le)\s)?{_NAME}){{0,4}}"
_UNIT = rf"(?:{DATA['units']})(?!\w|[-\s]old|\sago)"
_DATE = rf"(?:{_DATES})\b(?:\s\d{{1,2}}\b)?(?:,?\s20\d\d\b)?"
_FIGURES = {  # the last group, or the whole, is the figure as the goal says it
    "place": rf"\b(?:to|in|at|near|around|across|nach|à|en|itinerary for|visit)\s({_NAMES})"
    r"|\b(?:trip|travel|holiday|flight|weekend)\s(?:to|in)\s([a-z]{4,})\b",
    "tool": rf"\b(?:in|with|using|on)\s({_NAMES})",
    "pace": rf"{_NUMBER}\s{_UNIT}\s(?:a|an|per|each|every|pro)\s\w+",
    "time": rf"{_NUMBER}[-\s]{_UNIT}(?!\s(?:a|an|per|each|every|pro)\s)",
    "people": rf"(?:a family of {_NUMBER}|{_NUMBER}\s(?:{DATA['crowds']}))(?!\w)",
    "party": r"\bfor\s(two|three|four|five|six|[2-9])(?=\s(?:under|within|with|in|on|at|from|next"
    r"|this|and|below)\b|[,.;](?!\d)|$)",
    "money": rf"[$€£¥₹]\s?{_AMOUNT}|{_AMOUNT}\s?(?:{_CURRENCY})|(?<=budget of ){_AMOUNT}",
    "share": r"\b\d{1,3}(?:[.,]\d+)?\s?(?:%|per ?cent\b|prozent\b)",
    "deadline": rf"\b(?:by|before|until|bis)\s((?:end\sof\s)?{_DATE})",
    "when": rf"\b(?:in|on|from|during|im|am)\s((?:early\s|late\s)?{_DATE})"
    r"|\b(?:next|this)\s(?:week|weekend|month|quarter|year)\b",
}
_TOLD = {"party": "{} people", "deadline": "{} as the deadline", "when": "{} as the date"}
_READS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _FIGURES.items()}


@lru_cache(maxsize=16)  # each provider that is asked reads the same
def read_goal(raw: str) -> Wish:
    told = " ".join(raw[:4_000].split())  # then without controls and lone surrogates
    text = "".join(char for char in told if char.isprintable() or char in "\u200c\u200d")
    sentence = _asking_sentence(text)
    found = _VERB.match(sentence)
    verbs = [verb.lower() for verb in found.groups() if verb] if found else []
    kind = _kind_of(sentence, text, verbs)
    facts = _figures(text, kind) | ({"query": shortened(text)} if text else {})
    rest = sentence[found.end() :] if found else ""
    wanted = _YOURS.sub(lambda word: _AS_YOURS[word[0].lower()], rest)
    if found and not _STRANGE.search(sentence) and len(wanted) <= 80:
        facts["aim"] = f"{' and '.join(verbs)} {wanted}"
        if {*kind.verbs.split("|"), *_MAKING}.intersection(verbs) and kind.words:
            facts |= _objects(wanted, kind)
    return Wish(text, kind, facts)


def shortened(text: str, limit: int = 80) -> str:
    """At most `limit` characters, cut at a word where the script has spaces."""
    text = re.sub("[“„«]", "\u2018", re.sub('[”»"]', "\u2019", text))
    if len(text) <= limit:
        return text.rstrip(" .")
    cut = text[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > limit // 2 else cut).rstrip(" ,;:.-\u2013") + "…"


def _asking_sentence(text: str) -> str:
    """The sentence that says what to do, without its polite beginning."""
    said = []
    for part in re.split(r"(?<=[.!?;:])\s+|[\u3002\uff01\uff1f]", text):
        plain = _LEAD_IN.sub("", part.strip().rstrip(" .!?"), count=1)
        said.append(_PLAN_FOR.sub("plan ", plain))
    asking = (plain for plain in said if _VERB.match(plain))
    return next(asking, None) or next((plain for plain in said if len(plain.split()) > 2), text)


def _kind_of(sentence: str, text: str, verbs: list[str]) -> Kind:
    """The kind named first; of words side by side the last, which is the head ("trip budget")."""
    hits = list(_NAMED.finditer(sentence)) or list(_NAMED.finditer(text))
    if not hits:
        return KINDS["general"]
    head, *others = hits
    for other in others if head.start() else ():
        if other.start() == head.end() + 1:
            head = other
    kind = KINDS[head.lastgroup or "general"]
    # "Sell my app" names an app and yet is no plan for making one.
    meant = {*kind.verbs.split("|"), *_MAKING}.intersection(verbs)
    return kind if meant or not verbs or not hits[0].start() else KINDS["general"]


def _objects(wanted: str, kind: Kind) -> dict[str, str]:
    """What the goal's verb acts on, in forms that fit a sentence: topic and thing."""
    matter = _ABOUT.sub("", wanted, count=1)
    if _QUESTION.match(matter):
        return {"query": matter, "topic": f"the question of {matter}"}
    topic = {"query": matter, "topic": matter}
    head = _TURN.split(wanted, maxsplit=1)[0].strip()
    bare = re.sub(r"\A(?:an?|one|some)\s", "", head, flags=re.IGNORECASE)
    if not bare or len(bare.split()) > 6 or bare.startswith("to "):
        return topic
    named = re.match(r"(?:the|your|all|every|both|this|these)\b", bare, re.IGNORECASE)
    own_name = bare == head and all(bare.split()[end][0].isupper() for end in (0, -1))
    return {**topic, "thing": bare if named or kind.bare or own_name else f"the {bare}"}


def _figures(text: str, kind: Kind) -> dict[str, str]:
    """Place, time, people, money and dates, and lists of them for use in a sentence."""
    words = [word for word in text[:200].split() if len(word) > 3]
    titled = len(words) > 3 and not any(word[0].islower() for word in words)
    unread = {"place", "tool"} - {"" if titled else kind.capitals}
    told = {
        name: _TOLD.get(name, "{}").format(hit[hit.lastindex or 0])
        for name, read in _READS.items()
        if name not in unread and (hit := read.search(text))
    }
    if "time" in told:
        told["time"] = re.sub(r"\A(?!1-|one-)(\w+)-(\w+?)s?\Z", r"\1 \2s", told["time"])
    if told.get("place", "").islower():
        told["place"] = told["place"].title()
    facts = {"people": told["party"], **told} if "party" in told else dict(told)
    if place := told.get("place"):
        near = re.search(rf"\b(at|near|around) {re.escape(place)}", text)
        facts["where"] = f" {near[1] if near else 'in'} {place}"
    if limits := [told[name] for name in ("time", "money") if name in told]:
        facts["limits"] = " and ".join(limits)
    if told:
        *before, last = told.values()
        facts["fixed"] = f"{', '.join(before)} and {last}" if before else last
    return facts
