"""The reading side: empty, full, filtered, and in constant memory."""

import asyncio
import csv
import io
import json
import threading
import tracemalloc
from dataclasses import replace

import pytest

from core.values.calls import Attempt, Message, Usage
from core.values.errors import BadRequest, HistoryUnavailable
from core.values.history.filters import CallFilter, RunFilter, filter_from, run_filter_from
from core.values.outcomes import ErrorKind
from core.values.runs import RunRecord, RunRequest
from db.figures.rollup import SHORTEST
from db.lists import export
from db.lists.queries import Archive
from db.sqlite.rows import CALL_COLUMNS
from tests.indexing import indexed

START = 1_790_000_000.0


def fill(history, *calls, runs=()):
    """Each call is what differs from an answer of OpenAI's, and maybe `asked` and `said`."""

    async def write():
        for run in runs:
            await history.begin_run(run)
        for number, changes in enumerate(calls):
            asked, said = changes.pop("asked", "a goal"), changes.pop("said", "a plan")
            begun = Attempt(
                history.next_call_id(), number, "openai", "gpt-4o", "random", START + number
            )
            done = replace(begun, **{"status": "ok", "latency_ms": 100.0, **changes})
            await history.begin(replace(done, status="running"), (Message("user", asked),))
            if done.status != "running":
                await history.end(done, said)

    asyncio.run(write())
    indexed(history)


def failed(kind=ErrorKind.TIMEOUT, **changes):
    return {"status": "failed", "error_kind": kind, **changes}


def a_run(run_id, number=0, goal="Plan it", **changes):
    request = RunRequest(goal, source="ui")
    begun = RunRecord(run_id, request, "random", False, START + number)
    return replace(begun, **changes)


def ids(archive, **wanted):
    return archive.page_of_calls(limit=100, wanted=CallFilter(**wanted))["id"].tolist()


CALL_TYPES = {
    "id": "int64",
    "provider": "str",
    "error_kind": "str",
    "http_status": "Int64",
    "output_tokens": "Int64",
    "started_at": "float64",
    "latency_ms": "float64",
    "cost_usd": "float64",
    "simulated": "bool",
}


@pytest.mark.parametrize("full", [False, True])
def test_a_page_of_calls_has_its_types_full_or_empty(full, history, archive):
    if full:
        fill(history, {}, failed(http_status=500, usage=Usage(1, 2)), {"status": "running"})
    frame = archive.page_of_calls(limit=25)
    assert len(frame) == (3 if full else 0)
    assert {name: str(frame[name].dtype) for name in CALL_TYPES} == CALL_TYPES
    assert frame["id"].tolist() == ([3, 2, 1] if full else [])
    assert frame["started_at"].tolist() == ([START + 2, START + 1, START] if full else [])


def test_pages_follow_one_another_without_gap_or_overlap(history, archive):
    fill(history, *({} for _ in range(10)), runs=[a_run(f"r{n}", n) for n in range(10)])
    seen, before = [], None
    while not (page := archive.page_of_calls(limit=3, before_id=before)).empty:
        before = int(page["id"].iloc[-1])
        seen += page["id"].tolist()
    assert seen == list(range(10, 0, -1))

    pages = [archive.page_of_calls(limit=3, page=number)["id"].tolist() for number in range(1, 6)]
    assert pages == [[10, 9, 8], [7, 6, 5], [4, 3, 2], [1], []]

    pages = [archive.page_of_runs(limit=4, page=number)["id"].tolist() for number in range(1, 5)]
    assert pages == [["r9", "r8", "r7", "r6"], ["r5", "r4", "r3", "r2"], ["r1", "r0"], []]


