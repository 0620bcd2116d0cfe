"""What the browser tests start from."""

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.window import launched, opened_window
from tests.process import Console


@pytest.fixture(scope="module")
def browser():
    # For one file: while it is open this thread has a running loop, and no other test could.
    with sync_playwright() as playwright:
        browser = launched(playwright)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    with opened_window(browser) as page:
        yield page


@pytest.fixture(params=[(1440, "light"), (390, "dark")], ids=["desk, light", "phone, dark"])
def desk_or_phone(browser, request):
    width, theme = request.param
    with opened_window(browser, width=width, theme=theme) as page:
        yield page


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    """A console of practice providers, for the tests of one file."""
    with Console(tmp_path_factory.mktemp("browser")) as console:
        yield console
