"""Whether a run's own page, Compare and Settings say what is true, and an empty history nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.truth import definitions as truth
from tests.truth.definitions import Row, Rows
from tests.truth.performance import NAMES
from tests.truth.runs import costs, took_is
from tests.truth.shown import Page, says_count, says_money, says_seconds

_BYTES = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
_PLANS = re.compile(r"(\d+) steps?, (\d+) of them in a row, (\d+|none) that no other has\.")


def waterfall(page: Page, run: Row, rows: Rows) -> Iterator[str]:
    """The bars of a run that has ended: when they begin, how long they are, what stands beside."""
    calls = rows.calls_by_run.get(run["id"], [])
    data = page.component("manyways_waterfall")
    if bool(data) != bool(calls):
        yield f"{len(data)} waterfalls for {len(calls)} calls"
    if not calls or not data:
        return
    bars = [row for row in data[0]["rows"] if "gap" not in row]
    gaps = [row["gap"] for row in data[0]["rows"] if "gap" in row]
    true = truth.bars(run, calls)
    if [bar["id"] for bar in bars] != [call["id"] for call in calls]:
        yield f"bars {[bar['id'] for bar in bars]}"
        return
    for bar, call, wanted in zip(bars, calls, true, strict=True):
        if any(
            abs(bar[name] - seconds) > 1e-3
            for name, seconds in zip(("begins", "lasts", "silent"), wanted, strict=True)
        ):
            yield f"{call['id']}: {bar['begins']}, {bar['lasts']}, {bar['silent']}, not {wanted}"
        yield from (f"{call['id']}: {fault}" for fault in _labels(bar, call, wanted[1]))
    if abs(data[0]["span"] - max(0.1, *(begins + took for begins, took, _ in true))) > 1e-3:
        yield f"an axis of {data[0]['span']}"
    waits = truth.waits(run, calls)
    if len(gaps) != len(waits) or not all(
        says_seconds(said, wait.seconds) and said.endswith(" for you") == wait.for_you
        for said, wait in zip(gaps, waits, strict=True)
    ):
        yield f"gaps {gaps}, not {waits}"
    yield from _skipped(page, run)


def _skipped(page: Page, run: Row) -> Iterator[str]:
    skipped = [said for said in page.words if "not asked:" in said]
    wanted_names = truth.passed_over(run)
    labels = {name: label for label, name in NAMES.items()}
    if len(skipped) != len(wanted_names) or not all(
        labels[name] in said for name, said in zip(wanted_names, skipped, strict=True)
    ):
        yield f"passed over {skipped}, not {wanted_names}"


def _labels(bar: Row, call: Row, took: float) -> Iterator[str]:
    counts = [call["input_tokens"], call["output_tokens"]]
    tokens = " → ".join("?" if count is None else f"{count:,}" for count in counts)
    unknown = truth.run_cost([call])[1]
    good = {
        "provider": NAMES[bar["provider"]] == call["provider"],
        "model": bar["model"] == call["model"],
        "status": bar["status"] == call["status"],
        "took": took < 0.001 or says_seconds(bar["took"], took),
        "tokens": bar["tokens"] == ("–" if counts == [None, None] else tokens),
        "cost": bar["cost"] == "practice"
        if call["simulated"]
        else bar["cost"] == ("unknown" if unknown else "–")
        if call["cost_usd"] is None
        else says_money(bar["cost"], call["cost_usd"]),
    }
    yield from (f"{name} {bar[name]}" for name, is_good in good.items() if not is_good)


def took_beside(page: Page, run: Row, rows: Rows) -> Iterator[str]:
    """What the head of a run's page says that it took."""
    calls = rows.calls_by_run.get(run["id"], [])
    parts = next(said for said in page.captions if said.startswith("My order")).split(" · ")
    if not took_is(parts[1] if len(parts) > 1 else None, calls):
        yield f"took {parts}, not {truth.worked(calls)}"


def compared(page: Page, runs: Sequence[Row], rows: Rows) -> Iterator[str]:
    """Beside each plan what planning it took and cost; above them how they differ."""
    plans = [json.loads(run["plan"])["steps"] for run in runs]
    above = next((said for said in page.words if "of them in a row" in said), "")
    found = _PLANS.findall(above)
    only = [truth.only_in(plans, place) for place in range(len(plans))]
    for place, (steps, said) in enumerate(zip(plans, found, strict=True)):
        true = (str(len(steps)), str(truth.longest_chain(steps)), str(only[place] or "none"))
        if said != true:
            yield f"plan {place}: {said}, not {true}"
    captions = [each for each in page.captions if each.endswith(".") and " · " in each]
    if len(captions) != len(runs):
        yield f"{captions} of {len(runs)} plans"
        return
    for run, caption in zip(runs, captions, strict=True):
        calls = [call for call in rows.calls_by_run[run["id"]] if call["step"] is None]
        took, cost, _ = caption.split(" · ", 2)
        if not (took_is(took, calls) and costs(cost, calls, simulated=bool(run["simulated"]))):
            yield f"{caption}, not {truth.worked(calls)} and {truth.run_cost(calls)}"
    if sum(badge == "Only here" for badge in page.badges) != sum(only):
        yield f"{page.badges}, not {sum(only)}"


def sizes(page: Page, path: Path, rows: Rows, *, now: float) -> Iterator[str]:
    """What Settings says the history takes up."""
    shown = page.metrics
    log = path.with_name(f"{path.name}-wal")
    size = path.stat().st_size + (log.stat().st_size if log.exists() else 0)
    oldest = min((call["started_at"] for call in rows.calls), default=None)
    texts = _bytes(shown["Of it texts"])
    good = {
        "On disk": abs(_bytes(shown["On disk"]) - size) <= max(0.05 * size, 100),
        "Of it texts": texts <= size and bool(texts) == bool(rows.calls),
        "Calls": says_count(shown["Calls"], len(rows.calls)),
        "Oldest call": shown["Oldest call"] == "none yet"
        if oldest is None
        else says_seconds(shown["Oldest call"], now - oldest, within=0.02)
        and shown["Oldest call"].endswith(" ago"),
    }
    yield from (f"{label}: {shown[label]}" for label, is_good in good.items() if not is_good)
    if page.helps["Calls"] != f"In {len(rows.runs):,} run{'' if len(rows.runs) == 1 else 's'}.":
        yield f"{page.helps['Calls']}, not {len(rows.runs)} runs"


def _bytes(said: str) -> float:
    number, unit = said.split(" ")
    return float(number.replace(",", "")) * _BYTES[unit]


_CLAIMS = re.compile(r"(?<![\d.,])(?:0|0\.0|100|100\.0) %|\bnan\b|\bNone\b|\binf\b|<\$|\b0 ms\b")


def claims(page: Page) -> list[str]:
    """Figures where nothing is known: rates, times and the like."""
    said = [*page.words, *page.infos, *page.metrics.values(), *page.helps.values()]
    return [each for each in said if _CLAIMS.search(each)]
