"""speechzoo show NAME"""

from pathlib import Path

import click

from speechzoo.cli.catalogue import open_catalogue, registry_option
from speechzoo.loading import Component
from speechzoo.registry import DataEntry, ModelEntry


@click.command("show")
@click.argument("name")
@registry_option
def command(name: str, registries: tuple[Path, ...]) -> None:
    """Everything about one model, task or service: parts, files, parameters, licence."""
    catalogue = open_catalogue(registries)
    for component in catalogue.any(name):
        for label, value in _lines(component):
            click.echo(f"{label:<14} {value}")


def _lines(component: Component) -> list[tuple[str, str]]:
    spec, entry = component.spec, component.entry
    lines = [
        (component.kind, component.name),
        ("", entry.summary if entry and component.kind != "task" else spec.summary),
        ("driven by", f"{spec.name} of {component.package} ({spec.target})"),
    ]
    if component.capabilities:
        lines.append(("can", ", ".join(sorted(component.capabilities))))
    lines += [(f"part {role}", part.name) for role, part in component.parts.items()]
    for name, parameter in spec.parameters.items():
        choices = f" ({' | '.join(parameter.choices)})" if parameter.choices else ""
        value = component.parameters[name]
        lines.append(("--set", f"{name}={value if value != '' else chr(34) * 2}{choices}: {parameter.help}"))
    if entry is not None:
        lines += _entry_lines(component)
    return lines


def _entry_lines(component: Component) -> list[tuple[str, str]]:
    entry = component.entry
    assert entry is not None
    lines = [("licence", entry.licence)]
    if isinstance(entry, ModelEntry):
        facts = {"base LLM": entry.base, "size": entry.size, "paper": entry.paper, "dtype": entry.dtype}
        lines += [(label, value) for label, value in facts.items() if value]
    if isinstance(entry, DataEntry):
        lines.append(("citation", entry.citation))
        lines += [("expected", f"{count} {what}") for what, count in entry.expected.items()]
    for source in entry.sources:
        pins = source.model_dump(mode="json", exclude={"files", "into"}, exclude_defaults=True)
        lines.append(("source", ", ".join(f"{key} {value}" for key, value in pins.items())))
    if entry.sources:
        where = component.folder or f"not fetched: speechzoo fetch {component.name}"
        lines += [("files", str(where)), ("revision", component.revision)]
    return lines
