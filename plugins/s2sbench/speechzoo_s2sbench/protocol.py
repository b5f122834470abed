"""S2SBench's protocol: the strings that are given to a model, and what its losses are worth.

After the reference code (github.com/undobug/S2SBench at 1fb472c) and the paper, arXiv:2505.14438. Where
the code does something that one may want otherwise, there is a choice; its default is the code's way.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Literal

from speechzoo import Condition

from speechzoo_s2sbench.records import adjacent_pairs, story_key

Kind = Literal["stories", "choices"]
Language = Literal["en", "zh"]
Ties = Literal["reference", "wrong", "half"]
CmmluMetric = Literal["pairwise", "four_way"]
PromptStyle = Literal["reference", "matched"]
PromptLang = Literal["per_dataset", "last_listed"]
ContextAudio = Literal["own", "positive"]

PREFIX: dict[Language, str] = {
    "en": "Below is a segment of alternating speech and text content: ",
    "zh": "下面是一段语音和文本交错的内容：",
}
# Of the Chinese one there is a source, VCB-Bench's evaluation kit (arXiv:2510.11098). No reference
# scores English speech after speech: the English one is the reference's with one word changed.
SPOKEN_PREFIX: dict[Language, str] = {
    "en": "Below is a segment of alternating speech and speech content: ",
    "zh": "下面是一段语音和语音交错的内容：",
}
# The reference takes the strings of the last data set listed; the order it ships with ends in Chinese.
LAST_LISTED: Language = "zh"
SPACE: dict[Language, str] = {"en": " ", "zh": ""}

TIE_WORTH: dict[Ties, dict[Kind, float]] = {
    "reference": {"stories": 0.0, "choices": 1.0},
    "wrong": {"stories": 0.0, "choices": 0.0},
    "half": {"stories": 0.5, "choices": 0.5},
}


@dataclass(frozen=True)
class Prompt:
    """What stands before the context, and what before each text continuation, scored with it."""

    prefix: str
    space: str


def prompt(language: Language, condition: Condition, style: PromptStyle) -> Prompt:
    """The strings of one condition.

    The reference gives a spoken context a prefix and the text after a read one a space; ``matched`` gives
    either context both. The prefix says whether text or speech follows. The reference has no speech
    follow: after a spoken context it has VCB-Bench's prefix here, after a read one none, and as a clip
    cannot begin with a space it has no space.
    """
    prefix = (SPOKEN_PREFIX if condition.speech_out else PREFIX)[language]
    space = "" if condition.speech_out else SPACE[language]
    if style == "matched":
        return Prompt(prefix, space)
    return Prompt(prefix, "") if condition.speech_in else Prompt("", space)


@dataclass(frozen=True)
class Verdict:
    """What the losses of one context are worth.

    Attributes:
        credits: of each comparison: 1 if the right continuation has the lower loss, 0 if not.
        tie: there was a comparison of equals.
        right: loss of the right continuation.
        wrong: losses of the others.
    """

    credits: tuple[float, ...]
    tie: bool
    right: float
    wrong: tuple[float, ...]


def judge(
    right: float,
    wrong: Sequence[float],
    kind: Kind,
    ties: Ties = "reference",
    metric: CmmluMetric = "pairwise",
) -> Verdict:
    """The right continuation against each other one, or under ``four_way`` against the best of them."""
    rivals = [min(wrong)] if metric == "four_way" else wrong
    worth = TIE_WORTH[ties][kind]
    credits = tuple(worth if right == rival else float(right < rival) for rival in rivals)
    return Verdict(credits, right in rivals, right, tuple(wrong))


@dataclass(frozen=True)
class Accuracy:
    """The reference's figures: accuracy over comparisons, and mean losses over the same comparisons."""

    accuracy: float
    comparisons: int
    mean_right: float
    mean_wrong: float


def story_accuracy(losses: Sequence[tuple[int | str, float]], ties: Ties = "reference") -> Accuracy:
    """Accuracy of story records given as (uttid, loss), paired as the reference does.

    Raises:
        ValueError: there is no pair.
    """
    pairs = adjacent_pairs(losses, lambda record: story_key(record[0]))
    return _accuracy(judge(right, [wrong], "stories", ties) for (_, right), (_, wrong) in pairs)


def cmmlu_accuracy(
    questions: Sequence[tuple[str, Mapping[str, float]]],
    metric: CmmluMetric = "pairwise",
    ties: Ties = "reference",
) -> Accuracy:
    """Accuracy of questions given as (answer, loss by letter).

    A question without a loss of its right option is left out, as in the reference.

    Raises:
        ValueError: no question is left.
    """
    verdicts = []
    for answer, losses in questions:
        wrong = [value for letter, value in losses.items() if letter != answer]
        if answer in losses and wrong:
            verdicts.append(judge(losses[answer], wrong, "choices", ties, metric))
    return _accuracy(verdicts)


def _accuracy(verdicts: Iterable[Verdict]) -> Accuracy:
    verdicts = list(verdicts)
    credits = [credit for verdict in verdicts for credit in verdict.credits]
    if not credits:
        raise ValueError("there is nothing to compare")
    return Accuracy(
        accuracy=mean(credits),
        comparisons=len(credits),
        mean_right=mean(verdict.right for verdict in verdicts for _ in verdict.wrong),
        mean_wrong=mean(value for verdict in verdicts for value in verdict.wrong),
    )
