"""Intervals of shares and of counted tables."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from speechzoo.stats import wilson

from speechzoo_arena.intervals import drawn, of_counts, percentiles, share


@given(st.integers(0, 40), st.integers(2, 40))
def test_independent_wins_have_wilsons_interval(wins: int, n: int) -> None:
    """Otherwise shares without ties would have another interval than everywhere else in a report."""
    wins = min(wins, n)
    found = share([1.0] * wins + [0.0] * (n - wins), range(n))
    expected = wilson(wins, n)
    assert (found.value, found.low, found.high) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )


def test_items_of_one_cluster_count_as_one_if_they_agree() -> None:
    """Otherwise asking a judge ten times about one dialogue would make it ten times as sure."""
    values = [1, 0, 1, 1, 0, 1] * 10
    few = share(values, range(60))
    many = share([value for value in values for _ in range(10)], [n // 10 for n in range(600)])
    assert (many.low, many.high) == pytest.approx((few.low, few.high), abs=0.005)


def test_clusters_that_do_not_agree_make_nothing_surer_than_independence() -> None:
    """Otherwise negative dependence by luck would make an interval too narrow."""
    balanced = share([1, 0] * 20, [n // 2 for n in range(40)])
    assert balanced.low <= wilson(20, 40).low and balanced.high >= wilson(20, 40).high
    assert balanced.low == pytest.approx(wilson(20, 40).low, abs=0.01)


def test_one_cluster_tells_next_to_nothing() -> None:
    """Otherwise fifty battles on one dialogue would settle a judge's bias."""
    found = share([1.0] * 50, ["d"] * 50)
    assert found.value == found.high == 1 and found.low == pytest.approx(wilson(1, 1).low)


def test_shares_cover_the_truth_as_often_as_they_say() -> None:
    """Otherwise 95 % would be a word. Clusters of three that agree more often than not."""
    draw = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        own = draw.beta(2, 2, size=60)
        values = (draw.random((60, 3)) < own[:, None]).astype(float).ravel()
        found = share(values, np.repeat(np.arange(60), 3).tolist())
        inside += found.low <= 0.5 <= found.high
    assert 0.92 <= inside / 400 <= 0.98


def test_tables_are_resampled_by_whole_clusters() -> None:
    """Otherwise intervals of kappa would be over battles, not dialogues. Against a loop over resamples."""
    counts = np.random.default_rng(1).integers(0, 5, size=(9, 2, 2)).astype(float)
    clusters = list("aabbbcdde")

    def ratio(tables: np.ndarray) -> np.ndarray:
        return tables[..., 0, 0] / tables.sum(axis=(-2, -1))

    found = of_counts(ratio, counts, clusters, seed=3, resamples=500)
    members = [[n for n, own in enumerate(clusters) if own == name] for name in "abcde"]
    values = []
    for times in drawn(5, 500, 3):
        chosen = [n for own, often in zip(members, times, strict=True) for n in own * int(often)]
        values.append(float(ratio(counts[chosen].sum(axis=0))))
    assert found.value == pytest.approx(float(ratio(counts.sum(axis=0))))
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])))


def test_an_interval_that_too_many_resamples_leave_open_is_not_given() -> None:
    """Otherwise the resamples with infinite ratings would silently be left out."""
    draws = np.arange(100.0)
    assert not math.isnan(percentiles(50.0, np.where(draws < 5, np.nan, draws), 10).low)
    assert math.isnan(percentiles(50.0, np.where(draws < 6, np.nan, draws), 10).low)
    assert math.isnan(percentiles(50.0, draws, clusters=1).low)
