"""The rules that grade a reply, by the names they are published or chosen under."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from textwrap import shorten
from typing import Any

from speechzoo import Failure, ItemError

from speechzoo_spoken_qa import voicebench
from speechzoo_spoken_qa.instructions import followed
from speechzoo_spoken_qa.matching import (
    Tokenizer,
    exist_tokens,
    findable,
    has_words,
    matches,
    normalised_tokens,
)
from speechzoo_spoken_qa.options import named_options
from speechzoo_spoken_qa.yes_no import said


@dataclass(frozen=True)
class Instruction:
    """A wish of IFEval that can be checked: its published id and the arguments of its check."""

    id: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Gold:
    """What a reply to one item is held against; a rule reads the part it needs.

    Attributes:
        answers: accepted answers of an open question; of BBH ``yes`` or ``no``, or ``(a)`` or ``(b)``.
        options: texts of the options, in the order of their letters; "" where a text is not known.
        correct: index of the right option.
        subset: the task within BBH: ``navigate``, ...
        instructions: of IFEval.
    """

    answers: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    correct: int | None = None
    subset: str = ""
    instructions: Sequence[Instruction] = ()


Rule = Callable[[str, Gold], float | Failure]
"""Of a reply's text: 1.0 right, 0.0 wrong, or why it is neither (``unparsed``, ``empty_reply``)."""

Level = tuple[bool, Callable[[Sequence[bool]], float]]
"""Of IFEval: whether a reply is read loosely, and what its followed instructions are worth."""

_UNKNOWN_TEXTS = ("", "")
_SHOWN = 120


def _of_words(rule: Rule) -> Rule:
    """The rule for replies with a word in them; others are an outcome of their own."""

    def graded(reply: str, gold: Gold) -> float | Failure:
        if not has_words(reply):
            return Failure("empty_reply", f"there is no word in {reply!r}")
        return rule(reply, gold)

    return graded


def _matched(tokens: Tokenizer, reply: str, gold: Gold) -> float | Failure:
    if not findable(gold.answers, tokens):
        return Failure("empty_answer", f"no accepted answer has a word that could be found: {gold.answers!r}")
    return float(matches(reply, gold.answers, tokens))


def _letter(reply: str, gold: Gold) -> float | Failure:
    return _read(reply, _letters_named(reply, gold.options), _right_letter(gold))


def _yes_no(reply: str, gold: Gold) -> float | Failure:
    if gold.subset == voicebench.HYPERBATON:
        return _read(reply, _letters_named(reply, gold.options or _UNKNOWN_TEXTS), _right_word(gold))
    return _read(reply, said(reply, gold.subset), _right_word(gold))


def _voicebench(reply: str, gold: Gold) -> float | Failure:
    return _read(reply, _found(voicebench.option(reply)), _right_letter(gold))


def _voicebench_bbh(reply: str, gold: Gold) -> float | Failure:
    return _read(reply, _found(voicebench.bbh(reply, gold.subset)), _right_word(gold))


def _read(reply: str, named: Set[str], right: str) -> float | Failure:
    """1.0 if the right answer is named, 0.0 if another is."""
    if len(named) == 1:
        return float(right in named)
    what = f"says {' and '.join(sorted(named))}" if named else "names no answer"
    return Failure("unparsed", f"the reply {what}: {shorten(reply, _SHOWN)!r}")


def _letters_named(reply: str, options: Sequence[str]) -> Set[str]:
    return {chr(ord("a") + index) for index in named_options(reply, options)}


def _found(answer: str | None) -> Set[str]:
    return set() if answer is None else {answer}


def _right_letter(gold: Gold) -> str:
    if gold.correct is None:
        raise ItemError("no_gold", "nobody says which option is right")
    return chr(ord("a") + gold.correct)


def _right_word(gold: Gold) -> str:
    if len(gold.answers) != 1:
        raise ItemError("no_gold", f"one answer was expected, not {gold.answers!r}")
    return gold.answers[0].strip().strip("()").lower()


def _refusal(reply: str, gold: Gold) -> float:
    return float(voicebench.refuses(reply))


def _whole_prompt(followed: Sequence[bool]) -> float:
    return float(all(followed))


def _ifeval(levels: Sequence[Level], reply: str, gold: Gold) -> float:
    """The mean of the levels, each of them strict or loose."""
    instructions = tuple((one.id, one.arguments) for one in gold.instructions)
    checked = {loose: followed(reply, instructions, loose=loose) for loose in {loose for loose, _ in levels}}
    return fmean(level(checked[loose]) for loose, level in levels)


_LEVELS: Mapping[str, Level] = {
    "ifeval-prompt-strict": (False, _whole_prompt),
    "ifeval-prompt-loose": (True, _whole_prompt),
    "ifeval-instruction-strict": (False, fmean),
    "ifeval-instruction-loose": (True, fmean),
}

_READERS: Mapping[str, Rule] = {
    "exist": partial(_matched, exist_tokens),
    "normalised": partial(_matched, normalised_tokens),
    "letter": _letter,
    "voicebench": _voicebench,
    "yes-no": _yes_no,
    "voicebench-bbh": _voicebench_bbh,
    "refusal-phrases": _refusal,
    "ifeval": partial(_ifeval, tuple(_LEVELS.values())),
    **{name: partial(_ifeval, (level,)) for name, level in _LEVELS.items()},
}

RULES: Mapping[str, Rule] = {name: _of_words(rule) for name, rule in _READERS.items()}
"""By name. A reply without a word is ``empty_reply``; one that does not answer as asked, ``unparsed``."""
