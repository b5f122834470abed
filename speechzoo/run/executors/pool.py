"""Several workers and one queue: batches are handed out as workers become free, lost ones are replaced."""

import logging
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar

from speechzoo.asks import Failure
from speechzoo.errors import SetupError
from speechzoo.run.executors import Answered
from speechzoo.run.executors.worker import Worker, WorkerLostError
from speechzoo.run.plan import Work
from speechzoo.run.records import Key

DEATHS_ALLOWED = 3
PATIENCE = 3600.0
"""Seconds without any loaded worker; a model of 100 GB on a slow disk takes some 20 minutes to load."""

_LOG = logging.getLogger(__name__)

AnyWorker = TypeVar("AnyWorker", bound=Worker)


class Backlog:
    """The batches that wait, and what becomes of one whose worker was lost.

    Args:
        batches: in the order in which they are handed out.
        time_limit: seconds a batch may take, for messages.
    """

    def __init__(self, batches: Iterable[list[Work]], time_limit: float) -> None:
        self._waiting = deque(batches)
        self._time_limit = time_limit
        self._deaths: Counter[Key] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> list[Work]:
        return self._waiting.popleft()

    def put_back(self, batch: list[Work]) -> None:
        """A batch that no worker has begun; it is the next to be taken."""
        self._waiting.appendleft(batch)

    def lost(self, batch: list[Work], hung: bool, why: str) -> Answered:
        """What is given up of a batch whose worker was lost; the rest goes back in front of the queue.

        It is asked again item by item. An item that gives no answer in time on its own, or that takes down
        its worker three times, whichever worker that is, becomes a failure.
        """
        if len(batch) > 1:
            self._waiting.extendleft([work] for work in reversed(batch))
            return []
        (work,) = batch
        self._deaths[work.key] += 1
        if hung:
            return [(work, Failure("timed_out", f"no answer within {self._time_limit:.0f} s"))]
        if self._deaths[work.key] >= DEATHS_ALLOWED:
            return [(work, Failure("worker_died", f"{DEATHS_ALLOWED} times ({why})"))]
        self.put_back(batch)
        return []


class State(Enum):
    STOPPED = auto()
    LOADING = auto()
    IDLE = auto()
    BUSY = auto()


@dataclass(eq=False)
class Place(Generic[AnyWorker]):
    """Where a worker is, or will be again.

    Attributes:
        worker: the worker.
        state: what it is at.
        batch: what it was given and has not answered.
        deadline: when one that is busy is taken for hung, in seconds of `time.monotonic`.
        answered: batches, since the pool was made.
        losses: how often in a row it was lost while it loaded or waited, before it answered anything.
    """

    worker: AnyWorker
    state: State = State.STOPPED
    batch: list[Work] = field(default_factory=list)
    deadline: float = math.inf
    answered: int = 0
    losses: int = 0


