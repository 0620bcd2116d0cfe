"""The console as a process of its own, as the README starts it, on a free port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2

from core.config.settings import VARIABLES
from tests.standin import closed_port

ROOT = Path(__file__).parent.parent


STREAMLIT = ("-m", "streamlit", "run", "console_app.py", "--server.port", "{port}")


def surroundings(own: Mapping[str, str]) -> dict[str, str]:
    """The environment, with its own settings and no others."""
    settings = {row.name for row in VARIABLES}
    return {name: v for name, v in os.environ.items() if name not in settings} | dict(own)


class Console:
    """Started with `streamlit run`, or as `command` says; its history lives in `folder`.

    A context manager.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        wait: bool = True,
        port: int | None = None,
        command: Sequence[str] = STREAMLIT,
        root: Path = ROOT,
    ) -> None:
        self.port = port or closed_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = folder / "console.db"
        self.log = folder / "console.log"
        own = {"DATABASE_URL": f"sqlite:///{self.database}", **(environment or {})}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *(part.format(port=self.port) for part in command)],
                cwd=root,
                env=surroundings(own),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self.begun = time.monotonic()
        self.client = httpx2.Client(base_url=self.url, timeout=60, trust_env=False)
        if wait:
            try:
                self.ready_after = self._ready()
            except BaseException:
                self.kill()
                raise

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
