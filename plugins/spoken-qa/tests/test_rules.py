"""The rules by their names."""

import pytest
from speechzoo import Failure, ItemError

from speechzoo_spoken_qa.rules import RULES, Gold

DESERT = Gold(options=("a marsh", "a salt marsh", "a desert", "vitamin D"), correct=2)
PLAUSIBLE = Gold(answers=("no",), subset="sports_understanding")
ORDER = Gold(answers=("(b)",), subset="hyperbaton")


def outcome(name: str, reply: str, gold: Gold) -> float | str:
    graded = RULES[name](reply, gold)
    return graded.reason if isinstance(graded, Failure) else graded


@pytest.mark.parametrize(
    ("reply", "sound", "published"),
    [
        ("It is C", 1.0, "unparsed"),
        ("Answer: A", 0.0, "unparsed"),
        ("The answer is C.", 1.0, 1.0),
        ("I think it is a, well, hard one", "unparsed", 0.0),
        ("The answer is A. No, the answer is C.", "unparsed", 0.0),
        ("I have no idea", "unparsed", "unparsed"),
    ],
)
def test_options_by_the_sound_and_the_published_rule(
    reply: str, sound: float | str, published: float | str
) -> None:
    """Otherwise a random letter would be drawn where nothing is found, as in published figures."""
    assert outcome("letter", reply, DESERT) == sound
    assert outcome("voicebench", reply, DESERT) == published


@pytest.mark.parametrize(
    ("gold", "reply", "sound", "published"),
    [
        (PLAUSIBLE, 'The sentence "Messi kicked a goal" is not plausible.', 1.0, 0.0),
        (PLAUSIBLE, "The sentence is not plausible.", 1.0, 1.0),
        (PLAUSIBLE, "Nobody knows.", "unparsed", 1.0),
        (PLAUSIBLE, "It is hard to say.", "unparsed", "unparsed"),
        (ORDER, "B", 1.0, 0.0),
        (ORDER, "The answer is (B).", 1.0, 1.0),
        (ORDER, "(A)", 0.0, "unparsed"),
    ],
)
def test_bbh_by_the_sound_and_the_published_rule(
    gold: Gold, reply: str, sound: float | str, published: float | str
) -> None:
    """Otherwise a fault of the published rule would be ours too, or could not be seen."""
    assert outcome("yes-no", reply, gold) == sound
    assert outcome("voicebench-bbh", reply, gold) == published


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("reply", ["", "  \n", "...", "**"])
def test_a_reply_without_a_word_is_an_outcome_of_its_own(name: str, reply: str) -> None:
    """Otherwise silence would be wrong, a refusal or a guess, as in published figures."""
    assert outcome(name, reply, Gold()) == "empty_reply"


def test_a_failure_shows_what_could_not_be_read() -> None:
    """Otherwise nobody could tell a rule that is too strict from a model that does not answer."""
    failure = RULES["letter"]("(A) is wet\n(C) is dry", DESERT)
    assert isinstance(failure, Failure)
    assert failure.detail == "the reply says a and c: '(A) is wet (C) is dry'"


@pytest.mark.parametrize("name", ["letter", "voicebench", "yes-no", "voicebench-bbh"])
def test_an_item_without_a_right_answer_is_told(name: str) -> None:
    """Otherwise every reply to it would be wrong."""
    with pytest.raises(ItemError, match="no_gold"):
        RULES[name]("A", Gold(options=("x", "y"), subset="navigate"))
