"""Runs of lm-eval on the same documents, side by side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean
from typing import Any

from speechzoo import (
    Condition,
    Failure,
    Grade,
    Item,
    Metric,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    SpeechzooError,
)
from speechzoo.asks import Answer, Ask, MultiScoreAsk
from speechzoo.run.describe import digest
from speechzoo.run.records import Role, writable

from speechzoo_lm_eval.asking import Exchange
from speechzoo_lm_eval.metrics import MAIN, Scores, by_choice, read_scores
from speechzoo_lm_eval.model import SpeechzooLM

InCondition = tuple[str, Condition]
"""An item's id and a condition."""


@dataclass(frozen=True)
class Arm:
    """One run of lm-eval.

    Attributes:
        lm: what answered it.
        results: as ``simple_evaluate`` returns them, with samples.
        role: of the model in the report; a ``rival`` is what the model is held against.
    """

    lm: SpeechzooLM
    results: Mapping[str, Any]
    role: Role = "model"

    @property
    def condition(self) -> Condition:
        return self.lm.settings.condition

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """By task."""
        return {task: read_scores(self.results, task) for task in self.results["samples"]}

    @cached_property
    def exchanges(self) -> dict[str, Exchange]:
        """By the ids of items."""
        documents = self.lm.documents
        return {f"{task}/{number}": _joined(own) for (task, number), own in documents.items()}


