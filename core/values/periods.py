"""Which period, and where its hours and days begin in the viewer's own time zone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.values.wording import day_in_words


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` until just before `until`, in UTC seconds since the epoch."""

    since: float
    until: float


DAY = 86400.0  # seconds


EARLIEST, LATEST = date(1970, 1, 1), date(2199, 12, 31)  # that an address may ask for


_QUARTER = 900  # seconds; every zone's offset is a multiple of it


@dataclass(frozen=True, slots=True)
class Preset:
    label: str
    before: str  # what it is compared with
    days: int | None  # None: everything


PRESETS: dict[str, Preset] = {
    "24h": Preset("24 hours", "the 24 hours before", 1),
    "7d": Preset("7 days", "the 7 days before", 7),
    "30d": Preset("30 days", "the 30 days before", 30),
    "90d": Preset("90 days", "the 90 days before", 90),
    "all": Preset("All", "", None),
}


def zone(name: str | None) -> tzinfo:
    """The time zone of that name; UTC where there is no such zone."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def preset(name: str, *, now: float, zone: tzinfo, first: float | None = None) -> Period:
    """The period of a row of PRESETS that ends with the minute of `now`.

    A day is the last 24 hours to the minute. More than one are whole days, today and those
    before it, so that a day counts from its midnight on. Everything begins with the day of
    `first`, the oldest call.
    """
    until = _minute(now)
    days = PRESETS[name].days
    if days == 1:
        return Period(until - DAY, until)
    today = _local(now, zone).date()
    start = _local(now if first is None else min(first, now), zone).date()
    if days is not None:
        start = today - timedelta(days=days - 1)
    return Period(midnight(start, zone), until)


def between(first: date, last: date, *, now: float, zone: tzinfo) -> Period:
    """From the first moment of one day to the last of another, in whichever order.

    It ends with the minute of `now`, unless all of it is still to come.
    """
    first, last = sorted((first, last))
    since, until = midnight(first, zone), midnight(last + timedelta(days=1), zone)
    return Period(since, min(until, _minute(now)) if since < now else until)


def before(period: Period) -> Period:
    """As many seconds, just before."""
    return Period(period.since - (period.until - period.since), period.since)


def midnight(day: date, zone: tzinfo) -> float:
    """The day's first moment, which is 01:00 where clocks skip its midnight."""
    return _moment(day, 0, zone)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A length that charts cut time into."""

    name: str
    up_to: float  # seconds of a period that is cut so
    edges: Callable[[Period, tzinfo], Iterator[float]]


def _hours(period: Period, zone: tzinfo) -> Iterator[float]:
    # Looked for at each quarter, for an hour may begin at any of them, and on the day clocks
    # change by half an hour at another one than before.
    quarter = math.floor(period.since / _QUARTER) * _QUARTER
    while quarter < period.until:
        if _local(quarter, zone).minute == 0:
            yield quarter
        quarter += _QUARTER


def _half_days(period: Period, zone: tzinfo) -> Iterator[float]:
    for day in _days(period, zone):
        for hour in (0, 12):
            yield _moment(day, hour, zone)


def _each_day(period: Period, zone: tzinfo) -> Iterator[float]:
    return (midnight(day, zone) for day in _days(period, zone))


def _weeks(period: Period, zone: tzinfo) -> Iterator[float]:
    return (midnight(day, zone) for day in _days(period, zone) if day.weekday() == 0)


def _months(period: Period, zone: tzinfo) -> Iterator[float]:
    return (midnight(day, zone) for day in _days(period, zone) if day.day == 1)


BUCKETS = (
    Bucket("hour", 2.1 * DAY, _hours),
    Bucket("half day", 10.1 * DAY, _half_days),
    Bucket("day", 100 * DAY, _each_day),
    Bucket("week", 700 * DAY, _weeks),
    Bucket("month", math.inf, _months),
)


@dataclass(frozen=True, slots=True)
class Scale:
    """A period cut into buckets: `edges` ascend from its start to its end (UTC seconds).

    The first and the last bucket may be cut off; `whole` says of each bucket whether it is not.
    """

    bucket: str
    edges: tuple[float, ...]
    whole: tuple[bool, ...]


def scale(period: Period, *, zone: tzinfo) -> Scale:
    length = period.until - period.since
    bucket = next(bucket for bucket in BUCKETS if length <= bucket.up_to)
    marks = sorted(set(bucket.edges(period, zone)))
    inner = [mark for mark in marks if period.since < mark < period.until]
    edges = (period.since, *inner, period.until)
    last = len(edges) - 2
    whole = [True] * (last + 1)
    whole[0] = period.since in marks
    whole[last] = whole[last] and _ends_a_bucket(bucket, period, zone)
    return Scale(bucket.name, edges, tuple(whole))


def _ends_a_bucket(bucket: Bucket, period: Period, zone: tzinfo) -> bool:
    return period.until in bucket.edges(Period(period.until - 1, period.until + 1), zone)


def _minute(now: float) -> float:
    """The end of the minute that `now` is in."""
    return math.floor(now / 60) * 60.0 + 60


def _days(period: Period, zone: tzinfo) -> Iterator[date]:
    day, last = _local(period.since, zone).date(), _local(period.until, zone).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def _moment(day: date, hour: int, zone: tzinfo) -> float:
    return datetime(day.year, day.month, day.day, hour, tzinfo=zone).timestamp()


def _local(moment: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(moment, zone)


def bucket_in_words(cut: Scale, place: int, zone: tzinfo) -> str:
    """`24 Nov, 14:00 to 15:00`, `Tue 24 Nov`, `week of 23 Nov 2026`, `November 2026`."""
    start, end = (_local(edge, zone) for edge in cut.edges[place : place + 2])
    again = " (the second time)" if start.fold else ""
    match cut.bucket:
        case "day":
            words = f"{start:%a} {day_in_words(start)}"
        case "week":
            words = f"week of {day_in_words(start, year=True)}"
        case "month":
            words = f"{start:%B %Y}"
        case _:
            words = f"{day_in_words(start)}, {start:%H:%M} to {end:%H:%M}{again}"
    return words


@lru_cache(maxsize=4)  # each chart of a page asks for the same
def buckets_in_words(cut: Scale, zone: tzinfo) -> tuple[str, ...]:
    """All of them; one that is cut off says so."""
    return tuple(
        bucket_in_words(cut, place, zone) + ("" if whole else f" (part of the {cut.bucket})")
        for place, whole in enumerate(cut.whole)
    )


def in_words(period: Period, zone: tzinfo) -> str:
    """`18 Nov, 00:00 to 24 Nov 2026, 14:32`; whole days without their hours."""
    first, last = _local(period.since, zone), _local(period.until, zone)
    hours = any(moment.time() != datetime.min.time() for moment in (first, last))
    if not hours:
        last = _local(period.until - 1, zone)
    said = [
        day_in_words(first, year=first.year != last.year),
        day_in_words(last, year=True),
    ]
    if hours:
        said = [f"{day}, {moment:%H:%M}" for day, moment in zip(said, (first, last), strict=True)]
    return said[0] if said[0] == said[1] else " to ".join(said)
