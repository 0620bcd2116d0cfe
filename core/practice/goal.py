"""Reading a goal: what kind it is, and the facts in it that a plan can name.

Whatever cannot be read with confidence is left out; the plan then says "the venue" instead of
a guess. No input is too long, too short or too strange: reading looks at the first 4,000
characters and quotes at most 80.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from core.practice.kinds import GENERAL, KINDS, MAKING, Kind

READ = 4_000  # characters
QUOTED = 80  # characters


@dataclass(frozen=True, slots=True)
class Goal:
    """`facts` holds only what the goal says; `slots` has the kind's wording for the rest."""

    text: str  # one line
    kind: Kind
    facts: Mapping[str, str]

    @property
    def slots(self) -> dict[str, str]:
        """Every slot that a sentence can have."""
        quoted = self.facts["goal"]
        doing = "answer" if self.text.endswith("?") and " " in self.text else "deal with"
        aim = f"{doing} {quoted}" if self.text else "reach the goal"
        return {**_WORDING, "topic": quoted, "aim": aim, **self.kind.wording, **self.facts}


def read_goal(raw: str) -> Goal:
    text = _one_line(raw[:READ])
    quoted = f"“{shortened(text)}”" if text else "the goal"
    wish = _wish(text)
    kind = _kind_of(wish, text)
    facts = {"goal": quoted, **_figures(text, kind), **_phrases(wish, kind)}
    return Goal(text, kind, facts)


