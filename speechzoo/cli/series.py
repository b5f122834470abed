"""Several runs of one model below one folder: the file that says which run is whose, and its name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from speechzoo.cli.wanted import Wanted
from speechzoo.errors import SpeechzooError, StoreError
from speechzoo.run.describe import digest
from speechzoo.run.files import write_whole

SCHEMA_VERSION = 1


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Member(Record):
    """One run of a series.

    Attributes:
        run: its folder, within the series'.
        failure: why it could not be evaluated when that was last tried.
    """

    run: str
    failure: str | None = None

    @property
    def title(self) -> str:
        """How messages call it."""
        return self.run


AnyMember = TypeVar("AnyMember", bound=Member)


class Series(Record):
    """What lies in ``FILE`` of the folder of them all."""

    FILE: ClassVar[str]

    schema_version: int = SCHEMA_VERSION

    @classmethod
    def lies_in(cls, folder: Path) -> bool:
        return (folder / cls.FILE).exists()

    @classmethod
    def read(cls, parent: Path) -> Self:
        """The series of a folder.

        Raises:
            StoreError: its file cannot be read, or is not one of ours.
        """
        path = parent / cls.FILE
        try:
            series = cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from error
        except ValidationError as error:
            raise StoreError(f"{path} cannot be read by this version of speechzoo:\n{error}") from error
        if series.schema_version != SCHEMA_VERSION:
            raise StoreError(
                f"{path} has layout {series.schema_version}, this version of speechzoo reads {SCHEMA_VERSION}"
            )
        return series

    def write(self, parent: Path) -> None:
        write_whole(parent / self.FILE, self.model_dump_json(indent=1) + "\n")

    def with_failure(self, run: str, failure: str | None) -> Self:
        """The same with one run's failure set or cleared."""
        raise NotImplementedError


def having_failure(members: Sequence[AnyMember], run: str, failure: str | None) -> tuple[AnyMember, ...]:
    """The members, of which one has this failure."""
    return tuple(own.model_copy(update={"failure": failure}) if own.run == run else own for own in members)


def refuse_another(parent: Path, kind: type[Series], differing: Sequence[tuple[str, object, object]]) -> None:
    """Raises `SpeechzooError` if a folder holds something else, or what was found there is not what is now.

    Args:
        parent: the folder.
        kind: what it should hold, if it holds anything.
        differing: names with what is found there and what is wanted now.
    """
    if (parent / "run.json").exists():
        raise SpeechzooError(f"{parent} holds a single run; choose another --out")
    others = [own.FILE for own in Series.__subclasses__() if own is not kind and own.lies_in(parent)]
    told = [f"{name}: {old} there, {new} now" for name, old, new in differing if old != new]
    told += [f"it holds {name}" for name in others]
    if told:
        lines = "\n  ".join(told)
        raise SpeechzooError(f"{parent} holds another series; choose another --out. What differs:\n  {lines}")


def usual_parent(wanted: Wanted, kind: str, own: Mapping[str, object], device: str) -> Path:
    """Under ``runs/``, the same for the same command and for no other that gives other numbers.

    Args:
        wanted: what is run.
        kind: of series, a part of the name.
        own: what else tells it from others.
        device: where it is run.
    """
    identity = {
        **own,
        "settings": dict(wanted.settings),
        "rival": wanted.rival,
        "data": wanted.data,
        "dtype": wanted.dtype,
        "attention": wanted.attention,
        "seed": wanted.seed,
        "device": device.partition(":")[0],
    }
    name = f"{wanted.model}--{wanted.task}--{kind}-{digest(identity)[:8]}"
    if wanted.conditions:
        name += f"--{'-'.join(wanted.conditions)}"
    if wanted.limit:
        name += f"--limit{wanted.limit}"
    return Path("runs") / as_file_name(name)


def as_file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
