"""Word error rate between two texts, as people would read them aloud."""

from functools import cache
from typing import Any


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Substitutions, deletions and insertions a reference word (0 is equal, above 1 is possible).

    Both texts go through Whisper's English normaliser (Radford et al. 2022, arXiv:2212.04356,
    appendix C): case, punctuation, spelling variants and the writing of numbers do not count. An
    empty reference gives 0 for an empty hypothesis and 1 otherwise.
    """
    import jiwer

    expected, heard = normalised(reference), normalised(hypothesis)
    if not expected:
        return 0.0 if not heard else 1.0
    return float(jiwer.wer(expected, heard))


def normalised(text: str) -> str:
    """The text after Whisper's English normaliser."""
    return str(_normaliser()(text)).strip()


@cache
def _normaliser() -> Any:
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()
