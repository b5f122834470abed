"""The report as data. Views print it and compute nothing; ``report.json`` is this, written down."""

from typing import Any, Literal

from pydantic import Field

from speechzoo.gap.invariance_findings import Invariance
from speechzoo.gap.terms import Estimate, Finding, StageName
from speechzoo.gap.turn_findings import TurnFinding
from speechzoo.run.records import MetricInfo, Role, RunFile, ShownAsk, Variant
from speechzoo.specs import Condition

SCHEMA_VERSION = 1


class Stage(Finding):
    """One system under one condition.

    Attributes:
        name: see `StageName`.
        role: which system.
        condition: input and output modality.
        words: the same in plain words.
        speech_scored: its values are over continuations in speech tokens. Such stages share items and
            steps with each other only.
        planned: items that were to be asked.
        valid: items with a value of the primary metric.
        used: items valid in every stage it may be compared with: those that ``estimate`` is over.
        estimate: weighted mean of the primary metric with its interval; null without items.
        method: how the interval was made.
        ties: valid items decided by a rule for ties.
        truncated: items with a reply cut at its token limit.
        invalid: how many items have no value, by reason.
        bounds: the value over all planned items if every invalid or truncated one were worth the
            metric's lowest or highest; null if the metric has no highest.
        wer: mean word error rate of what was heard.
        seconds: mean seconds an item by part of the work.
    """

    name: StageName
    role: Role
    condition: Condition
    words: str
    speech_scored: bool
    planned: int
    valid: int
    used: int
    estimate: Estimate | None
    method: Literal["wilson", "bootstrap"]
    ties: int
    truncated: int
    invalid: dict[str, int]
    bounds: tuple[float, float] | None
    wer: float | None
    seconds: dict[str, float]


class Step(Finding):
    """What is lost from one stage to the next, over the same items.

    Attributes:
        name: what the step adds: forgetting, hearing and thinking, ...
        first: the stage before.
        second: the stage after.
        loss: first - second (second - first where lower is better): positive is worse.
        p: exact McNemar p of lost against gained items (an exact sign test if values are fractional).
        p_flip: p of the loss from flipping the signs of whole clusters' weighted differences, which decides
            instead of ``p`` where items share material, differ in weight or are worth a part; null where
            items are right or wrong, weigh the same and share nothing.
        lost: items that are worth less in the second stage.
        gained: items that are worth more.
        relative: loss / first, null if first is 0.
        retention: (second - chance) / (first - chance); null unless first's interval is better than chance.
        smallest_loss: the smallest that a run like this one finds in 80 % of cases at a two-sided 5 %,
            (z(0.975) + z(0.8)) times the bootstrap's standard error of the paired difference (Cohen 1988,
            normal approximation), so clusters and weights are in it; null if nothing differs, or the
            metric is no percentage.
        items_for_point: how many items it would take to find a loss of 1 point as often:
            n (smallest_loss / 0.01)^2.
        verdict: one sentence that claims no more than interval and deciding p carry.
        clear: the verdict states a difference.
    """

    name: str
    first: StageName
    second: StageName
    loss: Estimate
    p: float
    p_flip: float | None
    lost: int
    gained: int
    relative: float | None
    retention: Estimate | None
    smallest_loss: float | None
    items_for_point: int | None
    verdict: str
    clear: bool


class MetricRow(Finding):
    """One metric of the task, weighted as the primary one.

    Attributes:
        metric: which.
        percent: show it as a percentage.
        speech_scored: the values are of stages that are; see `Stage`.
        items: used items that have it in every stage that has it at all: those the values are over.
        values: by stage.
        step: the step that ``loss`` is of, by name; null if there is none.
        loss: what is lost in it; positive is worse, whichever way the metric points. Null if it points
            nowhere.
    """

    metric: MetricInfo
    percent: bool
    speech_scored: bool
    items: int
    values: dict[StageName, Estimate]
    step: str | None
    loss: Estimate | None


class Group(Finding):
    """The items of one kind, and what the report's main step does to them.

    Attributes:
        label: which kind.
        items: how many.
        values: the primary metric by stage.
        loss: as in `Step`, and so are the fields below; null without a main step.
        lost: items worth less after the step.
        gained: items worth more.
        p: the deciding one (``p_flip`` where there is one), not adjusted for the number of groups.
        retention: as in `Step`, over the group's own chance level.
        smallest_loss: as in `Step`; in the breakdown by subset only.
        items_for_point: likewise.
        prior: the group's value without the context, over all of its items that have one; likewise.
    """

    label: str
    items: int
    values: dict[StageName, Estimate]
    loss: Estimate | None = None
    lost: int | None = None
    gained: int | None = None
    p: float | None = None
    retention: Estimate | None = None
    smallest_loss: float | None = None
    items_for_point: int | None = None
    prior: Estimate | None = None


class Breakdown(Finding):
    """The used items by one attribute."""

    name: str
    groups: tuple[Group, ...]


class PublishedValue(Finding):
    """What somebody printed: the system as its source calls it, and what to know before comparing."""

    system: str
    value: float
    source: str
    note: str


class MeasuredValue(Finding):
    """What this run measured of the same: which system, in which stage, and over how many items."""

    system: str
    stage: StageName
    words: str
    items: int
    estimate: Estimate


