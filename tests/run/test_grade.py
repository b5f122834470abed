"""Grading: whatever a task returns or raises is one item's outcome, and can be written down."""

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
from speechzoo.run.grade import grade_answers
from speechzoo.run.plan import Plan, ask_all, make_plan
from speechzoo.run.progress import Silent
from speechzoo.run.records import AnswerRecord, GradeRecord, answer_from_json, answer_to_json
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
    plan: Plan = make_plan(ask_all(task, items, task.conditions), items, {"model": task.conditions}, seed=0)
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


def test_answers_of_other_libraries_can_be_written(tmp_path: Path) -> None:
    """Otherwise: an adapter that returns tensors' numbers, or half a character, loses the run."""
    scores = ScoreAnswer((ContinuationScore(np.float32(-1.5), np.int64(2)),), heard="half \ud83d")
    reply = ReplyAnswer("so \udc00", timings={"think": np.float64(0.1)})
    for answer in (scores, reply):
        written = answer_to_json(answer, tmp_path)
        record = AnswerRecord.model_validate(
            {"key": {"role": "model", "item": "x", "condition": "t2t"}, "basis": "b", "answer": written}
        )
        assert from_line(to_line(record).rstrip(b"\n"))["answer"] == written
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
