"""What is written on a page, as numbers, and whether it says what is true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pyarrow as pa
from streamlit.testing.v1 import AppTest

MAIN = Path(__file__).parent.parent.parent / "core" / "ui" / "main.py"

_UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "days": 86_400, "day": 86_400}
_TIME = re.compile(r"([\d,]+(?:\.\d+)?) (ms|s|min|h|days?)\b")
_MONEY = re.compile(r"(<?)\$([\d,]+(?:\.\d+)?)")
_BADGE = re.compile(r":[a-z]+-badge\[(?::material/\w+: )?(.+?)\]")
_PERCENT = re.compile(r"([\d,]+(?:\.\d+)?) %")


def plain(text: str) -> str:
    return re.sub(r"\\(?=\W)", "", text)


class Page:
    """One viewer's window. `zone` is that of their computer."""

    def __init__(self, zone: str = "UTC") -> None:
        self._test = AppTest.from_file(str(MAIN), default_timeout=60)
        self.zone = zone

    @property
    def zone(self) -> str:
        return str(self._test.context["timezone"])

    @zone.setter
    def zone(self, name: str) -> None:
        self._test.context = {"timezone": name}

    def open(self, name: str, query: Mapping[str, Any], **state: Any) -> Page:
        self._test.query_params.clear()
        for key, value in query.items():
            self._test.query_params[key] = value
        for key, value in state.items():
            self._test.session_state[key] = value
        self._test.switch_page(name).run()
        self.__dict__.pop("charts", None)
        assert not self._test.exception, self._test.exception
        return self

    @property
    def metrics(self) -> dict[str, str]:
        return {each.label: plain(each.value) for each in self._test.metric}

    @property
    def helps(self) -> dict[str, str]:
        return {each.label: plain(each.help or "") for each in self._test.metric}

    @property
    def captions(self) -> list[str]:
        return [plain(each.value) for each in self._test.caption]

    @property
    def infos(self) -> list[str]:
        return [plain(each.value) for each in self._test.info]

    @property
    def texts(self) -> list[str]:
        return [plain(each.value) for each in [*self._test.markdown, *self._test.caption]]

    @property
    def words(self) -> list[str]:
        """Markdown and captions, in the order in which they stand."""
        return [plain(each.value) for each in _in_order(self._test._tree) if _has_words(each)]

    @property
    def badges(self) -> list[str]:
        return [match[1] for said in self.texts for match in _BADGE.finditer(said)]

    @property
    def downloads(self) -> list[str]:
        return [each.proto.url for each in self._test.get("link_button")]

    @property
    def links(self) -> list[tuple[str, dict[str, list[str]]]]:
        """Those that lead to a filtered History."""
        return [
            (plain(link.proto.label), parse_qs(link.proto.query_string))
            for link in self._test.get("page_link")
            if link.proto.query_string
        ]

    @property
    def tables(self) -> list[list[dict[str, Any]]]:
        """Rows as they are written, not as the numbers behind them."""
        return [_written(each) for each in self._test.dataframe]

    @cached_property
    def charts(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """What each says to who cannot see it, and its marks."""
        return [(each.proto.alt, _marks(each.proto)) for each in self._test.get("vega_lite_chart")]

    def component(self, name: str) -> list[Any]:
        return [
            json.loads(each.proto.mixed.json or each.proto.json)
            for each in self._test.get("bidi_component")
            if each.proto.component_name == name
        ]


def _in_order(block: Any) -> Iterator[Any]:
    for child in block.children.values():
        yield child
        if hasattr(child, "children"):
            yield from _in_order(child)


def _has_words(element: Any) -> bool:
    return element.type in ("markdown", "caption")


def _written(table: Any) -> list[dict[str, Any]]:
    values = table.value
    with pa.ipc.open_stream(table.proto.arrow_data.styler.display_values) as reader:
        shown = reader.read_pandas()
    rows: list[dict[str, Any]] = []
    for place in range(len(values)):
        rows.append(
            {
                name: [*values.iloc[place, at]]
                if isinstance(values.iloc[place, at], list | np.ndarray)
                else shown.iloc[place, at]
                for at, name in enumerate(values.columns)
            }
        )
    return rows


def _marks(chart: Any) -> list[dict[str, Any]]:
    for each in chart.datasets:
        if each.name == "marks":
            with pa.ipc.open_stream(each.data.data) as reader:
                found: list[dict[str, Any]] = reader.read_all().to_pylist()
                return found
    return []


# -- whether words say a number


def says_seconds(words: str, truth: float, *, within: float = 0.0) -> bool:
    """`within`: as a part of the truth, beside what rounding takes."""
    if words.endswith("<1 ms"):
        return truth < 0.001
    found = _TIME.search(words)
    if not found:
        return False
    number, unit = _number(found[1]), _UNITS[found[2]]
    half = 0.05 if unit == 1 and number < 10 else _half(found[1])  # `4 s` is 4.0
    return abs(number * unit - truth) <= (half + 1e-9) * unit + within * truth


def says_money(words: str, truth: float) -> bool:
    found = _MONEY.search(words)
    if not found:
        return False
    if found[1]:
        return 0 < truth < 0.00005
    return abs(_number(found[2]) - truth) <= (_half(found[2]) if truth else 0)


def says_rate(words: str, truth: float) -> bool:
    """Never all unless it is all, never none unless it is none."""
    found = _PERCENT.search(words)
    return bool(found) and _percent_is(found[1], truth)


def says_range(words: str, low: float, high: float) -> bool:
    found = re.fullmatch(r"([\d.]+) to ([\d.]+) %", words)
    return bool(found) and _percent_is(found[1], low) and _percent_is(found[2], high)


def says_count(words: str, truth: float) -> bool:
    found = re.match(r"[\d,]+", words)
    return bool(found) and _number(found[0]) == truth


def _percent_is(digits: str, truth: float) -> bool:
    hundredths = _number(digits)
    if hundredths in (0, 100):
        return truth * 100 in (0, 100) and hundredths == truth * 100
    least = 0.1
    return abs(hundredths - min(max(truth * 100, least), 100 - least)) <= 0.05 + 1e-9


def _number(digits: str) -> float:
    return float(digits.replace(",", ""))


def _half(digits: str) -> float:
    """Of what the last digit stands for."""
    places = len(digits.partition(".")[2])
    return 0.5 * 10.0**-places + 1e-9
