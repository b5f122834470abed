"""The checkpoints of one training: which folders they are, and the file that says which run is whose."""

import re
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import ClassVar, Self

from speechzoo.cli.series import Member, Series, having_failure, refuse_another, usual_parent
from speechzoo.cli.wanted import Wanted
from speechzoo.errors import SpeechzooError

LAST_NUMBER = r"(\d+)[^\d/]*$"


class Checkpoint(Member):
    """One folder that a training left behind: its step, and where it lies, as the glob found it."""

    step: int
    folder: str

    @property
    def title(self) -> str:
        return f"step {self.step}"


class Training(Series):
    """``checkpoints.json``: what is evaluated on what, in the order of the steps."""

    FILE: ClassVar = "checkpoints.json"

    adapter: str
    task: str
    checkpoints: tuple[Checkpoint, ...]

    def with_failure(self, run: str, failure: str | None) -> Self:
        return self.model_copy(update={"checkpoints": having_failure(self.checkpoints, run, failure)})


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


def open_training(parent: Path, wanted: Wanted, found: Sequence[Checkpoint]) -> Training:
    """What was found, and what was evaluated here before: a training may delete its old checkpoints.

    A folder that was evaluated here before keeps its first spelling, which its run is filed under.

    Raises:
        SpeechzooError: the folder holds something else.
    """
    training = Training(adapter=wanted.model, task=wanted.task, checkpoints=tuple(found))
    if not Training.lies_in(parent):
        refuse_another(parent, Training, ())
        return training
    before = Training.read(parent)
    known = {own.step: own for own in before.checkpoints}
    moved = [
        (f"step {own.step}", known[own.step].folder, own.folder)
        for own in found
        if own.step in known and not _same_folder(known[own.step].folder, own.folder)
    ]
    told = ("model", before.adapter, training.adapter), ("task", before.task, training.task)
    refuse_another(parent, Training, (*told, *moved))
    merged = {**{own.step: own for own in found}, **known}
    return training.model_copy(update={"checkpoints": tuple(merged[step] for step in sorted(merged))})


def _same_folder(one: str, two: str) -> bool:
    return Path(one).resolve() == Path(two).resolve()


def usual_folder(wanted: Wanted, pattern: str, device: str) -> Path:
    """Under ``runs/``; see `usual_parent`."""
    own = {"checkpoints": str(Path(pattern).expanduser().absolute())}
    return usual_parent(wanted, "checkpoints", own, device)