def test_a_page_of_runs_shows_each_runs_chain_of_calls(history, archive):
    fill(
        history,
        failed(ErrorKind.OVERLOADED, provider="anthropic", run_id="r1", latency_ms=20.5),
        {"run_id": "r1", "cost_usd": 0.25},
        {"run_id": "r1", "provider": "kimi", "step": 0, "cost_usd": 0.5},
        {"run_id": "r2", "provider": "google"},
        runs=[a_run("r0"), a_run("r1", 1), a_run("r2", 2, status="completed", finished_at=START)],
    )
    frame = archive.page_of_runs(limit=10)
    assert dict(zip(frame["id"], frame["chain"], strict=True)) == {
        "r2": [["google", "ok", None, None]],
        "r1": [
            ["anthropic", "failed", "overloaded", None],
            ["openai", "ok", None, None],
            ["kimi", "ok", None, 0],
        ],
        "r0": [],
    }
    assert frame["calls"].tolist() == [1, 3, 0]
    assert frame["latency_ms"].tolist() == [100.0, 220.5, 0.0]
    assert frame["cost_usd"].fillna(-1).tolist() == [-1, 0.75, 0.0]  # r2's price is unknown
    assert frame["finished_at"].isna().tolist() == [False, True, True]


def test_an_empty_page_of_runs_has_its_types(archive):
    frame = archive.page_of_runs(limit=10)
    assert frame.empty
    assert str(frame["finished_at"].dtype) == "float64"
    assert str(frame["goal"].dtype) == "str"
    assert str(frame["calls"].dtype) == "int64"
    assert list(frame.columns)[-1] == "chain"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["r6", "r5", "r4", "r3", "r2", "r1", "r0"]),
        ({"provider": ("google", "kimi")}, ["r3", "r2", "r1"]),
        ({"provider": ("anthropic",)}, ["r3", "r1"]),  # asked, whoever answered
        ({"provider": ("deepseek",)}, []),
        ({"answered_by": ("google", "kimi")}, ["r2", "r1"]),
        ({"answered_by": ("anthropic",)}, []),
        ({"provider": ("anthropic",), "answered_by": ("google",)}, ["r1"]),
        ({"provider": ("anthropic",), "status": ("failed",)}, ["r3"]),
        ({"model": ("gpt-5",)}, ["r2"]),
        ({"model": ("claude",)}, ["r3", "r1"]),
        ({"provider": ("google",), "model": ("claude",)}, []),  # which is not google's
        ({"strategy": ("priority",)}, ["r3"]),
        ({"status": ("failed", "cancelled")}, ["r6", "r3", "r0"]),
        ({"status": ("completed",)}, ["r5", "r4", "r2", "r1"]),
        ({"status": ("planned",)}, ["r4"]),  # a plan that nobody has begun to carry out
        ({"status": ("limited",)}, ["r6"]),
        ({"status": ("limited", "planned", "cancelled")}, ["r6", "r4", "r0"]),
        ({"status": ("limited", "failed")}, ["r6", "r3"]),
        ({"status": ("planned",), "text": "plan"}, ["r4"]),
        ({"status": ("planned",), "error_kind": ("limit",)}, []),
        ({"error_kind": ("deadline",)}, ["r3"]),
        ({"simulated": True}, ["r1"]),
        ({"since": START + 1, "until": START + 3}, ["r2", "r1"]),
        ({"text": "tea"}, ["r2", "r1"]),
        ({"text": "tea", "provider": ("kimi",)}, ["r2"]),
        ({"text": "tea", "answered_by": ("google",)}, ["r1"]),
    ],
)
def test_a_filter_finds_its_runs(wanted, found, history, archive):
    done = {"status": "completed"}
    looked_at = {"request": RunRequest("Plan it", source="ui", approve=True), "plan": "{}"}
    runs = [
        a_run("r0", status="cancelled"),
        a_run("r1", 1, **done, provider="google", plan='{"why": "Tea first"}', simulated=True),
        a_run("r2", 2, **done, provider="kimi", model="gpt-5", goal="make tea"),
        a_run("r3", 3, status="failed", error_kind="deadline", strategy="priority"),
        a_run("r4", 4, **done, **looked_at, execution={"begun": False}),
        a_run("r5", 5, **done, **looked_at, execution={"begun": True}),
        a_run("r6", 6, status="failed", error_kind="limit"),
    ]
    fill(
        history,
        failed(run_id="r1", provider="anthropic", model="claude"),
        {"run_id": "r1", "provider": "google", "model": "gemini", "simulated": True},
        {"run_id": "r2", "provider": "kimi", "model": "gpt-5"},
        failed(run_id="r3", provider="anthropic", model="claude"),
        failed(run_id="r3", provider="kimi", model="k3"),
        runs=runs,
    )
    frame = archive.page_of_runs(limit=100, wanted=RunFilter(**wanted))
    assert frame["id"].tolist() == found
    asked = {name: v if isinstance(v, tuple) else (str(v).lower(),) for name, v in wanted.items()}
    exported = export.export_jsonl(history.path, {"view": ("runs",), **asked})
    lines = [json.loads(line)["id"] for line in "".join(exported).splitlines()]
    assert lines == found[::-1]
    assert archive.count_runs(RunFilter(**wanted)) == len(found)


