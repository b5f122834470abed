"""Intervals, ranks, tests of pairs, and what would settle them."""

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from speechzoo.stats import holm

from speechzoo_arena.bradley_terry import POINTS, NoRatingsError, bradley_terry
from speechzoo_arena.intervals import drawn, numbered
from speechzoo_arena.ratings import (
    information,
    more_battles,
    pair_tests,
    rate,
    rate_controlled,
    rate_groups,
    win_rates,
)
from speechzoo_arena.records import Battle

from .conftest import a_battle, some_battles
from .test_bradley_terry import random_battles, repeated


def test_intervals_hold_the_true_ratings_as_often_as_they_say() -> None:
    """Otherwise a reader would trust an order of systems that the battles do not carry."""
    true = {f"s{place}": 1000 + 40 * (1.5 - place) for place in range(4)}
    inside = total = 0
    for seed in range(40):
        found = rate(random_battles(seed, 4, 200, 0.5), seed=seed, resamples=120)
        for name, value in true.items():
            own = found.rating(name)
            inside += own.low <= value <= own.high
            total += 1
    assert 0.90 <= inside / total <= 0.99


def test_copies_of_a_dialogues_battles_make_nothing_surer() -> None:
    """Otherwise judging a dialogue ten times would pass for ten dialogues."""
    played = random_battles(0, 3, 120, 0.3)
    once, thrice = rate(played, seed=1, resamples=300), rate(played * 3, seed=1, resamples=300)
    one, three = once.rating("s0"), thrice.rating("s0")
    assert (three.value, three.low, three.high) == pytest.approx((one.value, one.low, one.high), abs=1e-4)
    assert thrice.battles == 3 * once.battles and thrice.clusters == once.clusters == 24


def test_equal_seeds_give_equal_intervals() -> None:
    """Otherwise a report could not be made again."""
    played = random_battles(0, 3, 60, 0.3)
    one, two, three = (rate(played, seed=seed, resamples=50) for seed in (1, 1, 2))
    assert np.array_equal(one.draws, two.draws) and not np.array_equal(one.draws, three.draws)


def test_a_resample_is_the_fit_of_the_battles_drawn() -> None:
    """Otherwise the quick fits from near by would not be fits."""
    played = random_battles(4, 3, 100, 0.4)
    found = rate(played, seed=5, resamples=5)
    cluster, count = numbered([own.cluster for own in played])
    for number, times in enumerate(drawn(count, 5, 5)):
        chosen = [own for own, place in zip(played, cluster, strict=True) for _ in range(times[place])]
        assert found.draws[number] == pytest.approx(bradley_terry(chosen).ratings, abs=1e-5)


def test_resamples_without_ratings_are_counted_and_take_the_interval_away() -> None:
    """Otherwise a system that lost once in ten dialogues would get an interval that leaves infinity out."""
    played = [a_battle("A", "B", "second" if n == 0 else "first", f"d{n}") for n in range(10)]
    found = rate(played, seed=0, resamples=400)
    assert found.undefined == pytest.approx(0.9**10, abs=0.08)
    assert math.isnan(found.rating("A").low) and math.isnan(found.difference_error("A", "B"))
    assert math.isnan(found.rank("A").low)
    told = pair_tests(found)[0]
    assert math.isnan(told.p) and not told.settled and told.more is None
    with_prior = rate(played, seed=0, resamples=400, prior=200.0)
    assert with_prior.undefined == 0 and with_prior.prior == 200
    assert with_prior.rating("A").low < with_prior.rating("A").value < with_prior.rating("A").high


def test_a_clean_sweep_under_a_prior_is_no_certainty() -> None:
    """Otherwise two wins of two would be a settled lead with an interval of no width."""
    two, twelve = (
        rate([a_battle("A", "B", dialogue=f"d{n}") for n in range(count)], seed=0, prior=200.0, resamples=400)
        for count in (2, 12)
    )
    rating = two.rating("A")
    # The posterior's spread by the information matrix, here the only measure of what nobody knows.
    spread = math.sqrt(two.fit.covariance[0, 0])
    assert rating.low < 1000 < rating.value < rating.high
    assert rating.high - rating.low == pytest.approx(2 * 1.96 * spread, rel=0.25)
    (few,), (many,) = pair_tests(two), pair_tests(twelve)
    assert few.p == 0.5 and not few.settled
    assert many.settled and many.lead.low > 0


def alike(dialogues: int, last: tuple[str, ...]) -> list[Battle]:
    """A wins two of three on every dialogue but the last."""
    outcomes = [("first", "first", "second")] * (dialogues - 1) + [last]
    return [a_battle("A", "B", own, f"d{n}") for n, told in enumerate(outcomes) for own in told]


