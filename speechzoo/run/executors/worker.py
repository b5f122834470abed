"""How a worker looks from where the run is, wherever it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from speechzoo.asks import Answer, Ask, Failure
from speechzoo.loading import Component, load
from speechzoo.model import Model
from speechzoo.run.serve import model_or_problem
from speechzoo.setup import LoadOptions

Answers = list[Answer | Failure]


@dataclass(frozen=True)
class Loading:
    """What a worker needs to load its system."""

    component: Component
    options: LoadOptions


class WorkerLostError(Exception):
    """The worker died or is out of reach; what it was given is not answered."""


class Worker(Protocol):
    """Loads a system, then answers one batch after the other. None of these waits for the model.

    After `start` or `send` something becomes ready; `loaded` or `answers` then takes it.
    """

    def start(self) -> None:
        """Begins to load; also after `kill`."""
        ...

    def loaded(self) -> None:
        """Takes notice that loading ended.

        Raises:
            SetupError: the system cannot be loaded there.
            WorkerLostError: the worker was lost while it loaded.
        """
        ...

    def send(self, asks: Sequence[Ask]) -> None:
        """Gives a batch to a worker that has none.

        Raises:
            WorkerLostError: there is no worker any more; the batch was not begun.
        """
        ...

    def answers(self) -> Answers:
        """Takes the answers to the batch that was sent, in its order.

        Raises:
            SetupError: the machine lacks something the model needs.
            WorkerLostError: the worker was lost over it.
        """
        ...

    def kill(self) -> None:
        """Ends it at once, whatever it is at."""
        ...


def load_model(loading: Loading) -> Model | str:
    """In a worker with all of speechzoo: the model, or why it cannot be loaded."""
    return model_or_problem(lambda: load(loading.component, loading.options))
