"""Plans: reading one out of whatever a model answers, and the words for what is wrong."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.planning.plan import Plan, PlanStep, json_text, read_plan, waves
from core.planning.prompts import PLAN_EXAMPLE, PLAN_SCHEMA, plan_messages, repair_message
from core.values.errors import InvalidAnswer


def step(*dependencies: Any, **changed: Any) -> dict[str, Any]:
    plain = {"agent_type": "research", "description": "Look.", "dependencies": list(dependencies)}
    return plain | changed


def a_plan(*steps: dict[str, Any], **changed: Any) -> dict[str, Any]:
    plan = {"reasoning": "Because.", "confidence": 0.9, "estimated_duration": 15}
    return plan | {"steps": list(steps) or [step()]} | changed


def fault_of(answer: object) -> str:
    with pytest.raises(InvalidAnswer) as caught:
        read_plan(answer if isinstance(answer, str) else json.dumps(answer))
    return caught.value.fault


GOOD = json.dumps(a_plan(step(), step(0)), indent=1)
PLAN = read_plan(GOOD)


def test_missing_parameters_dependencies_and_tool_have_defaults_and_unknown_fields_are_ignored():
    plan = read_plan(json.dumps(a_plan({"agent_type": "a", "description": "b", "x": 1}, y=[2])))

    assert plan.steps == [PlanStep(agent_type="a", description="b")]
    assert plan.model_dump()["steps"][0] == {
        "agent_type": "a",
        "description": "b",
        "tool_name": None,
        "parameters": {},
        "dependencies": [],
    }


@pytest.mark.parametrize(
    "answer",
    [
        f"\ufeff{GOOD}",
        f"```json\n{GOOD}\n```",
        f"<think>a {{set}} of {{'x'}}, 5\" wide</think>\nHere it is:\n{GOOD}\nGood luck {{you}}!",
        json.dumps({"plan": json.loads(GOOD)}),
        f'{{"plan": {GOOD}',
        f'{{"note": "not it"}} {GOOD}',
        f"{json.dumps(a_plan(step(7)))}\n\n{GOOD}",
        f"{json.dumps(a_plan(reasoning='A draft.'))}\n\nNo, better:\n{GOOD}",
        f"{GOOD}\n\n{GOOD[:-9]}",
        f"The example was:\n{PLAN_EXAMPLE}\n\nMine:\n{GOOD}",
        f"{GOOD}\n\nIt has the shape of {PLAN_EXAMPLE}",
        f"<think>{json.dumps(a_plan(reasoning='A draft.'))}\nno, better:</think>\n{GOOD}",
        f"{json.dumps(a_plan(reasoning='A draft.'))}\nno, better:</think>\n{GOOD}",
        f"<think>Hm</think>{GOOD}<think>{json.dumps(a_plan(reasoning='A doubt.'))}</think>",
        f"[{GOOD}]",
        f"Here:\n[\n {GOOD}\n]",
        json.dumps(GOOD),
        f"```json\n{json.dumps(GOOD)}\n```",
        json.dumps(json.dumps(json.loads(f"[{GOOD}]"))),
        json.dumps({"result": json.loads(GOOD)}),
        json.dumps({"result": {"plan": GOOD}}),
        json.dumps({"answer": f"```json\n{GOOD}\n```"}),
        json.dumps({"name": "make_plan", "arguments": GOOD}),
        json.dumps([{"type": "function", "function": {"name": "plan", "arguments": GOOD}}]),
        json.dumps({"choices": [{"message": {"tool_calls": [{"function": {"arguments": GOOD}}]}}]}),
        json.dumps([json.loads(GOOD), {"note": "not it"}]),
        GOOD.replace('"', "'"),
        repr(json.loads(GOOD) | {"tool": None, "good": True}),
        GOOD.replace('"', "”").replace("”", "“", 1),
        re.sub('"([^"]*)"', "“\\1”", GOOD),
        re.sub('"([^"]*)"', "‘\\1’", GOOD),
        re.sub('"(\\w+)":', "\\1 :", GOOD),
        GOOD.replace("\n", "\n # so\n /* and\n so */"),
        GOOD.replace("}", ",}").replace("]", ",]").replace("[,", "["),
        GOOD.replace("\n ]", ", // the last\n // one\n ]").replace("\n}", ",\n}"),
        GOOD.replace("{", "{ // so:\n", 1),
        GOOD.replace('"confidence"', '"confidence": 0.1, "confidence"'),
    ],
)
def test_a_plan_is_read_from_whatever_stands_around_it(answer):
    assert read_plan(answer) == PLAN


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"baker\'s", "baker's"),
        (r"\$5 \& a\_b \`c\`", "$5 & a_b `c`"),
        (r"\d+ C:\Users \users", r"\d+ C:\Users \users"),
        (r"\(a\) \[b\]", r"\(a\) \[b\]"),
        (r"\x41\u00e9\n\"\\", 'Aé\n"\\'),
        ("a\\\nb\tc", "a\nb\tc"),
        ("it's “so” // # /* \\'", "it's “so” // # /* '"),
    ],
)
def test_escapes_that_json_does_not_know_are_read_as_they_were_meant(written, read):
    answer = GOOD.replace("Because.", written + r" \'", 1)
    assert read_plan(answer).reasoning == read + " '"


@pytest.mark.parametrize(
    ("confidence", "read"),
    [
        (85, 0.85),
        (85.5, 0.855),
        (1, 1),
        (0, 0),
        ("85 %", 0.85),
        ("85%", 0.85),
        ("about 85 percent", 0.85),
        ("1 %", 0.01),
        ("0.9", 0.9),
        ("0,9", 0.9),
        ("1", 1),
        ("85", 0.85),
        ("8/10", 0.8),
        ("8.5 out of 10", 0.85),
        ("High", 0.8),
        (" very high ", 0.95),
        ("medium", 0.5),
        ("low", 0.3),
        (".9", 0.9),
        ("0.9 (high)", 0.9),
        ("90% confident", 0.9),
    ],
)
def test_how_sure_is_read_from_words(confidence, read):
    assert read_plan(json.dumps(a_plan(confidence=confidence))).confidence == pytest.approx(read)


@pytest.mark.parametrize(
    ("duration", "read"),
    [
        ("15", 15),
        ("90.5", 90.5),
        ("15 minutes", 900),
        ("15 Minutes", 900),
        ("~15 min.", 900),
        ("about 2 hours", 7200),
        ("1h 30m", 5400),
        ("1h30m", 5400),
        ("1 hour and 30 minutes", 5400),
        ("1 hr, 30 mins, 5 secs", 5405),
        ("1.5 hours", 5400),
        ("45s", 45),
        ("500 ms", 0.5),
        ("2 days", 172_800),
        ("1 week", 604_800),
        ("PT15M", 900),
        ("PT1H30M", 5400),
        ("P1DT0.5S", 86_400.5),
        ("00:15:00", 900),
        ("15 minutes (estimated)", 900),
    ],
)
def test_how_long_is_read_from_words(duration, read):
    plan = read_plan(json.dumps(a_plan(estimated_duration=duration)))
    assert plan.estimated_duration == pytest.approx(read)


@pytest.mark.parametrize(
    "said", ["", "soon", "a day", "2-3 hours", "5 min?", "P", "PT", "1 month", "1,500 s", "x" * 999]
)
def test_a_time_with_no_one_reading_is_asked_for_again(said):
    assert fault_of(a_plan(estimated_duration=said)) == "estimated_duration must be a number"


def linked_as(*steps: dict[str, Any]) -> list[list[int]]:
    return [each.dependencies for each in read_plan(json.dumps(a_plan(*steps))).steps]


@pytest.mark.parametrize(
    ("steps", "links"),
    [
        ([step(id=1), step(id=2), step(1, id=3)], [[], [], [0]]),
        ([step(id=1), step(1, id=2), step(1, 2, id=3)], [[], [0], [0, 1]]),
        ([step(id="1"), step(id="2"), step(1, id="3")], [[], [], [0]]),
        ([step(id=1), step(id=2), step("1", id=3)], [[], [], [0]]),
        ([step(id=0), step(id=1), step(1, id=2)], [[], [], [1]]),
        ([step(id=10), step(id=20), step(10, id=30)], [[], [], [0]]),
        ([step(id="s1"), step(id="s2"), step("s1", id="s3")], [[], [], [0]]),
        ([step(id="Step-1"), step(id="Step-2"), step("step-1", id="Step-3")], [[], [], [0]]),
        ([step(id="look"), step(id="read"), step("look", id="say")], [[], [], [0]]),
        ([step(step=1), step(step=2), step(1, step=3)], [[], [], [0]]),
        ([step(step_id="a"), step(step_id="b"), step("a", step_id="c")], [[], [], [0]]),
        ([step(name="Look"), step(name="Read"), step("look", name="Say")], [[], [], [0]]),
        ([step(), step(agent_type="b"), step("research", agent_type="c")], [[], [], [0]]),
        # Nothing but a place from 0 can be meant.
        ([step(id=1), step(0, id=2), step(0, 1, id=3)], [[], [0], [0, 1]]),
        ([step(id="s1"), step(0, id="s2"), step(0, id="s3")], [[], [0], [0]]),
        ([step(), step("0"), step("1")], [[], [0], [1]]),
        # Nothing but a number of an id, or a place from 1, can be meant.
        ([step(id="s1"), step(1, id="s2"), step(2, id="s3")], [[], [0], [1]]),
        ([step(), step("step 1"), step("Step 2")], [[], [0], [1]]),
        ([step(id=1), step("step 1", id=2), step("step 2", id=3)], [[], [0], [1]]),
        # Under other keys and in other forms.
        ([step(), step(dependencies=0), step(dependencies="0, 1")], [[], [0], [0, 1]]),
        ([step(), step(depends_on=[0]), step(dependsOn=[0, 1])], [[], [0], [0, 1]]),
        ([step(dependencies="none"), step(dependencies=""), step(0)], [[], [], [0]]),
        ([step(id=1), step(depends_on=[1], id=2)], [[], [0]]),
        ([step(id=1), step(id=2), step(id=3, blocked_by=[1])], [[], [], [0]]),
        ([step(id=1), step(id=2), step({"step_id": 1, "type": "result"}, id=3)], [[], [], [0]]),
        ([step("none", id=1), step("N/A", id=2), step(2, id=3)], [[], [], [1]]),
        # Whatever the key is called that tells them apart.
        ([step(task_id=1), step(task_id=2), step(1, task_id=3)], [[], [], [0]]),
        ([step(stepNumber=1), step(stepNumber=2), step(1, stepNumber=3)], [[], [], [0]]),
        ([step(ID=1), step(ID=2), step(1, ID=3)], [[], [], [0]]),
        ([step(Nr=1), step(Nr=2), step(1, Nr=3)], [[], [], [0]]),
        ([step(sequence="1"), step(sequence="2"), step(1, sequence="3")], [[], [], [0]]),
        ([step(hours=2), step(hours=1), step(1, hours=3)], [[], [], [1]]),
    ],
)
def test_dependencies_are_the_ids_of_steps_where_these_have_ids(steps, links):
    assert linked_as(*steps) == links


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ([step(id="s1"), step(id="s2"), step(1, id="s3")], "two ways"),
        ([step(id=1), step(), step(1, id=3)], "two ways"),
        ([step(id=1, step=0), step(id=2, step=1), step(1, id=3, step=2)], "two ways"),
        ([step(), step(), step("step 1")], "two ways"),
        ([step(id=1), step(id=1), step(1, id=2)], "more than one step has the id '1'"),
        ([step(id="s1"), step("s9", id="s2")], "steps[1] depends on 's9': no such step"),
        ([step(id=1), step(id=2), step(7, id=3)], "steps[2] depends on '7': no such step"),
        ([step(), step("research", agent_type="b"), step()], "no such step"),
        ([step(id=1), step(2, id=2)], "steps[1] depends on itself"),
        ([step(id=1), step(id=2), step(0, depends_on=[1], id=3)], "twice"),
    ],
)
def test_dependencies_that_may_mean_two_steps_or_none_are_asked_for_again(steps, fault):
    assert fault in fault_of(a_plan(*steps))
    assert len(fault_of(a_plan(*steps))) < 300


def test_mending_slips_leaves_strings_alone():
    text = 'See http://a.b/c, ] and ,} // "quoted" \\'
    answer = json.dumps(a_plan(step(description=text)))[:-1] + ",}"

    assert read_plan(answer).steps[0].description == text


def test_a_line_break_inside_a_string_is_read():
    assert read_plan(GOOD.replace("Because.", "Be\ncause.")).reasoning == "Be\ncause."


def test_parameters_may_be_pairs():
    pairs = [{"name": "city", "value": "Rome"}, {"name": "days", "value": 3}]

    assert read_plan(json.dumps(a_plan(step(parameters=pairs)))).steps[0].parameters == {
        "city": "Rome",
        "days": 3,
    }
    assert read_plan(json.dumps(a_plan(step(parameters=[])))).steps[0].parameters == {}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('{"city": "Rome"}', {"city": "Rome"}),
        ("{'city': 'Rome',}", {"city": "Rome"}),
        ('```json\n{"city": "Rome"}\n```', {"city": "Rome"}),
        ('[{"name": "city", "value": "Rome"}]', {"city": "Rome"}),
        ("{}", {}),
        ("[]", {}),
        ("", {}),
        ("None", {}),
    ],
)
def test_parameters_may_be_a_text_that_holds_them(written, read):
    assert read_plan(json.dumps(a_plan(step(parameters=written)))).steps[0].parameters == read


@pytest.mark.parametrize("text", ["Rome", '{"a": 1} {"b": 2}', "{" * 5_000, '{"a": NaN}', "{a}"])
def test_parameters_that_are_another_text_are_asked_for_again(text):
    assert fault_of(a_plan(step(parameters=text)))


@pytest.mark.parametrize("blank", ["\u00a0", "\u200b", "\u2028", "\ufeff"])
def test_any_blank_may_stand_between_the_parts_of_a_plan(blank):
    assert read_plan(GOOD.replace(", ", f",{blank}").replace(": ", f":{blank}")) == PLAN


def test_lone_surrogates_are_replaced_so_that_a_plan_can_always_be_stored():
    answer = GOOD.replace("Because.", "a\\ud800b\\ud83d\\ude00" + "\udc00")
    answer = answer.replace('"dependencies": []', '"parameters": {"\\udfff": ["\\udbff"]}')

    plan = read_plan(answer)

    assert plan.reasoning == "a\ufffdb😀\ufffd"
    assert plan.steps[0].parameters == {"\ufffd": ["\ufffd"]}
    assert json_text(plan).encode()


FIRST = " (steps[0] is the first step)"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("", "there is no JSON object in the answer"),
        ("I cannot plan that.", "there is no JSON object in the answer"),
        ("[" * 100_000, "there is no JSON object in the answer"),
        ('{"a": 1}', 'the JSON object has no "steps"'),
        ([step()], 'the JSON object has no "steps"'),
        (GOOD[:-1], "the JSON object breaks off before its end"),
        (GOOD[:-1] + "\n```", "the JSON object breaks off before its end"),
        (GOOD[: GOOD.index("Look.", 150) + 2], "the JSON object breaks off before its end"),
        (
            GOOD.replace("Because.", 'Be"cau"se.'),
            'line 2 of the JSON object is broken near \'{\\n "reasoning": "Be"cau"se.",\\n\': '
            "expecting ',' delimiter",
        ),
        (
            GOOD.replace('"', "'").replace("Because", "It's so"),
            'line 2 of the JSON object is broken near \'{\\n "reasoning": "It"s so.",\\n "\': '
            "expecting ',' delimiter",
        ),
        (
            {"a": json.loads(GOOD), "b": a_plan()},
            "the JSON holds more than one plan; send one alone",
        ),
        ([a_plan(), a_plan()], "the JSON holds more than one plan; send one alone"),
        (a_plan(steps=[]), "steps is empty"),
        (a_plan(steps={}), "steps must be a list"),
        (a_plan(steps=["Look."]), f"steps[0] must be an object{FIRST}"),
        (a_plan(*[step()] * 21), "steps has more than 20 entries"),
        (a_plan(*[step()] * 1_000), "steps has more than 20 entries"),
        (a_plan(*[{}] * 3_000), "steps has more than 20 entries"),
        (a_plan({}, {}), f"steps[0].agent_type is missing{FIRST}"),
        (f"A {{set}}, then {GOOD[:-9]}", "the JSON object breaks off before its end"),
        (a_plan(step(), {"agent_type": "a"}), f"steps[1].description is missing{FIRST}"),
        (a_plan(step(description=" \n")), f"steps[0].description is blank{FIRST}"),
        (a_plan(step(agent_type="")), f"steps[0].agent_type is blank{FIRST}"),
        (a_plan(step(tool_name=3)), f"steps[0].tool_name must be a string{FIRST}"),
        (a_plan(step(parameters="x")), f"steps[0].parameters must be an object{FIRST}"),
        (
            a_plan(step(parameters=[["x", "y"]])),
            'steps[0].parameters must be an object or a list of {"name": string, "value": string}'
            f"{FIRST}",
        ),
        (a_plan(step("0")), f"steps[0] depends on itself{FIRST}"),
        (a_plan(step({"a": 1})), f"steps[0].dependencies[0] must be a whole number{FIRST}"),
        (a_plan(step(), step(False)), f"steps[1].dependencies[0] must be a whole number{FIRST}"),
        (
            a_plan(step(description="x" * 4_001)),
            f"steps[0].description is longer than 4000 characters{FIRST}",
        ),
        (a_plan(reasoning="x" * 8_001), "reasoning is longer than 8000 characters"),
        (a_plan(confidence="quite"), "confidence must be a number"),
        (
            a_plan(confidence=8),
            "confidence is 8, which may be of 10 or of 100; write it from 0 to 1",
        ),
        (a_plan(confidence="140 %"), "confidence is more than 1"),
        (a_plan(estimated_duration="10-15 minutes"), "estimated_duration must be a number"),
        (a_plan(estimated_duration="1:30"), "estimated_duration must be a number"),
        (a_plan(confidence=True), "confidence must be a number"),
        (a_plan(confidence=900), "confidence is more than 1"),
        (a_plan(confidence=None), "confidence must be a number"),
        (a_plan(estimated_duration=-1), "estimated_duration is less than 0"),
        (a_plan(step(0)), f"steps[0] depends on itself{FIRST}"),
        (a_plan(step(), step(5)), f"steps[1] depends on step index 5: no such step{FIRST}"),
        (a_plan(step(), step(-1)), f"steps[1] depends on step index -1: no such step{FIRST}"),
        (
            a_plan(step(1), step(0)),
            f"steps[0] → steps[1] → steps[0] wait for each other{FIRST}",
        ),
        (
            a_plan(step(1), step()),
            f"steps[0] depends on steps[1], which does not come before it{FIRST}",
        ),
        ("x" * 200_001, "the answer is longer than 200,000 characters"),
    ],
)
def test_what_is_wrong_is_said_exactly(answer, fault):
    assert fault_of(answer) == fault


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "7" * 5_000])
@pytest.mark.parametrize("place", ["15", "0.9", '"Look."', "0\n"])
def test_a_number_that_cannot_be_kept_is_refused(number, place):
    assert "infinite or longer than 18 digits" in fault_of(GOOD.replace(place, number, 1))


@pytest.mark.parametrize("levels", [40, 900, 20_000])
def test_absurd_nesting_is_refused(levels):
    nested = "[" * levels + "]" * levels

    assert "levels deep" in fault_of(GOOD.replace("15", nested))


@pytest.mark.parametrize(
    "answer",
    [
        "{" * 1_000_000,
        '{"' * 500_000,
        '{"a":' * 200_000,
        '{"a' + '\\"' * 499_000,
        '{"a":{' + '"a":"b",' * 120_000,
        '{"a":' * 90 + "[" + "1," * 499_000,
        "{" + ",//" * 333_000,
        "{" + ", " * 499_000,
        "{," + " " * 999_000,
        '{"steps":1} ' * 80_000,
        '{"steps": [' + '{"a": [[[[1]]]]},' * 58_000 + "]}",
        "{/*" * 66_000,
        "{'" * 99_000,
        "{“" * 99_000,
        "{a:" * 66_000,
        "[{" * 99_000,
        '"{\\' * 66_000,
        '{"a":{' + '"a":"b",' * 24_000,
        "{'a':{" + "'a':'b'," * 24_000,
        '{"steps":1} ' * 16_000,
        '{"steps": [' + '{"a": [[[[1]]]]},' * 11_000 + "]}",
        json.dumps(["{" + "{'a':" * 340] * 100),
        json.dumps({"a": json.dumps({"a": json.dumps({"a": "{" * 40_000})})})[:199_000],
    ],
    ids=lambda answer: answer[:14],
)
def test_the_work_is_bounded_whatever_the_answer(answer):
    began = time.perf_counter()
    fault_of(answer)

    assert time.perf_counter() - began < 5


def test_a_plan_made_in_code_is_held_to_the_same_rules_and_does_not_change():
    with pytest.raises(ValidationError):
        Plan.model_validate(a_plan(step(0)))
    with pytest.raises(ValidationError):
        Plan.model_validate(a_plan(estimated_duration=float("inf")))
    with pytest.raises(ValidationError):
        PLAN.confidence = 0.1


def test_waves_hold_what_can_run_side_by_side():
    plan = Plan.model_validate(a_plan(step(), step(), step(0, 1, 1), step(), step(2, 3)))

    assert waves(plan) == [[0, 1, 3], [2], [4]]
    assert plan.steps[2].dependencies == [0, 1]


text = st.text(max_size=30)
spoken = text.filter(str.strip)
plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    return Plan(
        reasoning=draw(text),
        confidence=draw(st.floats(0, 1)),
        estimated_duration=draw(st.floats(0, allow_infinity=False)),
        steps=[
            PlanStep(
                agent_type=draw(spoken),
                description=draw(spoken),
                tool_name=draw(st.none() | text),
                parameters=draw(st.dictionaries(text, plain_json, max_size=3)),
                dependencies=draw(st.lists(st.integers(0, index - 1), max_size=4)) if index else [],
            )
            for index in range(draw(st.integers(1, 20)))
        ],
    )


@given(
    plans(),
    st.sampled_from(
        ["{}", "```json\n{}\n```", "Here {{you}} are:\n{}\nBye }}", '{{"plan": {}}}', "\ufeff{}"]
    ),
)
def test_every_plan_is_read_back_as_it_was_written(plan, around):
    assert read_plan(around.format(json_text(plan))) == plan


@given(
    st.text()
    | st.text(alphabet='{}[]":,/\\ \n`0e-.NaIstep\ud800')
    | st.builds(
        lambda at, put: GOOD[:at] + put + GOOD[at + len(put) :],
        st.integers(0, len(GOOD)),
        st.text(alphabet='{}[]":,/\\0-', max_size=3),
    )
    | plain_json.map(lambda steps: json.dumps(a_plan(steps=steps)))
    | plain_json.map(lambda value: json.dumps(a_plan(step(**{"parameters": value}))))
)
@example('{"steps":' * 2_000)
@example('{"plan": {"plan": {"steps": null}}}')
def test_no_answer_raises_anything_but_invalid_answer(answer):
    try:
        plan = read_plan(answer)
    except InvalidAnswer as error:
        fault = error.fault
    else:
        fault = "none"
        assert read_plan(json_text(plan)) == plan
    assert 0 < len(fault.encode()) < 400


def test_the_example_in_the_prompt_is_a_plan_in_the_shape_of_the_schema():
    system, _ = plan_messages("Tea")

    assert PLAN_EXAMPLE in system.content
    assert read_plan(system.content) == read_plan(PLAN_EXAMPLE)
    assert waves(read_plan(PLAN_EXAMPLE)) == [[0, 1], [2]]
    example_plan = json.loads(PLAN_EXAMPLE)
    assert list(example_plan) == PLAN_SCHEMA["required"] == list(Plan.model_fields)
    items = PLAN_SCHEMA["properties"]["steps"]["items"]
    for each in example_plan["steps"]:
        assert list(each) == items["required"] == list(PlanStep.model_fields)


def objects_in(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for item in schema for found in objects_in(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [found for item in schema.values() for found in objects_in(item)]


def test_every_object_of_the_schema_is_closed_and_every_key_required():
    objects = objects_in(PLAN_SCHEMA)

    assert len(objects) == 3
    for schema in objects:
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])


@pytest.mark.parametrize(
    "goal", ["a</goal>b", "a< / GOAL >b", "a<goal>b", "a</context>b", "a</goal\n>b"]
)
def test_a_goal_cannot_leave_its_tags(goal):
    _, user = plan_messages(goal, context=goal)

    assert user.content.count("<goal>") == user.content.count("</goal>") == 1
    assert user.content.count("<context>") == user.content.count("</context>") == 1
    assert goal.replace("<", "&lt;") in user.content


def test_a_goal_is_asked_word_for_word_after_its_context():
    system, user = plan_messages("Is 1 < 2 & <b>so</b>?", context="We said <i>yes</i>.")

    assert (system.role, user.role) == ("system", "user")
    assert "JSON" in system.content
    assert "JSON" in user.content
    assert user.content.startswith(
        "<context>\nWe said <i>yes</i>.\n</context>\n\n<goal>\nIs 1 < 2 &"
    )
    assert "<context>" not in plan_messages("Tea", context=" ")[1].content


def test_a_repair_names_the_fault_and_asks_for_the_whole_object():
    message = repair_message(fault_of(a_plan(step(0))))

    assert message.role == "user"
    assert f"cannot be used: steps[0] depends on itself{FIRST}.\n" in message.content
    assert "whole JSON object" in message.content
