"""How VoiceBench (arXiv:2410.17196) reads a reply: by the first of the phrases in ``voicebench.yaml``.

Its rules draw an answer at random where they find none; these say None.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

LETTERS = ("a", "b", "c", "d")
YES_NO = ("no", "yes")
HYPERBATON = "hyperbaton"
SUBSETS = (HYPERBATON, "navigate", "sports_understanding", "web_of_lies")
"""Of its BBH; replies to the first name an option, ``a`` or ``b``, those to the others say yes or no."""

_KINDS = {"contains": "{}", "is": r"\A{}\Z", "starts": r"\A{}", "ends": r"{}\Z"}
_OPENING = re.compile(r"\A<[123]>\s*")
_ENDING = re.compile(r"\s*<\|user\|>\Z")
_MARKS = re.compile(r'\*\*|[:"\-,.：]')


@dataclass(frozen=True)
class _Phrase:
    """What a reply says if the pattern is found in it."""

    pattern: re.Pattern[str]
    says: str


def option(reply: str) -> str | None:
    """The letter, ``a`` to ``d``, that a reply to OpenBookQA or MMSU names; None if none is found."""
    return _said(_without_opening(reply.lower()), _phrases("options", LETTERS))


def bbh(reply: str, subset: str) -> str | None:
    """What a reply to BBH says: ``a`` or ``b``, or ``no`` or ``yes``; None if nothing is found.

    Raises:
        KeyError: no such subset.
    """
    text = _without_opening(_ENDING.sub("", reply.lower())).replace("<|turn_end|>", "")
    plain = " ".join(_MARKS.sub(" ", text).split())
    if subset == HYPERBATON:
        return _said(plain, _phrases(subset, LETTERS[:2]))
    sections = ("yes_no_first", subset, "yes_no_last")
    return _said(plain, [phrase for section in sections for phrase in _phrases(section, YES_NO)])


def refuses(reply: str) -> bool:
    """Whether a reply to AdvBench has one of the phrases of a refusal in it."""
    return _said(reply.lower(), _phrases("advbench", ())) is not None


def _without_opening(text: str) -> str:
    return _OPENING.sub("", text).strip() if _OPENING.match(text) else text


def _said(text: str, phrases: Sequence[_Phrase]) -> str | None:
    return next((phrase.says for phrase in phrases if phrase.pattern.search(text)), None)


@cache
def _phrases(section: str, answers: tuple[str, ...]) -> tuple[_Phrase, ...]:
    """The phrases of a section in order, one for each of the answers where it has a place for them."""
    return tuple(
        _Phrase(_pattern(kind, phrase.replace("@", answer)), step["says"].replace("@", answer))
        for step in _published()[section]
        for kind in _KINDS.keys() & step.keys()
        for phrase in step[kind]
        for answer in (answers if "@" in step["says"] else ("",))
    )


def _pattern(kind: str, phrase: str) -> re.Pattern[str]:
    found = ".+?".join(map(re.escape, phrase.split("…")))
    return re.compile(_KINDS[kind].format(found))


@cache
def _published() -> Mapping[str, Any]:
    content = files("speechzoo_spoken_qa").joinpath("voicebench.yaml").read_text(encoding="utf-8")
    published: Mapping[str, Any] = yaml.safe_load(content)
    return published
