"""The whole console as a process, asked as scripts and shells ask it."""

import json
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection

import httpx2
import pytest

from core.planning.plan import Plan
from tests import standin
from tests.process import STREAMLIT, Console
from tests.standin import PLAN, PROSE


@pytest.fixture(scope="module")
def practice(tmp_path_factory):
    with Console(tmp_path_factory.mktemp("practice"), command=STREAMLIT) as console:
        yield console


def rows(console: Console, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(console.database)) as connection:
        return connection.execute(sql).fetchall()


def shell(console: Console, line: str) -> str:
    """A line of the README or of the first description, but for the port and jq."""
    line = line.replace("localhost:8000", f"localhost:{console.port}").split("|")[0]
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


CURL_PLANS = (
    'curl -s -X POST http://localhost:8000/autonomous/plan -H "Content-Type: application/json"'
    """ -d '{"goal": "Research AI and solve physics equation"}'""",
    "curl -s -X POST http://localhost:8000/autonomous/plan"
    """ -d '{"goal": "Test multi-provider"}' | jq '.plan.reasoning'""",
    "curl -s -X POST http://localhost:8000/autonomous/plan"
    """ -d '{"goal": "Test failover"}' | jq '.plan.reasoning'""",
)


@pytest.mark.skipif(not shutil.which("curl"), reason="the lines under test are curl's")
@pytest.mark.parametrize("line", CURL_PLANS)
def test_the_curl_lines_give_a_plan(practice, line):
    body = json.loads(shell(practice, line))
    assert body["status"] == "success"
    assert body["llm_powered"] is body["autonomous"] is body["simulated"] is True
    assert Plan.model_validate(body["plan"]).steps
    assert body["attempts"][-1]["provider"] == body["provider_used"]


@pytest.mark.skipif(not shutil.which("curl"), reason="the lines under test are curl's")
def test_the_status_line_shows_real_calls_only_and_practice_apart(practice):
    practice.plan("One call at least")
    line = "curl -s http://localhost:8000/autonomous/status | jq '.llm_providers'"
    body = json.loads(shell(practice, line))
    assert body["llm_providers"]["providers"] == {}
    assert body["llm_providers"]["total_calls"] == 0
    told = body["practice_providers"]["providers"]
    assert told
    for figures in told.values():
        assert set(figures) == {
            "total_calls",
            "successful_calls",
            "failed_calls",
            "success_rate",
            "avg_latency",
            "is_healthy",
            "consecutive_failures",
            "circuit",
            "retry_in_seconds",
            "needs_attention",
        }


def test_the_first_plan_takes_little_more_than_its_sdk_and_any_plan(tmp_path):
    def seconds(act) -> float:
        begun = time.monotonic()
        act()
        return time.monotonic() - begun

    def plan():
        assert console.plan("Plan a weekend in Lisbon for two").json()["status"] == "success"

    with Console(tmp_path, command=STREAMLIT) as console:
        first, others = seconds(plan), [seconds(plan) for _ in range(5)]
    loads = [sys.executable, "-c", "import anthropic"]
    sdk = seconds(lambda: subprocess.run(loads, check=True))
    assert first < 2 * (sdk + statistics.median(others))


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("POST", "/autonomous/plan", b"not json", 400, "bad_request"),
        ("POST", "/autonomous/plan", b"[" * 100_000, 400, "bad_request"),
        ("POST", "/autonomous/plan", b"[]", 422, "bad_request"),
        ("POST", "/autonomous/plan", b"{}", 422, "bad_request"),
        ("POST", "/autonomous/plan", b'{"goal": "   "}', 422, "bad_request"),
        ("POST", "/autonomous/plan", b'{"goal": "x", "base_url": "http://x"}', 422, "bad_request"),
        ("POST", "/autonomous/plan", b'{"goal": "x", "temperature": 3}', 422, "bad_request"),
        ("POST", "/autonomous/plan", b'{"goal": "x", "strategy": "fastest"}', 422, "bad_request"),
        ("POST", "/autonomous/plan", b'{"goal": "x", "priority": ["nobody"]}', 422, "bad_request"),
        ("POST", "/autonomous/plan", b'{"goal": "x", "priority": []}', 422, "bad_request"),
        ("POST", "/autonomous/plan", rb'{"goal": "\ud800"}', 422, "bad_request"),
        ("POST", "/autonomous/plan", b'{"goal": "\xed\xa0\x80"}', 422, "bad_request"),
        ("POST", "/autonomous/plan", rb'{"goal": "x", "context": "\ud83d"}', 422, "bad_request"),
        ("POST", "/autonomous/plan", rb'{"goal": "x", "priority": ["\udfff"]}', 422, "bad_request"),
        ("POST", "/autonomous/plan", rb'{"goal": "x", "\ud800": 1}', 422, "bad_request"),
        ("POST", "/autonomous/plan/stream", rb'{"goal": "\ud800"}', 422, "bad_request"),
        ("POST", "/autonomous/plan", b" " * (2 * 1024 * 1024 + 1), 413, None),
        ("GET", "/autonomous/plan", None, 405, "method_not_allowed"),
        ("GET", "/autonomous/nowhere", None, 404, "not_found"),
        ("GET", "/autonomous", None, 404, "not_found"),
        ("GET", "/autonomous/runs/unknown", None, 404, "not_found"),
    ],
)
def test_errors_are_json_and_plain(practice, method, path, body, status, kind):
    answer = practice.client.request(method, path, content=body)
    assert answer.status_code == status
    told = answer.json()
    assert told["status"] == "error"
    assert kind is None or told["error"]["kind"] == kind
    assert told["error"]["message"].endswith(".")
    assert told["error"]["action"].endswith(".")
    assert "Traceback" not in answer.text
    if status == 405:
        assert answer.headers["allow"] == "POST"


