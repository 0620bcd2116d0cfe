"""A plan that is being written, as far as it can be read."""

import json

from hypothesis import given
from hypothesis import strategies as st

from core.planning.partial_plan import draft

PLAN = json.dumps(
    {
        "reasoning": 'It is "quite" simple:\n\\ two steps, é and 🙂.',
        "confidence": 0.9,
        "steps": [
            {"agent_type": "research", "description": "Find \\u trains", "parameters": {}},
            {"agent_type": "writing", "description": "Write it down"},
        ],
    }
)


def test_a_whole_plan_is_read_as_it_stands():
    found = draft(f"Here it is:\n```json\n{PLAN}\n```")
    assert found.reasoning == 'It is "quite" simple:\n\\ two steps, é and 🙂.'
    assert found.steps == (("research", "Find \\u trains"), ("writing", "Write it down"))


def test_whatever_has_arrived_is_a_beginning_of_what_will_stand_there():
    whole = draft(PLAN)
    for end in range(len(PLAN)):
        found = draft(PLAN[:end])
        if found is None:
            continue
        assert whole.reasoning.startswith(found.reasoning)
        for (who, what), (told, said) in zip(whole.steps, found.steps, strict=False):
            assert who.startswith(told)
            assert what.startswith(said)


def test_what_is_no_plan_is_not_taken_for_one():
    assert draft("") is None
    assert draft("Sure! Let me think.") is None


@given(st.text(max_size=300))
def test_no_text_breaks_it(text):
    draft(text)
    draft('{"reasoning": "' + text)
