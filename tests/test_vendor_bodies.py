"""What vendors say when something is the matter, word for word, read by the adapters.

`VENDOR_BODIES` names a file of such bodies that lies outside this repository, one a line:
`provider`, `stream`, `status`, `headers`, `body`, and `expect`: the kinds that it may be read as,
or the answer that it is.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from core.errors import ProviderError
from core.providers import PROVIDERS
from core.types import Message, Reply, Request, Usage
from tests.standin import SEATS, StandIn, replay

FILE = os.environ.get("VENDOR_BODIES")
NAMES = {"moonshot": "kimi", "llamacpp": "bitnet"}  # where the file says it otherwise
HI = Request((Message("user", "hi"),))


def end_of(
    name: str,
    body: str,
    *,
    code: int = 200,
    streamed: bool = False,
    content_type: str = "application/json",
) -> Reply | ProviderError:
    """How a request ends that gets this for an answer."""
    spec = PROVIDERS[name]

    async def ask(base_url: str) -> Reply | ProviderError:
        provider = spec.build(name, model=spec.model, api_key="none", base_url=base_url)
        try:
            return await provider.complete(HI, on_text=[].append if streamed else None)
        except ProviderError as error:
            return error
        finally:
            await provider.aclose()

    act = replay(body.encode(), code=code, headers={"content-type": content_type})
    with StandIn(SEATS[name].wire, act) as vendor:
        end = asyncio.run(ask(vendor.base_url))
        assert len(vendor.requests) == 1
        return end


def _rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(FILE).read_text("utf-8").splitlines()] if FILE else []


@pytest.mark.skipif(not FILE, reason="VENDOR_BODIES names no file of vendors' bodies")
@pytest.mark.parametrize(
    "row", _rows(), ids=lambda row: f"{row['case']}-{'streamed' if row['stream'] else 'whole'}"
)
def test_a_body_that_was_seen_is_read_as_its_vendor_means_it(row):
    end = end_of(
        NAMES.get(row["provider"], row["provider"]),
        row["body"],
        code=row["status"],
        streamed=row["stream"],
        content_type=row["headers"]["content-type"],
    )

    expected = row["expect"]
    if isinstance(expected, list):
        assert isinstance(end, ProviderError), end
        assert end.kind in expected, (end.kind, end.message)
        assert "no explanation" not in end.message
        return
    assert isinstance(end, Reply), (end.kind, end.message)
    assert end.content == expected["text"]
    assert end.usage == Usage(*expected["usage"])
    assert end.truncated == expected.get("truncated", False)
