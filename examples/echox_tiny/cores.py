"""Work that needs no order, on all cores at once."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_work: Callable[[Any], Any]


def spread(
    begin: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task], processes: int | None = None
) -> Iterator[Result]:
    """What the tasks come to, as they are done.

    Args:
        begin: called once in each process; what it returns is called with the tasks. It is pickled.
        tasks: in any number.
        processes: one for each core that this one may use, unless told.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # Forked children of a process with threads may hang.
    with multiprocessing.get_context("spawn").Pool(processes or allowed, _begin, (begin,)) as pool:
        yield from pool.imap_unordered(_do, tasks)


def _begin(begin: Callable[[], Callable[[Any], Any]]) -> None:
    global _work
    _work = begin()


def _do(task: Any) -> Any:
    return _work(task)
