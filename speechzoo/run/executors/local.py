"""One worker process on this machine: a model that crashes, hangs or is killed takes only it down."""

import contextlib
import multiprocessing
import signal
import traceback
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from speechzoo.asks import Answer, Ask, Failure
from speechzoo.errors import SetupError
from speechzoo.loading import Component, load
from speechzoo.model import Model
from speechzoo.run.execute import answer_batch
from speechzoo.run.executors import Answered
from speechzoo.run.plan import Work
from speechzoo.run.records import Key
from speechzoo.setup import LoadOptions

DEATHS_ALLOWED = 3
SECONDS_TO_END = 10.0


@dataclass(frozen=True)
class Loading:
    """What a worker needs to load its system."""

    component: Component
    options: LoadOptions


class WorkerLostError(Exception):
    """The worker died, or gave no answer within the time limit."""

    def __init__(self, hung: bool, exit_code: int | None = None) -> None:
        super().__init__("timed out" if hung else f"worker ended with code {exit_code}")
        self.hung = hung


class LocalExecutor:
    """Runs a system in one spawned process.

    A batch whose worker is lost is asked again item by item; an item whose worker dies three times,
    or that gives no answer within the time limit on its own, is set aside as a failure.

    Args:
        loading: the system and how to load it.
        time_limit: seconds a batch may take.
    """

    def __init__(self, loading: Loading, time_limit: float) -> None:
        self._loading = loading
        self._time_limit = time_limit
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._idle = False

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        waiting = deque(batches)
        deaths: Counter[Key] = Counter()
        done: Answered = []
        while waiting:
            batch = waiting.popleft()
            try:
                self._send(batch)
                # Handed back, and put on disk, while the worker is at the next batch.
                if done:
                    yield done
                done = []
                done = list(zip(batch, self._receive(), strict=True))
            except WorkerLostError as lost:
                self._kill()
                done += self._set_aside(batch, lost, waiting, deaths)
                if done:  # before the next worker is started, which may fail
                    yield done
                done = []
        if done:
            yield done

    def _set_aside(
        self,
        batch: list[Work],
        lost: WorkerLostError,
        waiting: deque[list[Work]],
        deaths: Counter[Key],
    ) -> Answered:
        """What is given up of a batch whose worker was lost; the rest goes back in front of the queue."""
        if len(batch) > 1:
            waiting.extendleft([work] for work in reversed(batch))
            return []
        (work,) = batch
        deaths[work.key] += 1
        if lost.hung:
            return [(work, Failure("timed_out", f"no answer within {self._time_limit:.0f} s"))]
        if deaths[work.key] >= DEATHS_ALLOWED:
            return [(work, Failure("worker_died", f"{DEATHS_ALLOWED} times ({lost})"))]
        waiting.appendleft(batch)
        return []

    def close(self) -> None:
        """Lets an idle worker end by itself; one at work or one that lingers is killed."""
        if self._process is not None and self._pipe is not None and self._idle:
            self._pipe.close()
            self._process.join(SECONDS_TO_END)
        self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    def _send(self, batch: list[Work]) -> None:
        """Gives a batch to the worker, which has none."""
        pipe = self._pipe or self._start()
        self._idle = False
        try:
            pipe.send([work.ask for work in batch])
        except ConnectionError as error:
            raise self._lost() from error

    def _receive(self) -> list[Answer | Failure]:
        """The answers to the batch that was sent."""
        assert self._pipe is not None
        try:
            if not self._pipe.poll(self._time_limit):
                raise WorkerLostError(hung=True)
            answers: list[Answer | Failure] | SetupError = self._pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise self._lost() from error
        if isinstance(answers, SetupError):
            raise answers
        self._idle = True
        return answers

    def _start(self) -> Connection:
        # Spawned, not forked: a fork would share the driver's threads, locks and device contexts.
        context = multiprocessing.get_context("spawn")
        self._idle = False
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self._loading), daemon=True)
        self._process.start()
        theirs.close()
        name = self._loading.component.name
        try:
            problem = self._pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise SetupError(f"{name} could not be loaded: {self._lost()}") from error
        if problem is not None:
            raise SetupError(f"{name} could not be loaded:\n{problem}")
        return self._pipe

    def _lost(self) -> WorkerLostError:
        if self._process is not None:
            self._process.join()
        return WorkerLostError(hung=False, exit_code=self._process.exitcode if self._process else None)


def _work(pipe: Connection, loading: Loading) -> None:
    """The worker: loads, says so, then answers batches until the driver is gone."""
    # Ctrl-C reaches the whole process group; the driver decides what becomes of the worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        model = load(loading.component, loading.options)
    except SetupError as error:
        pipe.send(str(error))
        return
    except BaseException:
        pipe.send(traceback.format_exc())
        return
    with contextlib.suppress(EOFError, ConnectionError):  # the driver is gone: nobody waits any more
        pipe.send(None)
        while True:
            pipe.send(_answers(model, pipe.recv()))
    model.close()


def _answers(model: Model, asks: list[Ask]) -> list[Answer | Failure] | SetupError:
    try:
        return answer_batch(model, asks)
    except SetupError as error:
        return error
