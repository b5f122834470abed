"""The curve over training steps as data. Views print it and compute nothing; ``curve.json`` is this."""

from typing import Literal

from speechzoo.gap.terms import Estimate, Finding, StageName
from speechzoo.run.records import MetricInfo

SCHEMA_VERSION = 1

Tracked = StageName | Literal["drop"]
Verdict = Literal["ahead", "behind", "not settled", "no difference shown"]


class Value(Finding):
    """One stage at one checkpoint.

    Attributes:
        planned: items that were to be asked.
        invalid: how many of them have no value, by reason.
        estimate: weighted mean of the primary metric over the line's items; null if no item is valid.
        others: the same of the task's other metrics, where they apply.
    """

    planned: int
    invalid: dict[str, int]
    estimate: Estimate | None
    others: dict[str, Estimate]


class Point(Finding):
    """One checkpoint: its training step, its stages, and the loss between the line's two ends."""

    step: int
    stages: dict[StageName, Value]
    drop: Estimate | None


class StepTest(Finding):
    """Two checkpoints over the same items.

    Attributes:
        what: a stage, or the drop.
        step: of the checkpoint under test.
        reference: of the one it is held against.
        lead: what ``step`` is better by (its drop: smaller by); negative if the reference is.
        better: items on which it is better.
        worse: items on which the reference is.
        p: exact McNemar p (an exact sign test if values are fractional).
        p_flip: p of the lead from flipping the signs of whole clusters' weighted differences; null where
            items are right or wrong, weigh the same and share nothing.
        p_holm: the deciding p, ``p_flip`` where there is one, adjusted for all tests of its kind in the
            curve (Holm 1979): those of the last checkpoint against the first, or those against the best.
        verdict: what interval and adjusted p carry.
    """

    what: Tracked
    step: int
    reference: int
    lead: Estimate
    better: int
    worse: int
    p: float
    p_flip: float | None
    p_holm: float
    verdict: Verdict


class Line(Finding):
    """The curve over one set of items.

    Attributes:
        subset: value of the items' attribute ``subset``; null for all items.
        speech_scored: it is of scores of speech continuations, which are never compared with others.
        stages: those measured, in words.
        ends: the two stages that the drop lies between; null if there is no such pair.
        items_planned: items that were to be asked.
        items_used: those valid in every stage at every checkpoint: all values are over them.
        items_by_metric: those of them that have another metric wherever it applies.
        points: in the order of the steps.
        best: the step with the best value, by stage of the model; the earliest of equals.
        last_against_first: of every stage of the model, and of the drop.
        against_best: every other checkpoint against the best, by stage of the model.
    """

    subset: str | None
    speech_scored: bool
    stages: dict[StageName, str]
    ends: tuple[StageName, StageName] | None
    items_planned: int
    items_used: int
    items_by_metric: dict[str, int]
    points: tuple[Point, ...]
    best: dict[StageName, int]
    last_against_first: tuple[StepTest, ...]
    against_best: tuple[StepTest, ...]


class Missing(Finding):
    """A checkpoint that is not in the curve, and why: the first and the last line of what was told."""

    step: int
    reason: str


class Curve(Finding):
    """A training's checkpoints on one task: ``curve.json``.

    Attributes:
        schema_version: of this layout.
        title: model and task.
        headline: the main finding in a sentence.
        metric: the primary one.
        percent: show it as a percentage.
        others: the task's other metrics.
        missing: checkpoints without a value.
        warnings: what a reader must know before believing the numbers.
        notes: what the p values mean.
        signatures: of each checkpoint's run, by step.
        lines: all items first, then each subset, if there are several.
    """

    schema_version: int = SCHEMA_VERSION
    title: str
    headline: str
    metric: MetricInfo
    percent: bool
    others: tuple[MetricInfo, ...]
    missing: tuple[Missing, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    signatures: dict[int, str]
    lines: tuple[Line, ...]
