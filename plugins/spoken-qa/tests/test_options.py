"""Which option a reply names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechzoo_spoken_qa.options import named_options

WATER = ("a marsh", "a salt marsh", "a desert", "vitamin D")
LETTERS = "ABCD"


def named(reply: str, options: tuple[str, ...] = WATER) -> str:
    return "".join(sorted("ABCDEFGHIJ"[index] for index in named_options(reply, options)))


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("It is C", "C"),
        ("Answer: A", "A"),
        ("(B)", "B"),
        ("B.", "B"),
        ("**C**", "C"),
        ("option D", "D"),
        ("a", "A"),
        ("answer: a", "A"),
        ("The answer is a.", "A"),
        ("I'd say A.", "A"),
        ("the answer is b", "B"),
        ("Answer B", "B"),
        ("（Ｂ）", "B"),
        ("I think B because of the salt", "B"),
        ("My final answer is option (B).", "B"),
        ("The answer to the question of what is dry is C", "C"),
        ("Therefore, the correct answer is:\n\n**C. desert**", "C"),
        ("$\\boxed{\\text{B}}$", "B"),
        ("The answer is \\( \\text{B) } \\)", "B"),
        ("Of these, C is correct.", "C"),
        ("C is the best answer.", "C"),
        ("Sentence a is correct.", "A"),
        ("B salt marsh", "B"),
        ("D, since vitamin D is made there", "D"),
    ],
)
def test_a_letter_is_found_however_it_is_put(reply: str, letter: str) -> None:
    """Otherwise a model would be marked down for its manners."""
    assert named(reply) == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("It is a desert.", "C"),
        ("marsh", "A"),
        ("A salt marsh", "B"),
        ("That would be the salt marsh, of course.", "B"),
        ("Vitamin d, of course", "D"),
        ("It is not a marsh but a desert.", "C"),
    ],
)
def test_the_options_own_text_names_it(reply: str, letter: str) -> None:
    """Otherwise people who hear a question, and answer it in words, would never be right."""
    assert named(reply) == letter


@pytest.mark.parametrize(
    "reply",
    [
        "I think it is a, well, hard one",
        "vitamin b, of course",
        "It is a",
        "the answer is a",
        "The answer, a hard one, escapes me",
        "A hard one!",
        "a well-known fact",
        "I'd like that",
        "D.C. is the capital",
        "Vitamin C is the best answer.",
        "grade A work",
        "I think B cells do it",
        "Is it B?",
        "",
    ],
)
def test_a_word_is_no_letter(reply: str) -> None:
    """Otherwise a reply that names no option would be given one, and a cut one the first."""
    assert named(reply) == ""


@pytest.mark.parametrize(
    ("reply", "letters"),
    [
        ("The answer is not B.", ""),
        ("I would not choose option B", ""),
        ("I don't think B is right.", ""),
        ("It cannot be option B", ""),
        ("neither A nor B", ""),
        ("The answer is A or B", ""),
        ("It is either option a or option b.", ""),
        ("(A) or (B)", ""),
        ("The answer B. salt marsh is wrong.", ""),
        ("It's not B, it's C", "C"),
        ("C, not B", "C"),
        ("A and B are wrong, so it is C.", "C"),
        ("The wrong answer is A.", ""),
        ("The incorrect option is B.", ""),
        ("The only incorrect answer is D", ""),
        ("The least likely answer is B.", ""),
        ("The wrong answer is a salt marsh.", ""),
        ("A: wrong. B: correct.", "B"),
        ("A) incorrect\nB) incorrect\nC) correct", "C"),
        ("I doubt the answer is B", ""),
        ("I doubt it is a desert.", ""),
        ("It is hard to say whether the answer is B", ""),
        ("It isn't the case that the answer is B", ""),
        ("If the answer is B, then C.", ""),
        ("If B is correct, the lake is salty.", ""),
        ("If I had to choose I would say B.", "B"),
        ("I am not sure if it is A, but the answer is B.", "B"),
        ("Is the answer B?", ""),
        ("Is it a desert?", ""),
        ("Which is it? The answer is B.", "B"),
        ("I have no doubt the answer is B.", "B"),
        ("The best answer is B. The other answers are wrong.", "B"),
    ],
)
def test_what_is_denied_or_listed_is_not_named(reply: str, letters: str) -> None:
    """Otherwise "not B" would count as B."""
    assert named(reply) == letters


@pytest.mark.parametrize(
    ("reply", "letters"),
    [
        ("The answer is A. No, the answer is C.", "AC"),
        ("B. a desert", "BC"),
        ("The answer is B, a desert, of course.", "BC"),
        ("The answer is B. Desert.", "BC"),
        ("A. marsh\nB. salt marsh\nC. desert\nD. vitamin D", "ABCD"),
        ("a desert and vitamin D", "CD"),
    ],
)
def test_contradictions_stay_contradictions(reply: str, letters: str) -> None:
    """Otherwise the order of the words, or of the rule, would decide."""
    assert named(reply) == letters


def test_the_answer_given_comes_before_options_talked_about() -> None:
    """Otherwise a model that thinks aloud would contradict itself."""
    assert named("Option A describes a lake. Option C is dry. So the answer is B.") == "B"
    assert named("The answer is B. A desert is dry, unlike a marsh.") == "B"
    assert named("I choose B salt marsh; a desert is dry") == "B"


def test_letters_beyond_d_and_options_that_begin_with_a_letter() -> None:
    """Otherwise sets with ten options, or with E. coli among them, could not be graded."""
    ten = (*"123456789", "10")
    assert named("The answer is J.", ten) == "J"
    assert named("It's B, I think", ten) == "B"
    assert named("The answer is I think hard to tell", ten) == ""
    assert named("The answer is B cells", ("T cells", "B cells", "skin", "hair")) == "B"
    germs = ("a virus", "E. coli", "a fungus", "a plant", "a worm")
    assert named("E. coli", germs) == named("It is E. coli, I think.", germs) == "B"
    assert named("The answer is C", ("", "")) == "", "there is no option C"
    with pytest.raises(ValueError, match="0 options"):
        named_options("A", ())


PLAIN_TEXT = """I think well that is a hard question about water and the vitamin d or b of answer an option
one it was grade plan sentence choice say because not sure correct , . ; " ' * - 12 x"""
PLAIN_WORDS = st.sampled_from([*PLAIN_TEXT.split(), "\n"])


