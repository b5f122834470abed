"""What finished runs know of their replies besides verdicts: grades, and quantities turn by turn."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from speechzoo.gap.turns import Column, turn_columns, turn_means, unbounded
from speechzoo.gap.wording import is_percentage
from speechzoo.run.records import Key, MetricInfo, Results
from speechzoo.specs import Condition
from speechzoo.task import Grade

from speechzoo_arena.agreement import rubric_consistency
from speechzoo_arena.arena_findings import RubricFinding, TrendFinding
from speechzoo_arena.judge_findings import known
from speechzoo_arena.orders import both_orders
from speechzoo_arena.records import Vote


@dataclass(frozen=True)
class Grades:
    """What a run knows of its replies.

    Attributes:
        valid: the grades, by item.
        metrics: of the run's task, by name.
    """

    valid: Mapping[str, Grade]
    metrics: Mapping[str, MetricInfo]


def grades_of(results: Results, condition: Condition) -> Grades:
    keys = (Key(role="model", item=item, condition=condition) for item in results.items)
    found = {key.item: results.results[key].outcome for key in keys if key in results.results}
    return Grades(
        valid={item: grade for item, grade in found.items() if isinstance(grade, Grade)},
        metrics={metric.name: metric for metric in results.run.task.metrics},
    )


def trends(graded: Mapping[str, Grades], clusters: Mapping[str, str], *, seed: int) -> Iterator[TrendFinding]:
    """Weighted means of the numbers that grades have by turn, for every system that has any.

    Systems stand beside each other: the mean of a turn is over the dialogues that all of them have it of.

    Args:
        graded: by system.
        clusters: of each dialogue.
        seed: of the bootstrap.
    """
    valid = {
        system: {item: grade for item, grade in own.valid.items() if item in clusters}
        for system, own in graded.items()
    }
    told = [turn for grades in valid.values() for grade in grades.values() for turn in grade.by_turn]
    metrics = {name: metric for own in graded.values() for name, metric in own.metrics.items()}
    for quantity in dict.fromkeys(name for turn in told for name in turn):
        metric = metrics.get(quantity, unbounded(quantity))
        for system, columns in _comparable(valid, quantity).items():
            means = turn_means(columns, metric, clusters, seed=seed)
            yield TrendFinding(
                quantity=quantity,
                percent=is_percentage(metric),
                system=system,
                turns=tuple(means),
                dialogues=tuple(map(len, columns)),
            )


def _comparable(valid: Mapping[str, Mapping[str, Grade]], quantity: str) -> dict[str, list[Column]]:
    """Of each system that has the quantity, turn by turn the dialogues that all of these have it of."""
    turns = max(len(grade.by_turn) for grades in valid.values() for grade in grades.values())
    told = {system: turn_columns(grades, quantity, turns) for system, grades in valid.items()}
    having = {system: columns for system, columns in told.items() if any(columns)}
    shared = [
        frozenset.intersection(*map(frozenset, columns)) for columns in zip(*having.values(), strict=True)
    ]
    return {
        system: [
            {item: own for item, own in column.items() if item in items}
            for column, items in zip(columns, shared, strict=True)
        ]
        for system, columns in having.items()
    }


def rubrics(
    raters: Mapping[str, Sequence[Vote]],
    graded: Mapping[str, Grades],
    metric: str,
    graded_by: str,
    *,
    seed: int,
) -> Iterator[RubricFinding]:
    """How far each rater prefers in battle what has the better grade.

    Args:
        raters: the votes of each.
        graded: by system.
        metric: the runs' first; higher is better.
        graded_by: the judge behind it, "" for none.
        seed: of the bootstrap.
    """
    scores = {
        (item, system): grade.values[metric]
        for system, grades in graded.items()
        for item, grade in grades.valid.items()
        if metric in grade.values
    }
    for rater, votes in raters.items():
        found = rubric_consistency(both_orders(votes).battles, scores, seed=seed)
        if found is None:
            continue
        rate = known(found.agreement.rate)
        assert rate is not None
        yield RubricFinding(
            rater=rater,
            metric=metric,
            graded_by=graded_by,
            battles=found.agreement.battles,
            rate=rate,
            kappa=known(found.agreement.kappa),
            decided=known(found.decided) if found.decided else None,
            unscored=found.unscored,
        )
