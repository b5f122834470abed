"""Word error rate between two texts, as people would read them aloud."""

import re
import unicodedata
from functools import cache
from typing import Any

# Scripts written without spaces between words: Han with its iteration mark and zero (the supplementary
# planes 2 and 3 hold nothing else), Hiragana, Katakana with its phonetic extensions.
_SPACELESS = (
    "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u3040-\u30ff\u31f0-\u31ff"
)
_CHARACTER = re.compile(f"[{_SPACELESS}]")
_TOKEN = re.compile(rf"[{_SPACELESS}]|[^\s{_SPACELESS}]+")


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Substitutions, deletions and insertions a reference token (0 is equal, above 1 is possible).

    The script of the reference decides what is compared, so that no data set has to name the language
    of each of its texts, and a mixed text needs no single one:

    - With a Chinese or Japanese character in it, a token is one such character, and a word elsewhere:
      the mixed error rate of Mandarin-English recognition (Vu et al., ICASSP 2012), which is the
      character error rate where there are no other words. Both texts go through NFKC and
      Whisper's basic normaliser: case, width and punctuation do not count. Traditional and simplified
      characters differ, and so do a number in digits and in characters: to equate them takes guesses.
    - Without one, a token is a word, and both texts go through Whisper's English normaliser: case,
      punctuation, spelling variants and the writing of numbers do not count.

    The normalisers are those of Radford et al. 2022, arXiv:2212.04356, appendix C. Both drop what stands
    in brackets. An empty reference gives 0 for an empty hypothesis and 1 otherwise.
    """
    import jiwer

    prepared = characters_apart if has_spaceless_script(reference) else normalised
    expected, heard = prepared(reference), prepared(hypothesis)
    if not expected:
        return 0.0 if not heard else 1.0
    return float(jiwer.wer(expected, heard))


def normalised(text: str) -> str:
    """The text after Whisper's English normaliser."""
    return str(_english()(text)).strip()


def has_spaceless_script(text: str) -> bool:
    """Whether there is a Chinese or Japanese character in it."""
    return _CHARACTER.search(unicodedata.normalize("NFKC", text)) is not None


def characters_apart(text: str) -> str:
    """The text after Whisper's basic normaliser, with a space around each Chinese or Japanese character."""
    # First of all: the normaliser would not see full-width brackets as such.
    plain = _basic()(unicodedata.normalize("NFKC", text))
    return " ".join(_TOKEN.findall(plain))


@cache
def _english() -> Any:
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()


@cache
def _basic() -> Any:
    from whisper_normalizer.basic import BasicTextNormalizer

    return BasicTextNormalizer()