def test_a_long_goal_is_cut_in_the_list(history, archive):
    fill(history, runs=[a_run("r", goal="x" * 100_000)])
    assert len(archive.page_of_runs(limit=1)["goal"].iloc[0]) == 500


def test_every_model_that_was_called_is_named_once(history, archive):
    assert archive.models() == []
    fill(history, {"model": "gpt-5"}, {}, failed(model="gpt-5"), {"model": "a", "simulated": True})
    assert archive.models() == ["a", "gpt-4o", "gpt-5"]


def test_the_first_figure_is_of_the_oldest_that_counts(history, archive):
    assert archive.first_figure(simulated=False) is None
    fill(history, {"drilled": True}, {"status": "running"}, failed(), {}, {"simulated": True})
    quarter = START // SHORTEST * SHORTEST
    assert archive.first_figure(simulated=False) == quarter
    assert archive.first_figure(simulated=True) == quarter


def test_what_is_not_there_is_none(archive):
    assert archive.run("nobody") is None
    assert archive.call(7) is None
    assert archive.call_text(7) is None
    assert archive.calls_of("nobody") == []
    assert archive.count_calls() == 0
    assert archive.recent_attempts(simulated=False) == []
    assert archive.totals(simulated=False) == {}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"provider": ("google", "kimi")}, [3, 2]),
        ({"provider": ("google",), "status": ("failed",)}, [2]),
        ({"status": ("ok",)}, [5, 4, 3, 1]),
        ({"strategy": ("priority",)}, [4]),
        ({"error_kind": ("timeout",)}, [2]),
        ({"model": ("gpt-5",)}, [4]),
        ({"simulated": True}, [5]),
        ({"simulated": False}, [4, 3, 2, 1]),
        ({"since": START + 1, "until": START + 3}, [3, 2]),
        ({"counted": True}, [5, 4, 3, 2]),
        ({"counted": False}, [5, 4, 3, 2, 1]),
        ({"slower_than": 0.1}, [4]),
        ({"up_to": 0.1}, [5, 3, 2, 1]),
        ({"slower_than": 0.1, "up_to": 0.35}, [4]),
        ({"slower_than": 0.35}, []),
        ({"text": "tea"}, [3, 1]),
        ({"text": "tea", "counted": True}, [3]),
        ({"text": "100%"}, [4]),
        ({"text": "_"}, []),
    ],
)
def test_a_filter_finds_its_calls(wanted, found, history, archive):
    fill(
        history,
        {"asked": "make TEA", "drilled": True},
        failed(provider="google"),
        {"provider": "kimi", "said": "tea is made"},
        {"strategy": "priority", "model": "gpt-5", "said": "100% sure", "latency_ms": 350.0},
        {"simulated": True, "said": "1000 ways"},
    )
    assert ids(archive, **wanted) == found
    assert archive.count_calls(CallFilter(**wanted)) == len(found)


def test_a_filter_is_read_from_an_address():
    asked = {
        "provider": ["google", "kimi"],
        "simulated": ["false"],
        "since": ["1.5"],
        "text": ["\ud800"],
    }
    assert filter_from(asked) == CallFilter(
        provider=("google", "kimi"), simulated=False, since=1.5, text=r"\ud800"
    )
    assert filter_from({"counted": ["true"], "slower_than": ["0.1"], "up_to": ["2"]}) == CallFilter(
        counted=True, slower_than=0.1, up_to=2.0
    )
    assert run_filter_from({"saved": ["true"]}) == RunFilter(saved=True)
    assert filter_from({"provider": [""], "text": []}) == CallFilter()
    assert run_filter_from({"status": ["failed"]}) == RunFilter(status=("failed",))
    assert len(filter_from({"text": ["x" * 5_000]}).text) == 1_000


