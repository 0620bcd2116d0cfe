"""From a figure to the runs and calls behind it: the same period and the same filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from core.types import Period
from core.ui import show
from core.words import count

_COUNTED = {"counted": "true"}  # as the figures count: not under way, and no fire drill's


@dataclass(frozen=True, slots=True)
class Link:
    """`query` is the address of a filtered History."""

    label: str
    query: Mapping[str, str]

    def show(self, *, icon: str = ":material/arrow_forward:") -> None:
        st.page_link(
            "views/history.py",
            label=show.plain(self.label),
            icon=icon,
            icon_position="right",
            query_params=dict(self.query),
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """What every link of the page carries."""

    period: Period
    simulated: bool

    def within(self, since: float, until: float) -> Scope:
        return Scope(Period(since, until), self.simulated)

    def calls(self, number: float, of: str = "", thing: str = "call", **filters: str) -> Link:
        return Link(f"{count(number, thing)}{of}", self._query("calls", filters))

    def runs(self, number: float, of: str = "", thing: str = "run", **filters: str) -> Link:
        return Link(f"{count(number, thing)}{of}", self._query("runs", filters))

    def _query(self, view: str, filters: Mapping[str, str]) -> dict[str, str]:
        return {
            "view": view,
            "since": f"{self.period.since:.0f}",
            "until": f"{self.period.until:.0f}",
            "simulated": str(self.simulated).lower(),
            **_COUNTED,
            **filters,
        }
