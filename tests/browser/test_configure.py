"""Providers and Settings in a real browser: what is done there holds, and can be taken back."""

import re
import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests import standin
from tests.browser.window import IN_CHROMIUM, opened, opened_window, overflow, settled, strangers
from tests.process import Console
from tests.standin import PLAN, Yard

pytestmark = IN_CHROMIUM


@pytest.fixture
def page(desk_or_phone):
    return desk_or_phone


@pytest.fixture
def desk(browser):
    with opened_window(browser) as page:
        yield page


@pytest.fixture(scope="module")
def yard():
    with Yard({}) as yard:
        for name in yard:
            yard[name].script = lambda received: standin.answer(PLAN)
        yard["openai"].models = ["gpt-6-luna", "gpt-6.1-sol", "gpt-4o"]
        yield yard


@pytest.fixture(scope="module")
def real(tmp_path_factory, yard):
    """A console with two real providers, of which the first is asked first."""
    environment = {
        **yard.env("openai", "google"),
        "LLM_STRATEGY": "priority",
        "LLM_PRIORITY": "openai,google",
    }
    with Console(tmp_path_factory.mktemp("configure"), environment) as console:
        yield console


def card(page: Page, name: str):
    return page.locator(f".st-key-card_{name}")


def clean(page: Page, console: Console) -> None:
    assert overflow(page) <= 0
    assert strangers(page, console) == []
    assert page.said == []


def test_both_pages_fit_call_nobody_else_and_keep_the_browser_quiet(page, console):
    opened(page, f"{console.url}/providers")
    mark = card(page, "anthropic").locator(".stMarkdownBadge", has_text="Practice")
    expect(mark.filter(visible=True).first).to_be_visible()
    expect(page.get_by_role("img", name="Last 24 hours").first).to_be_visible()
    clean(page, console)
    opened(page, f"{console.url}/settings")
    for tab in ("History", "Every setting", "Changes", "Versions", "Limits"):
        page.get_by_role("tab", name=tab).click()
        settled(page)
        clean(page, console)


def test_a_drill_shows_everywhere_lets_the_next_answer_and_is_ended_by_its_banner(page, real, yard):
    opened(page, f"{real.url}/providers")
    card(page, "openai").get_by_role("button", name="Pretend it is down").click()
    banner = page.locator(".st-key-fire_drill")
    expect(banner).to_contain_text("OpenAI is pretended down")
    expect(card(page, "openai").get_by_text("Pretended down")).to_be_visible()
    before = len(yard["openai"].requests)
    made = real.plan("Plan a picnic").json()
    assert made["provider_used"] == "google"
    assert made["attempts"][0]["message"] == "Pretended down (fire drill)."
    assert len(yard["openai"].requests) == before
    page.reload()
    expect(banner).to_be_visible()
    opened(page, f"{real.url}/history")
    expect(banner).to_be_visible()
    banner.get_by_role("button", name="End the drill of OpenAI").click()
    expect(banner).to_have_count(0)
    assert real.plan("Plan a picnic").json()["provider_used"] == "openai"
    assert (
        real.client.get("/autonomous/status").json()["llm_providers"]["providers"]["openai"][
            "failed_calls"
        ]
        == 0
    )
    clean(page, real)


def test_a_model_is_chosen_from_the_vendors_list_and_the_choice_is_taken_back(desk, real, yard):
    opened(desk, f"{real.url}/providers")
    here = card(desk, "openai")
    here.get_by_role("button", name="gpt-6-luna").click()
    expect(desk.get_by_text("3 on offer, by OpenAI's own list")).to_be_visible()
    desk.get_by_role("combobox", name="Model").click()
    expect(desk.get_by_role("option", name="gpt-4o")).to_contain_text("gpt-6-luna")
    desk.get_by_role("option", name="gpt-6.1-sol").click()
    desk.get_by_role("button", name="Use this model").click()
    expect(here.get_by_role("button", name="gpt-6.1-sol")).to_be_visible()
    assert real.plan("Plan a picnic", priority=["openai"]).json()["model"] == "gpt-6.1-sol"
    opened(desk, f"{real.url}/settings")
    desk.get_by_role("tab", name="Changes").click()
    expect(desk.get_by_text("OpenAI now with gpt-6.1-sol")).to_be_visible()
    desk.get_by_role("button", name="Undo").first.click()
    expect(desk.get_by_text("OpenAI now with its default model")).to_be_visible()
    assert real.plan("Plan a picnic", priority=["openai"]).json()["model"] == "gpt-6-luna"
    clean(desk, real)


