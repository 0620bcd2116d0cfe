"""No page has a serious or critical violation that axe-core finds, in either theme.

The script comes from its npm package; AXE_CORE names the file.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.window import IN_CHROMIUM, opened, opened_window

AXE = os.environ.get("AXE_CORE", "")
pytestmark = [
    *IN_CHROMIUM,
    pytest.mark.skipif(not Path(AXE).is_file(), reason="needs axe-core, see AXE_CORE in .ci/run"),
]

PAGES = {
    "run plan": "/",
    "run plan, finished": "/?run={run}",
    "compare": "/compare",
    "history, runs": "/history?view=runs",
    "history, calls": "/history?view=calls",
    "history, nothing found": "/history?view=calls&model=none",
    "history, a search": "/history?view=calls&text=picnic",
    "history, a call beside the list": "/history?view=calls&call=1",
    "history, a run beside the list": "/history?view=runs&run={run}",
    "call": "/call?call=1",
    "run": "/run?run={run}",
    "performance": "/performance",
    "providers": "/providers",
    "settings": "/settings",
}


@pytest.fixture(scope="module")
def run(console):
    made = console.plan("Plan a picnic by the lake for two families").json()
    assert made["status"] == "success"
    return made["run_id"]


# What Streamlit itself draws so, and no setting changes: rule and where.
OF_STREAMLIT = {
    # Sections of the navigation are paragraphs between the items of a list.
    "list": "[data-testid=stSidebarNavItems]",
    "listitem": "[data-testid=stSidebarNavItems]",
    # The hint of a key on a button; and the chosen segment, which has the accent's colour as
    # its text, while white must be legible on that same colour on buttons.
    "color-contrast": "kbd, [data-selected=true]",
    # The small chart of a metric takes no words; the chart of the same figures below it has them.
    "svg-img-alt": "[data-testid=stMetric]",
}
_FIND = """async known => {
    const found = await axe.run(document, {resultTypes: ["violations"]});
    const of = (rule, target) => {
        let element = null;
        for (const step of [target].flat(2)) {
            element = (element?.shadowRoot ?? document).querySelector(step);
        }
        return known[rule] && element?.closest(known[rule]);
    };
    return found.violations
        .filter(({impact}) => ["serious", "critical"].includes(impact))
        .flatMap(({id, help, nodes}) => nodes
            .filter(({target}) => !of(id, target))
            .map(({target, html}) => `${help}: ${target} ${html.slice(0, 160)}`));
}"""


def violations(page: Page) -> list[str]:
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(_FIND, OF_STREAMLIT)
    return found


@pytest.fixture(scope="module")
def window(browser):
    with opened_window(browser) as page:
        yield page


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_violation(window, console, run, name):
    opened(window, console.url + PAGES[name].format(run=run))
    expect(window.get_by_role("main")).to_be_visible()
    window.wait_for_timeout(1000)  # charts and parts of ours draw after the page has come
    found, seen = {}, set()
    for theme in ("light", "dark"):
        window.emulate_media(color_scheme=theme)
        window.wait_for_timeout(500)
        seen.add(window.evaluate("getComputedStyle(document.body).backgroundColor"))
        found[theme] = violations(window)
    assert found == {"light": [], "dark": []}
    assert len(seen) == 2  # the page has followed
