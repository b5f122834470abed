"""Voices and transcribers at work, batch by batch: in this process, or in several of their own."""

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from multiprocessing.connection import wait
from typing import Any, Literal, TypeVar

from speechzoo.asks import Failure
from speechzoo.errors import SpeechzooError
from speechzoo.loading import Component, load
from speechzoo.run.execute import isolating
from speechzoo.run.progress import Progress
from speechzoo.setup import LoadOptions

Given = TypeVar("Given")
Method = Literal["speak", "transcribe"]


def served(
    component: Component, method: Method, batches: Sequence[list[Given]], device: str, jobs: int
) -> Iterator[list[Any]]:
    """What a service makes of each batch, in their order; one that it raises at fails alone.

    Batches are the same however many jobs there are, and so is what an exact service makes of them.

    Args:
        component: the service; loaded once a job.
        method: that is called with each batch.
        batches: of texts or clips.
        device: where it runs.
        jobs: processes at the same time, each with a service of its own and its share of the CPUs; with 1 it
            runs in this process.

    Raises:
        SetupError: it cannot be loaded.
        SpeechzooError: a process died.
    """
    if not batches:
        return
    if min(jobs, len(batches)) > 1:
        yield from _in_processes(component, method, batches, device, min(jobs, len(batches)))
        return
    service = load(component, LoadOptions(device=device))
    try:
        for batch in batches:
            yield isolating(getattr(service, method), batch)
    finally:
        service.close()


def in_batches(things: Sequence[Given], size: int) -> list[list[Given]]:
    return [list(things[start : start + size]) for start in range(0, len(things), size)]


def tell_failures(made: Iterable[object], what: str, progress: Progress) -> None:
    """Says how many failed for what reason, and what the first of them was.

    Args:
        made: by a service.
        what: failed, such as ``texts could not be spoken``.
        progress: is told.
    """
    failures = [one for one in made if isinstance(one, Failure)]
    if failures:
        counted = ", ".join(f"{n} {reason}" for reason, n in Counter(f.reason for f in failures).items())
        progress.say(f"{len(failures)} {what} ({counted}): {failures[0].detail}")


def _in_processes(
    component: Component, method: Method, batches: Sequence[list[Given]], device: str, jobs: int
) -> Iterator[list[Any]]:
    # Spawned, not forked: a fork would share this process's threads, locks and device contexts.
    context = multiprocessing.get_context("spawn")
    shares = context.SimpleQueue()
    for share in _shares(jobs):
        shares.put(share)
    pool = ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(component, device, shares))
    try:
        yield from pool.map(partial(_serve, method), batches)
    except BrokenProcessPool as error:
        raise SpeechzooError(
            f"a process of {component.name} died, killed or out of memory; the same command goes on from "
            "here, and takes less memory with fewer jobs"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _shares(jobs: int) -> list[set[int]]:
    """The CPUs of each job, empty where none can be told: by itself each would use them all."""
    if not hasattr(os, "sched_getaffinity"):
        return [set()] * jobs
    cpus = sorted(os.sched_getaffinity(0))
    return [set(cpus[job::jobs]) or {cpus[job % len(cpus)]} for job in range(jobs)]


_service: Callable[[], Any]
"""Of a job's process: loaded at its first batch, where an error is told to the one that waits for it."""


def _begin(component: Component, device: str, shares: "multiprocessing.SimpleQueue[set[int]]") -> None:
    global _service
    # Ctrl-C reaches the whole process group; the one that gives out the batches decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if share := shares.get():
        os.sched_setaffinity(0, share)
    _service = cache(partial(load, component, LoadOptions(device=device)))


def _end_with_parent() -> None:
    """A killed parent says nothing, and its processes would wait for batches for ever."""
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
        os._exit(1)


def _serve(method: Method, batch: list[Given]) -> list[Any]:
    return isolating(getattr(_service(), method), batch)
