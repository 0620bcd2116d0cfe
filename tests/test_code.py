"""The code is as its tools want it. They are part of `pytest`, so that one command runs all."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = {"ruff": ("ruff", "check", "--no-cache", "."), "mypy": ("mypy",)}


@pytest.mark.parametrize("tool", TOOLS)
def test_it_has_nothing_to_say(tool):
    done = subprocess.run(
        [sys.executable, "-m", *TOOLS[tool]],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_streamlit_knows_every_option_that_is_set():
    from streamlit import config

    written = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    known = config.get_config_options()
    assert [name for name in _paths(written) if name not in known] == []


def test_the_versions_are_pinned_exactly():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


def _paths(table, before=""):
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{before}{name}.")
        else:
            yield f"{before}{name}"
