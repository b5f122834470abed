"""Results that S2SBench's reference code wrote: ``<folder>/<data set>/<checkpoint>/result.jsonl``."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from speechzoo import Item, SpeechzooError
from speechzoo.jsonl import Row

from speechzoo_s2sbench.data import S2SBENCH, Subset
from speechzoo_s2sbench.protocol import Accuracy, cmmlu_accuracy, story_accuracy
from speechzoo_s2sbench.records import LETTERS, adjacent_pairs, story_key

RESULT_FILE = "result.jsonl"

LossKey = tuple[str, str | None]
"""Of one continuation: uttid as text, and the option's letter or None."""


@dataclass(frozen=True)
class Line:
    """One scored continuation; ``loss`` is its mean a token in nats, None if the file has none."""

    uttid: int | str
    key: str | None
    loss: float | None

    @property
    def loss_key(self) -> LossKey:
        return str(self.uttid), self.key


@dataclass(frozen=True)
class Results:
    """One result file, line by line."""

    file: Path
    lines: tuple[Line, ...]

    @cached_property
    def losses(self) -> Mapping[LossKey, float | None]:
        """By continuation; where one stands twice the last counts."""
        return {line.loss_key: line.loss for line in self.lines}

    @property
    def repeated(self) -> int:
        return len(self.lines) - len(self.losses)


def find_results(path: Path, subsets: Mapping[str, Subset], checkpoint: str | None) -> dict[str, Path]:
    """The result files below a folder of results, or the one that is named, by subset.

    Args:
        path: a folder ``<data set>/<checkpoint>/result.jsonl`` lies in, or such a file.
        subsets: those that are wanted; a file elsewhere can only be that of a single one.
        checkpoint: the name of its folder; None if there is but one.

    Raises:
        SpeechzooError: there are none, or more than one checkpoint's, or the file's folder says that
            they are another subset's.
    """
    names = {subset.reference_id: name for name, subset in subsets.items()}
    if path.is_file():
        return {_subset_of(path, names): path}
    found: dict[str, Path] = {}
    for reference_id, name in names.items():
        files = sorted((path / reference_id).glob(f"*/{RESULT_FILE}"))
        if checkpoint is not None:
            files = [file for file in files if file.parent.name == checkpoint]
        if len(files) > 1:
            checkpoints = ", ".join(file.parent.name for file in files)
            raise SpeechzooError(
                f"{path / reference_id} has results of several checkpoints: {checkpoints}. Say which: "
                "--checkpoint NAME"
            )
        if files:
            found[name] = files[0]
    if not found:
        wanted = checkpoint or "CHECKPOINT"
        expected = ", ".join(f"{reference_id}/{wanted}/{RESULT_FILE}" for reference_id in names)
        raise SpeechzooError(f"{path} has none of {expected}")
    return found


def _subset_of(file: Path, names: Mapping[str, str]) -> str:
    """By the folder the reference writes it to; elsewhere it can only be that of the single one wanted."""
    folder = file.absolute().parent.parent.name
    if folder in names:
        return names[folder]
    if other := next((name for name, one in S2SBENCH.items() if one.reference_id == folder), None):
        raise SpeechzooError(
            f"{file}: lies where the reference writes the results of {other} ({folder}/), not of "
            f"{_list(names)}; their ids can match by chance. Say --subset {other}, or move the file if its "
            "folder is misnamed"
        )
    if len(names) > 1:
        raise SpeechzooError(
            f"{file}: which data set's results are these? Say --subset, one of {_list(names)}"
        )
    return next(iter(names.values()))


def read_results(file: Path) -> Results:
    """A result file.

    NaN and infinite numbers are read as such, integers beyond any float as infinite: the reference's
    perplexities overflow.

    Raises:
        SpeechzooError: the file cannot be read or a line is no result; the line is named.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SpeechzooError(f"{file}: {error.strerror}") from error
    lines = content.rstrip().split(b"\n")
    return Results(file, tuple(_line(file, number, line) for number, line in enumerate(lines, start=1)))


def reference_figures(kind: str, results: Results, items: Sequence[Item]) -> Accuracy | None:
    """What the reference's scorer makes of a file; None if there is nothing to compare.

    Stories are paired as they stand in the file, and a pair without both losses is left out: there the
    reference ends with an error.
    """
    try:
        if kind == "stories":
            pairs = adjacent_pairs(results.lines, lambda line: story_key(line.uttid))
            scored = [(line.uttid, line.loss) for pair in pairs if _whole(pair) for line in pair]
            return story_accuracy([(uttid, loss) for uttid, loss in scored if loss is not None])
        return cmmlu_accuracy([_question(item, results) for item in items])
    except ValueError:
        return None


def _whole(pair: tuple[Line, Line]) -> bool:
    return all(line.loss is not None for line in pair)


def _question(item: Item, results: Results) -> tuple[str, dict[str, float]]:
    uttid = item.data["uttids"][0]
    losses = {letter: results.losses.get((uttid, letter)) for letter in LETTERS}
    return LETTERS[item.data["right"]], {letter: loss for letter, loss in losses.items() if loss is not None}


def _line(file: Path, number: int, line: bytes) -> Line:
    row = Row(file, number, {})
    try:
        values = json.loads(line)
    except ValueError as error:
        raise row.error(f"no JSON: {error}") from error
    if not isinstance(values, dict) or "uttid" not in values:
        raise row.error("a result is an object with 'uttid', 'key' and 'loss'")
    uttid, key = values["uttid"], values.get("key")
    if isinstance(uttid, bool) or not isinstance(uttid, int | str):
        raise row.error(f"'uttid' must be a number or a text, not {uttid!r}")
    if key is not None and key not in tuple(LETTERS):
        raise row.error(f"'key' is null or one of {', '.join(LETTERS)}, not {key!r}")
    return Line(uttid, key, _loss(row, values.get("loss")))


def _loss(row: Row, loss: object) -> float | None:
    """The reference writes a list of one number; one without the list is the same."""
    value = loss[0] if isinstance(loss, list) and len(loss) == 1 else loss
    if value is None or value == []:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise row.error(f"'loss' must be a list of one number, not {loss!r}")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _list(names: Mapping[str, str]) -> str:
    return ", ".join(names.values())
