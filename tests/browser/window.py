"""A window of Debian's Chromium on the console."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.process import Console

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
READY = (
    "[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]"
)
UNDRAWN = ", ".join(
    f"[data-testid={chart}]:not(:has(svg))" for chart in ("stVegaLiteChart", "stMetricChart")
)
SLOWLY = 30_000  # milliseconds; a machine may be busy
expect.set_options(timeout=SLOWLY)

IN_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]


def launched(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@contextmanager
def opened_window(
    browser: Browser, *, width: int = 1440, height: int = 900, theme: str = "light"
) -> Iterator[Page]:
    """A window of somebody else, in a time zone with half hours.

    `page.asked` has each address it requested, `page.said` each error in its console.
    """
    unused = (context for context in browser.contexts if not context.pages)
    context = next(unused, None) or browser.new_context(
        timezone_id="Asia/Kolkata", accept_downloads=True
    )
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)
    page.set_default_timeout(SLOWLY)
    page.asked, page.said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on(
        "console",
        lambda message: page.said.append(message.text) if message.type == "error" else None,
    )
    yield page
    page.evaluate("try { localStorage.clear() } catch {}")
    page.close()
    context.clear_cookies()  # the next window has the pages' code already, and nothing else


def opened(page: Page, url: str) -> None:
    page.goto(url)
    settled(page)


def settled(page: Page) -> None:
    """When the page is drawn and listens: its code comes in parts, and nobody is faster."""
    page.wait_for_selector(READY)
    page.wait_for_selector("[data-testid=stSkeleton]", state="detached")
    page.wait_for_selector(UNDRAWN, state="detached")  # the last of them moves what is below
    page.evaluate("new Promise(done => requestIdleCallback(done))")


def strangers(page: Page, console: Console) -> list[str]:
    """Each address beyond the console that the page asked for."""
    own = (console.url, console.url.replace("http", "ws"), "data:", "blob:")
    return [url for url in page.asked if not url.startswith(own)]


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
