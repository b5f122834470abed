"""speechzoo pin NAME"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from speechzoo.catalogue import Catalogue, Section, open_catalogue
from speechzoo.cli.options import registry_option
from speechzoo.cli.project_file import NotExtendedError, add_entries, entries_text
from speechzoo.errors import SpeechzooError
from speechzoo.loading import Component
from speechzoo.registry import PROJECT_FILE, Entry, HubSource, ModelEntry, PathSource, Source, unpinned
from speechzoo.specs import TaskSpec
from speechzoo.weights import HubState, hub_page, look_up


@dataclass(frozen=True)
class Named:
    """An entry and where it stands in the registry."""

    section: Section
    name: str
    entry: Entry
    file: Path


@click.command("pin")
@click.argument("name")
@click.option("--revision", metavar="REV", help="A branch, tag or commit. Default: the main branch.")
@registry_option
def command(name: str, revision: str | None, registries: tuple[Path, ...]) -> None:
    """Looks up the commit of an entry's files on the hub and writes it into speechzoo.yaml.

    A branch can move: what is measured has to say of which commit it is. Entries whose commit nobody has
    written down yet are neither fetched nor run; this writes it down, for the entry and for its parts, after
    telling what the hub says of them. It uses the network, and downloads no file.

    \b
    Examples:
      speechzoo pin echox-8b
      speechzoo pin s2sbench --revision refs/pr/1
    """
    catalogue = open_catalogue(registries)
    found = list(_to_pin(catalogue, name))
    sources = [source for named in found for source in unpinned(named.entry)]
    if not sources:
        if revision is not None:
            raise SpeechzooError(f"{name} has no source without a commit; change its entry where it stands")
        click.echo(f"{name}: every source is pinned")
        return
    if revision is not None and len(sources) > 1:
        names = " or ".join(named.name for named in found)
        raise click.UsageError(f"--revision is about one repository, {name} has several: pin {names} alone")
    pinned = [_pinned(named, revision) for named in found]
    _write(pinned, registries)
    click.echo(f"next: speechzoo fetch {name}")
    _tell_base(catalogue, pinned)


def _to_pin(catalogue: Catalogue, name: str) -> Iterator[Named]:
    """The entries behind a name and its parts that have a source without a commit, each once."""
    seen = set()
    for component in catalogue.any(name):
        for part in component.whole():
            section, own = _place(part)
            if part.entry is None or not unpinned(part.entry) or (section, own) in seen:
                continue
            seen.add((section, own))
            yield Named(section, own, part.entry, catalogue.registry.origins[section, own])


def _place(component: Component) -> tuple[Section, str]:
    if isinstance(component.spec, TaskSpec):
        return "data", component.spec.data or component.name
    return ("models" if component.kind == "model" else "services"), component.name


def _pinned(named: Named, revision: str | None) -> Named:
    """The entry with its commits, after telling what the hub says."""
    states = {source: look_up(source, revision) for source in unpinned(named.entry)}
    for source, state in states.items():
        date = f" of {state.date}" if state.date else ""
        licence = state.licence or "none stated"
        click.echo(f"{named.name}: {source.hub}@{state.commit}{date}, {state.size_mb} MB, licence {licence}")
        if _plain(state.licence) != _plain(named.entry.licence):
            click.echo(
                f"warning: the entry of {named.name} says licence {named.entry.licence!r}, the hub says "
                f"{licence!r}: read {hub_page(source)}",
                err=True,
            )
        if state.gated:
            click.echo(
                f"{source.hub} is only for accounts that have accepted its terms: accept them at "
                f"{hub_page(source)} and log in (hf auth login) before fetching"
            )
    entry = named.entry
    changes: dict[str, object] = {
        "sources": tuple(_with_commit(s, states, named.file) for s in entry.sources)
    }
    if all(isinstance(source, HubSource) and source in states for source in entry.sources):
        changes["download_mb"] = sum(state.size_mb for state in states.values())
    return Named(named.section, named.name, entry.model_copy(update=changes), named.file)


def _with_commit(source: Source, states: Mapping[HubSource, HubState], file: Path) -> Source:
    if isinstance(source, HubSource) and source in states:
        return source.model_copy(update={"revision": states[source].commit})
    if isinstance(source, PathSource):
        # It is relative to the file of its entry, which will be another.
        return source.model_copy(update={"path": str((file.parent / source.path).resolve())})
    return source


def _plain(licence: str) -> str:
    return "".join(c for c in licence.lower() if c.isalnum())


def _write(pinned: list[Named], registries: tuple[Path, ...]) -> None:
    sections: dict[Section, dict[str, Entry]] = {}
    for named in pinned:
        sections.setdefault(named.section, {})[named.name] = named.entry
    try:
        above = {path.resolve() for path in registries} & {named.file for named in pinned}
        if above:
            raise NotExtendedError(f"the entry stands in {above.pop()}, which is read after {PROJECT_FILE}")
        add_entries(PROJECT_FILE, sections)
    except NotExtendedError as error:
        raise SpeechzooError(
            f"{error}. Nothing was written; put this in the place of the entry there:\n\n"
            f"{entries_text(sections)}"
        ) from error
    click.echo(f"written to {PROJECT_FILE}")


def _tell_base(catalogue: Catalogue, pinned: list[Named]) -> None:
    for named in pinned:
        base = named.entry.base if isinstance(named.entry, ModelEntry) else None
        if base is not None and (entry := catalogue.registry.models.get(base)) and unpinned(entry):
            click.echo(f"its base text LLM has no commit yet; to measure T0 too: speechzoo pin {base}")
