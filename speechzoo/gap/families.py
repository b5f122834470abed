"""Stages that may be compared with each other: those scored over speech tokens never with the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from speechzoo.gap.findings import MetricRow, Step
from speechzoo.gap.sample import Sample, common_items, other_samples, sample
from speechzoo.gap.stages import MAIN_FIRST, SPEECH_STEPS, STEPS, Measured, arms_of, measured, steps
from speechzoo.gap.terms import StageName
from speechzoo.gap.wording import is_percentage
from speechzoo.run.records import Results


@dataclass(frozen=True)
class Family:
    """Stages over the same items.

    Attributes:
        stages: in the report's order.
        items: valid in every stage that has any valid item.
        samples: of the metrics that have values on them, by name.
        primary: the name of the one that losses are stated in.
        steps: between the stages.
    """

    stages: tuple[Measured, ...]
    items: tuple[str, ...]
    samples: dict[str, Sample]
    primary: str
    steps: tuple[Step, ...]

    @property
    def speech_scored(self) -> bool:
        return self.stages[0].speech_scored

    @property
    def shared(self) -> Sample | None:
        """Of the primary metric."""
        return self.samples.get(self.primary)

    @cached_property
    def main(self) -> Step | None:
        """The step that says most."""
        return min(self.steps, key=lambda step: MAIN_FIRST.index(step.name), default=None)

    @property
    def ends(self) -> tuple[StageName, StageName] | None:
        """Of the main step."""
        return (self.main.first, self.main.second) if self.main else None


def families(results: Results) -> list[Family]:
    """Of a run; the one with the main step first."""
    stages = measured(results)
    groups = [[stage for stage in stages if stage.speech_scored == spoken] for spoken in (False, True)]
    found = [_family(group, results) for group in groups if group]
    return sorted(found, key=_rank)


def _rank(family: Family) -> int:
    if family.main is not None:
        return MAIN_FIRST.index(family.main.name)
    return len(MAIN_FIRST) + (family.shared is None)


def _family(stages: Sequence[Measured], results: Results) -> Family:
    metric = results.run.task.metrics[0]
    arms = arms_of(stages)
    items = common_items(arms)
    shared = sample(arms, items, results)
    samples = {metric.name: shared} if shared else {}
    samples |= {one.metric.name: one for one in other_samples(arms, items, results)}
    between = SPEECH_STEPS if stages[0].speech_scored else STEPS
    found = tuple(steps(shared, is_percentage(metric), between))
    return Family(tuple(stages), tuple(items), samples, metric.name, found)


def metric_rows(family: Family) -> list[MetricRow]:
    """Every metric by stage, and what the family's main step costs."""
    return [_metric_row(family, own) for own in family.samples.values()]


def _metric_row(family: Family, own: Sample) -> MetricRow:
    step = family.main
    if step is not None and not {step.first, step.second} <= set(own.names):
        step = None
    names = [stage.place.name for stage in family.stages]
    return MetricRow(
        metric=own.metric,
        percent=is_percentage(own.metric),
        speech_scored=family.speech_scored,
        items=len(own.items),
        values={name: own.estimate(name) for name in names if name in own.names},
        step=step.name if step else None,
        loss=own.loss(step.first, step.second) if step and own.metric.higher_is_better is not None else None,
    )
