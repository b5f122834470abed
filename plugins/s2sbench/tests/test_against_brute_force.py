"""The task's figures against a second implementation, written down here from the reference's rules."""

import json
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from speechzoo import Condition, Grade, Setup
from speechzoo.run.plan import Work
from speechzoo.run.records import Key

from speechzoo_s2sbench.imported import ImportedLosses
from speechzoo_s2sbench.results import Line, Results
from speechzoo_s2sbench.task import S2SBench

# Quarters, so that ties are frequent and sums exact.
LOSSES = st.integers(0, 6).map(lambda quarters: quarters / 4)
TIES = st.sampled_from(["reference", "wrong", "half"])
Table = list[tuple[int | str, str | None, float | None]]


@st.composite
def story_tables(draw: st.DrawFn) -> Table:
    """Records in any order, with gaps, repeated keys, odd ones out and losses that are missing."""
    keys = draw(st.lists(st.integers(0, 12), min_size=2, max_size=9))
    names = [key if keys.index(key) == place else f"{key}_{place}" for place, key in enumerate(keys)]
    return [(name, None, draw(st.none() | LOSSES)) for name in names]


@st.composite
def choice_tables(draw: st.DrawFn) -> tuple[list[str], Table]:
    """Answers of some questions, and lines about any option of any of them, some repeated."""
    answers = draw(st.lists(st.sampled_from("ABCD"), min_size=1, max_size=5))
    lines = st.tuples(st.integers(0, len(answers) - 1), st.sampled_from("ABCD"), LOSSES)
    return answers, draw(st.lists(lines, max_size=24))


def brute_stories(table: Table, ties: str) -> list[tuple[Fraction, float, float]]:
    """Credit, loss of the right and of the wrong, of each comparison."""

    def number(uttid: int | str) -> int:
        return uttid if isinstance(uttid, int) else int(uttid[: uttid.index("_")])

    rows = list(table)
    for end in range(len(rows), 0, -1):  # bubble sort is stable
        for i in range(end - 1):
            if number(rows[i][0]) > number(rows[i + 1][0]):
                rows[i], rows[i + 1] = rows[i + 1], rows[i]
    found = []
    for i in range(0, len(rows) - 1, 2):
        right, wrong = rows[i][2], rows[i + 1][2]
        if right is None or wrong is None:
            continue
        tie = Fraction(1, 2) if ties == "half" else Fraction(0)
        credit = Fraction(1) if right < wrong else tie if right == wrong else Fraction(0)
        found.append((credit, right, wrong))
    return found


def brute_choices(
    answers: Sequence[str], table: Table, ties: str, four_way: bool
) -> list[tuple[Fraction, float, float]]:
    worth = {"reference": Fraction(1), "wrong": Fraction(0), "half": Fraction(1, 2)}[ties]
    found = []
    for question, answer in enumerate(answers):
        losses = {}
        for uttid, key, loss in table:
            if uttid == question:
                losses[key] = loss
        if answer not in losses:
            continue
        right = losses.pop(answer)
        wrong = list(losses.values())
        if four_way and wrong:
            best = min(wrong)
            credit = Fraction(1) if right < best else worth if right == best else Fraction(0)
            found.append((credit, right, sum(wrong) / len(wrong)))
        elif not four_way:
            for other in wrong:
                credit = Fraction(1) if right < other else worth if right == other else Fraction(0)
                found.append((credit, right, other))
    return found


def figures(comparisons: list[tuple[Fraction, float, float]]) -> tuple[int, float, float, float] | None:
    """Comparisons, accuracy, mean loss of the right, of the wrong."""
    if not comparisons:
        return None
    count = len(comparisons)
    credit = sum(credit for credit, _, _ in comparisons)
    return (
        count,
        round(float(credit / count), 9),
        round(sum(right for _, right, _ in comparisons) / count, 9),
        round(sum(wrong for _, _, wrong in comparisons) / count, 9),
    )


def of_task(subset: str, rows: list[dict[str, Any]], table: Table, **options: Any) -> Any:
    """The same figures from the task's grades, each weighted as a report weights it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / S2SBench.subsets[subset].records
        file.parent.mkdir(parents=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        task = S2SBench(Setup("s2sbench", Path(folder)), subset=subset, **options)
    results = Results(Path(), tuple(Line(*line) for line in table))
    executor = ImportedLosses({item.id: item for item in task.items()}, {Condition.T2T: {subset: results}})
    graded = []
    for item in task.items():
        ask = task.ask(item, Condition.T2T)
        work = Work(Key(role="model", item=item.id, condition=Condition.T2T), ask, "", "", 1)
        ((_, answer),) = next(executor.run([[work]]))
        grade = task.grade(item, Condition.T2T, answer)
        if isinstance(grade, Grade):
            graded.append(grade)
        else:
            assert grade.reason == "missing_loss"
    weight = sum(grade.weight for grade in graded)
    if not weight:
        return None
    means = (
        sum(grade.weight * grade.values[name] for grade in graded) / weight
        for name in ("accuracy", "loss_right", "loss_wrong")
    )
    return weight, *(round(mean, 9) for mean in means)


@settings(max_examples=1000, deadline=None)
@given(story_tables(), TIES)
def test_stories(table: Table, ties: str) -> None:
    """Otherwise a figure is another than the reference's on ties, gaps, leftovers or ids of either form."""
    rows = [{"uttid": uttid, "first": "Stem", "last": f"End {uttid}"} for uttid, _, _ in table]
    found = of_task("sstorycloze", rows, table, pairing="sorted_adjacent", ties=ties)
    assert found == figures(brute_stories(table, ties))


@settings(max_examples=1000, deadline=None)
@given(choice_tables(), TIES, st.booleans())
def test_choices(drawn: tuple[list[str], Table], ties: str, four_way: bool) -> None:
    """Otherwise a figure is another than the reference's on ties, missing options or repeated lines."""
    answers, table = drawn
    rows = [
        {"uttid": number, "first": "题", "A": "a", "B": "b", "C": "c", "D": "d", "answer": answer}
        for number, answer in enumerate(answers)
    ]
    metric = "four_way" if four_way else "pairwise"
    found = of_task("scmmlu", rows, table, cmmlu_metric=metric, ties=ties)
    assert found == figures(brute_choices(answers, table, ties, four_way))
