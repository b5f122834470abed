"""Several runs of one task: who is better under each condition, and how sure that is."""

from collections.abc import Sequence
from itertools import combinations

from speechzoo import stats
from speechzoo.errors import SpeechzooError
from speechzoo.gap.findings import Comparison, ConditionTable, Entry, Pair
from speechzoo.gap.sample import Sample, common_items, sample
from speechzoo.gap.stages import Measured, measured
from speechzoo.gap.wording import deciding, is_clear, is_percentage, pair_verdict
from speechzoo.run.records import Results, TaskInfo
from speechzoo.specs import Condition

Runs = dict[str, Results]


def compare(reports: list[Results]) -> Comparison:
    """The models of several runs over the items valid in all of them, condition by condition.

    Raises:
        SpeechzooError: fewer than two runs, or they are not of the same task and data.
    """
    if len(reports) < 2:
        raise SpeechzooError("a comparison needs at least two runs")
    for other in reports[1:]:
        _require_same(reports[0], other)
    runs = _named(reports)
    task = reports[0].run.task
    stages = {name: _of_model(run) for name, run in runs.items()}
    tables: list[ConditionTable] = []
    warnings: list[str] = []
    for condition in Condition:
        asked = {name: own[condition] for name, own in stages.items() if condition in own}
        table, told = _table(condition, asked, reports[0])
        tables += [table] if table else []
        warnings += told
    return Comparison(
        task=str(task.identity.get("name", "a task")),
        metric=task.metrics[0],
        percent=is_percentage(task.metrics[0]),
        signatures={name: run.run.signature for name, run in runs.items()},
        warnings=tuple(warnings),
        notes=tuple(_notes(tables)),
        tables=tuple(_judged(tables, is_percentage(task.metrics[0]))),
    )


def _require_same(one: Results, two: Results) -> None:
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


def _table(
    condition: Condition, asked: dict[str, Measured], first: Results
) -> tuple[ConditionTable | None, list[str]]:
    arms = {name: stage.grades for name, stage in asked.items()}
    told = [f"{condition}: {name} has no valid item and is left out." for name in arms if not arms[name]]
    # Runs may hold different samples of the task's items; clusters are known for the first run's.
    items = [item for item in common_items(arms) if item in first.items]
    shared = sample(arms, items, first)
    if shared is None:
        return None, [*told, f"{condition}: no item is valid in all runs."] if asked else told
    entries = [
        Entry(
            model=name,
            planned=len(asked[name].outcomes),
            valid=len(arms[name]),
            estimate=shared.estimate(name),
        )
        for name in sorted(shared.names, key=shared.mean, reverse=shared.metric.higher_is_better)
    ]
    pairs = _pairs(shared)
    return ConditionTable(condition=condition, items=len(items), entries=tuple(entries), pairs=pairs), told


def _pairs(shared: Sample) -> tuple[Pair, ...]:
    pairs = []
    for first, second in combinations(shared.names, 2):
        better, worse = shared.changes(first, second)
        p, p_clustered = stats.mcnemar(better, worse), shared.p_clustered(first, second)
        pairs.append(
            Pair(
                first=first,
                second=second,
                lead=shared.loss(first, second),
                p=p,
                p_clustered=p_clustered,
                p_holm=deciding(p, p_clustered),
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
    if all(pair.p_clustered is None for table in tables for pair in table.pairs):
        return []
    return [
        "Exact p takes items as independent, although some share material; the clustered p does not, and "
        "it is the one adjusted and judged by."
    ]
