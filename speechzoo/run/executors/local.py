"""Worker processes on this machine: a model that crashes, hangs or is killed takes down only its own."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import wait

from speechzoo.run.executors import Answered
from speechzoo.run.executors.pool import Pool, State
from speechzoo.run.executors.process import ProcessWorker
from speechzoo.run.executors.worker import Loading
from speechzoo.run.plan import Work
from speechzoo.run.serve import SECONDS_TO_END

__all__ = ["Loading", "LocalExecutor"]


class LocalExecutor:
    """Runs a system in processes, one a device.

    A batch whose worker is lost is asked again item by item; an item whose worker dies three times,
    or that gives no answer within the time limit on its own, is set aside as a failure.

    Args:
        loading: the system and how to load it.
        time_limit: seconds a batch may take.
        devices: where, a worker each; one device may be named several times. None means one worker on the
            device that ``loading`` names.

    Raises:
        SetupError: the system runs in an environment of its own, and that is not made.
    """

    def __init__(self, loading: Loading, time_limit: float, devices: Sequence[str] | None = None) -> None:
        chosen = devices or [loading.options.device]
        variables = _shared_cores(len(chosen))
        workers = [
            ProcessWorker(replace(loading, options=replace(loading.options, device=device)), variables)
            for device in chosen
        ]
        self._pool = Pool(loading.component.name, workers, _ready, time_limit)

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        return self._pool.run(batches)

    @property
    def shares(self) -> list[int]:
        """Batches that each worker has answered; one that was given up is not counted."""
        return [place.answered for place in self._pool.places]

    def close(self) -> None:
        """Lets idle workers end by themselves; those at work or that linger are killed."""
        idle = [place.worker for place in self._pool.places if place.state is State.IDLE]
        for worker in idle:
            worker.leave()
        until = time.monotonic() + SECONDS_TO_END
        for worker in idle:
            worker.join(until - time.monotonic())
        self._pool.close()


def _ready(workers: Sequence[ProcessWorker], seconds: float) -> list[ProcessWorker]:
    """A pipe of a worker that died is ready too: it has come to its end."""
    pipes = [worker.pipe.fileno() for worker in workers]
    ready = wait(pipes, None if seconds == float("inf") else seconds)
    return [worker for worker, pipe in zip(workers, pipes, strict=True) if pipe in ready]


def _shared_cores(workers: int) -> dict[str, str]:
    """Several workers share the cores; by itself each would start a thread for every core.

    What the user set stands.
    """
    if workers == 1 or "OMP_NUM_THREADS" in os.environ:
        return {}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"OMP_NUM_THREADS": str(max(1, cores // workers))}
