"""The plan writer: reads a goal, and fills in what `plans.toml` has for its kind and a provider.

Whatever cannot be read in a goal with confidence is left out; the plan then says "the place"
instead of a guess. Reading looks at the first 4,000 characters and quotes at most 80.
"""

from __future__ import annotations

import json
import re
import string
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from random import Random
from typing import Any, Literal

READ = 4_000  # characters
QUOTED = 80  # characters
DATA: dict[str, Any] = tomllib.loads(
    (resources.files(__package__) / "plans.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True, slots=True)
class Role:
    """One step's part in a plan."""

    agent: str
    seconds: float
    tool: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)  # each left out if not filled


@dataclass(frozen=True, slots=True)
class Kind:
    why: str
    caution: str
    query: str
    slots: Mapping[str, str]  # for what the goal leaves open
    steps: Mapping[str, str]  # role -> sentence
    words: str = r"(?!)"  # whole words, as regular expressions
    scripts: str = r"(?!)"  # the same in scripts without spaces between words
    verbs: str = ""  # whose object is the thing itself: "organise", not "ruin"
    agents: Mapping[str, str] = field(default_factory=dict)  # role -> other than usual
    tools: Mapping[str, str] = field(default_factory=dict)
    capitals: Literal["place", "tool", "nothing"] = "place"  # what "in X" names
    bare: bool = False  # "Spanish", not "the Spanish"

    def named(self, text: str) -> Iterable[re.Match[str]]:
        words, signs = ("|".join(each.split()) for each in (self.words, self.scripts))
        return re.finditer(rf"\b(?:{words})\b|{signs}", text, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Style:
    shape: Mapping[str, list[str]]  # roles in order; what each waits for comes before it
    method: str  # the sentence of the reasoning that explains the shape
    given: str  # the sentence about what the goal fixes
    ungiven: str  # the same where it fixes nothing
    confidence: float  # 0..1, for a goal that names one figure
    pace: float  # how long it takes over a step; 1 is middling
    careful: bool = False  # says what could be wrong
    habits: Mapping[str, str] = field(default_factory=dict)  # what it adds to a step


ROLES = {name: Role(**row) for name, row in DATA["roles"].items()}
STYLES = {name: Style(**row) for name, row in DATA["styles"].items()}
_ANY = DATA["kinds"]["general"]
KINDS = {
    name: Kind(**{
        **_ANY, **row,
        "agents": row.get("agents", {}),
        "slots": _ANY["slots"] | row["slots"],
        "steps": _ANY["steps"] | row["steps"],
    })
    for name, row in DATA["kinds"].items()
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Goal:
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


def write_plan(provider: str, text: str, *, seed: int = 0) -> str:
    """A plan for the goal in `text` as JSON text; the same for the same three inputs."""
    return json.dumps(plan_for(provider, text, seed=seed), ensure_ascii=False, indent=2)


def plan_for(provider: str, text: str, *, seed: int = 0) -> dict[str, Any]:
    style, goal = STYLES[provider], read_goal(text)
    done: dict[str, float] = {}  # seconds, if steps wait only for what they need
    for role, needed in style.shape.items():
        start = max((done[each] for each in needed), default=0.0)
        done[role] = start + ROLES[role].seconds * style.pace
    doubt = Random(f"{seed}/{provider}/{goal.text}").uniform(-0.02, 0.02)
    named = len(goal.facts.keys() & {"place", "time", "people", "money", "when", "thing"})
    vague = 0.15 if len(goal.text.split()) < 3 and len(goal.text) < 12 else 0.0
    confidence = style.confidence + min(named, 4) * 0.02 - 0.02 - vague + doubt
    return {
        "reasoning": _reasoning(style, goal),
        "confidence": round(confidence, 2),
        "estimated_duration": round(max(done.values()), 1),
        "steps": _steps(style, goal),
    }


def _reasoning(style: Style, goal: Goal) -> str:
    if not goal.text:
        return f"The goal is empty, so the plan is a general one. {style.method}"
    fixed = goal.facts.get("fixed")
    given = style.given.format(fixed=fixed) if fixed else style.ungiven
    caution = goal.kind.caution if style.careful else ""
    return " ".join(filter(None, (_fill(goal.kind.why, goal), given, style.method, caution)))


def _steps(style: Style, goal: Goal) -> list[dict[str, Any]]:
    roles = list(style.shape)
    steps: list[dict[str, Any]] = [
        {
            "agent_type": goal.kind.agents.get(role, ROLES[role].agent),
            "description": _description(role, style, goal),
            "tool_name": goal.kind.tools.get(role, ROLES[role].tool),
            "parameters": _parameters(ROLES[role], goal),
            "dependencies": [roles.index(needed) for needed in style.shape[role]],
        }
        for role in roles
    ]
    told = " ".join(step["description"] for step in steps).casefold()
    named = (goal.facts.get(name, "") for name in ("thing", "topic", "aim", "place"))
    if goal.text and not any(words and words.casefold() in told for words in named):
        steps[0]["description"] += f" The goal: “{shortened(goal.text)}”."
    return steps


def _description(role: str, style: Style, goal: Goal) -> str:
    fixed = goal.facts.get("fixed") if role == "scope" else None
    parts = (_fill(goal.kind.steps[role], goal), fixed and f"Given: {fixed}.")
    return " ".join(filter(None, (*parts, style.habits.get(role))))


def _fill(template: str, goal: Goal) -> str:
    told = template.format_map(goal.slots)
    return told[0].upper() + told[1:]


def _parameters(role: Role, goal: Goal) -> dict[str, str]:
    """Filled from the goal alone; a query that cannot be is the goal itself."""
    filled = {}
    for name, template in role.parameters.items():
        template = template.replace("{query}", goal.kind.query)
        needed = {slot for _, slot, _, _ in string.Formatter().parse(template) if slot}
        if needed <= goal.facts.keys() | {"where"}:
            filled[name] = template.format_map(goal.slots)
        elif name == "query" and goal.text:
            filled[name] = shortened(goal.text)
    return filled


# Reading a goal


def read_goal(raw: str) -> Goal:
    text = _one_line(raw[:READ])
    sentence = _asking_sentence(text)
    found = _VERB.match(sentence)
    verbs = [verb.lower() for verb in found.groups() if verb] if found else []
    kind = _kind_of(sentence, text, verbs)
    facts = _figures(text, kind)
    wanted = _YOURS.sub(
        lambda word: _AS_YOURS[word[0].lower()], sentence[found.end() :] if found else ""
    )
    if found and not _STRANGE.search(sentence) and len(wanted) <= QUOTED:
        facts["aim"] = f"{' and '.join(verbs)} {wanted}"
        if set(verbs) & {*kind.verbs.split("|"), *_MAKING} and kind is not KINDS["general"]:
            facts |= _objects(wanted, kind)
    return Goal(text, kind, facts)


def shortened(text: str, limit: int = QUOTED) -> str:
    """At most `limit` characters, cut at a word where the script has spaces."""
    text = re.sub("[“„«]", "\u2018", re.sub('[”»"]', "\u2019", text))
    if len(text) <= limit:
        return text.rstrip(" .")
    cut = text[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > limit // 2 else cut).rstrip(" ,;:.-\u2013") + "…"


def _one_line(raw: str) -> str:
    """Without control characters, overrides of the writing direction and lone surrogates."""
    text = " ".join(raw.encode("utf-8", "replace").decode("utf-8").split())
    text = "".join(char for char in text if unicodedata.category(char) != "Cc")
    return re.sub(r"[\u202a-\u202e\u2066-\u2069\ufeff]", "", text)


_MAKING = DATA["making"].split("|")
_VERB = re.compile(rf"({DATA['verbs']})(?:\s(?:and|&)\s({DATA['verbs']}))?\s", re.IGNORECASE)
_LEAD_IN = re.compile(  # what people put before the thing they want
    r"""(?:please|kindly|hi|hello|hey|ok|okay|so|now|just|goal:|task:)[,!]?\s+
      | (?:can|could|would|will)\s+you\s+ | (?:help|assist)\s+(?:me|us)\s+(?:to\s+|with\s+)?
      | (?:i|we)(?:['\u2019]d|\s+would)?\s+(?:like|love|want|need|have|plan|hope|must|should)\s+
        (?:you\s+)?(?:to\s+)?
      | (?:how|what)\s+(?:do|can|could|should|would)\s+(?:i|we|you)\s+(?:best\s+)?
      | how\s+to\s+ | let['\u2019]?s\s+ | (?:my|our|the)\s+goal\s+is\s+(?:to\s+)? | to\s+
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PLAN_FOR = re.compile(
    r"\A(?:(?:create|make|write|draft|give|develop|prepare|build|design|suggest)\s(?:me\s|us\s)?)?"
    r"(?:(?:an?|the|my|our)\s)?(?:[\w-]+\s){0,2}?(?:plan|itinerary|schedule|roadmap|strategy"
    r"|checklist)\s(?:for|to|on|of)\s(?:how\sto\s)?",
    re.IGNORECASE,
)
_YOURS_OF = "i:you me:you we:you us:you my:your our:your mine:yours ours:yours am:are"
_AS_YOURS = dict(pair.split(":") for pair in _YOURS_OF.split())
_YOURS = re.compile(rf"\b(?:{'|'.join(_AS_YOURS)})\b(?!['\u2019])", re.IGNORECASE)
_STRANGE = re.compile(r"[<>{}\[\]|\\`\"“”*_#=;]|://|--")
_TURN = re.compile(
    r"\s(?:for|in|at|with|without|within|under|below|over|by|before|after|until|next|this|from"
    r"|near|around|during|using|on|to|that|which|who|where|when|so|because|including|through"
    r"|across|into|between|as|if|while|per|than|based|about)(?![\w-])|[,:()\u2013\u2014]"
    rf"|\sand\s(?=(?:{DATA['verbs']})\s)",
    re.IGNORECASE,
)


def _asking_sentence(text: str) -> str:
    """The sentence that says what to do, without its polite beginning."""
    said = []
    for part in re.split(r"(?<=[.!?;:])\s+|[\u3002\uff01\uff1f]", text):
        plain = part.strip().rstrip(" .!?")
        while found := _LEAD_IN.match(plain):
            plain = plain[found.end() :]
        said.append(_PLAN_FOR.sub("plan ", plain))
    asking = (plain for plain in said if _VERB.match(plain))
    return next(asking, None) or next((plain for plain in said if len(plain.split()) > 2), text)


def _kind_of(sentence: str, text: str, verbs: list[str]) -> Kind:
    """The kind named first; of words side by side the last, which is the head ("trip budget")."""
    general = KINDS["general"]
    for said in (sentence, text):
        hits = [
            (hit.start(), hit.end(), place, kind)
            for place, kind in enumerate(KINDS.values())
            for hit in kind.named(said)
        ]
        if hits:
            break
    else:
        return general
    start, end, _, kind = min(hits)
    for further, its_end, _, head in sorted(hits):
        if start and said[end:further] in ("", " ", "-") and further >= end:
            end, kind = its_end, head
    # "Sell my app" names an app and yet is no plan for making one.
    meant = {*kind.verbs.split("|"), *_MAKING}.intersection(verbs)
    return kind if meant or not verbs or not start else general


def _objects(wanted: str, kind: Kind) -> dict[str, str]:
    """What the goal's verb acts on, in forms that fit a sentence: topic and thing."""
    topic = f"the question of {wanted}" if _QUESTION.match(wanted) else wanted
    head = _TURN.split(wanted, maxsplit=1)[0].strip()
    if not head or len(head.split()) > 6 or re.match(r"how\b|to\b", head) or topic != wanted:
        return {"topic": topic}
    bare = re.sub(r"(?:an?|one|some)\s", "", head, count=1, flags=re.IGNORECASE)
    named = re.match(r"(?:the|your|all|every|both|this|these)\b", bare, re.IGNORECASE)
    own_name = bare == head and all(word[0].isupper() for word in bare.split())
    return {"topic": topic, "thing": bare if named or kind.bare or own_name else f"the {bare}"}


_QUESTION = re.compile(r"(?:why|how|what|which|who|whom|when|where|whether|if)\b", re.IGNORECASE)


def _one_of(rows: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """What each word means, and a pattern of all of them."""
    meant = {word: name for name, words in rows.items() for word in words.split()}
    return meant, "|".join(sorted(map(re.escape, meant), key=len, reverse=True))


(_NUMBERS, _numbers), (_UNITS, _units), (_CROWDS, _crowds) = map(_one_of, DATA["words"].values())
_DATES = "|".join(DATA["dates"].split())
_NUMBER = rf"(?<![\w.,])(?P<number>\d{{1,9}}(?:[.,]\d{{1,3}}){{0,3}}|{_numbers})"
_AMOUNT = r"\d{1,9}(?:[.,\u202f]\d{1,3}){0,3}(?:\s?(?:k|m|bn|million|billion)\b)?"
_NAME = rf"(?!(?i:{_DATES}|I|AI|IT|HR|PDF|Q[1-4])\b)[A-ZÀ-ÖØ-Þ][\w'\u2019.-]{{0,28}}\w\b"
_NAMES = (
    rf"(?P<name>(?:the\s)?{_NAME}(?:\s(?:(?:and|und|et|y|of|de|da|del|do|la|le)\s)?{_NAME}){{0,4}})"
)
_PLACE = re.compile(
    rf"\b(?P<at>to|in|at|near|around|across|nach|à|en|itinerary for|[Vv]isit)\s{_NAMES}"
)
_TOOL = re.compile(rf"\b(?:in|with|using|on)\s{_NAMES}")
_SMALL_PLACE = re.compile(r"\b(?:trip|travel|holiday|weekend|flight|go)\s(?:to|in)\s([a-z]{4,})\b")
_PACE = re.compile(rf"{_NUMBER}\s(?P<unit>{_units})\s(?:a|an|per|each|every)\s(?P<every>\w+)", re.I)
_TIME = re.compile(rf"{_NUMBER}[-\s](?P<unit>{_units})(?!\w|[-\s]old|\sago)", re.I)
_CROWD = re.compile(rf"{_NUMBER}\s(?P<unit>{_crowds})(?!\w)", re.I)
_FAMILY = re.compile(rf"\bfamily of {_NUMBER}(?!\w)", re.I)
_PARTY = re.compile(
    rf"\b(?:for|für|pour|para)\s{_NUMBER}(?<!\san|.\sa)(?=\s(?:under|within|with|in|on|at|from|next"
    r"|this|and|below|unter|für|por|pour|à|en|mit)\b|[,.;](?!\d)|$)",
    re.I,
)
_MONEY = re.compile(
    rf"[$€£¥₹]\s?{_AMOUNT}|{_AMOUNT}\s?(?:(?:euros?|eur|dollars?|usd|dólares|pounds?|gbp|francs?|chf"
    rf"|yen)(?!\w)|[€$£])|(?<=budget of ){_AMOUNT}",
    re.I,
)
_SHARE = re.compile(r"\b\d{1,3}(?:[.,]\d+)?\s?(?:%|per ?cent\b|prozent\b)", re.I)
_WHEN = re.compile(
    r"\b(?:(?P<by>by|before|until|bis)|in|on|from|during|im|am)\s(?:the\s)?"
    rf"(?P<date>(?:end\sof\s|early\s|late\s|next\s)?(?:{_DATES})(?:\s\d{{1,2}}(?!\d))?(?:,?\s20\d\d)?)\b"
    r"|\b(?P<next>(?:next|this)\s(?:week|weekend|month|quarter|year))\b",
    re.I,
)


def _figures(text: str, kind: Kind) -> dict[str, str]:
    """Place, time, people, money and dates, and lists of them for use in a sentence."""
    paced = _PACE.search(text)
    found = {
        "place": _place(text) if kind.capitals == "place" else "",
        "tool": hit["name"] if kind.capitals == "tool" and (hit := _TOOL.search(text)) else "",
        "pace": f"{_counted(paced, _UNITS)} a {paced['every']}" if paced else "",
        "time": _counted(_TIME.search(_PACE.sub(" ", text)), _UNITS),
        "people": _people(text),
        "money": hit[0] if (hit := _MONEY.search(text)) else "",
        "share": hit[0] if (hit := _SHARE.search(text)) else "",
        "when": _when(_WHEN.search(text)),
    }
    facts = {name: value for name, value in found.items() if value}
    if place := facts.get("place"):
        near = re.search(rf"\b(at|near|around) {re.escape(place)}", text)
        facts["where"] = f" {near[1] if near else 'in'} {place}"
    if limits := [facts[name] for name in ("time", "money") if name in facts]:
        facts["limits"] = " and ".join(limits)
    if fixed := [value for name in found if (value := facts.get(name))]:
        facts["fixed"] = (
            "; ".join(fixed) if any(" and " in each for each in fixed) else listed(fixed)
        )
    return facts


def listed(items: list[str]) -> str:
    """One item, "a and b", "a, b and c"."""
    return " and ".join(part for part in (", ".join(items[:-1]), items[-1]) if part)


def _place(text: str) -> str:
    words = [word for word in re.findall(r"[^\W\d_]+", text[:200]) if len(word) > 3]
    if len(words) > 3 and all(word[0].isupper() for word in words):
        return ""  # capitals say nothing in a title
    if found := _PLACE.search(text):
        return found["name"]
    small = _SMALL_PLACE.search(text)
    return small[1].title() if small else ""


def _number(found: re.Match[str]) -> str:
    return _NUMBERS.get(found["number"].lower(), found["number"])


def _counted(found: re.Match[str] | None, names: Mapping[str, str]) -> str:
    if found is None:
        return ""
    number, name = _number(found), names[found["unit"].lower()]
    many = names is _UNITS and number not in ("1", "one")
    return f"{number} {name}{'s' if many else ''}"


def _people(text: str) -> str:
    if found := _FAMILY.search(text):
        return f"a family of {_number(found)}"
    if crowds := [_counted(found, _CROWDS) for found in _CROWD.finditer(text)][:2]:
        return listed(crowds)
    found = _PARTY.search(text)
    return f"{_number(found)} people" if found else ""


def _when(found: re.Match[str] | None) -> str:
    if found is None:
        return ""
    return f"{found['next'] or found['date']} as the {'deadline' if found['by'] else 'date'}"
