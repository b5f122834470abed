"""speechzoo lm-eval"""

import os
from pathlib import Path
from typing import Any

import click
from speechzoo.cli.load_options import load_options
from speechzoo.cli.options import registry_option
from speechzoo.cli.wanted import DTYPES

EITHER = ("text", "speech")


def _several(_context: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not set(names) <= set(EITHER):
        raise click.BadParameter(f"{text!r} is none of text, speech and text,speech")
    return names


@click.command(
    "lm-eval",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": True},
    options_metavar="[OPTIONS] [OPTIONS OF LM-EVAL]",
)
@click.option("--model", required=True, help="NAME, or ADAPTER@FOLDER for a checkpoint of your own.")
@click.option(
    "--mode",
    "modes",
    default="text,speech",
    show_default=True,
    callback=_several,
    help="Whether it reads, hears, or both: one run of lm-eval each.",
)
@click.option(
    "--output",
    "outputs",
    default="text",
    show_default=True,
    callback=_several,
    help="Whether text replies or what a transcriber hears in spoken ones is graded.",
)
@click.option(
    "--spoken",
    default="last_user",
    show_default=True,
    help="What of a prompt is heard: last_user, all_user, everything, or field:NAME of the document.",
)
@click.option(
    "--voice", default="piper-joe", show_default=True, help="Speaks it; see 'speechzoo list services'."
)
@click.option("--language", default="en", show_default=True, help="Of the texts, ISO 639-1.")
@click.option(
    "--transcriber",
    default="whisper-tiny",
    show_default=True,
    help="Hears spoken replies, and what is spoken where the model has no recogniser of its own.",
)
@click.option(
    "--answers",
    type=click.Choice(["scored", "generated"]),
    default="scored",
    show_default=True,
    help="Choices by likelihood, or told from replies: for models without scores, and for --output speech.",
)
@click.option("--rival", help="A cascade to hold a speech LLM against, by its text replies (rows C and CT).")
@click.option(
    "--metric", help="Of lm-eval, that losses are stated in. Default: the first that all tasks share."
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter or part of the model, see 'speechzoo show'; rival.KEY is the rival's. Repeat.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="The run's folder. Default: under runs/."
)
@click.option("--online", is_flag=True, help="Let lm-eval download its tasks' data.")
@load_options
@click.option("--dtype", type=click.Choice(DTYPES), help="Default: the model's own.")
@registry_option
@click.argument("lm_eval_options", nargs=-1, type=click.UNPROCESSED)
def command(lm_eval_options: tuple[str, ...], online: bool, **wanted: Any) -> None:
    """Runs tasks of lm-evaluation-harness on a speechzoo model that reads them and hears them.

    Each mode is a run of lm-eval on the same documents. From their metrics, document by document, comes one
    run folder with speechzoo's report; lm-eval's own results and samples are in its folder lm-eval. Stopped
    at any instant, the same command takes it up again.

    \b
    Examples:
      speechzoo lm-eval --model cascade --tasks arc_easy,hellaswag --limit 100
      speechzoo lm-eval --model cascade --tasks mmlu --num_fewshot 5 --rival cascade
      speechzoo lm-eval --model cascade --tasks my_task --include_path my_tasks --spoken field:question
      speechzoo lm-eval --model cascade --tasks gsm8k --mode speech --output text,speech

    Every other option is lm-eval's: what it is called there it is called here.

    \b
      --tasks NAME,...         which tasks ('lm-eval ls tasks' lists them)
      --include_path DIR       a folder of YAML tasks of your own
      --limit N                the first N documents of each task
      --num_fewshot N          examples before each question, as turns of the chat
      --system_instruction TEXT, --gen_kwargs ..., --seed ..., --batch_size N
      'lm-eval run --help' has all of them.

    Refused are --model_args, --output_path, --use_cache, --config, --samples and a named template. The chat
    template is on in both modes, except with --spoken everything, unless --apply_chat_template asks for it.
    """
    if not online:
        os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
    # Not before: it reads the environment when it is imported, and takes some seconds.
    from speechzoo_lm_eval.running import Wanted, run

    run(Wanted(**wanted), lm_eval_options)
