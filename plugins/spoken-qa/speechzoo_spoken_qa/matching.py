"""When a reply answers a question: one of the accepted answers stands in it, word for word."""

from collections.abc import Callable, Sequence
from unicodedata import normalize

import regex
from speechzoo import ItemError
from speechzoo.wer import normalised

Tokenizer = Callable[[str], list[str]]

_TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
_ARTICLES = frozenset({"a", "an", "the"})


def exist_tokens(text: str) -> list[str]:
    """Words and marks of the canonically decomposed text, in lower case.

    DPR's tokenizer (arXiv:2004.04906, facebookresearch/DPR), which UltraEval-Audio and with it EchoX's
    published figures use.
    """
    return [token.lower() for token in _TOKEN.findall(normalize("NFD", text))]


def normalised_tokens(text: str) -> list[str]:
    """Words after Whisper's English normaliser (arXiv:2212.04356, appendix C), without articles.

    Numbers become digits, spelling American, marks and accents go: what is left does not depend on how a
    transcriber likes to write.
    """
    return [word for word in normalised(text).split() if word not in _ARTICLES]


def has_words(text: str) -> bool:
    """Whether there is anything but spaces and marks."""
    return any(character.isalnum() for character in text)


def matches(reply: str, answers: Sequence[str], tokens: Tokenizer) -> bool:
    """Whether the tokens of any answer stand in the reply, one after the other.

    Raises:
        ItemError: an answer has no token; it would be found in every reply.
    """
    words = tokens(reply)
    return any(_contains(words, _wanted(answer, tokens)) for answer in answers)


def _wanted(answer: str, tokens: Tokenizer) -> list[str]:
    if wanted := tokens(answer):
        return wanted
    raise ItemError("empty_answer", f"the accepted answer {answer!r} has no word that could be found")


def _contains(words: Sequence[str], wanted: Sequence[str]) -> bool:
    length = len(wanted)
    return any(words[start : start + length] == wanted for start in range(len(words) - length + 1))
