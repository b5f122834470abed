"""What the framework itself costs: a run with a model that answers at once.

    python benchmarks/framework.py --items 10000

Prints milliseconds an item, by stage, for items read as text and for items read and heard. Every item has
a WAV file of its own, two continuations, and their prior. "planning" ends when the plan is on disk and
asks for the items, which are made at once; "answering" goes through the worker's process
and ends when every answer is on disk; "reading" is what a report does before it computes anything.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import soundfile

from speechzoo import (
    Answer,
    AudioClip,
    Capability,
    Condition,
    ContinuationScore,
    Grade,
    Item,
    Metric,
    ModelSpec,
    ScoreAnswer,
    ScoreAsk,
    Setup,
    TaskSpec,
    raw,
)
from speechzoo.loading import Component
from speechzoo.plugins import discover
from speechzoo.run.evaluate import evaluate
from speechzoo.run.progress import Silent
from speechzoo.run.request import Request
from speechzoo.run.results import read_results

RATE = 16_000
SECONDS = 0.2


class Instant:
    """A model that answers at once."""

    def __init__(self, setup: Setup) -> None:
        pass

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer]:
        return [
            ScoreAnswer(tuple(ContinuationScore(-float(len(text)), 1) for text in ask.continuations))
            for ask in asks
        ]

    def close(self) -> None:
        pass


class Many:
    """A task of many items, a recording each."""

    version = "1"
    conditions = (Condition.T2T, Condition.S2T)
    metrics = (Metric("accuracy", chance=0.5),)

    def __init__(self, setup: Setup, folder: str, count: int) -> None:
        self._folder, self._count = Path(folder), count

    def items(self) -> list[Item]:
        return [
            Item(f"item-{n}", {"text": f"It was the day number {n}, and", "n": n}, {"subset": f"s{n % 5}"})
            for n in range(self._count)
        ]

    def ask(self, item: Item, condition: Condition) -> ScoreAsk:
        text = item.data["text"]
        clip = AudioClip.from_file(self._folder / f"{item.data['n']}.wav", transcript=text)
        return ScoreAsk(raw(clip if condition.speech_in else text), (" it rained.", " it was raining."))

    def grade(self, item: Item, condition: Condition, answer: Answer) -> Grade:
        assert isinstance(answer, ScoreAnswer)
        right, wrong = (score.mean_nll for score in answer.scores)
        return Grade({"accuracy": float(right < wrong)}, details={"margin": wrong - right})


class Clock(Silent):
    """Notes when each stage begins."""

    def __init__(self) -> None:
        self.starts = {"planning": time.perf_counter()}

    def stage(self, name: str, total: int, done: int) -> None:
        self.starts["grading" if name == "grading" else "answering"] = time.perf_counter()


@click.command()
@click.option("--items", default=10_000, show_default=True)
def main(items: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_recordings(folder, items)
        for conditions in ((Condition.T2T,), (Condition.S2T,), (Condition.T2T, Condition.S2T)):
            stages = measure(folder, items, conditions)
            told = "  ".join(f"{name} {seconds / items * 1000:.3f}" for name, seconds in stages.items())
            print(
                f"{'+'.join(conditions):8} ms an item: {told}  sum {sum(stages.values()) / items * 1000:.3f}"
            )


def write_recordings(folder: Path, count: int) -> None:
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (count, int(RATE * SECONDS)))
    for number, samples in enumerate(noise):
        soundfile.write(folder / f"{number}.wav", samples, RATE)


def measure(folder: Path, items: int, conditions: tuple[Condition, ...]) -> dict[str, float]:
    """Seconds by stage."""
    package = "speechzoo 0"
    able = frozenset(Capability)
    model = Component("model", "instant", ModelSpec("instant", "framework:Instant", "", able), package, {})
    about = {"folder": str(folder), "count": items}
    task = Component("task", "many", TaskSpec("many", "framework:Many", ""), package, about)
    out = folder / "-".join(conditions)
    request = Request(systems={"model": model}, task=task, conditions=conditions, out=out)
    clock = Clock()
    evaluate(request, discover(), clock)
    clock.starts["reading"] = time.perf_counter()
    results = read_results(out).results
    asked = len(conditions) * 2 * items
    assert len(results) >= asked and all(result.outcome for result in results.values())
    times = [*clock.starts.values(), time.perf_counter()]
    return {name: end - start for name, start, end in zip(clock.starts, times, times[1:], strict=False)}


if __name__ == "__main__":
    main()
