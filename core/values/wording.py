"""Numbers, moments, money and lists in plain words, the same on pages, in answers and exports."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MOST_NUMBERS = 3  # of steps


def seconds_in_words(seconds: float, *, aligned: bool = False) -> str:
    """`4 ms`, `0.8 s`, `42 s`, `3 min`, `2 h`, `42 days`; aligned, for a column: `42.0 s`."""
    if 0 < seconds < 0.095:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "<1 ms"
    if aligned:
        return f"{seconds:,.1f} s"
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    for size, up_to, unit in ((1, 120, "s"), (60, 120, "min"), (3600, 48, "h")):
        if round(seconds / size) < up_to:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:,.0f} days"


def ago(seconds: float) -> str:
    """How long something is past: `just now`, `42 s ago`, `3 min ago`, `2 h ago`, `5 days ago`."""
    return "just now" if seconds < 5 else f"{seconds_in_words(round(seconds))} ago"


def count(number: float, thing: str) -> str:
    """`1 call`, `1,204 calls`."""
    return f"{number:,.0f} {thing}{'' if number == 1 else 's'}"


def percent(rate: float, *, digits: int = 1, aligned: bool = False) -> str:
    """`98.4 %`, `95 %`; never 100 unless it is all of them, never 0 unless it is none.

    Aligned, for a column: `95.0 %`.
    """
    said = _hundredths(rate, digits)
    return f"{said if aligned else said.removesuffix('.0')} %"


def percent_range(low: float, high: float, *, digits: int = 1) -> str:
    """`96.8 to 98.3 %`"""
    return f"{_hundredths(low, digits)} to {_hundredths(high, digits)} %"


def _hundredths(rate: float, digits: int) -> str:
    least = 10.0**-digits
    hundredths = min(max(rate * 100, least), 100 - least) if 0 < rate < 1 else rate * 100
    return f"{hundredths:.{digits}f}"


def bytes_in_words(number: float) -> str:
    """`512 bytes`, `4.2 MB`, `1.3 GB`; a MB is 1,000,000 bytes."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return (
                f"{number / size:.1f} {unit}"
                if number < 100 * size
                else f"{number / size:,.0f} {unit}"
            )
    return f"{number:.0f} bytes"


def day_in_words(moment: date, *, year: bool = False) -> str:
    """`28 Nov`, `28 Nov 2026`."""
    return f"{moment.day} {moment:%b %Y}" if year else f"{moment.day} {moment:%b}"


def sentence(words: str) -> str:
    """With a capital to begin with; `capitalize` would make the names inside small."""
    return words[:1].upper() + words[1:]


def exact_time(moment: float, zone: str | None) -> str:
    """`24 Nov 2026, 14:03:22`, in the zone of that name, or UTC where there is none such."""
    local, utc = _local(moment, zone)
    return f"{day_in_words(local, year=True)}, {local:%H:%M:%S}{utc}"


def moment_near(moment: float, other: float, zone: str | None) -> str:
    """`14:03`, or with its day where that is not the other moment's: `25 Nov, 14:03`."""
    local, utc = _local(moment, zone)
    day = "" if local.date() == _local(other, zone)[0].date() else f"{day_in_words(local)}, "
    return f"{day}{local:%H:%M}{utc}"


def _local(moment: float, zone: str | None) -> tuple[datetime, str]:
    """And what to say of it where there is no zone of that name."""
    try:
        there = ZoneInfo(zone) if zone else None
    except (ZoneInfoNotFoundError, ValueError):
        there = None
    return datetime.fromtimestamp(moment, there or ZoneInfo("UTC")), "" if there else " UTC"


def money(dollars: float | None) -> str:
    """`$0.0042`, `$1,204.50`; what is unknown is not nothing."""
    if dollars is None:
        return "unknown"
    if 0 < dollars < 0.00005:
        return "<$0.0001"
    return "$0" if dollars == 0 else f"${dollars:.4f}" if dollars < 0.01 else f"${dollars:,.2f}"


def cost(dollars: float | None, *, unpriced: int = 0, simulated: bool = False) -> str:
    """What calls came to: `$1.20`, `at least $0.0067, 5 calls without a price`.

    `dollars` are those of the calls whose price is known, `unpriced` how many more there were.
    Practice costs nothing, whatever the price lists know.
    """
    value, note = cost_parts(dollars, unpriced=unpriced, simulated=simulated)
    if simulated:
        return f"{value} ({note})"
    return f"{value}, {note}" if note else value


def cost_parts(
    dollars: float | None, *, unpriced: int = 0, simulated: bool = False
) -> tuple[str, str]:
    """The same in two: the sum, and what there is to be said of it."""
    if simulated:
        return "nothing", "practice"
    if not unpriced:
        return money(dollars), ""
    known = f"at least {money(dollars)}" if dollars else "unknown"
    return known, f"{count(unpriced, 'call')} without a price"


def step_in_words(step: int | None, steps: int | None) -> str:
    """What a call was for: `Planning`, `Step 3`, `Final answer`. `steps`: how many the plan has."""
    if step is None:
        return "Planning"
    return "Final answer" if step == steps else f"Step {step + 1}"


def steps_in_words(indexes: Collection[int]) -> str:
    """`step 3`, `steps 3 and 5`, `7 steps`; `indexes` begin at 0."""
    if len(indexes) > _MOST_NUMBERS:
        return f"{len(indexes)} steps"
    numbers = listed(str(index + 1) for index in sorted(indexes))
    return f"step{'' if len(indexes) == 1 else 's'} {numbers}"


def listed(words: Iterable[str]) -> str:
    """`Anthropic, Google and OpenAI`."""
    *most, last = [*words] or [""]
    return f"{', '.join(most)} and {last}" if most else last
