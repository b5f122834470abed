"""The options of 'speechzoo eval'."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from speechzoo.cli.checkpoints import LAST_NUMBER
from speechzoo.cli.executor_options import executor_options
from speechzoo.cli.load_options import load_options
from speechzoo.cli.options import max_errors_option, registry_option
from speechzoo.cli.wanted import DTYPES

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Options:
    """Each as it is given; see `eval_options`."""

    model: str | None
    task: str | None
    data: str | None
    conditions: str | None
    settings: tuple[str, ...]
    limit: int | None
    shard: str | None
    rival: str | None
    transcriber: str | None
    checkpoints: str | None
    step: str
    vary: tuple[str, ...]
    out: Path | None
    max_errors: str
    device: str
    attention: str
    device_map: str | None
    trust_remote_code: bool
    executor: str
    address: str | None
    workers: int | None
    gpus_per_worker: float | None
    dtype: str | None
    seed: int
    batch_tokens: int
    time_limit: float
    max_judge_cost: float | None
    fresh: bool
    online: bool
    signature: str | None
    registries: tuple[Path, ...]


def _finite(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no limit")
    return value


def eval_options(function: Function) -> Function:
    """Adds every one of `Options`."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--model", "-m", help="NAME, or ADAPTER@FOLDER for a checkpoint of your own."),
    click.option("--task", "-t", help="NAME, or NAME/SUBSET for a part of it, see 'speechzoo list tasks'."),
    click.option(
        "--data",
        metavar="DIR",
        help="Other data for the task: a folder laid out like its own, or HUB_ID@COMMIT.",
    ),
    click.option("--conditions", help="Such as t2t,s2t (input to output). Default: all that both can do."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="A parameter or part, see 'show'. Repeat.",
    ),
    click.option(
        "--limit", type=click.IntRange(min=1), help="Only so many items, drawn at random by the seed."
    ),
    click.option(
        "--shard", metavar="I/N", help="Only part I of N, for a job of its own; see 'speechzoo merge'."
    ),
    click.option("--rival", help="A cascade to hold a speech LLM against (row C of the report)."),
    click.option(
        "--transcriber",
        metavar="NAME",
        help="Also tell the loss by how well this recogniser hears each clip "
        "(--set transcriber.language=zh).",
    ),
    click.option(
        "--checkpoints",
        metavar="GLOB",
        help="Evaluate all folders that match and draw the curve over training steps; "
        "--model is the adapter.",
    ),
    click.option(
        "--step",
        metavar="REGEX",
        default=LAST_NUMBER,
        help="Finds the step in a checkpoint's path: its first group, or all it matches. "
        "Default: the last number in the folder's name.",
    ),
    click.option(
        "--vary",
        multiple=True,
        metavar="FACTOR=V,V",
        help="Hear the same items under each of these levels as well, and compare: snr=20,10,0 (dB), "
        "noise=white,pink, reverb=0.3,0.8 (seconds), codec=telephone,gsm,opus or voice=NAME. Repeat.",
    ),
    click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        help="The run's folder, or with --checkpoints or --vary the one that all their runs go into. "
        "Default: under runs/.",
    ),
    max_errors_option,
    load_options,
    executor_options,
    click.option("--dtype", type=click.Choice(DTYPES), help="Default: the model's own."),
    click.option(
        "--seed",
        default=0,
        show_default=True,
        type=click.IntRange(min=0),
        help="Of sampling, --limit and the report's bootstrap.",
    ),
    click.option(
        "--batch-tokens",
        default=2048,
        show_default=True,
        type=click.IntRange(min=1),
        help="Estimated tokens a batch.",
    ),
    click.option(
        "--time-limit",
        default=600.0,
        show_default=True,
        type=click.FloatRange(min=0, min_open=True),
        callback=_finite,
        help="Seconds before a batch is taken for hung.",
    ),
    click.option(
        "--max-judge-cost",
        type=click.FloatRange(min=0, min_open=True),
        metavar="USD",
        callback=_finite,
        help="Stop judging once it has cost so much in this run's folder; what is over stays ungraded.",
    ),
    click.option("--fresh", is_flag=True, help="Ask everything again, even if answers lie in the folder."),
    click.option("--online", is_flag=True, help="Fetch what is missing first."),
    click.option("--signature", help="Run again what a signature line names."),
    registry_option,
)
