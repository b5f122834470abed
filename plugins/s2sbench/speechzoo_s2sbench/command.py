"""speechzoo s2sbench-import"""

from collections.abc import Sequence
from pathlib import Path

import click
from speechzoo import Condition, Item, SpeechzooError
from speechzoo.catalogue import open_catalogue
from speechzoo.cli.options import registry_option
from speechzoo.cli.progress import progress_display
from speechzoo.cli.report import write_reports
from speechzoo.loading import load
from speechzoo.run.evaluate import evaluate
from speechzoo.run.request import Request
from speechzoo.run.signature import parse_settings

from speechzoo_s2sbench.data import S2SBENCH
from speechzoo_s2sbench.imported import Imported, ImportedLosses, import_notes, imported_model
from speechzoo_s2sbench.results import find_results, read_results, reference_figures

UNKNOWN = "unknown"

existing = click.Path(exists=True, path_type=Path)


@click.command("s2sbench-import")
@click.option("--data", required=True, metavar="DIR", help="S2SBench's data: a folder, or HUB_ID@COMMIT.")
@click.option("--speech", type=existing, help="Results with spoken contexts (s2t): a folder or a file.")
@click.option("--text", type=existing, help="Results with text contexts (t2t): a folder or a file.")
@click.option("--name", required=True, help="Of the model whose losses these are.")
@click.option("--subset", type=click.Choice(list(S2SBENCH)), help="Only this one.")
@click.option("--checkpoint", help="Its folder's name, where a folder of results holds several.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="An option of s2sbench. Repeat.")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The run's folder."
)
@registry_option
def command(
    data: str,
    speech: Path | None,
    text: Path | None,
    name: str,
    subset: str | None,
    checkpoint: str | None,
    settings: tuple[str, ...],
    out: Path,
    registries: tuple[Path, ...],
) -> None:
    """Makes a run of losses that S2SBench's reference code wrote (result.jsonl).

    Prints the reference's own figures, and the report; 'report' and 'compare' take the run like any
    other. Losses are means a token, so accuracy by sum, character, byte or without the context is not known,
    nor whether the model heard.

    \b
    Example:
      speechzoo s2sbench-import --data S2SBench --speech results --text results2 --name mine --out runs/mine
    """
    results = _read({Condition.S2T: speech, Condition.T2T: text}, subset, checkpoint)
    catalogue = open_catalogue(registries)
    about = catalogue.task(f"s2sbench/{subset}" if subset else "s2sbench", parse_settings(settings), data)
    items: Sequence[Item] = load(about).items()
    request = Request(
        systems={"model": imported_model(name, about.package, results)},
        task=about,
        conditions=tuple(results),
        device=UNKNOWN,
        dtype=UNKNOWN,
        out=out,
        notes=tuple(import_notes(results, items)),
    )
    executor = ImportedLosses({item.id: item for item in items}, results)
    with progress_display() as progress:
        folder = evaluate(request, catalogue.plugins, progress, executor=lambda *_: executor)
    write_reports(folder)
    _print_reference(results, items)


def _read(paths: dict[Condition, Path | None], subset: str | None, checkpoint: str | None) -> Imported:
    wanted = {subset: S2SBENCH[subset]} if subset else S2SBENCH
    files = {
        condition: find_results(path, wanted, checkpoint)
        for condition, path in paths.items()
        if path is not None
    }
    if not files:
        raise SpeechzooError("name results with --speech, --text or both")
    for condition, found in files.items():
        if lacking := [name for name in wanted if name not in found]:
            raise SpeechzooError(
                f"the {condition} results have nothing of {', '.join(lacking)}; import one subset at a time: "
                f"--subset {next(iter(found))}"
            )
    return {
        condition: {name: read_results(file) for name, file in found.items()}
        for condition, found in files.items()
    }


def _print_reference(results: Imported, items: Sequence[Item]) -> None:
    """Of all that is in the files; a report is over the items that are valid in all its stages."""
    for condition, by_subset in results.items():
        for subset, own in by_subset.items():
            members = [item for item in items if item.attributes["subset"] == subset]
            figures = reference_figures(S2SBENCH[subset].kind, own, members)
            told = "nothing to compare"
            if figures is not None:
                told = (
                    f"accuracy {figures.accuracy:.2%} of {figures.comparisons} comparisons, mean loss of the "
                    f"right {figures.mean_right:#.5g}, of the wrong {figures.mean_wrong:#.5g}"
                )
            click.echo(f"reference scorer, {condition} {subset}: {told}")
