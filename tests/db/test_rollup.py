"""The rollups say what the calls say, whatever became of these and in which order."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.values.calls import Attempt, Usage
from core.values.outcomes import ErrorKind
from core.values.runs import RunRecord, RunRequest
from db.figures import counts, rollup
from db.figures.figures import SUMS
from db.figures.quantiles import PERCENTILES, quantiles
from db.sample.believable import believable
from db.sample.fill import fill
from db.sqlite import files, schema_versions
from db.sqlite.records import put
from db.sqlite.rows import CALL, RUN, call_row, run_row
from db.sqlite.writer import _mark_interrupted

ROOT = Path(__file__).resolve().parents[2]
START = 1_790_000_000.0


def plain(text):
    return text


def connected(path=":memory:"):
    connection = files.connect(Path(path), busy_timeout=1.0)
    return closing(connection)


def told(connection):
    """Both rollups, counts unpacked, sums to twelve digits, without what is yet under way.

    Of practice or not, longer stretches may be there once the last call is beyond them.
    """
    found = {}
    last = dict(
        connection.execute("SELECT simulated, max(start) FROM call_rollup GROUP BY 1").fetchall()
    )
    for *key, rest in (
        (*row[:5], row[5:]) for row in connection.execute("SELECT * FROM call_rollup").fetchall()
    ):
        simulated, span, start, *_ = key
        if span > rollup.SHORTEST and start + span > last[simulated]:
            continue
        sums = tuple(float(f"{round(value, 9):.12g}") for value in rest[: len(SUMS)])
        found[tuple(key)] = (sums, *map(counts.unpacked, rest[len(SUMS) :]))
    runs = connection.execute("SELECT * FROM run_rollup ORDER BY simulated, span, start").fetchall()
    return found, runs


def rebuilt(connection):
    for table in ("call_rollup", "run_rollup"):
        connection.execute(f"DELETE FROM {table}")
    rollup.rebuild(connection)
    return told(connection)


# -- counts as text


@given(st.lists(st.dictionaries(st.integers(0, counts.CODES - 1), st.integers(0, 5000))))
def test_counts_are_what_was_added(parts):
    text, expected = "", {}
    for part in parts:
        text = counts.added(text, part)
        for code, count in part.items():
            expected[code] = expected.get(code, 0) + count
    expected = {code: count for code, count in expected.items() if count}
    assert counts.unpacked(text) == expected
    assert counts.unpacked(text + text) == {code: 2 * count for code, count in expected.items()}
    away = counts.added(text, {code: -count for code, count in expected.items()})
    assert away == ""
    assert text.isascii()
    assert not {'"', "\\"} & set(text)


@given(st.lists(st.floats(counts.SHORTEST, 36e6), min_size=1), st.integers(1, 5))
def test_a_percentile_is_within_one_percent_of_the_exact_one(latencies, parts):
    texts = [
        counts.packed(counts.tallied(map(counts.bucket, latencies[part::parts])))
        for part in range(parts)
    ]
    (found,) = quantiles(("".join(texts),))
    exact = np.quantile(latencies, PERCENTILES, method="inverted_cdf") / 1000
    assert found == pytest.approx(exact, rel=0.010001)


@pytest.mark.parametrize("latency", [0.0, -1.0, 1e-9, 1e12, 5000.0])
def test_any_latency_has_its_bucket(latency):
    code = counts.bucket(latency)
    low, high = counts.bounds(code)
    assert 0 <= code < counts.CODES
    assert low < high
    assert low < counts.middle(code) < high * 1.0001
    if latency == 5000.0:
        assert low < latency <= high


# -- kept up as calls land

moments = st.builds(
    lambda quarter, inside: START + quarter * 900 + inside,
    st.sampled_from([0, 1, 3, 4, 30, 96, 97]),
    st.floats(0, 899),
)
latencies = st.floats(0, 1e5) | st.none()
tokens = st.none() | st.integers(0, 5000) | st.just((1 << 63) - 1)


@st.composite
def attempts(draw, number):
    kind = draw(st.none() | st.sampled_from([kind for kind in ErrorKind]))
    status = "ok" if kind is None else "failed"
    if kind in (ErrorKind.CANCELLED, ErrorKind.INTERRUPTED):
        status = kind.value
    return Attempt(
        number,
        draw(st.integers(0, 3)),
        draw(st.sampled_from("ab")),
        draw(st.sampled_from("mn")),
        "random",
        draw(moments),
        run_id=draw(st.sampled_from(["r", "s"])),
        step=draw(st.sampled_from([None, 1])),
        simulated=draw(st.booleans()),
        drilled=draw(st.integers(0, 9)) == 0,
        status=draw(st.sampled_from([status, status, "running"])),
        error_kind=kind,
        latency_ms=draw(latencies),
        ttft_ms=draw(latencies),
        usage=Usage(draw(tokens), draw(tokens)),
        cost_usd=draw(st.none() | st.floats(0, 10)),
    )


@st.composite
def runs(draw):
    return RunRecord(
        draw(st.sampled_from(["r", "s"])),
        RunRequest("goal"),
        "random",
        draw(st.booleans()),
        draw(moments),
        draw(st.sampled_from(["running", "completed", "failed", "cancelled"])),
    )


groups = st.lists(
    st.lists(st.integers(1, 8).flatmap(lambda n: attempts(n)) | runs(), max_size=6), max_size=8
)


# What of a call never changes.
AS_BEGUN = ["run_id", "ordinal", "step", "provider", "model", "started_at", "simulated", "drilled"]


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(groups, st.randoms(use_true_random=False))
def test_whatever_is_written_the_rollups_are_those_of_the_rows(groups, rng):
    """Outcomes without intents, twice and changed; taken back ones; a process that died."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        schema_versions.bring_up(connection)
        begun, ended, going = set(), set(), set()  # calls and runs; calls; runs
        calls = {}  # as each began
        for group in groups:
            rows = {CALL: [], RUN: []}
            first = True  # as far as the writer knows
            for record in group:
                if record.status == "running" and record.id in begun:
                    continue  # nothing begins twice
                begun.add(record.id)
                if isinstance(record, Attempt):
                    begin = calls.setdefault(record.id, record)
                    record = replace(record, **{name: getattr(begin, name) for name in AS_BEGUN})
                    rows[CALL].append(call_row(record, plain))
                    first = first and record.id not in ended
                    ended |= {record.id} if record.status != "running" else set()
                else:
                    rows[RUN].append(run_row(record, plain))
                    (going.add if record.status == "running" else going.discard)(record.id)
            for ending in rng.choice([["ROLLBACK", "COMMIT"], ["COMMIT"], ["COMMIT", "COMMIT"]]):
                connection.execute("BEGIN IMMEDIATE")
                put(connection, rows, first=first, under_way=going)
                connection.execute(ending)
                first = False  # what comes twice has ended before
            if rng.random() < 0.1:
                _mark_interrupted(connection)
                ended |= begun
                going.clear()
        assert told(connection) == rebuilt(connection)


