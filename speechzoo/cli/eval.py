"""speechzoo eval"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.cli.checkpoints import (
    LAST_NUMBER,
    Checkpoint,
    Series,
    find_checkpoints,
    open_series,
    usual_folder,
)
from speechzoo.cli.load_options import load_options
from speechzoo.cli.options import registry_option
from speechzoo.cli.progress import progress_display
from speechzoo.cli.report import write_curve, write_files, write_reports
from speechzoo.cli.resumable import resumable
from speechzoo.cli.wanted import DTYPES, Wanted, dtype_of, find, from_signature, read_conditions
from speechzoo.errors import (
    EXIT_ENVIRONMENT,
    EXIT_TOO_MANY_INVALID,
    SetupError,
    StoreError,
)
from speechzoo.gap import Report
from speechzoo.run.evaluate import evaluate
from speechzoo.run.request import Request
from speechzoo.run.signature import parse_settings


def _checked_max_errors(_context: click.Context, _option: click.Parameter, text: str) -> str:
    try:
        good = float(text.removesuffix("%")) >= 0
    except ValueError:
        good = False
    if not good:
        raise click.BadParameter(f"{text!r} is neither a number nor a percentage; say 10 or 5%")
    return text


def _finite(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no limit")
    return value


@click.command("eval")
@click.option("--model", "-m", help="NAME, or ADAPTER@FOLDER for a checkpoint of your own.")
@click.option("--task", "-t", help="NAME, or NAME/SUBSET for a part of it, see 'speechzoo list tasks'.")
@click.option(
    "--data",
    metavar="DIR",
    help="Other data for the task: a folder laid out like its own, or HUB_ID@COMMIT.",
)
@click.option("--conditions", help="Such as t2t,s2t (input to output). Default: all that both can do.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter or part, see 'show'. Repeat."
)
@click.option("--limit", type=click.IntRange(min=1), help="Only so many items, drawn at random by the seed.")
@click.option("--rival", help="A cascade to hold a speech LLM against (row C of the report).")
@click.option(
    "--transcriber",
    metavar="NAME",
    help="Also tell the loss by how well this recogniser hears each clip (--set transcriber.language=zh).",
)
@click.option(
    "--checkpoints",
    metavar="GLOB",
    help="Evaluate all folders that match and draw the curve over training steps; --model is the adapter.",
)
@click.option(
    "--step",
    metavar="REGEX",
    default=LAST_NUMBER,
    help="Finds the step in a checkpoint's path: its first group, or all it matches. "
    "Default: the last number in the folder's name.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="The run's folder, or with --checkpoints the one that all their runs go into. Default: under runs/.",
)
@click.option(
    "--max-errors",
    default="5%",
    show_default=True,
    callback=_checked_max_errors,
    help="Invalid items allowed: 10 or 5%.",
)
@load_options
@click.option("--dtype", type=click.Choice(DTYPES), help="Default: the model's own.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Of sampling, --limit and the report's bootstrap.",
)
@click.option(
    "--batch-tokens",
    default=2048,
    show_default=True,
    type=click.IntRange(min=1),
    help="Estimated tokens a batch.",
)
@click.option(
    "--time-limit",
    default=600.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    callback=_finite,
    help="Seconds before a batch is taken for hung.",
)
@click.option(
    "--max-judge-cost",
    type=click.FloatRange(min=0, min_open=True),
    metavar="USD",
    callback=_finite,
    help="Stop judging once it has cost so much in this run's folder; what is over stays ungraded.",
)
@click.option("--fresh", is_flag=True, help="Ask everything again, even if answers lie in the folder.")
@click.option("--online", is_flag=True, help="Fetch what is missing first.")
@click.option("--signature", help="Run again what a signature line names.")
@registry_option
@click.pass_context
def command(
    context: click.Context,
    model: str | None,
    task: str | None,
    data: str | None,
    conditions: str | None,
    settings: tuple[str, ...],
    limit: int | None,
    rival: str | None,
    transcriber: str | None,
    checkpoints: str | None,
    step: str,
    out: Path | None,
    max_errors: str,
    device: str,
    attention: str,
    device_map: str | None,
    trust_remote_code: bool,
    dtype: str | None,
    seed: int,
    batch_tokens: int,
    time_limit: float,
    max_judge_cost: float | None,
    fresh: bool,
    online: bool,
    signature: str | None,
    registries: tuple[Path, ...],
) -> None:
    """Runs a model on a task, as text and as speech, and reports what speech costs it.

    The run lives in one folder and can be stopped at any instant: the same command takes it up again.
    Nothing is downloaded unless --online is given.

    \b
    Examples:
      speechzoo eval --model cascade --task s2sbench-mini
      speechzoo eval -m cascade -t s2sbench-mini/stories --transcriber whisper-tiny
      speechzoo eval -m cascade -t s2sbench-mini --data my-stories
      speechzoo eval -m cascade -t spoken-qa-mini --conditions t2t,s2t,t2s,s2s --limit 20
      speechzoo eval -m text-llm@my-checkpoint -t s2sbench-mini --set ties=half
      speechzoo eval --signature 'task:s2sbench-mini|model:cascade|...'

    \b
    The checkpoints of a training, such as out/ckpt_43988_56_12051001 at step 56:
      speechzoo eval -m text-llm -t s2sbench-mini \\
        --checkpoints 'out/ckpt_*' --step 'ckpt_\\d+_(\\d+)_'
    Each has a run of its own; finished ones are not run again. One that cannot be loaded is told and
    left out of the curve. The curve is curve.html and curve.json in the folder of them all.

    \b
    Exit codes: 0 good, 1 more invalid items than allowed, 2 usage, 3 plugin, machine or a checkpoint
    that cannot be loaded, 130/143 stopped and resumable.
    """
    _refuse_what_excludes_each_other(context)
    if signature is not None:
        wanted = from_signature(signature)
    elif model is None or task is None:
        raise click.UsageError("name a --model and a --task, or a --signature")
    else:
        chosen = read_conditions(conditions)
        wanted = Wanted(model, task, chosen, parse_settings(settings), limit, rival, dtype, seed, attention)
    wanted = replace(wanted, data=data, transcriber=transcriber)
    if _is_default(context, "device"):
        device = wanted.signature.get("device", device)
    with resumable("run"):
        catalogue = open_catalogue(registries)

        def request(one: Wanted, folder: Path | None) -> Request:
            found = find(catalogue, one, online)
            return Request(
                systems=found.systems,
                task=found.task,
                transcriber=found.transcriber,
                conditions=one.conditions,
                limit=one.limit,
                device=device,
                dtype=dtype_of(one, found.systems["model"], device),
                attention=one.attention,
                device_map=device_map or "",
                trust_remote_code=trust_remote_code,
                seed=one.seed,
                out=folder,
                batch_tokens=batch_tokens,
                time_limit=time_limit,
                max_judge_cost=max_judge_cost,
                notes=found.notes,
                signature=one.signature,
                fresh=fresh,
            )

        if checkpoints is None:
            _run_one(request(wanted, out), catalogue, max_errors)
        else:
            folders = find_checkpoints(checkpoints, step)
            parent = out or usual_folder(wanted, checkpoints, device)
            series = open_series(parent, wanted, folders)
            steps = {own.step for own in folders}
            requests = [
                (own, request(replace(wanted, model=f"{model}@{own.folder}"), parent / own.run))
                for own in series.checkpoints
                if own.step in steps
            ]
            _run_series(series, requests, parent, catalogue, max_errors)


def _is_default(context: click.Context, option: str) -> bool:
    return context.get_parameter_source(option) is ParameterSource.DEFAULT


def _refuse_what_excludes_each_other(context: click.Context) -> None:
    """A signature decides what is run; an option that says something else too would be ignored."""
    given = {name for name in context.params if not _is_default(context, name)}
    if "signature" in given:
        if "checkpoints" in given:
            raise click.UsageError("--signature names one run, --checkpoints many; leave one of the two out")
        decides = {"model", "task", "conditions", "settings", "limit", "rival", "dtype", "attention", "seed"}
        beside = [option.opts[0] for option in context.command.params if option.name in decides & given]
        if beside:
            raise click.UsageError(
                f"--signature decides {', '.join(beside)} already; leave one of the two out"
            )
    if "step" in given and "checkpoints" not in given:
        raise click.UsageError("--step is about --checkpoints, which is not given")
    if "checkpoints" in given and "@" in (context.params["model"] or ""):
        raise click.UsageError("with --checkpoints, --model names the adapter alone, without @FOLDER")


def _run_one(request: Request, catalogue: Catalogue, max_errors: str) -> None:
    folder = _answer(request, catalogue)
    report = write_reports(folder)
    _tell_finished(folder, report, catalogue)
    if not _allowed(report, max_errors):
        raise SystemExit(EXIT_TOO_MANY_INVALID)


def _run_series(
    series: Series,
    requests: Sequence[tuple[Checkpoint, Request]],
    parent: Path,
    catalogue: Catalogue,
    max_errors: str,
) -> None:
    """Evaluates checkpoints one after the other, by step; what befalls one does not stop the others."""
    # What no checkpoint can do without, such as the data, is missing once and not for each of them.
    _, first = requests[0]
    for component in first.components():
        component.require(first.trust_remote_code)
    parent.mkdir(parents=True, exist_ok=True)
    series.write(parent)
    failed = too_many = False
    for place, (checkpoint, request) in enumerate(requests, start=1):
        name = f"step {checkpoint.step} ({place} of {len(requests)})"
        click.echo(f"{name}: {request.systems['model'].name}", err=True)
        try:
            folder, failure = _answer(request, catalogue), None
        except (SetupError, StoreError) as error:
            failed, failure = True, str(error)
            click.echo(f"{name} is left out: {error}", err=True)
            _remove_if_empty(parent / checkpoint.run)
        else:
            report = write_files(folder)
            _tell_finished(folder, report, catalogue)
            click.echo(report.headline, err=True)
            too_many |= not _allowed(report, max_errors)
        series = series.with_failure(checkpoint.step, failure)
        series.write(parent)
    write_curve(parent)
    if failed:
        raise SystemExit(EXIT_ENVIRONMENT)
    if too_many:
        raise SystemExit(EXIT_TOO_MANY_INVALID)


def _remove_if_empty(run: Path) -> None:
    """A run without an answer holds nothing, and would refuse its checkpoint once that is mended."""
    answers = run / "answers.jsonl"
    if answers.exists() and not answers.stat().st_size:
        shutil.rmtree(run)


def _answer(request: Request, catalogue: Catalogue) -> Path:
    with progress_display() as progress:
        return evaluate(request, catalogue.plugins, progress)


def _tell_finished(folder: Path, report: Report, catalogue: Catalogue) -> None:
    catalogue.plugins.emit("speechzoo_run_finished", folder=folder, report=report.model_dump(mode="json"))


def _allowed(report: Report, max_errors: str) -> bool:
    """Whether the report has no more invalid items than that; says so if it has."""
    invalid, planned = report.invalid_count(), report.planned_count()
    number = float(max_errors.removesuffix("%"))
    if invalid <= (number / 100 * planned if max_errors.endswith("%") else number):
        return True
    click.echo(f"{invalid} of {planned} answers are invalid, allowed are {max_errors}", err=True)
    return False
