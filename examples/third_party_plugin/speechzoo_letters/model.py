"""A language model without weights: it predicts letters from those it has just read or heard."""

import math
from collections import Counter
from collections.abc import Sequence

from speechzoo import (
    AudioClip,
    ContinuationScore,
    Failure,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    Setup,
)

ALPHABET = 256


class LetterModel:
    def __init__(self, setup: Setup, *, order: int) -> None:
        self._setup = setup
        self._order = order

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return [self._score(ask) for ask in asks]

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        return [Failure("not_supported", "this model only scores") for _ in asks]

    def close(self) -> None:
        pass

    def _score(self, ask: ScoreAsk) -> ScoreAnswer | Failure:
        text = ""
        for part in (part for message in ask.context for part in message.parts):
            heard = self._hear(part) if isinstance(part, AudioClip) else part
            if isinstance(heard, Failure):
                return heard
            text += heard
        scores = [self._log_likelihood(text, continuation) for continuation in ask.continuations]
        return ScoreAnswer(tuple(scores))

    def _hear(self, clip: AudioClip) -> str | Failure:
        (heard,) = self._setup.part("transcriber").transcribe([clip])
        return heard

    def _log_likelihood(self, context: str, continuation: str) -> ContinuationScore:
        """Add-one smoothed counts of letters after the last ``order - 1`` letters."""
        data, back = context.encode(), self._order - 1
        grams = Counter(data[i : i + back + 1] for i in range(len(data) - back))
        stems = Counter(data[i : i + back] for i in range(len(data) - back))
        total, seen = 0.0, data
        for letter in continuation.encode():
            stem = seen[len(seen) - back :]
            total += math.log((grams[stem + bytes([letter])] + 1) / (stems[stem] + ALPHABET))
            seen += bytes([letter])
        return ContinuationScore(total, tokens=len(continuation.encode()))
