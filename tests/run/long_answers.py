"""A model for tests whose every answer is far longer than a pipe holds."""

from collections.abc import Sequence

from speechzoo import Capability, ContinuationScore, ModelSpec, ScoreAnswer
from speechzoo.loading import Component

LONG = 10_000_000
"""Characters; a pipe holds 64,000 or so."""


def long_answers() -> Component:
    spec = ModelSpec("long-answers", "tests.run.long_answers:LongAnswers", "", frozenset(Capability))
    return Component("model", spec.name, spec, "speechzoo-instrument 0.1.0", {})


class LongAnswers:
    def __init__(self, setup: object) -> None:
        pass

    def score(self, asks: Sequence[object]) -> list[ScoreAnswer]:
        return [ScoreAnswer((ContinuationScore(-1.0, 1),), heard="x" * LONG) for _ in asks]

    def close(self) -> None:
        pass
