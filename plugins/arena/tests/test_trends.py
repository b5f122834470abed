"""What grades tell of single turns, side by side for the systems of an arena."""

import math
from collections.abc import Mapping, Sequence

import pytest
from speechzoo import stats
from speechzoo.run.records import MetricInfo
from speechzoo.task import Grade

from speechzoo_arena.arena_findings import TrendFinding
from speechzoo_arena.trends import Grades, trends

SHARE = MetricInfo(name="satisfied", chance=None, higher_is_better=True, low=0.0, high=1.0)


def graded(*by_turn: dict[str, float], weight: float = 1.0) -> Grade:
    return Grade({"satisfied": 1.0}, weight, by_turn=by_turn)


def found(clusters: Sequence[str], **systems: Mapping[str, Grade]) -> list[TrendFinding]:
    graded = {name: Grades(valid, {SHARE.name: SHARE}) for name, valid in systems.items()}
    return list(trends(graded, {own: own for own in clusters}, seed=0))


def means(trend: TrendFinding) -> list[float | None]:
    return [None if turn is None else turn.value for turn in trend.turns]


def test_a_turn_that_failed_keeps_its_place() -> None:
    """Otherwise a system's third reply is held against another's second."""
    x = {"d1": graded({"words": 10.0}, {}, {"words": 30.0}), "d2": graded({"words": 20.0})}
    (own,) = found(["d1", "d2"], x=x)
    assert (own.system, own.quantity, own.percent) == ("x", "words", False)
    assert means(own) == [15.0, None, 30.0]
    assert own.dialogues == (2, 0, 1)


def test_quantities_stand_by_name_for_every_system_that_has_them() -> None:
    """Otherwise the page has one table a system, and nobody compares them."""
    x = {"d1": graded({"satisfied": 0.5, "words": 9.0})}
    y = {"d1": graded({"words": 7.0}), "elsewhere": graded({"words": 99.0})}
    told = [(own.quantity, own.percent, own.system) for own in found(["d1"], x=x, y=y)]
    assert told == [("satisfied", True, "x"), ("words", False, "x"), ("words", False, "y")]
    assert found(["d1"], x={"d1": Grade({"satisfied": 1.0})}) == []


def test_systems_are_held_against_each_other_over_the_same_dialogues() -> None:
    """Otherwise who fails on the hard dialogues has the better means."""
    x = {"easy": graded({"words": 9.0}, {"words": 9.0}), "hard": graded({"words": 1.0}, {"words": 1.0})}
    y = {"easy": graded({"words": 8.0}, {"words": 8.0}), "hard": graded({"words": 2.0})}
    one, two = found(["easy", "hard"], x=x, y=y)
    assert means(one) == [5.0, 9.0] and means(two) == [5.0, 8.0]
    assert one.dialogues == two.dialogues == (2, 1)


def test_dialogues_weigh_what_their_grades_say() -> None:
    """Otherwise a turn's mean here is another than in the system's own report."""
    x = {"d1": graded({"satisfied": 1.0}, weight=3.0), "d2": graded({"satisfied": 0.5}, weight=1.0)}
    (own,) = found(["d1", "d2"], x=x)
    assert means(own) == pytest.approx([0.875])


def test_numbers_that_are_none_are_left_out() -> None:
    """Otherwise one infinite value makes a row of the page nonsense, or ends it."""
    x = {"d1": graded({"words": math.nan, "pitch": math.inf}), "d2": graded({"words": 4.0})}
    (own,) = found(["d1", "d2"], x=x)
    assert (own.quantity, means(own), own.dialogues) == ("words", [4.0], (1,))


def test_right_or_wrong_turns_have_the_interval_of_a_count() -> None:
    """Otherwise four satisfied turns of four are said to be all there can ever be."""
    x = {f"d{place}": graded({"satisfied": 1.0}) for place in range(4)}
    (own,) = found(list(x), x=x)
    (mean,) = own.turns
    assert mean is not None and mean.low == pytest.approx(stats.wilson(4, 4).low) and mean.low < 0.6
