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
    "include_path",
    "num_fewshot",
    "limit",
    "system_instruction",
    "gen_kwargs",
    "seed",
    "metadata",
)
OF_CHAT = ("apply_chat_template", "fewshot_as_multiturn")
REFUSED = {
    "config": "what a file says would be in no description of the run; give the options themselves",
    "samples": "lm-eval numbers such documents otherwise in its results than in what it asks; use --limit",
    "model_args": "they are options of speechzoo lm-eval itself: --set, --voice, --dtype, ...",
    "use_cache": "answers are kept in the run's folder, with the reasons of those that failed",
    "output_path": "lm-eval's files go into the run's folder: --out",
}


def parse(arguments: Sequence[str], chat: bool) -> Namespace:
    """lm-eval's options, by its own parser, which ends the program where one is unknown.

    Args:
        arguments: of the command line.
        chat: turns have to be told apart: the chat template is on, and shots are turns.

    Raises:
        SpeechzooError: no task is named, or an option is one that cannot be given here.
    """
    options: Namespace = HarnessCLI()._parser.parse_args(["run", *arguments])
    for name, reason in REFUSED.items():
        if getattr(options, name, None):
            raise SpeechzooError(f"--{name} cannot be given here: {reason}")
    template = getattr(options, "apply_chat_template", None)
    if isinstance(template, str):
        raise SpeechzooError(
            f"--apply_chat_template {template}: a speechzoo model goes by the template of its own; leave the "
            "name out"
        )
    if not options.tasks:
        raise SpeechzooError(
            "name lm-eval's tasks: --tasks arc_easy,hellaswag ('lm-eval ls tasks' lists them)"
        )
    if chat:
        if getattr(options, "fewshot_as_multiturn", None) is False:
            raise SpeechzooError(
                "with --fewshot_as_multiturn false the shots are one turn with the question, and would be "
                "spoken: leave it out, or say --spoken everything"
            )
        options.apply_chat_template = options.fewshot_as_multiturn = True
    return options


def chosen(options: Namespace, chat: bool) -> dict[str, Any]:
    """The options that decide what is asked, where ``chat`` does not decide them."""
    names = DECIDING if chat else (*DECIDING, *OF_CHAT)
    given = {name: getattr(options, name, None) for name in names}
    return {name: value for name, value in given.items() if value is not None}


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
    doubts = lm.doubts()
    warning = f"DO NOT QUOTE: {doubts}. The run's report leaves them out.\n\n" if doubts else ""
    (folder / "printed.txt").write_text(warning + printed.getvalue(), encoding="utf-8")
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