def test_dialogues_that_cannot_differ_give_no_interval() -> None:
    """Otherwise a lead of two dialogues would be sure to the point, as no resample changes it."""
    found = rate(alike(5, ("first", "first", "second")), seed=0, resamples=50)
    (told,) = pair_tests(found)
    assert math.isnan(found.rating("A").low) and math.isnan(told.p) and not told.settled
    assert (found.rank("A").low, found.rank("A").high) == (1, 1)


@pytest.mark.parametrize(("dialogues", "settled"), [(5, False), (12, True)])
def test_few_dialogues_that_are_much_alike_settle_nothing(dialogues: int, settled: bool) -> None:
    """Otherwise a small error by luck would settle what five coins of five show as well."""
    most = ("first", "first", "first", "second", "second")
    (told,) = pair_tests(rate(alike(dialogues, most), seed=0, resamples=50))
    assert told.p == pytest.approx(2.0 ** (1 - dialogues)) and told.settled == settled


def test_ranks_have_intervals() -> None:
    """Otherwise a table's order would look settled."""
    played = [
        own
        for n in range(40)
        for own in (
            a_battle("A", "C", "second" if n % 20 == 0 else "first", f"d{n}"),
            a_battle("B", "C", "second" if n % 19 == 0 else "first", f"d{n}"),
            a_battle("A", "B", "first" if n % 2 else "second", f"d{n}"),
        )
    ]
    found = rate(played, seed=0, resamples=400)
    assert (found.rank("C").low, found.rank("C").high) == (3, 3)
    assert (found.rank("A").low, found.rank("A").high) == (1, 2)


def test_pairs_are_tested_as_one_family() -> None:
    """Otherwise among 55 pairs of 11 equal systems some three would be called different."""
    found = rate(random_battles(2, 5, 1_200, 0.3), seed=0, resamples=300)
    told = pair_tests(found)
    assert len(told) == 10
    assert [own.p_holm for own in told] == pytest.approx(holm([own.p for own in told]))
    for own in told:
        error = found.difference_error(own.first, own.second)
        assert own.lead.value >= 0
        assert own.p == pytest.approx(2 * norm.sf(own.lead.value / error))
        assert own.settled == (own.p_holm < 0.05 and own.lead.low > 0)
        assert own.met == found.met.get(tuple(sorted((own.first, own.second))), 0)
    assert told[3].first == "s0" and told[3].settled  # 160 points


def test_equal_systems_are_rarely_called_different() -> None:
    """Otherwise findings would be found where there is nothing."""
    draw = np.random.default_rng(0)
    false = 0
    for seed in range(40):
        played = [
            a_battle(
                *draw.permutation(list("ABCD"))[:2].tolist(), ("first", "second")[draw.integers(2)], f"d{n}"
            )
            for n in range(120)
        ]
        false += any(own.settled for own in pair_tests(rate(played, seed=seed, resamples=150)))
    assert false <= 6  # 5 % of 40 is 2; more than 6 has a probability below 1 %


def test_more_battles_is_the_sample_size_of_two_systems() -> None:
    """Otherwise a team would judge too few battles to know, or pay for too many."""
    fit = bradley_terry(repeated("A", "B", 60, 0, 40))
    now = math.sqrt(POINTS**2 / (100 * 0.6 * 0.4))
    lead = fit.rating("A") - fit.rating("B")
    total = (1.959964 + 0.841621) ** 2 * POINTS**2 / (0.6 * 0.4) / lead**2
    assert information(fit, "A", "B") == pytest.approx(0.24 / POINTS**2)
    assert more_battles(fit, "A", "B", now, 0.05) == math.ceil(total - 100)
    assert more_battles(fit, "A", "B", now / 100, 0.05) == 0
    assert more_battles(fit, "A", "B", float("nan"), 0.05) is None


def test_more_battles_are_those_that_settle_a_pair_among_many() -> None:
    """Otherwise a team would be told that nothing is lacking, and the pair would stay unsettled."""
    seen = 0
    for seed in range(6):
        found = rate(random_battles(seed, 8, 600, 0.3), seed=0, resamples=100)
        told = pair_tests(found)
        level = 0.05 / max(1, sum(own.p_holm >= 0.05 for own in told))
        for own in told:
            if own.settled:
                assert own.more == 0
                continue
            assert own.more != 0
            if own.more is None:
                assert own.lead.low <= 0 and own.p_holm < 0.05
                continue
            error = found.difference_error(own.first, own.second)
            gained = own.more * information(found.fit, own.first, own.second)
            later = 1 / math.sqrt(error**-2 + gained)
            power = norm.sf(norm.ppf(1 - level / 2) - own.lead.value / later)
            assert power >= 0.8 - 1e-9
            # By the level of a single pair some of them would be told that nothing is lacking.
            seen += more_battles(found.fit, own.first, own.second, error, 0.05) == 0
    assert seen


