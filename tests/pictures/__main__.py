"""Takes the README's pictures of a console with practice data: `python -m tests.pictures`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.window import launched, opened, opened_window, settled
from tests.process import Console

HERE = Path(__file__).parent
GOAL = "Plan a six-week pilot of our scheduling tool with five clinics, including budget"
FILL = ("--calls", "20000", "--days", "60", "--seed", "7")


def run_plan(page: Page, console: Console) -> None:
    opened(page, console.url)
    page.get_by_label("Goal").fill(GOAL)
    page.get_by_role("button", name="Run plan").click()
    expect(page.get_by_text("Run again").first).to_be_visible()


def history(page: Page, console: Console) -> None:
    opened(page, f"{console.url}/history")


def performance(page: Page, console: Console) -> None:
    opened(page, f"{console.url}/performance?period=30d")


PICTURES = {"run_plan": (run_plan, "light"), "history": (history, "light")}
PICTURES["performance"] = (performance, "dark")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = str(Path(folder) / "console.db")
        fill = [sys.executable, "-m", "db.sample.fill", *FILL, "--database", database]
        subprocess.run(fill, check=True)
        with sync_playwright() as playwright, Console(Path(folder)) as console:
            browser = launched(playwright)
            for name, (show, theme) in PICTURES.items():
                with opened_window(browser, height=960, theme=theme) as page:
                    show(page, console)
                    settled(page)
                    page.wait_for_timeout(2_000)  # charts are drawn after the page has settled
                    page.screenshot(path=HERE / f"{name}.png")
            browser.close()


if __name__ == "__main__":
    main()
