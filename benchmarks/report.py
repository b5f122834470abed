"""Seconds that the report of a full-size benchmark takes, by stage.

    python benchmarks/report.py --items 12000 --clustered

Writes a run's folder of invented answers (base LLM on text, the model on text and on speech, each with
its context-free prior; a few fail), then reads it and makes every view but the terminal's. There are
metrics of 0 and 1 and continuous ones, four attributes with up to 67 values, and spoken items of
different length; clips are not among them. Seconds are of the processor: one core does the work.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import click
import numpy as np

from speechzoo import __version__
from speechzoo.asks import ContinuationScore, Failure, ScoreAnswer
from speechzoo.gap import degradation
from speechzoo.report import html, json_file
from speechzoo.run.grade import grade_basis, prior_of
from speechzoo.run.records import (
    AnswerRecord,
    GradeRecord,
    Key,
    MetricInfo,
    Role,
    RunFile,
    RunItem,
    ShownAsk,
    SystemInfo,
    TaskInfo,
    Variant,
    answer_to_json,
)
from speechzoo.run.results import read_results
from speechzoo.run.store import Store
from speechzoo.specs import Condition

PAIRWISE = [
    MetricInfo(name=name, chance=0.5, higher_is_better=True, low=0.0, high=1.0)
    for name in ("accuracy", "accuracy_sum", "accuracy_character", "accuracy_byte", "accuracy_unconditional")
]
LOSSES = [
    MetricInfo(name=name, chance=None, higher_is_better=False, low=0.0, high=None)
    for name in ("loss_right", "loss_wrong")
]
Stage = tuple[Role, Condition, Variant, float]
STAGES: list[Stage] = [
    ("base", Condition.T2T, "", 0.9),
    ("model", Condition.T2T, "", 0.8),
    ("model", Condition.S2T, "", 0.5),
    ("model", Condition.T2T, "prior", 0.1),
]
INVALID = 0.01
BASIS = "b" * 32
TASK = {"name": "invented", "data": "0f0f0f0f"}


@click.command()
@click.option("--items", default=12_000, show_default=True)
@click.option("--clustered/--independent", default=False, help="Three items share material, or none.")
@click.option("--out", type=click.Path(path_type=Path), help="Keeps the run's folder.")
def main(items: int, clustered: bool, out: Path | None) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = out or Path(temporary)
        write_run(folder, items, clustered)
        marks = [("", time.process_time())]
        results = read_results(folder)
        marks.append(("read", time.process_time()))
        report = degradation(results)
        marks.append(("gap", time.process_time()))
        (folder / "report.json").write_text(json_file.render(report), encoding="utf-8")
        marks.append(("json", time.process_time()))
        (folder / "report.html").write_text(html.render(report, folder), encoding="utf-8")
        marks.append(("html", time.process_time()))
        sizes = {name: (folder / name).stat().st_size / 1e6 for name in ("report.json", "report.html")}
    for (_, before), (name, after) in pairwise(marks):
        print(f"{name:<6}{after - before:6.2f} s")
    print(f"{'total':<6}{marks[-1][1] - marks[0][1]:6.2f} s")
    print(", ".join(f"{name} {size:.1f} MB" for name, size in sizes.items()))


def write_run(folder: Path, n: int, clustered: bool) -> None:
    """A run's folder, as `speechzoo eval` would leave it."""
    generator = np.random.default_rng(0)
    items = [_item(place, clustered, generator) for place in range(n)]
    graded = {
        answer.key: (answer, grade)
        for stage in STAGES
        for answer, grade in _lines(stage, items, generator.normal(stage[3], 1.0, n), generator)
    }
    answers = {key: answer for key, (answer, _) in graded.items()}
    grades = [
        grade.model_copy(update={"basis": grade_basis(answer, prior_of(key, answers), TASK, "1")})
        for key, (answer, grade) in graded.items()
    ]
    with Store(folder) as store:
        store.write_plan(_run(), items)
        store.add_answers(list(answers.values()))
        store.add_grades(grades)


