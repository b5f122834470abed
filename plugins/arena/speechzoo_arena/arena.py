"""speechzoo arena"""

from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource
from rich.console import Console
from speechzoo import Condition
from speechzoo.catalogue import open_catalogue
from speechzoo.cli.load_options import load_options
from speechzoo.cli.options import registry_option
from speechzoo.cli.progress import progress_display
from speechzoo.cli.resumable import resumable
from speechzoo.cli.wanted import DTYPES
from speechzoo.run.files import write_whole
from speechzoo.setup import LoadOptions

from speechzoo_arena.arena_file import Options, is_arena
from speechzoo_arena.arena_findings import ArenaReport
from speechzoo_arena.arena_page import render
from speechzoo_arena.arena_report import arena_report
from speechzoo_arena.arena_tables import print_arena
from speechzoo_arena.assemble import Wanted, play_contest
from speechzoo_arena.contest import read_contest

EXIT_UNFINISHED = 1

folder_path = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("arena")
@click.argument("folders", nargs=-1, required=True, type=folder_path)
@click.option("--judge", metavar="NAME", help="Who decides: a judge, see 'speechzoo list'.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="judge.KEY=VALUE or transcriber.KEY=VALUE: a parameter or part, see 'show'. Repeat.",
)
@click.option(
    "--condition",
    type=click.Choice([str(own) for own in Condition]),
    help="Which answers meet. Default: the one condition that all runs have, s2s first.",
)
@click.option("--data", metavar="DIR", help="The task's data, if the runs were given --data.")
@click.option("--orders", type=click.Choice(["both", "one"]), default="both", show_default=True)
@click.option(
    "--pairing",
    type=click.Choice(["plan", "active", "reference"]),
    default="plan",
    show_default=True,
    help="All pairs equally often, where a battle tells most, or as MTalk-Bench does.",
)
@click.option("--battles", type=click.IntRange(min=1), help="At most so many; a pair on a dialogue is one.")
@click.option(
    "--repeats",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="So many verdicts, drawn by lot, are asked for once more: does the judge agree with itself?",
)
@click.option("--ties/--no-ties", default=True, show_default=True, help="Whether neither may be better.")
@click.option(
    "--cues",
    type=click.Choice(["text", "all", "none"]),
    default="text",
    show_default=True,
    help="Who is told the transcriptions' bracketed cues: judges that read, all, or none.",
)
@click.option("--transcriber", metavar="NAME", help="Hears replies for judges that read; usually the task's.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--max-judge-cost",
    type=click.FloatRange(min=0, min_open=True),
    metavar="USD",
    help="Most that the judge may cost in this arena's folder.",
)
@click.option(
    "--votes",
    "further",
    multiple=True,
    type=folder_path,
    help="A folder with more votes on the same battles, of people or other judges. Repeat.",
)
@click.option(
    "--prior",
    type=click.FloatRange(min=0, min_open=True),
    metavar="POINTS",
    help="Standard deviation of a prior that makes ratings finite; it is told with them.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Its folder. Default: under runs/."
)
@load_options
@click.option("--dtype", type=click.Choice(DTYPES), help="Of the judge. Default: what suits the device.")
@registry_option
@click.pass_context
def command(
    context: click.Context,
    folders: tuple[Path, ...],
    judge: str | None,
    settings: tuple[str, ...],
    condition: str | None,
    data: str | None,
    orders: str,
    pairing: str,
    battles: int | None,
    repeats: int,
    ties: bool,
    cues: str,
    transcriber: str | None,
    seed: int,
    max_judge_cost: float | None,
    further: tuple[Path, ...],
    prior: float | None,
    out: Path | None,
    device: str,
    attention: str,
    device_map: str | None,
    trust_remote_code: bool,
    dtype: str | None,
    registries: tuple[Path, ...],
) -> None:
    """Lets systems meet: a judge says, dialogue by dialogue, whose replies are better.

    FOLDERS are finished runs of one task, made by 'eval' or imported. Each verdict is on disk as it comes;
    the same command takes a stopped arena up again and asks for nothing twice. A single folder of an arena
    has its report made again, with no judge. The exit code is 1 where the ceiling of cost left battles
    unplayed, or verdicts that were to be asked for once more.

    \b
    Examples:
      speechzoo arena runs/a runs/b runs/c --judge local-judge
      speechzoo arena runs/a runs/b --judge openai-judge --set judge.model=... --max-judge-cost 5
      speechzoo arena runs/* --judge NAME --pairing reference --orders one --no-ties
      speechzoo arena runs/arena--mtalk-mini--local-judge --votes votes/by-people
    """
    if len(folders) == 1 and is_arena(folders[0]):
        _refuse_what_means_nothing(context)
        _report(folders[0], further, prior)
        return
    if judge is None:
        raise click.UsageError("name a --judge, see 'speechzoo list'")
    wanted = Wanted(
        judge=judge,
        transcriber=transcriber,
        settings=settings,
        data=data,
        options=Options.model_validate(
            {"orders": orders, "pairing": pairing, "ties": ties, "cues": cues, "seed": seed}
        ),
        loading=LoadOptions(
            device=device,
            dtype=dtype or ("float32" if device == "cpu" else "bfloat16"),
            attention=attention,
            device_map=device_map or "",
            trust_remote_code=trust_remote_code,
            seed=seed,
        ),
        battles=battles,
        repeats=repeats,
        max_cost=max_judge_cost,
        out=out,
    )
    with resumable("arena"):
        catalogue = open_catalogue(registries)
        contest = read_contest(folders, Condition(condition) if condition else None)
        with progress_display() as progress:
            folder = play_contest(contest, wanted, catalogue, progress)
        report = _report(folder, further, prior)
    if report.unfinished:
        raise SystemExit(EXIT_UNFINISHED)


def _refuse_what_means_nothing(context: click.Context) -> None:
    """An option of playing would be ignored where a report is made again."""
    given = [
        "/".join([*option.opts, *option.secondary_opts])
        for option in context.command.params
        if option.name not in ("folders", "further", "prior")
        and context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(
            f"{', '.join(given)} means nothing with the folder of an arena alone: its report is made again, "
            "without a judge. Name the runs and --out to play: the same command takes the arena up again"
        )


def _report(folder: Path, further: Sequence[Path], prior: float | None) -> ArenaReport:
    report = arena_report(folder, further, prior)
    write_whole(folder / "figures.json", report.model_dump_json(indent=1) + "\n")
    write_whole(folder / "arena.html", render(report, folder))
    print_arena(report, Console(highlight=False))
    click.echo(f"report: {folder / 'arena.html'}")
    return report
