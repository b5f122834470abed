"""The grading stage: answers on disk -> grades on disk. Needs no model; re-runs alone."""

import hashlib
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from speechzoo.asks import Answer, Failure, ScoreAnswer, heard_by, spoken_text
from speechzoo.errors import ItemError, SetupError
from speechzoo.run.plan import Plan, Work
from speechzoo.run.progress import Progress
from speechzoo.run.records import AnswerRecord, GradeRecord, Key, answer_from_json
from speechzoo.run.store import Store
from speechzoo.specs import JsonObject
from speechzoo.task import Grade, Task
from speechzoo.wer import word_error_rate

# Grades wait so long, in seconds, for others to be synced to disk together: a sync takes as long as some
# dozens of grades, and one of them longer than all this where speech has to be transcribed for it.
SECONDS_A_WRITE = 0.2


def grade_answers(
    store: Store,
    task: Task,
    task_identity: JsonObject,
    plan: Plan,
    answers: Mapping[Key, AnswerRecord],
    progress: Progress,
) -> None:
    """Grades every answer of the plan that has no grade on the same basis yet."""
    bases = {
        key: grade_basis(record, prior_of(key, answers), task_identity, task.version)
        for key, record in answers.items()
    }
    there = {(grade.key, grade.basis) for grade in store.grades()}
    works = [work for work in plan.works if work.key in answers]
    todo = [work for work in works if (work.key, bases[work.key]) not in there]
    progress.stage("grading", len(works), len(works) - len(todo))
    graded = (_graded(store, task, plan, work, answers, bases[work.key]) for work in todo)
    for records in _gathered(graded, SECONDS_A_WRITE):
        store.add_grades(records)
        progress.advance(len(records))


def prior_of(key: Key, answers: Mapping[Key, AnswerRecord]) -> AnswerRecord | None:
    """The same system's scores of the same continuations without context, if they are there."""
    if key.variant == "prior":
        return None
    return answers.get(Key(role=key.role, item=key.item, condition=key.condition, variant="prior"))


def grade_basis(
    record: AnswerRecord, prior: AnswerRecord | None, task_identity: JsonObject, version: str
) -> str:
    """Digest of everything that can change a grade: the answers and the task with its parameters."""
    parts = [record.basis, record.answer, prior.answer if prior else None, task_identity, version]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _graded(
    store: Store, task: Task, plan: Plan, work: Work, answers: Mapping[Key, AnswerRecord], basis: str
) -> GradeRecord:
    answer = answer_from_json(answers[work.key].answer, store.audio)
    prior = prior_of(work.key, answers)
    without = answer_from_json(prior.answer, store.audio) if prior else None
    if isinstance(answer, ScoreAnswer) and isinstance(without, ScoreAnswer):
        answer = replace(answer, prior=without.scores)
    outcome = _outcome(task, plan, work, answer)
    if isinstance(outcome, Failure):
        return GradeRecord(
            key=work.key,
            basis=basis,
            failure=outcome.reason,
            failure_detail=outcome.detail,
            wer=_wer(work, answer),
        )
    return GradeRecord(
        key=work.key,
        basis=basis,
        values=dict(outcome.values),
        weight=outcome.weight,
        tie=outcome.tie,
        details=dict(outcome.details),
        wer=_wer(work, answer),
    )


def _outcome(task: Task, plan: Plan, work: Work, answer: Answer | Failure) -> Grade | Failure:
    if isinstance(answer, Failure):
        return answer
    try:
        return _sound(task.grade(plan.items[work.key.item], work.key.condition, answer))
    except SetupError:  # this machine cannot grade: no item's fault
        raise
    except ItemError as error:
        return Failure(error.reason, error.detail)
    except Exception as error:  # a task's fault on one item is that item's outcome, counted and shown
        return Failure("grading_error", f"{type(error).__name__}: {error}")


def _sound(outcome: Grade | Failure) -> Grade | Failure:
    """The outcome in plain finite numbers and JSON, whatever library the task computed it with."""
    if isinstance(outcome, Failure):
        return outcome
    values = {name: float(value) for name, value in outcome.values.items()}
    weight = float(outcome.weight)
    if not all(map(math.isfinite, (*values.values(), weight))):
        return Failure("non_finite", f"the task graded {values} with weight {weight}")
    written = json.dumps(dict(outcome.details), ensure_ascii=False, default=_plain)
    details = json.loads(written.encode("utf-8", "replace"), parse_constant=lambda _: None)
    return Grade(values, weight, bool(outcome.tie), details)


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)


def _wer(work: Work, answer: Answer | Failure) -> float | None:
    spoken = spoken_text(work.ask)
    heard = None if isinstance(answer, Failure) else heard_by(answer)
    if work.key.variant or spoken is None or heard is None:
        return None
    return word_error_rate(spoken, heard)


def _gathered(records: Iterable[GradeRecord], seconds: float) -> Iterator[list[GradeRecord]]:
    """The records as they come, those of about so many seconds together."""
    gathered, since = [], time.monotonic()
    for record in records:
        gathered.append(record)
        if time.monotonic() - since > seconds:
            yield gathered
            gathered, since = [], time.monotonic()
    if gathered:
        yield gathered