# -- built anew


@pytest.fixture
def filled(tmp_path):
    path = tmp_path / "filled.db"
    fill(path, believable(600, days=3, until=START))
    return path


def test_the_command_builds_the_rollups_anew(filled):
    with connected(filled) as connection:
        before = told(connection)
        connection.execute("DELETE FROM call_rollup WHERE provider = 'openai'")
        connection.execute("UPDATE run_rollup SET saved = 99")
        assert told(connection) != before
    command = [sys.executable, "-m", "db.figures.rollup", str(filled)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    with connected(filled) as connection:
        assert told(connection) == before


def test_the_command_names_a_file_that_is_not_there(tmp_path):
    command = [sys.executable, "-m", "db.figures.rollup", str(tmp_path / "nothing.db")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no file" in done.stderr
    assert not (tmp_path / "nothing.db").exists()


@pytest.mark.parametrize("share", [0.0, 0.31, 0.62, 1.0])
def test_stretches_whose_calls_have_been_removed_keep_what_they_have(share, filled):
    with connected(filled) as connection:
        before = told(connection)
        (last,) = connection.execute("SELECT max(id) FROM call").fetchone()
        until = connection.execute(
            "SELECT max(started_at) FROM call WHERE id <= ?", (int(last * share),)
        ).fetchone()[0]
        for table in ("call", "run"):
            connection.execute(f"DELETE FROM {table} WHERE started_at <= ?", (until or 0,))
        rollup.rebuild(connection)
        assert told(connection) == before
