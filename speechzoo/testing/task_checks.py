"""Everything that is asked of a task: items that stay what they are, and grades that mean what they say."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real

import numpy as np

from speechzoo.asks import (
    Answer,
    Ask,
    ContinuationScore,
    DialogueAnswer,
    DialogueAsk,
    Failure,
    ReplyAnswer,
    ScoreAnswer,
    ask_digest,
    continuations_of,
    dialogue_of,
    score_asks,
)
from speechzoo.dialogue import clips_of
from speechzoo.errors import ItemError, SetupError
from speechzoo.judging import Judgement
from speechzoo.run.plan import choose_items
from speechzoo.specs import Condition
from speechzoo.task import Grade, Item, Metric, Task, is_judged
from speechzoo.testing import probes
from speechzoo.testing.findings import CheckError, NotApplicableError, Subject, check

SAMPLE = 50
"""Items whose clips are read and whose answers are graded; a task may have ten thousand."""
SLOW = 2
"""The same where grading takes a speech recogniser or a judge."""
DRAWS = 4000
"""Random answers from which a chance level is estimated."""
TOKENS = 5
ERRORS = 4.0
"""Standard errors that an estimate may be off."""


@dataclass(eq=False)
class TaskUnderTest(Subject):
    """A task, and what it asks.

    Args:
        make: makes the task anew.
    """

    make: Callable[[], Task]

    @cached_property
    def task(self) -> Task:
        return self.make()

    @cached_property
    def items(self) -> list[Item]:
        return choose_items(self.task.items(), None, 0)

    @cached_property
    def some(self) -> list[Item]:
        """Items spread evenly over all of them."""
        step = max(1, len(self.items) // SAMPLE)
        return self.items[::step][:SAMPLE]

    @cached_property
    def outcomes(self) -> dict[Condition, list[Grade | Failure]]:
        """Grades of answers drawn at random."""
        return {condition: list(_graded(self, condition)) for condition in self.task.conditions}

    def asked(self, items: Sequence[Item]) -> Iterator[tuple[Item, Condition, Ask]]:
        """Every item under every condition that it can be asked under."""
        for item in items:
            for condition in self.task.conditions:
                try:
                    yield item, condition, self.task.ask(item, condition)
                except ItemError:
                    continue  # it is counted by the check that every item can be asked


@check()
def declarations_are_sound(subject: TaskUnderTest) -> None:
    """Otherwise a run is planned for conditions or metrics that nobody can use."""
    task = subject.task
    if not isinstance(task.version, str) or not task.version:
        raise CheckError(f"version is {task.version!r}: a text that changes whenever a grade could change")
    if not task.conditions or not all(isinstance(one, Condition) for one in task.conditions):
        raise CheckError(f"conditions are {task.conditions!r}: at least one speechzoo.Condition")
    names = [metric.name for metric in task.metrics]
    if not names or len(set(names)) < len(names):
        raise CheckError(f"metrics are {names}: at least one, each name once; the first states the losses")
    for metric in task.metrics:
        if metric.chance is not None and not _is_within(metric, metric.chance):
            raise CheckError(f"{metric.name}: chance {metric.chance} is not within {_bounds(metric)}")


@check()
def ids_are_unique(subject: TaskUnderTest) -> None:
    """Otherwise one item's answer is graded as another's."""
    # Raises on a duplicate id, an id that cannot be printed, attributes that reports cannot break down by.
    assert subject.items


@check(declarations_are_sound, ids_are_unique)
def every_item_can_be_asked(subject: TaskUnderTest) -> None:
    """Otherwise items are invalid before any model has seen them."""
    for item in subject.items:
        for condition in subject.task.conditions:
            try:
                subject.task.ask(item, condition)
            except ItemError as error:
                raise CheckError(f"item {item.id!r} cannot be asked under {condition}: {error}") from error


@check(every_item_can_be_asked)
def asks_fit_their_condition(subject: TaskUnderTest) -> None:
    """Otherwise a text condition is measured with speech, or a speech condition without."""
    for item, condition, ask in subject.asked(subject.items):
        # A spoken continuation is speech that is scored under its condition.
        spoken = [*clips_of(dialogue_of(ask)), *(p for p in continuations_of(ask) if not isinstance(p, str))]
        if bool(spoken) != condition.speech_in:
            has = "clips" if spoken else "no clip"
            raise CheckError(f"item {item.id!r} under {condition} has {has} in its ask")
        if getattr(ask, "speech", False) != condition.speech_out:
            raise CheckError(f"item {item.id!r} under {condition} asks speech={not condition.speech_out}")


@check(every_item_can_be_asked)
def clips_can_be_read(subject: TaskUnderTest) -> None:
    """Otherwise every model fails on the same damaged files."""
    clips = [clip for _, _, ask in subject.asked(subject.some) for clip in clips_of(dialogue_of(ask))]
    for clip in clips:
        try:
            clip.samples()
        except ItemError as error:
            raise CheckError(str(error)) from error


@check(clips_can_be_read)
def items_stay_the_same(subject: TaskUnderTest) -> None:
    """Otherwise answers on disk do not count when a run is resumed, and two runs are not comparable."""
    again = TaskUnderTest(subject.make)
    if [item.id for item in subject.items] != [item.id for item in again.items]:
        raise CheckError(
            "made twice, the task lists other items or another order: sort them, draw with a seed"
        )
    if _digests(subject) != _digests(again):
        raise CheckError("made twice, the task asks about the same item in other words: draw with a seed")


@check(every_item_can_be_asked)
def answers_can_be_graded(subject: TaskUnderTest) -> None:
    """Otherwise the work of a model is thrown away at the end of a run."""
    for condition, outcomes in subject.outcomes.items():
        grades = [one for one in outcomes if isinstance(one, Grade)]
        if not grades:
            raise CheckError(f"no answer of the check can be graded under {condition}: {outcomes[:1]}")
        for grade in grades:
            _check_grade(subject.task.metrics, grade, condition)
        asked = subject.asked(_graded_items(subject, condition))
        asks = [ask for _, own, ask in asked if own == condition]
        for ask, one in zip(asks, outcomes, strict=True):
            if isinstance(one, Grade) and one.by_turn:
                _check_turns(subject.task.metrics, one.by_turn, ask, condition)


@check(every_item_can_be_asked)
def an_empty_reply_is_an_outcome(subject: TaskUnderTest) -> None:
    """Otherwise a model that says nothing counts as a fault of the task, or worse."""
    replies = [
        (item, condition, ask)
        for item, condition, ask in subject.asked(_graded_items(subject, Condition.T2T))
        if not score_asks(ask) and not condition.speech_out
    ]
    if not replies:
        raise NotApplicableError("it asks for no replies in text")
    for item, condition, ask in replies:
        empty = ReplyAnswer("")
        answer = DialogueAnswer((empty,) * len(ask.turns)) if isinstance(ask, DialogueAsk) else empty
        try:
            subject.task.grade(item, condition, _judged(subject.task, item, condition, answer))
        except ItemError:
            continue
        except Exception as error:
            raise CheckError(
                f"item {item.id!r}: an empty reply raises {type(error).__name__}: {error}; give a Failure"
            ) from error


@check(answers_can_be_graded)
def grading_repeats(subject: TaskUnderTest) -> None:
    """Otherwise the same answers have another accuracy after each resumption."""
    for condition, outcomes in subject.outcomes.items():
        if list(_graded(subject, condition)) != outcomes:
            raise CheckError(f"under {condition} the same answer is graded twice with two results")


@check(answers_can_be_graded)
def chance_levels_are_true(subject: TaskUnderTest) -> None:
    """Otherwise what is left above chance, which losses are divided by, is wrong."""
    condition = _scored_condition(subject)
    stated = [metric for metric in subject.task.metrics if metric.chance is not None]
    if not stated:
        raise NotApplicableError("no metric states a chance level")
    grades = list(_random_grades(subject, condition))
    for metric in stated:
        having = [grade for grade in grades if metric.name in grade.values]
        values = [(grade.values[metric.name], grade.weight) for grade in having]
        mean, error = _weighted_mean(values)
        if abs(mean - float(metric.chance or 0)) > ERRORS * error + 1e-9:
            raise CheckError(
                f"{metric.name}: chance is declared as {metric.chance:g}, {len(values)} random answers under "
                f"{condition} have {mean:.3f} (standard error {error:.3f})"
            )


@check(chance_levels_are_true)
def equal_scores_are_ties(subject: TaskUnderTest) -> None:
    """Otherwise a model that cannot tell two endings apart is right, or wrong, without a word."""
    condition = _scored_condition(subject)
    for item, own, ask in subject.asked(subject.some):
        if own != condition:
            continue
        equal = ContinuationScore(-float(TOKENS), TOKENS)
        grade = subject.task.grade(item, own, ScoreAnswer((equal,) * len(continuations_of(ask))))
        metric = subject.task.metrics[0]
        if isinstance(grade, Grade) and not grade.tie and grade.values.get(metric.name) != metric.chance:
            raise CheckError(
                f"item {item.id!r}: all continuations have one score, {metric.name} is "
                f"{grade.values.get(metric.name)} and nothing marks the tie: set Grade(tie=True)"
            )


TASK_CHECKS = (
    declarations_are_sound,
    ids_are_unique,
    every_item_can_be_asked,
    asks_fit_their_condition,
    clips_can_be_read,
    items_stay_the_same,
    answers_can_be_graded,
    an_empty_reply_is_an_outcome,
    grading_repeats,
    chance_levels_are_true,
    equal_scores_are_ties,
)


def _digests(subject: TaskUnderTest) -> list[str]:
    return [ask_digest(ask) for _, _, ask in subject.asked(subject.some)]


def _random_answer(ask: Ask, condition: Condition, draws: np.random.Generator) -> Answer:
    """Scores as of a model that knows nothing, or a reply that has nothing to do with the question."""
    if isinstance(ask, DialogueAsk) or not score_asks(ask):
        clip = probes.VIOLIN if condition.speech_out else None
        reply = ReplyAnswer(probes.VIOLIN.transcript, clip)
        return DialogueAnswer((reply,) * len(ask.turns)) if isinstance(ask, DialogueAsk) else reply
    count = len(continuations_of(ask))
    # Of equal length, so that dividing by it changes nothing.
    scores, prior = (
        tuple(ContinuationScore(-TOKENS * loss, TOKENS) for loss in draws.exponential(2.0, count).tolist())
        for _ in range(2)
    )
    return ScoreAnswer(scores, prior=prior)


def _graded(subject: TaskUnderTest, condition: Condition) -> Iterator[Grade | Failure]:
    draws = np.random.default_rng(0)
    for item, own, ask in subject.asked(_graded_items(subject, condition)):
        if own == condition:
            answer = _random_answer(ask, condition, draws)
            try:
                yield subject.task.grade(item, condition, _judged(subject.task, item, condition, answer))
            except SetupError as error:
                raise NotApplicableError(f"this machine cannot grade: {error}") from error


def _graded_items(subject: TaskUnderTest, condition: Condition) -> list[Item]:
    return subject.some[:SLOW] if condition.speech_out or is_judged(subject.task) else subject.some


def _judged(task: Task, item: Item, condition: Condition, answer: Answer) -> Answer:
    """The answer as a run hands it over: with what the task's own judge says of it."""
    if not is_judged(task) or isinstance(answer, ScoreAnswer):
        return answer
    told = task.judge.judge(task.to_judge(item, condition, answer))
    no_form = Failure("judge_error", "no valid form")
    judgements = (no_form if isinstance(one, Judgement) and one.answer is None else one for one in told)
    return replace(answer, judgements=tuple(judgements))


