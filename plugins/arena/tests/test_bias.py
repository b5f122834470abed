"""Position, length and self-consistency, by the definitions of the published table."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from speechzoo_arena.bias import length_bias, position_bias, self_consistency


def test_the_published_share_has_the_published_interval(battle: Any) -> None:
    """Otherwise our shares could not stand beside the printed ones: 49.12 [46.35, 51.89]."""
    played = [battle("A", "B", "first" if n < 614 else "second", f"d{n}") for n in range(1250)]
    found = position_bias(played, seed=0)
    assert found is not None and found.battles == 1250
    told = [100 * own for own in (found.share.value, found.share.low, found.share.high)]
    assert told == pytest.approx([49.12, 46.35, 51.89], abs=0.01)
    assert found.difference.value == pytest.approx(-0.0176)
    assert found.p == pytest.approx(binomtest(614, 1250).pvalue, abs=1e-6)


def test_ties_and_merged_orders_lean_to_nobody(battle: Any) -> None:
    """Otherwise a tie would count as half a bias, and a battle in both orders as one."""
    played = [
        battle("A", "B", "first", "d1"),
        battle("A", "B", "tie", "d2"),
        battle("A", "B", "second", "d3", orders=2),
    ]
    found = position_bias(played, seed=0)
    assert found is not None and (found.battles, found.ties, found.share.value) == (1, 1, 1)
    assert position_bias(played[1:], seed=0) is None


def test_dialogues_of_one_cluster_are_one_witness(battle: Any) -> None:
    """Otherwise one odd dialogue, judged often, would prove a bias."""
    often = [battle("A", "B", "first", "d1", repeat=n) for n in range(30)]
    found = position_bias([*often, battle("A", "B", "second", "d2")], seed=0)
    assert found is not None and found.p > 0.4 and found.share.low < 0.5


def test_longer_replies_by_hand(battle: Any) -> None:
    """Otherwise length bias would be of another definition than the printed one."""
    played = [
        battle("A", "B", "first", "d1", seconds={"first": 9, "second": 4}),
        battle("A", "B", "second", "d2", seconds={"first": 2, "second": 3}),
        battle("A", "B", "first", "d3", seconds={"first": 2, "second": 6}),
        battle("A", "B", "first", "d4", seconds={"first": 5, "second": 5}),
        battle("A", "B", "tie", "d5", seconds={"first": 1, "second": 9}),
        battle("A", "B", "first", "d6"),
    ]
    found = length_bias(played, "seconds", seed=0)
    assert found is not None and found.lean is not None
    assert found.lean.share.value == pytest.approx(2 / 3)
    assert found.margin.value == pytest.approx((5 + 1 - 4 + 0) / 4)
    assert (found.lean.battles, found.lean.ties, found.equal, found.unknown) == (3, 1, 1, 1)
    assert length_bias(played, "words", seed=0) is None


def test_length_counts_in_both_orders(battle: Any) -> None:
    """Otherwise merged battles would lose the length of their replies."""
    found = length_bias(
        [battle("A", "B", "second", orders=2, words={"first": 3, "second": 8})], "words", seed=0
    )
    assert found is not None and found.lean is not None and found.lean.share.value == 1
    assert found.margin.value == 5 and np.isnan(found.margin.low)


def test_the_same_verdict_again(battle: Any) -> None:
    """Otherwise a judge that throws dice would not be told from one that judges."""
    played = [
        battle("A", "B", own, dialogue, repeat=n)
        for dialogue, verdicts in (("d1", ("first", "first", "tie")), ("d2", ("second", "second")))
        for n, own in enumerate(verdicts)
    ]
    found = self_consistency([*played, battle("B", "A", "first", "d1"), battle("A", "B", judge="another")])
    assert found is not None and found.materials == 2
    assert found.share.value == pytest.approx((1 / 3 + 1) / 2)
    assert self_consistency(played[:1]) is None
