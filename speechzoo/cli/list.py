"""speechzoo list"""

from collections.abc import Iterator
from pathlib import Path

import click

from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.cli.options import registry_option
from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.loading import Component, Kind
from speechzoo.registry import unpinned

# A state that names many entries or packages does not push the summaries of all others to the right.
WIDEST_STATE = 60


@click.command("list")
@click.argument("kinds", nargs=-1, type=click.Choice(["models", "tasks", "services", "adapters"]))
@registry_option
def command(kinds: tuple[str, ...], registries: tuple[Path, ...]) -> None:
    """Models, tasks and services: what is ready, and the command that brings what is missing.

    Adapters drive models and services: a registry entry names one, and so does ADAPTER@FOLDER.
    """
    catalogue = open_catalogue(registries)
    names = catalogue.names()
    adapters = list(_adapters(catalogue))
    sections: dict[str, Kind] = {"models": "model", "tasks": "task", "services": "service"}
    for section, kind in sections.items():
        if kinds and section not in kinds:
            continue
        click.echo(f"{section}:")
        _print([(name, *_state(catalogue, kind, name)) for name in names[kind]])
    if "adapters" in kinds or (adapters and not kinds):
        click.echo("adapters:")
        _print(adapters)
    for alias, name in sorted(catalogue.registry.aliases.items()):
        click.echo(f"alias: {alias} -> {name}")
    if broken := catalogue.plugins.quarantined():
        click.echo(f"\n{len(broken)} broken plugin(s) set aside: see 'speechzoo plugins'")


def _print(rows: list[tuple[str, str, str]]) -> None:
    names = max((len(name) for name, _, _ in rows), default=0)
    states = max((len(state) for _, state, _ in rows if len(state) < WIDEST_STATE), default=0)
    for name, state, summary in rows:
        click.echo(f"  {name:<{names}}  {state:<{states}}  {summary}")
    if not rows:
        click.echo("  none installed")


def _adapters(catalogue: Catalogue) -> Iterator[tuple[str, str, str]]:
    """Name, how it is used, and the summary."""
    for kind, adapters in catalogue.adapters().items():
        specs = catalogue.plugins.named(kind)
        for name, entries in sorted(adapters.items()):
            own = [f"{name}@FOLDER"] if kind == "model" else []
            yield name, f"used as {', '.join([*own, *entries])}", specs[name].summary


def _state(catalogue: Catalogue, kind: Kind, name: str) -> tuple[str, str]:
    """In a word or a command, and the summary."""
    registry = catalogue.registry
    entry = registry.models.get(name) if kind == "model" else registry.services.get(name)
    summary = entry.summary if entry else ""
    try:
        component: Component = getattr(catalogue, kind)(name)
    except SpeechzooError as error:
        if entry is not None and (package := catalogue.package_to_install(kind, entry)):
            return f"missing: pip install {package}", summary
        return f"unusable: {str(error).splitlines()[0]}", summary
    summary = summary or component.spec.summary
    if component.environment is not None and not _is_made(component):
        return f"missing: speechzoo env make {name}", summary
    packages = [package for part in component.whole() for package in part.missing_packages()]
    if packages and component.environment is None:
        return f"missing: pip install {' '.join(packages)}", summary
    if any(part.entry and unpinned(part.entry) for part in component.whole()):
        return f"missing: speechzoo pin {name}", summary
    if component.to_obtain():
        return f"missing: see 'speechzoo show {name}'", summary
    if any(part.missing_files() for part in component.whole()):
        return f"missing: speechzoo fetch {name}", summary
    if unset := component.unset():
        return f"needs --set {unset[0]}=...", summary
    return "ready", summary


def _is_made(component: Component) -> bool:
    try:
        return component.made_environment() is not None
    except SetupError:
        return False