@pytest.mark.parametrize("name", ["since", "until", "slower_than", "up_to"])
@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e400"])
def test_no_number_is_no_moment_and_no_length_of_time(name, text):
    with pytest.raises(BadRequest, match=f"The filter “{name}” is "):
        filter_from({name: [text]})


@pytest.mark.parametrize(
    "asked",
    [
        {"simulated": ["maybe"]},
        {"counted": ["2"]},
        {"since": ["yesterday"]},
        {"up_to": ["long"]},
        {"saved": ["true"]},  # of runs, and these are calls
        {"colour": ["red"]},
    ],
)
def test_a_filter_that_cannot_be_read_is_named(asked, history):
    with pytest.raises(BadRequest, match=next(iter(asked))):
        export.export_csv(history.path, asked)


def test_the_recent_attempts_are_the_last_of_each_provider_oldest_first(history, archive):
    fill(
        history,
        *({"provider": "openai"} for _ in range(5)),
        failed(provider="google"),
        {"provider": "google", "status": "running"},
        {"provider": "kimi", "simulated": True},
        {"provider": "openai"},
    )
    recent = archive.recent_attempts(simulated=False, per_provider=2)
    assert [(a.id, a.provider, a.status) for a in recent] == [
        (5, "openai", "ok"),
        (6, "google", "failed"),
        (9, "openai", "ok"),
    ]
    assert recent == [archive.call(5), archive.call(6), archive.call(9)]
    assert [a.provider for a in history.recent_attempts(simulated=True)] == ["kimi"]


def test_totals_count_answers_and_failures_and_keep_practice_apart(history):
    fill(
        history,
        {"latency_ms": 50.0},
        {},
        failed(latency_ms=9000.0),
        {"status": "cancelled"},
        {"status": "running"},
        {"simulated": True},
    )
    assert history.totals(simulated=False) == {"openai": (2, 1, 150.0)}
    assert history.totals(simulated=True) == {"openai": (1, 0, 100.0)}


def exported(history, asked):
    return "".join(export.export_jsonl(history.path, asked)).splitlines()


def test_an_export_holds_every_call_once_even_while_calls_are_made(history, monkeypatch):
    monkeypatch.setattr(export, "_CHUNK_OF_TEXTS", 4)
    fill(history, *({"said": f"answer {n}"} for n in range(10)))
    pieces = export.export_jsonl(history.path, {})
    first = next(pieces)
    fill(history, {"said": "late"})
    calls = [json.loads(line) for line in "".join((first, *pieces)).splitlines()]
    assert first.count("\n") == 4
    assert [call["response"] for call in calls] == [
        *(f"answer {n}" for n in range(10)),
        "late",
    ]


def test_an_export_takes_the_pages_filters(history):
    fill(history, failed(provider="google", message="=1+1"), {}, {"provider": "google"})
    asked = {"provider": ["google"]}

    rows = list(csv.DictReader(io.StringIO("".join(export.export_csv(history.path, asked)))))
    assert [row["status"] for row in rows] == ["failed", "ok"]
    assert rows[0]["message"] == "'=1+1"  # no spreadsheet takes it for a formula
    assert rows[1]["latency_ms"] == "100.0"

    lines = [json.loads(line) for line in exported(history, asked)]
    assert [line["id"] for line in lines] == [1, 3]
    assert lines[0]["message"] == "=1+1"
    assert lines[0]["request"] == [{"role": "user", "content": "a goal"}]
    assert lines[0]["simulated"] is False


