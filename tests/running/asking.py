"""The API of an engine, asked without a server."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2

from core.running.engine import Engine
from core.web.api import make_api


def answer_of(engine: Engine, method: str, path: str, **more: Any) -> httpx2.Response:
    """What the API says to it."""
    api = make_api(
        lambda: engine,
        export_csv=lambda filters: iter(()),
        export_jsonl=lambda filters: iter(()),
        backup=lambda copy: 0,
    )

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=api)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, timeout=60, **more)

    return asyncio.run(ask())
