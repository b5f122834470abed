"""A model as the checks see it: made when needed, asked through the runner, its answers compared."""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from speechzoo.agreement import Given, agreement, close_to, same_score
from speechzoo.asks import Ask, ContinuationScore, Failure, ScoreAnswer
from speechzoo.errors import SetupError
from speechzoo.model import Model
from speechzoo.run.execute import answer_batch
from speechzoo.specs import Capability
from speechzoo.testing import probes
from speechzoo.testing.findings import NotApplicableError, Subject

# Nats for each root of a token by which scores of different contexts must differ, in any dtype: what is lost
# on the way leaves scores equal to the last bit.
DIFFERENCE = 2e-3


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
        return close_to(one, other, tokens, self.dtype)

    def same(self, one: Given, other: Given) -> bool:
        """Equal but for rounding."""
        return agreement(one, other, self.dtype).level != "differs"

    def same_score(self, one: ContinuationScore, other: ContinuationScore) -> bool:
        return same_score(one, other, self.dtype)

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


def told(given: Given) -> str:
    """An answer as messages show it."""
    if isinstance(given, Failure):
        return f"{given.reason}: {given.detail}"
    if isinstance(given, ScoreAnswer):
        return ", ".join(f"{score.log_likelihood:.4f}" for score in given.scores)
    return repr(getattr(given, "text", given))
