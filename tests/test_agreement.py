"""When two answers are the same."""

import numpy as np
import pytest

from speechzoo.agreement import TOLERANCE, Given, agreement
from speechzoo.asks import ContinuationScore, DialogueAnswer, Failure, ReplyAnswer, ScoreAnswer
from speechzoo.audio import AudioClip


def scores(*values: float, tokens: int = 4, heard: str | None = None, seconds: float = 0.0) -> ScoreAnswer:
    made = tuple(ContinuationScore(value, tokens) for value in values)
    return ScoreAnswer(made, heard, {"score": seconds})


def speech(loudness: float) -> AudioClip:
    wave = loudness * np.sin(np.arange(1600) / 8)
    return AudioClip.from_samples(wave.astype(np.float32), 16_000)


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        (scores(-3.0, seconds=1.0), scores(-3.0, seconds=9.0), "identical"),
        (scores(-3.0), scores(-3.0 - 4 * 4e-4), "within tolerance"),
        (scores(-3.0), scores(-3.0 - 4 * 6e-4), "differs"),
        (scores(-3.0), scores(-3.0, tokens=5), "differs"),
        (scores(-3.0), scores(-3.0, -4.0), "differs"),
        (scores(-3.0, heard="a sea"), scores(-3.0, heard="a tree"), "differs"),
        (scores(-3.0), Failure("out_of_memory"), "differs"),
        (Failure("timed_out", "after 3 s"), Failure("timed_out", "after 4 s"), "identical"),
        (Failure("timed_out"), Failure("worker_died"), "differs"),
        (ReplyAnswer("yes"), ReplyAnswer("yes", timings={"reply": 2.0}), "identical"),
        (ReplyAnswer("yes"), ReplyAnswer("Yes"), "differs"),
        (ReplyAnswer("yes"), ReplyAnswer("yes", truncated=True), "differs"),
        (ReplyAnswer("yes", speech(0.5)), ReplyAnswer("yes", speech(0.5)), "identical"),
        (ReplyAnswer("yes", speech(0.5)), ReplyAnswer("yes", speech(0.5005)), "within tolerance"),
        (ReplyAnswer("yes", speech(0.5)), ReplyAnswer("yes", speech(0.6)), "differs"),
        (ReplyAnswer("yes", speech(0.5)), ReplyAnswer("yes"), "differs"),
        (
            DialogueAnswer((ReplyAnswer("a"), Failure("no_text"))),
            DialogueAnswer((ReplyAnswer("a"), Failure("no_text"))),
            "identical",
        ),
        (
            DialogueAnswer((ReplyAnswer("a"), ReplyAnswer("b"))),
            DialogueAnswer((ReplyAnswer("a"), ReplyAnswer("c"))),
            "differs",
        ),
        (DialogueAnswer((ReplyAnswer("a"),)), DialogueAnswer((ReplyAnswer("a"),) * 2), "differs"),
    ],
)
def test_answers_agree_as_far_as_they_say_the_same(one: Given, other: Given, level: str) -> None:
    """Otherwise: a changed answer passes for rounding, or a slower worker for another answer."""
    assert agreement(one, other, "float32").level == level
    assert agreement(other, one, "float32").level == level


def test_the_difference_is_told_in_nats_a_token_and_judged_by_the_dtype() -> None:
    """Otherwise: a long continuation looks worse than a short one, and 16 bits worse than they are."""
    found = agreement(scores(-3.0, -8.0), scores(-3.0, -8.02), "bfloat16")
    assert found.difference == pytest.approx(0.005)
    assert found.level == "within tolerance"
    assert agreement(scores(-3.0, -8.0), scores(-3.0, -8.02), "float32").level == "differs"
    assert agreement(scores(-3.0), scores(-3.0, tokens=5), "float32").difference is None
    assert TOLERANCE["float32"] < TOLERANCE["float16"] < TOLERANCE["bfloat16"]
