"""speechzoo eval"""

import contextlib
import math
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import click
from click.core import ParameterSource

from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.cli.options import registry_option
from speechzoo.cli.progress import progress_display
from speechzoo.cli.report import write_reports
from speechzoo.errors import (
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    EXIT_TOO_MANY_INVALID,
    SpeechzooError,
)
from speechzoo.gap import Report
from speechzoo.loading import Component, fetch
from speechzoo.registry import ModelEntry
from speechzoo.run.evaluate import evaluate
from speechzoo.run.records import Role
from speechzoo.run.request import Request
from speechzoo.run.signature import parse_settings, read_number, read_settings, read_signature
from speechzoo.specs import Condition

DTYPES = ("float32", "bfloat16", "float16")


class Terminated(BaseException):
    """SIGTERM: leave now; what is on disk is safe."""


@dataclass(frozen=True)
class Wanted:
    """What decides a number, named by options or by a signature; None takes the default."""

    model: str
    task: str
    conditions: tuple[Condition, ...] | None
    settings: Mapping[str, str]
    limit: int | None
    rival: str | None
    dtype: str | None
    seed: int
    data: str | None = None
    signature: Mapping[str, str] = field(default_factory=dict)


def _checked_max_errors(_context: click.Context, _option: click.Parameter, text: str) -> str:
    try:
        good = float(text.removesuffix("%")) >= 0
    except ValueError:
        good = False
    if not good:
        raise click.BadParameter(f"{text!r} is neither a number nor a percentage; say 10 or 5%")
    return text


def _checked_seconds(_context: click.Context, _option: click.Parameter, seconds: float) -> float:
    if not math.isfinite(seconds):
        raise click.BadParameter(f"{seconds} is no number of seconds")
    return seconds


