"""Answers of any length: what they take while they go, and what is left of those that end early."""

import json
import os
import signal
import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path

import httpx2
import pytest

from core.web.downloads import Download
from db.sqlite.writer import SqliteHistory
from tests import standin
from tests.process import Console
from tests.test_guard import server  # noqa: F401 - a fixture

LONG = 2_000_000  # characters of a text
TEXTS = 60


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A console whose history holds 120 MB of texts."""
    folder = tmp_path_factory.mktemp("full")
    SqliteHistory.open(folder / "console.db").close()
    with closing(sqlite3.connect(folder / "console.db")) as connection:
        for number in range(1, TEXTS + 1):
            connection.execute(
                "INSERT INTO call (id, ordinal, provider, model, strategy, status, started_at,"
                " simulated, config) VALUES (?, 0, 'openai', 'm', 'priority', 'ok', 1e9, 0, '')",
                (number,),
            )
            connection.execute(
                "INSERT INTO call_text VALUES (?, '[]', ?)", (number, f"{number}" + "x" * LONG)
            )
        connection.commit()
    with Console(folder) as console:
        console.client.headers["Accept-Encoding"] = "identity"
        yield console


@contextmanager
def begun(console, path):
    """An answer of which the client takes the head, and then nothing."""
    with closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(30)
        client.connect(("127.0.0.1", console.port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{console.port}\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        yield client


def wait_for(condition, seconds=10.0):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return condition()


def held(console):
    """Bytes of files that have no name any more and take up the disk all the same."""
    total = 0
    for each in Path(f"/proc/{console.process.pid}/fd").iterdir():
        try:
            if "(deleted)" in os.readlink(each):
                total += each.stat().st_size
        except FileNotFoundError:
            continue
    return total


def memory(console):
    """Bytes in use, and the most there were."""
    said = Path(f"/proc/{console.process.pid}/status").read_text().splitlines()
    sizes = dict(line.split(":", 1) for line in said)
    return [int(sizes[name].split()[0]) << 10 for name in ("VmRSS", "VmHWM")]


linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")


@linux
def test_a_copy_that_nobody_takes_gives_the_disk_its_space_back_at_once(full):
    with begun(full, "/autonomous/backup"):
        assert held(full) > TEXTS * LONG
        second = full.client.get("/autonomous/backup")
        assert second.status_code == 503
        assert int(second.headers["retry-after"]) > 0
        assert second.json()["error"]["message"] == "The history is being copied already."
        assert held(full) < 2 * TEXTS * LONG
    assert wait_for(lambda: held(full) == 0)
    # The turn is given back a moment after the space.
    answers = iter(lambda: full.client.get("/autonomous/backup"), None)
    whole = next(answer for answer in islice(answers, 200) if answer.status_code == 200)
    assert len(whole.content) == int(whole.headers["content-length"]) > TEXTS * LONG
    assert wait_for(lambda: held(full) == 0)


@linux
def test_exports_of_long_texts_take_little_memory_and_few_go_on_at_once(full):
    before, _ = memory(full)

    def read(_):
        with full.client.stream("GET", "/autonomous/export.jsonl") as answer:
            if answer.status_code == 503:
                said = json.loads(answer.read())["error"]
                return 503, said["message"], answer.headers["retry-after"]
            return 200, sum(len(piece) for piece in answer.iter_raw()), None

    with ThreadPoolExecutor(20) as pool:
        answers = [*pool.map(read, range(20))]
    taken = [answer for answer in answers if answer[0] == 200]
    assert taken
    assert all(length > TEXTS * LONG for _, length, _ in taken)
    assert {answer[1:] for answer in answers if answer[0] == 503} == {
        ("Others are being exported just now, and each takes memory.", "30")
    }
    assert memory(full)[1] - before < 150 << 20
    assert read(0)[0] == 200  # each turn was given back


def test_exports_that_are_left_give_their_turns_back(full):
    for _ in range(5):
        with begun(full, "/autonomous/export.jsonl"):
            pass
        assert wait_for(lambda: full.client.head("/autonomous/export.csv").status_code == 200)


def test_a_client_that_takes_nothing_is_given_up(server, monkeypatch):  # noqa: F811 - the fixture
    monkeypatch.setattr("core.web.downloads._PATIENCE", 0.5)
    closed = []

    def pieces():
        try:
            while True:
                yield b"x" * (1 << 20)
        finally:
            closed.append("pieces")

    server.app = Download(
        pieces(),
        media_type="text/plain",
        name="x",
        close=lambda: closed.append("all"),
        stopping=lambda: False,
    )
    with begun(server, "/") as client:
        assert wait_for(lambda: closed == ["pieces", "all"], 5)
        answer = b""
        while some := client.recv(1 << 20):
            answer += some
        assert not answer.endswith(b"0\r\n\r\n")  # and does not look whole


def test_a_server_that_stops_waits_for_no_download(tmp_path, full):
    SqliteHistory.open(tmp_path / "console.db").close()
    with closing(sqlite3.connect(full.database)) as source:
        source.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    (tmp_path / "copy.db").replace(tmp_path / "console.db")
    with Console(tmp_path) as console, begun(console, "/autonomous/export.jsonl") as client:
        console.process.send_signal(signal.SIGTERM)
        time.sleep(2)
        with suppress(ConnectionError):
            while client.recv(1 << 20):
                pass
        console.process.wait(10)
        assert sorted(each.name for each in tmp_path.glob("console.db-*")) == []


@pytest.mark.parametrize(
    "path", ["status", "export.csv", "export.jsonl", "backup", "docs", "openapi.json", "runs/none"]
)
def test_head_is_get_without_a_body(full, path):
    head = full.client.head(f"/autonomous/{path}")
    with full.client.stream("GET", f"/autonomous/{path}") as get:
        assert (head.status_code, head.content) == (get.status_code, b"")
        for name in ("content-type", "content-disposition", "content-security-policy"):
            assert head.headers.get(name) == get.headers.get(name)


def test_head_where_only_post_is_taken_says_so(full):
    answer = full.client.head("/autonomous/plan")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    answer = full.client.delete("/autonomous/status")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_stream_says_that_it_lives_while_a_provider_is_silent(tmp_path, yard):
    yard["openai"].script = lambda received: standin.hang()
    with (
        Console(tmp_path, yard.env("openai")) as console,
        console.client.stream(
            "POST",
            "/autonomous/plan/stream",
            json={"goal": "Plan a picnic", "timeout": 24},
            timeout=httpx2.Timeout(12),
        ) as answer,
    ):
        lines = [*answer.iter_lines()]
    comments = [line for line in lines if line.startswith(":")]
    assert len(comments) == 2
    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert events[0] == "run_started"
    assert events[-1] == "run_failed"
