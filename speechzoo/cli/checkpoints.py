"""The checkpoints of one training: which folders they are, and the file that says which run is whose."""

import re
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from speechzoo.cli.wanted import Wanted
from speechzoo.errors import SpeechzooError, StoreError
from speechzoo.run.describe import digest
from speechzoo.run.files import write_whole

FILE = "checkpoints.json"
LAST_NUMBER = r"(\d+)[^\d/]*$"
SCHEMA_VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Checkpoint(_Record):
    """One folder that a training left behind.

    Attributes:
        step: of the training.
        folder: where it lies, as the glob found it.
        run: the folder of its run, within the series'.
        failure: why it could not be evaluated when that was last tried.
    """

    step: int
    folder: str
    run: str
    failure: str | None = None


class Series(_Record):
    """``checkpoints.json``: what is evaluated on what, in the order of the steps."""

    schema_version: int = SCHEMA_VERSION
    adapter: str
    task: str
    checkpoints: tuple[Checkpoint, ...]

    def with_failure(self, step: int, failure: str | None) -> Self:
        """The same with one checkpoint's failure set or cleared."""
        changed = [
            own.model_copy(update={"failure": failure}) if own.step == step else own
            for own in self.checkpoints
        ]
        return self.model_copy(update={"checkpoints": tuple(changed)})

    def write(self, parent: Path) -> None:
        write_whole(parent / FILE, self.model_dump_json(indent=1) + "\n")


def is_series(folder: Path) -> bool:
    return (folder / FILE).exists()


def read_series(parent: Path) -> Series:
    """The checkpoints.json of a folder.

    Raises:
        StoreError: it cannot be read, or is not one of ours.
    """
    path = parent / FILE
    try:
        series = Series.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise StoreError(f"{path} cannot be read by this version of speechzoo:\n{error}") from error
    if series.schema_version != SCHEMA_VERSION:
        raise StoreError(
            f"{path} has layout {series.schema_version}, this version of speechzoo reads {SCHEMA_VERSION}"
        )
    return series


def find_checkpoints(pattern: str, step: str) -> list[Checkpoint]:
    """The folders a glob matches, by the step that a regular expression finds in each one's path.

    Raises:
        SpeechzooError: there is none, one has no step, or two have the same.
    """
    try:
        expression = re.compile(step)
    except re.error as error:
        raise SpeechzooError(f"--step {step!r} is no regular expression: {error}") from error
    # Path.glob takes no absolute pattern, and a pattern with ".." finds nothing.
    matches = glob(str(Path(pattern).expanduser()))  # noqa: PTH207
    folders = sorted(path for path in map(Path, matches) if path.is_dir())
    if not folders:
        raise SpeechzooError(
            f"--checkpoints {pattern!r} matches no folder (quote it, or the shell expands it)"
        )
    steps = {folder: _step_in(folder, expression) for folder in folders}
    if without := [str(folder) for folder in folders if steps[folder] is None]:
        raise SpeechzooError(
            f"--step {step!r} finds no whole number in {', '.join(without)}; "
            "name another regular expression, or a narrower --checkpoints"
        )
    found = {folder: number for folder, number in steps.items() if number is not None}
    if twice := _shared(found):
        raise SpeechzooError(
            f"--step {step!r} finds the same step in several folders: {'; '.join(twice)}; "
            "name another regular expression, or a narrower --checkpoints"
        )
    ordered = sorted(found.items(), key=lambda pair: pair[1])
    return [Checkpoint(step=number, folder=str(folder), run=f"step-{number}") for folder, number in ordered]


def _step_in(folder: Path, expression: re.Pattern[str]) -> int | None:
    match = expression.search(folder.as_posix())
    text = match[1 if expression.groups else 0] if match else None
    return int(text) if text is not None and text.isdecimal() else None


def _shared(steps: dict[Path, int]) -> list[str]:
    folders: dict[int, list[str]] = {}
    for folder, step in steps.items():
        folders.setdefault(step, []).append(str(folder))
    return [f"{step} in {', '.join(names)}" for step, names in sorted(folders.items()) if len(names) > 1]


def open_series(parent: Path, wanted: Wanted, found: Sequence[Checkpoint]) -> Series:
    """What was found, and what was evaluated here before: a training may delete its old checkpoints.

    A folder that was evaluated here before keeps its first spelling, which its run is filed under.

    Raises:
        SpeechzooError: the folder holds something else.
    """
    if (parent / "run.json").exists():
        raise SpeechzooError(f"{parent} holds a single run; choose another --out")
    series = Series(adapter=wanted.model, task=wanted.task, checkpoints=tuple(found))
    if not is_series(parent):
        return series
    before = read_series(parent)
    known = {own.step: own for own in before.checkpoints}
    differing = [
        f"{what}: {old} there, {new} now"
        for what, old, new in (
            ("model", before.adapter, series.adapter),
            ("task", before.task, series.task),
            *(
                (f"step {own.step}", known[own.step].folder, own.folder)
                for own in found
                if own.step in known and not _same_folder(known[own.step].folder, own.folder)
            ),
        )
        if old != new
    ]
    if differing:
        told = "\n  ".join(differing)
        raise SpeechzooError(f"{parent} holds another series; choose another --out. What differs:\n  {told}")
    merged = {**{own.step: own for own in found}, **known}
    return series.model_copy(update={"checkpoints": tuple(merged[step] for step in sorted(merged))})


def _same_folder(one: str, two: str) -> bool:
    return Path(one).resolve() == Path(two).resolve()


def usual_folder(wanted: Wanted, pattern: str, device: str) -> Path:
    """Under ``runs/``, the same for the same command and for no other that gives other numbers."""
    identity = {
        "checkpoints": str(Path(pattern).expanduser().absolute()),
        "settings": dict(wanted.settings),
        "rival": wanted.rival,
        "data": wanted.data,
        "dtype": wanted.dtype,
        "attention": wanted.attention,
        "seed": wanted.seed,
        "device": device.partition(":")[0],
    }
    name = f"{wanted.model}--{wanted.task}--checkpoints-{digest(identity)[:8]}"
    if wanted.conditions:
        name += f"--{'-'.join(wanted.conditions)}"
    if wanted.limit:
        name += f"--limit{wanted.limit}"
    return Path("runs") / "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
