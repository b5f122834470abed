"""The grading stage: answers on disk -> grades on disk. Needs no model; re-runs alone."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np

from speechzoo.asks import (
    Answer,
    DialogueAnswer,
    Failure,
    ReplyAnswer,
    ScoreAnswer,
    heard_by,
    spoken_text,
)
from speechzoo.errors import ItemError, SetupError
from speechzoo.judging import JudgeAsk, Judgement
from speechzoo.run.judge import JudgementFile
from speechzoo.run.plan import Plan, Work
from speechzoo.run.progress import Progress
from speechzoo.run.records import AnswerRecord, GradeRecord, Key, answer_from_json
from speechzoo.run.store import Store, read_lines
from speechzoo.specs import JsonObject
from speechzoo.task import Grade, Task, is_judged
from speechzoo.wer import word_error_rate

Made = TypeVar("Made")

# Grades wait so long, in seconds, for others to be synced to disk together: a sync takes as long as some
# dozens of grades, and one of them longer than all this where speech has to be transcribed for it.
SECONDS_A_WRITE = 0.2
ANSWERS_JUDGED_TOGETHER = 16
# Of the judge rather than of the answer: a later call asks again.
JUDGE_FAILURES = {"judge_error", "judge_budget"}


def grade_answers(
    store: Store,
    task: Task,
    task_identity: JsonObject,
    plan: Plan,
    answers: Mapping[Key, AnswerRecord],
    progress: Progress,
    max_judge_cost: float | None = None,
    fresh: bool = False,
) -> None:
    """Grades every answer of the plan that has no grade on the same basis yet.

    Args:
        store: where answers lie and grades go.
        task: whose grades they are.
        task_identity: everything about it that can change a grade.
        plan: what was asked.
        answers: the valid ones.
        progress: is told how far it is.
        max_judge_cost: in US dollars, of all a judge says in this run; None sets no ceiling.
        fresh: ask the judge again for whatever it said before.
    """

    def basis(key: Key) -> str:
        return grade_basis(answers[key], prior_of(key, answers), task_identity, task.version)

    there = {
        (grade.key, grade.basis)
        for grade in read_lines(store.folder / "grades.jsonl", GradeRecord)
        if grade.failure not in JUDGE_FAILURES and not (fresh and is_judged(task))
    }
    works = [work for work in plan.works if work.key in answers]
    todo = [work for work in works if (work.key, basis(work.key)) not in there] if there else works
    progress.stage("grading", len(works), len(works) - len(todo))
    judging = _judgements(store, task, task_identity, max_judge_cost, fresh) if todo else nullcontext()
    with judging as judgements:
        graded = (
            _graded(task, plan, work, answer, basis(work.key))
            for batch in _neighbours(todo, ANSWERS_JUDGED_TOGETHER if judgements else 1)
            for work, answer in _judged(task, plan, judgements, _read(store, batch, answers))
        )
        for records in _gathered(graded, SECONDS_A_WRITE):
            store.add_grades(records)
            progress.advance(len(records))


@contextmanager
def _judgements(
    store: Store, task: Task, task_identity: JsonObject, max_cost: float | None, fresh: bool
) -> Iterator[JudgementFile | None]:
    if not is_judged(task):
        yield None
        return
    path, judge = store.folder / "judgements.jsonl", task.judge
    try:
        with JudgementFile(path, judge, task_identity["parts"]["judge"], max_cost, fresh) as file:
            yield file
    finally:
        judge.close()


def _neighbours(works: Sequence[Work], size: int) -> Iterator[Sequence[Work]]:
    return (works[start : start + size] for start in range(0, len(works), size))


def _read(
    store: Store, works: Sequence[Work], answers: Mapping[Key, AnswerRecord]
) -> list[tuple[Work, Answer | Failure]]:
    """The answers to these works, scores with those without context beside them."""
    found = []
    for work in works:
        answer = answer_from_json(answers[work.key].answer, store.audio)
        prior = prior_of(work.key, answers)
        without = answer_from_json(prior.answer, store.audio) if prior else None
        if isinstance(answer, ScoreAnswer) and isinstance(without, ScoreAnswer):
            answer = replace(answer, prior=without.scores)
        found.append((work, answer))
    return found


def _judged(
    task: Task,
    plan: Plan,
    judgements: JudgementFile | None,
    answered: Sequence[tuple[Work, Answer | Failure]],
) -> list[tuple[Work, Answer | Failure]]:
    """The same with what the judge says of each answer, where the task wants to know."""
    if judgements is None or not is_judged(task):
        return list(answered)
    asked: list[tuple[Work, Answer | Failure, Sequence[JudgeAsk]]] = []
    for work, answer in answered:
        asks: Sequence[JudgeAsk] | Failure = ()
        if isinstance(answer, ReplyAnswer | DialogueAnswer):
            asks = _attempt(partial(task.to_judge, plan.items[work.key.item], work.key.condition, answer))
        asked.append((work, asks, ()) if isinstance(asks, Failure) else (work, answer, asks))
    told = iter(judgements.ask([ask for _, _, asks in asked for ask in asks]))
    return [(work, _joined(answer, [next(told) for _ in asks])) for work, answer, asks in asked]


def _joined(answer: Answer | Failure, told: Sequence[Judgement | Failure]) -> Answer | Failure:
    if isinstance(answer, ReplyAnswer | DialogueAnswer):
        return replace(answer, judgements=tuple(told))
    return answer


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


def _graded(task: Task, plan: Plan, work: Work, answer: Answer | Failure, basis: str) -> GradeRecord:
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
        by_turn=tuple(dict(turn) for turn in outcome.by_turn),
        wer=_wer(work, answer),
    )


def _outcome(task: Task, plan: Plan, work: Work, answer: Answer | Failure) -> Grade | Failure:
    if isinstance(answer, Failure):
        return answer
    return _attempt(lambda: _sound(task.grade(plan.items[work.key.item], work.key.condition, answer)))


def _attempt(method: Callable[[], Made]) -> Made | Failure:
    """What the task makes of an answer; its fault on one item is that item's outcome, counted and shown.

    Raises:
        SetupError: this machine cannot grade.
    """
    try:
        return method()
    except SetupError:
        raise
    except ItemError as error:
        return Failure(error.reason, error.detail)
    except Exception as error:
        return Failure("grading_error", f"{type(error).__name__}: {error}")


def _sound(outcome: Grade | Failure) -> Grade | Failure:
    """The outcome in plain finite numbers and JSON, whatever library the task computed it with."""
    if isinstance(outcome, Failure):
        return outcome
    values, weight = _numbers(outcome.values), float(outcome.weight)
    if not all(map(math.isfinite, (*values.values(), weight))):
        return Failure("non_finite", f"the task graded {values} with weight {weight}")
    by_turn = tuple(map(_numbers, outcome.by_turn))
    for number, turn in enumerate(by_turn, start=1):
        if not all(map(math.isfinite, turn.values())):
            return Failure("non_finite", f"the task graded turn {number} {turn}")
    written = json.dumps(dict(outcome.details), ensure_ascii=False, default=_plain)
    details = json.loads(written.encode("utf-8", "replace"), parse_constant=lambda _: None)
    return Grade(values, weight, bool(outcome.tie), details, by_turn)


def _numbers(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)


def _wer(work: Work, answer: Answer | Failure) -> float | None:
    heard = None if isinstance(answer, Failure) else heard_by(answer)
    if work.key.variant or heard is None:
        return None
    spoken = spoken_text(work.ask)
    return None if spoken is None else word_error_rate(spoken, heard)


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
