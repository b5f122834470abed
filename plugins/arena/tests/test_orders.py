"""Both orders of a battle, merged."""

from typing import Any

from speechzoo_arena.orders import both_orders, one_order

FAILED = {"reason": "judge_error"}


def test_verdicts_that_disagree_are_a_tie(vote: Any) -> None:
    """Otherwise a judge that always names the first would give wins to whoever happens to be first."""
    merged = both_orders(
        [
            vote("A", "B", "first", "d1"), vote("B", "A", "second", "d1"),
            vote("A", "B", "first", "d2"), vote("B", "A", "first", "d2"),
            vote("A", "B", "tie", "d3"), vote("B", "A", "second", "d3"),
            vote("A", "B", "tie", "d4"), vote("B", "A", "tie", "d4"),
        ]
    )  # fmt: skip
    assert [(own.dialogue, own.first, own.outcome, own.orders) for own in merged.battles] == [
        ("d1", "A", "first", 2), ("d2", "A", "tie", 2), ("d3", "A", "tie", 2), ("d4", "A", "tie", 2)
    ]  # fmt: skip
    assert (merged.both, merged.reversed, merged.half, merged.incomplete) == (4, 1, 1, 0)
    assert merged.disagreement == 0.5


def test_half_a_pair_of_orders_is_no_battle(vote: Any) -> None:
    """Otherwise the order that happened to succeed would count as if both had."""
    given = [vote("A", "B", "first", "d1"), vote("B", "A", FAILED, "d1")]
    assert both_orders(given).battles == ()
    assert both_orders(given).incomplete == 1
    assert [own.outcome for own in one_order(given)] == ["first"]


def test_what_was_asked_in_one_order_stays(vote: Any) -> None:
    """Otherwise an arena of one order, as the reference's, would have no battles."""
    merged = both_orders([vote("B", "A", "second", "d1"), vote("A", "C", FAILED, "d1")])
    assert [(own.first, own.outcome, own.orders) for own in merged.battles] == [("B", "second", 1)]
    assert merged.disagreement is None and merged.incomplete == 0


def test_judges_and_repeats_are_not_mixed(vote: Any) -> None:
    """Otherwise one judge's verdict would be merged with another's of the other order."""
    merged = both_orders(
        [
            vote("A", "B", "first", judge="one"),
            vote("B", "A", "first", judge="two"),
            vote("B", "A", "first", judge="one", repeat=1),
        ]
    )
    assert [own.orders for own in merged.battles] == [1, 1, 1]
