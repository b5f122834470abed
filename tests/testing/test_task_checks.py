"""The checks of tasks: good ones pass, broken ones are caught by name."""

import itertools
import time
from dataclasses import replace

import pytest

from speechzoo import (
    AudioClip,
    Condition,
    DialogueAsk,
    Grade,
    Item,
    Metric,
    ReplyAsk,
    ScoreAsk,
    raw,
    testing,
    user,
)
from speechzoo.testing import TASK_CHECKS, TaskUnderTest, examine
from speechzoo.testing.probes import HARBOUR


class Endings:
    """Which of two endings is likelier?"""

    version = "1"
    conditions = (Condition.T2T, Condition.S2T)
    metrics = (Metric("accuracy", chance=0.5),)

    def items(self):
        return [Item(f"item-{number}", {"number": number}) for number in range(10)]

    def ask(self, item, condition):
        start = (HARBOUR,) if condition.speech_in else (HARBOUR.transcript,)
        return ScoreAsk(raw(f"{item.data['number']}. ", *start), (" Good.", " Bad."))

    def grade(self, item, condition, answer):
        right, wrong = (score.mean_nll for score in answer.scores)
        return Grade({"accuracy": float(right < wrong)}, tie=right == wrong)


class Answers(Endings):
    """One short reply."""

    conditions = (Condition.T2T,)
    metrics = (Metric("exact"),)

    def ask(self, item, condition):
        return ReplyAsk((user(f"What comes after {item.data['number']}?"),))

    def grade(self, item, condition, answer):
        return Grade({"exact": float(answer.text == str(item.data["number"] + 1))})


class Talks(Answers):
    """Two turns, each with values of its own; a turn may have none."""

    turns = ({"exact": 0.5, "words": 3}, {})

    def ask(self, item, condition):
        return DialogueAsk((user(f"I am {item.data['number']}."), user("And you?")))

    def grade(self, item, condition, answer):
        return Grade({"exact": 1.0}, by_turn=self.turns)


class TurnWithoutNumber(Talks):
    turns = ({"words": float("nan")}, {})


class TurnInWords(Talks):
    turns = ({"words": "three"}, {})


class TurnOutOfBounds(Talks):
    turns = ({}, {"exact": 50.0})


class TurnLeftOut(Talks):
    """The second turn's value stands in the first's place."""

    turns = ({"words": 3},)


class IdTwice(Endings):
    def items(self):
        return [*super().items(), Item("item-3", {"number": 11})]


class DrawnAnew(Endings):
    calls = itertools.count()

    def items(self):
        start = next(self.calls)
        return [replace(item, data={"number": start + i}) for i, item in enumerate(super().items())]


class SpeechForgotten(Endings):
    def ask(self, item, condition):
        return super().ask(item, Condition.T2T)


class ClipMissing(Endings):
    def ask(self, item, condition):
        start = AudioClip.from_file("gone.wav") if condition.speech_in else "Once upon a time"
        return ScoreAsk(raw(start), (" Good.", " Bad."))


class MetricUndeclared(Endings):
    def grade(self, item, condition, answer):
        grade = super().grade(item, condition, answer)
        return replace(grade, values={**grade.values, "margin": 0.5})


class OutOfBounds(Endings):
    def grade(self, item, condition, answer):
        grade = super().grade(item, condition, answer)
        return replace(grade, values={"accuracy": 100 * grade.values["accuracy"]})


class ChanceOfFour(Endings):
    """Two endings, graded as if there were four."""

    metrics = (Metric("accuracy", chance=0.25),)


class TieIsRight(Endings):
    """``min`` over equal scores takes the first, which is the right one."""

    def grade(self, item, condition, answer):
        losses = [score.mean_nll for score in answer.scores]
        return Grade({"accuracy": float(losses.index(min(losses)) == 0)})


class FirstWord(Answers):
    """Looks at the first word of the reply, which may have none."""

    def grade(self, item, condition, answer):
        return Grade({"exact": float(answer.text.split()[0] == "yes")})


class GradedByTime(Endings):
    def grade(self, item, condition, answer):
        return replace(super().grade(item, condition, answer), details={"now": time.perf_counter_ns()})


class ConditionUnknown(Endings):
    conditions = ("t2t",)


CAUGHT = {
    IdTwice: "ids are unique",
    DrawnAnew: "items stay the same",
    SpeechForgotten: "asks fit their condition",
    ClipMissing: "clips can be read",
    MetricUndeclared: "answers can be graded",
    OutOfBounds: "answers can be graded",
    TurnWithoutNumber: "answers can be graded",
    TurnInWords: "answers can be graded",
    TurnOutOfBounds: "answers can be graded",
    TurnLeftOut: "answers can be graded",
    ChanceOfFour: "chance levels are true",
    TieIsRight: "equal scores are ties",
    FirstWord: "an empty reply is an outcome",
    GradedByTime: "grading repeats",
    ConditionUnknown: "declarations are sound",
}


def failed(subject: TaskUnderTest) -> dict[str, str]:
    return {one.check: one.why for one in examine(subject, TASK_CHECKS) if one.outcome == "failed"}


@pytest.mark.parametrize("task", [Endings, Answers, Talks])
def test_a_good_task_passes(task: type) -> None:
    """Otherwise authors learn to ignore the kit."""
    assert failed(TaskUnderTest(task)) == {}


@pytest.mark.parametrize(("task", "check"), CAUGHT.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_broken_task_is_caught_by_name(task: type, check: str) -> None:
    """Otherwise a benchmark is published whose figures mean something else."""
    assert list(failed(TaskUnderTest(task))) == [check]


def test_a_shipped_task_passes() -> None:
    """Otherwise the task of the README breaks a promise that authors are held to."""
    pytest.importorskip("speechzoo_s2sbench")
    assert failed(testing.task("s2sbench-mini")) == {}
