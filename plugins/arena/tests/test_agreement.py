"""Kappa, alpha and rank correlations against published worked examples and scipy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from speechzoo_arena.agreement import (
    agreement,
    by_judge,
    cohen_kappa,
    coincidences,
    krippendorff_alpha,
    observed_and_chance,
    rank_correlation,
    reliability,
    rubric_consistency,
    verdicts_of,
)


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        # Cohen 1960, doi:10.1177/001316446002000104, Table 1 (in hundredths).
        ([[25, 13, 12], [12, 2, 16], [3, 15, 2]], -0.092),
        # Fleiss, Cohen and Everitt 1969, doi:10.1037/h0028106, Table 1.
        ([[53, 5, 2], [11, 14, 5], [1, 6, 3]], 0.429),
    ],
)
def test_kappa_of_published_examples(table: list[list[int]], kappa: float) -> None:
    """Otherwise kappas could not stand beside anybody else's."""
    assert float(cohen_kappa(np.array(table, float))) == pytest.approx(kappa, abs=5e-4)


def test_kappa_of_raters_who_never_vary_is_not_given() -> None:
    """Otherwise 0 / 0 would be printed as agreement or none."""
    assert np.isnan(cohen_kappa(np.array([[7.0, 0], [0, 0]])))


MISSING = "."
EXAMPLES = [
    # Krippendorff 2011, Computing Krippendorff's Alpha-Reliability: sections A, B and C.
    (["0100000010", "1110010000"], 0.095),
    (["aabbdcccedda", "babbbccceddd"], 0.692),
    (["123321412...", "1233224125.3", ".3332342251.", "12332441251."], 0.743),
]


@pytest.mark.parametrize(("raters", "alpha"), EXAMPLES)
def test_alpha_of_published_examples(raters: list[str], alpha: float) -> None:
    """Otherwise alphas with gaps or several raters could not be trusted."""
    categories = sorted(set("".join(raters)) - {MISSING})
    units = [[value for value in unit if value != MISSING] for unit in zip(*raters, strict=True)]
    tables = sum(coincidences(unit, categories) for unit in units if len(unit) > 1)
    assert float(krippendorff_alpha(np.asarray(tables))) == pytest.approx(alpha, abs=5e-4)


def test_alpha_without_variation_is_not_given() -> None:
    """Otherwise judges that always call a tie would look perfectly reliable."""
    assert np.isnan(krippendorff_alpha(coincidences(["a", "a"], ["a", "b"])))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=12))
def test_rank_correlations_are_scipys(pairs: list[tuple[int, int]]) -> None:
    """Otherwise the vectorised ones, ties included, would be something else."""
    one, two = zip(*pairs, strict=True)
    for measure, scipys in (("spearman", spearmanr), ("kendall", kendalltau)):
        found = rank_correlation(one, two, measure, seed=0, resamples=5).value
        if len(set(one)) == 1 or len(set(two)) == 1:
            assert np.isnan(found)
        else:
            assert found == pytest.approx(float(scipys(one, two).statistic))


def test_the_interval_of_a_rank_correlation_is_over_systems() -> None:
    """Otherwise eleven systems would look like many. Against a loop over resamples with scipy."""
    one, two = [1, 2, 3, 4, 5, 6, 7.0], [2, 1, 3, 5, 4, 7, 6.0]
    found = rank_correlation(one, two, seed=4, resamples=200)
    chosen = np.random.default_rng(4).integers(7, size=(200, 7))
    values = [spearmanr(np.array(one)[own], np.array(two)[own]).statistic for own in chosen]
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])))


def test_one_verdict_a_battle(battle: Any) -> None:
    """Otherwise both orders, repeats or voters of a battle would count as several battles."""
    found = verdicts_of(
        [
            battle("A", "B", "first", "d1"), battle("B", "A", "first", "d1"),
            battle("B", "A", "first", "d2"),
            battle("C", "A", "first", "d1"), battle("C", "A", "tie", "d1"),
        ]
    )  # fmt: skip
    assert {key: verdict for key, (verdict, _) in found.items()} == {
        ("d1", "A", "B"): "tie", ("d2", "A", "B"): "second", ("d1", "A", "C"): "second"
    }  # fmt: skip


