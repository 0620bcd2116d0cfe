"""The Run page in a real browser: its order, its preview, and runs that nothing interrupts."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.window import IN_CHROMIUM, opened, opened_window, overflow, settled, strangers

pytestmark = IN_CHROMIUM


def rows_of(page: Page) -> Locator:
    rows = page.get_by_role("list", name="Your order of the providers").get_by_role("listitem")
    expect(rows).to_have_count(7)
    return rows


def order(page: Page) -> list[str]:
    return [row.get_attribute("data-name") or "" for row in rows_of(page).all()]


def box(row: Locator) -> dict[str, float]:
    row.scroll_into_view_if_needed()
    found = row.bounding_box()
    assert found is not None
    return found


def handle(page: Page, label: str) -> Locator:
    return page.get_by_role("button", name=re.compile(f"^Move {label}, number"))


def kept(page: Page, console, wanted: list[str]) -> None:
    """The page shows this order, and so does another window that is opened now."""
    assert order(page) == wanted
    page.wait_for_timeout(700)  # the console has been told, and older orders came back
    assert order(page) == wanted
    opened(page, console.url)
    assert order(page) == wanted


def test_the_order_is_changed_by_dragging(page, console):
    opened(page, console.url)
    before = order(page)
    rows = rows_of(page)
    rows.nth(6).scroll_into_view_if_needed()
    grip = box(rows.nth(0).locator(".handle"))
    target = box(rows.nth(3))
    page.mouse.move(grip["x"] + 10, grip["y"] + 10)
    page.mouse.down()
    page.mouse.move(grip["x"] + 12, grip["y"] + 60, steps=4)
    page.mouse.move(grip["x"] + 12, target["y"] + 12, steps=8)
    page.mouse.up()
    kept(page, console, [*before[1:4], before[0], *before[4:]])


def test_a_drag_is_given_up_with_escape(page, console):
    opened(page, console.url)
    before = order(page)
    rows_of(page).nth(6).scroll_into_view_if_needed()
    grip = box(rows_of(page).first.locator(".handle"))
    page.mouse.move(grip["x"] + 10, grip["y"] + 10)
    page.mouse.down()
    page.mouse.move(grip["x"] + 10, grip["y"] + 150, steps=6)
    assert order(page) != before
    page.keyboard.press("Escape")
    page.mouse.up()
    kept(page, console, before)


def test_the_order_is_changed_by_touch(browser, console):
    with opened_window(browser, width=390, theme="dark") as page:
        opened(page, console.url)
        before = order(page)
        grip = box(rows_of(page).nth(1).locator(".handle"))
        x, y = grip["x"] + 10, grip["y"] + 10
        touch = page.context.new_cdp_session(page)
        for kind, at in (
            ("touchStart", y),
            *(("touchMove", y - by) for by in range(5, 41, 5)),
        ):
            points = [{"x": x, "y": at}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        kept(page, console, [before[1], before[0], *before[2:]])


def test_the_order_is_changed_by_keys_however_fast_and_said_aloud(page, console):
    opened(page, console.url)
    before = order(page)
    first = rows_of(page).first.locator(".handle")
    label = rows_of(page).first.get_attribute("data-label")
    first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.className") == "handle"
    expect(page.get_by_role("status").filter(has_text="now number")).to_have_text(
        f"{label} is now number 4 of 7."
    )
    kept(page, console, [*before[1:4], before[0], *before[4:]])
    handle(page, label).focus()
    page.keyboard.press("Home")
    kept(page, console, before)


def test_the_order_is_changed_by_buttons_and_in_every_window(page, browser, console):
    opened(page, console.url)
    before = order(page)
    with opened_window(browser) as other:
        opened(other, console.url)
        rows_of(page).nth(1).get_by_role("button", name=re.compile("up$")).click()
        wanted = [before[1], before[0], *before[2:]]
        kept(page, console, wanted)
        other.wait_for_function(
            "name => [...document.querySelectorAll('*')].some(each => each.shadowRoot"
            "?.querySelector('ol > li')?.dataset.name === name)",
            arg=wanted[0],
        )
        assert order(other) == wanted


@pytest.mark.parametrize("address", ["/", "/history", "/performance", "/providers", "/settings"])
def test_no_page_asks_a_stranger_or_complains_in_the_browser(browser, console, address):
    with opened_window(browser, width=390) as page:
        opened(page, console.url + address)
        settled(page)
        page.wait_for_timeout(500)
        assert strangers(page, console) == []
        assert page.said == []
        assert overflow(page) <= 0
