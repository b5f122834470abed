"""Adds entries to a registry file as text, so that its comments and everything else in it stay."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from speechzoo.catalogue import Section
from speechzoo.errors import SpeechzooError
from speechzoo.registry import Entry, RegistryFile, read_registry
from speechzoo.run.files import write_whole

_WIDTH = 110


class NotExtendedError(SpeechzooError):
    """The file is of a form that cannot be added to without rewriting it, or has the entry already."""


def entries_text(sections: Mapping[Section, Mapping[str, Entry]]) -> str:
    """Entries as a registry file has them."""
    return "".join(
        f"{section}:\n{_entries(entries, '  ')}" for section, entries in sections.items() if entries
    )


def add_entries(file: Path, sections: Mapping[Section, Mapping[str, Entry]]) -> None:
    """Writes entries into a registry file, which is made if it is not there.

    Raises:
        NotExtendedError: the file has one of the entries already, or is not written in block style.
        SpeechzooError: the file is not valid as it is, or cannot be written.
    """
    if not file.exists():
        write_whole(file, entries_text(sections))
        return
    before = read_registry(file)
    for section, entries in sections.items():
        if there := sorted(set(entries) & set(getattr(before, section))):
            raise NotExtendedError(f"{file} has the entry {there[0]} already")
    text = file.read_bytes().decode("utf-8-sig")
    if text and not text.endswith("\n"):
        text += "\n"
    for section, entries in sections.items():
        text = _added(text, section, entries)
    if _content(text) != _joined(before, sections):
        raise NotExtendedError(f"{file} is not written in a form that can be added to")
    write_whole(file, text)


def _added(text: str, section: Section, entries: Mapping[str, Entry]) -> str:
    """The text with the entries at the beginning of their section, or in a new one at its end."""
    top = yaml.compose(text, yaml.SafeLoader)
    if isinstance(top, yaml.MappingNode):
        for key, value in top.value:
            if key.value == section:
                lines = text.splitlines(keepends=True)
                column = value.value[0][0].start_mark.column if value.value else 2
                lines.insert(key.end_mark.line + 1, _entries(entries, " " * column))
                return "".join(lines)
    return f"{text}{section}:\n{_entries(entries, '  ')}"


def _entries(entries: Mapping[str, Entry], indent: str) -> str:
    content = {name: entry.model_dump(mode="json", exclude_defaults=True) for name, entry in entries.items()}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return "".join(indent + line for line in text.splitlines(keepends=True))


def _joined(before: RegistryFile, sections: Mapping[Section, Mapping[str, Entry]]) -> RegistryFile:
    return before.model_copy(
        update={section: {**getattr(before, section), **entries} for section, entries in sections.items()}
    )


def _content(text: str) -> RegistryFile | None:
    try:
        return RegistryFile.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError):
        return None