@dataclass(frozen=True)
class Documents:
    """All arms, document by document.

    Raises:
        SpeechzooError: the arms are not of the same documents, or no metric is a document's own.
    """

    arms: Sequence[Arm]
    metric: str | None = None

    def __post_init__(self) -> None:
        first = self.arms[0]
        for arm in self.arms:
            if arm.scores.keys() != first.scores.keys():
                raise SpeechzooError(
                    f"the runs have other tasks: {sorted(first.scores)} and {sorted(arm.scores)}"
                )
            for task, scores in arm.scores.items():
                _refuse_other_documents(task, first.scores[task], scores)
                if not {f"{task}/{number}" for number in scores.documents} <= arm.exchanges.keys():
                    raise SpeechzooError(
                        f"{task}: {arm.lm} was not asked about every document, as lm-eval's "
                        "cache answered for it: run it without use_cache (SpeechzooLM has a record)"
                    )

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return tuple(dict.fromkeys(arm.condition for arm in self.arms if arm.role == "model"))

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self.arms[0].scores)

    @cached_property
    def items(self) -> tuple[Item, ...]:
        return tuple(
            Item(
                f"{task}/{number}",
                {},
                {"subset": task},
                chance=1 / document.options if document.options and by_choice(self._own_main[task]) else None,
            )
            for task, scores in self.arms[0].scores.items()
            for number, document in scores.documents.items()
        )

    @cached_property
    def asks(self) -> dict[InCondition, Ask | Failure]:
        return {
            (name, arm.condition): exchange.ask
            for arm in reversed(self.arms)
            for name, exchange in arm.exchanges.items()
        }

    @cached_property
    def grades(self) -> dict[tuple[str, Condition, str], Grade]:
        return {
            (name, arm.condition, content_of(exchange.answer)): self._grade(arm, name)
            for arm in self.arms
            for name, exchange in arm.exchanges.items()
            if not isinstance(exchange.answer, Failure)
        }

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The one that losses are stated in comes first."""
        of_tasks = [name for task in self.tasks for name in self._paired(task)]
        return tuple(self._metric(name) for name in dict.fromkeys([self._shared or MAIN, *of_tasks]))

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._notes()))

    @cached_property
    def _shared(self) -> str | None:
        """The metric of all tasks that losses are stated in, None if they share none."""
        of_tasks = [self._paired(task) for task in self.tasks]
        if lacking := [task for task, names in zip(self.tasks, of_tasks, strict=True) if not names]:
            told = "; ".join(self._notes())
            raise SpeechzooError(f"{', '.join(lacking)}: no metric can be paired by document. {told}")
        shared = [name for name in of_tasks[0] if all(name in names for names in of_tasks)]
        if self.metric is None:
            return shared[0] if shared else None
        if self.metric not in shared:
            offered = ", ".join(shared) or "none"
            raise SpeechzooError(f"--metric {self.metric} is not one of all tasks; there are: {offered}")
        return self.metric

    @cached_property
    def _own_main(self) -> dict[str, str]:
        """The metric that losses are stated in, by task."""
        return {task: self._shared or self._paired(task)[0] for task in self.tasks}

    def _paired(self, task: str) -> list[str]:
        """Metrics that every arm has a number of for each document."""
        first, *others = [arm.scores[task].paired for arm in self.arms]
        return [name for name in first if all(name in other for other in others)]

    def _metric(self, name: str) -> Metric:
        tasks = [t for t in self.tasks if name == MAIN or name in self._paired(t)]
        own = {task: self._own_main[task] if name == MAIN else name for task in tasks}
        scores = [(arm.scores[task], own[task]) for arm in self.arms for task in tasks]
        values = [document.values[key] for one, key in scores for document in one.documents.values()]
        better = {one.higher_is_better.get(key.partition(",")[0], True) for one, key in scores}
        if len(better) > 1:
            raise SpeechzooError(f"{name}: higher is better in some tasks and worse in others")
        chances = [1 / d.options for one, key in scores for d in one.documents.values() if d.options]
        by_choices = len(chances) == len(values) and all(by_choice(key) for _, key in scores)
        return Metric(
            name,
            chance=mean(chances) if by_choices else None,
            higher_is_better=better.pop(),
            low=min(0.0, *values),
            high=1.0 if max(values) <= 1 else None,
        )

    def _grade(self, arm: Arm, name: str) -> Grade:
        task, _, number = name.rpartition("/")
        document = arm.scores[task].documents[int(number)]
        values = {name: document.values[name] for name in self._paired(task)}
        if self._shared is None:
            values[MAIN] = values[self._own_main[task]]
        return Grade(values, details={"target": document.target, "response": document.response})

    def _notes(self) -> Iterator[str]:
        for task in self.tasks:
            for arm in self.arms:
                for name, reason in arm.scores[task].unpaired.items():
                    yield f"{name} of {task} is not paired: {reason}."
        if all(self._paired(task) for task in self.tasks) and self._shared is None:
            told = ", ".join(f"{name} of {task}" for task, name in self._own_main.items())
            yield f"The tasks share no metric; {MAIN} is {told}."
        for arm in self.arms:
            own = arm.lm.settings
            if arm.lm.has_spoken:
                told = f"{own.spoken} was spoken by {own.voice}, as one reads aloud"
                yield f"{told}; the rest of a prompt was text."
            if failed := arm.lm.failures():
                told = ", ".join(f"{count} {reason}" for reason, count in failed.most_common())
                yield (
                    f"{own.model}, {own.mode} in: lm-eval's own figures count {failed.total()} documents "
                    f"without an answer ({told}) at random; here they are left out and counted."
                )


def _refuse_other_documents(task: str, one: Scores, two: Scores) -> None:
    numbers = one.documents.keys() | two.documents.keys()
    for number in sorted(numbers):
        pair = one.documents.get(number), two.documents.get(number)
        if pair[0] is None or pair[1] is None or pair[0].hash != pair[1].hash:
            raise SpeechzooError(
                f"{task}: document {number} is not the same in all runs (lm-eval's doc_hash): its data "
                "changed between them, or other documents were asked for"
            )


def _joined(exchanges: Sequence[Exchange]) -> Exchange:
    """All that was asked about one document as one ask."""
    for exchange in exchanges:
        if isinstance(exchange.ask, Failure):
            return exchange
    distinct = list(dict.fromkeys(exchange.ask for exchange in exchanges))
    if len(distinct) == 1 and isinstance(distinct[0], ScoreAsk | ReplyAsk):
        return exchanges[0]
    asks = [ask for ask in distinct if isinstance(ask, ScoreAsk)]
    if len(asks) < len(distinct):
        told = Failure("several_replies", "one document asks for several replies, which no stage can hold")
        return Exchange(told, told)
    failed = next((one.answer for one in exchanges if isinstance(one.answer, Failure)), None)
    answers = [one.answer for one in exchanges if isinstance(one.answer, ScoreAnswer)]
    every = tuple(one.ask for one in exchanges if isinstance(one.ask, ScoreAsk))
    return Exchange(MultiScoreAsk(every), failed or _as_one(answers))


def _as_one(answers: Sequence[ScoreAnswer]) -> ScoreAnswer:
    heard = [answer.heard for answer in answers if answer.heard is not None]
    return ScoreAnswer(
        tuple(score for answer in answers for score in answer.scores),
        heard=" ".join(heard) if heard else None,
    )


def content_of(answer: Answer | Failure) -> str:
    """What lm-eval's metrics were made from; the same before it was written down and after."""
    if isinstance(answer, ScoreAnswer):
        return digest([float(score.log_likelihood) for score in answer.scores])
    assert isinstance(answer, ReplyAnswer)
    text = None if answer.text is None else writable(answer.text)
    return digest([text, answer.clip.digest if answer.clip else None])
