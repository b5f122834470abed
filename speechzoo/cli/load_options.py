"""Where and how a model is computed: the options that every command which loads one shares."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

DEVICE_MAPS = ("auto", "balanced", "balanced_low_0", "sequential")
"""Accelerate's names for ways to spread a model."""


def load_options(function: Function) -> Function:
    """Adds ``device``, ``attention``, ``device_map`` and ``trust_remote_code``; of dtype each has its own."""
    for option in (
        click.option(
            "--trust-remote-code",
            is_flag=True,
            help="Allow Python code that lies in a checkpoint to run with all your rights. Look at it first.",
        ),
        click.option(
            "--device-map",
            type=click.Choice(DEVICE_MAPS),
            help="Spread a model that is larger than one card over all of them.",
        ),
        click.option(
            "--attention",
            metavar="NAME",
            default="",
            help="Of transformers: sdpa, eager, flash_attention_2, ... Default: the model's own.",
        ),
        click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1; eval takes more"),
    ):
        function = option(function)
    return function
