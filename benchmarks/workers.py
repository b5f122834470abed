"""How well several workers share the work: a model that sleeps instead of computing.

    python benchmarks/workers.py

Every ask takes a drawn time, as clips of different length do, so that batches are of unequal length and the
last ones of a run are waited for. "efficiency" is the time that the model worked, divided by the number of
workers and by the wall time from the first answer's start to the last answer on disk; loading is left out,
and told apart. No GPU is needed, and what one would do at the same time (feature extraction, PCIe) is not
simulated.
"""

import random
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from speechzoo import (
    Capability,
    Condition,
    ContinuationScore,
    ModelSpec,
    ScoreAnswer,
    ScoreAsk,
    Setup,
    __version__,
    raw,
)
from speechzoo.asks import ask_digest, context_digest
from speechzoo.loading import Component
from speechzoo.run.executors import Answered, Executor
from speechzoo.run.executors.local import Loading, LocalExecutor
from speechzoo.run.executors.pool import State
from speechzoo.run.plan import Work, pack
from speechzoo.run.records import AnswerRecord, Key, answer_to_json
from speechzoo.run.store import AppendFile
from speechzoo.setup import LoadOptions

TIME_LIMIT = 60.0
BATCH_TOKENS = 8


class Sleeper:
    """Sleeps as long as the context says."""

    def __init__(self, setup: Setup) -> None:
        pass

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer]:
        time.sleep(sum(_seconds(ask) for ask in asks))
        return [ScoreAnswer((ContinuationScore(-1.0, 1),)) for _ in asks]

    def close(self) -> None:
        pass


@click.command()
@click.option("--asks", default=1600, show_default=True)
@click.option("--mean", default=0.02, show_default=True, help="Seconds an ask; drawn from 0.2 to 1.8 of it.")
@click.option("--workers", default="1,2,8", show_default=True)
@click.option("--executor", type=click.Choice(["local", "ray"]), default="local", show_default=True)
def main(asks: int, mean: float, workers: str, executor: str) -> None:
    chance = random.Random(0)
    works = [_work(number, mean * chance.uniform(0.2, 1.8)) for number in range(asks)]
    slept = sum(_seconds(work.ask) for work in works if isinstance(work.ask, ScoreAsk))
    print("| workers | loading, s | work, s | wall, s | efficiency |\n|---|---|---|---|---|")
    for count in map(int, workers.split(",")):
        loading, wall = measure(works, count, executor)
        print(
            f"| {count} | {loading:.1f} | {slept:.1f} | {wall:.1f} | {slept / count / wall:.1%} |", flush=True
        )


def measure(works: list[Work], workers: int, executor: str) -> tuple[float, float]:
    """Seconds until all workers were loaded, and from then until the last answer was on disk."""
    begun = time.perf_counter()
    running = make(workers, executor)
    with tempfile.TemporaryDirectory() as scratch:
        file = AppendFile(Path(scratch) / "answers.jsonl")
        try:
            # A first run of one batch each, which is not timed, has all of them loaded.
            warm = [[_work(-1 - number, 1.0)] for number in range(workers)]
            loaded = None
            while loaded is None or any(place.state is not State.IDLE for place in running._pool.places):
                for _ in running.run(warm):
                    pass
                loaded = time.perf_counter()
            for _ in stored(running.run(pack(works, BATCH_TOKENS)), file):
                pass
            ended = time.perf_counter()
        finally:
            running.close()
            file.close()
    return loaded - begun, ended - loaded


def make(workers: int, executor: str) -> Executor:
    able = frozenset(Capability)
    model = Component(
        "model",
        "sleeper",
        ModelSpec("sleeper", "workers:Sleeper", "", able),
        f"speechzoo {__version__}",
        {},
    )
    loading = Loading(model, LoadOptions())
    if executor == "ray":
        from speechzoo.run.executors.ray import RayExecutor

        return RayExecutor(loading, TIME_LIMIT, workers=workers)
    return LocalExecutor(loading, TIME_LIMIT, ["cpu"] * workers)


def stored(answered: Iterable[Answered], file: AppendFile) -> Iterator[None]:
    for done in answered:
        file.append(
            [
                AnswerRecord(key=work.key, basis=work.digest, answer=answer_to_json(answer, file.path.parent))
                for work, answer in done
            ]
        )
        yield


def _work(number: int, seconds: float) -> Work:
    key = Key(role="model", item=str(number), condition=Condition.T2T)
    ask = ScoreAsk(raw(f"{seconds:.6f} {number}"), (" a",))
    context = context_digest(ask)
    return Work(key, ask, ask_digest(ask, context), context, 1)


def _seconds(ask: ScoreAsk) -> float:
    (text,) = ask.context[0].parts
    return float(str(text).split()[0])


if __name__ == "__main__":
    main()
