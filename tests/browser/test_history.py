"""The History page in a real browser: filters in its address, one call beside it, what is new."""

import csv
import json
import re
import sqlite3
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import standin
from tests.browser.window import IN_CHROMIUM, opened, opened_window, overflow, settled, strangers
from tests.process import Console
from tests.standin import PLAN, Yard

pytestmark = IN_CHROMIUM

GOALS = [f"Plan picnic number {number} by the lake" for number in range(1, 29)]


@pytest.fixture(scope="module")
def yard():
    """Google always fails, OpenAI always answers."""
    with Yard({}) as yard:
        yard["google"].script = lambda received: standin.status(529)
        yard["openai"].script = lambda received: standin.answer(PLAN)
        yield yard


@pytest.fixture(scope="module")
def console(tmp_path_factory, yard):
    """28 runs of two calls each: Google fails, so OpenAI answers."""
    environment = {
        **yard.env("google", "openai"),
        "LLM_STRATEGY": "priority",
        "LLM_PRIORITY": "google,openai",
        "LLM_FAILURE_THRESHOLD": "100",
    }
    with Console(tmp_path_factory.mktemp("history"), environment) as console:
        for goal in GOALS:
            assert console.plan(goal).json()["status"] == "success"
        yield console


def rows_of(page: Page, what: str = "Calls") -> Locator:
    return (
        page.get_by_role("table", name=f"{what}, newest first").locator("tbody").get_by_role("row")
    )


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()


def scalar(console: Console, sql: str) -> int:
    with sqlite3.connect(console.database) as connection:
        return int(connection.execute(sql).fetchone()[0])


def test_the_chain_of_a_run_is_in_the_list(page, console):
    opened(page, f"{console.url}/history")
    expect(page.get_by_text(re.compile(r"^\d+ runs"))).to_be_visible()
    expect(rows_of(page, "Runs").first).to_contain_text("Google ✕ → OpenAI ✓")
    page.get_by_role("radio", name="Calls").click()
    expect(rows_of(page).first).to_contain_text("Google ✕ → OpenAI ✓")
    assert strangers(page, console) == []


def test_a_filter_goes_into_the_address_and_a_reload_and_a_colleague_see_the_same(
    browser, page, console
):
    opened(page, f"{console.url}/history?view=calls")
    choose(page, "Provider", "Google")
    page.wait_for_url(re.compile("provider=google"))
    page.keyboard.press("Escape")
    failures = scalar(console, "SELECT count(*) FROM call WHERE provider = 'google'")
    words = re.compile(rf"^{failures} calls with these filters")
    expect(page.get_by_text(words)).to_be_visible()
    page.reload()
    settled(page)
    expect(page.get_by_text(words)).to_be_visible()
    with opened_window(browser) as theirs:
        opened(theirs, page.url)
        expect(theirs.get_by_text(words)).to_be_visible()
        expect(rows_of(theirs).first).to_contain_text("Overloaded")
    page.get_by_role("button", name="Clear filters").click()
    page.wait_for_url(lambda url: "provider" not in url)
    expect(page.get_by_text(re.compile(r"^\d+ calls, "))).to_be_visible()
    page.go_back()
    expect(page.get_by_text(words)).to_be_visible()


def test_a_period_and_two_dates_are_the_viewers_own(page, console):
    opened(page, f"{console.url}/history?view=calls")
    choose(page, "Time", "Last 7 days")
    page.wait_for_url(re.compile("period=7d"))
    expect(rows_of(page)).to_have_count(25)
    choose(page, "Time", "Two dates")
    page.wait_for_url(re.compile("since="))
    given = query_of(page)
    since, until = (int(given[name][0]) for name in ("since", "until"))
    # Kolkata is 5 hours and 30 minutes ahead: its midnights are at 18:30.
    assert [moment % 86400 for moment in (since, until)] == [18 * 3600 + 1800] * 2
    assert until - since == 7 * 86400
    expect(rows_of(page)).to_have_count(25)


