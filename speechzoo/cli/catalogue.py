"""The one option every command about names shares, and the catalogue behind it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from speechzoo.loading import Catalogue
from speechzoo.plugins import discover
from speechzoo.registry import load_registry

Function = TypeVar("Function", bound=Callable[..., Any])


def registry_option(function: Function) -> Function:
    return click.option(
        "--registry",
        "registries",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A registry file of your own, on top of the shipped ones. May be repeated.",
    )(function)


def open_catalogue(registries: tuple[Path, ...] = ()) -> Catalogue:
    plugins = discover()
    files = [plugin.registry for plugin in plugins.plugins if plugin.registry is not None]
    return Catalogue(plugins, load_registry(files, registries))
