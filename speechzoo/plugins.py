"""Finds installed plugins; one that is broken is set aside with its traceback and harms nobody."""

import contextlib
import io
import logging
import os
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

import pluggy

from speechzoo import hookspecs
from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.registry import read_registry
from speechzoo.specs import Capability, CommandSpec, ModelSpec, Parameter, ServiceSpec, Spec, TaskSpec

GROUP = "speechzoo"
SWITCH = "SPEECHZOO_PLUGINS"
_SPEC_HOOKS: dict[str, type[Spec]] = {
    "speechzoo_models": ModelSpec,
    "speechzoo_tasks": TaskSpec,
    "speechzoo_services": ServiceSpec,
    "speechzoo_commands": CommandSpec,
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found.

    Attributes:
        name: of its entry point.
        distribution: the package it came with, as ``name version``.
        specs: what it offers.
        registry: its registry file.
        problem: why it is quarantined (last line of the traceback), or None.
        traceback: the whole story.
    """

    name: str
    distribution: str
    specs: tuple[Spec, ...] = ()
    registry: Path | None = None
    problem: str | None = None
    traceback: str = ""


@dataclass(frozen=True)
class Plugins:
    """All plugins, and their specs by kind and name."""

    plugins: tuple[Plugin, ...]
    manager: pluggy.PluginManager
    owners: Mapping[tuple[str, str], Plugin] = field(default_factory=dict)
    specs: Mapping[tuple[str, str], Spec] = field(default_factory=dict)
    conflicts: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def named(self, kind: str) -> dict[str, Spec]:
        """Specs of one kind (``model``, ``task``, ``service``, ``command``) by name."""
        return {name: spec for (k, name), spec in self.specs.items() if k == kind}

    def model(self, name: str) -> ModelSpec:
        return cast(ModelSpec, self._find("model", name))

    def task(self, name: str) -> TaskSpec:
        return cast(TaskSpec, self._find("task", name))

    def service(self, name: str) -> ServiceSpec:
        return cast(ServiceSpec, self._find("service", name))

    def owner(self, spec: Spec) -> Plugin:
        return self.owners[_kind(spec), spec.name]

    def quarantined(self) -> list[Plugin]:
        return [plugin for plugin in self.plugins if plugin.problem]

    def _find(self, kind: str, name: str) -> Spec:
        if packages := self.conflicts.get((kind, name)):
            raise SetupError(
                f"{kind} {name!r} is brought by more than one package: {', '.join(packages)}. "
                f"Uninstall one, or switch plugins on by name: {SWITCH}=..."
            )
        if spec := self.specs.get((kind, name)):
            return spec
        known = ", ".join(sorted(self.named(kind))) or "none"
        raise SpeechzooError(
            f"no installed plugin brings the {kind} {name!r}; there are: {known}{self.quarantine_note()}"
        )

    def quarantine_note(self) -> str:
        """What to add to a message about a missing name: a broken plugin may have brought it."""
        return "".join(
            f"\nThe plugin {p.name!r} ({p.distribution}) is quarantined: {p.problem}"
            for p in self.quarantined()
        )

    def listen_to(self, event: str) -> bool:
        """Whether any plugin wants to hear of an event: if not, nobody need describe it."""
        return bool(getattr(self.manager.hook, event).get_hookimpls())

    def emit(self, event: str, **facts: Any) -> None:
        """Tells every plugin that listens of an event; one that fails is dropped with a warning."""
        for listener in getattr(self.manager.hook, event).get_hookimpls():
            try:
                listener.function(*(facts[name] for name in listener.argnames))
            except (Exception, SystemExit) as error:
                self.manager.unregister(listener.plugin)
                logger.warning(
                    "plugin %r failed in %s and hears no more: %r", listener.plugin_name, event, error
                )


@cache
def discover() -> Plugins:
    """Loads every entry point of the group ``speechzoo``, each by itself.

    ``SPEECHZOO_PLUGINS=a,b`` loads only those; empty, none.
    """
    manager = pluggy.PluginManager("speechzoo")
    manager.add_hookspecs(hookspecs)
    return _index([_load(point, manager) for point in _chosen_entry_points()], manager)


def _chosen_entry_points() -> list[EntryPoint]:
    points = sorted(entry_points(group=GROUP), key=lambda p: (p.dist.name if p.dist else "", p.name))
    if SWITCH not in os.environ:
        return points
    wanted = {name.strip() for name in os.environ[SWITCH].split(",")}
    return [point for point in points if point.name in wanted]


def _load(point: EntryPoint, manager: pluggy.PluginManager) -> Plugin:
    distribution = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"
    # Two packages may have entry points of one name.
    unique = f"{distribution}: {point.name}"
    printed = io.StringIO()
    try:
        # A warning is no print: one about a deprecation must not set a good plugin aside.
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            module = point.load()
            manager.register(module, name=unique)
            manager.check_pending()
            specs = tuple(_specs_of(manager, unique))
            registry = _registry_of(manager, unique)
        if printed.getvalue():
            raise RuntimeError(f"it prints while it is loaded: {printed.getvalue()[:200]!r}")
    # A plugin may raise anything, SystemExit included; that is data here, not our failure.
    except (Exception, SystemExit) as error:
        if manager.has_plugin(unique):
            manager.unregister(name=unique)
        problem = f"{type(error).__name__}: {error}"
        return Plugin(point.name, distribution, problem=problem, traceback=traceback.format_exc())
    return Plugin(point.name, distribution, specs, registry)


def _answers(manager: pluggy.PluginManager, name: str, hook: str) -> Iterator[Any]:
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        if implementation.plugin_name == name:
            yield implementation.function()


def _specs_of(manager: pluggy.PluginManager, name: str) -> Iterator[Spec]:
    for hook, kind in _SPEC_HOOKS.items():
        for specs in _answers(manager, name, hook):
            if not isinstance(specs, Iterable):
                raise TypeError(f"{hook} must return {kind.__name__}s, got {specs!r}")
            for spec in specs:
                if not isinstance(spec, kind):
                    raise TypeError(f"{hook} must return {kind.__name__}s, got {spec!r}")
                _check(spec)
                yield spec


def _check(spec: Spec) -> None:
    """Refuses a spec that every command would stumble over."""
    wrong = [name for name in ("name", "target", "summary") if not isinstance(getattr(spec, name), str)]
    if isinstance(spec, ModelSpec) and not all(isinstance(c, Capability) for c in spec.capabilities):
        wrong.append("capabilities")
    if not isinstance(spec, CommandSpec):
        wrong += _wrong_fields(spec)
    if wrong:
        raise TypeError(f"{type(spec).__name__} {spec.name!r} has fields of a wrong type: {', '.join(wrong)}")


def _wrong_fields(spec: ModelSpec | ServiceSpec | TaskSpec) -> Iterator[str]:
    if not _is_mapping(spec.parameters, Parameter):
        yield "parameters"
    if not _is_mapping(spec.parts, str):
        yield "parts"
    if not isinstance(spec.requires, (tuple, list)):
        yield "requires"


def _is_mapping(value: object, of: type) -> bool:
    return isinstance(value, Mapping) and all(isinstance(one, of) for one in value.values())


def _registry_of(manager: pluggy.PluginManager, name: str) -> Path | None:
    """Read here once, so that a plugin with a broken file is set aside instead of stopping everybody."""
    path = next(_answers(manager, name, "speechzoo_registry"), None)
    if path is None:
        return None
    if not isinstance(path, Path):
        raise TypeError(f"speechzoo_registry must return a Path, got {path!r}")
    read_registry(path)
    return path


def _index(plugins: list[Plugin], manager: pluggy.PluginManager) -> Plugins:
    specs: dict[tuple[str, str], Spec] = {}
    owners: dict[tuple[str, str], Plugin] = {}
    conflicts: dict[tuple[str, str], tuple[str, ...]] = {}
    for plugin in plugins:
        for spec in plugin.specs:
            key = (_kind(spec), spec.name)
            if key in owners:
                conflicts[key] = (*conflicts.get(key, (owners[key].distribution,)), plugin.distribution)
            specs.setdefault(key, spec)
            owners.setdefault(key, plugin)
    # Neither of two packages with one name can be preferred: the name is unusable until one goes.
    for key in conflicts:
        del specs[key]
    return Plugins(tuple(plugins), manager, owners, specs, conflicts)


def _kind(spec: Spec) -> str:
    return type(spec).__name__.removesuffix("Spec").lower()
