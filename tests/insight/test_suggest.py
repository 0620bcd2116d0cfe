"""An order suggested by the record, and only where there is evidence for it."""

from random import Random

import pytest

from core.insight.suggest import suggest
from core.routing.ranking import TrackRecord

ORDER = ("a", "b", "c", "d")


def test_whoever_answers_more_reliably_comes_first():
    found = suggest(ORDER, {"a": TrackRecord(60, 100, 1.0), "c": TrackRecord(99, 100, 3.0)})
    assert found.order == ("c", "b", "a", "d")
    assert found.moved == ("c",)


def test_where_rates_cannot_be_told_apart_the_faster_comes_first():
    found = suggest(ORDER, {"a": TrackRecord(99, 100, 3.0), "b": TrackRecord(98, 100, 1.0)})
    assert found.order[:2] == ("b", "a")


@pytest.mark.parametrize(
    "records",
    [
        {},
        {"a": TrackRecord(1, 9, 9.0), "b": TrackRecord(9, 9, 0.1)},  # too few to judge
        {"b": TrackRecord(100, 100, 0.1)},  # nobody to compare with
        {"a": TrackRecord(100, 100, 0.1), "b": TrackRecord(50, 100, 0.1)},  # it is so already
    ],
)
def test_without_evidence_nothing_is_suggested(records):
    assert suggest(ORDER, records) is None


def test_who_cannot_be_judged_keeps_the_place_and_nobody_is_lost():
    rng = Random(0)
    for _ in range(300):
        records = {}
        for name in ORDER:
            calls = rng.randint(0, 60)
            records[name] = TrackRecord(rng.randint(0, calls), calls, rng.random() * 5)
        found = suggest(ORDER, records)
        if found is None:
            continue
        assert sorted(found.order) == sorted(ORDER)
        for name in ORDER:
            if not records.get(name, TrackRecord()).proven:
                assert found.order.index(name) == ORDER.index(name)
        assert suggest(found.order, records) is None  # once taken, it is content