def test_a_click_anywhere_in_a_row_shows_the_call_beside_the_list(page, console):
    opened(page, f"{console.url}/history?view=calls&provider=openai")
    row = rows_of(page).nth(3)
    name = row.get_attribute("data-id")
    box = row.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 30, box["y"] + box["height"] / 2)
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text("Request", exact=True)).to_be_visible()
    expect(drawer.get_by_text("OpenAI answered in")).to_be_visible()
    expect(drawer.get_by_text("Plan picnic number").first).to_be_visible()
    assert query_of(page)["call"] == [name]
    opened(page, page.url)  # the address alone shows it too
    expect(drawer.get_by_text("OpenAI answered in")).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    page.wait_for_url(lambda url: "call=" not in url)
    row.click(position={"x": 20, "y": 10})  # and the same one again
    expect(drawer.get_by_text("OpenAI answered in")).to_be_visible()


def test_the_keyboard_alone_opens_a_row_and_closes_it(page, console):
    opened(page, f"{console.url}/history?view=calls")
    links = rows_of(page).get_by_role("link")
    links.first.focus()
    page.keyboard.press("ArrowDown")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text("Google is overloaded.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def test_a_call_and_its_run_have_pages_of_their_own(page, console):
    opened(page, f"{console.url}/history?view=calls&call=2")
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("link", name="Full page").click()
    page.wait_for_url(re.compile(r"/call\?call=2"))
    expect(page.get_by_role("heading", name="Call 2")).to_be_visible()
    expect(page.get_by_text("attempt 2 of 2")).to_be_visible()
    page.get_by_role("link", name="Open its run").click()
    page.wait_for_url(re.compile(r"/run\?run=[0-9a-f]{32}"))
    expect(page.get_by_text(GOALS[0]).first).to_be_visible()


def test_pages_are_turned_and_a_filter_begins_at_the_first(page, console):
    opened(page, f"{console.url}/history?view=calls")
    first = rows_of(page).first.get_attribute("data-id") or ""
    page.get_by_role("button", name="Next page").click()
    page.wait_for_url(re.compile("page=2"))
    expect(page.get_by_text("26 to 50 shown")).to_be_visible()
    expect(rows_of(page).first).not_to_have_attribute("data-id", first)
    page.reload()
    settled(page)
    expect(page.get_by_text("26 to 50 shown")).to_be_visible()
    choose(page, "Outcome", "Failed")
    page.wait_for_url(lambda url: "page=" not in url)
    expect(page.get_by_text("1 to 25 shown")).to_be_visible()


def test_what_is_searched_for_is_marked_in_the_list_and_in_the_call(page, console):
    opened(page, f"{console.url}/history?view=calls")
    page.get_by_label("Search").fill("picnic 17")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("text=picnic"))
    expect(rows_of(page)).to_have_count(2)
    expect(rows_of(page).first.locator("mark").first).to_have_text("picnic")
    rows_of(page).first.click()
    marks = page.get_by_role("dialog").locator("mark")
    expect(marks.filter(has_text="picnic").first).to_be_visible()


def test_filters_are_saved_and_taken_again(page, console):
    opened(page, f"{console.url}/history?view=calls&provider=google&status=failed")
    page.get_by_role("button", name="Saved").click()
    page.get_by_label("Name").fill("What Google could not do")
    page.get_by_role("button", name="Save these filters").click()
    expect(page.get_by_role("button", name="What Google could not do", exact=True)).to_be_visible()
    opened(page, f"{console.url}/history")
    page.get_by_role("button", name="Saved").click()
    page.get_by_role("button", name="What Google could not do", exact=True).click()
    page.wait_for_url(re.compile("provider=google"))
    assert query_of(page) == {"view": ["calls"], "provider": ["google"], "status": ["failed"]}
    delete = page.get_by_role("button", name="Delete", exact=True)
    if not delete.is_visible():
        page.get_by_role("button", name="Saved").click()
    delete.click()
    expect(page.get_by_text("Choose filters, give them a name")).to_be_visible()