@given(st.lists(PLAIN_WORDS, max_size=12), st.integers(2, 4))
def test_no_option_is_invented(words: list[str], count: int) -> None:
    """Otherwise a reply that says nothing would be right one time in four."""
    text = " ".join(words)
    # Bare letters are left to the next test: "d." may stand alone in a line.
    if not any(letter in text.split() for letter in ("a", "b", "d")):
        assert named_options(text, WATER[:count]) == frozenset()


@given(st.lists(PLAIN_WORDS, max_size=12))
def test_the_article_is_never_an_option_within_a_sentence(words: list[str]) -> None:
    """Otherwise half of all English sentences would name option A."""
    text = f"Well {' '.join(word for word in words if word.isalpha() and word not in 'bd')} a swamp"
    assert named_options(text, ("red", "green", "blue")) == frozenset()


FRAMES = st.sampled_from(
    ["{}", "{}.", "({})", "**{}**", "Answer: {}", "The answer is {}.", "It is {}.", "I choose option {}.",
     "The correct option is {}", "{} is correct.", "I believe the answer is ({}).", "Final answer: {})"]
)  # fmt: skip


NO_FRAMES = st.sampled_from(
    ["The wrong answer is {}.", "The incorrect option is {}.", "{}: wrong.", "({}) is false.",
     "I doubt it is {}.",     "I can't say whether the answer is {}.", "Is it {}?", "The answer is not {}.",
     "If the answer is {}, fine."]
)  # fmt: skip


@given(NO_FRAMES, st.integers(0, 3), st.integers(0, 3))
def test_no_letter_is_read_from_a_frame_that_denies_it(no: str, one: int, other: int) -> None:
    """Otherwise what a reply rules out, doubts or asks would be its answer."""
    unknown = ("", "", "", "")
    assert named_options(no.format(LETTERS[one]), unknown) == frozenset()
    assert named_options(f"{no.format(LETTERS[one])} I choose {LETTERS[other]}.", unknown) == {other}


@given(FRAMES, FRAMES, st.integers(0, 3), st.integers(0, 3))
def test_one_letter_is_read_from_any_frame_and_two_are_not(
    first: str, second: str, one: int, other: int
) -> None:
    """Otherwise a rule for one manner of speaking would break another."""
    assert named_options(first.format(LETTERS[one]), ("", "", "", "")) == {one}
    given_twice = "The answer is {}. No, the answer is {}."
    twice = named_options(given_twice.format(LETTERS[one], LETTERS[other]), ("", "", "", ""))
    assert twice == {one, other}
    both = named_options(f"{first}\n{second}".format(LETTERS[one], LETTERS[other]), ("", "", "", ""))
    assert both <= {one, other} and both
