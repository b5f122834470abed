"""speechzoo eval"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.channel import Channel
from speechzoo.cli import vary
from speechzoo.cli.checkpoints import find_checkpoints, open_training, usual_folder
from speechzoo.cli.eval_options import Options, eval_options
from speechzoo.cli.executor_options import choose_executor
from speechzoo.cli.resumable import resumable
from speechzoo.cli.running import run_one, run_series
from speechzoo.cli.wanted import Wanted, dtype_of, find, from_signature, read_conditions
from speechzoo.run.evaluate import MakeExecutor
from speechzoo.run.request import Request
from speechzoo.run.shard import read_shard
from speechzoo.run.signature import parse_settings

MakeRequest = Callable[[Wanted, Path | None], Request]
"""From what is wanted, and the folder of its run, to what can be run."""


@click.command("eval")
@eval_options
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:
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
    The same items through worse and worse channels, or by other voices:
      speechzoo eval -m cascade -t s2sbench-mini --vary snr=20,10,0
      speechzoo eval -m cascade -t s2sbench-mini --vary snr=none,10 --vary codec=none,telephone
    Every combination of levels is a cell with a run of its own, after one with the clips as they are; what
    is read does not change and is asked once. variation.html and variation.json in the folder of them all
    hold every cell against the clean clips. Levels may be added later: finished cells are not run again.

    \b
    Exit codes: 0 good, 1 more invalid items than allowed, 2 usage, 3 plugin, machine or a checkpoint or
    cell that cannot be run, 130/143 stopped and resumable.
    """
    _refuse_what_excludes_each_other(context)
    options = Options(**given)
    wanted = _wanted(options)
    if _is_default(context, "device"):
        options = replace(options, device=wanted.signature.get("device", options.device))
    device, make_executor = choose_executor(
        options.device,
        options.executor,
        options.address,
        options.workers,
        options.gpus_per_worker,
        options.device_map,
    )
    options = replace(options, device=device)
    with resumable("run"):
        catalogue = open_catalogue(options.registries)

        def request(one: Wanted, folder: Path | None) -> Request:
            return _request(catalogue, one, options, folder)

        if options.checkpoints is not None:
            _run_checkpoints(options.checkpoints, request, wanted, options, catalogue, make_executor)
        elif options.vary:
            _run_cells(request, wanted, options, catalogue, make_executor)
        else:
            run_one(request(wanted, options.out), catalogue, options.max_errors, make_executor)


def _wanted(options: Options) -> Wanted:
    if options.signature is not None:
        wanted = from_signature(options.signature)
    elif options.model is None or options.task is None:
        raise click.UsageError("name a --model and a --task, or a --signature")
    else:
        wanted = Wanted(
            model=options.model,
            task=options.task,
            conditions=read_conditions(options.conditions),
            settings=parse_settings(options.settings),
            limit=options.limit,
            rival=options.rival,
            dtype=options.dtype,
            seed=options.seed,
            attention=options.attention,
        )
    return replace(wanted, data=options.data, transcriber=options.transcriber)


def _request(catalogue: Catalogue, wanted: Wanted, options: Options, folder: Path | None) -> Request:
    found = find(catalogue, wanted, options.online)
    return Request(
        systems=found.systems,
        task=found.task,
        transcriber=found.transcriber,
        channel=wanted.channel,
        voice=found.voice,
        conditions=wanted.conditions,
        limit=wanted.limit,
        shard=read_shard(options.shard) if options.shard else None,
        device=options.device,
        dtype=dtype_of(wanted, found.systems["model"], options.device),
        attention=wanted.attention,
        device_map=options.device_map or "",
        trust_remote_code=options.trust_remote_code,
        seed=wanted.seed,
        out=folder,
        batch_tokens=options.batch_tokens,
        time_limit=options.time_limit,
        max_judge_cost=options.max_judge_cost,
        notes=found.notes,
        signature=wanted.signature,
        fresh=options.fresh,
    )


def _run_checkpoints(
    pattern: str,
    request: MakeRequest,
    wanted: Wanted,
    options: Options,
    catalogue: Catalogue,
    make_executor: MakeExecutor,
) -> None:
    """The checkpoints of one training, by step."""
    folders = find_checkpoints(pattern, options.step)
    parent = options.out or usual_folder(wanted, pattern, options.device)
    training = open_training(parent, wanted, folders)
    steps = {own.step for own in folders}
    requests = [
        (own, request(replace(wanted, model=f"{wanted.model}@{own.folder}"), parent / own.run))
        for own in training.checkpoints
        if own.step in steps
    ]
    needed = requests[0][1].components()
    run_series(training, requests, needed, parent, catalogue, options.max_errors, make_executor)


def _run_cells(
    request: MakeRequest,
    wanted: Wanted,
    options: Options,
    catalogue: Catalogue,
    make_executor: MakeExecutor,
) -> None:
    """The cells of a factorial, the clean clips first."""
    cells = vary.cells_of(vary.read_factors(options.vary))
    parent = options.out or vary.usual_folder(wanted, options.device)
    factorial = vary.open_factorial(parent, wanted, cells)
    requests = [
        (
            cell,
            request(replace(wanted, channel=Channel.read(cell.channel), voice=cell.voice), parent / cell.run),
        )
        for cell in cells
    ]
    vary.refuse_other_settings(parent, factorial, requests)
    click.echo(f"{len(cells)} cells: {'; '.join(cell.title for cell in cells)}", err=True)
    needed = [component for _, one in requests for component in one.components()]
    run_series(factorial, requests, needed, parent, catalogue, options.max_errors, make_executor)


def _is_default(context: click.Context, option: str) -> bool:
    return context.get_parameter_source(option) is ParameterSource.DEFAULT


def _refuse_what_excludes_each_other(context: click.Context) -> None:
    """A signature decides what is run; an option that says something else too would be ignored."""
    given = {name for name in context.params if not _is_default(context, name)}
    if {"vary", "checkpoints"} <= given:
        raise click.UsageError("--vary and --checkpoints are two series; leave one of the two out")
    for several in ("checkpoints", "vary"):
        if {"shard", several} <= given:
            raise click.UsageError(f"--shard is a part of one run, --{several} are many runs")
    if "signature" in given:
        for several in ("checkpoints", "vary"):
            if several in given:
                raise click.UsageError(
                    f"--signature names one run, --{several} many; leave one of the two out"
                )
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