class PublishedTable(Finding):
    """Published values of one metric, and this run's own beside them.

    Attributes:
        subset: of the task; "" for the whole.
        condition: input and output modality.
        metric: of the task.
        percent: show it as a percentage.
        options: of the task, those that this run changed: ``ties=half``; "" if there are none.
        published: by others.
        measured: by this run, over its own items.
    """

    subset: str
    condition: Condition
    metric: str
    percent: bool
    options: str = ""
    published: tuple[PublishedValue, ...]
    measured: tuple[MeasuredValue, ...]


class Added(Finding):
    """What the spoken context adds to the value without any: whether what is heard is of use.

    Attributes:
        items: that have both values.
        gain: better is positive, whichever way the metric points.
        better: items worth more with the context.
        worse: items worth less with it.
        p: as in `Step`.
        p_flip: likewise.
        verdict: what interval and p carry, in words.
        clear: the verdict states a gain or a loss.
    """

    items: int
    gain: Estimate
    better: int
    worse: int
    p: float
    p_flip: float | None
    verdict: str
    clear: bool


class Prior(Finding):
    """The primary metric when the context is left out: what the answers alone give away.

    Attributes:
        items: that have a value.
        invalid: how many have none, by the reason.
        ties: that were decided by a rule.
        estimate: of the metric.
        verdict: against chance, in words.
        added: by the spoken context; null where nothing spoken was asked for a text.
    """

    items: int
    invalid: dict[str, int]
    ties: int
    estimate: Estimate
    verdict: str
    added: Added | None


class Probe(Finding):
    """Items asked again with other audio.

    Attributes:
        variant: what the audio was replaced by.
        items: how many could be compared.
        changed: items whose scores moved by more than 0.001 nats a token, or whose reply is another text.
        mean_change: mean |change of log-likelihood| a token, in nats; null for replies.
        mean_margin_change: mean |change of the score margin|, where the task grades one.
        original: value of the primary metric on these items as they are.
        altered: and with the other audio.
    """

    variant: Variant
    items: int
    changed: int
    mean_change: float | None
    mean_margin_change: float | None
    original: Estimate | None
    altered: Estimate | None


class Hearing(Finding):
    """Does the audio change the answers?

    Attributes:
        probes: what was tried.
        heard: the audio reaches most answers, be it by its content or its length alone; null if that
            could not be told.
        verdict: the same in words.
    """

    probes: tuple[Probe, ...]
    heard: bool | None
    verdict: str


class Cell(Finding):
    """One item in one stage: a value, or why it has none, and the answer behind it.

    ``scores`` are mean negative log-likelihoods a token, in the order of the continuations; ``clips``
    are spoken replies, relative to the run's folder.
    """

    value: float | None
    invalid: str | None = None
    invalid_detail: str = ""
    tie: bool = False
    truncated: bool = False
    text: str | None = None
    scores: tuple[float, ...] = ()
    heard: str | None = None
    wer: float | None = None
    clips: tuple[str, ...] = ()
    details: dict[str, Any] = Field(default_factory=dict)


Change = Literal["lost", "gained", "same", "invalid"]


class ItemRow(Finding):
    """One item across the stages.

    Attributes:
        id: as in the task.
        cluster: what it is resampled with.
        attributes: as in the task.
        asks: what was asked, by condition.
        cells: what came of it, by stage.
        change: what the main step did to it; null if the report has no step.
        gap: its loss in the main step, null if it is invalid on either side.
        margin_gap: the fall of the score margin in the main step, where the task grades one.
    """

    id: str
    cluster: str
    attributes: dict[str, str | int | float]
    asks: dict[Condition, ShownAsk]
    cells: dict[StageName, Cell]
    change: Change | None
    gap: float | None
    margin_gap: float | None


class Report(Finding):
    """One model on one task.

    Attributes:
        schema_version: of this layout.
        run: what was run: task, systems, options, revisions, signature.
        title: model and task, and through which channel and by which voice the clips are heard where they
            are not the data set's own.
        headline: the main finding in a sentence.
        metric: the primary one, that losses are stated in.
        percent: show it as a percentage.
        items_planned: items of the run.
        items_used: those valid in every stage that the main step's may be compared with and that has any
            valid item.
        warnings: what a reader must know before believing the numbers.
        notes: what the numbers are over.
        stages: in order, where measured.
        steps: between them.
        main: index in ``steps`` of the one that headline, breakdowns and item gaps are about.
        metrics: every metric of the task, the primary one first.
        by_turn: what the task tells of single turns; empty if it tells nothing.
        breakdowns: by the task's subsets, attributes, seconds of speech and word error rate.
        published: what others printed, beside what this run measured of the same.
        prior: null if it was not measured.
        hearing: null if the model was asked nothing spoken.
        invariance: whether answers depend on batches, order, workers and kills; null if it was not verified.
        items: one row each, in the task's order.
    """

    schema_version: int = SCHEMA_VERSION
    run: RunFile
    title: str
    headline: str
    metric: MetricInfo
    percent: bool
    items_planned: int
    items_used: int
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    stages: tuple[Stage, ...]
    steps: tuple[Step, ...]
    main: int | None
    metrics: tuple[MetricRow, ...]
    by_turn: tuple[TurnFinding, ...] = ()
    breakdowns: tuple[Breakdown, ...]
    published: tuple[PublishedTable, ...]
    prior: Prior | None
    hearing: Hearing | None
    invariance: Invariance | None = None
    items: tuple[ItemRow, ...]

    def planned_count(self) -> int:
        """Answers that were to be given, over all stages."""
        return sum(stage.planned for stage in self.stages)

    def invalid_count(self) -> int:
        """Those without a value."""
        return sum(stage.planned - stage.valid for stage in self.stages)
