"""Reads a run's folder back as results, for reports; needs neither the model nor the task."""

from collections.abc import Iterable
from pathlib import Path

from speechzoo.asks import Failure, is_truncated
from speechzoo.run.grade import grade_basis
from speechzoo.run.records import (
    AnswerRecord,
    GradeRecord,
    Key,
    Result,
    Results,
    RunFile,
    RunItem,
    answer_from_json,
)
from speechzoo.run.store import read_lines, read_run


def read_results(folder: Path) -> Results:
    """Everything a report needs. Answers without a grade (a run cut short) are left out.

    Raises:
        StoreError: the folder is no run, or damaged.
    """
    run = read_run(folder)
    items = list(read_lines(folder / "items.jsonl", RunItem))
    answers = valid_answers(items, read_lines(folder / "answers.jsonl", AnswerRecord))
    wanted = {
        key: grade_basis(record, run.task.identity, run.task.version) for key, record in answers.items()
    }
    results = {
        grade.key: _result(grade, answers[grade.key], folder / "audio")
        for grade in read_lines(folder / "grades.jsonl", GradeRecord)
        if wanted.get(grade.key) == grade.basis
    }
    for item in items:
        results.update(_not_asked(run, item))
    return Results(folder, run, {item.id: item for item in items}, results)


def valid_answers(items: Iterable[RunItem], records: Iterable[AnswerRecord]) -> dict[Key, AnswerRecord]:
    """Answers to exactly what is planned, by exactly the systems of the plan; the first one counts."""
    planned = {item.id: item.planned for item in items}
    valid: dict[Key, AnswerRecord] = {}
    for record in records:
        if planned.get(record.key.item, {}).get(record.key.way) == record.basis:
            valid.setdefault(record.key, record)
    return valid


def _result(grade: GradeRecord, record: AnswerRecord, audio: Path) -> Result:
    answer = answer_from_json(record.answer, audio)
    truncated = not isinstance(answer, Failure) and is_truncated(answer)
    return Result(grade.key, answer, grade.outcome(), grade.wer, truncated)


def _not_asked(run: RunFile, item: RunItem) -> dict[Key, Result]:
    results = {}
    for role, system in run.systems.items():
        for condition in system.conditions:
            if condition in item.failures:
                failure = Failure(*item.failures[condition])
                key = Key(role=role, item=item.id, condition=condition)
                results[key] = Result(key, failure, failure, None, False)
    return results
