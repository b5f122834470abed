"""Shows a run's progress: bars on a terminal, plain lines anywhere else."""

import sys
import time
from types import TracebackType
from typing import Self

import click
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

SECONDS_BETWEEN_LINES = 10.0


class Bars:
    """For a terminal."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def stage(self, name: str, total: int, done: int) -> None:
        self._current = self._bars.add_task(name, total=total, completed=done)

    def advance(self, steps: int) -> None:
        self._bars.advance(self._current, steps)

    def say(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False)


class Lines:
    """For a log file: a line every ten seconds and at the end of a stage."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def stage(self, name: str, total: int, done: int) -> None:
        self._name, self._total, self._done, self._told = name, total, done, time.monotonic()
        resumed = f", {done} done before" if 0 < done < total else ""
        click.echo(f"{name}: {total}{resumed}{', all done before' if done == total else ''}", err=True)

    def advance(self, steps: int) -> None:
        self._done += steps
        if self._done == self._total or time.monotonic() - self._told > SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            click.echo(f"{self._name}: {self._done}/{self._total}", err=True)

    def say(self, text: str) -> None:
        click.echo(text, err=True)


def progress_display() -> Bars | Lines:
    return Bars() if sys.stderr.isatty() else Lines()
