"""What a task must be able to do: list its items, ask about one, grade the answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard

from speechzoo.asks import Answer, Ask, Failure
from speechzoo.judging import JudgeAsk
from speechzoo.services import Judge
from speechzoo.specs import Condition


@dataclass(frozen=True)
class Metric:
    """A number a task gives each item.

    Attributes:
        name: key in `Grade.values`.
        chance: expected value of an answer drawn at random, if that is known.
        higher_is_better: direction; None for what is neither better nor worse, such as a length. A task's
            first metric has one.
        low: smallest possible value; with ``high`` it bounds what invalid items could be worth.
        high: largest possible value, or None if there is none.
        invalid_counts_as: where published values are over all items, what a failed item counts as beside
            them, by the reason of its failure: ``{"unparsed": 0.25}``; any other reason counts as the worst
            value, which must have a bound. None where published values leave such items out; a metric after
            the first then stands beside no published value, as it is over what the first could read.
    """

    name: str
    chance: float | None = None
    higher_is_better: bool | None = True
    low: float = 0.0
    high: float | None = 1.0
    invalid_counts_as: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One example.

    Attributes:
        id: stable and unique within the task.
        data: whatever the task needs to ask and grade; plain JSON types and clips.
        attributes: what the report breaks results down by, such as ``{"voice": "joe"}``.
        cluster: items that share material have one cluster: they are resampled together.
        chance: expected value of the first metric for an answer drawn at random, where it is another
            than `Metric.chance` says of all items.
    """

    id: str
    data: Mapping[str, Any]
    attributes: Mapping[str, str | int | float] = field(default_factory=dict)
    cluster: str | None = None
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Grade:
    """What an answer is worth.

    Attributes:
        values: a finite number for each metric that applies.
        weight: comparisons behind the values; means over items are weighted by it.
        tie: the answer was decided by a rule for ties.
        details: shown with the item: the parsed answer, the transcript of a spoken reply, ...
        by_turn: of a dialogue, finite numbers by name for each of its turns, in order; empty where turns are
            not looked at. A turn without a value, as one that failed, has an empty mapping. A name that is a
            metric's means the same of one turn: it is shown in that metric's unit.
    """

    values: Mapping[str, float]
    weight: float = 1.0
    tie: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)
    by_turn: Sequence[Mapping[str, float]] = ()


class Task(Protocol):
    """A loaded task: made as ``Class(setup, **parameters)``.

    Attributes:
        version: changes whenever a grade could change; part of every run's fingerprint.
        conditions: in which the items can be asked.
        metrics: the first is the one that losses are stated in.

    A task may have ``notes``, a sequence of sentences about its data that a reader of the report must
    know, and items with the attribute ``subset``, which reports go into first.
    """

    version: str
    conditions: tuple[Condition, ...]
    metrics: tuple[Metric, ...]

    def items(self) -> Iterable[Item]:
        """Every item, in a stable order."""
        ...

    def ask(self, item: Item, condition: Condition) -> Ask:
        """The item as an ask. Raises `ItemError` if it cannot be asked."""
        ...

    def grade(self, item: Item, condition: Condition, answer: Answer) -> Grade | Failure:
        """The answer's worth, or why it has none (``unparsed``, ...)."""
        ...


class JudgedTask(Task, Protocol):
    """A task whose grades need a judge's opinion.

    The runner asks the judge and keeps what it said in the run's folder; no valid judgement is asked for
    twice. The judgements come with the answer that is to be graded.

    Attributes:
        judge: its part of that name, ``setup.part("judge")``.
    """

    judge: Judge

    def to_judge(self, item: Item, condition: Condition, answer: Answer) -> Sequence[JudgeAsk]:
        """What the judge is asked about an answer. Raises `ItemError` if it cannot be judged."""
        ...


def is_judged(task: Task) -> TypeGuard[JudgedTask]:
    """Whether the task's grades need a judge. Looks at nothing that would load one."""
    return hasattr(task, "to_judge")