def test_switched_off_a_provider_is_not_asked_and_switched_on_it_is(desk, real):
    opened(desk, f"{real.url}/providers")
    switch = card(desk, "openai").locator("label").filter(has_text="Use OpenAI")
    switch.click()
    expect(card(desk, "openai").get_by_text("Switched off")).to_be_visible()
    assert real.plan("Plan a picnic").json()["provider_used"] == "google"
    desk.reload()
    settled(desk)
    expect(card(desk, "openai").get_by_text("Switched off")).to_be_visible()
    switch.click()
    expect(card(desk, "openai").get_by_text("Ready")).to_be_visible()
    assert real.plan("Plan a picnic").json()["provider_used"] == "openai"


def test_a_test_and_a_try_say_what_they_found(desk, real, yard):
    opened(desk, f"{real.url}/providers")
    here = card(desk, "openai")
    before = len(yard["openai"].requests)
    here.get_by_role("button", name="Test", exact=True).click()
    expect(here.get_by_text("The key works; gpt-6-luna is one of 3 models")).to_be_visible()
    assert len(yard["openai"].requests) == before
    settled(desk)
    here.get_by_role("button", name="Try now").click()
    expect(here.get_by_text("OpenAI answered in")).to_be_visible()
    assert len(yard["openai"].requests) == before + 1
    yard["openai"].listing = standin.status(401)
    here.get_by_role("button", name="Test", exact=True).click()
    expect(here.get_by_text("OpenAI did not accept the key.")).to_be_visible()
    yard["openai"].listing = None


def test_a_move_is_taken_back_by_undo(desk, real):
    opened(desk, f"{real.url}/providers")
    card(desk, "google").get_by_role("button", name="Up").click()
    expect(card(desk, "google").get_by_text("1. Google")).to_be_visible()
    desk.get_by_role("button", name="Undo").click()
    expect(card(desk, "openai").get_by_text("1. OpenAI")).to_be_visible()


def test_a_suggested_order_is_taken_and_undone(desk, tmp_path):
    with Yard({}) as yard:
        yard["openai"].script = lambda received: standin.status(404)
        yard["google"].script = lambda received: standin.answer(PLAN)
        environment = {**yard.env("openai", "google"), "LLM_STRATEGY": "priority"}
        environment |= {"LLM_PRIORITY": "openai,google", "LLM_COOLDOWN": "0.1"}
        with Console(tmp_path, environment) as console:

            def both_are_known() -> bool:  # openai is not asked while it rests
                console.plan("Plan a picnic", priority=["openai"])
                console.plan("Plan a picnic", priority=["google"])
                return len(yard["openai"].requests) >= 12

            assert standin.eventually(both_are_known, within=30)
            opened(desk, f"{console.url}/providers")
            expect(desk.get_by_text("The last 30 days suggest: Google, OpenAI.")).to_be_visible()
            desk.get_by_role("button", name="Use this order").click()
            expect(card(desk, "google").get_by_text("1. Google")).to_be_visible()
            expect(desk.get_by_text("Your order fits")).to_be_visible()
            desk.get_by_role("button", name="Undo").click()
            expect(card(desk, "openai").get_by_text("1. OpenAI")).to_be_visible()
            clean(desk, console)


