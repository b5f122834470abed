"""Where models run. An executor takes batches of work and hands back answers, in any order."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from speechzoo.asks import Answer, Failure
from speechzoo.run.plan import Work

Answered = list[tuple[Work, Answer | Failure]]


class Executor(Protocol):
    """Loads a system where it runs and answers batches of work for it."""

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        """Answers every work of every batch once; lost workers and hanging items are its concern."""
        ...

    def close(self) -> None:
        """Ends the workers; one that is at work is not waited for."""
        ...
