"""When a reply counts as right."""

import pytest

from speechzoo_spoken_qa.matching import exist_tokens, findable, matches, normalised_tokens


@pytest.mark.parametrize(
    ("answer", "reply", "right"),
    [
        ("Paris", "The capital is Paris.", True),
        ("Paris", "Parisian life", False),
        ("New York City", "It is New-York City", False),
        ("Beyoncé", "beyonce", False),
        ("Beyoncé", "Beyonce\u0301", True),
        ("1,000", "1,000 people", True),
        ("1,000", "1000 people", False),
        ("U.S.", "the US army", False),
        ("two", "2", False),
        ("the Beatles", "Beatles", False),
        ("O'Neill", "O\u2019Neill", False),
        ("Mount Everest", "mount  everest", True),
        ("東京", "答えは東京です", False),
    ],
)
def test_exist_is_the_references(answer: str, reply: str, right: bool) -> None:
    """Otherwise a figure could not stand beside a published one. Made by running the reference."""
    assert matches(reply, [answer], exist_tokens) is right


@pytest.mark.parametrize(
    ("answer", "reply", "right"),
    [
        ("two", "There are 2.", True),
        ("100", "One hundred!", True),
        ("a hundred", "It is one hundred.", True),
        ("the Beatles", "Beatles", True),
        ("Beatles", "It was the Beatles.", True),
        ("Beyoncé", "beyonce", True),
        ("1,000", "1000 people", True),
        ("grey", "It is gray.", True),
        ("O'Neill", "O\u2019Neill", True),
        ("New York City", "It is New-York City", True),
        ("Paris", "Parisian life", False),
        ("ten", "10,000", False),
        ("Neil Armstrong", "Armstrong, Neil", False),
        ("1969", "Armstrong landed on the Moon (1969).", True),
        ("Paris", "The capital is [Paris].", True),
        ("Paris (France)", "It is Paris, France.", True),
        ("10", "It is 10%.", True),
        ("10%", "About ten.", True),
        ("50", "It costs $50.", True),
        ("50", "It costs $500.", False),
        ("东京", "日本的首都是东京。", True),
        ("東京", "答えは（東京）です", True),
        ("东京", "日本的首都是京东。", False),
        ("Tokyo", "答えは Tokyo です", True),
    ],
)
def test_normalised_forgives_spelling_alone(answer: str, reply: str, right: bool) -> None:
    """Otherwise the transcriber's way of writing would be counted as the model's loss."""
    assert matches(reply, [answer], normalised_tokens) is right


def test_any_accepted_answer_will_do() -> None:
    """Otherwise a reply with the shorter of two names would be wrong."""
    assert matches("It is Everest.", ["Mount Everest", "Everest"], exist_tokens)


@pytest.mark.parametrize("answer", ["", "   ", "\n", "the"])
def test_an_empty_answer_is_found_nowhere(answer: str) -> None:
    """Otherwise every reply to such a question would be right, as in the reference."""
    assert not matches("the anything", ["Paris", answer], normalised_tokens)
    assert matches("Paris", ["Paris", answer], normalised_tokens)
    assert findable([answer], normalised_tokens) == []


def test_an_empty_reply_holds_no_answer() -> None:
    """Otherwise silence could be right."""
    assert not matches("", ["Paris"], exist_tokens)
