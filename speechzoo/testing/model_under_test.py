"""A model as the checks see it: made when needed, asked through the runner, its answers compared."""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from speechzoo.asks import Answer, Ask, ContinuationScore, Failure, ReplyAnswer, ScoreAnswer
from speechzoo.errors import SetupError
from speechzoo.model import Model
from speechzoo.run.execute import answer_batch
from speechzoo.specs import Capability
from speechzoo.testing import probes
from speechzoo.testing.findings import NotApplicableError, Subject

# Nats a token by which equal scores may differ. In 16 bits: half a unit in the last place of a logit between
# 16 and 32, which trained models have, is 0.0078 and 0.0625. In float32 sums of many layers count for more.
TOLERANCE = {"float32": 5e-4, "float16": 1e-2, "bfloat16": 1e-1}
# Nats for each root of a token by which scores of different contexts must differ, in any dtype: what is lost
# on the way leaves scores equal to the last bit.
DIFFERENCE = 2e-3

Given = Answer | Failure


@dataclass(eq=False)
class ModelUnderTest(Subject):
    """A model and what it declares.

    Args:
        make: makes the model anew from a seed; it must not share state with those made before.
        capabilities: what it declares.
        dtype: that it computes in; sets the tolerance.
    """

    make: Callable[[int], Model]
    capabilities: Collection[Capability]
    dtype: str = "float32"
    _model: Model | None = field(default=None, init=False, repr=False)

    @property
    def model(self) -> Model:
        if self._model is None:
            self._model = self.make(0)
        return self._model

    def renew(self, seed: int = 0) -> None:
        """Closes the model and makes it anew: it has not been asked anything."""
        self.close()
        self._model = self.make(seed)

    def close(self) -> None:
        if self._model is not None:
            self._model.close()
            self._model = None

    def answers(self, asks: Sequence[Ask]) -> list[Given]:
        """To one batch, as the runner would have them."""
        return answer_batch(self.model, asks)

    def answer(self, ask: Ask) -> Given:
        return self.answers([ask])[0]

    def singly(self, asks: Iterable[Ask]) -> list[Given]:
        return [self.answer(ask) for ask in asks]

    @cached_property
    def refused(self) -> dict[Capability, str]:
        """What it declares and cannot do, and what it says when it is asked to."""
        found = {}
        for capability in sorted(self.capabilities):
            if reason := self._refusal(capability):
                found[capability] = reason
        return found

    def can(self, *capabilities: Capability) -> bool:
        """Whether it declares all of them, and truly."""
        return all(one in self.capabilities and one not in self.refused for one in capabilities)

    def needs(self, *capabilities: Capability) -> None:
        """Raises `NotApplicableError` unless it can do all of them."""
        if lacking := [one for one in capabilities if not self.can(one)]:
            raise NotApplicableError(f"it has no {', '.join(lacking)}")

    @cached_property
    def probes(self) -> list[Ask]:
        """Asks of every kind it can answer, short and long, read and heard."""
        return probes.of_every_kind(self.can)

    @cached_property
    def alone(self) -> list[Given]:
        """Answers to the probes, each asked alone; of use once no state is known to be kept."""
        return self.singly(self.probes)

    def close_to(self, one: float, other: float, tokens: int) -> bool:
        return abs(one - other) <= TOLERANCE[self.dtype] * max(1, tokens)

    def same(self, one: Given, other: Given) -> bool:
        """Equal but for rounding."""
        if isinstance(one, Failure) and isinstance(other, Failure):
            return one.reason == other.reason
        if isinstance(one, ScoreAnswer) and isinstance(other, ScoreAnswer):
            return len(one.scores) == len(other.scores) and all(
                map(self.same_score, one.scores, other.scores)
            )
        if isinstance(one, ReplyAnswer) and isinstance(other, ReplyAnswer):
            return (one.text, one.truncated) == (other.text, other.truncated) and _same_speech(one, other)
        return False

    def same_score(self, one: ContinuationScore, other: ContinuationScore) -> bool:
        return one.tokens == other.tokens and self.close_to(
            one.log_likelihood, other.log_likelihood, one.tokens
        )

    def differ(self, one: Given, other: Given) -> bool:
        """Different by more than rounding could ever do."""
        if isinstance(one, ScoreAnswer) and isinstance(other, ScoreAnswer):
            # Errors of rounding add up as a random walk does.
            return any(
                abs(a.log_likelihood - b.log_likelihood) > DIFFERENCE * math.sqrt(a.tokens)
                for a, b in zip(one.scores, other.scores, strict=True)
            )
        return not self.same(one, other)

    def _refusal(self, capability: Capability) -> str | None:
        if capability == Capability.STREAM:
            return None if hasattr(self.model, "stream") else "it has no method stream"
        ask = probes.for_capability(capability, self.capabilities)
        if isinstance(ask, str):
            return ask
        try:
            given = self.answer(ask)
        except SetupError as error:
            return str(error)
        return f"{given.reason}: {given.detail}" if isinstance(given, Failure) else None


def _same_speech(one: ReplyAnswer, other: ReplyAnswer) -> bool:
    if one.clip is None or other.clip is None:
        return one.clip is other.clip
    first, second = one.clip.samples(), other.clip.samples()
    same_shape = one.clip.header.rate == other.clip.header.rate and first.shape == second.shape
    return same_shape and bool(np.allclose(first, second, atol=1e-3))


def told(given: Given) -> str:
    """An answer as messages show it."""
    if isinstance(given, Failure):
        return f"{given.reason}: {given.detail}"
    if isinstance(given, ScoreAnswer):
        return ", ".join(f"{score.log_likelihood:.4f}" for score in given.scores)
    return repr(getattr(given, "text", given))
