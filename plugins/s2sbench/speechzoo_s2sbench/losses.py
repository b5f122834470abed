"""From log-likelihoods to the losses that are compared."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from speechzoo import Condition, ContinuationScore, Failure, ScoreAnswer

LengthDenominator = Literal["continuation_tokens", "reference_mask"]
LossDtype = Literal["float32", "bfloat16"]
Normalisation = Literal["token", "sum", "character", "byte", "unconditional"]

NORMALISATIONS: tuple[Normalisation, ...] = get_args(Normalisation)
BFLOAT16_BITS = 8

# Stands where imported results have no loss of an option: answers are kept as JSON, without infinity.
NO_LOSS = ContinuationScore(-sys.float_info.max, 1)


@dataclass(frozen=True)
class LossRule:
    """What is open about a loss once its unit is chosen.

    Attributes:
        denominator: of the mean a token: the tokens scored, or with them the positions that the
            context's audio took, as the reference counts if its list of excepted tokens lacks them.
        dtype: ``bfloat16`` rounds each sum to 8 significant bits, as a model that sums its cross
            entropy in bfloat16 does, so that near losses tie.
    """

    denominator: LengthDenominator = "continuation_tokens"
    dtype: LossDtype = "float32"

    def losses(
        self,
        answer: ScoreAnswer,
        texts: Sequence[str],
        normalisation: Normalisation,
        condition: Condition,
    ) -> list[float] | Failure:
        """One loss for each continuation, the lower the likelier; nats by the unit chosen.

        ``unconditional`` is the log-likelihood less that of the same continuation without context,
        negated and divided by nothing. Characters and bytes are counted without the space in front,
        which only one of the modes has; of a clip they are those of its transcript.

        Args:
            answer: scores in the order of the texts.
            texts: the continuations as the data have them.
            normalisation: the unit.
            condition: only a spoken context has audio tokens.

        Returns:
            The losses, or why there are none: ``no_sums`` (imported means), ``no_audio_tokens``,
            ``no_prior``.
        """
        if answer.means:
            return self._imported(answer, normalisation, condition)
        if normalisation == "token":
            return self._means(answer, condition)
        sums = [self._sum(score) for score in answer.scores]
        if normalisation == "unconditional":
            if answer.prior is None:
                return Failure("no_prior", "the continuations were not scored without their context")
            return [own - self._sum(alone) for own, alone in zip(sums, answer.prior, strict=True)]
        units = [_units(text, normalisation) for text in texts]
        return [own / unit for own, unit in zip(sums, units, strict=True)]

    def _sum(self, score: ContinuationScore) -> float:
        return -(to_bfloat16(score.log_likelihood) if self.dtype == "bfloat16" else score.log_likelihood)

    def _means(self, answer: ScoreAnswer, condition: Condition) -> list[float] | Failure:
        extra = [self._audio_tokens(score, condition) for score in answer.scores]
        known = [count for count in extra if count is not None]
        if len(known) < len(extra):
            return Failure(
                "no_audio_tokens",
                "length_denominator=reference_mask counts the context's audio tokens, and the model does "
                "not tell how many there were",
            )
        return [
            self._sum(score) / (score.tokens + count)
            for score, count in zip(answer.scores, known, strict=True)
        ]

    def _audio_tokens(self, score: ContinuationScore, condition: Condition) -> int | None:
        if self.denominator == "continuation_tokens" or not condition.speech_in:
            return 0
        return score.audio_tokens

    def _imported(
        self, answer: ScoreAnswer, normalisation: Normalisation, condition: Condition
    ) -> list[float] | Failure:
        if self.denominator == "reference_mask" and condition.speech_in:
            return Failure("no_audio_tokens", "imported losses are divided already; by what is not known")
        if normalisation != "token" or self.dtype == "bfloat16":
            return Failure("no_sums", "imported losses are means a token; their sums are not known")
        return [score.mean_nll for score in answer.scores]


def _units(text: str, normalisation: Normalisation) -> int:
    if normalisation == "character":
        return len(text)
    return len(text.encode("utf-8")) if normalisation == "byte" else 1


def to_bfloat16(value: float) -> float:
    """The nearest number of 8 significant bits, of two equally near the even one; value is finite."""
    fraction, exponent = math.frexp(value)
    return math.ldexp(round(math.ldexp(fraction, BFLOAT16_BITS)), exponent - BFLOAT16_BITS)
