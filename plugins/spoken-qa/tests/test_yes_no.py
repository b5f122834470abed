"""What a reply says to a question of yes or no."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechzoo_spoken_qa.yes_no import said


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("Yes.", "yes"),
        ("no", "no"),
        ("No, you do not.", "no"),
        ("The answer is yes.", "yes"),
        ("the answer: **No**", "no"),
        ("\\boxed{\\text{False}}", "no"),
        ("We go left, then right, so no.", "no"),
        ("Yes it is", "yes"),
        ("The answer to the question is no because she moved.", "no"),
    ],
)
def test_the_word_is_found_however_it_is_put(reply: str, answer: str) -> None:
    """Otherwise a model would be marked down for its manners."""
    assert said(reply) == {answer}


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "No doubt about that one",
        "Nobody knows",
        "The answer is not known",
        "Is it yes or no?",
        "I now see",
    ],
)
def test_other_words_say_nothing(reply: str) -> None:
    """Otherwise "nobody" would be no, as in the published rule."""
    assert said(reply) == frozenset()


def test_both_is_a_contradiction() -> None:
    """Otherwise whichever came first would be the answer."""
    assert said("Yes. Well, thinking again, no") == {"yes", "no"}
    assert said("Bob tells the truth and Ann lies.", "web_of_lies") == {"yes", "no"}


@pytest.mark.parametrize(
    ("subset", "reply", "answer"),
    [
        ("sports_understanding", 'The sentence "Messi kicked a goal" is not plausible.', "no"),
        ("sports_understanding", "It isn't plausible, because he plays hockey.", "no"),
        ("sports_understanding", "This is implausible.", "no"),
        ("sports_understanding", "That is a plausible sentence.", "yes"),
        ("navigate", "You take 3 steps. You are back at the starting point.", "yes"),
        ("navigate", "So you do not return to the starting point.", "no"),
        ("navigate", "You end up 2 steps away from the starting point.", "no"),
        ("navigate", "Do you return to the starting point? You haven't returned to where you started.", "no"),
        ("web_of_lies", "Ann lies. Bob says so. Therefore Bob tells the truth.", "yes"),
        ("web_of_lies", "So Ann does not tell the truth.", "no"),
        ("web_of_lies", "Therefore Ann is lying.", "no"),
        ("web_of_lies", "So Ann must be lying.", "no"),
        ("navigate", "You are now 3 steps north of the starting point.", "no"),
        ("navigate", "You are two steps from the starting point.", "no"),
        ("navigate", "You end up 5 steps to the left of where you started.", "no"),
        ("navigate", "You're right back where you started.", "yes"),
        ("navigate", "You are not back at the start.", "no"),
        ("navigate", "So you end up at the beginning.", "yes"),
        ("navigate", "This brings you back to the starting point.", "yes"),
        ("navigate", "You fail to return to the starting point.", "no"),
        ("navigate", "Therefore, you are at the same place where you started.", "yes"),
        ("sports_understanding", "It's quite plausible.", "yes"),
        ("sports_understanding", "No way this is plausible.", "no"),
        ("sports_understanding", "It is anything but plausible.", "no"),
        ("sports_understanding", "Since a player could do so, it is plausible.", "yes"),
    ],
)
def test_a_claim_answers_the_question_it_was_asked(subset: str, reply: str, answer: str) -> None:
    """Otherwise a right answer in a full sentence would be lost."""
    assert said(reply, subset) == {answer}


@pytest.mark.parametrize(
    ("subset", "reply"),
    [
        ("navigate", "We are facing the starting point."),
        ("navigate", "You are at the start of a long walk."),
        ("navigate", "You must take 2 more steps to return to the starting point."),
        ("navigate", "You would be back at the starting point with two more steps."),
        ("navigate", "If you turn around you are back at the starting point."),
        ("navigate", "You are 0 steps from the starting point."),
        ("navigate", "To return to the starting point, turn around."),
        ("navigate", "Initially you are at the starting point."),
        ("sports_understanding", "It is unclear if it is plausible."),
        ("sports_understanding", "It is questionable whether the sentence is plausible."),
        ("sports_understanding", "This is less plausible."),
        ("sports_understanding", "That could be plausible."),
        ("sports_understanding", "It is far from plausible."),
        ("sports_understanding", "I am not sure it is plausible."),
        ("web_of_lies", "It is impossible to determine if Ann tells the truth."),
        ("web_of_lies", "Ann says that Bob tells the truth."),
        ("web_of_lies", "Ann claims Bob is lying."),
        ("web_of_lies", "We don't know whether Ann tells the truth."),
        ("web_of_lies", "We cannot say that Ann tells the truth."),
        ("web_of_lies", "If Ann tells the truth, Bob lies."),
    ],
)
def test_what_is_only_spoken_of_is_not_claimed(subset: str, reply: str) -> None:
    """Otherwise a model that cannot tell would be right every other time."""
    assert said(reply, subset) == frozenset()


@given(st.sampled_from(["navigate", "sports_understanding", "web_of_lies", ""]), st.text(max_size=60))
def test_nothing_is_said_without_a_word_for_it(subset: str, reply: str) -> None:
    """Otherwise noise would be right every other time."""
    words = (
        "yes",
        "no",
        "true",
        "false",
        "plausible",
        "unlikely",
        "start",
        "began",
        "original",
        "truth",
        "li",
    )
    if not any(word in reply.casefold() for word in words) and reply.isascii():
        assert said(reply, subset) == frozenset()
