"""Asks a sample of a run again in other ways: other batches, another order, other workers, after a kill.

Each way is a run of its own in a folder of its own, made by the code that makes every run; only what is put
into a batch, in which order, and by whom it is answered are others. `speechzoo.gap.invariance` compares.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

import pluggy

from speechzoo import hookspecs
from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.loading import Component
from speechzoo.plugins import Plugins
from speechzoo.run.describe import differences
from speechzoo.run.evaluate import MakeExecutor, evaluate
from speechzoo.run.executors import Answered, Executor
from speechzoo.run.executors.local import LocalExecutor
from speechzoo.run.plan import Work
from speechzoo.run.progress import Progress
from speechzoo.run.records import Key, Results, RunFile
from speechzoo.run.request import Request
from speechzoo.run.results import read_results

SHARED_BATCHES = 8
"""So many at least where there has to be something to share out, or to stop between."""

WayName = Literal["sample", "again", "one by one", "larger batches", "backwards", "two workers", "resumed"]
Batches = list[list[Work]]


@dataclass(frozen=True)
class Way:
    """One way to ask the same.

    Attributes:
        name: by which reports call it.
        changed: what is other than in the run, in words.
        batches: how many tokens a batch may have, as a multiple of the run's; 0 is one ask a batch.
        arranged: the batches as they are handed to the workers.
        two_workers: they are shared among two.
        killed: the workers of each system are killed half way, in the middle of a batch.
    """

    name: WayName
    changed: str
    batches: int = 1
    arranged: Callable[[Batches], Batches] = list
    two_workers: bool = False
    killed: bool = False


def _backwards(batches: Batches) -> Batches:
    return [batch[::-1] for batch in reversed(batches)]


def _several(batches: Batches) -> Batches:
    """The same, or halves of them if they are few."""
    while len(batches) < SHARED_BATCHES and any(len(batch) > 1 for batch in batches):
        halves = [
            half for batch in batches for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]) if half
        ]
        batches = halves
    return batches


WAYS = (
    Way("sample", "only the sample is asked: where it is not all, asks have other neighbours"),
    Way("again", "nothing: the same batches in the same order, held against the row above"),
    Way("one by one", "every ask has a batch to itself", batches=0),
    Way("larger batches", "batches have twice as many tokens", batches=2),
    Way("backwards", "the last batch is first, and each begins at its end", arranged=_backwards),
    Way(
        "two workers",
        "two workers share the batches, cut up where they are few",
        arranged=_several,
        two_workers=True,
    ),
    Way(
        "resumed",
        "the workers are killed half way, another call goes on; batches are cut up too",
        arranged=_several,
        killed=True,
    ),
)


@dataclass(frozen=True)
class Asked:
    """What came of a way.

    Attributes:
        results: its answers and their grades.
        batches: what was asked together, in the order in which it was handed out.
        seconds: that it took, with loading and grading.
    """

    results: Results
    batches: tuple[tuple[Key, ...], ...]
    seconds: float


@dataclass(frozen=True)
class NotAsked:
    """Why a way was not gone."""

    why: str


def refuse_other_components(run: RunFile, request: Request) -> None:
    """Refuses to take for a change of batches what is a change of weights, package or data.

    Args:
        run: that is to be verified.
        request: what its signature stands for today.

    Raises:
        SpeechzooError: answers of today's components would not be answers of the run.
    """
    identities = {role: component.identity() for role, component in request.systems.items()}
    fields: list[tuple[str, object, object]] = [
        *((role, run.systems[role].identity, identity) for role, identity in identities.items()),
        ("task", run.task.identity, request.task.identity()),
        ("voice", run.voice, request.voice.identity() if request.voice else None),
        ("dtype", run.systems["model"].dtype, request.dtype),
        ("kind of device", run.device.partition(":")[0], request.device_kind),
    ]
    if differing := [line for name, a, b in fields for line in differences(name, a, b)]:
        told = "\n  ".join(differing)
        raise SpeechzooError(
            f"what made this run is not what is here today; run 'eval' again first. What differs:\n  {told}"
        )


def ask_in_every_way(
    request: Request,
    plugins: Plugins,
    progress: Progress,
    folder: Path,
    workers: MakeExecutor,
    two_workers: MakeExecutor,
    judgements: Path | None = None,
) -> Iterator[tuple[Way, Asked | NotAsked]]:
    """Asks in one way after the other, in the order of `WAYS`.

    Args:
        request: of the sample, as the run would ask it.
        plugins: hear of no event: these are no runs of the user's.
        progress: is told how far it is.
        folder: an empty one.
        workers: answer.
        two_workers: answer where there are to be two.
        judgements: the file of those of the run, where it has a judge: for equal answers they stand.

    Raises:
        SpeechzooError: the sample cannot be asked at all.
    """
    usual: tuple[tuple[Key, ...], ...] = ()
    for way in WAYS:
        progress.say(f"{way.name}: {way.changed}")
        own = folder / way.name.replace(" ", "-")
        if judgements is not None:
            own.mkdir()
            shutil.copyfile(judgements, own / judgements.name)
        asked = replace(request, out=own, batch_tokens=max(1, request.batch_tokens * way.batches))
        came = _ask(way, asked, plugins, progress, two_workers if way.two_workers else workers)
        usual = usual or (came.batches if isinstance(came, Asked) else ())
        if way.batches != 1 and isinstance(came, Asked) and came.batches == usual:
            came = NotAsked("the batches are the same: the sample has no more to put into one, or no fewer")
        yield way, came


def _ask(
    way: Way, request: Request, plugins: Plugins, progress: Progress, workers: MakeExecutor
) -> Asked | NotAsked:
    start = time.monotonic()
    arranging = _Arranging(way, workers)
    while True:
        try:
            folder = evaluate(request, _deaf(plugins), progress, arranging)
        except _KilledError:
            progress.say("killed half way; taken up again")
        except _IdleError as idle:
            return NotAsked(str(idle))
        except SetupError as error:
            # One worker could be loaded before: what there is no room for is the second.
            if not way.two_workers:
                raise
            return NotAsked(f"two workers cannot be had: {str(error).strip().splitlines()[-1]}")
        else:
            return Asked(read_results(folder), tuple(arranging.handed_out), time.monotonic() - start)


class _KilledError(Exception):
    """The workers of a system were killed on purpose."""


class _IdleError(Exception):
    """A worker that was to share the work has answered nothing."""


def _refuse_idle(shares: list[int]) -> None:
    if len(shares) < 2:
        raise _IdleError("the second worker could not be loaded; there may be no room for it")
    if 0 in shares and sum(shares) > 1:
        raise _IdleError(
            "one worker had answered everything before the other was loaded; ask for more --items"
        )


class _Arranging:
    """Makes executors that are handed a way's batches, and remembers these."""

    def __init__(self, way: Way, workers: MakeExecutor) -> None:
        self.handed_out: list[tuple[Key, ...]] = []
        self._way = way
        self._workers = workers
        self._killed: set[str] = set()

    def __call__(self, component: Component, request: Request) -> Executor:
        kill = self._way.killed and component.name not in self._killed
        self._killed.add(component.name)
        return _Arranged(self._workers(component, request), self._way, self.handed_out, kill)


class _Arranged:
    """An executor whose batches are arranged first, and whose workers may be killed half way."""

    def __init__(self, executor: Executor, way: Way, handed_out: list[tuple[Key, ...]], kill: bool) -> None:
        self._executor, self._way, self._handed_out, self._kill = executor, way, handed_out, kill

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        arranged = self._way.arranged(list(batches))
        self._handed_out += [tuple(work.key for work in batch) for batch in arranged]
        answered = self._executor.run(arranged)
        if self._kill:
            yield from islice(answered, len(arranged) // 2)
            # The worker is at its next batch now; whoever closes the executor does not wait for it.
            raise _KilledError
        yield from answered
        if self._way.two_workers and isinstance(self._executor, LocalExecutor):
            _refuse_idle(self._executor.shares)

    def close(self) -> None:
        self._executor.close()


def _deaf(plugins: Plugins) -> Plugins:
    """The same, none of which hears of events."""
    manager = pluggy.PluginManager("speechzoo")
    manager.add_hookspecs(hookspecs)
    return replace(plugins, manager=manager)
