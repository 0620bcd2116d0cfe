"""A plan looked at, changed, carried out, stopped, continued and compared, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests import standin
from tests.browser.window import IN_CHROMIUM, opened, opened_window, overflow, settled, strangers
from tests.process import Console
from tests.running.desk import LAST, asked_for, step_in, worker
from tests.standin import Yard

pytestmark = IN_CHROMIUM
GOAL = "Plan the summer party for forty people"


@pytest.fixture
def page(browser):
    with opened_window(browser, width=1440, height=1600) as page:
        yield page


def planned(page: Page, console: Console) -> None:
    """A plan to look at."""
    opened(page, console.url)
    page.get_by_label("Goal", exact=True).first.fill(GOAL)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("button", name="Run these steps")).to_be_visible()


def pressed(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def available(console: Console) -> list[str]:
    status = console.client.get("/autonomous/status").json()
    return status["llm_providers"]["available_providers"]


def toggled(page: Page, words: str) -> None:
    page.get_by_text(words, exact=True).click()
    settled(page)


def carry_it_out_at_once(page: Page) -> None:
    page.get_by_text("Carry it out at once").click()
    # The forecast comes when the choice has been kept; no hand is on the keyboard sooner.
    expect(page.get_by_text(re.compile("^With a plan of"))).to_be_visible()


def answered(page: Page, text: str) -> None:
    expect(page.get_by_text("Answer", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    expect(page.get_by_text(text).first).to_be_visible()


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_a_plan_is_edited_run_reloaded_stopped_and_continued(browser, tmp_path, width, theme):
    holding = [True]
    with Yard() as yard, opened_window(browser, width=width, height=1600, theme=theme) as page:
        for name in ("openai", "google"):
            yard[name].script = worker(
                lambda step: (
                    standin.hang() if step >= 4 and holding else standin.answer(f"Text {step}.")
                )
            )
        with Console(tmp_path, yard.env("openai", "google")) as console:
            planned(page, console)
            assert asked_for(yard) == []
            toggled(page, "Edit the plan")
            words = page.get_by_label("What step 1 does")
            words.fill("")
            words.blur()
            expect(page.get_by_text("Say what step 1 should do")).to_be_visible()
            words.fill("Do part a with great care.")
            words.blur()
            expect(page.get_by_text("Do part a with great care.").first).to_be_visible()
            expect(page.get_by_text("Say what step 1 should do")).not_to_be_visible()
            run = f"/autonomous/runs/{page.url[-32:]}"
            assert standin.eventually(lambda: "great care" in console.client.get(run).text)
            page.reload()
            expect(page.get_by_text("Do part a with great care.").last).to_be_visible()

            pressed(page, "Run these steps")
            expect(page.get_by_text(re.compile("4 of 7 steps"))).to_be_visible()
            page.reload()  # in the middle of it
            expect(page.get_by_text(re.compile("4 of 7 steps"))).to_be_visible()
            assert standin.eventually(lambda: {4, 5} <= set(asked_for(yard)))
            pressed(page, "Stop")
            expect(page.get_by_text("3 steps to go.")).to_be_visible()
            hanging = [r for r in yard.requests if step_in(r) in (4, 5)]
            assert all(
                standin.eventually(lambda r=r: r.disconnected_at is not None) for r in hanging
            )

            holding.clear()
            pressed(page, "Continue")
            answered(page, f"Text {LAST}.")
            assert overflow(page) <= 0
            assert strangers(page, console) == []
        assert [asked_for(yard).count(step) for step in range(4)] == [1, 1, 1, 1]
        assert any("Do part a with great care." in received.prompt for received in yard.requests)


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_a_plan_that_waits_says_so_and_is_carried_out_without_scrolling(
    browser, tmp_path, width, height
):
    calls = [0]

    def overloaded_once(step: int) -> standin.Act:
        calls[0] += step == 2
        return standin.status(529) if step == 2 and calls[0] == 1 else standin.answer("Done.")

    with Yard() as yard, opened_window(browser, width=width, height=height) as page:
        for name in ("openai", "google"):
            yard[name].script = worker(overloaded_once)
        with Console(tmp_path, yard.env("openai", "google")) as console:
            planned(page, console)
            badge = page.locator(".st-key-one_run .stMarkdownBadge", has_text="Plan ready")
            expect(badge).to_be_in_viewport()
            expect(page.get_by_role("button", name="Run these steps")).to_be_in_viewport()
            expect(page.get_by_text("Completed")).to_have_count(0)
            run = page.url
            page.goto("about:blank")
            opened(page, run)  # by a link
            expect(page.get_by_role("button", name="Run these steps")).to_be_in_viewport()
            page.wait_for_timeout(1_500)  # of reading
            pressed(page, "Run these steps")
            answered(page, "Done.")
            expect(page.locator(".stMarkdownBadge", has_text="Completed")).to_be_visible()
            expect(page.get_by_text(re.compile("was overloaded in step 3, so"))).to_be_visible()
            rows = page.get_by_role("table", name=re.compile("^Attempts")).get_by_role("row")
            expect(rows.nth(1)).to_contain_text("Planning")
            expect(rows.nth(2)).to_have_text(re.compile("^Waited .* s for you$"))
            expect(rows.last).to_contain_text("Final answer")
            # The axis is of work alone: the first step begins where planning ended.
            bars = page.get_by_role("table", name=re.compile("^Attempts")).locator(".bar")
            first, second = bars.nth(0).bounding_box(), bars.nth(1).bounding_box()
            track = page.locator(".track").first.bounding_box()
            assert second["x"] - (first["x"] + first["width"]) < track["width"] * 0.3
            assert overflow(page) <= 0


def test_a_cycle_is_refused_with_its_steps_named_and_steps_come_and_go(page, tmp_path):
    with Yard({"openai": worker()}) as yard, Console(tmp_path, yard.env("openai")) as console:
        planned(page, console)
        toggled(page, "Edit the plan")
        page.get_by_label("Builds on").first.click()
        page.get_by_role("option", name="Step 3").click()
        expect(page.get_by_text("Steps 1 and 3 wait for each other")).to_be_visible()
        page.keyboard.press("Escape")
        settled(page)
        page.get_by_role("button", name="Remove", exact=True).last.click()
        expect(page.get_by_label("What step 7 does")).to_have_count(0)
        settled(page)
        pressed(page, "Add a step")
        # While fields are exchanged the old ones still stand behind the new.
        expect(page.get_by_label("What step 7 does").first).to_have_value(re.compile("Say here"))
        expect(page.get_by_label("What step 7 does")).to_have_count(1)
        settled(page)
        page.get_by_role("button", name="Up").nth(1).click()
        expect(page.get_by_label("What step 1 does").first).to_have_value("Do part b of the party.")


def test_a_failed_step_says_why_and_can_be_tried_again_elsewhere_or_skipped(page, tmp_path):
    broken = [True]
    with Yard() as yard:
        for name in ("openai", "google"):
            yard[name].script = worker(
                lambda step: (
                    standin.refusal() if step == 2 and broken else standin.answer(f"Text {step}.")
                )
            )
        with Console(tmp_path, yard.env("openai", "google")) as console:
            planned(page, console)
            pressed(page, "Run these steps")
            said = page.get_by_text("Step 3 could not be done: No provider gave an answer")
            expect(said.first).to_be_visible()
            pressed(page, "Try again")
            expect(page.get_by_role("button", name="With another provider")).to_be_visible()
            assert standin.eventually(lambda: asked_for(yard).count(2) == 4, within=10)
            pressed(page, "Skip step 3")
            answered(page, f"Text {LAST}.")
            expect(page.get_by_text("(skipped)")).to_be_visible()
            broken.clear()

            planned(page, console)
            broken.append(True)
            pressed(page, "Run these steps")
            expect(said.first).to_be_visible()
            broken.clear()
            pressed(page, "With another provider")
            pressed(page, "Google first")
            answered(page, f"Text {LAST}.")
    assert step_in(yard["google"].requests[-1]) is not None


def test_two_plans_stand_side_by_side_and_one_is_run(page, tmp_path):
    other = [[], [0]]
    yard = Yard({"openai": worker(), "google": worker(needs=other)})
    with yard, Console(tmp_path, yard.env("openai", "google")) as console:
        opened(page, f"{console.url}/compare")
        expect(page.get_by_text("Nothing is compared yet.")).to_be_visible()
        page.get_by_label("Goal").fill(GOAL)
        pressed(page, "Compare plans")
        expect(page.get_by_text("OpenAI plans 7 steps")).to_be_visible()
        expect(page.get_by_text("Google plans 2 steps")).to_be_visible()
        page.reload()
        expect(page.get_by_role("button", name="Run this plan")).to_have_count(2)
        page.get_by_role("button", name="Run this plan").nth(1).click()
        page.wait_for_url(re.compile(r"\?run=[0-9a-f]{32}"))
        answered(page, "Result of step 2.")
        assert {step_in(r) for r in yard["openai"].requests} == {None}


def test_a_private_run_shows_that_bitnet_alone_was_asked(page, tmp_path):
    yard = Yard({name: worker() for name in ("openai", "bitnet")})
    with yard, Console(tmp_path, yard.env("openai", "bitnet")) as console:
        assert standin.eventually(lambda: "bitnet" in available(console), within=20)
        opened(page, console.url)
        page.get_by_text("Private: this stays on this computer").click()
        carry_it_out_at_once(page)
        page.get_by_label("Goal", exact=True).first.fill(GOAL)
        page.keyboard.press("Control+Enter")
        answered(page, f"Result of step {LAST}.")
        expect(page.get_by_text("Private: it stays on this computer").first).to_be_visible()
        assert yard["openai"].requests == []
        assert len(yard["bitnet"].requests) == LAST + 2


def test_a_private_run_is_refused_in_words_where_there_is_no_bitnet(page, tmp_path):
    with Yard({"openai": worker()}) as yard, Console(tmp_path, yard.env("openai")) as console:
        opened(page, console.url)
        page.get_by_text("Private: this stays on this computer").click()
        expect(page.get_by_text("BitNet is not set up").first).to_be_visible()
        page.get_by_label("Goal", exact=True).first.fill(GOAL)
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("alert").get_by_text("BitNet is not set up")).to_be_visible()
        assert yard.requests == []


def test_a_limit_is_said_and_raised_and_the_run_goes_on(page, tmp_path):
    with Yard({"openai": worker()}) as yard, Console(tmp_path, yard.env("openai")) as console:
        opened(page, console.url)
        page.get_by_text("More", exact=True).click()
        page.get_by_label("Calls").fill("4")
        page.get_by_label("Calls").blur()
        carry_it_out_at_once(page)
        page.get_by_label("Goal", exact=True).first.fill(GOAL)
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("4 calls, its limit").first).to_be_visible()
        assert len(yard.requests) == 4
        page.get_by_label("Calls").last.fill("40")
        page.get_by_label("Calls").last.blur()
        pressed(page, "Continue")
        answered(page, f"Result of step {LAST}.")
        assert len(yard.requests) == LAST + 2


def test_what_a_step_writes_is_read_as_text_and_never_fetched(page, tmp_path):
    evil = (
        "# Head\n\n![a](http://127.0.0.2:9/a.png) <img src=http://127.0.0.2:9/b.png>"
        " <script>fetch('http://127.0.0.2:9/c')</script> [x](javascript:alert(1)) :red[no] $x^2$"
        "\n\n- **bold** `![c](http://127.0.0.2:9/d.png)`\n\n```mermaid\nflowchart LR\n a-->b\n```"
    )
    yard = Yard({"openai": worker(lambda step: standin.answer(evil))})
    with yard, Console(tmp_path, yard.env("openai")) as console:
        planned(page, console)
        pressed(page, "Run these steps")
        answered(page, "<script>fetch(")
        expect(page.get_by_role("heading", name="Head")).to_be_visible()
        page.get_by_role("link", name="On its own").click()
        page.wait_for_url(re.compile(r"/run\?run="))
        page.get_by_text("1. Research").click()
        expect(page.get_by_text("http://127.0.0.2:9/a.png").first).to_be_visible()
        run_id = re.search(r"run=([0-9a-f]{32})", page.url)[1]
        assert strangers(page, console) == []
        opened_file = f"{console.url}/autonomous/runs/{run_id}.html"
        page.goto(opened_file)
        expect(page.get_by_text("(http://127.0.0.2:9/a.png)").first).to_be_visible()
        assert page.locator("script, img, iframe").count() == 0
        addresses = {link.get_attribute("href") for link in page.locator("a").all()}
        assert addresses == {"http://127.0.0.2:9/a.png"}  # of a picture its address, in sight
        assert strangers(page, console) == []
