"""How far a stage has come: a bar on a terminal, lines in a log file."""

from types import TracebackType
from typing import Self

from speechzoo.cli.progress import progress_display


class Bar:
    """As speechzoo's own commands show it.

    Args:
        name: of the stage.
        total: steps in all.
        done: steps that were done before.
    """

    def __init__(self, name: str, total: int, done: int = 0) -> None:
        self._display = progress_display()
        self._stage = name, total, done

    def __enter__(self) -> Self:
        self._display.__enter__()
        self._display.stage(*self._stage)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.__exit__(kind, error, trace)

    def advance(self, steps: int) -> None:
        self._display.advance(steps)

    def say(self, text: str) -> None:
        self._display.say(text)
