"""Links from a figure to the calls and runs behind it, with the same period and filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo

import streamlit as st

from core.ui import show
from core.ui.components.removed import removed_in_words
from core.values.periods import Period
from core.values.wording import count

_COUNTED = {"counted": "true"}  # as the figures count: not under way, and no fire drill's
_Query = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Link:
    """`query` is the address of a filtered History. `note`: what of it is no longer there."""

    label: str
    query: _Query
    note: str = ""

    def show(self) -> None:
        st.page_link(
            "history/history.py",
            label=show.plain(self.label),
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params=dict(self.query),
            help=self.note or None,
        )

    def follow(self) -> None:
        """Alone, after a mark or a row was chosen: with the note beside it."""
        self.show()
        if self.note:
            st.caption(self.note)


@dataclass(frozen=True, slots=True)
class Scope:
    """What every link of the page carries. `removed_until` is as `Archive.removed_until`."""

    period: Period
    simulated: bool
    removed_until: float | None = None
    zone: tzinfo = UTC

    @property
    def removed(self) -> str:
        """What of the period is no longer there, in words; empty where all is."""
        return removed_in_words(self.period, self.removed_until, self.zone)

    def within(self, since: float, until: float) -> Scope:
        return replace(self, period=Period(since, until))

    def calls(
        self, number: float, of: str = "", thing: str = "call", **filters: str | Sequence[str]
    ) -> Link:
        return self._link("calls", f"{count(number, thing)}{of}", filters)

    def runs(
        self, number: float, of: str = "", thing: str = "run", **filters: str | Sequence[str]
    ) -> Link:
        return self._link("runs", f"{count(number, thing)}{of}", filters)

    def _link(self, view: str, label: str, filters: _Query) -> Link:
        query = {
            "view": view,
            "since": f"{self.period.since:.0f}",
            "until": f"{self.period.until:.0f}",
            "simulated": str(self.simulated).lower(),
            **_COUNTED,
            **filters,
        }
        return Link(label, query, self.removed)
