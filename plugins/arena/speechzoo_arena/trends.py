"""What finished runs know of their replies besides verdicts: grades, and quantities turn by turn."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from speechzoo.run.records import Key, Results
from speechzoo.specs import Condition
from speechzoo.stats import bootstrap
from speechzoo.task import Grade

from speechzoo_arena.agreement import rubric_consistency
from speechzoo_arena.arena_findings import RubricFinding, TrendFinding
from speechzoo_arena.judge_findings import known
from speechzoo_arena.orders import both_orders
from speechzoo_arena.records import Vote

OF_A_TURN = {"seconds": False, "words_per_second": False, "content_density": True}
"""Quantities that a grade may tell of each turn in its details, and whether they are shares."""

Grades = Mapping[str, Grade]
"""The valid ones of a run, by item."""


def grades_of(results: Results, condition: Condition) -> Grades:
    keys = (Key(role="model", item=item, condition=condition) for item in results.items)
    found = {key.item: results.results[key].outcome for key in keys if key in results.results}
    return {item: grade for item, grade in found.items() if isinstance(grade, Grade)}


def trends(graded: Mapping[str, Grades], clusters: Mapping[str, str], *, seed: int) -> Iterator[TrendFinding]:
    """Means over dialogues of what grades tell of single turns; only what is there.

    Args:
        graded: by system.
        clusters: of each dialogue.
        seed: of the bootstrap.
    """
    for quantity, percent in {"satisfied": True, **OF_A_TURN}.items():
        for system, grades in graded.items():
            turns: defaultdict[int, dict[str, float]] = defaultdict(dict)
            for item, grade in grades.items():
                for turn, value in enumerate(_by_turn(grade.details, quantity)):
                    if item in clusters and isinstance(value, int | float):
                        turns[turn][item] = float(value)
            if turns:
                count = max(turns) + 1
                yield TrendFinding(
                    quantity=quantity,
                    percent=percent,
                    system=system,
                    turns=tuple(
                        known(_mean(turns[turn], clusters, seed)) if turns[turn] else None
                        for turn in range(count)
                    ),
                    dialogues=tuple(len(turns[turn]) for turn in range(count)),
                )


def _by_turn(details: Mapping[str, Any], quantity: str) -> Sequence[Any]:
    if quantity == "satisfied":
        told = details.get("satisfied_by_turn", ())
        return told if isinstance(told, list | tuple) else ()
    turns = details.get("turns", ())
    if not isinstance(turns, list | tuple):
        return ()
    return [turn.get(quantity) if isinstance(turn, Mapping) else None for turn in turns]


def _mean(values: Mapping[str, float], clusters: Mapping[str, str], seed: int) -> Any:
    numbers = np.array([list(values.values())])
    return bootstrap(numbers, np.ones_like(numbers), [clusters[item] for item in values], seed=seed).mean(0)


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
        for item, grade in grades.items()
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
