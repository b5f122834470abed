"""What a run of many items takes: seconds, memory, disk and driver, without a GPU.

    python benchmarks/scale.py --items 100000
    python benchmarks/scale.py --items 20000 --workers 1,2,8,64 --mean 0.02
    python benchmarks/scale.py --items 1000000 --out RUN && python benchmarks/scale.py --report RUN

The run is a real one, from `evaluate` to report.json and report.html: every item is asked as text and as
speech, two continuations each, and items share a hundred clips. Only the workers are simulated: the run's
own pool hands them pickled asks, and each answers after a drawn delay, on a clock that skips the time in
which the run would have nothing to do. So 64 workers need one core, and a day of answering some minutes.

"efficiency" is the time that the workers worked, divided by their number and by the clock's time from the
first batch to the last answer on disk; "driver" is the share of that time in which the run itself was at
work: what it took of the processor, and syncing to disk.
"""

import os
import pickle
import random
import resource
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
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
    Failure,
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
from speechzoo.asks import Ask
from speechzoo.gap import degradation
from speechzoo.loading import Component
from speechzoo.plugins import discover
from speechzoo.report import html, json_file
from speechzoo.run.evaluate import evaluate
from speechzoo.run.executors import Answered
from speechzoo.run.executors.pool import Pool
from speechzoo.run.plan import Work
from speechzoo.run.progress import Silent
from speechzoo.run.request import Request
from speechzoo.run.results import read_results

CLIPS = 100
RATE = 16_000
FAILED = 0.001
SYNC = os.fdatasync


class Questions:
    """Items that share clips; their asks are in a chat, which has no prior."""

    version = "1"
    conditions = (Condition.T2T, Condition.S2T)
    metrics = (Metric("accuracy", chance=0.5), Metric("loss", higher_is_better=False, high=None))

    def __init__(self, setup: Setup, folder: str, count: int) -> None:
        files = sorted(Path(folder).glob("*.wav"))
        self._clips = [AudioClip.from_file(file, f"It was day {n}.") for n, file in enumerate(files)]
        self._count = count

    def items(self) -> Iterator[Item]:
        for n in range(self._count):
            attributes = {"subset": f"part {n % 5}", "voice": ("ana", "joe", "li")[n % 3], "words": n % 37}
            yield Item(f"item-{n}", {"n": n, "question": f"What came after day number {n}?"}, attributes)

    def ask(self, item: Item, condition: Condition) -> ScoreAsk:
        clip = self._clips[item.data["n"] % len(self._clips)]
        told = clip if condition.speech_in else str(clip.transcript)
        return ScoreAsk(raw(told, " ", item.data["question"]), (" Another day.", " Nothing."), chat=True)

    def grade(self, item: Item, condition: Condition, answer: Answer) -> Grade:
        assert isinstance(answer, ScoreAnswer)
        right, wrong = (score.mean_nll for score in answer.scores)
        return Grade({"accuracy": float(right < wrong), "loss": right}, details={"margin": wrong - right})


class Clock:
    """The time in which the run itself was at work, and what was skipped because only workers were.

    Processor time and the time that syncing to disk took: other programs on the cores change neither much.
    """

    def __init__(self) -> None:
        self.skipped = self.synced = 0.0
        os.fdatasync = self._timed

    def _timed(self, descriptor: int) -> None:
        begun = time.perf_counter()
        SYNC(descriptor)
        self.synced += time.perf_counter() - begun

    def at_work(self) -> float:
        return time.process_time() + self.synced

    def now(self) -> float:
        return self.at_work() + self.skipped

    def wait_until(self, moment: float) -> None:
        self.skipped += max(0.0, moment - self.now())


class Simulated:
    """A worker that has answered a batch after a delay drawn for each ask."""

    def __init__(self, clock: Clock, mean: float, seed: int) -> None:
        self._clock, self._mean, self._chance = clock, mean, random.Random(seed)
        self._asks = b""
        self.worked, self.done_at = 0.0, 0.0

    def start(self) -> None:
        self.done_at = self._clock.now()

    def loaded(self) -> None:
        pass

    def send(self, asks: Sequence[Ask]) -> None:
        self._asks = pickle.dumps(asks)
        delay = sum(self._mean * self._chance.uniform(0.2, 1.8) for _ in asks)
        self.worked += delay
        self.done_at = self._clock.now() + delay

    def answers(self) -> list[Answer | Failure]:
        return [self._answer() for _ in pickle.loads(self._asks)]  # noqa: S301 - its own, of a moment ago

    def _answer(self) -> Answer | Failure:
        if self._chance.random() < FAILED:
            return Failure("too_long", "8211 tokens, the model takes 8192")
        losses = self._chance.gauss(1.0, 0.2), self._chance.gauss(1.2, 0.2)
        scores = tuple(ContinuationScore(-3 * max(loss, 0.01), 3) for loss in losses)
        return ScoreAnswer(scores, timings={"score": self._mean})

    def kill(self) -> None:
        pass


