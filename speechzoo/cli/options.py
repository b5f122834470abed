"""The one option that every command about names shares."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def registry_option(function: Function) -> Function:
    return click.option(
        "--registry",
        "registries",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A registry file of your own, on top of the shipped ones. May be repeated.",
    )(function)
