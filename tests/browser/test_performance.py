"""Performance in a real browser: the period in the address, marks that lead on, both themes."""

import re
import time

import pytest
from playwright.sync_api import Page, expect

from db.sample.believable import believable
from db.sample.fill import fill
from tests.browser.window import IN_CHROMIUM, opened, opened_window, overflow, settled, strangers
from tests.process import Console

pytestmark = IN_CHROMIUM


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A console with thirty days behind it."""
    folder = tmp_path_factory.mktemp("performance")
    fill(folder / "console.db", believable(3000, days=30, until=time.time() - 60))
    with Console(folder) as console:
        yield console


def choose(page: Page, period: str) -> None:
    page.get_by_role("radio", name=period).click()


def chart(page: Page, begins: str):
    found = page.locator(f'[role="graphics-document"][aria-label^="{begins}"]')
    expect(found).to_be_visible()
    settled(page)  # charts come one after the other, and those above may yet move it
    return found


def leads_to_as_many_as_it_says(page: Page, link) -> None:
    words = link.inner_text()
    number = re.match(r"[\d,]+", words.strip())[0]
    link.click()
    page.wait_for_url("**/history**")
    settled(page)
    expect(
        page.get_by_text(re.compile(f"^{number} (call|run)s? with these filters"))
    ).to_be_visible()


def test_the_period_is_in_the_address_and_back_brings_the_one_before(page, filled):
    opened(page, f"{filled.url}/performance")
    expect(page.get_by_role("radio", name="7 days")).to_be_checked()
    choose(page, "30 days")
    page.wait_for_url("**/performance?period=30d")
    expect(page.get_by_text("compared with the 30 days before")).to_be_visible()
    page.reload()
    settled(page)
    expect(page.get_by_text("compared with the 30 days before")).to_be_visible()
    choose(page, "Two dates")
    page.wait_for_url(re.compile(r"from=\d{4}-\d\d-\d\d&to=\d{4}-\d\d-\d\d"))
    page.go_back()
    page.wait_for_url("**/performance?period=30d")
    expect(page.get_by_role("radio", name="30 days")).to_be_checked()


@pytest.mark.parametrize("card", [" failures", " calls", " answers", " runs"])
def test_a_cards_number_leads_to_as_many_in_the_history(card, page, filled):
    opened(page, f"{filled.url}/performance?period=30d")
    link = page.get_by_test_id("stMain").get_by_role("link", name=re.compile(f"^[\\d,]+{card}"))
    leads_to_as_many_as_it_says(page, link.first)
    expect(page.get_by_role("button", name="As counted in Performance")).to_be_visible()


@pytest.mark.parametrize(
    ("begins", "mark"),
    [
        ("Share of answers", "Provider: BitNet"),
        ("Failures by reason", "Provider: "),
        ("How long answers took", "Provider: BitNet"),
        ("Runs saved", "When: "),
        ("Success rate over time", "Provider: BitNet"),
    ],
)
def test_a_mark_leads_to_the_calls_behind_it(begins, mark, page, filled):
    opened(page, f"{filled.url}/performance?period=30d")
    there = chart(page, begins)
    there.scroll_into_view_if_needed()
    link = page.get_by_role("link", name=re.compile(r"^[\d,]+ .* of |^[\d,]+ saved runs?, "))
    there.locator(f'[aria-label^="{mark}"]').last.click(force=True)
    expect(link).to_be_visible()
    leads_to_as_many_as_it_says(page, link)


def test_a_charts_numbers_are_a_table(page, filled):
    opened(page, f"{filled.url}/performance?period=30d")
    expect(page.get_by_test_id("stDataFrame")).to_have_count(1)  # of the providers
    page.get_by_text("Numbers", exact=True).first.click()
    expect(page.get_by_test_id("stDataFrame")).to_have_count(2)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440, 2560])
def test_it_fits_and_asks_nobody_else_in_either_theme(width, theme, browser, filled):
    with opened_window(browser, width=width, theme=theme) as page:
        opened(page, f"{filled.url}/performance?period=90d")
        chart(page, "Runs saved")
        assert overflow(page) <= 0
        assert strangers(page, filled) == []
        assert page.said == []
