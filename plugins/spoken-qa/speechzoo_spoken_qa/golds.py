"""What is held against a reply, read out of the many forms that published columns have."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase

from speechzoo_spoken_qa.rules import Instruction

LETTERS = ascii_uppercase
_MARK = re.compile(rf"(?:(?<=\s)|^)\(?([{LETTERS}])[.):]\)?\s+", re.MULTILINE)
# The fields of TriviaQA's answers that a reply may give.
_STRUCT = ("value", "aliases", "normalized_value", "normalized_aliases")
_BETWEEN = {"[", "]", "(", ")", "{", "}", ","}
_OUTSIDE = {tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT}


def read_answers(value: object) -> tuple[str, ...]:
    """The accepted answers in a text, a number, a list, TriviaQA's struct, or a print of these.

    A list printed by numpy has no commas: ``['a' 'b']`` are two answers all the same. Empty answers are
    left out; those in which a rule finds no word are left to that rule.

    Raises:
        ValueError: there is no answer, or a value of another type.
    """
    held = _printed(value) if isinstance(value, str) else value
    answers = tuple(dict.fromkeys(text.strip() for text in _texts(held) if text.strip()))
    if not answers:
        raise ValueError(f"there is no accepted answer in {value!r}")
    return answers


def _texts(value: object) -> Iterator[str]:
    """All answers in a value, however nested."""
    if value is None or value != value:
        return
    if isinstance(value, Mapping) and value.keys() & set(_STRUCT):
        value = [value.get(name) for name in _STRUCT]
    if isinstance(value, str | int | float):
        yield str(int(value) if isinstance(value, float) and value.is_integer() else value)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, set | frozenset):
        yield from sorted(text for one in value for text in _texts(one))
    else:
        raise ValueError(f"an accepted answer must be a text or a number, not {value!r}")


def _printed(text: str) -> object:
    """What was printed, if the text is the print of a list, tuple, set, struct or bytes; else the text."""
    if (items := _printed_list(text)) is not None:
        return items
    try:
        value = ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return text
    # "(1, 2)" may well be the answer; nobody prints a list of texts so but Python.
    texts = isinstance(value, tuple | set) and all(isinstance(one, str) for one in value)
    return value if texts or isinstance(value, list | dict | bytes) else text


def _printed_list(text: str) -> list[object] | None:
    """The texts and numbers of a Python or numpy list that somebody printed; None if it is none."""
    if not (text.strip().startswith("[") and text.strip().endswith("]")):
        return None
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text.strip()).readline))
        inside = [token for token in tokens if token.type not in _OUTSIDE and token.string not in _BETWEEN]
        return [ast.literal_eval(token.string) for token in inside]
    except (tokenize.TokenError, SyntaxError, ValueError):
        return None


def read_options(question: str) -> tuple[str, ...]:
    """The texts of the options A, B, ... that stand in a question; none if there are fewer than two."""
    marks = list(_MARK.finditer(question))
    run: list[re.Match[str]] = []
    for mark in marks:
        if mark[1] == "A":
            run = [mark]
        elif run and mark[1] == LETTERS[len(run)]:
            run.append(mark)
    if len(run) < 2:
        return ()
    ends = [mark.start() for mark in run[1:]] + [len(question)]
    texts = [question[mark.end() : end].strip() for mark, end in zip(run, ends, strict=True)]
    return (*texts[:-1], texts[-1].partition("\n")[0].strip())


def read_letter(value: object) -> int:
    """The index of the option that a letter such as ``B`` or ``(b)`` names.

    Raises:
        ValueError: it names none.
    """
    letter = str(value).strip().strip("().:").upper()
    if len(letter) != 1 or letter not in LETTERS:
        raise ValueError(f"the letter of an option was expected, not {value!r}")
    return LETTERS.index(letter)


def read_instructions(ids: object, arguments: object) -> tuple[Instruction, ...]:
    """IFEval's instructions from the columns ``instruction_id_list`` and ``kwargs``.

    Parquet gives every struct all fields: those that are None were not there.

    Raises:
        ValueError: they are no two lists of one length.
    """
    names, given = (_listed(value) for value in (ids, arguments))
    if len(names) != len(given) or not names or not all(isinstance(one, Mapping) for one in given):
        raise ValueError(f"instructions {ids!r} do not fit their arguments {arguments!r}")
    return tuple(
        Instruction(str(name), {key: value for key, value in dict(own).items() if value is not None})
        for name, own in zip(names, given, strict=True)
        if isinstance(own, Mapping)
    )


def _listed(value: object) -> Sequence[object]:
    if isinstance(value, str):
        value = _printed_list(value)
    return value if isinstance(value, list | tuple) else ()
