"""Reads a run's folder back as results, for reports; needs neither the model nor the task."""

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from speechzoo.asks import Failure, is_truncated
from speechzoo.errors import StoreError
from speechzoo.run.grade import grade_basis, prior_of
from speechzoo.run.judge import judge_digest
from speechzoo.run.lookup import Lookup, Planned, read_items
from speechzoo.run.records import (
    AnswerRecord,
    GradeRecord,
    JudgementRecord,
    Judging,
    Key,
    PlannedItem,
    Result,
    Results,
    RunFile,
    RunItem,
    TranscriptRecord,
    answer_from_json,
    usage_of,
)
from speechzoo.run.store import read_lines, read_places, read_run


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
    planned = Planned()
    items = read_items(folder / "items.jsonl", planned)
    answers = planned.answers(folder)
    grades = Lookup(folder / "grades.jsonl", GradeRecord, planned.places)
    for offset, grade in read_places(folder / "grades.jsonl", GradeRecord):
        if grade.key in answers and grade.basis == _grade_basis(grade.key, answers, run):
            grades.put(grade.key, offset)
    not_asked = {key: result for item in items.values() for key, result in _not_asked(run, item).items()}
    results = GradedAnswers(answers, grades, not_asked, folder / "audio")
    return Results(folder, run, items, results, _audio_wer(folder, run), _judging(folder, run))


class GradedAnswers(Mapping[Key, Result]):
    """Answers with their grades, put together when they are looked at; and what could not be asked."""

    def __init__(
        self,
        answers: Lookup[AnswerRecord],
        grades: Lookup[GradeRecord],
        not_asked: Mapping[Key, Result],
        audio: Path,
    ) -> None:
        self._answers, self._grades, self._not_asked, self._audio = answers, grades, not_asked, audio

    def __getitem__(self, key: Key) -> Result:
        if key in self._answers:
            return _result(self._answers[key], self._grades.get(key), self._audio)
        return self._not_asked[key]

    def __contains__(self, key: object) -> bool:
        return key in self._answers or key in self._not_asked

    def __iter__(self) -> Iterator[Key]:
        return chain(self._answers, self._not_asked)

    def __len__(self) -> int:
        return len(self._answers) + len(self._not_asked)


def _grade_basis(key: Key, answers: Lookup[AnswerRecord], run: RunFile) -> str:
    return grade_basis(answers[key], prior_of(key, answers), run.task.identity, run.task.version)


def valid_answers(items: Iterable[RunItem], records: Iterable[AnswerRecord]) -> dict[Key, AnswerRecord]:
    """All answers at once of what `Planned.answers` looks up."""
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


def _not_asked(run: RunFile, item: PlannedItem) -> dict[Key, Result]:
    results = {}
    for role, system in run.systems.items():
        for condition in system.conditions:
            if condition in item.failures:
                failure = Failure(*item.failures[condition])
                key = Key(role=role, item=item.id, condition=condition)
                results[key] = Result(key, failure, failure, None, False)
    return results
