"""speechzoo fetch NAME..."""

from pathlib import Path

import click

from speechzoo.catalogue import open_catalogue
from speechzoo.cli.options import registry_option
from speechzoo.loading import fetch


@click.command("fetch")
@click.argument("names", nargs=-1, required=True)
@registry_option
def command(names: tuple[str, ...], registries: tuple[Path, ...]) -> None:
    """Downloads, checks and prepares the files of models, services and tasks, parts included.

    This and 'eval --online' are the only commands that use the network. What is there already is left alone.
    """
    catalogue = open_catalogue(registries)
    for name in names:
        for component in catalogue.any(name):
            if not any(part.entry and part.entry.sources for part in component.whole()):
                click.echo(f"{component.kind} {name}: there is nothing to fetch")
            fetch(component, click.echo)