def test_an_export_takes_the_text_that_is_looked_for(history, monkeypatch):
    monkeypatch.setattr(export, "_CHUNK_OF_TEXTS", 2)
    fill(history, *({"said": "tea" if number % 2 else "coffee"} for number in range(10)))
    lines = [json.loads(line) for line in exported(history, {"text": ["tea"]})]
    assert [line["id"] for line in lines] == [2, 4, 6, 8, 10]
    rows = list(
        csv.DictReader(
            io.StringIO(
                "".join(
                    export.export_csv(history.path, {"text": ["tea"], "since": [str(START + 4)]})
                )
            )
        )
    )
    assert [row["id"] for row in rows] == ["6", "8", "10"]
    assert list(export.export_jsonl(history.path, {"text": ["*"]})) == []


def test_runs_are_exported_if_asked_for(history):
    plan = json.dumps({"steps": [{"description": "Boil water"}]})
    fill(
        history,
        {"run_id": "r0"},
        runs=[
            a_run("r0", goal="=SUM(A1)", status="completed", plan=plan),
            a_run("r1", 1, status="failed", error_kind="deadline"),
            a_run("r2", 2),
        ],
    )
    asked = {"view": ["runs"]}
    rows = list(csv.DictReader(io.StringIO("".join(export.export_csv(history.path, asked)))))
    assert [row["id"] for row in rows] == ["r0", "r1", "r2"]
    assert rows[0]["goal"] == "'=SUM(A1)"
    assert "plan" not in rows[0]

    asked["status"] = ["completed"]
    (line,) = map(json.loads, exported(history, asked))
    assert (line["goal"], line["simulated"]) == ("=SUM(A1)", False)
    assert line["plan"]["steps"][0]["description"] == "Boil water"
    calls = [json.loads(line) for line in exported(history, {"view": ["calls"]})]
    assert [call["run_id"] for call in calls] == ["r0"]
    with pytest.raises(BadRequest, match="view"):
        export.export_csv(history.path, {"view": ["everything"]})


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\u00a0+", "\ufeff@", "\uff1d"]
)
def test_no_cell_of_an_export_is_a_formula(start, history):
    fill(history, failed(message=f"{start}HYPERLINK(A1)", model=f"{start}cmd"))
    (row,) = csv.DictReader(io.StringIO("".join(export.export_csv(history.path, {}))))
    assert row["message"] == f"'{start}HYPERLINK(A1)"
    assert row["model"] == f"'{start}cmd"


def test_an_export_of_nothing_is_a_heading(history):
    assert "".join(export.export_csv(history.path, {})).startswith("id,run_id,ordinal,")
    assert list(export.export_jsonl(history.path, {})) == []


def test_an_export_stays_small_however_long_it_is(history, monkeypatch):
    monkeypatch.setattr(export, "_CHUNK_OF_TEXTS", 10)
    fill(history, *({"said": "x" * 20_000} for _ in range(150)))
    tracemalloc.start()
    size = sum(len(piece) for piece in export.export_jsonl(history.path, {}))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 3_000_000
    assert peak < 1_500_000


@pytest.mark.parametrize("write", [export.export_csv, export.export_jsonl])
def test_ten_times_as_many_calls_are_exported_in_the_same_memory(write, history):
    fill(history, {"said": "a plan " * 20})

    def copies(until):
        def insert(connection):
            first = connection.execute("SELECT max(id) FROM call").fetchone()[0] + 1
            names = ", ".join(name for name in CALL_COLUMNS if name != "id")
            for table, columns, key in (
                ("call", f"id, {names}", "id"),
                ("call_text", "call_id, request, response", "call_id"),
            ):
                kept = columns.partition(", ")[2]
                connection.execute(
                    f"""
                    WITH RECURSIVE number(n) AS (
                        SELECT ? UNION ALL SELECT n + 1 FROM number WHERE n < ?
                    )
                    INSERT INTO {table} ({columns})
                    SELECT n, {kept} FROM number CROSS JOIN {table} WHERE {key} = 1
                    """,
                    (first, until),
                )

        history.submit(insert).result()

    def export_all():
        tracemalloc.start()
        lines = sum(piece.count("\n") for piece in write(history.path, {}))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return lines, peak

    copies(600)
    few, little = export_all()
    copies(6_000)
    many, much = export_all()
    assert many - few == 5_400
    assert much < 1.5 * little


