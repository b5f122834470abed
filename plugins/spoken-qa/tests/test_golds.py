"""Columns that hold what replies are held against, in the forms that published data have."""

from typing import Any

import numpy as np
import pytest

from speechzoo_spoken_qa.golds import read_answers, read_instructions, read_letter, read_options


@pytest.mark.parametrize(
    ("value", "answers"),
    [
        ("Paris", ("Paris",)),
        (" Paris \n", ("Paris",)),
        (["Paris", "City of Light"], ("Paris", "City of Light")),
        ("['Paris', \"L'Aquila\"]", ("Paris", "L'Aquila")),
        (str(np.array(["Paris", "City of Light"], object)), ("Paris", "City of Light")),
        ("['Paris'\n 'Lutetia']", ("Paris", "Lutetia")),
        ("[1969, 'nineteen sixty-nine']", ("1969", "nineteen sixty-nine")),
        (1969, ("1969",)),
        (1969.0, ("1969",)),
        (["Paris", "", "  ", "Paris", None], ("Paris",)),
        (["A", "vitamin A"], ("A", "vitamin A")),
        ([["Paris"], ["Lutetia", ("Paname",)]], ("Paris", "Lutetia", "Paname")),
        ({"Paris", "Lutetia"}, ("Lutetia", "Paris")),
        ("('Paris', 'Lutetia')", ("Paris", "Lutetia")),
        ("{'Paris', 'Lutetia'}", ("Lutetia", "Paris")),
        ("[['Paris'], ['Lutetia']]", ("Paris", "Lutetia")),
        ({"value": "Paris", "aliases": ["Lutetia"], "type": "WikipediaEntity"}, ("Paris", "Lutetia")),
        ("{'value': 'Paris', 'aliases': ['Lutetia']}", ("Paris", "Lutetia")),
        ("(1, 2)", ("(1, 2)",)),
        ("(H2O)", ("(H2O)",)),
        ("[sic]", ("[sic]",)),
        ("[unclosed", ("[unclosed",)),
    ],
)
def test_answers_in_every_form(value: object, answers: tuple[str, ...]) -> None:
    """Otherwise replies are compared with a printed list, or with two answers glued together."""
    assert read_answers(value) == answers


@pytest.mark.parametrize("value", ["", "  ", None, [], "[]", "['']", [None], float("nan")])
def test_no_answer_is_an_error(value: object) -> None:
    """Otherwise every reply to the row is wrong, or right, whatever it says."""
    with pytest.raises(ValueError, match="no accepted answer"):
        read_answers(value)


@pytest.mark.parametrize(
    "value", [{"text": "Paris"}, b"Paris", "{'text': 'Paris'}", "b'Paris'", [b"x"], object()]
)
def test_a_value_of_another_type_is_an_error(value: object) -> None:
    """Otherwise its printed form would be the answer, and every reply to the row wrong."""
    with pytest.raises(ValueError, match="must be a text or a number"):
        read_answers(value)


def test_an_answer_without_a_word_stays_for_each_rule_to_judge() -> None:
    """Otherwise "A", an article to one rule, could not be found by the other either."""
    assert read_answers("The The") == ("The The",)


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("What grows?\nA. stones\nB. trees\nC. rain\nPlease choose one.", ("stones", "trees", "rain")),
        ("Which? A. one B. two C. three D. four", ("one", "two", "three", "four")),
        ("Which?\n(A) a cat\n(B) a dog", ("a cat", "a dog")),
        ("Which?\nA) a cat\nB) a dog\n", ("a cat", "a dog")),
        ("Plan A. It failed. Which? A. one B. two", ("one", "two")),
        ("Vitamin A. is good for what?", ()),
        ("What is the capital of France?", ()),
        ("", ()),
    ],
)  # fmt: skip
def test_options_are_found_in_the_question(question: str, options: tuple[str, ...]) -> None:
    """Otherwise a reply that says an option's text instead of its letter is not understood."""
    assert read_options(question) == options


def test_letters_are_read_strictly() -> None:
    """Otherwise a column of words would be read as letters."""
    assert [read_letter(one) for one in ("A", "b", "(C)", "D.", " d ")] == [0, 1, 2, 3, 3]
    for wrong in ("", "AB", "yes", None, "1"):
        with pytest.raises(ValueError, match="letter of an option"):
            read_letter(wrong)


def test_arguments_that_are_none_were_not_there() -> None:
    """Otherwise a check of IFEval is called with arguments that it does not know."""
    (first, second) = read_instructions(
        ["punctuation:no_comma", "length_constraints:number_words"],
        [{"num_words": None, "relation": None}, {"num_words": 40, "relation": "at least"}],
    )
    assert (first.id, first.arguments) == ("punctuation:no_comma", {})
    assert dict(second.arguments) == {"num_words": 40, "relation": "at least"}


@pytest.mark.parametrize(("ids", "arguments"), [(["a"], []), ([], []), (None, None), (["a"], ["b"])])
def test_instructions_without_their_arguments_are_an_error(ids: Any, arguments: Any) -> None:
    """Otherwise a reply passes because nothing of it is checked."""
    with pytest.raises(ValueError, match="do not fit"):
        read_instructions(ids, arguments)
