"""speechzoo env make NAME..., speechzoo env list"""

from collections.abc import Iterator
from pathlib import Path

import click

from speechzoo import environments
from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.cli.options import registry_option
from speechzoo.errors import SpeechzooError


@click.group("env")
def command() -> None:
    """Environments of models that need packages which clash with those of others.

    A registry entry names what it needs; its workers run there, beside all others, in one report.
    """


@command.command("make")
@click.argument("names", nargs=-1, required=True)
@registry_option
def make(names: tuple[str, ...], registries: tuple[Path, ...]) -> None:
    """Chooses versions, locks and installs them with uv. What is there is left alone.

    This uses the network, by uv's own settings (UV_INDEX, UV_FIND_LINKS, UV_TORCH_BACKEND, ...), not pip's.
    """
    catalogue = open_catalogue(registries)
    for name in names:
        component = catalogue.model(name)
        if component.environment is None:
            click.echo(f"{name} runs where speechzoo does: there is nothing to make")
            continue
        environments.make(component.name, component.environment, component.packages(), click.echo)


@command.command("list")
@registry_option
def list_environments(registries: tuple[Path, ...]) -> None:
    """The models that run in an environment of their own, and whether it is made."""
    lines = list(_states(open_catalogue(registries)))
    for line in lines or ["every model runs where speechzoo does"]:
        click.echo(line)


def _states(catalogue: Catalogue) -> Iterator[str]:
    for name, entry in sorted(catalogue.registry.models.items()):
        if entry.environment is not None:
            try:
                made = catalogue.model(name).made_environment()
            except SpeechzooError as error:
                yield str(error).splitlines()[0]
            else:
                assert made is not None
                count = len(made.versions())
                yield f"{name}: Python {made.python}, {count} packages, lock {made.lock}, at {made.folder}"