def test_a_reader_waits_for_no_writer(history, archive):
    fill(history, {})
    inside, let_go = threading.Event(), threading.Event()

    def hold(connection):
        connection.execute("DELETE FROM call")
        inside.set()
        let_go.wait(5)
        raise LookupError

    held = history.submit(hold)
    inside.wait(5)
    assert archive.count_calls() == 1
    let_go.set()
    with pytest.raises(LookupError):
        held.result(5)


def test_what_is_asked_in_one_moment_is_as_it_was_then(history, archive):
    fill(history, {})
    with archive.one_moment():
        before = archive.version()
        fill(history, {})
        assert (ids(archive), archive.count_calls(), archive.version()) == ([1], 1, before)
    assert (ids(archive), archive.version() > before) == ([2, 1], True)
    with pytest.raises(ValueError, match="within"), archive.one_moment():
        raise ValueError("within")
    assert ids(archive) == [2, 1]


def test_the_version_rises_with_what_is_recorded_and_with_nothing_else(history, archive):
    seen = [archive.version()]
    for changes in ({}, {"status": "running"}, failed()):
        fill(history, changes)
        archive.page_of_calls(limit=1)
        seen += [archive.version(), archive.version()]
    assert seen == sorted(seen)
    assert len(set(seen)) == 4
    archive.close()
    assert archive.version() > seen[-1]  # what another file was read as is never taken for this
    with pytest.raises(HistoryUnavailable):
        Archive(history.path.with_name("nowhere.db")).version()


def test_readers_write_nothing_and_many_threads_share_them(history, archive):
    fill(history, {})
    with pytest.raises(HistoryUnavailable):
        archive.rows("DELETE FROM call")
    counts = []
    threads = [
        threading.Thread(target=lambda: counts.append(archive.count_calls())) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [1] * 20


def test_a_history_that_cannot_be_read_says_so_in_a_sentence(tmp_path):
    with pytest.raises(HistoryUnavailable, match="cannot be read"):
        Archive(tmp_path / "nowhere.db").count_calls()


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT * FROM call WHERE run_id = 'r' ORDER BY ordinal", "call_of_run"),
        (
            "SELECT * FROM call WHERE simulated = 0 AND provider = 'a' ORDER BY id DESC",
            "call_by_provider",
        ),
        (
            "SELECT provider, latency_ms FROM call WHERE status <> 'running' AND started_at > 1",
            "COVERING INDEX call_outcome",
        ),
        (
            """
            SELECT id FROM call
             WHERE status <> 'ok' AND status <> 'running' AND id >= 7 AND id < 9
               AND provider = 'a' AND status = 'failed' AND error_kind = 'timeout'
             ORDER BY id DESC
            """,
            "COVERING INDEX call_unanswered",
        ),
        ("SELECT * FROM run ORDER BY started_at DESC, id DESC", "run_newest"),
        ("SELECT * FROM run WHERE idempotency_key = 'k'", "run_by_key"),
        ("SELECT id FROM run WHERE status = 'running'", "run_unfinished"),
        ("SELECT * FROM change WHERE key = 'k' ORDER BY id DESC", "change_of_key"),
    ],
)
def test_each_index_serves_its_question_without_a_sort(sql, index, archive):
    plan = " ".join(row[-1] for row in archive.rows(f"EXPLAIN QUERY PLAN {sql}"))
    assert index in plan
    assert "TEMP B-TREE" not in plan


def test_what_surrounds_a_failure_is_found_however_much_came_since(history, archive):
    calls = [{"started_at": START + at} for at in range(300)]
    for at in (10, 11, 200):
        calls[at] |= {"status": "failed", "error_kind": ErrorKind.TIMEOUT}
    calls[201] |= {"provider": "google"}
    calls[205] |= {"status": "failed", "error_kind": ErrorKind.TIMEOUT, "drilled": True}
    calls[250] |= {"status": "failed", "error_kind": ErrorKind.TIMEOUT, "simulated": True}
    fill(history, *calls)
    found = archive.around_failures(START + 11, simulated=False)
    assert [attempt.id for attempt in found] == [12, 13, 14, 15, 201, 203, 204, 205]
    assert archive.around_failures(START + 300, simulated=False) == []