def test_names_do_not_change_kappa(battle: Any) -> None:
    """Otherwise renaming a system would change how far two judges agree."""

    def told(better: str, worse: str) -> Any:
        judges = (
            [(better, worse, "first", "d1"), (better, worse, "first", "d2"), (better, worse, "tie", "d3")],
            [(better, worse, "first", "d1"), (worse, better, "first", "d2"), (better, worse, "tie", "d3")],
        )
        one, two = (verdicts_of([battle(*own) for own in rows]) for rows in judges)
        return agreement(one, two, seed=0, resamples=100)

    one, two = told("A", "B"), told("B", "A")
    assert one.kappa == two.kappa and one.chance == two.chance
    assert one.rate.value == pytest.approx(2 / 3) and one.battles == 3
    # Both call a third of battles a tie: (2/3)^2 / 2 + (1/3)^2.
    assert one.chance == pytest.approx(1 / 3)
    assert one.kappa.value == pytest.approx(0.5)


def test_chance_is_a_coins_toss_without_ties(battle: Any) -> None:
    """Otherwise two judges that both follow the better system would pass for agreeing by chance."""
    always = verdicts_of([battle("A", "B", "first", f"d{n}") for n in range(10)])
    found = agreement(always, always, seed=0, resamples=50)
    assert found is not None and found.chance == 0.5 and found.kappa.value == 1
    assert agreement(always, {}, seed=0) is None


def test_alpha_of_two_raters_without_gaps_is_near_kappa(battle: Any) -> None:
    """Otherwise counting each battle in both directions would change alpha's correction for few values."""
    draw = np.random.default_rng(0)
    rows = [("first", "second", "tie")[own] for own in draw.integers(3, size=400)]
    one = verdicts_of([battle("A", "B", own, f"d{n}") for n, own in enumerate(rows)])
    noisy = [own if draw.random() < 0.6 else "tie" for own in rows]
    two = verdicts_of([battle("A", "B", own, f"d{n}") for n, own in enumerate(noisy)])
    found = reliability({"one": one, "two": two}, seed=0, resamples=50)
    kappa = agreement(one, two, seed=0, resamples=50)
    assert found is not None and kappa is not None and (found.raters, found.battles) == (2, 400)
    # Alpha pools both raters' marginals where kappa has each one's own: a little lower.
    assert found.alpha.value == pytest.approx(kappa.kappa.value, abs=0.04)
    pooled = np.zeros((3, 3))
    for first, second in zip(rows, noisy, strict=True):
        for flip in (False, True):
            own = [{"first": 0, "tie": 1, "second": 2}[name] for name in (first, second)]
            own = [2 - place for place in own] if flip else own
            pooled[own[0], own[1]] += 0.25
            pooled[own[1], own[0]] += 0.25
    observed, chance = observed_and_chance(pooled)
    expected = 1 - (1 - observed) / (1 - chance) * (800 - 1) / 800
    assert found.alpha.value == pytest.approx(float(expected))


def test_raters_with_gaps_are_held_against_those_they_share_battles_with(battle: Any) -> None:
    """Otherwise a voter who judged one battle would count as a rater of all."""
    raters = {
        "one": verdicts_of([battle("A", "B", "first", "d1"), battle("A", "B", "second", "d2")]),
        "two": verdicts_of([battle("A", "B", "first", "d1")]),
        "three": verdicts_of([battle("A", "B", "first", "d3")]),
    }
    found = reliability(raters, seed=0, resamples=50)
    assert found is not None and (found.battles, found.raters) == (1, 2)
    assert reliability({"three": raters["three"]}, seed=0) is None


def test_rubrics_against_the_arena(battle: Any) -> None:
    """Otherwise a judge that contradicts its own scores would not be noticed."""
    played = [
        battle("A", "B", "first", "d1"), battle("A", "B", "second", "d2"), battle("B", "A", "first", "d3"),
        battle("A", "B", "tie", "d4"), battle("A", "B", "first", "d5"), battle("A", "C", "first", "d1"),
    ]  # fmt: skip
    scores = {
        ("d1", "A"): 0.9, ("d1", "B"): 0.2, ("d2", "A"): 0.9, ("d2", "B"): 0.2, ("d3", "A"): 0.1,
        ("d3", "B"): 0.2, ("d4", "A"): 0.5, ("d4", "B"): 0.5, ("d5", "A"): 0.5, ("d5", "B"): 0.5,
    }  # fmt: skip
    found = rubric_consistency(played, scores, seed=0, resamples=50)
    assert found is not None and found.decided is not None
    assert (found.agreement.battles, found.unscored) == (5, 1)
    assert found.agreement.rate.value == pytest.approx(3 / 5)
    assert found.decided.value == pytest.approx(2 / 3)
    assert rubric_consistency(played, {}, seed=0) is None


def test_judges_come_models_first(battle: Any) -> None:
    """Otherwise tables of judges would change their order from run to run."""
    played = [
        battle("A", "B", judge="z"),
        battle("A", "B", judge="a", kind="human"),
        battle("A", "B", judge="m"),
    ]
    assert list(by_judge(played)) == ["m", "z", "a"]
