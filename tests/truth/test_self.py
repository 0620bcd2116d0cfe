"""The audit notices: one row is changed behind the figures' back, and is found."""

import sqlite3
import time
from contextlib import closing

import pytest

from tests.truth import histories, runs
from tests.truth.audit import audited
from tests.truth.definitions import Rows
from tests.truth.shown import Page
from tests.truth.test_runs import HISTORY

LAST = "SELECT max(id) FROM call WHERE status = 'ok' AND NOT drilled AND NOT simulated"
CHANGES = {
    "nothing": "latency_ms = latency_ms",
    "a latency": "latency_ms = latency_ms * 3",
    "a price": "cost_usd = coalesce(cost_usd, 0) + 1",
    "an outcome": "status = 'failed', error_kind = 'timeout'",
    "a reason": "status = 'failed', error_kind = 'refused'",
    "a provider": "provider = 'bitnet'",
    "a moment": "started_at = started_at - 40 * 86400",
    "practice": "simulated = 1",
    "a drill": "drilled = 1",
}


def changed(path, what):
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(f"UPDATE call SET {what} WHERE id = ({LAST})").rowcount == 1


@pytest.mark.parametrize("what", CHANGES)
def test_a_figure_that_is_not_of_its_rows_is_noticed(what, tmp_path):
    path = tmp_path / "console.db"
    teller = histories.Teller()
    for place in range(30):
        teller.run(time.time() - 3600 * place - 3 * 3600, {"cost_usd": 0.01})
    teller.write(path)
    with histories.console(path):
        changed(path, CHANGES[what])
        found = audited(path, Page("Europe/Berlin"), {"period": "7d"})
        assert bool(found) == (what != "nothing")


def test_a_list_that_is_not_of_its_rows_is_noticed(tmp_path):
    path = tmp_path / "console.db"
    histories.write("one", path)
    with histories.console(path):
        rows, page = Rows.of(path), Page()
        assert [*runs.listed(page.open(HISTORY, {}), rows, rows.runs, calls=False)] == []
        changed(path, CHANGES["a latency"])
        rows = Rows.of(path)
        assert [*runs.listed(page, rows, rows.runs, calls=False)] != []