def _item(place: int, clustered: bool, generator: np.random.Generator) -> RunItem:
    story = f"Story {place}: Mia planted a seed in the garden and watered it every day of the summer."
    ends = (" It grew into a sunflower.", " She sold her car to a man from the city.")
    ask = ShownAsk(text=story, continuations=ends)
    seconds = round(float(generator.gamma(9, 1.2)), 2)
    spoken = ShownAsk(text="[audio]", continuations=ends, seconds=seconds, spoken=story)
    ways = [f"{role}/{condition}/{variant}" for role, condition, variant, _ in STAGES]
    return RunItem(
        id=f"item-{place:05d}",
        cluster=f"set-{place // 3:05d}" if clustered else f"item-{place:05d}",
        attributes={
            "subset": ("stories", "choices")[place % 2],
            "subject": f"subject {generator.integers(67)}",
            "voice": ("ana", "joe", "li", "mei")[generator.integers(4)],
            "words": int(generator.integers(12, 80)),
        },
        asks={Condition.T2T: ask, Condition.S2T: spoken},
        planned=dict.fromkeys(ways, BASIS),
    )


def _lines(
    stage: Stage, items: Sequence[RunItem], margins: np.ndarray, generator: np.random.Generator
) -> Iterator[tuple[AnswerRecord, GradeRecord]]:
    """Answers and grades of one stage; grades have no basis yet."""
    role, condition, variant, _ = stage
    for item, margin in zip(items, margins, strict=True):
        key = Key(role=role, item=item.id, condition=condition, variant=variant)
        grade = GradeRecord(key=key, basis="", weight=1.0 if item.attributes["subset"] == "stories" else 3.0)
        if generator.random() < INVALID:
            failure = Failure("too_long", "8211 tokens, the model takes 8192")
            record = AnswerRecord(key=key, basis=BASIS, answer=answer_to_json(failure, Path()))
            yield (
                record,
                grade.model_copy(update={"failure": failure.reason, "failure_detail": failure.detail}),
            )
            continue
        right = float(generator.gamma(20, 0.1))
        losses = [right, max(0.01, right + float(margin))]
        scores = tuple(ContinuationScore(-9 * loss, 9, 120) for loss in losses)
        answer = ScoreAnswer(scores, timings={"score": float(generator.gamma(4, 0.05))})
        others = (margin + generator.normal(0, 0.4, len(PAIRWISE) - 1) > 0).astype(float)
        names = [metric.name for metric in (*PAIRWISE, *LOSSES)]
        values = dict(zip(names, [float(margin > 0), *map(float, others), *losses], strict=True))
        details = {"loss_right": right, "loss_wrong": losses[1:], "margin": float(margin)}
        yield (
            AnswerRecord(key=key, basis=BASIS, answer=answer_to_json(answer, Path())),
            grade.model_copy(update={"values": values, "details": details}),
        )


def _run() -> RunFile:
    def system(name: str, conditions: tuple[Condition, ...]) -> SystemInfo:
        identity = {"name": name, "revision": "3f1c0e6b2a77d910", "parameters": {}, "parts": {}}
        return SystemInfo(
            identity=identity,
            summary=name,
            licence="Apache-2.0",
            changed={},
            dtype="float32",
            conditions=conditions,
        )

    both = (Condition.T2T, Condition.S2T)
    return RunFile(
        speechzoo=__version__,
        created="2025-05-06T07:08:09+00:00",
        fingerprint="9a1b2c3d4e5f6071",
        signature="task:invented|model:invented",
        task=TaskInfo(
            identity=TASK,
            version="1",
            summary="",
            licence="",
            citation="",
            changed={},
            metrics=(*PAIRWISE, *LOSSES),
        ),
        systems={"model": system("invented", both), "base": system("invented-base", both[:1])},
        conditions=both,
        limit=None,
        seed=0,
        device="cpu",
        environment={},
    )


if __name__ == "__main__":
    main()
