"""What others printed, beside what this run measured of the same."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from speechzoo.gap.breakdowns import subset_items
from speechzoo.gap.families import Family
from speechzoo.gap.findings import MeasuredValue, PublishedTable, PublishedValue
from speechzoo.gap.wording import is_percentage
from speechzoo.registry import Published
from speechzoo.run.records import Results
from speechzoo.run.signature import text_of
from speechzoo.specs import Condition

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
    """By the model and its base text LLM, over the used items; the rival is nobody's published system."""
    subset, condition, metric = subject
    if not subset and results.run.task.identity.get("parameters", {}).get("subset"):
        return  # a part of the task is not the whole
    for family in families:
        whole = family.samples.get(metric)
        own = whole.over(subset_items(results, whole.items, subset)) if whole and subset else whole
        for stage in family.stages:
            place = stage.place
            if own and place.name in own.names and place.condition == condition and place.role != "rival":
                yield MeasuredValue(
                    system=str(results.run.systems[place.role].identity.get("name", place.role)),
                    stage=place.name,
                    words=place.words,
                    items=len(own.items),
                    estimate=own.estimate(place.name),
                )
