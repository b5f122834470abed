"""speechzoo eval"""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import click

from speechzoo.cli.catalogue import open_catalogue, registry_option
from speechzoo.cli.progress import progress_display
from speechzoo.cli.report import write_reports
from speechzoo.errors import (
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    EXIT_TOO_MANY_INVALID,
    SpeechzooError,
)
from speechzoo.loading import Catalogue, Component, fetch
from speechzoo.registry import ModelEntry, Value
from speechzoo.run.evaluate import Request, evaluate
from speechzoo.run.records import Role
from speechzoo.run.signature import read_settings, read_signature
from speechzoo.specs import Condition

DTYPES = ("float32", "bfloat16", "float16")


class Terminated(BaseException):
    """SIGTERM: leave now; what is on disk is safe."""


@click.command("eval")
@click.option("--model", "-m", help="NAME, or ADAPTER@FOLDER for a checkpoint of your own.")
@click.option("--task", "-t", help="Name of the task, see 'speechzoo list tasks'.")
@click.option("--conditions", help="Such as t2t,s2t (input to output). Default: all that both can do.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter, see 'show'. Repeat."
)
@click.option("--limit", type=click.IntRange(min=1), help="Only so many items, drawn at random by the seed.")
@click.option("--rival", help="A cascade to hold a speech LLM against (row C of the report).")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="The run's folder.")
@click.option("--max-errors", default="5%", show_default=True, help="Invalid items allowed: 10 or 5%.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1")
@click.option("--dtype", type=click.Choice(DTYPES), help="Default: the model's own.")
@click.option("--seed", default=0, show_default=True, help="Of sampling, --limit and the report's bootstrap.")
@click.option("--batch-tokens", default=2048, show_default=True, help="Estimated tokens a batch.")
@click.option(
    "--time-limit", default=600.0, show_default=True, help="Seconds before a batch is taken for hung."
)
@click.option("--online", is_flag=True, help="Fetch what is missing first.")
@click.option("--signature", help="Run again what a signature line names.")
@registry_option
def command(
    model: str | None,
    task: str | None,
    conditions: str | None,
    settings: tuple[str, ...],
    limit: int | None,
    rival: str | None,
    out: Path | None,
    max_errors: str,
    device: str,
    dtype: str | None,
    seed: int,
    batch_tokens: int,
    time_limit: float,
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
      speechzoo eval -m cascade -t spoken-qa-mini --conditions t2t,s2t,t2s,s2s --limit 20
      speechzoo eval -m text-llm@my-checkpoint -t s2sbench-mini --set ties=half
      speechzoo eval --signature 'task:s2sbench-mini|model:cascade|...'

    \b
    Exit codes: 0 good, 1 more invalid items than allowed, 2 usage, 3 plugin or machine,
    130/143 stopped and resumable.
    """
    wanted: dict[str, str] = {}
    if signature is not None:
        wanted = read_signature(signature)
        model, task = wanted["model"], wanted["task"]
        conditions, rival, dtype = wanted.get("conditions"), wanted.get("rival"), wanted.get("dtype")
        settings = tuple(filter(None, wanted.get("set", "").split(",")))
        limit = int(wanted["limit"]) if "limit" in wanted else None
        seed = int(wanted.get("seed", "0"))
    if model is None or task is None:
        raise click.UsageError("name a --model and a --task, or a --signature")
    catalogue = open_catalogue(registries)
    systems, about, notes = _resolve(catalogue, model, task, rival, read_settings(settings), online)
    request = Request(
        systems=systems,
        task=about,
        conditions=_conditions(conditions) if conditions else None,
        limit=limit,
        device=device,
        dtype=dtype or _own_dtype(systems["model"], device),
        seed=seed,
        out=out,
        batch_tokens=batch_tokens,
        time_limit=time_limit,
        notes=notes,
        signature=wanted,
    )
    _run(request, catalogue, max_errors)


def _run(request: Request, catalogue: Catalogue, max_errors: str) -> None:
    signal.signal(signal.SIGTERM, _terminate)
    try:
        with progress_display() as progress:
            folder = evaluate(request, catalogue.plugins, progress)
    except KeyboardInterrupt:
        _leave("interrupted", EXIT_INTERRUPTED)
    except Terminated:
        _leave("terminated", EXIT_TERMINATED)
    report = write_reports(folder, catalogue.plugins)
    invalid, planned = report.invalid_count(), report.planned_count()
    if invalid > _allowed(max_errors, planned):
        click.echo(f"{invalid} of {planned} answers are invalid, allowed are {max_errors}", err=True)
        raise SystemExit(EXIT_TOO_MANY_INVALID)


def _resolve(
    catalogue: Catalogue,
    model: str,
    task: str,
    rival: str | None,
    settings: Mapping[str, Value],
    online: bool,
) -> tuple[dict[Role, Component], Component, tuple[str, ...]]:
    """The components, fetched if need be; the base LLM joins where the registry names one."""
    for_model, for_task = _divide(catalogue, model, task, settings)
    systems: dict[Role, Component] = {"model": catalogue.model(model, for_model)}
    notes: list[str] = []
    if rival is not None:
        systems["rival"] = catalogue.model(rival)
    entry = systems["model"].entry
    if isinstance(entry, ModelEntry) and entry.base is not None:
        systems["base"] = catalogue.model(entry.base)
    about = catalogue.task(task, for_task)
    if online:
        for component in (*systems.values(), about):
            fetch(component, lambda line: click.echo(line, err=True))
        return _resolve(catalogue, model, task, rival, settings, online=False)
    if "base" in systems and any(part.missing_files() for part in systems["base"].whole()):
        name = systems.pop("base").name
        notes.append(f"T0 is not measured: the base LLM is not fetched (speechzoo fetch {name})")
    return systems, about, tuple(notes)


def _divide(
    catalogue: Catalogue, model: str, task: str, settings: Mapping[str, Value]
) -> tuple[dict[str, Value], dict[str, Value]]:
    """Each setting goes to whichever of model and task knows it; ``model.`` or ``task.`` decides."""
    kinds = {"model": catalogue.model(model), "task": catalogue.task(task)}
    knows = {kind: {*component.parameters, *component.parts} for kind, component in kinds.items()}
    divided: dict[str, dict[str, Value]] = {"model": {}, "task": {}}
    for key, value in settings.items():
        prefix, _, rest = key.partition(".")
        if prefix in divided and rest:
            divided[prefix][rest] = value
            continue
        takers = [kind for kind in divided if key in knows[kind]]
        if len(takers) != 1:
            told = ", ".join(f"{kind}.{name}" for kind in knows for name in sorted(knows[kind]))
            problem = "known to neither" if not takers else "known to both: say model. or task."
            raise SpeechzooError(f"--set {key}: {problem}; there are: {told}")
        divided[takers[0]][key] = value
    return divided["model"], divided["task"]


def _conditions(text: str) -> tuple[Condition, ...]:
    try:
        return tuple(dict.fromkeys(Condition(name.strip()) for name in text.split(",")))
    except ValueError as error:
        raise SpeechzooError(f"{error}; conditions are {', '.join(Condition)}") from error


def _own_dtype(model: Component, device: str) -> str:
    if isinstance(model.entry, ModelEntry) and model.entry.dtype is not None:
        return model.entry.dtype
    return "float32" if device == "cpu" else "bfloat16"


def _allowed(max_errors: str, planned: int) -> float:
    number = max_errors.removesuffix("%")
    try:
        return float(number) / 100 * planned if max_errors.endswith("%") else float(number)
    except ValueError as error:
        raise click.BadParameter(f"{max_errors!r} is neither a number nor a percentage") from error


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated


def _leave(how: str, code: int) -> None:
    click.echo(f"{how}: what is finished is safe; the same command takes the run up again", err=True)
    # A second signal during the interpreter's own clean-up must not change the exit code.
    os._exit(code)
