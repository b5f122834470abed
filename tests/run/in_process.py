"""An executor for tests: it answers where the run itself is, without a worker."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from speechzoo.loading import Component, load
from speechzoo.run.execute import answer_batch
from speechzoo.run.executors import Answered
from speechzoo.run.plan import Work
from speechzoo.run.request import Request


class InProcess:
    """Answers where the run itself is, and remembers what it was asked for."""

    made: ClassVar[list["InProcess"]] = []

    def __init__(self, component: Component, request: Request) -> None:
        self.component, self.closed = component, False
        self._model = load(component, request.load_options())
        self.made.append(self)

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        for batch in batches:
            yield list(zip(batch, answer_batch(self._model, [work.ask for work in batch]), strict=True))

    def close(self) -> None:
        self.closed = True
