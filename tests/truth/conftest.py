"""What the audits share: each history, its console and a window on it are made once."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import httpx2
import pytest

from core.ui import services
from core.web.api import make_api
from db.lists.export import export_csv, export_jsonl
from tests.truth import histories
from tests.truth.definitions import Rows
from tests.truth.shown import Page

PROVIDERS = {"ANTHROPIC": "first", "OPENAI": "second", "GOOGLE": "first", "DEEPSEEK": "first"}
SET_UP = {
    f"{name}_{what}": value
    for name, model in PROVIDERS.items()
    for what, value in (
        ("API_KEY", f"sk-{name.lower()}-0123456789abcdef"),
        ("MODEL", model),
        ("BASE_URL", "http://127.0.0.1:9"),
    )
}


@dataclass
class Opened:
    """A console on a history, and what its rows are."""

    path: Path
    given: services.Services
    page: Page
    exported: dict[str, set[str]] = field(default_factory=dict)  # ids, by what was asked

    @cached_property
    def rows(self):
        return Rows.of(self.path)

    @cached_property
    def api(self):
        return make_api(
            lambda: self.given.engine,
            export_csv=partial(export_csv, self.path),
            export_jsonl=partial(export_jsonl, self.path),
            backup=lambda copy: 0,
        )

    def got(self, *addresses):
        """What the API answers."""

        async def ask():
            transport = httpx2.ASGITransport(app=self.api)
            address = "http://localhost"
            async with httpx2.AsyncClient(transport=transport, base_url=address) as client:
                return [await client.get(address) for address in addresses]

        answers = asyncio.run(ask())
        assert {answer.status_code for answer in answers} <= {200}
        return answers

    def models(self, *, simulated=False):
        lineup = self.given.engine.lineup
        return {name: lineup.model_of(name, simulated=simulated) for name in lineup.priority}


@pytest.fixture(scope="package")
def _consoles(tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("truth"), {}
    with ExitStack() as stack:

        def opened(name):
            if name not in made:
                path = folder / f"{name}.db"
                histories.write(name, path)
                practice = {"CONSOLE_PRACTICE": "on"} if name == "practice" else {}
                given = stack.enter_context(histories.console(path, {**SET_UP, **practice}))
                made[name] = Opened(path, given, Page())
            return made[name]

        yield opened


@pytest.fixture
def console(_consoles):
    """`console(name, zone)`: the console on that history, as seen from there."""

    def opened(name, zone="UTC"):
        one = _consoles(name)
        services.provide(one.given)
        one.page.zone = zone
        return one

    yield opened
    services.provide(None)
