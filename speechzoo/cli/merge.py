"""speechzoo merge OUT SHARD..."""

from pathlib import Path

import click

from speechzoo.catalogue import open_catalogue
from speechzoo.cli.options import max_errors_option
from speechzoo.cli.running import finish
from speechzoo.run.merge import merge


@click.command("merge")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.argument(
    "shards", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@max_errors_option
def command(out: Path, shards: tuple[Path, ...], max_errors: str) -> None:
    """Puts the folders of all SHARDs of a run together in the new folder OUT, and reports on it.

    The report is that of one call without --shard. What is missing or not finished is named, and how to
    have it run; shards of another run are refused.

    \b
    Example, each line but the last on a machine of its own:
      speechzoo eval -m cascade -t s2sbench-mini --shard 1/2 --out runs/part-1
      speechzoo eval -m cascade -t s2sbench-mini --shard 2/2 --out runs/part-2
      speechzoo merge runs/whole runs/part-*

    Exit codes: those of 'eval'.
    """
    for told in merge(out, shards):
        click.echo(f"note: {told}", err=True)
    finish(out, open_catalogue(), max_errors)