def test_a_limit_is_kept_after_a_reload(desk, real):
    opened(desk, f"{real.url}/settings")
    rest = desk.get_by_role("spinbutton", name="Length of a rest (s)")
    rest.fill("90")
    rest.press("Enter")
    expect(desk.get_by_text("Chosen here; 60 is the default.")).to_be_visible()
    desk.reload()
    settled(desk)
    expect(desk.get_by_role("spinbutton", name="Length of a rest (s)")).to_have_value("90")
    desk.get_by_role("button", name="Back to 60").click()
    expect(desk.get_by_role("spinbutton", name="Length of a rest (s)")).to_have_value("60")
    clean(desk, real)


def test_a_copy_of_the_history_opens_as_the_history(desk, real, tmp_path):
    real.plan("Plan a picnic by the river")
    opened(desk, f"{real.url}/settings")
    desk.get_by_role("tab", name="History").click()
    with desk.expect_download() as coming:
        desk.get_by_role("link", name="Download a copy").click()
    coming.value.save_as(tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        goals = {goal for (goal,) in copy.execute("SELECT goal FROM run ORDER BY started_at")}
    assert "Plan a picnic by the river" in goals


def test_where_to_get_a_key_opens_apart_and_tells_nothing(desk, real):
    opened(desk, f"{real.url}/providers")
    link = card(desk, "anthropic").get_by_role("link", name=re.compile("Get a key"))
    expect(link).to_have_attribute("href", "https://console.anthropic.com/settings/keys")
    expect(link).to_have_attribute("target", "_blank")
    assert {"noopener", "noreferrer"} & set((link.get_attribute("rel") or "").split())


def test_a_field_that_is_cleared_or_given_letters_goes_back_and_nothing_is_kept(desk, real):
    numbers = {
        "Time for one attempt (s)": "45",
        "Time for a run (s)": "120",
        "Failures before a rest (in a row)": "3",
        "Length of a rest (s)": "60",
        "Steps side by side": "3",
        "Cost of a day, in US dollars": "5",
    }
    opened(desk, f"{real.url}/settings")
    money = desk.get_by_role("spinbutton", name="Cost of a day, in US dollars")
    money.fill("5")
    money.press("Enter")
    expect(desk.get_by_role("button", name="Remove this limit")).to_be_visible()
    for label, value in numbers.items():
        field = desk.get_by_role("spinbutton", name=label)
        before = field.input_value()
        for typed in ("", "abc", "e", "-"):
            field.click()
            field.press("Control+a")
            field.press("Delete")
            field.press_sequentially(typed)
            field.press("Tab")
            expect(field).to_have_value(before)
        assert before == value or label == "Steps side by side"
    desk.reload()
    settled(desk)
    for label, value in numbers.items():
        if label != "Steps side by side":
            expect(desk.get_by_role("spinbutton", name=label)).to_have_value(value)
    expect(desk.get_by_text("Chosen here")).to_have_count(0)
    desk.get_by_role("button", name="Remove this limit").click()
    expect(desk.get_by_role("spinbutton", name="Cost of a day, in US dollars")).to_have_value("")
    clean(desk, real)


def test_an_open_tab_writes_no_old_value_back(browser, real):
    with opened_window(browser) as one, opened_window(browser) as other:
        for page in (one, other):
            opened(page, f"{real.url}/settings")
        rest = one.get_by_role("spinbutton", name="Length of a rest (s)")
        rest.fill("90")
        rest.press("Enter")
        expect(one.get_by_text("Chosen here; 60 is the default.")).to_be_visible()
        failures = other.get_by_role("spinbutton", name="Failures before a rest (in a row)")
        failures.fill("4")
        failures.press("Enter")
        expect(other.get_by_text("Chosen here; 3 is the default.")).to_be_visible()
        expect(other.get_by_role("spinbutton", name="Length of a rest (s)")).to_have_value("90")
        one.reload()
        settled(one)
        expect(one.get_by_role("spinbutton", name="Length of a rest (s)")).to_have_value("90")
        for back in ("Back to 60", "Back to 3"):
            one.get_by_role("button", name=back).click()
            expect(one.get_by_role("button", name=back)).to_have_count(0)