def _check_grade(metrics: Sequence[Metric], grade: Grade, condition: Condition) -> None:
    declared = {metric.name: metric for metric in metrics}
    if metrics[0].name not in grade.values:
        raise CheckError(f"under {condition} a grade lacks the first metric, {metrics[0].name}")
    for name, value in grade.values.items():
        if name not in declared:
            raise CheckError(f"under {condition} a grade has {name!r}, which no metric declares")
        if not _is_within(declared[name], value):
            raise CheckError(f"{name} is {value}, declared within {_bounds(declared[name])}")
    if not (math.isfinite(grade.weight) and grade.weight > 0):
        raise CheckError(f"a grade has the weight {grade.weight}")
    try:
        json.dumps(dict(grade.details))
    except TypeError as error:
        raise CheckError(f"details of a grade are no plain JSON: {error}") from error


def _check_turns(
    metrics: Sequence[Metric], by_turn: Sequence[Mapping[str, float]], ask: Ask, condition: Condition
) -> None:
    declared = {metric.name: metric for metric in metrics}
    if isinstance(ask, DialogueAsk) and len(by_turn) != len(ask.turns):
        raise CheckError(
            f"under {condition} {len(ask.turns)} turns were asked, a grade has {len(by_turn)} by turn: "
            "give each a mapping, an empty one if it has no value"
        )
    for number, turn in enumerate(by_turn, start=1):
        for name, value in turn.items():
            if not isinstance(value, Real) or not math.isfinite(value):
                raise CheckError(f"under {condition} {name} of turn {number} is {value!r}, no finite number")
            if name in declared and not _is_within(declared[name], float(value)):
                raise CheckError(
                    f"{name} of turn {number} is {value}, declared within {_bounds(declared[name])}"
                )


def _is_within(metric: Metric, value: float) -> bool:
    return metric.low <= value < math.inf and (metric.high is None or value <= metric.high)


def _bounds(metric: Metric) -> str:
    return f"{metric.low} to {'infinity' if metric.high is None else metric.high}"


def _scored_condition(subject: TaskUnderTest) -> Condition:
    scored = [own for _, own, ask in subject.asked(subject.some[:1]) if score_asks(ask)]
    if not scored:
        raise NotApplicableError("it asks for no scores, so no answer can be drawn at random")
    return scored[0]


def _random_grades(subject: TaskUnderTest, condition: Condition) -> Iterator[Grade]:
    draws = np.random.default_rng(0)
    asked = [(item, ask) for item, own, ask in subject.asked(subject.items) if own == condition]
    for _ in range(math.ceil(DRAWS / len(asked))):
        for item, ask in asked:
            grade = subject.task.grade(item, condition, _random_answer(ask, condition, draws))
            if isinstance(grade, Grade):
                yield grade


def _weighted_mean(values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean, and its standard error."""
    worth, weight = np.array(values).T
    mean = float((worth * weight).sum() / weight.sum())
    return mean, float(np.sqrt((weight**2 * (worth - mean) ** 2).sum()) / weight.sum())