def test_a_tie_tells_less_than_a_win() -> None:
    """Otherwise ties would be counted as if they told as much. The score's variance, by its definition."""
    fit = bradley_terry(repeated("A", "B", 30, 50, 20))
    chances, scores = np.array([0.3, 0.5, 0.2]), np.array([1, 0.5, 0])
    variance = (chances * scores**2).sum() - (chances * scores).sum() ** 2
    assert information(fit, "A", "B") == pytest.approx(variance / POINTS**2)
    spread = fit.covariance[0, 0] + fit.covariance[1, 1] - 2 * fit.covariance[0, 1]
    known = 1 / (100 * variance / POINTS**2)
    assert known < spread < 1.03 * known  # the tie parameter is estimated, too


def test_a_system_that_only_talks_longer_loses_its_lead() -> None:
    """Otherwise length control would not control."""
    draw = np.random.default_rng(7)
    played: list[Battle] = []
    for n in range(900):
        one, two = draw.permutation(["long", "short", "other"])[:2].tolist()
        lengths = [
            float(draw.uniform(20, 60) if name == "long" else draw.uniform(10, 30)) for name in (one, two)
        ]
        odds = 0.7 * math.log2(lengths[0] / lengths[1])
        outcome = "first" if draw.random() < 1 / (1 + math.exp(-odds)) else "second"
        seconds = {"first": lengths[0], "second": lengths[1]}
        played.append(a_battle(one, two, outcome, f"d{n}", seconds=seconds))
    told = rate_controlled([*played, a_battle("long", "short")], ("seconds",), seed=0, resamples=200)
    assert told.left_out == 1
    plain, adjusted = (own.difference("long", "short") for own in (told.plain, told.adjusted))
    assert plain.low > 0
    assert adjusted.low < 0 < adjusted.high
    effect = told.adjusted.effect("seconds")
    assert effect.low < 0.7 * POINTS < effect.high and effect.low > 0


def test_a_judge_that_prefers_the_first_is_found_out() -> None:
    """Otherwise position bias would be spread over the ratings unseen."""
    told = rate_controlled(random_battles(1, 3, 600, 0.4, position=0.6), ("position",), seed=0, resamples=200)
    effect = told.adjusted.effect("position")
    assert effect.low < 0.6 * POINTS < effect.high and effect.low > 0


def test_each_group_has_a_fit_and_all_together() -> None:
    """Otherwise a dimension without enough battles would take the others' ratings away."""
    played = [
        own.model_copy(update={"group": group})
        for group in ("semantic", "ambient")
        for own in random_battles(len(group), 3, 60, 0.3)
    ]
    lone = a_battle("A", "B", group="lone")
    found = rate_groups([*played, lone], seed=0, prior=None, resamples=20)
    assert list(found) == ["", "ambient", "lone", "semantic"]
    assert isinstance(found["lone"], NoRatingsError) and isinstance(found[""], NoRatingsError)
    assert not isinstance(found["semantic"], NoRatingsError) and found["semantic"].battles == 60
    assert list(rate_groups(played[:60], seed=0, resamples=20)) == ["semantic"]


def test_win_rates_count_every_battle_from_both_sides() -> None:
    """Otherwise the matrix would not add up."""
    told = win_rates(some_battles("AB1 AB1 BA1 AB= BC0"))
    assert (told["A", "B"].wins, told["A", "B"].ties, told["A", "B"].losses) == (2, 1, 1)
    assert (told["B", "A"].wins, told["B", "A"].losses) == (1, 2)
    assert told["A", "B"].score.value == pytest.approx(2.5 / 4)
    assert told["C", "B"].wins == 1 and told["C", "B"].score.low < 0.5
    assert ("A", "C") not in told
    for one, two in combinations("ABC", 2):
        if (one, two) in told:
            assert told[one, two].score.low == pytest.approx(1 - told[two, one].score.high)


def test_a_clean_sweep_has_an_interval(battle: Any) -> None:
    """Otherwise five wins of five would look like certainty, as in a bootstrap."""
    told = win_rates([battle("A", "B", dialogue=f"d{n}") for n in range(5)])
    assert told["A", "B"].score.high == 1 and told["A", "B"].score.low == pytest.approx(0.5655, abs=1e-3)
