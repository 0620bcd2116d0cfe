"""The first two pages in a real browser, with practice providers and with a hostile one."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import Page, expect

from tests import standin
from tests.browser.window import IN_CHROMIUM, READY, SLOWLY, opened, strangers
from tests.process import Console
from tests.standin import Yard

pytestmark = IN_CHROMIUM


@pytest.fixture
def page(desk_or_phone):
    return desk_or_phone


def run(page: Page, goal: str) -> None:
    page.get_by_label("Goal").fill(goal)
    page.keyboard.press("Control+Enter")


def test_a_goal_becomes_a_plan_that_survives_a_reload(page, console):
    opened(page, console.url)
    expect(page.get_by_text("Nothing has run yet.")).to_be_visible()
    run(page, "Plan a weekend in Lisbon for two, under 900 euros")
    page.wait_for_url(re.compile(r"run=[0-9a-f]{32}"))
    page.reload()  # in the middle of it
    expect(page.get_by_text("Run again")).to_be_visible()
    expect(page.get_by_text("Plan ready")).to_be_visible()
    expect(page.get_by_text("Confidence")).to_be_visible()
    badges = page.locator(".st-key-one_run .stMarkdownBadge", has_text="Practice")
    expect(badges.locator("visible=true").first).to_be_visible()
    expect(page.get_by_text("Lisbon").first).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0
    assert strangers(page, console) == []


def test_a_run_can_be_stopped_and_the_providers_connection_is_closed(page, tmp_path):
    yard = Yard({"openai": [standin.hang()]})
    with yard, Console(tmp_path, yard.env("openai")) as console:
        opened(page, console.url)
        run(page, "Plan a conference for two hundred people")
        expect(page.get_by_text("Asking OpenAI…").first).to_be_visible()
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".stMarkdownBadge", has_text="Stopped")).to_be_visible()
        asked = yard["openai"].requests[0]
        assert standin.eventually(lambda: asked.disconnected_at is not None)


def test_the_strategy_is_kept_at_once(page, console):
    opened(page, console.url)
    page.get_by_role("radiogroup", name="Strategy").get_by_text("By lot").click()
    page.wait_for_selector(READY)
    page.reload()
    page.wait_for_selector(READY)
    expect(page.get_by_role("radio", name="By lot")).to_be_checked()


def test_the_history_shows_a_call_in_full_and_by_its_address(page, console):
    console.plan("Research how small clinics schedule appointments")
    opened(page, f"{console.url}/history?view=calls")
    rows = page.get_by_role("table", name="Calls, newest first").get_by_role("row")
    rows.filter(has_text="Anthropic").first.click()
    expect(page.get_by_text("Request", exact=True)).to_be_visible()
    expect(page.get_by_text("You are a planner.").first).to_be_visible()
    page.wait_for_url(re.compile(r"call=\d+"))
    opened(page, page.url)
    expect(page.get_by_text("Request", exact=True)).to_be_visible()
    assert strangers(page, console) == []


def test_what_a_model_writes_is_shown_and_never_acted_on(browser, tmp_path):
    hits: list[str] = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hits.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    trap = HTTPServer(("127.0.0.2", 0), Trap)
    threading.Thread(target=trap.serve_forever, daemon=True).start()
    address = f"http://127.0.0.2:{trap.server_port}"
    evil = (
        f"![a]({address}/a.png) <img src={address}/b.png onerror=alert(1)> [x](javascript:alert(1))"
        f" <script>fetch('{address}/c')</script> :red[no] $x^2$ `code` :material/home:"
        f" ![r][1]\n\n[1]: {address}/d.png\n"
        f'```mermaid\nflowchart LR\n a-->b\n click a "{address}"\n```'
    )
    step = {"agent_type": evil[:80], "description": evil, "tool_name": evil[:40], "parameters": {}}
    plan = {"reasoning": evil, "confidence": 1, "estimated_duration": 1}
    hostile = json.dumps({**plan, "steps": [{**step, "dependencies": []}]})
    with Yard({}) as yard:
        yard["openai"].script = lambda received: standin.answer(hostile)
        yard["google"].script = lambda received: standin.status(
            400, {"error": {"code": 400, "message": evil, "status": "INVALID_ARGUMENT"}}
        )
        environment = {**yard.env("google", "openai"), "LLM_STRATEGY": "priority"}
        environment["LLM_PRIORITY"] = "google,openai"
        with Console(tmp_path, environment) as console:
            made = console.plan(evil).json()
            assert made["status"] == "success"
            page = browser.new_page()
            page.set_default_timeout(SLOWLY)
            page.on("dialog", lambda dialog: hits.append(dialog.message))
            opened(page, f"{console.url}/?run={made['run_id']}")
            expect(page.get_by_text("Completed")).to_be_visible()
            expect(page.get_by_text("<script>").first).to_be_visible()
            for call in (1, 2):
                opened(page, f"{console.url}/history?call={call}")
                expect(page.get_by_text("Request", exact=True)).to_be_visible()
            page.close()
    trap.shutdown()
    trap.server_close()
    assert hits == []