def test_every_answer_carries_the_guards_headers(practice):
    for path in ("/", "/healthz", "/autonomous/status", "/autonomous/docs", "/_stcore/health"):
        headers = practice.client.get(path).headers
        assert "default-src" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_a_connection_that_is_kept_is_answered_as_soon_as_a_new_one(practice):
    """And not only once the caller has acknowledged the head of the answer, 40 ms later."""

    def seconds(connection: HTTPConnection) -> float:
        began = time.perf_counter()
        connection.request("GET", "/autonomous/status")
        assert connection.getresponse().read()
        return time.perf_counter() - began

    def opened() -> HTTPConnection:
        return HTTPConnection("127.0.0.1", practice.port, timeout=20)

    with closing(opened()) as kept:
        again = statistics.median(seconds(kept) for _ in range(20))
    anew = []
    for _ in range(20):
        with closing(opened()) as fresh:
            anew.append(seconds(fresh))
    assert again < 3 * statistics.median(anew)


def test_another_site_cannot_start_a_run(practice):
    before = rows(practice, "SELECT count(*) FROM run")
    for name, value in (
        ("origin", "http://evil.example"),
        ("host", "evil.example"),
        ("sec-fetch-site", "cross-site"),
    ):
        headers = {name: value}
        answer = practice.client.post("/autonomous/plan", json={"goal": "x"}, headers=headers)
        assert answer.status_code in (403, 421)
    assert rows(practice, "SELECT count(*) FROM run") == before


def test_the_description_for_programs_and_the_page_for_people_are_there(practice):
    paths = practice.client.get("/autonomous/openapi.json").json()["paths"]
    assert {"/plan", "/plan/stream", "/plan-and-execute", "/status", "/runs/{run_id}"} <= set(paths)
    page = practice.client.get("/autonomous/docs")
    assert "/autonomous/plan/stream" in page.text
    assert "<script" not in page.text


