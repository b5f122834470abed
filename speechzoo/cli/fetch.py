"""speechzoo fetch NAME..."""

from pathlib import Path

import click

from speechzoo.catalogue import open_catalogue
from speechzoo.cli.options import registry_option
from speechzoo.errors import SetupError
from speechzoo.loading import fetch


@click.command("fetch")
@click.argument("names", nargs=-1, required=True)
@click.option("--data", metavar="HUB_ID@COMMIT", help="Other data for the one task named.")
@registry_option
def command(names: tuple[str, ...], data: str | None, registries: tuple[Path, ...]) -> None:
    """Downloads, checks and prepares the files of models, services and tasks, parts included.

    This, 'pin', 'eval --online' and models or judges behind a server use the network. What is there is
    left alone.

    \b
    Examples:
      speechzoo fetch cascade
      speechzoo fetch s2sbench --data undobug/S2SBench@COMMIT
    """
    catalogue = open_catalogue(registries)
    if data is not None and len(names) > 1:
        raise click.UsageError("--data is about one task: name only that")
    for name in names:
        for component in catalogue.any(name) if data is None else [catalogue.task(name, data=data)]:
            for part in component.whole():
                if obtain := part.to_obtain():
                    raise SetupError(f"{part.name} cannot be fetched by its name alone: {obtain}")
            if not any(part.entry and part.entry.sources for part in component.whole()):
                click.echo(f"{component.kind} {name}: there is nothing to fetch")
            fetch(component, click.echo)
