"""Reads a run's folder back as results, for reports; needs neither the model nor the task."""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from speechzoo.asks import Failure, is_truncated
from speechzoo.errors import StoreError
from speechzoo.run.grade import grade_basis, prior_of
from speechzoo.run.judge import judge_digest
from speechzoo.run.records import (
    AnswerRecord,
    GradeRecord,
    JudgementRecord,
    Judging,
    Key,
    Result,
    Results,
    RunFile,
    RunItem,
    TranscriptRecord,
    answer_from_json,
    usage_of,
)
from speechzoo.run.store import read_lines, read_run


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keeps Python from looking for cycles of garbage.

    Records hold none, and the search through a growing heap takes longer than making them.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@collection_paused()
def read_results(folder: Path) -> Results:
    """Everything a report needs, also of a run cut short.

    Raises:
        StoreError: the folder is no run, or damaged.
    """
    run = read_run(folder)
    if not (folder / "items.jsonl").exists():
        raise StoreError(f"{folder}: items.jsonl is missing; run the same 'eval' again to have it written")
    items = list(read_lines(folder / "items.jsonl", RunItem))
    answers = valid_answers(items, read_lines(folder / "answers.jsonl", AnswerRecord))
    grades = {(grade.key, grade.basis): grade for grade in read_lines(folder / "grades.jsonl", GradeRecord)}
    results = {}
    for key, record in answers.items():
        basis = grade_basis(record, prior_of(key, answers), run.task.identity, run.task.version)
        results[key] = _result(record, grades.get((key, basis)), folder / "audio")
    for item in items:
        results.update(_not_asked(run, item))
    shown = {item.id: item for item in items}
    return Results(folder, run, shown, results, _audio_wer(folder, run), _judging(folder, run))


def valid_answers(items: Iterable[RunItem], records: Iterable[AnswerRecord]) -> dict[Key, AnswerRecord]:
    """Answers to exactly what is planned, by exactly the systems of the plan.

    The last one counts: an ask is only put again because its first answer was a failure of the
    machine, or because the user wanted it afresh.
    """
    planned = {item.id: item.planned for item in items}
    return {
        record.key: record
        for record in records
        if planned.get(record.key.item, {}).get(record.key.way) == record.basis
    }


def _audio_wer(folder: Path, run: RunFile) -> dict[str, float]:
    if run.transcriber is None:
        return {}
    records = read_lines(folder / "transcripts.jsonl", TranscriptRecord)
    return {record.item: record.wer for record in records if record.wer is not None}


def _judging(folder: Path, run: RunFile) -> Judging | None:
    judge = run.task.identity.get("parts", {}).get("judge")
    if judge is None:
        return None
    own = judge_digest(judge)
    records = [r for r in read_lines(folder / "judgements.jsonl", JudgementRecord) if r.judge == own]
    invalid = sum(record.answer is None for record in records)
    return Judging(judge["name"], len(records), invalid, usage_of(records))


def _result(record: AnswerRecord, grade: GradeRecord | None, audio: Path) -> Result:
    answer = answer_from_json(record.answer, audio)
    truncated = not isinstance(answer, Failure) and is_truncated(answer)
    if grade is None:
        ungraded = Failure("not_graded", "the run was stopped before it was graded")
        return Result(record.key, answer, ungraded, None, truncated)
    return Result(record.key, answer, grade.outcome(), grade.wer, truncated)


def _not_asked(run: RunFile, item: RunItem) -> dict[Key, Result]:
    results = {}
    for role, system in run.systems.items():
        for condition in system.conditions:
            if condition in item.failures:
                failure = Failure(*item.failures[condition])
                key = Key(role=role, item=item.id, condition=condition)
                results[key] = Result(key, failure, failure, None, False)
    return results
