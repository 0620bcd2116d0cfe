"""Who has done better: by rate, by latency where rates cannot be told apart, for every caller."""

from itertools import combinations, pairwise
from random import Random

import pytest

from core.insight.suggest import suggest
from core.routing.health import Health
from core.routing.ranking import TrackRecord, evidence, ranked, reasons, worse
from core.routing.strategies import best_performance

GOOGLE = TrackRecord(8912, 9000, 5.0)


def order(records: dict[str, TrackRecord]) -> list[str]:
    return ranked(list(records), records.__getitem__)


def health(name: str, record: TrackRecord) -> Health:
    """With that record; `rated` is at most what a health looks back on."""
    answers = (record.latency,) * record.ok
    return Health(name, recent=(*answers, *(None,) * (record.rated - record.ok)))


CASES = {
    "many calls do not put a faster one below a slower that is no better": (
        {
            "google": GOOGLE,
            "kimi": TrackRecord(176, 181, 4.5),
            "anthropic": TrackRecord(11573, 11809, 3.9),
        },
        ["google", "anthropic", "kimi"],
    ),
    "few calls do not put a slow one above a fast one": (
        {
            "openai": TrackRecord(990, 1000, 2.0),
            "bitnet": TrackRecord(57, 60, 11.0),
            "nvidia": TrackRecord(930, 1000, 3.1),
        },
        ["openai", "nvidia", "bitnet"],
    ),
    "the same rate, of many and of few calls": (
        {
            "google": GOOGLE,
            "kimi": TrackRecord(97, 100, 4.5),
            "anthropic": TrackRecord(9690, 10000, 3.9),
        },
        ["google", "anthropic", "kimi"],
    ),
    "below the best, too, the faster comes first": (
        {
            "best": TrackRecord(1000, 1000, 9.0),
            "slow": TrackRecord(500, 1000, 5.0),
            "fast": TrackRecord(490, 1000, 1.0),
        },
        ["best", "fast", "slow"],
    ),
    "one that never fails is not put below one that fails often": (
        {
            "often": TrackRecord(750, 1000, 1.0),
            "never": TrackRecord(10, 10, 3.0),
            "seldom": TrackRecord(990, 1000, 5.0),
        },
        ["never", "seldom", "often"],
    ),
    "one that never answers comes last": (
        {"dead": TrackRecord(0, 20, None), "weak": TrackRecord(2, 20, 9.0)},
        ["weak", "dead"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_order_is_the_one_that_the_records_imply(case):
    records, right = CASES[case]
    for turned in (list(records), list(reversed(records))):
        assert order({name: records[name] for name in turned}) == right
        suggestion = suggest(turned, records)
        assert right == turned if suggestion is None else list(suggestion.order) == right


def drawn(rng: Random, *, most: int) -> dict[str, TrackRecord]:
    records = {}
    for name in "abcdefg":
        rated = rng.choice((10, 20, 50, most))
        ok = round(rated * rng.choice((0.0, 0.5, 0.9, 0.95, 0.98, 1.0)))
        records[name] = TrackRecord(ok, rated, rng.choice((0.5, 1.0, 3.9, 4.5)) if ok else None)
    return records


def goes_before(one: TrackRecord, other: TrackRecord) -> bool:
    """What is to be seen of two that stand one above the other: better, or alike and no slower."""
    return worse(other, one) or (not worse(one, other) and one.seconds <= other.seconds)


def test_each_stands_above_the_next_for_a_reason_that_is_shown():
    rng = Random(0)
    for _ in range(800):
        records = drawn(rng, most=rng.choice((181, 1000, 11809)))
        found = order(records)
        assert sorted(found) == sorted(records)
        for above, below in pairwise(found):
            assert goes_before(records[above], records[below])


def test_nobody_stands_below_one_that_is_worse_beyond_doubt_or_no_better_and_slower():
    rng = Random(1)
    for _ in range(800):
        records = drawn(rng, most=rng.choice((181, 1000, 11809)))
        for above, below in combinations(order(records), 2):
            one, other = records[above], records[below]
            assert not worse(one, other)
            assert not (other.rate >= one.rate and other.seconds < one.seconds)


def test_where_the_rule_does_not_contradict_itself_it_holds_for_any_two():
    rng = Random(2)
    for _ in range(800):
        records = drawn(rng, most=1000)
        found = order(records)
        names = sorted(records)
        wins = {n: sum(goes_before(records[n], records[m]) for m in names) for n in names}
        if len(set(wins.values())) == len(names):  # no three go round in a circle
            assert found == sorted(names, key=lambda name: -wins[name])


def test_best_so_far_and_the_suggestion_are_of_one_mind():
    rng = Random(3)
    for _ in range(250):
        records = drawn(rng, most=50)
        healths = [health(name, record) for name, record in records.items()]
        chosen = [each.name for each in best_performance(healths, Random(0))]
        suggestion = suggest(list(records), records)
        assert chosen == (list(records) if suggestion is None else list(suggestion.order))


def test_the_evidence_shows_the_doubt_that_the_order_is_made_by():
    assert evidence(TrackRecord()) == "not asked yet"
    assert evidence(TrackRecord(1, 1, 2.0)) == "1 call: too few to judge"
    assert evidence(TrackRecord(98, 100, 1.9)) == "98 % of 100 calls (93.0 to 99.4 %), 1.9 s"
    assert evidence(TrackRecord(0, 20, None)) == "0 % of 20 calls (0.0 to 16.1 %)"
    assert evidence(TrackRecord(11573, 11809, 3.9)) == (
        "98 % of 11,809 calls (97.7 to 98.2 %), 3.9 s"
    )


def test_what_is_shown_alike_is_not_told_apart():
    one, other = TrackRecord(99000, 100000, 2.0), TrackRecord(98885, 100000, 1.0)
    shown = [evidence(record) for record in (one, other)]
    assert shown == [
        "99 % of 100,000 calls (98.9 to 99.1 %), 2 s",
        "98.9 % of 100,000 calls (98.8 to 98.9 %), 1 s",
    ]
    assert not worse(other, one)
    assert order({"one": one, "other": other}) == ["other", "one"]


def test_each_is_said_to_be_better_than_the_next_that_can_be_judged():
    records = [
        GOOGLE,
        TrackRecord(3, 3, 1.0),
        TrackRecord(11573, 11809, 3.9),
        TrackRecord(176, 181, 4.5),
    ]
    assert reasons(records) == [
        "more reliable than the next",
        "",
        "as reliable as the next, and faster",
        "",
    ]
