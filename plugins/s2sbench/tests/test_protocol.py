"""S2SBench's scorer: strings, comparisons, ties."""

import math

import pytest
from speechzoo import Condition

from speechzoo_s2sbench.protocol import Prompt, Ties, cmmlu_accuracy, judge, prompt, story_accuracy

# Made by running the reference scorers on these losses.
STORIES = [
    (0, 2.0),
    (1, 2.5),
    (2, 3.0),
    (3, 3.0),
    ("4_a", 1.0),
    ("5_b", 0.5),
    (7, 1.2),
    (6, 1.0),
    (8, 9.9),
]
QUESTIONS = [
    ("B", {"A": 2.0, "B": 1.0, "C": 1.0, "D": 0.5}),
    ("A", {"A": 1.0, "B": 1.5, "C": 2.0, "D": 1.1}),
    ("D", {"A": 1.0, "B": 1.5, "C": 2.0}),
]


def test_story_accuracy_is_the_references() -> None:
    """Otherwise a figure could not stand beside a published one."""
    found = story_accuracy(STORIES)
    assert (found.accuracy, found.comparisons) == (0.5, 4)
    assert found.mean_right == pytest.approx(1.75)
    assert found.mean_wrong == pytest.approx(1.80)


def test_cmmlu_accuracy_is_the_references() -> None:
    """Otherwise a figure could not stand beside a published one."""
    found = cmmlu_accuracy(QUESTIONS)
    assert found.accuracy == pytest.approx(5 / 6)
    assert found.comparisons == 6
    assert found.mean_right == pytest.approx(1.00)
    assert found.mean_wrong == pytest.approx(1.35)


def test_four_way_counts_questions() -> None:
    """Otherwise pairwise accuracy, with its chance of one half, would be taken for a choice of four."""
    found = cmmlu_accuracy(QUESTIONS, metric="four_way")
    assert (found.accuracy, found.comparisons) == (0.5, 2)


@pytest.mark.parametrize(
    ("ties", "story", "choice"), [("reference", 0.0, 1.0), ("wrong", 0.0, 0.0), ("half", 0.5, 0.5)]
)
def test_a_tie_is_worth_what_the_option_says(ties: Ties, story: float, choice: float) -> None:
    """Otherwise a model that ties often would gain or lose points without anybody's choice."""
    assert judge(1.0, [1.0], "stories", ties).credits == (story,)
    assert judge(1.0, [1.0, 2.0, 0.5], "choices", ties).credits == (choice, 1.0, 0.0)
    assert judge(1.0, [1.0, 2.0, 3.0], "choices", ties, "four_way").credits == (choice,)


def test_a_tie_is_told() -> None:
    """Otherwise a report could not count the answers that were decided by a rule."""
    assert judge(1.0, [1.0], "stories").tie
    assert judge(1.0, [3.0, 1.0, 2.0], "choices").tie
    assert not judge(1.0, [3.0, 0.5, 2.0], "choices").tie
    assert not judge(1.0, [1.0, 0.5], "choices", metric="four_way").tie


def test_a_hopeless_continuation_is_still_compared() -> None:
    """Otherwise one extreme loss would end a run."""
    assert judge(1.0, [math.inf], "stories").credits == (1.0,)


def test_nothing_to_compare_is_an_error() -> None:
    """Otherwise an empty result file would be a division by zero, or worse an accuracy."""
    with pytest.raises(ValueError, match="nothing to compare"):
        story_accuracy([(0, 1.0)])
    with pytest.raises(ValueError, match="nothing to compare"):
        cmmlu_accuracy([("A", {"B": 1.0})])


def test_prompts_are_the_references_to_the_letter() -> None:
    """Otherwise the likelihoods would be those of other texts."""
    english = "Below is a segment of alternating speech and text content: "
    chinese = "下面是一段语音和文本交错的内容："
    asked = {
        (language, condition): (found.prefix, found.space)
        for language in ("en", "zh")
        for condition in (Condition.T2T, Condition.S2T)
        for found in [prompt(language, condition, "reference")]
    }
    assert asked == {
        ("en", "t2t"): ("", " "),
        ("en", "s2t"): (english, ""),
        ("zh", "t2t"): ("", ""),
        ("zh", "s2t"): (chinese, ""),
    }


def test_prompts_of_spoken_continuations() -> None:
    """Otherwise speech would follow a sentence that announces text, or a text the space of a text."""
    english = "Below is a segment of alternating speech and speech content: "
    chinese = "下面是一段语音和语音交错的内容："
    assert prompt("zh", Condition.S2S, "reference") == Prompt(chinese, "")
    assert prompt("en", Condition.S2S, "reference") == Prompt(english, "")
    assert prompt("en", Condition.T2S, "reference") == Prompt("", "")
    assert prompt("en", Condition.T2S, "matched") == prompt("en", Condition.S2S, "matched")


def test_matched_prompts_differ_in_the_context_alone() -> None:
    """Otherwise part of a measured loss could be the prefix's or the space's."""
    assert prompt("en", Condition.S2T, "matched") == prompt("en", Condition.T2T, "matched")
    assert prompt("en", Condition.T2T, "matched").space == " "
