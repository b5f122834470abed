"""Whether a reply follows IFEval's instructions (arXiv:2311.07911), by the checkers of lm-evaluation-harness.

They come with the extra ``ifeval`` and need NLTK's sentence model ``punkt_tab``, which has to lie on this
machine.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from types import ModuleType
from typing import Any

from speechzoo import ItemError, SetupError

SENTENCE_MODEL = "tokenizers/punkt_tab/english/"


def followed(
    reply: str, instructions: Sequence[tuple[str, Mapping[str, Any]]], *, loose: bool
) -> tuple[bool, ...]:
    """Whether each instruction, given as its published id and the arguments of its check, is followed.

    Args:
        reply: as text; what a transcriber heard has no layout that could be checked.
        instructions: in order.
        loose: it is enough if the reply follows without its first line, its last or its asterisks.

    Raises:
        SetupError: the extra or the sentence model is not installed.
        ItemError: no such instruction is published, or it lacks an argument, which would be drawn at random.
    """
    return _checked(reply, json.dumps([(name, dict(arguments)) for name, arguments in instructions]), loose)


# Several metrics want the same of one reply; the loose check alone tries it in eight forms.
@lru_cache(maxsize=2)
def _checked(reply: str, written: str, loose: bool) -> tuple[bool, ...]:
    checkers, instructions = _checkers(), json.loads(written)
    for name, arguments in instructions:
        _refuse_incomplete(checkers, name, arguments)
    example = checkers.InputExample(
        key=0,
        instruction_id_list=[name for name, _ in instructions],
        prompt="",
        kwargs=[arguments for _, arguments in instructions],
    )
    check = checkers.test_instruction_following_loose if loose else checkers.test_instruction_following_strict
    return tuple(map(bool, check(example, reply).follow_instruction_list))


def _refuse_incomplete(checkers: ModuleType, name: str, arguments: Mapping[str, Any]) -> None:
    kinds = checkers.instructions_registry.INSTRUCTION_DICT
    if name not in kinds:
        raise ItemError("unknown_instruction", f"IFEval has no instruction {name!r}")
    if lacking := [key for key in kinds[name](name).get_instruction_args_keys() if not arguments.get(key)]:
        raise ItemError("incomplete_instruction", f"{name} lacks {', '.join(lacking)}")


@cache
def _checkers() -> ModuleType:
    """The library's module, imported only with its data at hand: it would download them otherwise."""
    try:
        import langdetect
        import nltk

        nltk.data.find(SENTENCE_MODEL)
        from lm_eval.tasks.ifeval import utils
    except ImportError as error:
        raise SetupError(f"IFEval: {error}. Install speechzoo-spoken-qa[ifeval]") from error
    except LookupError as error:
        raise SetupError(
            "IFEval: NLTK's sentence model punkt_tab is not on this machine. "
            "Download it with: python -m nltk.downloader punkt_tab"
        ) from error
    # It guesses languages by chance otherwise.
    langdetect.DetectorFactory.seed = 0
    checkers: ModuleType = utils
    return checkers