def test_the_stream_tells_what_happens_as_it_happens(practice):
    events = []
    body = {"goal": "Plan a picnic"}
    with practice.client.stream("POST", "/autonomous/plan/stream", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("event: "):
                events.append([line.removeprefix("event: "), None, time.monotonic()])
            if line.startswith("data: "):
                events[-1][1] = json.loads(line.removeprefix("data: "))
    types = [event[0] for event in events]
    assert types[:2] == ["run_started", "attempt_started"]
    assert types[-2:] == ["plan_created", "run_completed"]
    assert types.count("token") > 3
    assert len({event[1]["run_id"] for event in events}) == 1
    assert events[-1][2] - events[0][2] > 0.2
    last = max(event[1]["ordinal"] for event in events if event[0] == "token")
    text = "".join(e[1]["text"] for e in events if e[0] == "token" and e[1]["ordinal"] == last)
    assert json.loads(text)["steps"]


def test_an_idempotency_key_gives_the_same_run_also_when_both_ask_at_once(practice):
    headers = {"Idempotency-Key": "one and the same"}

    def ask(goal: str = "Plan a picnic") -> httpx2.Response:
        return practice.client.post("/autonomous/plan", json={"goal": goal}, headers=headers)

    with ThreadPoolExecutor(4) as pool:
        ids = {answer.json()["run_id"] for answer in pool.map(lambda _: ask(), range(4))}
    assert len(ids) == 1
    assert ask("Another goal").status_code == 422


def test_a_run_can_be_found_again(practice):
    made = practice.plan("Plan a picnic").json()
    found = practice.client.get(f"/autonomous/runs/{made['run_id']}").json()
    assert found["plan"] == made["plan"]
    assert [a["provider"] for a in found["attempts"]] == [a["provider"] for a in made["attempts"]]


def test_a_plan_is_carried_out_step_by_step(practice):
    goal = {"goal": "Plan a picnic"}
    body = practice.client.post("/autonomous/plan-and-execute", json=goal).json()
    assert body["status"] == "success"
    assert len(body["execution_results"]) == len(body["plan"]["steps"])
    of_run = f"run_id = '{body['run_id']}' AND status = 'ok' AND step IS NOT NULL"
    steps = rows(practice, f"SELECT step FROM call WHERE {of_run} ORDER BY step")
    # The last call, after all the steps, writes the answer from their results.
    assert [step for (step,) in steps] == list(range(len(body["plan"]["steps"]) + 1))
    assert body["final_answer"]


def test_the_history_can_be_taken_away_safe_for_spreadsheets(practice):
    practice.plan("=HYPERLINK(1)")
    table = practice.client.get("/autonomous/export.csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert "\n=" not in table.text
    lines = practice.client.get("/autonomous/export.jsonl").text.splitlines()
    assert len(lines) == rows(practice, "SELECT count(*) FROM call")[0][0]
    assert json.loads(lines[0])["provider"]


def test_real_providers_fall_back_and_every_request_is_a_row(tmp_path, yard):
    yard["anthropic"].script = lambda received: standin.status(529)
    yard["openai"].script = lambda received: standin.answer(PROSE)
    environment = {**yard.env("anthropic", "openai", "google"), "LLM_STRATEGY": "priority"}
    with Console(tmp_path, environment) as console:
        body = console.plan("Plan a picnic").json()
        assert body["provider_used"] == "google"
        assert body["simulated"] is False
        kinds = [(attempt["provider"], attempt["error_kind"]) for attempt in body["attempts"]]
        assert kinds == [
            ("anthropic", "overloaded"),
            ("openai", "invalid_plan"),
            ("openai", "invalid_plan"),
            ("google", None),
        ]
        assert body["attempts"][0]["http_status"] == 529
        received = [request for request in yard.requests if request.method == "POST"]
        assert rows(console, "SELECT count(*) FROM call") == [(len(received),)] == [(4,)]
        status = console.client.get("/autonomous/status").json()["llm_providers"]
        assert status["providers"]["google"]["success_rate"] == "100.0%"
        assert status["available_providers"] == ["anthropic", "openai", "google"]
        assert "practice_providers" not in console.client.get("/autonomous/status").json()
        chosen = console.plan("Plan a picnic", priority=["google"]).json()
        assert [attempt["provider"] for attempt in chosen["attempts"]] == ["google"]
        twice = console.plan("Plan a picnic", priority=["anthropic", "anthropic"])
        assert [attempt["provider"] for attempt in twice.json()["attempts"]] == ["anthropic"]
        not_set_up = console.plan("Plan a picnic", priority=["kimi"])
        assert not_set_up.status_code == 503
        assert not_set_up.json()["error"]["kind"] == "no_provider_configured"


def test_when_everybody_fails_the_answer_says_why_and_when(tmp_path, yard):
    yard["openai"].script = lambda received: standin.status(429, headers={"retry-after": "30"})
    with Console(tmp_path, yard.env("openai")) as console:
        answer = console.plan("Plan a picnic")
        assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "all_providers_failed")
        assert 0 < int(answer.headers["retry-after"]) <= 30
        assert [a["error_kind"] for a in answer.json()["attempts"]] == ["rate_limited"]
        yard["openai"].script = lambda received: standin.hang()
    with Console(tmp_path / "..", yard.env("openai")) as console:
        late = console.plan("Plan a picnic", timeout=0.5)
        assert (late.status_code, late.json()["error"]["kind"]) == (504, "deadline")


def test_no_key_and_no_practice_is_said_so(tmp_path):
    with Console(tmp_path, {"CONSOLE_PRACTICE": "off"}) as console:
        answer = console.plan("Plan a picnic")
        assert answer.status_code == 503
        assert answer.json()["error"]["kind"] == "no_provider_configured"


def test_after_a_kill_the_figures_stand_and_what_ran_is_marked_interrupted(tmp_path, yard):
    hold = threading.Event()
    environment = yard.env("openai")
    with Console(tmp_path, environment) as console:
        for _ in range(3):
            console.plan("Plan a picnic")
        before = console.client.get("/autonomous/status").json()["llm_providers"]
        yard["openai"].script = lambda received: standin.hang()
        with pytest.raises(httpx2.TimeoutException):
            console.client.post("/autonomous/plan", json={"goal": "x"}, timeout=0.7)
        console.kill()
    hold.set()
    with Console(tmp_path, environment) as console:
        after = console.client.get("/autonomous/status").json()["llm_providers"]
        assert after == before
        assert rows(console, "SELECT status, count(*) FROM run GROUP BY status ORDER BY 1") == [
            ("completed", 3),
            ("interrupted", 1),
        ]
        assert rows(console, "SELECT count(*) FROM call WHERE status = 'interrupted'") == [(1,)]


def test_a_key_is_nowhere_but_at_its_own_provider(tmp_path, yard):
    environment = yard.env()
    keys = [value for name, value in environment.items() if name.endswith("_API_KEY")]
    for name in yard:
        key = next((k for k in keys if name in k), "no key")
        body = {"error": {"message": f"bad {key}"}}
        yard[name].script = lambda received, body=body: standin.status(401, body)
    with Console(tmp_path, {**environment, "LOG_LEVEL": "DEBUG"}) as console:
        answer = console.plan(f"My key is {keys[0]}")
        pages = answer.text + console.client.get("/autonomous/status").text
        pages += console.client.get("/autonomous/export.jsonl").text
        console.stop()
        files = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
        for key in keys:
            assert key not in pages
            assert key.encode() not in files
        for name in yard:
            for request in yard[name].requests:
                sent = str(request.headers) + request.raw.decode(errors="replace")
                assert not [key for key in keys if key in sent and name not in key]


# A process of its own, so that it waits for the console and not for this one's hundred clients.
# Prints the 95th percentile of the waits in units of 3 ms of work, timed between them.
LOOK = """
import http.client, select, sys, time
console = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
waits, works = [], []
print("looking", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    for path in ("/healthz", "/"):
        begun = time.perf_counter()
        console.request("GET", path)
        answer = console.getresponse()
        answer.read()
        assert answer.status == 200
        looked = time.perf_counter()
        sum(range(150_000))
        works.append(time.perf_counter() - looked)
        waits.append(looked - begun)
at = int(len(waits) * 0.95)
print(sorted(waits)[at] / sorted(works)[at])
"""


def test_a_hundred_plans_at_once_all_end_and_the_page_stays_quick(tmp_path, yard):
    for name in yard:
        yard[name].script = lambda received: standin.answer(PLAN, delay=0.3)
    with Console(tmp_path, yard.env()) as console:
        console.plan("Warm")
        command = [sys.executable, "-c", LOOK, str(console.port)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as look:
            assert look.stdout is not None
            assert look.stdout.readline() == "looking\n"
            with ThreadPoolExecutor(100) as pool:
                bodies = pool.map(lambda n: console.plan(f"Goal {n}").json(), range(100))
                answers = [body["status"] for body in bodies]
            waited = float(look.communicate()[0])
        assert answers == ["success"] * 100
        assert waited < 100  # 0.3 s where the work takes its 3 ms


def test_it_refuses_to_be_reached_from_elsewhere_without_a_password(tmp_path):
    with Console(tmp_path, {"STREAMLIT_SERVER_ADDRESS": "0.0.0.0"}, wait=False) as console:
        assert console.process.wait(30) != 0
        said = console.log.read_text()
        assert "CONSOLE_PASSWORD" in said
        assert "Traceback" not in said


def test_a_second_process_on_the_same_history_is_told_so(tmp_path):
    with Console(tmp_path), Console(tmp_path, wait=False) as second:
        assert second.process.wait(30) != 0
        assert "Traceback" not in second.log.read_text()


def test_ctrl_c_is_no_failure(tmp_path):
    with Console(tmp_path) as console:
        console.stop()
        assert console.process.returncode == 0
        assert "Aborted" not in console.log.read_text()
        log = console.database.with_name("console.db-wal")
        assert not log.exists() or log.stat().st_size == 0


def left_beside(console: Console) -> list[str]:
    """What is there of the history, besides its lock."""
    names = (each.name for each in console.database.parent.glob("console.db*"))
    return sorted(name for name in names if name != "console.db.lock")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_after_a_stop_the_history_is_one_file(tmp_path, how):
    with Console(tmp_path) as console:
        made = console.plan("Plan a picnic").json()
        for path in ("status", f"runs/{made['run_id']}", "export.csv", "export.jsonl", "backup"):
            assert console.client.get(f"/autonomous/{path}").status_code == 200
        console.client.get("/")
        console.process.send_signal(how)
        console.process.wait(30)
        assert left_beside(console) == ["console.db"]
        assert "Traceback" not in console.log.read_text()


def test_a_start_that_fails_leaves_one_file(tmp_path):
    with Console(tmp_path) as console:
        (second := tmp_path / "second").mkdir()
        with Console(second, wait=False, port=console.port) as other:
            assert other.process.wait(30) != 0
            assert set(left_beside(other)) <= {"console.db"}


@pytest.mark.parametrize("key", ["", " ", "\t  "])
def test_an_empty_idempotency_key_is_none(practice, key):
    def ask(goal: str) -> tuple[int, str]:
        with closing(HTTPConnection("127.0.0.1", practice.port, timeout=60)) as connection:
            body = json.dumps({"goal": goal})
            connection.request("POST", "/autonomous/plan", body, {"Idempotency-Key": key})
            answer = connection.getresponse()
            return answer.status, json.load(answer)["run_id"]

    answers = [ask(goal) for goal in ("Make tea", "Make tea", "Make coffee")]
    assert [status for status, _ in answers] == [200] * 3
    assert len({run_id for _, run_id in answers}) == 3


DIRECT = ("console_app.py",)


@pytest.mark.parametrize(
    ("command", "environment"),
    [
        ((*DIRECT, "--server.port", "{port}"), {}),
        ((*DIRECT, "--server.port={port}", "--server.address=127.0.0.1"), {}),
        ((*DIRECT, "--port", "{port}"), {}),
        (DIRECT, {"STREAMLIT_SERVER_PORT": "{port}"}),
    ],
)
def test_started_without_streamlit_it_takes_a_port_all_the_same(tmp_path, command, environment):
    port = standin.closed_port()
    given = {name: value.format(port=port) for name, value in environment.items()}
    with Console(tmp_path, given, port=port, command=command) as console:
        assert console.client.get("/healthz").json() == {"status": "ok", "reason": None}


@pytest.mark.parametrize("wrong", ["--port=http", "--port=70000", "--port=0", "--colour=red"])
def test_a_wrong_option_is_named_before_anything_starts(tmp_path, wrong):
    with Console(tmp_path, command=(*DIRECT, wrong), wait=False) as console:
        assert console.process.wait(60) == 2
        said = console.log.read_text()
        assert "usage: python console_app.py" in said
        assert "Traceback" not in said
        assert not console.database.exists()


def test_a_stranger_learns_that_it_lives_and_no_more(practice):
    answer = practice.client.get("/healthz", headers={"Host": "10.244.1.17:8000"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    forwarded = practice.client.get("/healthz", headers={"X-Forwarded-For": "203.0.113.5"})
    assert (forwarded.status_code, forwarded.json()) == (200, {"status": "ok"})
    assert practice.client.get("/healthz").json() == {"status": "ok", "reason": None}


def test_a_request_that_a_proxy_forwards_needs_a_password(practice):
    answer = practice.client.get("/autonomous/status", headers={"X-Forwarded-For": "203.0.113.5"})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (403, "permission")
    assert "CONSOLE_PASSWORD" in answer.json()["error"]["action"]
