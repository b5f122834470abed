"""A factorial of what befalls speech: which cells it has, and the file that says which run is whose."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import ClassVar, Self

from speechzoo.channel import CLEAN, NONE, Channel, name_of
from speechzoo.cli.series import Member, Series, as_file_name, having_failure, refuse_another, usual_parent
from speechzoo.cli.wanted import Wanted
from speechzoo.errors import SpeechzooError
from speechzoo.run.describe import beyond, differences, digest
from speechzoo.run.records import RunFile
from speechzoo.run.request import Request
from speechzoo.run.settings import ASKED_AGAIN, settings_in, settings_of
from speechzoo.run.store import read_run

FACTORS = ("snr", "noise", "reverb", "codec", "voice")


class Cell(Member):
    """One way for all clips to be heard.

    Attributes:
        channel: what befalls them, as `Channel.read` takes it.
        voice: who speaks their words anew; None leaves the data set's own clips.
    """

    channel: dict[str, str]
    voice: str | None

    @property
    def title(self) -> str:
        """``snr=10,noise=white,voice=piper-joe``, or ``clean``."""
        return name_of(self.levels)

    @property
    def levels(self) -> dict[str, str]:
        """Of the factors that are not as the data set has them."""
        return self.channel | ({"voice": self.voice} if self.voice is not None else {})


class Factorial(Series):
    """``cells.json``: what is evaluated on what, the clean clips first."""

    FILE: ClassVar = "cells.json"

    model: str
    task: str
    cells: tuple[Cell, ...]

    def with_failure(self, run: str, failure: str | None) -> Self:
        return self.model_copy(update={"cells": having_failure(self.cells, run, failure)})


def read_factors(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """``snr=20,10,0`` and the like: levels by factor.

    Raises:
        SpeechzooError: a text is not of that form, a factor is unknown or is named twice.
    """
    factors: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name, levels = name.strip(), tuple(level.strip() for level in values.split(","))
        if not equals or not all(levels):
            raise SpeechzooError(f"--vary {text!r} is not of the form FACTOR=VALUE,VALUE; say snr=20,10,0")
        if name not in FACTORS:
            raise SpeechzooError(f"--vary {name}: there is no such factor; there are {', '.join(FACTORS)}")
        if name in factors:
            raise SpeechzooError(f"--vary {name} is given twice; name all its levels at once")
        factors[name] = levels
    if "noise" in factors and "snr" not in factors:
        raise SpeechzooError("--vary noise needs to know how loud: add --vary snr=20,10,0")
    return factors


def cells_of(factors: Mapping[str, Sequence[str]]) -> list[Cell]:
    """Every combination of levels, once, after the clean clips. A level ``none`` leaves a factor out.

    Raises:
        SpeechzooError: a level is none of its factor, or nothing is varied.
    """
    found = {CLEAN: Cell(run=CLEAN, channel={}, voice=None)}
    for values in product(*factors.values()):
        cell = _cell(dict(zip(factors, values, strict=True)))
        found.setdefault(cell.title, cell)
    if len(found) == 1:
        raise SpeechzooError("--vary names no level besides none, so nothing is varied")
    return list(found.values())


def _cell(levels: dict[str, str]) -> Cell:
    voice = levels.pop("voice", NONE)
    if levels.get("snr") == NONE:
        levels.pop("noise", None)
    channel = Channel.read(levels).values
    cell = Cell(run="", channel=channel, voice=None if voice == NONE else voice)
    run = as_file_name(cell.title.replace("=", "-"))
    if as_file_name(voice) != voice:
        # Another voice's name may be the same without what no file name may hold.
        run = f"{run}-{digest([voice])[:8]}"
    return cell.model_copy(update={"run": run})


def open_factorial(parent: Path, wanted: Wanted, found: Sequence[Cell]) -> Factorial:
    """What is wanted now, and what was evaluated here before: levels may be added one by one.

    Raises:
        SpeechzooError: the folder holds something else.
    """
    factorial = Factorial(model=wanted.model, task=wanted.task, cells=tuple(found))
    if not Factorial.lies_in(parent):
        refuse_another(parent, Factorial, ())
        return factorial
    before = Factorial.read(parent)
    told = ("model", before.model, factorial.model), ("task", before.task, factorial.task)
    refuse_another(parent, Factorial, told)
    merged = {own.title: own for own in (*before.cells, *found)}
    return factorial.model_copy(update={"cells": tuple(merged.values())})


def refuse_other_settings(
    parent: Path, factorial: Factorial, requests: Sequence[tuple[Cell, Request]]
) -> None:
    """Before anything is run: cells that are held against each other have to be run alike.

    What a run asks again by itself may have changed, as long as every cell that lies there is run again.

    Args:
        parent: the folder of them all.
        factorial: every cell that is there or wanted.
        requests: those that are wanted now.

    Raises:
        SpeechzooError: cells that lie there were run with other settings, or over more items.
        StoreError: what lies there cannot be read.
    """
    again, request = {cell.run for cell, _ in requests}, requests[0][1]
    others: list[str] = []
    stale: list[str] = []
    for cell in factorial.cells:
        if (parent / cell.run / "run.json").exists():
            run = read_run(parent / cell.run)
            another, changed = _differing(run, request)
            others += [f"{cell.title}: {line}" for line in another]
            stale += [f"{cell.title}: {line}" for line in changed if cell.run not in again]
    way_out = "choose another --out" if others else "name their levels as well, or choose another --out"
    if told := "\n  ".join(others or stale):
        raise SpeechzooError(f"{parent} holds cells of other settings; {way_out}. What differs:\n  {told}")


def _differing(run: RunFile, request: Request) -> tuple[list[str], list[str]]:
    """In what a run is another than is wanted, and what would be asked again if it were wanted as well."""
    there, now = settings_in(run), settings_of(request)
    another = beyond(run, request.conditions or run.conditions, request.limit)
    changed = differences("limit", run.limit, request.limit)
    for name in now:
        told = differences(name, there[name], now[name])
        (changed if name in ASKED_AGAIN else another).extend(told)
    return another, changed


def usual_folder(wanted: Wanted, device: str) -> Path:
    """Under ``runs/``, whatever the levels: those of before are not run again. See `usual_parent`."""
    return usual_parent(wanted, "vary", {}, device)
