"""When a reply answers a question: one of the accepted answers stands in it, word for word."""

import re
from collections.abc import Callable, Sequence
from unicodedata import normalize

import regex
from speechzoo.wer import characters_apart, has_spaceless_script, normalised

Tokenizer = Callable[[str], list[str]]

_TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
# Marks of Markdown and LaTeX.
_DECORATION = re.compile(r"\*+|_{2,}|`+|\$+|\\[()\[\]]|\\(?:boxed|text|textbf|mathbf|mathrm)\b|[{}]")
_BRACKET = re.compile(r"[()\[\]<>（）［］＜＞]")
_UNITS = "%$€£¢"
_ARTICLES = frozenset({"a", "an", "the"})


def exist_tokens(text: str) -> list[str]:
    """Words and marks of the canonically decomposed text, in lower case.

    DPR's tokenizer (arXiv:2004.04906, facebookresearch/DPR), which UltraEval-Audio and with it EchoX's
    published figures use.
    """
    return [token.lower() for token in _TOKEN.findall(normalize("NFD", text))]


def normalised_tokens(text: str) -> list[str]:
    """Words after Whisper's English normaliser (arXiv:2212.04356, appendix C), without articles.

    Numbers become digits, spelling American, marks, accents, and signs of percent and money go: what is left
    does not depend on how a transcriber likes to write. What stands in brackets stays, unlike in a word error
    rate: only written replies have brackets. A text with Chinese or Japanese characters is read character
    by character, as they stand without spaces.
    """
    plain = _BRACKET.sub(" ", text)
    prepared = characters_apart if has_spaceless_script(plain) else normalised
    words = (word.strip(_UNITS) for word in prepared(plain).split())
    return [word for word in words if word and word not in _ARTICLES]


def undecorated(text: str) -> str:
    """The text in compatibility form (NFKC), without marks of Markdown and LaTeX, which say nothing."""
    return _DECORATION.sub("", normalize("NFKC", text))


def has_words(text: str) -> bool:
    """Whether there is anything but spaces and marks."""
    return any(character.isalnum() for character in text)


def findable(answers: Sequence[str], tokens: Tokenizer) -> list[list[str]]:
    """The tokens of each answer that has any; one without would be found in every reply."""
    return [wanted for answer in answers if (wanted := tokens(answer))]


def matches(reply: str, answers: Sequence[str], tokens: Tokenizer) -> bool:
    """Whether the tokens of any answer stand in the reply, one after the other."""
    words = tokens(reply)
    return any(_contains(words, wanted) for wanted in findable(answers, tokens))


def _contains(words: Sequence[str], wanted: Sequence[str]) -> bool:
    length = len(wanted)
    return any(words[start : start + length] == wanted for start in range(len(words) - length + 1))
