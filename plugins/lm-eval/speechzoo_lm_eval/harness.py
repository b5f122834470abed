"""lm-eval's own command line, run for one model in one mode."""

import io
import json
import shutil
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from copy import copy
from pathlib import Path
from typing import Any

from lm_eval._cli.harness import HarnessCLI
from speechzoo import SetupError, SpeechzooError

from speechzoo_lm_eval.model import SpeechzooLM

# What decides which documents are asked for, and how; what else there is decides how it is told.
DECIDING = (
    "tasks",
    "num_fewshot",
    "limit",
    "samples",
    "system_instruction",
    "fewshot_as_multiturn",
    "gen_kwargs",
    "seed",
    "metadata",
)
OURS = {
    "model_args": "they are options of speechzoo lm-eval itself: --set, --voice, --dtype, ...",
    "use_cache": "answers are kept in the run's folder, with the reasons of those that failed",
    "output_path": "lm-eval's files go into the run's folder: --out",
}


def parse(arguments: Sequence[str]) -> Namespace:
    """lm-eval's options, by its own parser, which ends the program where one is unknown.

    Raises:
        SpeechzooError: no task is named, or an option is one that is decided here.
    """
    options: Namespace = HarnessCLI()._parser.parse_args(["run", *arguments])
    for name, reason in OURS.items():
        if getattr(options, name, None):
            raise SpeechzooError(f"--{name} is not lm-eval's to say here: {reason}")
    if not options.tasks and not options.config:
        raise SpeechzooError(
            "name lm-eval's tasks: --tasks arc_easy,hellaswag ('lm-eval ls tasks' lists them)"
        )
    return options


def chosen(options: Namespace) -> dict[str, Any]:
    """The options that decide what is asked, for a run's description."""
    given = {name: getattr(options, name, None) for name in DECIDING}
    return {name: value for name, value in given.items() if value is not None}


def with_chat(options: Namespace, needs_chat: bool) -> Namespace:
    """The options with the chat template on, where turns have to be told apart, and shots as turns.

    Raises:
        SpeechzooError: shots are to be one turn with the question.
    """
    own = copy(options)
    if needs_chat:
        if getattr(own, "fewshot_as_multiturn", None) is False:
            raise SpeechzooError(
                "with --fewshot_as_multiturn false the shots are one turn with the question, and would be "
                "spoken: leave it out, or say --spoken everything"
            )
        own.apply_chat_template = True
        own.fewshot_as_multiturn = True
    return own


def run(options: Namespace, lm: SpeechzooLM, folder: Path) -> dict[str, Any]:
    """Runs lm-eval, with its files in the folder in place of older ones; returns its results with samples.

    What it prints goes into ``printed.txt``; so does, first of all, what is wrong with its figures.
    """
    shutil.rmtree(folder, ignore_errors=True)
    own = copy(options)
    own.model, own.output_path, own.log_samples = lm, str(folder), True
    # lm-eval names its folder after this argument.
    own.model_args = {"model": lm.settings.model}
    printed = io.StringIO()
    with redirect_stdout(printed), _explained():
        own.func(own)
    (folder / "printed.txt").write_text(_warning(lm) + printed.getvalue(), encoding="utf-8")
    return read(folder)


@contextmanager
def _explained() -> Iterator[None]:
    """What stops lm-eval before it asks anything, in a sentence."""
    try:
        yield
    except ConnectionError as error:
        raise SetupError(
            f"lm-eval's data cannot be had: {error}. Nothing is downloaded unless --online is given"
        ) from error
    except ValueError as error:
        if not str(error).startswith("Tasks not found"):
            raise
        raise SpeechzooError(
            f"lm-eval: {error}. 'lm-eval ls tasks' lists its own; those of a folder need --include_path"
        ) from error


def _warning(lm: SpeechzooLM) -> str:
    failed = lm.failures()
    if not failed:
        return ""
    reasons = ", ".join(f"{count} {reason}" for reason, count in failed.most_common())
    return (
        f"DO NOT QUOTE: {failed.total()} documents have no answer ({reasons}); these figures count them at "
        "random. The run's report leaves them out.\n\n"
    )


def read(folder: Path) -> dict[str, Any]:
    """What lm-eval's command line wrote, in the form that ``simple_evaluate`` returns.

    Raises:
        SpeechzooError: there are no results, or those of several runs.
    """
    files = sorted(folder.glob("*/results_*.json"))
    if len(files) != 1:
        raise SpeechzooError(f"{folder} holds {len(files)} result files of lm-eval, one is needed")
    (file,) = files
    results: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    date = file.stem.removeprefix("results_")
    samples = {task: file.with_name(f"samples_{task}_{date}.jsonl") for task in results["configs"]}
    return {**results, "samples": {task: _rows(path) for task, path in samples.items()}}


def _rows(path: Path) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
