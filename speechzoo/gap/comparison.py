"""Several runs of one task: who is better under each condition, and how sure that is."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from speechzoo import stats
from speechzoo.errors import SpeechzooError
from speechzoo.gap.breakdowns import pooled_note, subset_items, subsets
from speechzoo.gap.comparison_findings import Comparison, ConditionTable, Entry, Pair
from speechzoo.gap.sample import Sample, common_items, sample
from speechzoo.gap.stages import Measured, measured
from speechzoo.gap.wording import FLIP_NOTE, deciding, is_clear, is_percentage, pair_verdict
from speechzoo.run.records import Results, TaskInfo
from speechzoo.specs import Condition

Runs = dict[str, Results]


def compare(reports: list[Results]) -> Comparison:
    """The models of several runs over the items valid in all of them, by condition and subset.

    Raises:
        SpeechzooError: fewer than two runs, or they are not of the same task and data.
    """
    if len(reports) < 2:
        raise SpeechzooError("a comparison needs at least two runs")
    for other in reports[1:]:
        require_same_task(reports[0], other)
    runs = _named(reports)
    task = reports[0].run.task
    stages = {name: _of_model(run) for name, run in runs.items()}
    tables: list[ConditionTable] = []
    warnings: list[str] = []
    notes: list[str] = []
    for condition in Condition:
        asked = {name: own[condition] for name, own in stages.items() if condition in own}
        for subset in ("", *subsets(reports[0])):
            chosen = {name: _only(own, runs[name], subset) for name, own in asked.items()}
            shared = _shared(chosen, reports[0])
            where = f"{condition}, {subset}" if subset else str(condition)
            warnings += _warnings(where, chosen, shared)
            tables += [_table(condition, subset, chosen, shared)] if shared else []
            pooled = pooled_note(reports[0], shared, "has tables of its own")
            notes += [f"{condition}: {pooled}"] if pooled else []
    return Comparison(
        task=str(task.identity.get("name", "a task")),
        metric=task.metrics[0],
        percent=is_percentage(task.metrics[0]),
        signatures={name: run.run.signature for name, run in runs.items()},
        warnings=tuple(warnings),
        notes=(*_notes(tables), *notes),
        tables=tuple(_judged(tables, is_percentage(task.metrics[0]))),
    )


def require_same_task(one: Results, two: Results) -> None:
    """Raises `SpeechzooError` if two runs are not of the same task and data, with what differs."""
    differing = [
        f"{field}: {mine!r} and {others!r}"
        for field, mine, others in _fields(one.run.task, two.run.task)
        if mine != others
    ]
    if differing:
        raise SpeechzooError(
            f"{one.folder} and {two.folder} are not runs of the same task and data; they differ in "
            + "; ".join(differing)
        )


def _fields(one: TaskInfo, two: TaskInfo) -> list[tuple[str, object, object]]:
    keys = dict.fromkeys([*one.identity, *two.identity])
    fields = [(key, one.identity.get(key), two.identity.get(key)) for key in keys]
    return [*fields, ("version", one.version, two.version), ("metrics", one.metrics, two.metrics)]


def _named(reports: Sequence[Results]) -> Runs:
    """By model; runs of one model are told apart by folder."""
    names = [str(run.run.systems["model"].identity.get("name", "the model")) for run in reports]
    distinct = [
        name if names.count(name) == 1 else f"{name} ({run.folder})"
        for name, run in zip(names, reports, strict=True)
    ]
    if len(set(distinct)) < len(distinct):
        raise SpeechzooError(
            "a run is compared with itself: " + ", ".join(str(run.folder) for run in reports)
        )
    return dict(zip(distinct, reports, strict=True))


def _of_model(run: Results) -> dict[Condition, Measured]:
    return {stage.place.condition: stage for stage in measured(run) if stage.place.role == "model"}


def _only(stage: Measured, run: Results, subset: str) -> Measured:
    return stage.only(set(subset_items(run, list(run.items), subset))) if subset else stage


def _shared(asked: Mapping[str, Measured], first: Results) -> Sample | None:
    arms = {name: stage.grades for name, stage in asked.items()}
    # Runs may hold different samples of the task's items; clusters are known for the first run's.
    return sample(arms, [item for item in common_items(arms) if item in first.items], first)


def _warnings(where: str, asked: Mapping[str, Measured], shared: Sample | None) -> list[str]:
    told = [
        f"{where}: {name} has no valid item and is left out."
        for name, stage in asked.items()
        if not stage.grades
    ]
    return told if shared or not asked else [*told, f"{where}: no item is valid in all runs."]


def _table(
    condition: Condition, subset: str, asked: Mapping[str, Measured], shared: Sample
) -> ConditionTable:
    entries = [
        Entry(
            model=name,
            planned=len(asked[name].outcomes),
            valid=len(asked[name].grades),
            estimate=shared.estimate(name),
        )
        for name in sorted(shared.names, key=shared.mean, reverse=bool(shared.metric.higher_is_better))
    ]
    return ConditionTable(
        condition=condition,
        subset=subset,
        items=len(shared.items),
        entries=tuple(entries),
        pairs=_pairs(shared),
    )


def _pairs(shared: Sample) -> tuple[Pair, ...]:
    pairs = []
    for first, second in combinations(shared.names, 2):
        better, worse = shared.changes(first, second)
        p, p_flip = stats.mcnemar(better, worse), shared.p_flip(first, second)
        pairs.append(
            Pair(
                first=first,
                second=second,
                lead=shared.loss(first, second),
                p=p,
                p_flip=p_flip,
                p_holm=deciding(p, p_flip),
                first_better=better,
                second_better=worse,
                verdict="",
                clear=False,
            )
        )
    return tuple(pairs)


def _judged(tables: Sequence[ConditionTable], percent: bool) -> list[ConditionTable]:
    """With Holm's p over every test of the comparison: that is the family a reader picks from."""
    adjusted = iter(stats.holm([pair.p_holm for table in tables for pair in table.pairs]))
    return [
        table.model_copy(
            update={"pairs": tuple(_judged_pair(pair, next(adjusted), percent) for pair in table.pairs)}
        )
        for table in tables
    ]


def _judged_pair(pair: Pair, p_holm: float, percent: bool) -> Pair:
    verdict = pair_verdict(pair.first, pair.second, pair.lead, p_holm, percent)
    return pair.model_copy(
        update={"p_holm": p_holm, "verdict": verdict, "clear": is_clear(pair.lead, p_holm)}
    )


def _notes(tables: Sequence[ConditionTable]) -> list[str]:
    flipped = any(pair.p_flip is not None for table in tables for pair in table.pairs)
    return [FLIP_NOTE] if flipped else []
