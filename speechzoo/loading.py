"""From what is meant to a loaded object: where its files lie, what it is made of, making it.

A `Component` is a name resolved: spec, entry, parameters, parts and files, all plain data, so that
it can be shown, fingerprinted and sent to a worker before anything heavy is imported.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, cast

from speechzoo import __version__, environments, weights
from speechzoo.environments import Environment
from speechzoo.errors import SetupError
from speechzoo.recipe import Recipe, import_target, make
from speechzoo.registry import DataEntry, Entry, EnvironmentEntry, ModelEntry, PathSource, Value, unpinned
from speechzoo.setup import LoadOptions
from speechzoo.specs import Capability, JsonObject, ModelSpec, Parameter, ServiceSpec, TaskSpec

Kind = Literal["model", "service", "task"]

_ON_THE_CPU = LoadOptions()


@dataclass(frozen=True)
class Component:
    """A model, service or task by name, resolved and not yet loaded.

    Attributes:
        kind: what it is.
        name: as the user wrote it, aliases followed.
        spec: the plugin's spec behind it.
        package: distribution and version of that plugin.
        parameters: every keyword with its value, defaults filled in.
        changed: settings that make it another than its name alone stands for, by their path, such as
            ``transcriber.beam_size``.
        parts: by role.
        entry: its registry entry, if it has one.
        base_folder: the folder that ``path`` sources are relative to.
        folder: where its files lie; None if it needs none or they are not fetched.
    """

    kind: Kind
    name: str
    spec: ModelSpec | ServiceSpec | TaskSpec
    package: str
    parameters: Mapping[str, Value]
    changed: Mapping[str, Value] = field(default_factory=dict)
    parts: Mapping[str, "Component"] = field(default_factory=dict)
    entry: Entry | None = None
    base_folder: Path = Path()
    folder: Path | None = None

    @property
    def sort(self) -> str:
        """What can stand in for it: another ``model``, ``task``, ``transcriber`` or ``voice``."""
        return self.spec.kind if isinstance(self.spec, ServiceSpec) else self.kind

    @property
    def pinned(self) -> str | None:
        """The revision the registry vouches for; None if only the files themselves can tell."""
        if self.entry is None or not self.entry.sources:
            return ""
        if isinstance(self.entry, DataEntry) and self.entry.files:
            return weights.revision_of_files(self.entry.files)
        if any(isinstance(source, PathSource) and not source.files for source in self.entry.sources):
            return None
        return weights.revision_of(self.entry.sources)

    @cached_property
    def revision(self) -> str:
        """Of its files, 16 hex digits; "" if it has none. Reads a folder of one's own from end to end."""
        if self.pinned is not None:
            return self.pinned
        return weights.folder_revision(self.folder) if self.folder else ""

    @property
    def capabilities(self) -> frozenset[Capability]:
        own = self.spec.capabilities if isinstance(self.spec, ModelSpec) else frozenset()
        narrowed = self.entry.capabilities if isinstance(self.entry, ModelEntry) else None
        return own if narrowed is None else own & narrowed

    @property
    def environment(self) -> EnvironmentEntry | None:
        """What its own environment needs; None if it runs where everything else does."""
        return self.entry.environment if isinstance(self.entry, ModelEntry) else None

    def made_environment(self) -> Environment | None:
        """Its environment, None if it needs none.

        Raises:
            SetupError: it is not made.
        """
        if self.environment is None:
            return None
        return environments.find(self.name, self.environment, self.packages())

    def packages(self) -> dict[str, str]:
        """Speechzoo and the plugins that it and its parts are of, and the version of each."""
        plugins = dict(part.package.rsplit(" ", 1) for part in self.whole())
        return {"speechzoo": __version__, **plugins}

    def recipe(self) -> Recipe:
        """How it is made, for whoever knows nothing of registries and plugins."""
        return Recipe(
            name=self.name,
            target=self.spec.target,
            parameters=self.parameters,
            folder=self.folder,
            parts={role: part.recipe() for role, part in self.parts.items()},
            remote_code=self.runs_remote_code(),
        )

    def identity(self) -> JsonObject:
        """Everything about it that can change a result: part of every run's fingerprint."""
        return {
            "name": self.name,
            "adapter": self.spec.name,
            "package": self.package,
            "revision": self.revision,
            "parameters": {name: value for name, value in self.parameters.items() if self._decides(name)},
            "parts": {role: part.identity() for role, part in self.parts.items()},
            **({"environment": made.lock} if (made := self.made_environment()) else {}),
        }

    def _decides(self, name: str) -> bool:
        # The subset of a task is a parameter that no spec declares.
        return name not in self.spec.parameters or self.spec.parameters[name].decides

    def whole(self) -> Iterator["Component"]:
        """Itself and all its parts, deep."""
        yield self
        for part in self.parts.values():
            yield from part.whole()

    def settable(self) -> Iterator[tuple[str, Value, Parameter]]:
        """Every parameter, its parts' included: the path that ``--set`` knows it by, and its value."""
        for name, parameter in self.spec.parameters.items():
            yield name, self.parameters[name], parameter
        for role, part in self.parts.items():
            for path, value, parameter in part.settable():
                yield f"{role}.{path}", value, parameter

    def takes(self, path: str) -> bool:
        """Whether a setting is about it: a parameter, a part, or a parameter of a part."""
        return path in self.spec.parameters or path.partition(".")[0] in {*self.spec.parts, *self.parts}

    def missing_files(self) -> bool:
        return self.entry is not None and bool(self.entry.sources) and self.folder is None

    def lacks_checkpoint(self) -> bool:
        """Whether it is an adapter alone, without anything to drive."""
        return self.entry is None and isinstance(self.spec, ModelSpec) and self.spec.needs_files

    def to_obtain(self) -> str:
        """How its user comes by files that the registry has no pinned source for; "" if it needs none."""
        if self.entry is None or (self.entry.sources and not unpinned(self.entry)):
            return ""
        obtain = self.entry.obtain if isinstance(self.entry, DataEntry) else ""
        return ". ".join(filter(None, (weights.to_pin(self.entry, self.name), obtain)))

    def unset(self) -> tuple[str, ...]:
        """Its parameters that have to be set and are not."""
        declared = self.spec.parameters.items()
        return tuple(n for n, own in declared if own.required and self.parameters[n] == own.default)

    def missing_packages(self) -> tuple[str, ...]:
        return tuple(name for name in self.spec.requires if not is_installed(name))

    def runs_remote_code(self) -> bool:
        """Whether it runs Python code that lies in its checkpoint."""
        return isinstance(self.spec, ModelSpec) and self.spec.remote_code

    def require(self, trust_remote_code: bool = False) -> None:
        """Raises `SetupError` naming everything that is missing, and the commands that bring it.

        Args:
            trust_remote_code: the user allows Python code that lies in a checkpoint to run.
        """
        told = []
        for component in self.whole():
            if component.runs_remote_code() and not trust_remote_code:
                told.append(
                    f"{component.name} runs Python code that lies in its checkpoint, with all your rights: "
                    "look at the code first, then allow it with --trust-remote-code"
                )
            packages = component.missing_packages()
            if packages and self.environment is None:
                told.append(f"{component.name} needs packages: pip install {' '.join(packages)}")
            if component.environment is not None and component is not self:
                told.append(
                    f"{component.name} runs in an environment of its own and cannot be a part of {self.name}"
                )
            if unset := component.unset():
                told.append(
                    f"{component.name} has no {', no '.join(unset)}: set with --set, see speechzoo show"
                )
            if component.missing_files() and not component.to_obtain():
                told.append(f"{component.name} is not fetched: speechzoo fetch {component.name}")
            if component.lacks_checkpoint():
                name = component.name
                told.append(f"{name} drives checkpoints and has none by itself: --model {name}@FOLDER")
            if obtain := component.to_obtain():
                what = "data" if component.kind == "task" else "files"
                told.append(f"{component.name} has no {what} here: {obtain}")
        try:
            self.made_environment()
        except SetupError as error:
            told.append(str(error))
        if told:
            raise SetupError("\n".join(told))


