"""Everything that can be named, and what a name means: a `Component`."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from packaging.requirements import Requirement

from speechzoo import weights
from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.loading import Component, Kind, is_installed
from speechzoo.plugins import SWITCH, Plugins, discover
from speechzoo.registry import (
    DataEntry,
    Entry,
    ModelEntry,
    Registry,
    ServiceEntry,
    Value,
    load_registry,
)
from speechzoo.specs import ModelSpec, Parameter, ServiceKind, ServiceSpec, TaskSpec

Section = Literal["models", "services", "data", "aliases"]
_SECTIONS: dict[Kind, Section] = {"model": "models", "service": "services", "task": "data"}


def open_catalogue(registries: Iterable[Path] = ()) -> "Catalogue":
    """The installed plugins and all registry layers, the given files on top."""
    plugins = discover()
    files = [plugin.registry for plugin in plugins.plugins if plugin.registry is not None]
    return Catalogue(plugins, load_registry(files, registries))


@dataclass(frozen=True)
class Catalogue:
    """Everything that can be named: installed plugins and the registry.

    Attributes:
        plugins: the installed ones.
        registry: all its layers.
        within: while parts are resolved, what they are parts of; nothing can be a part of itself.
    """

    plugins: Plugins
    registry: Registry
    within: tuple[str, ...] = ()

    def model(self, name: str, settings: Mapping[str, Value] | None = None) -> Component:
        """``NAME``, an alias, or ``ADAPTER@FOLDER_OR_HUB_ID[@REVISION]``."""
        if "@" in name:
            return self._own_checkpoint(name, settings or {})
        name = self._meant(name)
        self._refuse_conflict("models", name)
        return self._driven("model", name, self.registry.models.get(name), settings or {})

    def service(self, name: str, settings: Mapping[str, Value] | None = None) -> Component:
        name = self._meant(name)
        self._refuse_conflict("services", name)
        return self._driven("service", name, self.registry.services.get(name), settings or {})

    def task(
        self, name: str, settings: Mapping[str, Value] | None = None, data: str | None = None
    ) -> Component:
        """``NAME`` or ``NAME/SUBSET``.

        Args:
            name: of the task.
            settings: of its parameters and parts.
            data: instead of the registered data, a folder of the same layout or ``HUB_ID@REVISION``.
        """
        whole, slash, subset = self._meant(name).partition("/")
        spec = self.plugins.task(whole)
        if slash and subset not in spec.subsets:
            raise SpeechzooError(
                f"{whole} has no subset {subset!r}; it has: {', '.join(spec.subsets) or 'none'}"
            )
        self._refuse_conflict("data", spec.data or "")
        entry = self.registry.data.get(spec.data) if spec.data else None
        if spec.data and entry is None:
            raise SetupError(f"task {whole!r} needs the data set {spec.data!r}, which no registry names")
        if data is not None:
            entry = self._other_data(whole, entry, data)
        meant = f"{whole}/{subset}" if subset else whole
        component = self._component("task", meant, spec, entry, spec.data or whole, {}, {}, settings or {})
        if not spec.subsets:
            return component
        return replace(component, parameters={"subset": subset, **component.parameters})

    def _other_data(self, task: str, entry: Entry | None, data: str) -> DataEntry:
        if not isinstance(entry, DataEntry):
            raise SpeechzooError(f"{task} has no data set; --data would change nothing")
        source = weights.own_source(data, repo_type="dataset")
        return entry.model_copy(update={"sources": (source,), "files": {}})

    def any(self, name: str) -> list[Component]:
        """Everything with this name: a model, a service, a task or a subset of one, an adapter.

        Raises:
            SpeechzooError: there is nothing.
        """
        meant, found = self._meant(name), []
        for kind, names in self._all_names().items():
            disputed = (kind, meant) in self.plugins.conflicts
            subset = kind == "task" and meant.partition("/")[0] in names
            if meant in names or disputed or subset or (kind == "model" and "@" in name):
                found.append(getattr(self, kind)(name))
        if not found:
            known = ", ".join(known for names in self._all_names().values() for known in names) or "none"
            raise SpeechzooError(
                f"nothing is called {name!r}; there are: {known}{self.plugins.quarantine_note()}"
            )
        return found

    def package_to_install(self, kind: Kind, entry: ModelEntry | ServiceEntry) -> str | None:
        """The package that drives an entry, if it is not installed."""
        if entry.package is None or entry.adapter in self.plugins.named(kind):
            return None
        return None if is_installed(Requirement(entry.package).name) else entry.package

    def names(self) -> dict[Kind, list[str]]:
        """Names by kind: registry entries, and specs that need no entry."""
        adapters = self.adapters()
        return {
            kind: [name for name in names if name not in adapters.get(kind, {})]
            for kind, names in self._all_names().items()
        }

    def _all_names(self) -> dict[Kind, list[str]]:
        return {
            "model": sorted({*self.registry.models, *self.plugins.named("model")}),
            "service": sorted({*self.registry.services, *self.plugins.named("service")}),
            "task": sorted(self.plugins.named("task")),
        }

    def adapters(self) -> dict[Kind, dict[str, list[str]]]:
        """Specs that only drive entries of other names, by kind, each with those entries."""
        found: dict[Kind, dict[str, list[str]]] = {"model": {}, "service": {}}
        sections: dict[Kind, Mapping[str, ModelEntry | ServiceEntry]]
        sections = {"model": self.registry.models, "service": self.registry.services}
        for kind, entries in sections.items():
            for name, entry in sorted(entries.items()):
                if entry.adapter in self.plugins.named(kind) and entry.adapter not in entries:
                    found[kind].setdefault(entry.adapter, []).append(name)
        for name, spec in self.plugins.named("model").items():
            if isinstance(spec, ModelSpec) and spec.needs_files and name not in self.registry.models:
                found["model"].setdefault(name, [])
        return found

    def _meant(self, name: str) -> str:
        self._refuse_conflict("aliases", name)
        return self.registry.aliases.get(name, name)

    def _refuse_conflict(self, section: Section, name: str) -> None:
        if files := self.registry.conflicts.get((section, name)):
            raise SetupError(
                f"{name!r} stands in the registry files of more than one plugin: "
                f"{', '.join(map(str, files))}. Uninstall one, switch plugins on by name ({SWITCH}=...), "
                f"or name the file that holds: --registry FILE"
            )

    def _driven(
        self,
        kind: Literal["model", "service"],
        name: str,
        entry: ModelEntry | ServiceEntry | None,
        settings: Mapping[str, Value],
    ) -> Component:
        find = self.plugins.model if kind == "model" else self.plugins.service
        if entry is None:
            if name not in self.plugins.named(kind) and (kind, name) not in self.plugins.conflicts:
                known = ", ".join(self.names()[kind]) or "none"
                raise SpeechzooError(
                    f"no {kind} is called {name!r}; there are: {known}{self.plugins.quarantine_note()}"
                )
            return self._component(kind, name, find(name), None, name, {}, {}, settings)
        if package := self.package_to_install(kind, entry):
            raise SetupError(
                f"{name} is driven by {entry.adapter!r} of a package that is not installed: "
                f"pip install {package}"
            )
        return self._component(
            kind, name, find(entry.adapter), entry, name, entry.parameters, entry.parts, settings
        )

    def _own_checkpoint(self, text: str, settings: Mapping[str, Value]) -> Component:
        adapter, _, rest = text.partition("@")
        spec = self.plugins.model(adapter)
        source = weights.own_source(rest, repo_type="model")
        entry = ModelEntry(
            adapter=adapter, summary="a checkpoint of one's own", licence="unknown", sources=(source,)
        )
        return self._component("model", text, spec, entry, text, {}, {}, settings)

    def _component(
        self,
        kind: Kind,
        name: str,
        spec: ModelSpec | ServiceSpec | TaskSpec,
        entry: Entry | None,
        entry_name: str,
        entry_parameters: Mapping[str, Value],
        entry_parts: Mapping[str, str],
        settings: Mapping[str, Value],
    ) -> Component:
        if f"{kind} {name}" in self.within:
            raise SpeechzooError(f"{' -> '.join((*self.within, f'{kind} {name}'))}: it is a part of itself")
        inner = replace(self, within=(*self.within, f"{kind} {name}"))
        roles = {role: self._meant(part) for role, part in {**spec.parts, **entry_parts}.items()}
        wanted = [role for role, usual in roles.items() if settings.get(role, usual)]
        parts = {role: inner._chosen_part(role, roles[role], settings) for role in wanted}
        for role, part in parts.items():
            inner._refuse_another_sort(name, role, spec.parts.get(role, ""), part)
        own = {key: value for key, value in settings.items() if key.partition(".")[0] not in roles}
        usual = _parameters(name, spec.parameters, entry_parameters, tuple(roles))
        parameters = _parameters(name, spec.parameters, {**entry_parameters, **own}, tuple(roles))
        base = Path()
        if (_SECTIONS[kind], entry_name) in self.registry.origins:
            base = self.registry.folder_of(_SECTIONS[kind], entry_name)
        folder = weights.locate(entry, entry_name, base) if entry and entry.sources else None
        return Component(
            kind=kind,
            name=name,
            spec=spec,
            package=self.plugins.owner(spec).distribution,
            parameters=parameters,
            changed=_changed(spec.parameters, parameters, usual, parts, roles),
            parts=parts,
            entry=entry,
            base_folder=base,
            folder=folder,
        )

    def _chosen_part(self, role: str, usual: str, settings: Mapping[str, Value]) -> Component:
        """The part that a setting names, or the usual one, with the settings that are about it."""
        start = f"{role}."
        about = {key.removeprefix(start): value for key, value in settings.items() if key.startswith(start)}
        return self._part(role, str(settings.get(role, usual)), about)

    def _refuse_another_sort(self, whole: str, role: str, usual: str, part: Component) -> None:
        try:
            # A part that is left out unless named says what it is by its role's last word.
            wanted = self._part(role, usual).sort if usual else role.rpartition("_")[2]
        except SpeechzooError:  # what is replaced need not be there
            return
        if not usual and wanted not in get_args(ServiceKind):
            return
        if part.sort != wanted:
            raise SpeechzooError(f"{whole}: {role}={part.name} is a {part.sort}, it has to be a {wanted}")

    def _part(self, role: str, name: str, settings: Mapping[str, Value] | None = None) -> Component:
        """A part is a service, except a model's text LLM, which is a model."""
        name = self._meant(name)
        if name in self._all_names()["service"]:
            return self.service(name, settings)
        if "@" in name or name in self._all_names()["model"]:
            return self.model(name, settings)
        raise SpeechzooError(f"{role}={name}: no model or service has this name")


