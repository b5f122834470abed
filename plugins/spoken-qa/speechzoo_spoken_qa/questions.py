"""A question as the task asks it, wherever it was read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from speechzoo import AudioClip

from speechzoo_spoken_qa.golds import LETTERS
from speechzoo_spoken_qa.rules import Gold

Kind = Literal["answers", "options", "yes_no", "instructions", "refusal", "verdict", "rating_5", "rating_10"]
"""How replies are graded; see `speechzoo_spoken_qa.grading`."""


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        id: unique within the task.
        kind: how replies to it are graded.
        text: as the text arms read it; None where the data do not tell it.
        clip: as the speech arms hear it; None where the row has no audio.
        gold: what a reply is held against.
        after: what stands after it in all arms, as text: options that it does not name itself.
        attributes: what the report breaks results down by.
    """

    id: str
    kind: Kind
    text: str | None
    clip: AudioClip | None
    gold: Gold
    after: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def chance(self) -> float | None:
        """The expected value of a reply drawn at random; None where nobody knows."""
        if self.kind == "options":
            return 1 / len(self.gold.options)
        return {"answers": 0.0, "yes_no": 0.5}.get(self.kind)


@dataclass(frozen=True)
class Loaded:
    """The questions of some data, and what a reader of the report must know of them."""

    questions: tuple[Question, ...]
    notes: tuple[str, ...] = ()


def listed(options: tuple[str, ...]) -> str:
    """The options a line each, as they stand after a question: ``A. Paris``."""
    return "".join(f"\n{letter}. {text}" for letter, text in zip(LETTERS, options, strict=False))