def is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def fetch(component: Component, say: weights.Say) -> None:
    """Brings the files of a component and of all its parts.

    Raises:
        SetupError: a source cannot be had or a package that prepares the files is missing.
    """
    for one in component.whole():
        if one.entry is None or not one.entry.sources:
            continue
        prepare = None
        if one.spec.prepare is not None and one.missing_files():
            prepare = _prepare(component, one, one.spec.prepare)
        name = one.spec.data or one.name if isinstance(one.spec, TaskSpec) else one.name
        weights.fetch(one.entry, name, one.base_folder, prepare=prepare, say=say)


def _prepare(whole: Component, part: Component, target: str) -> Callable[[Path], None]:
    """What prepares a part's fresh files, in the environment that the whole has to itself."""
    if (made := whole.made_environment()) is not None:
        return partial(made.call, target)
    if packages := part.missing_packages():
        raise SetupError(f"{part.name} needs packages: pip install {' '.join(packages)}")
    return cast(Callable[[Path], None], import_target(target))


def load(component: Component, options: LoadOptions = _ON_THE_CPU) -> Any:
    """Imports the class behind a component and makes it; its parts are made when it asks for them.

    Args:
        component: what is made.
        options: where and how it is computed, and its parts.

    Raises:
        SetupError: files or packages are missing, its code is not allowed to run, or the class cannot be
            made.
    """
    component.require(options.trust_remote_code)
    if component.environment is not None:
        raise SetupError(
            f"{component.name} runs in an environment of its own and cannot be loaded into this process"
        )
    if isinstance(component.entry, DataEntry) and component.folder is not None:
        weights.verify_files(component.folder, component.entry.files)
    return make(component.recipe(), options)