@click.command("eval")
@click.option("--model", "-m", help="NAME, or ADAPTER@FOLDER for a checkpoint of your own.")
@click.option("--task", "-t", help="NAME, or NAME/SUBSET, see 'speechzoo list tasks'.")
@click.option("--data", metavar="DIR", help="Other data for the task: a folder, or HUB_ID@COMMIT.")
@click.option("--conditions", help="Such as t2t,s2t (input to output). Default: all that both can do.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter or part, see 'show'. Repeat."
)
@click.option("--limit", type=click.IntRange(min=1), help="Only so many items, drawn at random by the seed.")
@click.option("--rival", help="A cascade to hold a speech LLM against (row C of the report).")
@click.option("--transcriber", help="Also tell the loss by how well this recogniser hears each clip.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="The run's folder.")
@click.option(
    "--max-errors",
    default="5%",
    show_default=True,
    callback=_checked_max_errors,
    help="Invalid items allowed: 10 or 5%.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1")
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
    callback=_checked_seconds,
    help="Seconds before a batch is taken for hung.",
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
    out: Path | None,
    max_errors: str,
    device: str,
    dtype: str | None,
    seed: int,
    batch_tokens: int,
    time_limit: float,
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
      speechzoo eval -m cascade -t spoken-qa-mini --conditions t2t,s2t,t2s,s2s --limit 20
      speechzoo eval -m text-llm@my-checkpoint -t s2sbench-mini --set ties=half
      speechzoo eval --signature 'task:s2sbench-mini|model:cascade|...'

    \b
    Exit codes: 0 good, 1 more invalid items than allowed, 2 usage, 3 plugin or machine,
    130/143 stopped and resumable.
    """
    if signature is not None:
        _refuse_beside_signature(context)
        wanted = _from_signature(signature, data)
    elif model is None or task is None:
        raise click.UsageError("name a --model and a --task, or a --signature")
    else:
        chosen = None if conditions is None else _conditions(conditions)
        wanted = Wanted(model, task, chosen, parse_settings(settings), limit, rival, dtype, seed, data)
    if context.get_parameter_source("device") is ParameterSource.DEFAULT:
        device = wanted.signature.get("device", device)
    with _resumable():
        catalogue = open_catalogue(registries)
        systems, about, notes = _resolve(catalogue, wanted, online)
        request = Request(
            systems=systems,
            task=about,
            transcriber=None if transcriber is None else catalogue.service(transcriber),
            conditions=wanted.conditions,
            limit=wanted.limit,
            device=device,
            dtype=wanted.dtype or _own_dtype(systems["model"], device),
            seed=wanted.seed,
            out=out,
            batch_tokens=batch_tokens,
            time_limit=time_limit,
            notes=notes,
            signature=wanted.signature,
            fresh=fresh,
        )
        _judge(_run(request, catalogue), max_errors)


def _refuse_beside_signature(context: click.Context) -> None:
    """A signature decides what is run; an option that says something else too would be ignored."""
    decided = {"model", "task", "conditions", "settings", "limit", "rival", "dtype", "seed"}
    beside = [
        option.opts[0]
        for option in context.command.params
        if option.name in decided and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    ]
    if beside:
        raise click.UsageError(f"--signature decides {', '.join(beside)} already; leave one of the two out")


def _from_signature(line: str, data: str | None) -> Wanted:
    fields = read_signature(line)
    conditions, dtype = fields.get("conditions"), fields.get("dtype")
    if dtype is not None and dtype not in DTYPES:
        raise SpeechzooError(f"the signature's dtype:{dtype} is none of {', '.join(DTYPES)}")
    return Wanted(
        model=fields["model"],
        task=fields["task"],
        conditions=None if conditions is None else _conditions(conditions),
        settings=read_settings(fields.get("set", "")),
        limit=read_number(fields, "limit", least=1),
        rival=fields.get("rival"),
        dtype=dtype,
        seed=read_number(fields, "seed", least=0) or 0,
        data=data,
        signature=fields,
    )


@contextlib.contextmanager
def _resumable() -> Iterator[None]:
    """Whatever is being done, a signal leaves with the exit code of a run that can be taken up again."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except KeyboardInterrupt:
        _leave("interrupted", EXIT_INTERRUPTED)
    except Terminated:
        _leave("terminated", EXIT_TERMINATED)
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(request: Request, catalogue: Catalogue) -> Report:
    with progress_display() as progress:
        folder = evaluate(request, catalogue.plugins, progress)
    report = write_reports(folder)
    catalogue.plugins.emit("speechzoo_run_finished", folder=folder, report=report.model_dump(mode="json"))
    return report


def _judge(report: Report, max_errors: str) -> None:
    invalid, planned = report.invalid_count(), report.planned_count()
    number = float(max_errors.removesuffix("%"))
    allowed = number / 100 * planned if max_errors.endswith("%") else number
    if invalid > allowed:
        click.echo(f"{invalid} of {planned} answers are invalid, allowed are {max_errors}", err=True)
        raise SystemExit(EXIT_TOO_MANY_INVALID)


def _resolve(
    catalogue: Catalogue, wanted: Wanted, online: bool
) -> tuple[dict[Role, Component], Component, tuple[str, ...]]:
    """The components, fetched if need be; the base LLM joins where the registry names one."""
    for_model, for_task = _divide(catalogue, wanted)
    systems: dict[Role, Component] = {"model": catalogue.model(wanted.model, for_model)}
    notes: list[str] = []
    if wanted.rival is not None:
        systems["rival"] = catalogue.model(wanted.rival)
    entry = systems["model"].entry
    if isinstance(entry, ModelEntry) and entry.base is not None:
        systems["base"] = catalogue.model(entry.base)
    about = catalogue.task(wanted.task, for_task, wanted.data)
    if online:
        for component in (*systems.values(), about):
            fetch(component, lambda line: click.echo(line, err=True))
        return _resolve(catalogue, wanted, online=False)
    if "base" in systems and any(part.missing_files() for part in systems["base"].whole()):
        name = systems.pop("base").name
        notes.append(f"T0 is not measured: the base LLM is not fetched (speechzoo fetch {name})")
    return systems, about, tuple(notes)


def _divide(catalogue: Catalogue, wanted: Wanted) -> tuple[dict[str, str], dict[str, str]]:
    """Each setting goes to whichever of model and task knows it; ``model.`` or ``task.`` decides."""
    kinds = {"model": catalogue.model(wanted.model), "task": catalogue.task(wanted.task)}
    divided: dict[str, dict[str, str]] = {"model": {}, "task": {}}
    for key, value in wanted.settings.items():
        prefix, _, rest = key.partition(".")
        if prefix in divided and rest:
            divided[prefix][rest] = value
            continue
        takers = [kind for kind, component in kinds.items() if component.takes(key)]
        if len(takers) != 1:
            problem = "known to neither" if not takers else "known to both: say model. or task."
            raise SpeechzooError(f"--set {key}: {problem}; there are: {', '.join(_settings_of(kinds))}")
        divided[takers[0]][key] = value
    return divided["model"], divided["task"]


def _settings_of(kinds: Mapping[str, Component]) -> list[str]:
    return [
        f"{kind}.{path}"
        for kind, component in kinds.items()
        for path in sorted([*component.parts, *(path for path, _, _ in component.settable())])
    ]


def _conditions(text: str) -> tuple[Condition, ...]:
    try:
        return tuple(dict.fromkeys(Condition(name.strip()) for name in text.split(",")))
    except ValueError as error:
        raise SpeechzooError(f"{error}; conditions are {', '.join(Condition)}") from error


def _own_dtype(model: Component, device: str) -> str:
    if isinstance(model.entry, ModelEntry) and model.entry.dtype is not None:
        return model.entry.dtype
    return "float32" if device == "cpu" else "bfloat16"


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated


def _leave(how: str, code: int) -> None:
    click.echo(f"{how}: what is finished is safe; the same command takes the run up again", err=True)
    # A second signal during the interpreter's own clean-up must not change the exit code.
    os._exit(code)