def shortened(text: str, limit: int = QUOTED) -> str:
    """At most `limit` characters, cut at a word where the script has spaces."""
    text = text.translate(_INNER_QUOTES)
    if len(text) <= limit:
        return text.rstrip(" .")
    cut = text[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > limit // 2 else cut).rstrip(" ,;:.-\u2013") + "…"


_WORDING = {
    "place": "the place",
    "in_place": "there",
    "to_place": "there",
    "where": "",
    "time": "the time available",
    "money": "the budget",
    "people": "everyone",
    "limits": "what is available",
}
_OPEN, _CLOSE = "\u2018", "\u2019"  # single quotation marks
_INNER_QUOTES = str.maketrans(
    {"“": _OPEN, "„": _OPEN, "«": _OPEN, "”": _CLOSE, "»": _CLOSE, '"': _CLOSE}
)


def _one_line(raw: str) -> str:
    """Without control characters, overrides of the writing direction and lone surrogates."""
    text = raw.encode("utf-8", "replace").decode("utf-8")
    kept = (
        " " if char.isspace() else char
        for char in text
        if char.isspace() or unicodedata.category(char) != "Cc"
    )
    return " ".join(re.sub(r"[\u202a-\u202e\u2066-\u2069\ufeff]", "", "".join(kept)).split())


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is to be done, taken apart: "Please plan and book a trip"."""

    sentence: str  # "plan and book a trip"
    verbs: tuple[str, ...]  # "plan", "book"
    wanted: str  # "a trip"
    planned: bool  # "a plan for ..." stood before it


def _wish(text: str) -> _Wish:
    sentence = _asking_sentence(text)
    planned = _PLAN_FOR.match(sentence)
    rest = sentence[planned.end() :] if planned else sentence
    found = _VERB.match(rest)
    said = (found["verb"], found["second"]) if found else ()
    verbs = tuple(_BASE_OF[verb.lower()] for verb in said if verb)
    wanted = _to_you(_FOR_ME.sub("", rest[found.end() :] if found else rest))
    return _Wish(sentence, verbs, wanted, planned is not None)


def _asking_sentence(text: str) -> str:
    """The sentence that says what to do, without its polite beginning."""
    parts = re.split(r"(?<=[.!?;:])\s+|[\u3002\uff01\uff1f]", text)
    said = [plain for part in parts if (plain := _plainly(part.strip().rstrip(" .!?")))]
    asking = (part for part in said if _VERB.match(part) or _PLAN_FOR.match(part))
    return next(asking, None) or next((part for part in said if len(part.split()) > 2), text)


# What people put before the thing they want.
_LEAD_IN = re.compile(
    r"""(?:please|kindly|hi|hello|hey|ok|okay|so|now|just|goal:|task:|also)[,!]?\s+
      | (?:can|could|would|will)\s+you\s+
      | (?:help|assist)\s+(?:me|us)\s+(?:to\s+|with\s+|in\s+)?
      | (?:i|we)(?:['\u2019]d|\s+would)\s+(?:like|love)\s+(?:you\s+)?(?:to\s+)?
      | (?:i|we)(?:['\u2019]m|['\u2019]re|\s+am|\s+are)?\s+
        (?:want|need|have|plan|hope|wish|intend|going|looking|trying)\s+
        (?:you\s+)?(?:to\s+|(?=an?\s))
      | (?:i|we)\s+(?:must|should|will)\s+
      | (?:how|what)\s+(?:do|can|could|should|would|might)\s+(?:i|we|you|one)\s+(?:best\s+)?
      | how\s+to\s+(?:best\s+)?
      | let['\u2019]?s\s+
      | (?:my|our|the)\s+goal\s+is\s+(?:to\s+)?
      | to\s+
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PLAN_FOR = re.compile(
    r"""(?:(?:create|make|write|draft|give|develop|prepare|draw\s+up|build|design|produce|outline
            |come\s+up\s+with|show|suggest|propose|put\s+together)\s+(?:(?:me|us)\s+)?)?
        (?:(?:an?|the|my|our)\s+)?(?:[\w-]+\s+){0,3}?
        (?:plan|itinerary|schedule|roadmap|strategy|checklist)\s+(?:for|to|on|of|about)\s+
        (?:how\s+to\s+)?
    """,
    re.IGNORECASE | re.VERBOSE,
)


def _plainly(sentence: str) -> str:
    if sentence.isupper() and len(sentence.split()) > 2:
        sentence = sentence.lower()
    while found := _LEAD_IN.match(sentence):
        sentence = sentence[found.end() :]
    return sentence


def _kind_of(wish: _Wish, text: str) -> Kind:
    kind = _earliest_kind(wish.sentence) or _earliest_kind(text) or GENERAL
    # "Sell my app" names an app and yet is no plan for making one.
    meant = {*kind.verbs, *MAKING}.intersection(wish.verbs) or kind.named.match(wish.sentence)
    if wish.verbs and not meant:
        return GENERAL
    return kind


def _earliest_kind(text: str) -> Kind | None:
    """The kind named first; of words side by side the last, which is the head ("trip budget")."""
    found = sorted(
        ((hit.start(), hit.end(), index) for index, kind in enumerate(KINDS.values())
         for hit in kind.named.finditer(text)),
    )  # fmt: skip
    if not found:
        return None
    start, end, chosen = found[0]
    if start:  # at the very start it is a verb: "research trips"
        for next_start, next_end, index in found[1:]:
            if text[end:next_start] not in ("", " ", "-"):
                break
            end, chosen = next_end, index
    return list(KINDS.values())[chosen]


def _same(words: str) -> dict[str, str]:
    return {word: word for word in words.split()}


_NUMBERS = {
    **_same(
        "one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty "
        "forty fifty sixty ninety"
    ),
    "a": "one", "an": "one", "ein": "one", "eine": "one", "einen": "one", "une": "one",
    "zwei": "two", "drei": "three", "vier": "four", "fünf": "five", "sechs": "six",
    "sieben": "seven", "acht": "eight", "zehn": "ten",
    "deux": "two", "trois": "three", "quatre": "four", "cinq": "five", "sept": "seven",
    "huit": "eight", "dix": "ten",
    "dos": "two", "tres": "three", "cuatro": "four", "cinco": "five", "seis": "six",
    "siete": "seven", "ocho": "eight", "diez": "ten",
}  # fmt: skip
_UNITS = {
    "minute": "minute minutes minuten minutos",
    "hour": "hour hours stunde stunden heure heures hora horas",
    "day": "day days tag tage tagen jour jours día días dia dias",
    "night": "night nights nacht nächte nuit nuits noche noches",
    "week": "week weeks woche wochen semaine semaines semana semanas",
    "month": "month months monat monate monaten mois mes meses",
    "year": "year years jahr jahre jahren année années an ans año años",
}
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words.split()}
_CROWDS = {
    "people": "people persons personen leute personnes personas",
    "guests": "guests gäste gästen invités invitados",
    **_same(
        "adults children kids friends colleagues employees participants attendees students "
        "visitors players users customers patients members residents"
    ),
}
_CROWD_OF = {word: crowd for crowd, words in _CROWDS.items() for word in words.split()}


def _any_of(words: Mapping[str, str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_NUMBER = rf"(?<![\w.,])(?P<number>\d{{1,9}}(?:[.,]\d{{1,3}}){{0,3}}|{_any_of(_NUMBERS)})"
_TIME = re.compile(
    rf"{_NUMBER}[-\s](?P<unit>{_any_of(_UNIT_OF)})(?!\w|[-\s]old|\sago)", re.IGNORECASE
)
_PACE = re.compile(
    rf"{_NUMBER}\s(?P<unit>minutes?|hours?|days?|evenings?)\s(?:a|an|per|each|every)\s"
    r"(?P<every>day|week|month|evening|morning)\b",
    re.IGNORECASE,
)
_CROWD = re.compile(rf"{_NUMBER}\s(?P<crowd>{_any_of(_CROWD_OF)})(?!\w)", re.IGNORECASE)
_FAMILY = re.compile(rf"\bfamily of {_NUMBER}(?!\w)", re.IGNORECASE)
_PARTY = re.compile(
    r"\b(?:for|für|pour|para)\s(?P<number>two|three|four|five|six|zwei|drei|vier|deux|trois|dos"
    r"|tres|[2-9])(?=\s(?:under|within|with|in|on|at|from|next|this|and|below|unter|für|por|pour"
    r"|à|en|mit)\b|[,.;]|$)",
    re.IGNORECASE,
)
_AMOUNT = r"\d{1,9}(?:[.,\u202f]\d{1,3}){0,3}(?:\s?(?:k|m|bn|million|billion)\b)?"
_CURRENCY = (
    r"(?:euros?|eur|dollars?|usd|dólares|pounds?|gbp|swiss francs|francs?|chf|yen|rupees|pesos"
    r"|€|\$|£)"
)
_MONEY = re.compile(
    rf"[$€£¥₹]\s?{_AMOUNT}|{_AMOUNT}\s?{_CURRENCY}(?!\w)|(?<=budget of ){_AMOUNT}", re.IGNORECASE
)
_WHEN = re.compile(
    r"""\b(?:(?P<by>by|before|until)|in|on|from|during|around|next|this)\s
        (?:the\s)?(?P<late>end\sof\s|early\s|late\s|mid-?\s?|next\s|this\s)?
        (?:january|february|march|april|may|june|july|august|september|october|november|december
          |monday|tuesday|wednesday|thursday|friday|saturday|sunday
          |spring|summer|autumn|winter|christmas|easter|q[1-4]|tomorrow
          |(?<=next\s)(?:week|weekend|month|quarter|year)
          |(?<=this\s)(?:week|weekend|month|quarter|year))
        (?:\s\d{1,2}(?!\d))?(?:,?\s20\d\d)?\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_NO_PLACE = (
    r"(?!(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|Christmas|Easter|Spring|Summer"
    r"|Autumn|Winter|English|Spanish|French|German|Italian|Chinese|Japanese|Arabic|Portuguese"
    r"|Python|Java|JavaScript|TypeScript|Rust|Go|Excel|Q[1-4]|I|AI|IT|HR|PDF|JSON)\b)"
)
_CAPITALISED = r"[A-ZÀ-ÖØ-Þ][\w'\u2019.-]{0,28}\w\b"
_PLACE = re.compile(
    r"\b(?P<preposition>to|in|at|near|around|across|nach|à|en|itinerary for|[Vv]isit)\s"
    rf"(?P<place>(?:the\s)?{_NO_PLACE}{_CAPITALISED}"
    rf"(?:\s(?:(?:and|und|et|y|of|de|da|del|do|la|le)\s)?{_NO_PLACE}{_CAPITALISED}){{0,4}})"
)
_LOWER_PLACE = re.compile(
    r"\b(?:trip|travel|holiday|vacation|weekend|flight|journey|go|going|honeymoon|visit)\s"
    r"(?:to|in)\s(?P<place>(?:the\s)?[a-z]+(?:\s[a-z]+)?)(?=\s(?:for|with|under|in|on|next|this|by"
    r"|from|and|within|below|before)\b|[,.;]|$)",
    re.IGNORECASE,
)
_TOOLKIT = re.compile(
    rf"\b(?:in|with|using|on)\s(?P<tool>{_CAPITALISED}(?:\s{_CAPITALISED}){{0,2}})"
)


def _figures(text: str, kind: Kind) -> dict[str, str]:
    """Place, time, people, money and dates, and two lists of them for use in a sentence."""
    found = {
        "place": _place(text, kind),
        "tool": _toolkit(text, kind),
        "pace": _pace(text),
        "time": _time(_PACE.sub(" ", text)),
        "people": _people(text),
        "money": _money(text),
        "share": _share(text),
        "when": _when(text),
    }
    facts = {name: value for name, value in found.items() if value}
    if place := facts.get("place"):
        near = re.search(rf"\b(at|near|around) {re.escape(place)}", text)
        facts["in_place"] = f"{near[1] if near else 'in'} {place}"
        facts["to_place"] = f"to {place}"
        facts["where"] = f" {facts['in_place']}"
    if limits := [facts[name] for name in ("time", "money") if name in facts]:
        facts["limits"] = " and ".join(limits)
    if fixed := [value for name in found if (value := facts.get(name))]:
        nested = any(" and " in each for each in fixed)
        facts["fixed"] = "; ".join(fixed) if nested else listed(fixed)
    return facts


def listed(items: list[str]) -> str:
    """One item, "a and b", "a, b and c"."""
    return " and ".join(part for part in (", ".join(items[:-1]), items[-1]) if part)


def _place(text: str, kind: Kind) -> str:
    words = [word for word in re.findall(r"[^\W\d_]+", text[:200]) if len(word) > 3]
    if kind.capitals != "place" or (len(words) > 3 and all(word[0].isupper() for word in words)):
        found = None  # capitals say nothing in a title
    else:
        found = _PLACE.search(text)
    if found:
        return found["place"]
    lower = _LOWER_PLACE.search(text) if kind.capitals == "place" else None
    if lower is None or lower["place"].lower() in _NOT_PLACES:
        return ""
    place = lower["place"].lower()
    return place if place.startswith("the ") else place.title()


_NOT_PLACES = _same("see visit explore meet relax ski hike work a my our be it")


def _toolkit(text: str, kind: Kind) -> str:
    found = _TOOLKIT.search(text) if kind.capitals == "tool" else None
    return found["tool"] if found else ""


def _number(found: re.Match[str]) -> str:
    return _NUMBERS.get(found["number"].lower(), found["number"])


def _pace(text: str) -> str:
    found = _PACE.search(text)
    return f"{_number(found)} {found['unit'].lower()} a {found['every'].lower()}" if found else ""


def _time(text: str) -> str:
    found = _TIME.search(text)
    if found is None:
        return "a weekend" if re.search(r"\ba (?:long )?weekend\b", text, re.IGNORECASE) else ""
    number, unit = _number(found), _UNIT_OF[found["unit"].lower()]
    return f"{number} {unit}" if number in ("1", "one") else f"{number} {unit}s"


def _people(text: str) -> str:
    if found := _FAMILY.search(text):
        return f"a family of {_number(found)}"
    if crowds := list(_CROWD.finditer(text))[:2]:
        return listed([f"{_number(found)} {_CROWD_OF[found['crowd'].lower()]}" for found in crowds])
    found = _PARTY.search(text)
    return f"{_number(found)} people" if found else ""


def _money(text: str) -> str:
    found = _MONEY.search(text)
    if found is None:
        return ""
    return re.sub(r"\beuros?$|\beur$", "euros", found[0].strip(), flags=re.IGNORECASE)


def _share(text: str) -> str:
    found = re.search(r"\b\d{1,3}(?:[.,]\d+)?\s?(?:%|per ?cent\b)", text)
    return found[0] if found else ""


def _when(text: str) -> str:
    found = _WHEN.search(text)
    if found is None:
        return ""
    said = found[0]
    for word in ("in", "on", "from", "during", "around"):
        said = said.removeprefix(f"{word} ")
    said = re.sub(rf"\b({_MONTHS_AND_DAYS})\b", lambda hit: hit[0].capitalize(), said)
    said = said[len(found["by"] or "") :].strip()
    return f"{said} as the {'deadline' if found['by'] else 'date'}"


_MONTHS_AND_DAYS = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
    "|monday|tuesday|wednesday|thursday|friday|saturday|sunday|christmas|easter"
)

_VERBS = re.split(
    r"[|\n]\s*",
    """get better at|get ready for|find out about|find out|look for|look into|prepare for|set up
    search for|study for|train for|work out|write about|come up with|figure out|get rid of|get
    plan|organise|organize|arrange|host|throw|prepare|celebrate|hold|run|book|visit|explore
    research|compare|analyse|analyze|investigate|evaluate|examine|assess|review|summarise|summarize
    understand|explain|find|choose|pick|select|check|test|solve|discover|identify
    build|create|develop|design|implement|code|program|prototype|make|write|draft|produce|fix
    debug|migrate|refactor|automate|deploy|install|update|upgrade|replace|integrate|connect
    learn|study|master|practise|practice|pass|revise|teach|improve|train|memorise|memorize
    hire|recruit|employ|fill|onboard|interview|save|reduce|cut|lower|manage|balance|track|split
    launch|start|open|promote|market|sell|grow|publish|release|increase|raise|win|move|renovate
    clean|paint|repair|buy|rent|clear|declutter|lose|stop|quit|change|adopt|translate|convert
    cook|bake|read|finish|complete|record|share|introduce|found|join|apply for|collect|sort
    decide""",
)


def _gerund(verb: str) -> str:
    head, _, rest = verb.partition(" ")
    if head.endswith("e") and not head.endswith("ee"):
        head = head[:-1]
    elif re.fullmatch(r"[^aeiou]*[aeiou][bdgmnpt]", head):
        head += head[-1]
    return f"{head}ing {rest}".strip()


_BASE_OF = {form: verb for verb in _VERBS for form in (verb, _gerund(verb))}
_VERB = re.compile(
    rf"(?P<verb>{_any_of(_BASE_OF)})(?:\s(?:and|&)\s(?P<second>{_any_of(_BASE_OF)}))?\s",
    re.IGNORECASE,
)
_ALSO_NOUNS = _same(
    "plan host book visit research review check test code program design study practice train cut "
    "balance track split start market release raise change record share paint cook rent lower "
    "set run fix draft find fill move pick prototype update upgrade"
)
_AND_DO = re.compile(
    rf"\s(?:and|&)\s(?:then\s)?(?:{_any_of({v: v for v in _VERBS if v not in _ALSO_NOUNS})})\s",
    re.IGNORECASE,
)
_AS_YOURS = {"i": "you", "me": "you", "we": "you", "us": "you", "my": "your", "our": "your",
             "mine": "yours", "ours": "yours", "am": "are", "myself": "yourself",
             "ourselves": "yourselves", "i'm": "you're", "we're": "you're"}  # fmt: skip
_YOURS = re.compile(rf"\b(?:{_any_of(_AS_YOURS)})\b(?!['\u2019])", re.IGNORECASE)
_FOR_ME = re.compile(r"(?:me|us)\s(?=(?:an?|the|some|my|our)\s)", re.IGNORECASE)
_STRANGE = re.compile(r"[<>{}\[\]|\\`\"“”*_#=;]|://|--")
_QUESTION = re.compile(r"(?:why|how|what|which|who|whom|when|where|whether|if)\b", re.IGNORECASE)
_ABOUT = re.compile(
    r"(?:an?\s|the\s)?(?:[a-z]+\s)?(?:report|overview|summary|analysis|paper|essay|article|study"
    r"|comparison|review)\s(?:on|of|about|into)\s",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"\s(?:for|in|at|with|without|within|under|below|over|by|before|after|until|next|this|from"
    r"|near|around|during|using|on|to|that|which|who|whose|where|when|so|because|starting|costing"
    r"|including|through|across|into|between|as|if|while|since|via|per|than|based|about)(?![\w-])"
    r"|[,:()\u2013\u2014]",
    re.IGNORECASE,
)


def _phrases(wish: _Wish, kind: Kind) -> dict[str, str]:
    """The goal's own words in forms that fit a sentence: aim, topic, thing and item."""
    known = wish.verbs or wish.planned
    if not known or _STRANGE.search(wish.sentence) or len(wish.wanted) > QUOTED:
        return {}
    phrases: dict[str, str] = {}
    if wish.verbs:
        phrases["aim"] = f"{' and '.join(wish.verbs)} {wish.wanted}"
    if not wish.verbs or kind.verbs & set(wish.verbs):
        phrases |= _objects(wish.wanted, kind, acted_on=bool(wish.verbs))
    return phrases


def _to_you(text: str) -> str:
    return _YOURS.sub(lambda word: _AS_YOURS[word[0].lower()], text).strip(" .,:;!?")


def _objects(wanted: str, kind: Kind, *, acted_on: bool) -> dict[str, str]:
    topic = _ABOUT.sub("", wanted, count=1) if _ABOUT.match(wanted) else wanted
    topic = _AND_DO.split(topic, maxsplit=1)[0]
    asked = _QUESTION.match(topic)
    phrases = {"matter": topic, "topic": f"the question of {topic}" if asked else topic}
    doing = re.match(r"(?:how\s)?to\s(\w+)", wanted)
    head = f"{_gerund(doing[1])}{wanted[doing.end() :]}" if doing else wanted
    head = _AND_DO.split(_TURN.split(head, maxsplit=1)[0], maxsplit=1)[0].strip()
    if not head or len(head.split()) > 6 or _QUESTION.match(head):
        return phrases
    article = re.match(r"(?:an?|one|some)\s", head, re.IGNORECASE)
    bare = head[article.end() :] if article else head
    named = re.match(r"(?:the|your|their|his|her|all|every|both|this|these)\b", bare, re.IGNORECASE)
    own_name = all(word[0].isupper() for word in bare.split())
    if not (article or named or kind.bare or acted_on):
        return phrases
    return phrases | {
        "thing": bare if named or (not article and (kind.bare or own_name)) else f"the {bare}",
        "item": head if article or named or _is_many(head) else f"{_article(head)} {head}",
    }


def _is_many(head: str) -> bool:
    first, last = head.split()[0].lower(), head.split()[-1].lower()
    counted = first[0].isdigit() or first in _NUMBERS
    return counted or (last.endswith("s") and not last.endswith("ss"))


def _article(head: str) -> str:
    return "an" if head[0].lower() in "aeiou" else "a"
