"""Runs in a real browser: watched, left, found again, stopped, told, repeated and taken away."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests import standin
from tests.browser.window import (
    IN_CHROMIUM,
    opened,
    opened_window,
    overflow,
    settled,
    strangers,
)
from tests.process import Console
from tests.standin import Yard

pytestmark = IN_CHROMIUM

GOAL = "Plan a conference for two hundred people"
SLOW = standin.answer(standin.PLAN, delay=1, interval=2.5)  # twenty seconds or so


def begun(page: Page, console: Console, goal: str = GOAL) -> str:
    """The address of a run that was just started."""
    opened(page, console.url)
    page.get_by_label("Goal", exact=True).fill(goal)
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"run=[0-9a-f]{32}"))
    return page.url


def ended(page: Page, status: str = "Plan ready") -> None:
    expect(page.locator(".stMarkdownBadge", has_text=status)).to_be_visible()
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    settled(page)


def attempts(page: Page) -> list[str]:
    """Who was asked, from the table of attempts."""
    rows = page.get_by_role("table", name=re.compile("^Attempts")).get_by_role("row")
    expect(rows.nth(1)).to_be_visible()
    return [row.locator(".provider").inner_text() for row in rows.all()[1:]]


def ordered(page: Page) -> list[str]:
    rows = page.get_by_role("list", name="Your order of the providers").get_by_role("listitem")
    expect(rows).to_have_count(7)
    return [row.get_attribute("data-label") or "" for row in rows.all()]


def test_a_run_goes_on_whatever_happens_to_the_window(browser, tmp_path):
    with Yard({"openai": SLOW}) as yard, Console(tmp_path, yard.env("openai")) as console:
        with opened_window(browser) as page, opened_window(browser, width=390) as second:
            address = begun(page, console)
            expect(page.get_by_text(re.compile("^Asking OpenAI… .* s$"))).to_be_visible()
            expect(page.get_by_text("Read first, then").first).to_be_visible()  # as it is written
            page.reload()
            expect(page.get_by_role("button", name="Stop")).to_be_visible()
            expect(page.get_by_text("Read first, then").first).to_be_visible()
            opened(second, address)
            expect(second.get_by_role("button", name="Stop")).to_be_visible()
            page.get_by_role("radiogroup", name="Strategy").get_by_text(
                "By lot"
            ).click()  # another click changes nothing
        with opened_window(browser) as page:  # every window was closed in the meantime
            opened(page, address)
            ended(page)
            expect(page.get_by_text("Confidence 90 %")).to_be_visible()
            assert attempts(page) == ["OpenAI"]
            page.get_by_role("link", name="History").click()
            page.wait_for_url("**/history**")
            page.get_by_role("link", name="Run plan").click()
            ended(page)  # the page knows which run was looked at last
            assert page.said == []
        assert len(yard.requests) == 1


def test_a_run_that_a_crash_cut_off_is_said_so_and_can_be_run_again(browser, tmp_path):
    with Yard({"openai": standin.hang()}) as yard:
        with (
            Console(tmp_path, yard.env("openai")) as console,
            opened_window(browser) as page,
        ):
            address = begun(page, console)
            expect(page.get_by_text(re.compile("^Asking OpenAI… .* s$"))).to_be_visible()
            console.kill()
        yard["openai"].script = standin.answer(standin.PLAN)
        with (
            Console(tmp_path, yard.env("openai")) as console,
            opened_window(browser) as page,
        ):
            opened(page, f"{console.url}/?{address.partition('?')[2]}")
            ended(page, "Interrupted")
            expect(page.get_by_text("Manyways was stopped before this run")).to_be_visible()
            page.get_by_role("button", name="Run again").click()
            ended(page)
            assert page.url.partition("?")[2] != address.partition("?")[2]


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_the_story_has_one_thing_to_do_and_it_can_be_undone(browser, tmp_path, width, theme):
    scripts = {"anthropic": standin.status(529), "openai": standin.answer(standin.PLAN)}
    with Yard(scripts) as yard, opened_window(browser, width=width, theme=theme) as page:
        environment = {**yard.env("anthropic", "openai"), "LLM_STRATEGY": "priority"}
        with Console(tmp_path, environment) as console:
            begun(page, console)
            ended(page)
            said = page.get_by_text("Anthropic was overloaded, so OpenAI planned it")
            expect(said).to_be_visible()
            assert attempts(page) == ["Anthropic", "OpenAI"]
            assert ordered(page)[:2] == ["Anthropic", "OpenAI"]
            page.get_by_text("Move Anthropic down", exact=True).click()
            expect(page.get_by_text("Anthropic is now number 2 in your order.")).to_be_visible()
            page.wait_for_timeout(2500)
            assert ordered(page)[:2] == ["OpenAI", "Anthropic"]
            page.get_by_role("button", name="Undo").click()
            expect(page.get_by_text("Move Anthropic down", exact=True)).to_be_visible()
            page.wait_for_timeout(2500)
            assert ordered(page)[:2] == ["Anthropic", "OpenAI"]
            assert overflow(page) <= 0
            assert strangers(page, console) == []
            assert page.said == []


def test_who_is_out_of_credit_is_one_click_from_its_bills(page, tmp_path):
    scripts = {"anthropic": standin.status(402), "openai": standin.answer(standin.PLAN)}
    with Yard(scripts) as yard:
        environment = {**yard.env("anthropic", "openai"), "LLM_STRATEGY": "priority"}
        with Console(tmp_path, environment) as console:
            begun(page, console)
            ended(page)
            expect(page.get_by_text("Anthropic was out of credit, so OpenAI")).to_be_visible()
            page.get_by_role("table").get_by_role("link", name="Anthropic").click()
            page.wait_for_url("**/call?call=1")
            expect(page.get_by_text("Call 1")).to_be_visible()
            page.go_back()
            bills = page.get_by_role("link", name="Open billing")
            assert (bills.get_attribute("href") or "").startswith("https://console.anthropic.com/")
            expect(page.get_by_text("OpenAI would be asked first")).to_be_visible()
            page.get_by_role("button", name="Why?").click()
            words = "is out of credit · 1 call: too few to judge"
            expect(page.get_by_text(words).first).to_be_visible()


def test_the_one_who_is_said_to_be_first_is_asked_first(page, console):
    for _ in range(3):
        opened(page, console.url)
        said = page.get_by_text(re.compile("would be asked first")).inner_text()
        page.get_by_label("Goal", exact=True).fill("Hire a part-time bookkeeper")
        page.keyboard.press("Control+Enter")
        page.wait_for_url(re.compile(r"run=[0-9a-f]{32}"))
        assert said.startswith(attempts(page)[0])
        ended(page)  # if its first does not answer, others have a turn


def test_a_run_is_repeated_with_somebody_else_first(page, console):
    begun(page, console)
    ended(page)
    before = page.url
    page.get_by_role("button", name="Another first").click()
    somebody = page.get_by_role("menuitem").last  # whoever answered is not among them
    name = somebody.inner_text()
    somebody.click()
    page.wait_for_url(lambda url: "run=" in url and url != before)
    rows = page.get_by_role("table", name=re.compile("^Attempts")).get_by_role("row")
    expect(rows.nth(1).locator(".provider")).to_have_text(name)
    ended(page)
    expect(page.get_by_text(GOAL).last).to_be_visible()


def test_a_plan_can_be_copied_and_taken_away_in_each_form(page, console):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    begun(page, console)
    ended(page)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")

    def taken(name: str) -> str:
        page.get_by_role("button", name="Download").first.click()
        with page.expect_download() as download:
            page.get_by_role("button", name=name, exact=True).click()
        page.keyboard.press("Escape")
        return Path(download.value.path()).read_text(encoding="utf-8")

    markdown = taken("Markdown")
    assert markdown == copied
    assert GOAL in markdown
    plan = json.loads(taken("JSON"))["plan"]
    rows = list(csv.DictReader(io.StringIO(taken("CSV of the steps"))))
    assert [row["description"] for row in rows] == [step["description"] for step in plan["steps"]]


def test_a_first_visit_is_explained_once_and_practice_on_every_page(page, tmp_path):
    with Console(tmp_path) as console:
        opened(page, console.url)
        expect(page.get_by_text("Welcome.")).to_be_visible()
        opened(page, console.url)
        expect(page.get_by_label("Goal", exact=True)).to_be_visible()
        expect(page.get_by_text("Welcome.")).not_to_be_visible()
        for address in ("/", "/history", "/performance", "/providers", "/settings"):
            opened(page, console.url + address)
            expect(page.get_by_text("Practice providers answer:")).to_be_visible()


def test_on_a_phone_a_run_comes_into_view(browser, console):
    with opened_window(browser, width=390, height=844) as page:
        begun(page, console)
        badges = page.locator(".st-key-one_run .stMarkdownBadge", has_text="Practice")
        head = badges.locator("visible=true").first
        expect(head).to_be_in_viewport()
        ended(page)