def test_the_export_holds_exactly_the_rows_that_the_filters_let_through(page, console):
    opened(page, f"{console.url}/history?view=calls&provider=google")
    with sqlite3.connect(console.database) as connection:
        wanted = connection.execute(
            "SELECT id, status, error_kind FROM call WHERE provider = 'google' ORDER BY id"
        ).fetchall()
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as table:
        page.get_by_role("link", name="Table (CSV)").click()
    with open(table.value.path(), newline="", encoding="utf-8") as file:
        rows = [(int(r["id"]), r["status"], r["error_kind"]) for r in csv.DictReader(file)]
    assert rows == wanted
    with page.expect_download() as lines:
        page.get_by_role("link", name="JSON lines").click()
    with open(lines.value.path(), encoding="utf-8") as file:
        calls = [json.loads(line) for line in file]
    assert [call["id"] for call in calls] == [row[0] for row in wanted]
    assert all("picnic" in call["request"][-1]["content"] for call in calls)
    assert len(page.context.pages) == 1


def test_a_run_is_run_again_from_the_list_with_another_provider_first(page, console, yard):
    before = len(yard["google"].requests)
    opened(page, f"{console.url}/history")
    rows_of(page, "Runs").nth(1).click()
    page.get_by_role("dialog").get_by_role("button", name="Run again").click()
    page.get_by_role("menuitem", name="OpenAI first").click()
    page.wait_for_url(re.compile(r"/\?run=[0-9a-f]{32}"))
    expect(page.get_by_text("OpenAI answered in").first).to_be_visible()
    assert len(yard["google"].requests) == before


def test_a_new_call_comes_by_itself_and_disturbs_nobody(page, console):
    opened(page, f"{console.url}/history?view=calls")
    newest = rows_of(page).first.get_attribute("data-id")
    console.plan("Plan something that has just come up")
    expect(rows_of(page).first).not_to_have_attribute("data-id", newest or "")
    opened(page, f"{console.url}/history?view=calls&page=2")
    expect(page.get_by_text("26 to 50 shown")).to_be_visible()
    before = rows_of(page).first.get_attribute("data-id")
    console.plan("Plan something else that has just come up")
    news = page.get_by_role("button", name="2 new calls, show")
    expect(news).to_be_visible()
    assert rows_of(page).first.get_attribute("data-id") == before
    news.click()
    page.wait_for_url(lambda url: "page=" not in url)
    page.get_by_text("1 to 25 shown").wait_for()
    expect(rows_of(page).first).not_to_have_attribute("data-id", before or "")


def test_nothing_is_read_again_while_nothing_has_changed(page, console):
    opened(page, f"{console.url}/history?view=calls")
    expect(rows_of(page)).to_have_count(25)
    page.wait_for_timeout(1500)
    page.evaluate("""() => {
        window.drawn = 0;
        const host = [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
            .find(part => part.shadowRoot?.querySelector('table'));
        new MutationObserver(() => { window.drawn += 1; })
            .observe(host.shadowRoot.querySelector('.frame'), {childList: true});
    }""")
    page.wait_for_timeout(3500)  # three looks
    assert page.evaluate("window.drawn") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_phone_the_rows_are_cards_that_fit(browser, console, theme):
    with opened_window(browser, width=390, height=844, theme=theme) as page:
        for view in ("runs", "calls"):
            opened(page, f"{console.url}/history?view={view}")
            rows = rows_of(page, view.capitalize())
            expect(rows.first).to_contain_text("Google ✕ → OpenAI ✓")
            assert overflow(page) <= 0
            box = rows.first.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
        rows_of(page).first.click()
        expect(page.get_by_role("dialog").get_by_text("Request", exact=True)).to_be_visible()
        assert overflow(page) <= 0
