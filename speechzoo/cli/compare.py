"""speechzoo compare RUN RUN..."""

from pathlib import Path

import click
from rich.console import Console

from speechzoo.errors import SpeechzooError
from speechzoo.gap import compare
from speechzoo.report.terminal import print_comparison
from speechzoo.run.files import write_whole
from speechzoo.run.results import read_results


@click.command("compare")
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write it there too."
)
def command(runs: tuple[Path, ...], json_path: Path | None) -> None:
    """Sets runs of one task side by side, over the items that are valid in all of them.

    Each pair of models is tested on the same items; p values are adjusted for the number of tests.
    """
    if len(runs) < 2:
        raise SpeechzooError("name at least two runs")
    comparison = compare([read_results(run) for run in runs])
    print_comparison(comparison, Console(highlight=False))
    if json_path is not None:
        write_whole(json_path, comparison.model_dump_json(indent=1) + "\n")
