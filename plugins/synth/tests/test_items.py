"""Rows of text tasks, read strictly, and who speaks them."""

from collections import Counter
from pathlib import Path

import pytest
from speechzoo import SpeechzooError
from speechzoo.channel import Channel
from speechzoo.jsonl import Row

from speechzoo_synth.items import Fields, TextItem, read_items
from speechzoo_synth.orders import assigned, draw


def item(values: dict[str, object], **fields: str) -> TextItem:
    return read_items([Row(Path("rows.jsonl"), 7, values)], Fields(**fields))[0]


def test_one_answer_or_a_list() -> None:
    """Otherwise: golds that are one text or a number cannot be read, or are taken letter by letter."""
    assert item({"question": "Q?", "answers": "Paris"}).answers == ("Paris",)
    assert item({"question": "Q?", "answer": 4}, answers="answer").answers == ("4",)
    assert item({"question": "Q?", "answers": ["a", "b"]}).answers == ("a", "b")
    assert item({"question": "Q?"}).answers == ()


@pytest.mark.parametrize(
    ("options", "correct", "place"),
    [
        (["red", "blue"], 1, 1),
        (["red", "blue"], "B", 1),
        (["red", "blue"], "blue", 1),
        (["B", "A"], "A", 1),
        ({"text": ["red", "blue"], "label": ["1", "2"]}, "2", 1),
        ({"text": ["red", "blue"], "label": ["A", "B"]}, "A", 0),
        ([1, 2], 0, 0),
    ],
)
def test_the_right_option_in_the_forms_data_sets_have(options: object, correct: object, place: int) -> None:
    """Otherwise: a data set has to be rewritten first, or a wrong option counts as right."""
    read = item({"question": "Q?", "options": options, "correct": correct})
    assert read.correct == place and len(read.options) == 2


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "'question' must be a text"),
        ({"question": " "}, "'question' must be a text"),
        ({"question": "Q?", "answers": []}, "'answers' must be"),
        ({"question": "Q?", "answers": [""]}, "'answers' must be"),
        ({"question": "Q?", "answers": {"value": 1}}, "'answers' must be"),
        ({"question": "Q?", "options": ["a"], "correct": 0}, "2 to 26 options"),
        ({"question": "Q?", "options": "abc", "correct": 0}, "'options' must be"),
        ({"question": "Q?", "options": ["a", "b"]}, "'correct' must be"),
        ({"question": "Q?", "options": ["a", "b"], "correct": 2}, "'correct' must be"),
        ({"question": "Q?", "options": ["a", "b"], "correct": True}, "'correct' must be"),
        ({"question": "Q?", "options": ["a", "a"], "correct": "a"}, "'correct' must be"),
        ({"question": "Q?", "options": ["a", "b"], "correct": 0, "answers": "a"}, "exclude each other"),
        ({"question": "Q?", "attributes": ["x"]}, "'attributes' must be"),
        ({"question": "Q?", "id": 1.5}, "'id' must be"),
    ],
)
def test_a_malformed_row_is_named(values: dict[str, object], told: str) -> None:
    """Otherwise: a row of ten thousand is at fault and nobody knows which, or it is graded wrongly."""
    with pytest.raises(SpeechzooError, match=rf"rows.jsonl:7: .*{told}"):
        item(values)


def test_options_are_lettered_unless_the_question_has_them() -> None:
    """Otherwise: a listener hears 'A, A. B, B' after a prompt that names the options itself."""
    lettered = item({"question": "Which?", "options": ["red", "blue"], "correct": 0})
    assert lettered.with_options() == "Which?\nA. red\nB. blue"
    assert item({"question": "Which?\nA. red", "options": ["A", "B"], "correct": 0}).with_options() == (
        "Which?\nA. red"
    )


def test_options_stand_before_the_answer_of_a_prompt() -> None:
    """Otherwise: a listener hears 'Answer: A, blue', which is one option given as the answer."""
    prompt = {"question": "Question: Which?\nAnswer:", "options": ["red", "blue"], "correct": 0}
    assert item(prompt).with_options() == "Question: Which?\nA. red\nB. blue\nAnswer:"


def items(count: int) -> list[TextItem]:
    return [TextItem(str(number), f"Question {number}?") for number in range(count)]


def test_voices_take_turns_by_the_seed() -> None:
    """Otherwise: one voice has all questions of one sort, and a voice's effect is that of its questions."""
    channels = [Channel(), Channel(snr=10)]
    drawn = list(assigned(items(40), ["a", "b"], channels, "turn", seed=0))
    assert Counter((voice, channel) for _, _, voice, channel in drawn) == {
        (voice, channel): 10 for voice in "ab" for channel in channels
    }
    assert [name for name, *_ in drawn] == [str(number) for number in range(40)]
    voices = [voice for _, _, voice, _ in drawn]
    assert voices != [voice for _, _, voice, _ in assigned(items(40), ["a", "b"], channels, "turn", seed=1)]
    assert voices[:2] * 20 != voices


def test_each_is_the_full_cross_under_ids_of_its_own() -> None:
    """Otherwise: two clips of one question share an id, and one is lost."""
    drawn = list(assigned(items(2), ["a", "b"], [Channel(), Channel(snr=10)], "each", seed=0))
    assert [name for name, *_ in drawn][:4] == [
        "0@a",
        "0@a@snr=10,noise=white",
        "0@b",
        "0@b@snr=10,noise=white",
    ]
    assert len({name for name, *_ in drawn}) == 8


def test_ids_that_would_be_one_are_refused() -> None:
    """Otherwise: one of two clips is lost under the other's id."""
    twins = [TextItem("q", "One?"), TextItem("q@snr=10,noise=white", "Two?")]
    with pytest.raises(SpeechzooError, match="would be called 'q@snr=10,noise=white'"):
        list(assigned(twins, ["a"], [Channel(), Channel(snr=10)], "each", seed=0))


def test_a_smaller_draw_is_part_of_a_larger() -> None:
    """Otherwise: a trial of ten items says nothing about the run of fifty, and its speech is wasted."""
    few, many = draw(items(100), 10, 0), draw(items(100), 50, 0)
    assert len(few) == 10 and {one.id for one in few} < {one.id for one in many}
    assert [one.id for one in few] == sorted((one.id for one in few), key=int)
    assert {one.id for one in draw(items(100), 10, 1)} != {one.id for one in few}
