"""speechzoo mtalk-import"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click
from speechzoo import Condition, SpeechzooError
from speechzoo.catalogue import open_catalogue
from speechzoo.cli.options import registry_option
from speechzoo.cli.progress import progress_display
from speechzoo.cli.report import write_reports
from speechzoo.loading import Component, load
from speechzoo.run.evaluate import evaluate
from speechzoo.run.request import Request
from speechzoo.run.signature import parse_settings
from speechzoo.run.store import read_run
from speechzoo.specs import JsonObject

from speechzoo_mtalk_bench.dialogues import Replies
from speechzoo_mtalk_bench.imported import ImportedReplies, imported_model
from speechzoo_mtalk_bench.replies import RepliesFile, read_replies
from speechzoo_mtalk_bench.task import MTalkBench

UNKNOWN = "unknown"


@click.command("mtalk-import")
@click.argument("replies", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", metavar="DIR", help="MTalk-Bench's data: a folder, or HUB_ID@COMMIT.")
@click.option("--task", "name", default="mtalk-bench", show_default=True, help="Whose dialogues they answer.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="An option of the task. Repeat.")
@click.option("--device", default="cpu", show_default=True, help="Where a judge of one's own computes.")
@click.option(
    "--max-judge-cost",
    type=click.FloatRange(min=0, min_open=True),
    metavar="USD",
    help="Most that the judge may cost in each system's folder; what is over stays ungraded.",
)
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="A folder for the runs."
)
@registry_option
def command(
    replies: Path | None,
    data: str | None,
    name: str,
    settings: tuple[str, ...],
    device: str,
    max_judge_cost: float | None,
    out: Path,
    registries: tuple[Path, ...],
) -> None:
    """Makes a run of each system's replies, which 'report' and the arena take like any other.

    REPLIES is the JSON file that MTalk-Bench's code reads; without it the replies are taken that stand among
    the data. Tells everything that is skipped. A system that OUT holds with other replies is kept as it is.

    \b
    Example:
      speechzoo mtalk-import replies.json --data MTalk-Bench --out runs/imported
    """
    catalogue = open_catalogue(registries)
    about = catalogue.task(name, parse_settings(settings), data)
    if "judge" not in about.parts:  # nobody needs to know what is said
        about = replace(about, parts={})
    task = load(about)
    if not isinstance(task, MTalkBench):
        raise SpeechzooError(f"{name} is no task of MTalk-Bench: choose mtalk-bench or mtalk-mini")
    read = read_replies(replies, task.items()) if replies else RepliesFile(dict(task.replies))
    for told in read.skipped:
        click.echo(f"skipped: {told}")
    if not read.systems:
        raise SpeechzooError("there are no replies to be imported")
    notes = (f"Replies imported from {replies or data}; {len(read.skipped)} of its parts were skipped.",)
    folders = _folders(out, read.systems)
    for system, own in read.systems.items():
        model = imported_model(system, about.package, own)
        folder = folders[system]
        if _holds_others(folder, model):
            click.echo(f"kept: {folder} holds other replies of {system}")
            continue
        request = Request(
            systems={"model": model},
            task=about,
            conditions=(Condition.S2S,),
            device=device,
            dtype=UNKNOWN,
            out=folder,
            max_judge_cost=max_judge_cost,
            notes=notes,
        )
        executor = ImportedReplies(own)
        with progress_display() as progress:
            evaluate(request, catalogue.plugins, progress, executor=lambda *_, own=executor: own)
        write_reports(folder)


def _folders(out: Path, systems: Mapping[str, Replies]) -> dict[str, Path]:
    """A folder for each system.

    Raises:
        SpeechzooError: the names of two differ only in signs that a folder's name cannot have.
    """
    folders = {name: out / "".join(c if c.isalnum() or c in "._-" else "_" for c in name) for name in systems}
    if len(set(folders.values())) < len(folders):
        raise SpeechzooError(f"two systems would share a folder, rename one: {', '.join(sorted(folders))}")
    return folders


def _holds_others(folder: Path, model: Component) -> bool:
    if not (folder / "run.json").exists():
        return False
    known: JsonObject = read_run(folder).systems["model"].identity["parameters"]
    return known != dict(model.parameters)
