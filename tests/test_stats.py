"""Known answers, coverage and properties of the statistics."""

import math
import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from speechzoo import stats
from speechzoo.stats import bootstrap, holm, mcnemar, power, sign_flip, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (8, 10, 0.4902, 0.9433), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_gives_the_published_intervals(successes: int, n: int, low: float, high: float) -> None:
    estimate = wilson(successes, n)
    # 81 of 263 is the example of Newcombe 1998.
    assert (estimate.low, estimate.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    assert estimate.value == successes / n


@pytest.mark.parametrize(
    ("lost", "gained", "p"),
    [(0, 0, 1.0), (1, 8, 20 / 512), (10, 2, 158 / 4096), (5, 5, 1.0), (0, 6, 2 / 64)],
)
def test_mcnemar_is_the_two_sided_binomial(lost: int, gained: int, p: float) -> None:
    assert mcnemar(lost, gained) == pytest.approx(p)
    assert mcnemar(gained, lost) == pytest.approx(p)


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize(("one_way", "other"), [(6, 0), (8, 1), (10, 2), (32, 18)])
def test_flipped_signs_of_single_items_come_to_mcnemars_p(one_way: int, other: int) -> None:
    """Otherwise: the two p values of one report contradict each other where there are no clusters."""
    differences = [1.0] * one_way + [-1.0] * other + [0.0] * 9
    names = [str(place) for place in range(len(differences))]
    assert sign_flip(differences, names, seed=0) == pytest.approx(mcnemar(one_way, other), abs=1e-12)


def test_twins_count_once() -> None:
    """Otherwise: every item asked twice makes a difference look settled that is not."""
    differences = [1.0] * 6
    names = [str(place) for place in range(6)]
    alone = sign_flip(differences, names, seed=0)
    assert alone == pytest.approx(2 / 2**6)
    assert sign_flip(differences * 4, names * 4, seed=0) == alone
    assert mcnemar(24, 0) < 1e-6


def test_differences_that_cancel_within_clusters_show_nothing() -> None:
    """Otherwise: rounding dust of clusters that lost as much as they gained decides the test."""
    assert sign_flip([0.1, 0.2, -0.3] * 8, [str(place // 3) for place in range(24)], seed=0) == 1
    assert sign_flip([], [], seed=0) == 1
    assert sign_flip([1.0, 1.0], ["a", "a"], seed=0) == 1, "a single cluster tells nothing"


def test_under_no_difference_the_clustered_p_is_small_as_seldom_as_it_says() -> None:
    """Otherwise: models that do not differ are told apart because their items share endings."""
    generator = np.random.default_rng(0)
    names = [str(place // 4) for place in range(120)]
    found = [
        sign_flip(np.repeat(generator.choice([-1.0, 0.0, 1.0], 30), 4), names, seed=trial, draws=400)
        for trial in range(300)
    ]
    assert 0.02 <= np.mean(np.array(found) < 0.05) <= 0.08


def test_means_are_weighted_and_so_are_their_differences() -> None:
    found = bootstrap([[1.0, 0.0], [0.5, 0.5]], [[3.0, 1.0], [1.0, 1.0]], ["a", "b"], seed=0, resamples=200)
    assert found.mean(0).value == 0.75
    assert found.difference(0, 1).value == 0.25


def test_a_cluster_is_resampled_as_one() -> None:
    values = np.repeat([0.0, 1.0, 0.0, 1.0, 1.0], 40)
    apart = bootstrap([values], [np.ones(200)], [str(i) for i in range(200)], seed=0, resamples=2000).mean(0)
    together = bootstrap(
        [values], [np.ones(200)], [str(i // 40) for i in range(200)], seed=0, resamples=2000
    ).mean(0)
    assert together.high - together.low > 4 * (apart.high - apart.low)


def test_a_single_cluster_has_no_interval() -> None:
    estimate = bootstrap([[1.0, 0.0]], [[1.0, 1.0]], ["a", "a"], seed=0, resamples=50).mean(0)
    assert estimate.value == 0.5
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)


def test_retention_is_of_the_margin_over_chance() -> None:
    first, second = np.array([1.0] * 80 + [0.0] * 20), np.array([1.0] * 60 + [0.0] * 40)
    names = [str(place) for place in range(100)]
    found = bootstrap([first, second], np.ones((2, 100)), names, seed=0, resamples=2000)
    kept = found.retention(0, 1, chance=0.5)
    assert kept.value == pytest.approx(1 / 3)
    assert kept.low < 1 / 3 < kept.high


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        values = (generator.random((2, 60)) < [[0.8], [0.6]]).astype(float)
        found = bootstrap(values, np.ones((2, 60)), [str(i) for i in range(60)], seed=trial, resamples=400)
        estimate = found.difference(0, 1)
        covered += estimate.low <= 0.2 <= estimate.high
    assert 0.9 <= covered / 200 <= 0.99


def plainly(values: stats.Floats, weights: stats.Floats, seed: int, resamples: int) -> stats.Floats:
    """Means over resampled items, one resample after the other."""
    generator = np.random.default_rng(seed)
    places = (generator.integers(values.shape[1], size=values.shape[1]) for _ in range(resamples))
    means = [(values * weights)[:, own].sum(axis=1) / weights[:, own].sum(axis=1) for own in places]
    return np.array(means)


@pytest.mark.parametrize("kinds", ["few", "many"])
def test_the_fast_bootstrap_draws_from_the_plain_ones_distribution(kinds: str) -> None:
    """Otherwise: the shortcut for items of a few kinds gives intervals of its own."""
    generator = np.random.default_rng(3)
    n, resamples = 600, 6_000
    values = generator.random((2, n))
    if kinds == "few":
        values = (values < [[0.8], [0.6]]).astype(float)
    weights = np.tile(generator.choice([1.0, 3.0], n), (2, 1))
    fast = bootstrap(values, weights, range(n), seed=1, resamples=resamples)
    plain = plainly(values, weights, seed=2, resamples=resamples)
    assert fast.means == pytest.approx(np.average(values, axis=1, weights=weights[0]))
    for own, other in zip([*fast.draws.T, fast.draws @ [1, -1]], [*plain.T, plain @ [1, -1]], strict=True):
        assert ks_2samp(own, other).pvalue > 0.001
        assert own.std() == pytest.approx(other.std(), rel=0.05)
    again = bootstrap(values, weights, range(n), seed=1, resamples=resamples)
    assert (again.draws == fast.draws).all()


def test_many_items_of_few_kinds_cost_next_to_nothing() -> None:
    """Otherwise: a report with a hundred groups takes minutes."""
    values = (np.random.default_rng(0).random((3, 12_000)) < 0.7).astype(float)
    start = time.process_time()
    for _ in range(10):
        bootstrap(values, np.ones((3, 12_000)), np.arange(12_000), seed=0)
    assert time.process_time() - start < 4  # about 0.5 s of an idle core


@pytest.mark.filterwarnings("error")
def test_huge_values_do_not_overflow() -> None:
    """Otherwise: one diverged model's losses make every interval infinite, or none."""
    values = [[1e308] * 5 + [2.0] * 5, [1e308] * 10, [0.0, 1.0] * 5]
    found = bootstrap(values, np.full((3, 10), 3.0), range(10), seed=0, resamples=500)
    assert found.means.tolist() == pytest.approx([5e307, 1e308, 0.5])
    assert found.difference(1, 0).low < 5e307 < found.difference(1, 0).high < 1.1e308
    plain = bootstrap(values[2:], np.full((1, 10), 3.0), range(10), seed=0, resamples=500)
    assert found.mean(2).value == plain.mean(0).value == 0.5


def test_items_without_weight_count_for_nothing() -> None:
    """Otherwise: a metric that only some items have is averaged over all."""
    values = [[1.0, 0.0, 1.0, 9.0], [1.0, 1.0, 1.0, 1.0]]
    found = bootstrap(values, [[1, 1, 1, 0], [0, 0, 0, 1]], list("abcd"), seed=0, resamples=500)
    assert found.means.tolist() == [pytest.approx(2 / 3), 1.0]
    assert found.clusters.tolist() == [3, 1]
    assert found.mean(0).high == 1.0
    assert math.isnan(found.mean(1).low), "a single cluster has no interval"


def test_signs_are_drawn_eight_at_a_time_without_loss() -> None:
    """Otherwise: the clustered p of a number of clusters that eight does not divide is another test's."""
    sums = np.array([3.0, 1.0, 2.0, 5.0, 1.0, 4.0, 1.0, 2.0, 6.0, 2.0, 1.0])
    drawn = stats._signed_sums(sums, 40_000, seed=0)
    assert set(drawn) <= set(range(-28, 29, 2))
    assert drawn.mean() == pytest.approx(0, abs=0.2)
    assert drawn.var() == pytest.approx((sums**2).sum(), rel=0.03)


@given(
    st.lists(st.sampled_from([-3.0, -2.0, -1.5, -1.0, -1 / 3, 0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=9)
)
def test_flipped_signs_of_whole_units_are_counted_and_not_drawn(sums: list[float]) -> None:
    """Otherwise: a p near 0.05 falls to one side or the other by the seed."""
    signs = np.array(list(product([-1, 1], repeat=len(sums))))
    exact = np.mean(np.abs(signs @ sums) >= abs(sum(sums)) - 1e-9)
    found = [sign_flip(sums, range(len(sums)), seed=seed, draws=10) for seed in range(3)]
    assert found[0] == pytest.approx(exact)
    assert found[1:] == found[:1] * 2


def test_flipped_signs_of_other_sums_are_drawn() -> None:
    """Otherwise: the clustered p of a loss in nats is no p at all."""
    sums = np.random.default_rng(1).normal(0.2, 1.0, 11)
    exact = np.mean(np.abs(np.array(list(product([-1, 1], repeat=11))) @ sums) >= abs(sums.sum()))
    assert 0.05 < exact < 0.5
    assert sign_flip(sums, range(11), seed=0, draws=40_000) == pytest.approx(exact, rel=0.05)


def test_power_is_a_matter_of_the_standard_error() -> None:
    """Otherwise: somebody runs ten times too few items, or ten times too many."""
    told = power(0.01, 1_000, 0.01)
    assert told is not None
    assert told.smallest == pytest.approx(0.028016, abs=1e-6)
    assert told.items == 7_849  # 1000 * 2.8016 ** 2, as tables of sample size have it
    assert power(0.0, 1_000, 0.01) is None
    assert power(math.nan, 1, 0.01) is None


def test_a_loss_of_the_size_that_power_names_is_found_four_times_in_five() -> None:
    """Otherwise: the size of loss that a report says a run can tell is a number without meaning."""
    generator = np.random.default_rng(11)
    n, lost, gained = 800, 0.10, 0.05

    def run(lost: float) -> stats.Bootstrap:
        drawn = generator.random(n)
        first = np.where(
            drawn < lost, 1.0, np.where(drawn < lost + gained, 0.0, generator.integers(2, size=n))
        )
        second = np.where(drawn < lost, 0.0, np.where(drawn < lost + gained, 1.0, first))
        return bootstrap([first, second], np.ones((2, n)), range(n), seed=0, resamples=1_000)

    errors = [run(lost).difference_error(0, 1) for _ in range(20)]
    told = power(float(np.mean(errors)), n, 0.01)
    assert told is not None
    runs = [run(gained + told.smallest).difference(0, 1) for _ in range(400)]
    found = float(np.mean([estimate.low > 0 for estimate in runs]))
    assert 0.72 < found < 0.88


def test_twelve_thousand_items_take_seconds() -> None:
    values = np.random.default_rng(0).random((2, 12_000))
    start = time.process_time()
    bootstrap(values, np.ones((2, 12_000)), [str(place) for place in range(12_000)], seed=0)
    assert time.process_time() - start < 4  # about 1 s of an idle core


def test_signs_of_twelve_thousand_items_take_seconds() -> None:
    """Otherwise: a comparison of a few runs of a full benchmark takes minutes."""
    differences = np.random.default_rng(0).normal(size=12_000)
    start = time.process_time()
    sign_flip(differences, [str(place // 2) for place in range(12_000)], seed=0)
    assert time.process_time() - start < 4


arms = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(0, 1), min_size=n, max_size=n),
        st.lists(st.floats(0, 1), min_size=n, max_size=n),
        st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=n, max_size=n),
        st.lists(st.sampled_from("abcdefgh"), min_size=n, max_size=n),
    )
)


@settings(deadline=None, max_examples=50)
@given(arms)
def test_identical_arms_differ_by_exactly_nothing(
    drawn: tuple[list[float], list[float], list[float], list[str]],
) -> None:
    one, other, weights, clusters = drawn
    found = bootstrap([one, other, one], [weights] * 3, clusters, seed=0, resamples=100)
    difference = found.difference(0, 2)
    assert difference.value == 0
    assert (found.draws[:, 0] == found.draws[:, 2]).all()
    assert len(set(clusters)) < 2 or (difference.low, difference.high) == (0, 0)


@settings(deadline=None, max_examples=50)
@given(arms)
def test_intervals_hold_the_estimate_and_swapping_arms_negates(
    drawn: tuple[list[float], list[float], list[float], list[str]],
) -> None:
    one, other, weights, clusters = drawn
    found = bootstrap([one, other], [weights] * 2, clusters, seed=0, resamples=100)
    there, back = found.difference(0, 1), found.difference(1, 0)
    assert there.value == -back.value
    if len(set(clusters)) > 1:
        assert there.low <= there.value <= there.high
        assert (there.low, there.high) == (pytest.approx(-back.high), pytest.approx(-back.low))
        assert found.mean(0).low <= found.mean(0).value <= found.mean(0).high


@settings(deadline=None, max_examples=50)
@given(arms)
def test_the_clustered_p_is_a_probability_and_has_no_direction(
    drawn: tuple[list[float], list[float], list[float], list[str]],
) -> None:
    """Otherwise: which of two models is named first changes what a report claims."""
    one, other, weights, clusters = drawn
    difference = (np.array(one) - np.array(other)) * weights
    p = sign_flip(difference, clusters, seed=0, draws=100)
    assert 0 < p <= 1
    assert sign_flip(-difference, clusters, seed=0, draws=100) == p


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_stays_within_0_and_1(counts: tuple[int, int]) -> None:
    estimate = wilson(*counts)
    assert -1e-12 <= estimate.low <= estimate.value + 1e-12
    assert estimate.value - 1e-12 <= estimate.high <= 1 + 1e-12


def test_resamples_drawn_in_blocks_are_those_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise: an interval depends on how much memory its resamples may take."""
    values = np.random.default_rng(0).integers(0, 5, 2_000) / 4
    at_once = bootstrap([values], [np.ones(2_000)], range(2_000), seed=1, resamples=300)
    monkeypatch.setattr(stats, "_MOST_DRAWN", 5 * 7)
    in_blocks = bootstrap([values], [np.ones(2_000)], range(2_000), seed=1, resamples=300)
    assert np.array_equal(at_once.draws, in_blocks.draws) and len(set(at_once.draws[:, 0])) > 100
