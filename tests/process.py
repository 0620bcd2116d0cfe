"""The console as a process of its own, as the README starts it, on a free port."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import httpx2

from core.config.settings import VARIABLES
from tests.served import LIBRARIES, serve
from tests.standin import closed_port

ROOT = Path(__file__).parent.parent
STREAMLIT = ("-m", "streamlit", "run", "console_app.py", "--server.port", "{port}")

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(LIBRARIES)


class Forked:
    """What a `subprocess.Popen` of `python command` is, the libraries imported beforehand."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        _, module, *words = command
        self._process = _forks.Process(
            target=serve, args=(str(ROOT), dict(environ), str(log), module, words)
        )
        # A fork runs the file of `__main__` anew, and in a page's test that is the page.
        main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            self._process.start()
        finally:
            sys.modules["__main__"] = main
        assert self._process.pid
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises `TimeoutExpired` after `timeout` seconds."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("console", timeout or 0)
        return self.returncode


def surroundings(own: Mapping[str, str]) -> dict[str, str]:
    """The environment, with its own settings and no others."""
    settings = {row.name for row in VARIABLES}
    return {name: v for name, v in os.environ.items() if name not in settings} | dict(own)


class Console:
    """`streamlit run` in a process of its own; its history lives in `folder`.

    With a `command` that command is started as a person would, without what most starts share
    here: the libraries' import; `root` is where the code is. A context manager.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        wait: bool = True,
        port: int | None = None,
        command: Sequence[str] | None = None,
        root: Path = ROOT,
    ) -> None:
        self.port = port or closed_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = folder / "console.db"
        self.log = folder / "console.log"
        environ = surroundings(
            {"DATABASE_URL": f"sqlite:///{self.database}", **(environment or {})}
        )
        words = [part.format(port=self.port) for part in command or STREAMLIT]
        self.process = (
            self._started(words, environ, root) if command else Forked(words, environ, self.log)
        )
        self.begun = time.monotonic()
        self.client = httpx2.Client(base_url=self.url, timeout=60, trust_env=False)
        if wait:
            try:
                self.ready_after = self._ready()
            except BaseException:
                self.kill()
                raise

    def _started(
        self, words: Sequence[str], environ: Mapping[str, str], root: Path
    ) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *words],
                cwd=root,
                env=environ,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def _ready(self) -> float:
        """Seconds from the start to the first 200 of /healthz."""
        while time.monotonic() - self.begun < 60:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.client.get("/healthz").status_code == 200:
                    return time.monotonic() - self.begun
            except httpx2.TransportError:
                time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def plan(self, goal: str, **more: object) -> httpx2.Response:
        return self.client.post("/autonomous/plan", json={"goal": goal, **more})

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ask it to stop, as Ctrl+C does, and wait until it has."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
