"""How far judges agree, with each other, with people, and with their own rubrics.

Which of two systems is called the first is arbitrary. So each battle enters tables of agreement in both
directions: marginals are then symmetric, and chance is that of tossing a coin between the two systems of each
battle, ties apart. With the winner's name as the category chance would be 1 in 11 among 11 systems, though a
battle has but two.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import rankdata
from speechzoo.stats import Estimate

from speechzoo_arena.intervals import RESAMPLES, Floats, of_counts, percentiles, share
from speechzoo_arena.records import SWAPPED, Battle, Verdict

VERDICTS: tuple[Verdict, ...] = ("first", "tie", "second")
PEOPLE = "people"


def cohen_kappa(tables: Floats) -> Floats:
    """Cohen's kappa of two raters (1960, doi:10.1177/001316446002000104), of one or many tables.

    (observed - chance) / (1 - chance), chance being the sum of the products of both raters' shares.

    Args:
        tables: how often the first rater gave a row's and the second a column's category, shape
            [..., categories, categories].

    Returns:
        Shape [...]; NaN where the raters leave chance nothing to differ in.
    """
    observed, chance = observed_and_chance(tables)
    return np.where(chance < 1, (observed - chance) / np.where(chance < 1, 1 - chance, 1.0), np.nan)


def observed_and_chance(tables: Floats) -> tuple[Floats, Floats]:
    """Share of equal categories, and the share that raters with these marginals would have by chance."""
    shares = tables / tables.sum(axis=(-2, -1), keepdims=True)
    observed = np.trace(shares, axis1=-2, axis2=-1)
    chance = (shares.sum(axis=-1) * shares.sum(axis=-2)).sum(axis=-1)
    return observed, chance


def coincidences(ratings: Sequence[Hashable], categories: Sequence[Hashable]) -> Floats:
    """A unit's part of Krippendorff's coincidence matrix: its ordered pairs of values over m - 1.

    Args:
        ratings: the m values that the unit was given, by any raters; missing ones are left out.
        categories: all values there are.
    """
    counts = np.array([ratings.count(category) for category in categories], float)
    pairs: Floats = np.outer(counts, counts) - np.diag(counts)
    return pairs / max(1, len(ratings) - 1)


def krippendorff_alpha(tables: Floats) -> Floats:
    """Krippendorff's alpha for nominal data (2011, Computing Krippendorff's Alpha-Reliability, section C).

    1 - (n - 1) (n - sum of o_cc) / (n^2 - sum of n_c^2), of the coincidence matrix o with marginals n_c
    and sum n. Any number of raters, any gaps.

    Args:
        tables: summed `coincidences` of the units, shape [..., categories, categories].

    Returns:
        Shape [...]; NaN where all values are of one category, or no unit has two.
    """
    values = tables.sum(axis=-1)
    n = values.sum(axis=-1)
    disagreeing = n - np.trace(tables, axis1=-2, axis2=-1)
    expected = n**2 - (values**2).sum(axis=-1)
    possible = expected > 1e-9 * np.maximum(n, 1)
    return np.where(possible, 1 - (n - 1) * disagreeing / np.where(possible, expected, 1.0), np.nan)


@dataclass(frozen=True)
class Agreement:
    """Two raters over the battles that both decided.

    Attributes:
        rate: share of battles with the same verdict.
        kappa: Cohen's, in categories first, tie, second, each battle entered in both directions.
        chance: the share of agreement expected by chance that kappa is corrected for.
        battles: how many.
    """

    rate: Estimate
    kappa: Estimate
    chance: float
    battles: int


Key = tuple[str, str, str]
Verdicts = Mapping[Key, tuple[Verdict, str]]
"""By dialogue and the two systems, sorted: the verdict in that order, and the cluster."""


def verdicts_of(battles: Sequence[Battle]) -> dict[Key, tuple[Verdict, str]]:
    """One verdict a battle: that of most votes (both orders, repeats, voters), or a tie if none leads.

    Ties count as half a win of each side.
    """
    scores: defaultdict[Key, list[float]] = defaultdict(list)
    clusters: dict[Key, str] = {}
    for battle in battles:
        key = (battle.dialogue, *battle.pair)
        scores[key].append(battle.score if battle.first == battle.pair[0] else 1 - battle.score)
        clusters[key] = battle.cluster
    return {key: (_leading(own), clusters[key]) for key, own in scores.items()}


def _leading(scores: Sequence[float]) -> Verdict:
    mean = float(np.mean(scores))
    return "first" if mean > 0.5 else "second" if mean < 0.5 else "tie"


def agreement(one: Verdicts, two: Verdicts, *, seed: int, resamples: int = RESAMPLES) -> Agreement | None:
    """Of two judges, or a judge and people; None where they have no battle in common."""
    shared = [key for key in one if key in two]
    if not shared:
        return None
    pairs = [(one[key][0], two[key][0]) for key in shared]
    clusters = [one[key][1] for key in shared]
    tables = np.array([_both_ways(first, second) for first, second in pairs])
    return Agreement(
        rate=share([float(first == second) for first, second in pairs], clusters),
        kappa=of_counts(cohen_kappa, tables, clusters, seed=seed, resamples=resamples),
        chance=float(observed_and_chance(tables.sum(axis=0))[1]),
        battles=len(shared),
    )


def _both_ways(first: Verdict, second: Verdict) -> Floats:
    table = np.zeros((len(VERDICTS), len(VERDICTS)))
    for one, two in ((first, second), (SWAPPED[first], SWAPPED[second])):
        table[VERDICTS.index(one), VERDICTS.index(two)] += 0.5
    return table


@dataclass(frozen=True)
class Reliability:
    """Krippendorff's alpha of several raters, nominal, each battle entered in both directions.

    Attributes:
        alpha: with its interval over clusters.
        battles: decided by at least two raters.
        raters: that decided at least one of them.
    """

    alpha: Estimate
    battles: int
    raters: int


def reliability(
    raters: Mapping[str, Verdicts], *, seed: int, resamples: int = RESAMPLES
) -> Reliability | None:
    """Of any number of raters with any gaps; None where no two decided the same battle."""
    units: defaultdict[Key, list[Verdict]] = defaultdict(list)
    clusters: dict[Key, str] = {}
    for verdicts in raters.values():
        for key, (verdict, cluster) in verdicts.items():
            units[key].append(verdict)
            clusters[key] = cluster
    shared = [key for key, values in units.items() if len(values) > 1]
    if not shared:
        return None
    tables = np.array(
        [
            coincidences(units[key], VERDICTS)
            + coincidences([SWAPPED[verdict] for verdict in units[key]], VERDICTS)
            for key in shared
        ]
    )
    # Both directions make twice the values, but no new ones: the correction for few values is by the true n.
    return Reliability(
        alpha=of_counts(
            lambda summed: krippendorff_alpha(summed / 2),
            tables,
            [clusters[key] for key in shared],
            seed=seed,
            resamples=resamples,
        ),
        battles=len(shared),
        raters=sum(any(key in verdicts for key in shared) for verdicts in raters.values()),
    )


Measure = Literal["spearman", "kendall"]


def spearman(one: Floats, two: Floats) -> Floats:
    """Spearman's rho: the correlation of ranks, ties having their mean rank.

    Args:
        one: shape [..., systems].
        two: the same.

    Returns:
        Shape [...]; NaN where all values of a side are equal.
    """
    first, second = (rankdata(values, axis=-1) for values in (one, two))
    return _correlation(first - first.mean(-1, keepdims=True), second - second.mean(-1, keepdims=True))


def kendall(one: Floats, two: Floats) -> Floats:
    """Kendall's tau-b (1945, doi:10.1093/biomet/33.3.239): the correlation of the signs of all differences.

    Args:
        one: shape [..., systems].
        two: the same.

    Returns:
        Shape [...]; NaN where all values of a side are equal.
    """
    first, second = (np.sign(own[..., :, None] - own[..., None, :]) for own in (one, two))
    flat = (*one.shape[:-1], one.shape[-1] ** 2)
    return _correlation(first.reshape(flat), second.reshape(flat))


def _correlation(one: Floats, two: Floats) -> Floats:
    """Of values whose mean is 0, over the last axis."""
    spread = np.sqrt((one**2).sum(-1) * (two**2).sum(-1))
    return np.where(spread > 0, (one * two).sum(-1) / np.where(spread > 0, spread, 1.0), np.nan)


_MEASURES: dict[Measure, Callable[[Floats, Floats], Floats]] = {"spearman": spearman, "kendall": kendall}


def rank_correlation(
    one: Sequence[float],
    two: Sequence[float],
    measure: Measure = "spearman",
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Estimate:
    """How alike two judges rank systems, with a bootstrap interval over systems.

    With few systems the interval is rough: a resample of 11 holds some 7 different ones. Resamples in which a
    judge's values are all equal are left out.

    Args:
        one: a judge's value of each system, shape [systems].
        two: another's.
        measure: Spearman's rho or Kendall's tau-b.
        seed: equal seeds give equal intervals.
        resamples: how many.
    """
    first, second = np.asarray(one, float), np.asarray(two, float)
    chosen = np.random.default_rng(seed).integers(len(first), size=(resamples, len(first)))
    correlate = _MEASURES[measure]
    value = float(correlate(first, second))
    return percentiles(value, correlate(first[chosen], second[chosen]), len(first))


@dataclass(frozen=True)
class RubricConsistency:
    """Whether a judge prefers in battle what it gives the better rubric score.

    Attributes:
        agreement: of the verdict with the sign of the difference of scores; equal scores are a tie.
        decided: the rate over battles in which neither is a tie; None where there is none.
        unscored: battles that lack a score of a system.
    """

    agreement: Agreement
    decided: Estimate | None
    unscored: int


def rubric_consistency(
    battles: Sequence[Battle],
    scores: Mapping[tuple[str, str], float],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> RubricConsistency | None:
    """Of one judge's battles with its own rubric scores; None where no battle has both.

    Args:
        battles: of one judge.
        scores: by dialogue and system, higher is better.
        seed: equal seeds give equal intervals.
        resamples: how many.
    """
    verdicts = verdicts_of(battles)
    expected: dict[Key, tuple[Verdict, str]] = {}
    for key, (_, cluster) in verdicts.items():
        dialogue, first, second = key
        if (dialogue, first) in scores and (dialogue, second) in scores:
            lead = scores[dialogue, first] - scores[dialogue, second]
            expected[key] = ("first" if lead > 0 else "second" if lead < 0 else "tie", cluster)
    found = agreement(verdicts, expected, seed=seed, resamples=resamples)
    if found is None:
        return None
    clear = [key for key in expected if "tie" not in (verdicts[key][0], expected[key][0])]
    same = [float(verdicts[key][0] == expected[key][0]) for key in clear]
    return RubricConsistency(
        agreement=found,
        decided=share(same, [verdicts[key][1] for key in clear]) if clear else None,
        unscored=len(verdicts) - len(expected),
    )


def by_judge(battles: Sequence[Battle]) -> dict[str, list[Battle]]:
    """The battles of each judge, models before people, by name."""
    found: defaultdict[str, list[Battle]] = defaultdict(list)
    for battle in battles:
        found[battle.judge].append(battle)
    return dict(sorted(found.items(), key=lambda own: (own[1][0].kind == "human", own[0])))