def _parameters(
    name: str, declared: Mapping[str, Parameter], given: Mapping[str, Value], roles: tuple[str, ...]
) -> dict[str, Value]:
    values: dict[str, Value] = {key: parameter.default for key, parameter in declared.items()}
    for key, value in given.items():
        if key not in declared:
            known = ", ".join(sorted([*declared, *roles])) or "none"
            raise SpeechzooError(f"{name} has no parameter {key!r}; it has: {known}")
        values[key] = _typed(name, key, value, declared[key])
    return values


def _changed(
    declared: Mapping[str, Parameter],
    parameters: Mapping[str, Value],
    usual: Mapping[str, Value],
    parts: Mapping[str, Component],
    roles: Mapping[str, str],
) -> dict[str, Value]:
    changed = {
        key: value for key, value in parameters.items() if value != usual[key] and declared[key].decides
    }
    changed |= {role: "" for role, name in roles.items() if name and role not in parts}
    for role, part in parts.items():
        if part.name != roles[role]:
            changed[role] = part.name
        changed |= {f"{role}.{key}": value for key, value in part.changed.items()}
    return changed


def _typed(name: str, key: str, value: Value, parameter: Parameter) -> Value:
    wanted = type(parameter.default)
    typed = _read(wanted, value)
    if typed is None:
        raise SpeechzooError(f"{name}: {key} is of type {wanted.__name__}, not {value!r}")
    if parameter.choices and str(typed) not in parameter.choices:
        raise SpeechzooError(f"{name}: {key} is one of {', '.join(parameter.choices)}, not {value!r}")
    return typed


def _read(wanted: type[Value], value: Value) -> Value | None:
    """The value as this type, None if it is none; from the command line every value comes as text."""
    if wanted is bool:
        return {"true": True, "false": False}.get(str(value).lower())
    # YAML reads no, yes, on and off as booleans: the code of Norwegian must not become "False".
    if isinstance(value, bool) or (wanted is int and isinstance(value, float)):
        return None
    try:
        typed = wanted(value)
    except (ValueError, OverflowError):
        return None
    return typed if wanted is str or math.isfinite(float(typed)) else None