class SimulatedExecutor:
    """The run's own pool over simulated workers."""

    def __init__(self, workers: int, mean: float) -> None:
        self.clock = Clock()
        self.at_work = self.synced = 0.0
        self.workers = [Simulated(self.clock, mean, seed) for seed in range(workers)]
        self._pool = Pool("simulated", self.workers, self._wait, time_limit=1e9)
        self.close = self._pool.close

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        begun, synced = self.clock.at_work(), self.clock.synced
        yield from self._pool.run(batches)
        self.at_work, self.synced = self.clock.at_work() - begun, self.clock.synced - synced

    def _wait(self, workers: Sequence[Simulated], timeout: float) -> list[Simulated]:
        self.clock.wait_until(min(worker.done_at for worker in workers))
        return [worker for worker in workers if worker.done_at <= self.clock.now()]


class Stages(Silent):
    """Notes when each stage ends, what the process used until then, and the most memory it had."""

    def __init__(self, name: str) -> None:
        self.name, self.rows = name, list[tuple[str, float, float, float]]()
        self._begun, self._used = time.perf_counter(), time.process_time()

    def stage(self, name: str, total: int, done: int) -> None:
        self.begin("grading" if name == "grading" else "answering")

    def begin(self, name: str) -> None:
        now, used = time.perf_counter(), time.process_time()
        self.rows.append((self.name, now - self._begun, used - self._used, peak()))
        print(
            f"  {self.name:9} {self.rows[-1][1]:8.1f} s  cpu {self.rows[-1][2]:8.1f} s  "
            f"peak {self.rows[-1][3]:6.0f} MB",
            flush=True,
        )
        self.name, self._begun, self._used = name, now, used


def peak() -> float:
    """Megabytes that this process had at most until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@click.command()
@click.option("--items", default=10_000, show_default=True)
@click.option("--workers", default="1", show_default=True, help="One run for each number.")
@click.option("--mean", default=0.0, show_default=True, help="Seconds an ask; drawn from 0.2 to 1.8 of it.")
@click.option("--out", type=click.Path(path_type=Path), help="Keeps the run here, and makes no report.")
@click.option("--report", type=click.Path(exists=True, path_type=Path), help="Reports this run alone.")
def main(items: int, workers: str, mean: float, out: Path | None, report: Path | None) -> None:
    if report is not None:
        make_report(report, Stages("start"))
        return
    for count in map(int, workers.split(",")):
        with tempfile.TemporaryDirectory() as scratch:
            folder = out or Path(scratch)
            stages = Stages("planning")
            run = measure(folder, items, count, mean, stages)
            if out is None and not mean:
                make_report(run, stages)


def measure(folder: Path, items: int, workers: int, mean: float, stages: "Stages") -> Path:
    """Prints what a run takes, stage by stage; returns its folder."""
    folder.mkdir(exist_ok=True)
    write_clips(folder)
    package = "speechzoo 0"
    spec = ModelSpec("simulated", "scale:Simulated", "", frozenset(Capability))
    about = {"folder": str(folder), "count": items}
    request = Request(
        systems={"model": Component("model", "simulated", spec, package, {})},
        task=Component("task", "questions", TaskSpec("questions", "scale:Questions", ""), package, about),
        out=folder / "run",
        time_limit=1e9,
    )
    print(f"{items:,} items, {workers} workers, {mean} s an ask; {peak():.0f} MB before", flush=True)
    executor = SimulatedExecutor(workers, mean)
    out = evaluate(request, discover(), stages, lambda component, request: executor)
    stages.begin("end")
    asks = 2 * items
    driver, synced = executor.at_work, executor.synced
    wall = driver + executor.clock.skipped
    efficiency = sum(worker.worked for worker in executor.workers) / workers / wall
    print(
        f"  driver: {driver / asks * 1e6:.0f} us an ask ({synced / asks * 1e6:.0f} of them syncing), "
        f"{asks / driver:,.0f} asks a second; {wall / 3600:.2f} h in all, efficiency {efficiency:.1%}, "
        f"driver {driver / wall:.1%}",
        flush=True,
    )
    return out


def make_report(out: Path, stages: Stages) -> None:
    """Prints what a report takes, and the size of all files."""
    stages.begin("reading")
    results = read_results(out)
    stages.begin("report")
    report = degradation(results)
    stages.begin("files")
    (out / "report.json").write_text(json_file.render(report), encoding="utf-8")
    (out / "report.html").write_text(html.render(report, out), encoding="utf-8")
    stages.begin("end")
    sizes = {file.name: file.stat().st_size / 1e6 for file in sorted(out.iterdir()) if file.is_file()}
    print("  " + ", ".join(f"{name} {size:,.1f} MB" for name, size in sizes.items()), flush=True)


def write_clips(folder: Path) -> None:
    for n in range(CLIPS):
        seconds = 0.2 + 0.01 * n
        noise = np.random.default_rng(n).uniform(-0.1, 0.1, int(RATE * seconds))
        soundfile.write(folder / f"{n:03}.wav", noise, RATE)


if __name__ == "__main__":
    main()
