"""Grading: whatever a task returns or raises is one item's outcome, and can be written down."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechzoo import (
    AudioClip,
    Condition,
    ContinuationScore,
    Failure,
    Grade,
    Item,
    ItemError,
    ReplyAnswer,
    ScoreAnswer,
    ScoreAsk,
    raw,
)
from speechzoo.asks import checked
from speechzoo.run.grade import grade_answers, prior_of
from speechzoo.run.plan import Plan, ask_all, make_plan
from speechzoo.run.progress import Silent
from speechzoo.run.records import AnswerRecord, GradeRecord, Key, answer_from_json, answer_to_json
from speechzoo.run.store import Store, from_line, to_line


class Grader:
    """One item, graded as the test says."""

    version = "1"
    conditions = (Condition.T2T,)
    metrics = ()

    def __init__(self, outcome: Any) -> None:
        self._outcome = outcome

    def items(self) -> list[Item]:
        return [Item("one", {})]

    def ask(self, item: Item, condition: Condition) -> ScoreAsk:
        return ScoreAsk(raw("a"), (" b",))

    def grade(self, item: Item, condition: Condition, answer: Any) -> Any:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def graded(outcome: Any, folder: Path) -> GradeRecord:
    task = Grader(outcome)
    items = task.items()
    plan: Plan = make_plan(
        ask_all(task, items, task.conditions), items, {"model": task.conditions}, seed=0, priors=["model"]
    )
    (work,) = (work for work in plan.works if not work.key.variant)
    answer = answer_to_json(ScoreAnswer((ContinuationScore(-1.0, 1),)), folder)
    record = AnswerRecord(key=work.key, basis="b", answer=answer)
    with Store(folder) as store:
        grade_answers(store, task, {}, plan, {work.key: record}, Silent())
        (grade,) = store.grades()
    return grade


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Grade({"accuracy": float("nan")}), "non_finite"),
        (Grade({"accuracy": 1.0}, weight=float("inf")), "non_finite"),
        (Grade({"accuracy": 1.0}, by_turn=[{"accuracy": 1.0}, {"words": float("nan")}]), "non_finite"),
        (Grade({"accuracy": 1.0}, by_turn=[{"words": None}]), "grading_error"),  # type: ignore[dict-item]
        (None, "grading_error"),
        (Grade({"accuracy": "high"}), "grading_error"),  # type: ignore[dict-item]
        (KeyError("gold"), "grading_error"),
        (ItemError("unparsed", "no letter in it"), "unparsed"),
        (Failure("refused"), "refused"),
    ],
)
def test_what_cannot_be_a_grade_is_an_outcome(outcome: Any, reason: str, tmp_path: Path) -> None:
    """Otherwise: one item's slip ends the run, or counts as a zero."""
    assert graded(outcome, tmp_path).failure == reason


def test_numbers_and_details_of_other_libraries_are_kept(tmp_path: Path) -> None:
    """Otherwise: a task that computes with numpy dies when its grades are written."""
    details = {"margin": np.float32(0.5), "path": Path("x"), "odd": float("nan"), "text": "a\ud800b"}
    found = graded(Grade({"accuracy": np.float64(1.0)}, weight=np.int64(3), details=details), tmp_path)
    assert found.values == {"accuracy": 1.0} and found.weight == 3.0
    assert found.details == {"margin": 0.5, "path": "x", "odd": None, "text": "a?b"}


def test_values_by_turn_are_kept_in_order_and_old_grades_have_none(tmp_path: Path) -> None:
    """Otherwise: a failed turn pushes later ones forward, or last year's runs have no report any more."""
    found = graded(Grade({"accuracy": 1.0}, by_turn=[{"words": np.float32(2)}, {}, {"words": 4}]), tmp_path)
    outcome = found.outcome()
    assert isinstance(outcome, Grade) and outcome.by_turn == ({"words": 2.0}, {}, {"words": 4.0})
    line = json.loads(found.model_dump_json())
    del line["by_turn"]
    old = GradeRecord.model_validate(line).outcome()
    assert isinstance(old, Grade) and old.by_turn == () and old.values == outcome.values


def test_answers_of_other_libraries_can_be_written(tmp_path: Path) -> None:
    """Otherwise: an adapter that returns tensors' numbers, or half a character, loses the run."""
    scores = ScoreAnswer((ContinuationScore(np.float32(-1.5), np.int64(2)),), heard="half \ud83d")
    reply = ReplyAnswer("so \udc00", timings={"think": np.float64(0.1)})
    for answer in (scores, reply):
        written = answer_to_json(answer, tmp_path)
        record = AnswerRecord.model_validate(
            {"key": {"role": "model", "item": "x", "condition": "t2t"}, "basis": "b", "answer": written}
        )
        assert json.loads(from_line(to_line(record).rstrip(b"\n")))["answer"] == written
    assert answer_from_json(answer_to_json(scores, tmp_path), tmp_path).scores == (  # type: ignore[union-attr]
        ContinuationScore(-1.5, 2),
    )


