"""When two answers to one ask are the same, and when they are but for rounding."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from speechzoo.asks import (
    Answer,
    ContinuationScore,
    DialogueAnswer,
    Failure,
    ReplyAnswer,
    ScoreAnswer,
)
from speechzoo.audio import AudioClip

# Nats a token by which equal scores may differ. In 16 bits: half a unit in the last place of a logit between
# 16 and 32, which trained models have, is 0.0078 and 0.0625. In float32 sums of many layers count for more.
TOLERANCE = {"float32": 5e-4, "float16": 1e-2, "bfloat16": 1e-1}
LOUDNESS = 1e-3
"""By which samples in [-1, 1] of equal speech may differ: 60 dB below full scale."""

Given = Answer | Failure
Level = Literal["identical", "within tolerance", "differs"]


@dataclass(frozen=True)
class Agreement:
    """How far two answers agree.

    Attributes:
        level: ``within tolerance`` is for scores and speech; texts are equal or they differ.
        difference: the largest |difference of log-likelihood| a token, in nats; None where nothing is scored
            in both, or not the same number of continuations and tokens.
    """

    level: Level
    difference: float | None = None


def agreement(one: Given, other: Given, dtype: str) -> Agreement:
    """How far two answers to one ask agree, whatever time they took.

    Args:
        one: an answer.
        other: another.
        dtype: that was computed in: ``float32``, ``bfloat16`` or ``float16``; sets the tolerance of scores.
    """
    difference = _difference(one, other)
    if content(one) == content(other):
        return Agreement("identical", difference)
    return Agreement("within tolerance" if _close(one, other, dtype) else "differs", difference)


def same_score(one: ContinuationScore, other: ContinuationScore, dtype: str) -> bool:
    """Equal but for rounding."""
    return one.tokens == other.tokens and close_to(
        one.log_likelihood, other.log_likelihood, one.tokens, dtype
    )


def close_to(one: float, other: float, tokens: int, dtype: str) -> bool:
    """Whether two log-likelihoods, in nats, of so many tokens are equal but for rounding."""
    return abs(one - other) <= TOLERANCE[dtype] * max(1, tokens)


def content(given: Given) -> list[object]:
    """All that an answer says, as JSON: equal for equal answers, however long they took."""
    if isinstance(given, Failure):
        return ["failure", given.reason]
    if isinstance(given, DialogueAnswer):
        return ["dialogue", *map(content, given.replies)]
    if isinstance(given, ReplyAnswer):
        return ["reply", given.text, given.clip.digest if given.clip else None, given.truncated, given.heard]
    scores = [[score.log_likelihood, score.tokens, score.audio_tokens] for score in given.scores]
    return ["score", scores, given.heard]


def _close(one: Given, other: Given, dtype: str) -> bool:
    if isinstance(one, Failure) and isinstance(other, Failure):
        return one.reason == other.reason
    if isinstance(one, ScoreAnswer) and isinstance(other, ScoreAnswer):
        scores = zip(one.scores, other.scores, strict=False)
        alike = (len(one.scores), one.heard) == (len(other.scores), other.heard)
        return alike and all(same_score(*two, dtype) for two in scores)
    if isinstance(one, ReplyAnswer) and isinstance(other, ReplyAnswer):
        told = [(reply.text, reply.truncated, reply.heard) for reply in (one, other)]
        return told[0] == told[1] and _same_speech(one.clip, other.clip)
    if isinstance(one, DialogueAnswer) and isinstance(other, DialogueAnswer):
        replies = zip(one.replies, other.replies, strict=False)
        return len(one.replies) == len(other.replies) and all(_close(*two, dtype) for two in replies)
    return False


def _same_speech(one: AudioClip | None, other: AudioClip | None) -> bool:
    if one is None or other is None:
        return one is other
    first, second = one.samples(), other.samples()
    same_shape = one.header.rate == other.header.rate and first.shape == second.shape
    return same_shape and bool(np.allclose(first, second, atol=LOUDNESS))


def _difference(one: Given, other: Given) -> float | None:
    if not (isinstance(one, ScoreAnswer) and isinstance(other, ScoreAnswer)):
        return None
    if [score.tokens for score in one.scores] != [score.tokens for score in other.scores]:
        return None
    scores = zip(one.scores, other.scores, strict=True)
    return max((abs(a.log_likelihood - b.log_likelihood) / max(1, a.tokens) for a, b in scores), default=None)
