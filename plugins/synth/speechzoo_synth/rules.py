"""Tables of rules: what is written, how it is read, and why that takes a rule."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Match = re.Match[str]
Words = str | Callable[[Match], str]


@dataclass(frozen=True)
class Rule:
    """One thing that is written, and how it is read.

    Attributes:
        name: of what is written.
        why: it is not read as it stands.
        pattern: finds it.
        words: stand in its place: a template as of `re.sub`, or what makes them of a match.
    """

    name: str
    why: str
    pattern: re.Pattern[str]
    words: Words


@dataclass(frozen=True)
class Refusal:
    """One thing that no voice should be given.

    Attributes:
        reason: as items left out are counted by.
        name: of what is written.
        why: it cannot be read.
        pattern: finds it.
    """

    reason: str
    name: str
    why: str
    pattern: re.Pattern[str]


def rule(name: str, why: str, pattern: str, words: Words) -> Rule:
    return Rule(name, why, re.compile(pattern), words)


def apart(name: str, why: str, pattern: str, words: Callable[[Match], str]) -> Rule:
    """A rule whose words must not grow together with what stood beside the match."""
    return Rule(name, why, re.compile(pattern), lambda match: f" {words(match)}{space_after(match)}")


def space_after(match: Match) -> str:
    """Between words and what follows the match; none before the ending of 2019's."""
    return "" if match.string.startswith("'s", match.end()) else " "


def refusal(reason: str, name: str, why: str, pattern: str) -> Refusal:
    """A refusal whose ``^`` and ``$`` are those of each line."""
    return Refusal(reason, name, why, re.compile(pattern, re.MULTILINE))


def apply(rules: Iterable[Rule], text: str) -> str:
    """The text after each rule, in their order."""
    for one in rules:
        text = one.pattern.sub(one.words, text)
    return text