class Pool(Generic[AnyWorker]):
    """Answers batches with several workers, each of which has one batch at a time.

    Args:
        name: of the system, for messages.
        workers: not started yet.
        wait: those of some workers that have something ready, after at most so many seconds.
        time_limit: seconds a batch may take.
        patience: seconds to wait for a worker while none is loaded, since the last one was.
    """

    def __init__(
        self,
        name: str,
        workers: Sequence[AnyWorker],
        wait: Callable[[Sequence[AnyWorker], float], Sequence[AnyWorker]],
        time_limit: float,
        patience: float = PATIENCE,
    ) -> None:
        self.places = [Place(worker) for worker in workers]
        self._name = name
        self._wait = wait
        self._time_limit = time_limit
        self._patience = patience
        self._problem: SetupError | None = None
        self._told: set[str] = set()
        self._ever_loaded = False
        self._last_loaded = math.inf

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        """Answers every work once, in any order.

        Raises:
            SetupError: a worker cannot be loaded before any was, none can be any more, or the machine lacks
                something the model needs. What was answered before has been handed back.
        """
        backlog = Backlog(batches, self._time_limit)
        self._last_loaded = time.monotonic()
        done: Answered = []
        while True:
            self._hand_out(backlog)
            # Handed back, and put on disk, while the workers are at their next batches.
            if done:
                yield done
            if self._problem is not None:
                raise self._problem
            if not backlog and not self._at(State.BUSY):
                return
            done = self._collect(backlog)

    def close(self) -> None:
        """Ends all workers; one that is at work is not waited for."""
        for place in self.places:
            self._stop(place)

    def _at(self, *states: State) -> list[Place[AnyWorker]]:
        return [place for place in self.places if place.state in states]

    def _hand_out(self, backlog: Backlog) -> None:
        """A batch to every idle worker; as many more workers as there are batches left begin to load."""
        for place in self._at(State.IDLE):
            if backlog and self._problem is None:
                self._give(place, backlog)
        if self._problem is not None:
            return
        # Where none is loaded, one that hangs while it loads must not keep the others from being tried.
        coming = self._at(State.LOADING) if self._at(State.IDLE, State.BUSY) else []
        for place in self._at(State.STOPPED)[: max(0, len(backlog) - len(coming))]:
            place.state = State.LOADING
            place.worker.start()

    def _give(self, place: Place[AnyWorker], backlog: Backlog) -> None:
        batch = backlog.take()
        try:
            place.worker.send([work.ask for work in batch])
        except WorkerLostError as lost:
            # It died while it waited: whatever took it down, it was not this batch.
            backlog.put_back(batch)
            self._not_ready(place, lost)
        else:
            place.batch, place.state = batch, State.BUSY
            place.deadline = time.monotonic() + self._time_limit

    def _collect(self, backlog: Backlog) -> Answered:
        """Waits until a worker has something ready or is overdue."""
        # Others work on while one waits for a machine to be loaded on.
        any_loaded = bool(self._at(State.IDLE, State.BUSY))
        begun = self._at(State.LOADING, State.BUSY)
        deadlines = [place.deadline for place in self._at(State.BUSY)]
        until = min(deadlines, default=math.inf if any_loaded else self._last_loaded + self._patience)
        ready = set(
            map(id, self._wait([place.worker for place in begun], max(0.0, until - time.monotonic())))
        )
        now = time.monotonic()
        if any_loaded:
            self._last_loaded = now
        done: Answered = []
        for place in begun:
            if id(place.worker) in ready:
                done += self._received(place, backlog)
            elif place.state is State.BUSY and now >= place.deadline:
                done += self._lost(place, backlog, hung=True, why="timed out")
        if not ready and now >= self._last_loaded + self._patience:
            self._problem = SetupError(
                f"{self._name}: no worker could be loaded for {self._patience:.0f} s. What is finished is "
                "safe; the same command goes on with it"
            )
        return done

    def _received(self, place: Place[AnyWorker], backlog: Backlog) -> Answered:
        if place.state is State.LOADING:
            try:
                place.worker.loaded()
            except (SetupError, WorkerLostError) as error:
                self._not_ready(place, error)
            else:
                place.state, self._ever_loaded = State.IDLE, True
            return []
        try:
            answers = place.worker.answers()
        except WorkerLostError as lost:
            return self._lost(place, backlog, hung=False, why=str(lost))
        except SetupError as error:
            self._problem = error
            return []
        place.state, place.losses = State.IDLE, 0
        place.answered += 1
        return list(zip(place.batch, answers, strict=True))

    def _lost(self, place: Place[AnyWorker], backlog: Backlog, hung: bool, why: str) -> Answered:
        self._stop(place)
        return backlog.lost(place.batch, hung, why)

    def _not_ready(self, place: Place[AnyWorker], error: SetupError | WorkerLostError) -> None:
        """What becomes of a worker that cannot be loaded, or was lost without having been given anything.

        Before any was loaded it is the end; later a lost one is tried again, and given up if it is lost
        three times in a row. The others go on without one that was given up, as long as there are any.
        """
        self._stop(place)
        lost = isinstance(error, WorkerLostError)
        place.losses += lost
        if lost and self._ever_loaded and place.losses < DEATHS_ALLOWED:
            return
        # What a worker itself tells may be a traceback.
        between = ": " if lost else ":\n"
        problem = f"{self._name} could not be loaded{between}{error}"
        if not self._ever_loaded or len(self.places) == 1:
            self._problem = SetupError(problem)
            return
        self.places.remove(place)
        if problem not in self._told:
            self._told.add(problem)
            _LOG.warning("a worker is given up and the others go on without it: %s", problem)

    def _stop(self, place: Place[AnyWorker]) -> None:
        place.worker.kill()
        place.state = State.STOPPED
