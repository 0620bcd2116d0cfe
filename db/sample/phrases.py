"""Made-up goals and answers: common words and rare ones, in several scripts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Any

_RARE = ("quokka", "zeppelin", "theremin", "axolotl", "sgraffito", "ytterbium")  # 1 in 50,000 each

_RARELY = 1 / 50_000
_STORE = 5000  # phrases of a kind
_GOALS = (
    "Plan a {adjective} {event} in {place} for {number} people",
    "Compare {number} offers for {thing} and name the better one",
    "Prepare the {event} of our {team} team before {month}",
    "Write a {adjective} summary of the {thing} report for {place}",
    "Find out why the {thing} of {place} costs {number} % more since {month}",
    "Move {number} customers to the new {thing} without losing an order",
    "Organise a {event} about {thing} with a budget of {number} euros",
    "Draw up a {adjective} timetable for the {team} team until {month}",
    "Check the {thing} contract with {place} for risks",
    "Plan how {team} and {other} work together on {thing}",
    "Learn enough about {thing} in {number} days to lead a {event}",
    "Launch a {adjective} {thing} in {place} by {month}",
)
_OTHERS = (
    "Спланируй переезд отдела в новый офис до конца месяца",
    "为团队制定一个为期两周的学习计划",
    "Σχεδίασε ένα ταξίδι στη Θεσσαλονίκη για την οικογένεια",
    "اكتب خطة لإطلاق متجر إلكتروني صغير",
    "अगले महीने के उत्सव की योजना बनाओ",
    "来月の社内勉強会の計画を立ててください",
    "Plane eine Führung für Gäste aus Österreich durch unsere Bäckerei",
    "Prépare la fête d’été de l’école, même s’il pleut",
    "Запланируйте проверку отчёта о расходах",
    "새 고객을 위한 환영 행사를 준비해 줘",
)
_CHOICES = {
    "adjective": "quiet small thorough cheap public careful bright yearly short simple",
    "event": "workshop picnic conference training meeting fair review concert visit move",
    "place": "Lisbon Kraków Oslo Nairobi Kyoto Montréal Porto Zürich Lima Utrecht Tartu Bergen",
    "thing": "heating payroll delivery insurance storage catering network bakery irrigation "
    "archive website bicycle printing lighting software translation",
    "team": "sales support design research kitchen harbour garden finance night field",
    "month": "January February March April May June July August September October November",
}
_PARTS = {name: some.split() for name, some in _CHOICES.items()}
_AGENTS = ("research", "analysis", "writing", "review", "coordination")
_VERBS = (
    "List", "Compare", "Check", "Collect", "Estimate", "Choose", "Write down", "Confirm", "Book",
    "Describe", "Measure", "Review",
)  # fmt: skip
_OBJECTS = (
    "prices and notice periods", "the risks and who carries them", "three suppliers nearby",
    "what the guests need", "the open questions", "dates that suit everyone", "the rooms on offer",
    "figures of the last year", "rules that apply here", "a first draft", "the costs per person",
    "what has to be ready first", "everyone who must agree", "a plan for bad weather",
    "the shortest way there", "what went wrong before",
)  # fmt: skip
_REASONS = (
    "The dates decide what is possible, so they come first.",
    "Prices and rooms can be looked at side by side; the choice needs both.",
    "Most of the risk lies in what nobody has asked yet.",
    "The draft is cheap and shows what is missing.",
    "Whoever must agree is asked before anything is booked.",
)
# From the most frequent to the rarest.
_COMMON = (
    "time people work place week hand part point company number group problem fact water room "
    "money story month book eye job business issue side kind head house service friend father "
    "power hour game line end member law car city name president minute idea body back parent "
    "face level office door health person art war history party result change morning reason "
    "research girl guy moment air teacher force education foot boy age policy process music "
    "market sense nation plan college interest death experience effect use class control field "
    "harvest anchor lantern meadow copper saddle orchard ladder compass velvet thimble beacon "
    "granite walnut pebble ferry kettle marsh plough quarry rafter spindle tallow umber vellum "
    "wicker yarrow zinc abacus barley cistern dovecote ember flax gable heron inlet jetty kiln"
)
_WORDS = _COMMON.split()
_RANKS = [*accumulate(1 / rank for rank in range(1, len(_WORDS) + 1))]


class Phrases:
    """Puts them together from a store of phrases, which is quicker than word by word."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._minds = [self._words(rng.randrange(4, 14)) for _ in range(_STORE)]
        self._goals = [self._a_goal() for _ in range(_STORE)]
        self._steps = [[self._a_step(number) for _ in range(_STORE)] for number in range(5)]

    def goal(self) -> str:
        rng = self._rng
        order = f" (order {rng.getrandbits(20)})" if rng.random() < 0.1 else ""
        return f"{self._any(self._goals)}{order}. Mind {self._any(self._minds)}{self._rarely()}."

    def plan(self) -> str:
        """As JSON, valid."""
        rng = self._rng
        steps = ", ".join(map(self._any, self._steps[: 3 + int(rng.random() * 3)]))
        return (
            f'{{"reasoning": "{self._any(_REASONS)} Mind {self._any(self._minds)}'
            f'{self._rarely()}.", "confidence": {0.6 + int(rng.random() * 37) / 100:.2f}, '
            f'"estimated_duration": {10 + int(rng.random() * 230)}, "steps": [{steps}]}}'
        )

    def result(self) -> str:
        minds = f"{self._any(self._minds)} and {self._any(self._minds)}{self._rarely()}"
        return f"To get {self._any(_OBJECTS)}, mind {minds}. {self._any(_REASONS)}"

    def _a_goal(self) -> str:
        rng = self._rng
        if rng.random() < 0.06:
            return rng.choice(_OTHERS)
        parts = {name: rng.choice(some) for name, some in _PARTS.items()}
        return rng.choice(_GOALS).format(
            number=rng.randrange(2, 400), other=rng.choice(_PARTS["team"]), **parts
        )

    def _a_step(self, number: int) -> str:
        rng = self._rng
        said = f"{rng.choice(_VERBS)} {rng.choice(_OBJECTS)}: {rng.choice(self._minds)}"
        step: dict[str, Any] = {
            "agent_type": rng.choice(_AGENTS),
            "description": said,
            "tool_name": None,
            "parameters": {},
            "dependencies": [] if number < 2 else [number - 2, number - 1],
        }
        return json.dumps(step, ensure_ascii=False)

    def _words(self, number: int) -> str:
        """Some far more often than others."""
        return " ".join(self._rng.choices(_WORDS, cum_weights=_RANKS, k=number))

    def _rarely(self) -> str:
        return f" {self._any(_RARE)}" if self._rng.random() < _RARELY * len(_RARE) else ""

    def _any(self, some: Sequence[str]) -> str:
        return some[int(self._rng.random() * len(some))]
