"""Practice providers: seven stand-ins that make the console useful without a key.

They run in this process and are asked over loopback HTTP, by the vendors' own SDKs and in the
vendors' own wire formats, so that everything but the model is the real thing.
A new provider of the registry is here by itself.
"""

from __future__ import annotations

import atexit
from functools import cache

from core.practice.server import PracticeServer

__all__ = ["PracticeServer", "api_key", "base_urls"]


def base_urls() -> dict[str, str]:
    """Start the practice server if it is not running; provider name -> base URL in the form its
    vendor's SDK takes."""
    return _server().base_urls()


def api_key() -> str:
    """The key that every practice provider takes: random, and new with each process."""
    return _server().api_key


@cache
def _server() -> PracticeServer:
    server = PracticeServer()
    server.start()
    atexit.register(server.close)
    return server
