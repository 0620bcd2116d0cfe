"""What to say where the calls behind a figure have been removed."""

from __future__ import annotations

from datetime import datetime, time, tzinfo

from core.values.periods import Period
from core.values.wording import day_in_words


def removed_in_words(period: Period, until: float | None, there: tzinfo) -> str:
    """`The calls before 3 Sep 2026, 14:02 were removed; their figures are kept.`

    Empty if none were. `until` is as `Archive.removed_until` says it.
    """
    if until is None or until <= period.since:
        return ""
    if until >= period.until:
        return "These calls were removed; their figures are kept."
    moment = datetime.fromtimestamp(until, there)
    when = day_in_words(moment, year=True)
    if moment.time() != time.min:
        when += f", {moment:%H:%M}"
    return f"The calls before {when} were removed; their figures are kept."
