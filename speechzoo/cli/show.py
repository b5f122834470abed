"""speechzoo show NAME"""

from collections.abc import Iterator
from pathlib import Path

import click

from speechzoo.catalogue import open_catalogue
from speechzoo.cli.options import registry_option
from speechzoo.loading import Component
from speechzoo.registry import DataEntry, Entry, ModelEntry, Published, Value, unpinned
from speechzoo.run.signature import text_of
from speechzoo.specs import Parameter, TaskSpec


@click.command("show")
@click.argument("name")
@registry_option
def command(name: str, registries: tuple[Path, ...]) -> None:
    """Everything about one model, task, service or adapter: parts, files, parameters, licence."""
    catalogue = open_catalogue(registries)
    adapters = catalogue.adapters()
    for component in catalogue.any(name):
        entries = adapters.get(component.kind, {}).get(component.name, [])
        for label, value in _lines(component, entries):
            click.echo(f"{label:<14} {value}")


def _lines(component: Component, entries: list[str]) -> list[tuple[str, str]]:
    spec, entry = component.spec, component.entry
    lines = [
        (component.kind, component.name),
        ("", entry.summary if entry and component.kind != "task" else spec.summary),
        ("driven by", f"{spec.name} of {component.package} ({spec.target})"),
    ]
    if isinstance(spec, TaskSpec) and spec.subsets:
        lines.append(("subsets", ", ".join(f"{spec.name}/{subset}" for subset in spec.subsets)))
    if component.capabilities:
        lines.append(("can", ", ".join(sorted(component.capabilities))))
    if entries:
        own = f", and {component.name}@FOLDER for files of your own" if component.kind == "model" else ""
        lines.append(("adapter of", ", ".join(entries) + own))
    if component.environment is not None:
        needs = ", ".join((f"Python {component.environment.python}", *component.environment.requirements))
        lines.append(("environment", f"of its own (speechzoo env make {component.name}): {needs}"))
    for one in component.whole():
        if one.runs_remote_code():
            told = f"{one.name} runs Python code that lies in its checkpoint: only with --trust-remote-code"
            lines.append(("code", told))
    for role, part in component.parts.items():
        lines.append((f"part {role}", f"{part.name} (--set {role}=NAME for another {part.sort})"))
    for role in (role for role in spec.parts if role not in component.parts):
        lines.append((f"part {role}", f"none (--set {role}=NAME)"))
    lines += [("--set", _setting(*setting)) for setting in component.settable()]
    if entry is not None:
        lines += _entry_lines(component)
    return lines


def _setting(path: str, value: Value, parameter: Parameter) -> str:
    choices = f" ({' | '.join(parameter.choices)})" if parameter.choices else ""
    return f"{path}={text_of(value)}{choices}: {parameter.help}"


def _entry_lines(component: Component) -> list[tuple[str, str]]:
    entry = component.entry
    assert entry is not None
    lines = [("licence", entry.licence)]
    if isinstance(entry, ModelEntry):
        facts = {"base LLM": entry.base, "size": entry.size, "paper": entry.paper, "dtype": entry.dtype}
        lines += [(label, value) for label, value in facts.items() if value]
    if isinstance(entry, DataEntry):
        lines.append(("citation", entry.citation))
        lines += [("expected", f"{counts} {what}") for what, counts in _expected(entry)]
        if entry.languages:
            lines.append(("languages", ", ".join(entry.languages)))
        if entry.obtain:
            lines.append(("data", entry.obtain))
        lines += [("published", _published(value)) for value in entry.published]
    for source in entry.sources:
        pins = source.model_dump(mode="json", exclude={"files", "into"}, exclude_defaults=True)
        lines.append(("source", ", ".join(f"{key} {value}" for key, value in pins.items())))
    if entry.download_mb:
        lines.append(("download", f"{entry.download_mb} MB"))
    if entry.sources:
        lines += _files_lines(component, entry)
    return lines


def _files_lines(component: Component, entry: Entry) -> list[tuple[str, str]]:
    if unpinned(entry):
        return [("files", component.to_obtain())]
    where = component.folder or f"not fetched: speechzoo fetch {component.name}"
    # The revision of a folder of one's own is a hash of all it holds: gigabytes, so only a run takes it.
    revision = component.pinned or "taken from the contents by each run"
    return [("files", str(where)), ("revision", revision)]


def _expected(entry: DataEntry) -> Iterator[tuple[str, str]]:
    for what, counts in entry.expected.items():
        yield what, " or ".join(map(str, counts if isinstance(counts, tuple) else (counts,)))


def _published(value: Published) -> str:
    where = f"{value.subset} " if value.subset else ""
    note = f"; {value.note}" if value.note else ""
    return f"{where}{value.condition} {value.metric} {value.value:g}: {value.system} ({value.source}{note})"
