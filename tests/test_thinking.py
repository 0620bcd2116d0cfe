"""What a model thought aloud is told from what it answered."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.values.thinking import AnswerInPieces, Said, told_apart

FORMS = [
    "<think>{}</think>{}",
    "<think>\n{}\n</think>\n\n{}",
    " \n<Think >{}</ think >{}",
    "<thinking>{}</thinking>{}",
    "<thinking>{}</think>{}",
    "<thought>{}</thought>{}",
    "<reasoning>\n{}</reasoning>\n{}",
    '<think duration="3">{}</think>{}',
    "<seed:think>{}</seed:think>{}",
    "[THINK]{}[/THINK]{}",
    "◁think▷{}◁/think▷{}",
    "<|START_THINKING|>{}<|END_THINKING|><|START_RESPONSE|>{}<|END_RESPONSE|>",
    "<|begin_of_thought|>{}<|end_of_thought|>\n<|begin_of_solution|>{}<|end_of_solution|>",
    "<|inner_prefix|>{}<|inner_suffix|>{}",
    "<|channel>thought\n{}<channel|>{}",
    "<unused94>thought\n{}<unused95>{}",
    "Here is my thought process:\n\n{}\n\nHere is my response:\n\n{}",
    "<think>{}</think>\n<answer>\n{}\n</answer>",
    "<think>{}</think><response>{}</response>",
    "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}",
    "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}"
    "<|return|>",
    "<|start|>assistant<|channel|>analysis<|message|>{}"
    "<|channel|>final <|constrain|>json<|message|>{}",
    "analysis{}assistantfinal{}",
    "{}</think>{}",
    "\n{}\n</think>\n\n{}",
    "{}\n[/THINK]\n{}",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("thought", "answer"),
    [
        ('We need 5" {x}, then', "The answer is **4**."),
        ('First\n\n```json\n{"a": 1}\n```\nno', '{"steps": []}'),
        ("Hm", "A fence:\n\n```py\nprint('<think>')\n```\n\nDone."),
    ],
)
def test_thinking_is_no_part_of_an_answer(form, thought, answer):
    assert told_apart(form.format(thought, answer)) == Said(thought.strip(), answer)


@pytest.mark.parametrize(
    "opening", ["<think>", "[THINK]\n", "◁think▷", "<|channel|>analysis<|message|>"]
)
def test_thinking_that_never_ends_leaves_no_answer(opening):
    assert told_apart(f'{opening}First, {{"steps": []}} and') == Said(
        'First, {"steps": []} and', ""
    )


def test_thinking_between_two_parts_of_an_answer_is_taken_out():
    said = told_apart("<think>a</think>One.\n<think>\nb\n</think>\nTwo. <think>c</think> Three.")

    assert said.thinking == "a\n\nb\n\nc"
    assert said.answer.split() == ["One.", "Two.", "Three."]


def test_thinking_within_thinking_is_thinking():
    assert told_apart("<think>a <think>b</think> c</think>\nd").answer == "d"


def test_thinking_that_speaks_of_its_own_mark_goes_on():
    assert told_apart('<think>I end with "</think>", so</think>4').answer == "4"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 4\n",
        "Everything before </think> is dropped, and `<think>` opens it.",
        "The <think> and </think> tags, in that order.",
        'Cut at "</think>".\nThen go on.',
        "```xml\n<think>\nan example\n</think>\n```\nSee above.",
        '{"steps": [{"description": "Remove <think>a</think> from it"}]}',
        '{"description": "Cut \\"all\\" up to </think>"}',
        "<thinker>no mark</thinker>",
        "analysis of the market: it grows.",
        "Here is my response: yes.",
        "1 < 2 > 0 [x] [THIN",
    ],
)
def test_an_answer_that_only_speaks_of_marks_comes_back_as_it_was(text):
    assert told_apart(text) == Said("", text)


@given(
    st.text()
    | st.lists(st.sampled_from(["<think>", "</think>", "`", '"', "```\n", "a", "\n"])).map("".join)
)
def test_no_text_breaks_it_and_nothing_is_invented(text):
    said = told_apart(text)
    assert len(said.thinking) + len(said.answer) <= len(text) + 2 * 20


@pytest.mark.parametrize(
    "piece",
    [
        "<think>",
        "</think>",
        "`",
        '"',
        '\\"',
        "“",
        "a\n</think> b ",
        "<think></think>",
        "~~~~\n",
        "<",
        "[",
        "analysis ",
        "'",
        "\n",
        " ",
        "<|channel|>analysis",
        "<|end|>",
        "<answer>",
    ],
)
def test_it_takes_time_in_step_with_the_length(piece):
    began = time.perf_counter()
    told_apart(piece * (100_000 // len(piece)))
    told_apart("<think>a</think>" + piece * (100_000 // len(piece)) + "</think>")
    assert time.perf_counter() - began < 5


def test_the_marks_of_other_makers_are_marks():
    for name in ("ds_think", "minimax:think", "antthinking", "inner_monologue", "chain_of_thought"):
        assert told_apart(f"<{name}>a</{name}>b") == Said("a", "b")
    assert told_apart("<|think|>a<|/think|>b") == Said("a", "b")
    assert told_apart("<｜think｜>a</｜think｜>b") == Said("a", "b")
    assert told_apart("[thinking]a[/thinking]b") == Said("a", "b")


@pytest.mark.parametrize(
    "text",
    [
        "</think>\n" * 110_000,
        '"<think>" ' * 100_000,
        f"<think>x</think>{'<|return|>' * 90_000}",
        f"<think>x</think>{'<|return|>' * 90_000}x",
        f"<think>x</think>{' ' * 1_000_000}x",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_a_model_that_says_the_same_for_ever_keeps_nobody_waiting(text):
    began = time.process_time()
    told_apart(text)
    assert time.process_time() - began < 5


def in_pieces(text: str, size: int) -> tuple[str, int]:
    """The answer as it is passed on, and how often it began anew."""
    answer, passed, begun = AnswerInPieces(), "", 0
    for end in range(size, len(text) + size, size):
        new, anew = answer.take(text[:end], last=end >= len(text))
        passed, begun = (new if anew else passed + new), begun + anew
    return passed, begun


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_an_answer_in_pieces_is_the_answer(form, size):
    text = form.format('We need 5" {x}, then', "The answer\n\nis **4**.")

    passed, begun = in_pieces(text, size)

    assert passed.rstrip() == told_apart(text).answer
    assert begun <= 2
    if form in (*FORMS[:2], "[THINK]{}[/THINK]{}", "◁think▷{}◁/think▷{}"):
        assert begun == 0


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "`", '"', "a", "\n", ". ", "B"])).map("".join),
    st.integers(1, 9),
)
def test_any_answer_in_pieces_is_the_answer(text, size):
    if text:
        assert in_pieces(text, size)[0].strip() == told_apart(text).answer.strip()


def test_a_long_answer_in_pieces_is_passed_on_as_it_comes():
    answer, passed = AnswerInPieces(), []
    text = "Word after word. " * 1000
    for end in range(0, len(text) + 1, 5):
        passed.append(answer.take(text[:end]))
    assert ("".join(new for new, _ in passed), any(anew for _, anew in passed)) == (text, False)
