"""Worker processes on this machine: a model that crashes, hangs or is killed takes down only its own."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from speechzoo.asks import Ask
from speechzoo.errors import SetupError
from speechzoo.run.executors import Answered
from speechzoo.run.executors.pool import Pool, State
from speechzoo.run.executors.worker import Answers, Loading, WorkerLostError, answers_of, load_model
from speechzoo.run.plan import Work

SECONDS_TO_END = 10.0
LOST = (EOFError, OSError)
"""What a pipe raises whose other end is gone, also one that was killed in the middle of what it sent."""

__all__ = ["Loading", "LocalExecutor"]


class LocalExecutor:
    """Runs a system in spawned processes, one a device.

    A batch whose worker is lost is asked again item by item; an item whose worker dies three times,
    or that gives no answer within the time limit on its own, is set aside as a failure.

    Args:
        loading: the system and how to load it.
        time_limit: seconds a batch may take.
        devices: where, a worker each; one device may be named several times. None means one worker on the
            device that ``loading`` names.
    """

    def __init__(self, loading: Loading, time_limit: float, devices: Sequence[str] | None = None) -> None:
        chosen = devices or [loading.options.device]
        environment = _shared_cores(len(chosen))
        workers = [
            LocalWorker(replace(loading, options=replace(loading.options, device=device)), environment)
            for device in chosen
        ]
        self._pool = Pool(loading.component.name, workers, _ready, time_limit)

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        return self._pool.run(batches)

    def close(self) -> None:
        """Lets idle workers end by themselves; those at work or that linger are killed."""
        idle = [place.worker for place in self._pool.places if place.state is State.IDLE]
        for worker in idle:
            worker.leave()
        until = time.monotonic() + SECONDS_TO_END
        for worker in idle:
            worker.join(until - time.monotonic())
        self._pool.close()


class LocalWorker:
    """One process; see `Worker`.

    Args:
        loading: what it loads.
        environment: variables of its environment that differ from ours.
    """

    def __init__(self, loading: Loading, environment: Mapping[str, str]) -> None:
        self._loading = loading
        self._environment = environment
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    @property
    def process_id(self) -> int | None:
        """None if it does not run."""
        return self._process.pid if self._process else None

    @property
    def pipe(self) -> Connection:
        """Of a worker that was started."""
        assert self._pipe is not None
        return self._pipe

    def start(self) -> None:
        # Spawned, not forked: a fork would share the driver's threads, locks and device contexts.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self._loading), daemon=True)
        with _environment(self._environment):
            self._process.start()
        theirs.close()

    def loaded(self) -> None:
        try:
            problem = self.pipe.recv()
        except LOST as error:
            raise self._lost() from error
        if problem is not None:
            raise SetupError(problem)

    def send(self, asks: Sequence[Ask]) -> None:
        try:
            self.pipe.send(asks)
        except LOST as error:
            raise self._lost() from error

    def answers(self) -> Answers:
        try:
            answers: Answers | SetupError = self.pipe.recv()
        except LOST as error:
            raise self._lost() from error
        if isinstance(answers, SetupError):
            raise answers
        return answers

    def leave(self) -> None:
        """Tells an idle worker that nothing more will come."""
        self.pipe.close()

    def join(self, seconds: float) -> None:
        """Waits for its end, at most so long."""
        if self._process is not None:
            self._process.join(max(0.0, seconds))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    def _lost(self) -> WorkerLostError:
        if self._process is not None:
            self._process.join(SECONDS_TO_END)
        return WorkerLostError(f"worker ended with code {self._process.exitcode if self._process else None}")


def _ready(workers: Sequence[LocalWorker], seconds: float) -> list[LocalWorker]:
    """A pipe of a worker that died is ready too: it has come to its end."""
    ready = wait([worker.pipe for worker in workers], None if seconds == float("inf") else seconds)
    return [worker for worker in workers if worker.pipe in ready]


def _shared_cores(workers: int) -> dict[str, str]:
    """Several workers share the cores; by itself each would start a thread for every core.

    What the user set stands.
    """
    if workers == 1 or "OMP_NUM_THREADS" in os.environ:
        return {}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"OMP_NUM_THREADS": str(max(1, cores // workers))}


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """For a process that is started meanwhile: libraries read these when they are loaded, before any code
    of ours runs there.
    """
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(pipe: Connection, loading: Loading) -> None:
    """The worker: loads, says so, then answers batches until the driver is gone."""
    # Ctrl-C reaches the whole process group; the driver decides what becomes of the worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    model = load_model(loading)
    if isinstance(model, str):
        pipe.send(model)
        return
    with contextlib.suppress(*LOST):  # the driver is gone: nobody waits any more
        pipe.send(None)
        while True:
            pipe.send(answers_of(model, pipe.recv()))
    model.close()
