"""What a console's process runs that is forked from a server with the libraries imported."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Mapping, Sequence

# Imported once a test process instead of once a console: three seconds of a core each.
LIBRARIES = [
    "altair",
    "anthropic",
    "fastapi",
    "genai_prices",
    "google.genai",
    "markdown_it",
    "openai",
    "pandas",
    "sqlmodel",
    "streamlit.web.cli",
    "uvicorn",
]


def serve(
    root: str, environ: Mapping[str, str], log: str, module: str, words: Sequence[str]
) -> None:
    """Become what `python -m module *words` would be, with this environment and this log."""
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(root)
    for stream in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), stream)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
