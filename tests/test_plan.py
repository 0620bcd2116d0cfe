"""Plans: reading one out of whatever a model answers, and the words for what is wrong."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.errors import InvalidAnswer
from core.plan import Plan, PlanStep, json_text, read_plan, waves
from core.prompts import PLAN_EXAMPLE, PLAN_SCHEMA, plan_messages, repair_message


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
        f"{GOOD}\n\n{json.dumps(a_plan(reasoning='Another.'))}",
        GOOD.replace("\n ]", ", // the last\n // one\n ]").replace("\n}", ",\n}"),
        GOOD.replace("{", "{ // so:\n", 1),
        GOOD.replace('"confidence"', '"confidence": 0.1, "confidence"'),
    ],
)
def test_a_plan_is_read_from_whatever_stands_around_it(answer):
    assert read_plan(answer) == PLAN


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
            GOOD.replace('"', "'"),
            'line 2 of the JSON object is broken near "{\\n \'reasoning": '
            "expecting property name enclosed in double quotes",
        ),
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
        (a_plan(step("0")), f"steps[0].dependencies[0] must be a whole number{FIRST}"),
        (a_plan(step(), step(False)), f"steps[1].dependencies[0] must be a whole number{FIRST}"),
        (
            a_plan(step(description="x" * 4_001)),
            f"steps[0].description is longer than 4000 characters{FIRST}",
        ),
        (a_plan(reasoning="x" * 8_001), "reasoning is longer than 8000 characters"),
        (a_plan(confidence="0.9"), "confidence must be a number"),
        (a_plan(confidence=True), "confidence must be a number"),
        (a_plan(confidence=90), "confidence is more than 1"),
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
