"""What others printed, beside what this run measured of the same."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean

from speechzoo.asks import Failure
from speechzoo.gap.breakdowns import subset_items
from speechzoo.gap.families import Family
from speechzoo.gap.findings import MeasuredValue, PublishedTable, PublishedValue
from speechzoo.gap.sample import sample
from speechzoo.gap.series import UNFINISHED
from speechzoo.gap.stages import Measured
from speechzoo.gap.wording import is_percentage
from speechzoo.registry import Published
from speechzoo.run.grade import JUDGE_FAILURES
from speechzoo.run.records import MetricInfo, Results
from speechzoo.run.signature import text_of
from speechzoo.specs import Condition
from speechzoo.task import Grade

# Of the run rather than of the answer: a later call makes up for them.
_NOT_YET = {*UNFINISHED, *JUDGE_FAILURES}

Subject = tuple[str, Condition, str]


def published_tables(results: Results, families: Sequence[Family]) -> list[PublishedTable]:
    """One for each subset, condition and metric that somebody published and this run measured."""
    printed: defaultdict[Subject, list[Published]] = defaultdict(list)
    for value in results.run.task.published:
        printed[value.subset, value.condition, value.metric].append(value)
    percent = {metric.name: is_percentage(metric) for metric in results.run.task.metrics}
    return [
        PublishedTable(
            subset=subset,
            condition=condition,
            metric=metric,
            percent=percent[metric],
            options=", ".join(f"{name}={text_of(value)}" for name, value in results.run.task.changed.items()),
            published=tuple(
                PublishedValue(system=one.system, value=one.value, source=one.source, note=one.note)
                for one in values
            ),
            measured=measured,
        )
        for (subset, condition, metric), values in printed.items()
        if (measured := tuple(_measured(results, families, (subset, condition, metric))))
    ]


def _measured(results: Results, families: Sequence[Family], subject: Subject) -> Iterator[MeasuredValue]:
    """By the model and its base text LLM; the rival is nobody's published system."""
    subset, condition, name = subject
    if not subset and results.run.task.identity.get("parameters", {}).get("subset"):
        return  # a part of the task is not the whole
    metric = next((one for one in results.run.task.metrics if one.name == name), None)
    if metric is None or not _says_all(metric, results):
        return
    for source in (stage for family in families for stage in family.stages):
        place = source.place
        if place.condition == condition and place.role != "rival":
            items = subset_items(results, list(source.outcomes), subset) if subset else list(source.outcomes)
            yield from _of_stage(source.only(items), metric, results)


def _says_all(metric: MetricInfo, results: Results) -> bool:
    """Whether all items of an arm have a say in it.

    A metric after the first has values only where the first has, which could be the easier items.
    """
    return metric == results.run.task.metrics[0] or metric.invalid_counts_as is not None


def _of_stage(source: Measured, metric: MetricInfo, results: Results) -> Iterator[MeasuredValue]:
    """One stage alone, over all its items: those that failed in another stage only are its items too."""
    place = source.place
    failed = {
        item: outcome
        for item, outcome in source.outcomes.items()
        if isinstance(outcome, Failure) and outcome.reason not in _NOT_YET
    }
    valid = {
        item: grade
        for item, grade in source.grades.items()
        if math.isfinite(grade.values.get(metric.name, math.nan))
    }
    grades, told = valid, "left out"
    if metric.invalid_counts_as is not None and valid:
        weight = fmean(grade.weight for grade in valid.values())
        worths = {item: Grade({metric.name: _worth(metric, one)}, weight) for item, one in failed.items()}
        grades, told = valid | worths, "counted as the published protocol has it"
    own = sample({place.name: grades}, list(grades), results, metric)
    if own is not None:
        without = f"; {len(failed)} of {len(failed | valid)} items failed, {told}" if failed else ""
        yield MeasuredValue(
            system=str(results.run.systems[place.role].identity.get("name", place.role)),
            stage=place.name,
            words=place.words + without,
            items=len(own.items),
            estimate=own.estimate(place.name),
        )


def _worth(metric: MetricInfo, failure: Failure) -> float:
    """What an item without a value counts as by the published protocol."""
    worst = metric.low if metric.higher_is_better else metric.high
    worth = (metric.invalid_counts_as or {}).get(failure.reason, worst)
    assert worth is not None, f"{metric.name} has no worst value"
    return worth
