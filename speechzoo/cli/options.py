"""Options that several commands share."""

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


def max_errors_option(function: Function) -> Function:
    return click.option(
        "--max-errors",
        default="5%",
        show_default=True,
        callback=_checked_max_errors,
        help="Invalid items allowed: 10 or 5%.",
    )(function)


def _checked_max_errors(_context: click.Context, _option: click.Parameter, text: str) -> str:
    try:
        good = float(text.removesuffix("%")) >= 0
    except ValueError:
        good = False
    if not good:
        raise click.BadParameter(f"{text!r} is neither a number nor a percentage; say 10 or 5%")
    return text
