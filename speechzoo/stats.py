"""How sure a number is: intervals, paired tests. Knows arrays only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

Floats = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 10_000
_CHUNK = 2**18
_NAN = float("nan")


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; ``low`` and ``high`` are NaN where no interval can be given."""

    value: float
    low: float
    high: float


def wilson(successes: int, n: int) -> Estimate:
    """A proportion and its score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Right for independent items also near 0 and 1, where a bootstrap's interval has no width.
    """
    interval = binomtest(successes, n).proportion_ci(LEVEL, method="wilson")
    return Estimate(successes / n, float(interval.low), float(interval.high))


def mcnemar(lost: int, gained: int) -> float:
    """Two-sided exact p of ``lost`` against ``gained`` items, each as likely as the other if nothing differs.

    For values of 0 and 1 this is McNemar's test with the exact binomial in place of chi-square
    (McNemar 1947, doi:10.1007/BF02295996); for other values it is the exact sign test.
    """
    return float(binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0


def sign_flip(differences: ArrayLike, clusters: Sequence[str], *, seed: int, draws: int = RESAMPLES) -> float:
    """Two-sided p of the sum of paired differences where clusters, rather than items, are independent.

    If nothing differs, a cluster's summed difference is as likely with either sign. p is the share of
    drawn signs whose sum is at least as far from 0 as the observed one, itself counted in (Phipson and
    Smyth 2010, doi:10.2202/1544-6115.1585).

    Args:
        differences: weighted, shape [items].
        clusters: the cluster of each item.
        seed: equal seeds give equal p.
        draws: how many signs are drawn for each cluster.
    """
    names, cluster = np.unique(np.asarray(clusters), return_inverse=True)
    difference = np.asarray(differences, float)
    sums = np.bincount(cluster, difference, len(names)).astype(float)
    sums = sums[sums != 0]
    # Sums of the same terms in another order are equal only up to rounding.
    reached = abs(sums.sum()) - 1e-9 * np.abs(difference).sum()
    generator = np.random.default_rng(seed)
    far = 0
    for start in range(0, draws, rows := max(1, _CHUNK // max(1, len(sums)))):
        size = min(rows, draws - start)
        signs = 2 * generator.integers(2, size=(size, len(sums)), dtype=np.int8) - 1
        far += int(np.count_nonzero(np.abs(signs @ sums) >= reached))
    return (1 + far) / (1 + draws)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values adjusted for being the m tests of one family (Holm 1979).

    In ascending order, p(i) becomes max over j <= i of min(1, (m - j + 1) p(j)).
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


@dataclass(frozen=True)
class Bootstrap:
    """Weighted means of several arms over the same items, and the same means over resampled clusters.

    Intervals are percentile intervals (Efron 1979, doi:10.1214/aos/1176344552), widened to the
    estimate where it lies outside; NaN for fewer than two clusters.

    Attributes:
        means: sum(weight * value) / sum(weight) of each arm, shape [arms].
        draws: the same for every resample, shape [resamples, arms].
        clusters: how many there are.
    """

    means: Floats
    draws: Floats
    clusters: int

    def mean(self, arm: int) -> Estimate:
        """The mean of one arm."""
        return self._estimate(self.means[arm], self.draws[:, arm])

    def difference(self, first: int, second: int) -> Estimate:
        """Mean of ``first`` minus mean of ``second``, paired: both are of the same resample."""
        return self._estimate(
            self.means[first] - self.means[second], self.draws[:, first] - self.draws[:, second]
        )

    def retention(self, first: int, second: int, chance: float) -> Estimate | None:
        """What ``second`` keeps of ``first``'s margin over chance: (second - chance) / (first - chance).

        None unless ``first`` differs from chance by more than its interval: a ratio to a margin
        that may be 0 says nothing. The few resamples in which the margin changes sign are left out.
        """
        margin = self.means[first] - chance
        reference = self.mean(first)
        if margin == 0 or reference.low <= chance <= reference.high:
            return None
        kept = (self.draws[:, first] - chance) * np.sign(margin) > 0
        draws = self.draws[kept]
        return self._estimate(
            (self.means[second] - chance) / margin, (draws[:, second] - chance) / (draws[:, first] - chance)
        )

    def _estimate(self, value: float, draws: Floats) -> Estimate:
        if self.clusters < 2:
            return Estimate(float(value), _NAN, _NAN)
        tail = 100 * (1 - LEVEL) / 2
        low, high = np.nanpercentile(draws, [tail, 100 - tail])
        return Estimate(float(value), min(float(low), float(value)), max(float(high), float(value)))


def bootstrap(
    values: ArrayLike, weights: ArrayLike, clusters: Sequence[str], *, seed: int, resamples: int = RESAMPLES
) -> Bootstrap:
    """Resamples clusters with replacement: items that share material are not independent.

    Args:
        values: shape [arms, items]; at least one item.
        weights: shape [arms, items], not negative, not all 0 in an arm.
        clusters: the cluster of each item.
        seed: equal seeds give equal intervals.
        resamples: how many.
    """
    value, weight = np.asarray(values, float), np.asarray(weights, float)
    names, cluster = np.unique(np.asarray(clusters), return_inverse=True)
    columns = [*(value * weight), *weight]
    sums = np.stack([np.bincount(cluster, column, len(names)).astype(float) for column in columns], axis=1)
    drawn = _resampled_sums(sums, resamples, seed)
    arms = len(value)
    totals = sums.sum(axis=0)
    with np.errstate(invalid="ignore"):  # a resample of weightless clusters only is NaN, and left out
        draws = drawn[:, :arms] / drawn[:, arms:]
    return Bootstrap(totals[:arms] / totals[arms:], draws, len(names))


def _resampled_sums(sums: Floats, resamples: int, seed: int) -> Floats:
    """Column sums over clusters drawn with replacement, shape [resamples, columns]."""
    # Equal columns are summed once: faster, and two equal arms stay equal to the last bit.
    columns, place = np.unique(sums, axis=1, return_inverse=True)
    generator = np.random.default_rng(seed)
    n = len(columns)
    drawn = []
    for start in range(0, resamples, rows := max(1, _CHUNK // n)):
        size = min(rows, resamples - start)
        flat = generator.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        counts = np.bincount(flat.ravel(), minlength=size * n).reshape(size, n)
        drawn.append(counts @ columns)
    result: Floats = np.concatenate(drawn)[:, place.ravel()]
    return result
