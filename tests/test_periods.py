"""Periods and their buckets, in any time zone and on the days clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from core.values import periods
from core.values.periods import (
    BUCKETS,
    DAY,
    PRESETS,
    Period,
    before,
    between,
    midnight,
    preset,
    scale,
    zone,
)

LATER = 4_000_000_000.0
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    "UTC",
    "Europe/Berlin",
    "Asia/Kolkata",  # +5:30
    "Asia/Kathmandu",  # +5:45
    "Pacific/Apia",  # +13
    "Pacific/Pago_Pago",  # -11
    "Australia/Lord_Howe",  # clocks change by half an hour
    "America/Santiago",  # clocks skip midnight
    "America/Havana",  # clocks repeat midnight
    "America/St_Johns",  # -3:30
]


def at(text: str, tz: object = UTC) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=tz).timestamp()


def test_a_day_is_the_last_24_hours_to_the_minute():
    now = at("2026-11-24T14:31:20")
    period = preset("24h", now=now, zone=BERLIN)
    assert period.until - period.since == DAY
    assert now < period.until <= now + 60


def test_seven_days_are_today_and_the_six_before_from_midnight_there():
    period = preset("7d", now=at("2026-11-24T00:10", BERLIN), zone=BERLIN)
    assert period.since == at("2026-11-18T00:00", BERLIN)


def test_near_midnight_the_day_is_the_viewers_own():
    now = at("2026-11-24T22:00")  # already the 25th in Kolkata, still the 24th in Pago Pago
    east = preset("7d", now=now, zone=ZoneInfo("Asia/Kolkata"))
    west = preset("7d", now=now, zone=ZoneInfo("Pacific/Pago_Pago"))
    assert east.since == at("2026-11-19T00:00", ZoneInfo("Asia/Kolkata"))
    assert west.since == at("2026-11-18T00:00", ZoneInfo("Pacific/Pago_Pago"))


def test_everything_begins_with_the_day_of_the_oldest_call():
    now, first = at("2026-11-24T12:00"), at("2024-02-29T23:59")
    assert preset("all", now=now, zone=UTC, first=first).since == at("2024-02-29T00:00")
    assert preset("all", now=now, zone=UTC).since == at("2026-11-24T00:00")


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)]
)
def test_a_day_has_the_hours_that_clocks_give_it(day, hours):
    period = between(date.fromisoformat(day), date.fromisoformat(day), now=LATER, zone=BERLIN)
    assert period.until - period.since == hours * 3600
    cut = scale(period, zone=BERLIN)
    assert len(cut.edges) == hours + 1
    assert all(cut.whole)


def test_days_keep_to_midnight_when_clocks_change():
    cut = scale(between(date(2026, 3, 15), date(2026, 4, 5), now=LATER, zone=BERLIN), zone=BERLIN)
    assert cut.bucket == "day"
    assert {datetime.fromtimestamp(edge, BERLIN).hour for edge in cut.edges} == {0}
    lengths = [late - early for early, late in zip(cut.edges, cut.edges[1:], strict=False)]
    assert sorted(set(lengths)) == [23 * 3600, 24 * 3600]


def test_a_midnight_that_clocks_skip_is_the_days_first_moment():
    santiago = ZoneInfo("America/Santiago")  # 2026-09-06: 00:00 becomes 01:00
    start = midnight(date(2026, 9, 6), santiago)
    assert datetime.fromtimestamp(start, santiago).isoformat() == "2026-09-06T01:00:00-03:00"
    assert datetime.fromtimestamp(start - 1, santiago).date() == date(2026, 9, 5)


def test_a_midnight_that_comes_twice_begins_one_day():
    havana = ZoneInfo("America/Havana")  # 2026-11-01: 01:00 becomes 00:00
    period = between(date(2026, 11, 1), date(2026, 11, 1), now=LATER, zone=havana)
    assert period.until - period.since == 25 * 3600
    days = between(date(2026, 10, 20), date(2026, 11, 10), now=LATER, zone=havana)
    assert len(scale(days, zone=havana).edges) == 23


def test_hours_begin_on_the_viewers_clock():
    kathmandu = ZoneInfo("Asia/Kathmandu")
    cut = scale(preset("24h", now=at("2026-11-24T10:20"), zone=kathmandu), zone=kathmandu)
    inner = cut.edges[1:-1]
    assert {datetime.fromtimestamp(edge, kathmandu).minute for edge in inner} == {0}
    assert len(inner) == 24
    assert cut.whole == (False, *[True] * 23, False)


def test_todays_bucket_is_marked_as_not_over():
    cut = scale(preset("30d", now=at("2026-11-24T12:00", BERLIN), zone=BERLIN), zone=BERLIN)
    assert cut.whole == (*[True] * 29, False)


def test_the_period_before_is_as_long_and_ends_where_this_one_begins():
    period = preset("7d", now=at("2026-11-24T12:00"), zone=UTC)
    earlier = before(period)
    assert earlier.until == period.since
    assert earlier.until - earlier.since == period.until - period.since


def test_two_dates_in_the_wrong_order_are_the_same_days():
    assert between(date(2026, 5, 2), date(2026, 5, 1), now=LATER, zone=UTC) == Period(
        at("2026-05-01T00:00"), at("2026-05-03T00:00")
    )


def test_dates_go_no_further_than_now():
    today, now = date(2026, 11, 24), at("2026-11-24T14:31:20")
    period = between(date(2026, 11, 23), today, now=now, zone=UTC)
    assert period == Period(at("2026-11-23T00:00"), at("2026-11-24T14:32"))
    assert scale(period, zone=UTC).whole[-1] is False
    ahead = between(date(2026, 11, 25), date(2026, 11, 26), now=now, zone=UTC)
    assert ahead == Period(at("2026-11-25T00:00"), at("2026-11-27T00:00"))


@pytest.mark.parametrize("name", [None, "", "Mars/Olympus", "../etc/passwd", "a\0b", "/etc"])
def test_a_zone_that_nobody_knows_is_utc(name):
    assert zone(name) is UTC


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("place", ZONES)
@settings(max_examples=15)
@given(now=some.floats(1_700_000_000, 1_900_000_000), back=some.floats(0, 1500 * DAY))
def test_buckets_fill_the_period_without_gap_or_overlap(name, place, now, back):
    period = preset(name, now=now, zone=zone(place), first=now - back)
    cut = scale(period, zone=zone(place))
    assert period.since < now < period.until
    assert (cut.edges[0], cut.edges[-1]) == (period.since, period.until)
    assert list(cut.edges) == sorted(set(cut.edges))
    assert len(cut.whole) == len(cut.edges) - 1 <= 130


@given(
    place=some.sampled_from(ZONES),
    day=some.dates(date(2015, 1, 1), date(2035, 1, 1)),
    more=some.integers(0, 60),
)
def test_every_day_is_counted_once_whatever_the_zone(place, day, more):
    there = zone(place)
    days = [
        between(d, d, now=LATER, zone=there)
        for d in (day + timedelta(days=n) for n in range(more + 1))
    ]
    together = between(day, day + timedelta(days=more), now=LATER, zone=there)
    assert [d.since for d in days] == [together.since, *[d.until for d in days[:-1]]]
    assert days[-1].until == together.until


def test_each_length_of_bucket_has_its_turn():
    lengths = [1, 5, 50, 300, 1500]
    names = [scale(Period(0, days * DAY), zone=UTC).bucket for days in lengths]
    assert names == [bucket.name for bucket in periods.BUCKETS]
    assert BUCKETS[-1].up_to == float("inf")
