"""Who is heard when, and first or second."""

from collections import Counter

import pytest

from speechzoo_arena.vote_plan import APART, everything, make_plan

FOUR = {f"d{number}": ["A", "B", "C", "D"] for number in range(10)}


@pytest.mark.parametrize("voter", ["anna", "ben", "cem"])
def test_places_are_balanced(voter: str) -> None:
    """Otherwise who is heard first would gain or lose by it in every rating of people."""
    plan = make_plan(FOUR, voter, battles=None, again=0, seed=0)
    assert len(plan) == 60
    pairs = {(own.dialogue, frozenset((own.first, own.second))) for own in plan.meetings}
    assert len(pairs) == 60, "each pair in one order"
    firsts = Counter((own.first, own.second) for own in plan.meetings)
    assert set(firsts.values()) == {5}, "of ten dialogues, each order of a pair has five"


def test_a_few_battles_are_spread() -> None:
    """Otherwise somebody who votes on ten would hear one dialogue's user ten times and some pairs never."""
    plan = make_plan(FOUR, "anna", battles=12, again=0, seed=0)
    dialogues = Counter(own.dialogue for own in plan.meetings)
    assert len(plan) == 12 and len(dialogues) == 10
    pairs = Counter(frozenset((own.first, own.second)) for own in plan.meetings)
    assert len(pairs) == 6 and max(pairs.values()) <= 3


def test_some_come_again_in_the_other_order() -> None:
    """Otherwise nobody could say whether a voter agrees with themself."""
    plan = make_plan(FOUR, "anna", battles=30, again=0.2, seed=0)
    order = everything(plan)
    assert len(order) == len(set(order)) == 36 and len(plan.again) == 6
    again = [own for own in order if own not in plan.meetings]
    assert len(again) == 6
    for own in again:
        assert order.index(own) - order.index(own.swapped) > APART


def test_active_pairing_may_choose_any_pair() -> None:
    """Otherwise the pairs that are most in doubt may not be among those that can be asked."""
    plan = make_plan(FOUR, "anna", battles=12, again=0.25, seed=0, active=True)
    assert len(plan.meetings) == 60 and len(plan) == 15
    assert len(everything(plan)) == 15


def test_the_same_voter_has_the_same_plan_and_another_another() -> None:
    """Otherwise who comes back would be asked the same things again, and all voters in one order."""
    one, same = (make_plan(FOUR, "anna", battles=None, again=0.1, seed=0) for _ in range(2))
    assert one == same
    assert one != make_plan(FOUR, "ben", battles=None, again=0.1, seed=0)
    assert one != make_plan(FOUR, "anna", battles=None, again=0.1, seed=1)


def test_a_lonely_system_meets_nobody() -> None:
    """Otherwise a dialogue that one system alone answered would crash the plan."""
    plan = make_plan({"d0": ["A"], "d1": ["A", "B"], "d2": []}, "anna", battles=None, again=1.0, seed=0)
    assert [own.dialogue for own in everything(plan)] == ["d1", "d1"]
