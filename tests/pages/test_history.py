"""The History page and the Call page without a browser: empty, full, filtered and failing."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.config.settings import read_settings
from core.running.engine import Engine
from core.ui import services
from core.values.runs import Limits, RunRequest
from core.values.wording import money
from core.web.run_documents import as_html, as_json, as_markdown
from db.choices import Choices
from db.figures.performance import Performance
from db.lists.queries import Archive
from db.sqlite.writer import SqliteHistory
from tests import standin
from tests.indexing import indexed
from tests.pages.words import text
from tests.running.desk import plan_text, step_in, worker

MAIN = Path(__file__).parent.parent.parent / "core" / "ui" / "main.py"


@pytest.fixture
def engine(tmp_path, yard):
    path = tmp_path / "console.db"
    history = SqliteHistory.open(path)
    archive = Archive(path)
    environment = {**yard.env("openai", "google"), "LLM_STRATEGY": "priority"}
    environment["LLM_PRIORITY"] = "google,openai"
    engine = Engine(read_settings(environment, None), history, archive, Choices(history))
    services.provide(services.Services(engine, archive, Performance(archive)))
    yield engine
    services.provide(None)
    engine.close()
    archive.close()
    history.close()


def shown(name: str = "history", /, **query: str | list[str]) -> AppTest:
    test = AppTest.from_file(str(MAIN), default_timeout=30)
    test.run()
    test.switch_page(f"{name}.py" if "/" in name else f"history/{name}.py")
    for parameter, value in query.items():
        test.query_params[parameter] = value
    test.run()
    assert not test.exception
    return test


def table(test: AppTest) -> dict:
    """What the table was given to show."""
    tables = [
        part.proto
        for part in test.get("bidi_component")
        if part.proto.component_name == "manyways.history_table"
    ]
    assert len(tables) == 1
    return json.loads(tables[0].mixed.json or tables[0].json)


def cells(test: AppTest, column: str) -> list:
    shown = table(test)
    place = [each["id"] for each in shown["columns"]].index(column)
    return [row["cells"][place] for row in shown["rows"]]


def finished(engine: Engine, goal: str = "Plan a picnic") -> str:
    run_id = engine.submit(RunRequest(goal, source="ui"))
    run = engine.runs.get(run_id)
    assert run is not None
    assert run.done.wait(30)
    return run_id


def asked(test: AppTest) -> dict[str, list[str]]:
    given = test.query_params.items()
    return {name: [values] if isinstance(values, str) else list(values) for name, values in given}


def test_a_history_without_a_run_says_what_will_be_here_and_how_to_begin(engine):
    page = shown()
    assert "Nothing has run yet." in text(page)
    assert not page.get("bidi_component")
    assert not page.multiselect


def test_a_run_shows_everyone_who_was_asked_and_not_only_the_last(engine, yard):
    yard["google"].script = lambda received: standin.status(529)
    finished(engine, "Plan a picnic")
    page = shown()
    assert "1 run" in text(page)
    assert cells(page, "goal")[0]["text"] == "Plan a picnic"
    (chain,) = cells(page, "chain")
    assert chain["title"] == "Google ✕ → OpenAI ✓"


def test_a_call_stands_with_those_asked_for_the_same(engine, yard):
    yard["google"].script = lambda received: standin.status(529)
    finished(engine)
    page = shown(view="calls")
    assert [chip["word"] for chip in cells(page, "status")] == ["Answered", "Failed"]
    assert [chain["title"] for chain in cells(page, "chain")] == ["Google ✕ → OpenAI ✓"] * 2
    here = [[link["here"] for link in chain["links"]] for chain in cells(page, "chain")]
    assert here == [[False, True], [True, False]]


def test_the_address_chooses_what_is_shown_and_the_widgets_follow_it(engine, yard):
    yard["google"].script = lambda received: standin.status(529)
    finished(engine)
    page = shown(view="calls", provider=["google"], status=["failed"])
    assert "1 call with these filters" in text(page)
    assert cells(page, "provider")[0]["text"] == "Google"
    chosen = {widget.key: widget.value for widget in page.multiselect}
    assert chosen["history_provider"] == ["google"]
    assert chosen["history_status"] == ["failed"]


def test_a_widget_changes_the_address_and_begins_at_the_first_page(engine):
    finished(engine)
    page = shown(view="calls", page="7")
    page.multiselect(key="history_provider").set_value(["google", "openai"]).run()
    assert asked(page) == {"view": ["calls"], "provider": ["google", "openai"]}
    page.selectbox(key="history_period").set_value("7d").run()
    assert asked(page)["period"] == ["7d"]
    page.segmented_control(key="history_view").set_value("runs").run()
    assert asked(page)["view"] == ["runs"]
    assert asked(page)["provider"] == ["google", "openai"]


def test_runs_are_found_by_who_was_asked_and_apart_from_that_by_who_answered(engine, yard):
    yard["google"].script = lambda received: standin.status(529)
    finished(engine)
    assert len(table(shown(view="runs", provider="google"))["rows"]) == 1
    page = shown(view="runs", provider="google", answered_by="openai")
    assert "1 run with these filters" in text(page)
    chosen = {widget.key: widget.value for widget in page.multiselect}
    assert (chosen["history_provider"], chosen["history_answered_by"]) == (["google"], ["openai"])
    assert [b.label for b in page.button if b.key == "without answered_by"] == [
        "Answered by OpenAI"
    ]
    links = [link.proto.url for link in page.get("link_button")]
    query = "view=runs&provider=google&answered_by=openai"
    assert links == [f"autonomous/export.csv?{query}", f"autonomous/export.jsonl?{query}"]
    assert "No run matches" in text(shown(view="runs", answered_by="google"))


def test_who_answered_is_asked_of_runs_alone(engine):
    finished(engine)
    page = shown(view="runs", provider="google", answered_by="google")
    page.segmented_control(key="history_view").set_value("calls").run()
    assert asked(page) == {"view": ["calls"], "provider": ["google"]}
    assert "history_answered_by" not in {widget.key for widget in page.multiselect}
    page.segmented_control(key="history_view").set_value("runs").run()
    page.multiselect(key="history_answered_by").set_value(["openai"]).run()
    assert asked(page) == {"view": ["runs"], "provider": ["google"], "answered_by": ["openai"]}
    page.button(key="without answered_by").click().run()
    assert asked(page) == {"view": ["runs"], "provider": ["google"]}


def test_filters_that_nothing_matches_are_said_so_and_can_be_cleared(engine):
    finished(engine)
    page = shown(view="calls", model="a-model-nobody-has")
    assert "No call matches these filters." in text(page)
    page.button(key="clear").click().run()
    assert asked(page) == {"view": ["calls"]}
    assert len(table(page)["rows"]) == 1


@pytest.mark.parametrize("query", [{"since": "soon"}, {"simulated": "perhaps"}])
def test_a_filter_that_cannot_be_read_is_named(engine, query):
    finished(engine)
    page = shown(**query)
    assert f"The filter “{next(iter(query))}”" in text(page)
    page.button(key="clear").click().run()
    assert table(page)["rows"]


def test_a_filter_is_chosen_in_its_field_however_the_address_says_it(engine):
    finished(engine)
    page = shown(view="calls", simulated="0")
    assert page.selectbox(key="history_simulated").value == "false"
    assert len(table(page)["rows"]) == 1


@pytest.mark.parametrize("page", ["0", "-3", "x", "99999", "9" * 40])
def test_a_page_that_is_not_there_is_met_with_one_that_is(engine, page):
    finished(engine)
    assert len(table(shown(view="calls", page=page))["rows"]) == 1


def test_what_was_searched_for_is_marked_in_the_list_and_beside_it(engine):
    finished(engine, "Plan a picnic for two")
    finished(engine, "Plan a wedding")
    indexed(engine.history)
    page = shown(view="calls", text="picnic")
    assert "1 call with these filters" in text(page)
    (found,) = cells(page, "found")
    assert ["picnic", True] in found
    page = shown(view="calls", text="picnic", call="1")
    marked = [
        json.loads(part.proto.json)
        for part in page.get("bidi_component")
        if part.proto.component_name == "manyways.marked_text"
    ]
    assert any(["picnic", True] in pieces for pieces in marked)


def test_what_its_widgets_say_once_another_page_is_asked_for_changes_no_address(engine):
    run_id = finished(engine)
    test = shown(view="runs")
    # A look of the list comes together with the click that starts a run, and goes where it shows.
    test.segmented_control[0].set_value("calls")
    test.switch_page("run/run_plan.py")
    test.query_params.clear()
    test.query_params["run"] = run_id
    test.run()
    assert not test.exception
    assert asked(test) == {"run": [run_id]}
    assert "Attempts" in [heading.value for heading in test.subheader]


def test_the_export_is_asked_for_with_the_filters_of_the_page(engine):
    finished(engine)
    page = shown(view="calls", provider=["openai", "google"], text="picnic & more")
    links = [link.proto.url for link in page.get("link_button")]
    query = "view=calls&provider=openai&provider=google&text=picnic+%26+more"
    assert links == [f"autonomous/export.csv?{query}", f"autonomous/export.jsonl?{query}"]


def test_filters_are_saved_under_a_name_taken_again_and_deleted(engine):
    finished(engine)
    page = shown(view="calls", provider="google")
    page.text_input(key="filter_name").set_value("Google *only*")
    next(b for b in page.button if b.label == "Save these filters").click().run()
    assert engine.choices.get("saved_filters") == {"Google *only*": "view=calls&provider=google"}
    page = shown()
    page.button(key="use Google *only*").click().run()
    assert asked(page) == {"view": ["calls"], "provider": ["google"]}
    page.button(key="forget Google *only*").click().run()
    assert engine.choices.get("saved_filters") is None


def test_filters_saved_elsewhere_since_stay_when_others_are_saved_or_deleted(engine):
    finished(engine)
    page = shown()
    engine.choices.set("saved_filters", {"Theirs": "view=calls"})
    page.text_input(key="filter_name").set_value("Mine")
    next(b for b in page.button if b.label == "Save these filters").click().run()
    assert engine.choices.get("saved_filters") == {"Theirs": "view=calls", "Mine": "view=runs"}
    engine.choices.set("saved_filters", {"Mine": "view=runs", "Newer": "view=calls"})
    page.button(key="forget Mine").click().run()
    assert engine.choices.get("saved_filters") == {"Newer": "view=calls"}


@pytest.mark.parametrize("moment", ["-62135596800", "-62135596799", "253402300799"])
@pytest.mark.parametrize("end", ["since", "until"])
def test_a_moment_when_nothing_can_have_been_asked_is_met_with_dates(engine, end, moment):
    finished(engine)
    page = shown("history", **{end: moment})
    (day,) = page.date_input(key="history_dates").value
    assert 1969 <= day.year < 2200


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"saved": "true"}, "Saved by fallback"),
        ({"saved": "1"}, "Saved by fallback"),
        ({"saved": "0"}, "Not saved by fallback"),
        ({"saved": "False"}, "Not saved by fallback"),
        ({"saved": "perhaps"}, None),
        ({"counted": "1"}, "As counted in Performance"),
        ({"counted": "false"}, None),
        ({"counted": "0"}, None),
    ],
)
def test_a_figures_filter_is_said_as_it_is_read(engine, query, said):
    finished(engine)
    page = shown(view="runs", **query)
    chips = [button.label for button in page.button if (button.key or "").startswith("without ")]
    assert chips == ([said] if said else [])


def test_a_run_is_shown_beside_the_list_with_its_calls(engine, yard):
    yard["google"].script = lambda received: standin.status(402)
    run_id = finished(engine)
    page = shown(view="runs", run=run_id)
    assert "Google was out of credit, so OpenAI planned it" in text(page)
    assert "There is no run at this address." in text(shown(view="runs", run="nonsense"))


def test_a_run_is_run_again_from_here_with_another_provider_first(engine):
    run_id = finished(engine)
    page = shown(view="runs", run=run_id)
    menu = next(part for part in page.get("menu_button") if part.proto.label == "Run again")
    assert list(menu.proto.options) == ["The same way", "Google first", "OpenAI first"]


@pytest.mark.parametrize("call", ["999", "x", "-1", "²", "9" * 40])
def test_any_call_in_the_address_is_met_with_words(engine, call):
    finished(engine)
    for page in ("history", "call"):
        assert "There is no call at this address." in text(shown(page, call=call))


def test_a_call_has_a_page_of_its_own_with_what_was_asked_and_answered(engine):
    finished(engine, "Plan a **bold** picnic ![x](http://192.0.2.1/)")
    page = shown("call", call="1")
    assert page.title[0].value == "Call 1"
    assert "Google answered in" in text(page)
    assert any("![x](http://192.0.2.1/)" in code.value for code in page.code)
    assert not any("![x](" in part.value for part in page.markdown)


def test_what_a_model_thought_first_stands_folded_beside_its_answer(engine, yard):
    thought = standin.answer("<think>First :material/home: 41.</think>The answer is 42.")
    yard["google"].script = worker(lambda step: thought)
    run = engine.runs.get(engine.submit(RunRequest("Add up", source="ui", execute=True)))
    assert run.done.wait(30)
    call = next(each for each in run.attempts if each.step is not None)
    page = shown("call", call=str(call.id))
    assert "The answer is 42." in [code.value for code in page.code]
    folded = next(each for each in page.expander if each.label == "What it thought first")
    assert [code.value for code in folded.code] == ["First :material/home: 41."]


@pytest.mark.parametrize("page", ["history", "call"])
def test_a_history_that_cannot_be_read_is_said_so_with_what_to_do(engine, tmp_path, page):
    archive = Archive(tmp_path / "nothing" / "console.db")
    services.provide(services.Services(engine, archive, Performance(archive)))
    failing = shown(page, call="1")
    assert "The history cannot be read just now." in text(failing)
    assert any(button.label == "Try again" for button in failing.button)


def test_a_moment_within_a_day_keeps_its_months_capital(engine):
    finished(engine)
    page = shown(since="1764201600.5", until="1999999999.5")
    assert "From 27 Nov 2025, 00:00:00 UTC until " in text(page)


def test_who_was_not_asked_stands_under_the_calls_with_the_reason(engine, yard):
    yard["google"].script = lambda received: standin.status(429, headers={"retry-after": "300"})
    finished(engine)
    run_id = finished(engine)
    page = shown(run=run_id)
    assert "Google · not asked: resting, back at " in text(page)
    assert "Google, OpenAI" in text(page)  # the order
    assert "Kimi · not asked" not in text(page)  # it was never set up
    page = AppTest.from_file(str(MAIN), default_timeout=30)
    page.query_params["run"] = run_id
    assert "Google · not asked: resting, back at " in text(page.run())


def test_a_run_of_an_earlier_version_claims_nothing_of_who_was_not_asked(engine):
    run_id = finished(engine)
    forget = f"UPDATE run SET decisions = NULL WHERE id = '{run_id}'"
    engine.history.submit(lambda connection: connection.execute(forget)).result(5)
    page = shown(run=run_id)
    assert "not recorded then" in text(page)
    assert "not asked" not in text(page)


def test_a_run_for_which_nobody_could_be_asked_says_so(engine):
    engine.control.switch("google", on=False)
    engine.control.switch("openai", on=False)
    page = shown(run=finished(engine))
    assert "nobody could be asked" in text(page)
    assert "OpenAI · not asked: switched off" in text(page)


# -- a run that was carried out


def carried_out(engine: Engine, yard) -> str:
    """Google plans, and plans once more; step 2 is overloaded at Google. A person took 3 min."""
    planning = [standin.answer("No plan, sorry."), standin.answer(plan_text(NEEDS))]

    def google(received):
        if planning:
            return planning.pop(0)
        return standin.status(529) if step_in(received, NEEDS) == 1 else worker()(received)

    yard["google"].script, yard["openai"].script = google, worker(needs=NEEDS)
    run_id = engine.submit(RunRequest("Plan a picnic", source="ui", approve=True))
    assert engine.runs.get(run_id).done.wait(30)
    engine.carry_on(run_id)
    assert engine.runs.get(run_id).done.wait(30)
    with closing(sqlite3.connect(engine.history.path)) as connection, connection:
        connection.execute("UPDATE call SET started_at = started_at - 180 WHERE step IS NULL")
        connection.execute("UPDATE run SET started_at = started_at - 180")
    return run_id


NEEDS = [[], [0]]
TOLD = (
    "Google planned it, asked once more because its plan did not hold; Google and OpenAI did the 2"
    " steps; Google was overloaded in step 2, so OpenAI took over; Google wrote the answer."
)


def test_a_run_carried_out_is_told_the_same_wherever_it_is_told(engine, yard):
    run_id = carried_out(engine, yard)
    assert TOLD in text(shown(view="runs", run=run_id))
    assert TOLD in text(shown("run/run_plan", run=run_id))
    assert TOLD in text(shown("run/run", run=run_id))
    run = engine.runs.stored(run_id)
    assert TOLD in as_markdown(run)
    assert TOLD in as_html(run)
    assert json.loads(as_json(run))["story"] == TOLD


def test_a_run_beside_the_list_says_who_did_what_in_what_time_and_for_how_much(engine, yard):
    run_id = carried_out(engine, yard)
    page = shown(view="runs", run=run_id)
    calls = engine.runs.stored(run_id).attempts
    cost = sum(call.cost_usd or 0.0 for call in calls)
    said = text(page)
    assert "Google (plan and answer)" in said
    assert money(cost) in said.replace("\\", "")
    assert "Waited for you" in said
    assert "3 min" in said
    steps = [each.value for each in page.caption if "tokens out" in each.value]
    assert [each.partition(" ·")[0] for each in steps] == [
        "Planning", "Planning", "Step 1", "Step 2", "Final answer",
    ]  # fmt: skip
    (took,) = cells(page, "took")
    assert re.fullmatch(r"[\d.]+ m?s", took)  # not the three minutes of its reader


def test_each_call_in_a_list_says_what_it_was_for(engine, yard):
    carried_out(engine, yard)
    page = shown(view="calls")
    assert [cell["text"] for cell in cells(page, "step")] == [
        "Final answer", "Step 2", "Step 2", "Step 1", "Planning", "Planning",
    ]  # fmt: skip
    assert cells(shown(), "chain")[0]["title"] == (
        "Planning: Google ✕ → Google ✓; Step 1: Google ✓; Step 2: Google ✕ → OpenAI ✓;"
        " Final answer: Google ✓"
    )


def test_a_plan_that_waits_for_its_reader_says_so_in_the_list_and_beside_it(engine):
    run_id = engine.submit(RunRequest("Plan a picnic", source="ui", approve=True))
    assert engine.runs.get(run_id).done.wait(30)
    page = shown(view="runs", run=run_id)
    assert [chip["word"] for chip in cells(page, "status")] == ["Plan ready"]
    assert "Plan ready" in text(page)
    assert "Completed" not in text(page)
    finished(engine)  # here a plan was all that was asked for
    page = shown()
    assert [chip["word"] for chip in cells(page, "status")] == ["Completed", "Plan ready"]
    assert "Plan ready" in page.multiselect(key="history_status").options
    page = shown(view="runs", status="planned")
    assert [chip["word"] for chip in cells(page, "status")] == ["Plan ready"]
    page = shown("run/run_plan", run=run_id)
    assert "Plan ready" in text(page)
    labels = [button.label for button in page.button]
    assert labels.index("Run these steps") < labels.index("Run again")


def test_a_run_at_its_limit_says_so_in_the_list_beside_it_and_on_its_page(engine):
    run_id = engine.submit(
        RunRequest("Plan a picnic", source="ui", execute=True, limits=Limits(calls=1))
    )
    assert engine.runs.get(run_id).done.wait(30)
    page = shown(view="runs", run=run_id)
    assert [chip["word"] for chip in cells(page, "status")] == ["Limit reached"]
    assert "Failed" not in text(page)
    assert "Limit reached" in page.multiselect(key="history_status").options
    assert "Limit reached" in page.multiselect(key="history_error_kind").options
    finished(engine)
    page = shown(view="runs", status="limited")
    assert [chip["word"] for chip in cells(page, "status")] == ["Limit reached"]
    page = shown("run/run_plan", run=run_id)
    assert "Limit reached" in text(page)
    assert "Limit reached" in as_markdown(engine.runs.get(run_id))


def test_what_one_call_cost_is_said_alike_in_the_list_and_in_its_drawer(engine, yard):
    finished(engine)
    with closing(sqlite3.connect(engine.history.path)) as connection, connection:
        connection.execute("UPDATE call SET cost_usd = NULL")
        (call,) = connection.execute("SELECT max(id) FROM call").fetchone()
    page = shown(view="calls", call=str(call))
    assert "unknown" in text(page)
    assert cells(page, "cost")[0] == "unknown"
    with closing(sqlite3.connect(engine.history.path)) as connection, connection:
        connection.execute("UPDATE call SET status = 'failed', http_status = 500, ttft_ms = NULL")
    page = shown(view="calls", call=str(call))
    assert cells(page, "cost")[0] is None
    assert "$0" not in text(page)
    with closing(sqlite3.connect(engine.history.path)) as connection, connection:
        connection.execute("UPDATE call SET simulated = TRUE")
        connection.execute("UPDATE run SET simulated = TRUE")
    page = shown(view="calls", call=str(call), simulated="true")
    assert cells(page, "cost")[0] == "practice"


def test_of_a_run_that_was_killed_the_unknown_is_unknown(engine, yard):
    run_id = finished(engine)
    with closing(sqlite3.connect(engine.history.path)) as connection, connection:
        connection.execute(
            "UPDATE call SET status = 'interrupted', latency_ms = NULL, cost_usd = NULL"
        )
        connection.execute("UPDATE run SET status = 'interrupted', finished_at = started_at")
    page = shown(view="runs", run=run_id)
    assert (cells(page, "took"), cells(page, "cost")) == ([None], ["unknown"])
    assert "Took" not in text(page)
    assert "0 s" not in text(page)


def test_a_call_of_a_fire_drill_is_none_of_a_runs_calls(engine):
    engine.control.drills.start("google")
    run_id = finished(engine)
    page = shown(view="runs", run=run_id)
    assert cells(page, "calls") == ["1"]
    assert "Pretended in a fire drill" in text(page)
