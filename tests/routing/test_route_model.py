"""The route does what the words say, whatever happens while a walk goes through it."""

from tests.routing.model import check

SCHEDULES = 20_000


def test_the_route_agrees_with_the_words_in_every_schedule():
    taken = check(range(SCHEDULES))
    kinds = ("prepare", "ask", "pretend", "wait", "failed", "late", "objected")
    assert min(taken[kind] for kind in kinds) > SCHEDULES / 100
