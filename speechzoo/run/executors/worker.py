"""What a worker does wherever it runs, and how it looks from where the run is."""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from speechzoo.asks import Answer, Ask, Failure
from speechzoo.errors import SetupError
from speechzoo.loading import Component, load
from speechzoo.model import Model
from speechzoo.run.execute import answer_batch
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
    """In the worker: the model, or why it cannot be loaded, to be told where the run is."""
    try:
        return cast(Model, load(loading.component, loading.options))
    except SetupError as error:
        return str(error)
    except BaseException:
        return traceback.format_exc()


def answers_of(model: Model, asks: Sequence[Ask]) -> Answers | SetupError:
    """In the worker: the answers to a batch, or what the machine lacks for it."""
    try:
        return answer_batch(model, asks)
    except SetupError as error:
        return error
