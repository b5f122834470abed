"""Runs of lm-eval on the same documents, side by side."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean
from typing import Any

from speechzoo import Condition, Failure, Grade, Item, Metric, SpeechzooError
from speechzoo.asks import Ask
from speechzoo.run.describe import digest

from speechzoo_lm_eval.arms import Arm, content_of, refuse_unlike
from speechzoo_lm_eval.asking import DocumentKey
from speechzoo_lm_eval.metrics import MAIN, Document, Scores, by_choice

InCondition = tuple[str, Condition]
"""An item's id and a condition."""

GENERATED = (
    "Choices are told from replies to the prompt with its options (answers=generated), not from likelihoods: "
    "acc is not that of scored choices, and acc_norm is the same as acc."
)
GRADING = ("output_type", "doc_to_target", "doc_to_choice", "process_results", "filter_list", "metric_list")
"""What of a task's configuration makes metrics of replies; what it asks is in the asks themselves."""


@dataclass(frozen=True)
class Documents:
    """All arms, document by document. Tasks without a metric that can be paired are left out, with a note.

    Raises:
        SpeechzooError: the arms are not of the same documents, or of no task a metric can be paired.
    """

    arms: Sequence[Arm]
    metric: str | None = None

    def __post_init__(self) -> None:
        refuse_unlike(self.arms)
        if not self.tasks:
            raise SpeechzooError(f"no metric can be paired by document. {' '.join(self._of_metrics())}")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return tuple(dict.fromkeys(arm.condition for arm in self.arms if arm.role == "model"))

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Those with a metric that can be paired."""
        return tuple(task for task in self.arms[0].scores if self._paired(task))

    @cached_property
    def data(self) -> str:
        """Digest of the documents and of what is right, by lm-eval's hashes of both."""
        own = self.arms[0].scores
        of_documents = [(own[task].documents[number], name) for (task, number), name in self._names.items()]
        return digest([[name, one.hash, one.target_hash] for one, name in of_documents])[:16]

    @cached_property
    def rules(self) -> str:
        """Digest of the configurations that metrics of replies were made by."""
        return digest([*sorted({_rules(arm.results["configs"], self.tasks) for arm in self.arms})])[:16]

    @cached_property
    def items(self) -> tuple[Item, ...]:
        scores = self.arms[0].scores
        return tuple(
            Item(
                name,
                {},
                {"subset": task},
                chance=_chance(scores[task].documents[number], self._own_main[task]),
            )
            for (task, number), name in self._names.items()
        )

    @cached_property
    def asks(self) -> dict[InCondition, Ask | Failure]:
        return {
            (name, arm.condition): arm.exchanges[key].ask
            for arm in reversed(self.arms)
            for key, name in self._names.items()
        }

    @cached_property
    def grades(self) -> dict[tuple[str, Condition, str], Grade]:
        return {
            (name, arm.condition, content_of(answer)): self._grade(arm.scores[task], task, number)
            for arm in self.arms
            for (task, number), name in self._names.items()
            if not isinstance(answer := arm.exchanges[task, number].answer, Failure)
        }

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The one that losses are stated in comes first."""
        of_tasks = [name for task in self.tasks for name in self._paired(task)]
        return tuple(self._metric(name) for name in dict.fromkeys([self._shared or MAIN, *of_tasks]))

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self._of_metrics(), *self._of_arms()]))

    @cached_property
    def _names(self) -> dict[DocumentKey, str]:
        """Ids of items, by task and number."""
        scores = self.arms[0].scores
        return {(task, n): f"{task}/{n}" for task in self.tasks for n in scores[task].documents}

    @cached_property
    def _shared(self) -> str | None:
        """The metric of all tasks that losses are stated in, None if they share none."""
        first, *others = [self._paired(task) for task in self.tasks]
        shared = [name for name in first if all(name in names for names in others)]
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
        """Metrics that every arm has a number of for each document it has an answer to."""
        first, *others = [arm.scores[task].paired for arm in self.arms]
        return [name for name in first if all(name in other for other in others)]

    def _metric(self, name: str) -> Metric:
        own = {task: self._own_main[task] for task in self.tasks}
        if name != MAIN:
            own = {task: name for task in self.tasks if name in self._paired(task)}
        scores = [(arm.scores[task], key) for arm in self.arms for task, key in own.items()]
        documents = [(document, key) for one, key in scores for document in one.documents.values()]
        # Of documents without an answer there are none.
        values = [document.values[key] for document, key in documents if key in document.values]
        better = {one.higher_is_better.get(key.partition(",")[0], True) for one, key in scores}
        if len(better) > 1:
            raise SpeechzooError(f"{name}: higher is better in some tasks and worse in others")
        chances = [_chance(document, key) for document, key in documents]
        return Metric(
            name,
            chance=None if None in chances else mean(chance for chance in chances if chance is not None),
            higher_is_better=better.pop(),
            low=min([0.0, *values]),
            high=1.0 if max([0.0, *values]) <= 1 else None,
        )

    def _grade(self, scores: Scores, task: str, number: int) -> Grade:
        document = scores.documents[number]
        values = {name: document.values[name] for name in self._paired(task)}
        if self._shared is None:
            values[MAIN] = values[self._own_main[task]]
        return Grade(values, details={"target": document.target, "response": document.response})

    def _of_metrics(self) -> Iterator[str]:
        for task, scores in self.arms[0].scores.items():
            for arm in self.arms:
                for name, reason in arm.scores[task].unpaired.items():
                    yield f"{name} of {task} is not paired: {reason}."
            if task not in self.tasks and scores.documents:
                yield f"{task} is left out: it has no metric that can be paired by document."
        if self.tasks and self._shared is None:
            told = ", ".join(f"{name} of {task}" for task, name in self._own_main.items())
            yield f"The tasks share no metric; {MAIN} is {told}."

    def _of_arms(self) -> Iterator[str]:
        for arm in self.arms:
            own = arm.lm.settings
            if arm.lm.has_spoken:
                told = f"{own.spoken} was spoken by {own.voice}, as one reads aloud"
                yield f"{told}; the rest of a prompt was text."
            if own.answers == "generated":
                yield GENERATED
            if doubts := arm.lm.doubts():
                yield f"{own.model}, {own.mode} in: {doubts}; here they are left out and counted."


def _chance(document: Document, metric: str) -> float | None:
    return 1 / document.options if document.options and by_choice(metric) else None


def _rules(configs: Mapping[str, Mapping[str, Any]], tasks: Sequence[str]) -> str:
    told = {task: {name: configs[task].get(name) for name in GRADING} for task in tasks}
    # A function whose source lm-eval did not find is told by its place in memory.
    return re.sub(r" at 0x[0-9a-f]+", "", json.dumps(told, sort_keys=True, default=str))