def test_a_reply_clip_is_kept_once_and_whole(tmp_path: Path) -> None:
    """Otherwise: a reply cannot be listened to, or fills the disk twice."""
    clip = AudioClip.from_samples(np.zeros(4_000, np.float32), 16_000)
    for _ in range(2):
        written = answer_to_json(ReplyAnswer("a", clip), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [written["clip"]]
    assert AudioClip.from_file(tmp_path / written["clip"]).digest == clip.digest


@pytest.mark.parametrize(
    ("score", "timings", "reason"),
    [
        (ContinuationScore(-1.0, 1), {"think": float("nan")}, "non_finite"),
        (ContinuationScore(0.5, 1), {}, "impossible_score"),
    ],
)
def test_impossible_numbers_are_refused(score: ContinuationScore, timings: Any, reason: str) -> None:
    """Otherwise: a sign error passes for a very likely text, a NaN timing makes the report fail."""
    found = checked(ScoreAsk(raw("a"), (" b",)), ScoreAnswer((score,), timings=timings))
    assert isinstance(found, Failure) and found.reason == reason


class Corrected(Grader):
    """Grades by how much the context adds to an ending's score."""

    def __init__(self) -> None:
        super().__init__(None)

    def grade(self, item: Item, condition: Condition, answer: Any) -> Any:
        if answer.prior is None:
            return Failure("no_prior")
        return Grade({"gain": answer.scores[0].log_likelihood - answer.prior[0].log_likelihood})


def scored(log_likelihood: float, folder: Path) -> dict[str, Any]:
    return answer_to_json(ScoreAnswer((ContinuationScore(log_likelihood, 1),)), folder)


def regraded(answers: dict[str, dict[str, Any]], folder: Path) -> list[GradeRecord]:
    """Every grade with a context that lies in the folder once these answers, by variant, are graded."""
    task = Corrected()
    items = task.items()
    plan = make_plan(
        ask_all(task, items, task.conditions), items, {"model": task.conditions}, seed=0, priors=["model"]
    )
    records = {
        work.key: AnswerRecord(key=work.key, basis="b", answer=answers[work.key.variant])
        for work in plan.works
        if work.key.variant in answers
    }
    with Store(folder) as store:
        grade_answers(store, task, {}, plan, records, Silent())
        return [grade for grade in store.grades() if not grade.key.variant]


def test_scores_without_the_context_are_joined_before_grading(tmp_path: Path) -> None:
    """Otherwise: a task that corrects for an ending's own likelihood has nothing to correct by."""
    (grade,) = regraded({"": scored(-3.0, tmp_path), "prior": scored(-5.0, tmp_path)}, tmp_path)
    assert grade.values == {"gain": 2.0}


def test_a_prior_that_is_missing_or_failed_is_none(tmp_path: Path) -> None:
    """Otherwise: a failed prior is taken for a likelihood of zero, or ends the run."""
    failed = answer_to_json(Failure("model_error"), tmp_path)
    (without,) = regraded({"": scored(-3.0, tmp_path)}, tmp_path)
    _, with_failure = regraded({"": scored(-3.0, tmp_path), "prior": failed}, tmp_path)
    assert without.failure == with_failure.failure == "no_prior"


def test_another_prior_grades_again_and_the_same_does_not(tmp_path: Path) -> None:
    """Otherwise: a grade stands that was computed from scores nobody has any more."""
    for prior, there in ((-5.0, 1), (-5.0, 1), (-4.0, 2)):
        grades = regraded({"": scored(-3.0, tmp_path), "prior": scored(prior, tmp_path)}, tmp_path)
        assert len(grades) == there
    assert [grade.values for grade in grades] == [{"gain": 2.0}, {"gain": 1.0}]
    assert grades[0].basis != grades[1].basis


def test_each_system_has_its_own_prior(tmp_path: Path) -> None:
    """Otherwise: the base LLM's score is corrected by another model's, or by none."""
    keys = [
        Key(role=role, item="one", condition=Condition.T2T, variant="prior") for role in ("model", "base")
    ]
    records = {
        key: AnswerRecord(key=key, basis="b", answer=scored(-5.0 - place, tmp_path))
        for place, key in enumerate(keys)
    }
    found = {
        role: prior_of(Key(role=role, item="one", condition=Condition.T2T), records)
        for role in ("model", "base", "rival")
    }
    assert found == {"model": records[keys[0]], "base": records[keys[1]], "rival": None}
    assert all(prior_of(key, records) is None for key in keys)
