"""The hooks a plugin may implement. Specs are returned as plain data; nothing is loaded here."""

from collections.abc import Sequence
from pathlib import Path

import pluggy

from speechzoo.specs import CommandSpec, JsonObject, ModelSpec, ServiceSpec, TaskSpec

hookspec = pluggy.HookspecMarker("speechzoo")
hookimpl = pluggy.HookimplMarker("speechzoo")


@hookspec
def speechzoo_models() -> Sequence[ModelSpec]:
    """Kinds of models this package can drive."""
    raise NotImplementedError


@hookspec
def speechzoo_tasks() -> Sequence[TaskSpec]:
    """Tasks this package brings."""
    raise NotImplementedError


@hookspec
def speechzoo_services() -> Sequence[ServiceSpec]:
    """Speech recognisers and synthesizers this package can drive."""
    raise NotImplementedError


@hookspec
def speechzoo_registry() -> Path:
    """A registry file of the package's own; its entries join the shipped ones."""
    raise NotImplementedError


@hookspec
def speechzoo_commands() -> Sequence[CommandSpec]:
    """Subcommands this package adds to the command line."""
    raise NotImplementedError


@hookspec
def speechzoo_run_started(folder: Path, run: JsonObject) -> None:
    """A run begins or is resumed in ``folder``; ``run`` is the content of its run.json."""


@hookspec
def speechzoo_sample_done(record: JsonObject) -> None:
    """One answer is safely on disk; ``record`` is its line in the store."""


@hookspec
def speechzoo_run_finished(folder: Path, report: JsonObject) -> None:
    """The report is written; ``report`` is the content of report.json."""
