"""Intervals of shares and of whatever is counted, over clusters that are drawn with replacement."""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student
from speechzoo.stats import LEVEL, Estimate

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NAN = float("nan")
RESAMPLES = 2_000
MOST_UNDEFINED = 0.05
SAME = 1e-9
"""Values that differ by less, relatively, differ by rounding alone."""
_UPPER = 1 - (1 - LEVEL) / 2
_Z = float(norm.ppf(_UPPER))


def share(values: Sequence[float], clusters: Sequence[Hashable]) -> Estimate:
    """The mean of values from 0 to 1 and its score interval, items of one cluster being dependent.

    Wilson's interval (1927, doi:10.1080/01621459.1927.10502953) with the effective number of items that Korn
    and Graubard put into Clopper and Pearson's (1998, Survey Methodology 24, 193-201). It has a width also
    where all values are equal: their number is then that of the clusters. For 0 and 1 in clusters of one
    it is Wilson's own.

    Args:
        values: at least one.
        clusters: of each value.
    """
    value = np.asarray(values, float)
    mean = float(value.mean())
    z2 = _Z**2 / _effective(value - mean, mean, clusters)
    middle = (mean + z2 / 2) / (1 + z2)
    reach = float(np.sqrt(z2 * (mean * (1 - mean) + z2 / 4))) / (1 + z2)
    return Estimate(mean, max(0.0, min(mean, middle - reach)), min(1.0, max(mean, middle + reach)))


def _effective(deviations: Floats, mean: float, clusters: Sequence[Hashable]) -> float:
    """How many independent items tell as much: at most as many as there are, fewer if clusters agree.

    n divided by the design effect, and by how much fewer degrees of freedom there are than n - 1.
    """
    n = len(deviations)
    cluster, count = numbered(clusters)
    if count < 2 or not np.abs(deviations).max() > 1e-12:
        return float(count)
    sums = np.bincount(cluster, deviations, count)
    variance = float((sums**2).sum()) / n**2 * count / (count - 1)
    independent = mean * (1 - mean) / (n - 1)
    freedom = float(student.ppf(_UPPER, n - 1) / student.ppf(_UPPER, count - 1)) ** 2
    return n * freedom * min(1.0, independent / variance if variance > 1e-15 else 1.0)


def numbered(clusters: Sequence[Hashable]) -> tuple[Integers, int]:
    """The clusters as numbers from 0, and how many there are."""
    places = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    return np.array([places[name] for name in clusters], dtype=np.int64), len(places)


def drawn(count: int, resamples: int, seed: int) -> Integers:
    """How often each of ``count`` clusters comes in each resample, shape [resamples, count]."""
    chances = np.full(count, 1 / count)
    return np.random.default_rng(seed).multinomial(count, chances, size=resamples)


def percentiles(value: float, draws: Floats, clusters: int, *, whole: bool = False) -> Estimate:
    """The percentile interval (Efron 1979, doi:10.1214/aos/1176344552), widened to the value.

    NaN for fewer than two clusters, where more than 5 % of the resamples leave it undefined (NaN), and where
    all resamples are alike: clusters that cannot differ say nothing of how sure the value is.

    Args:
        value: of all clusters.
        draws: of each resample.
        clusters: how many there are.
        whole: values are whole numbers, such as ranks, which may well be the same in all resamples.
    """
    defined = draws[~np.isnan(draws)]
    if clusters < 2 or np.isnan(value) or len(defined) < (1 - MOST_UNDEFINED) * len(draws):
        return Estimate(value, NAN, NAN)
    if not whole and np.ptp(defined) <= SAME * (1 + abs(value)):
        return Estimate(value, NAN, NAN)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(defined, [tail, 100 - tail])
    return Estimate(value, min(float(low), value), max(float(high), value))


def of_counts(
    statistic: Callable[[Floats], Floats],
    counts: Floats,
    clusters: Sequence[Hashable],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Estimate:
    """A function of summed tables, and its interval over clusters.

    Args:
        statistic: from tables, shape [..., rows, columns], to values, shape [...]; NaN where undefined.
        counts: the table of each item, shape [items, rows, columns].
        clusters: of each item.
        seed: equal seeds give equal intervals.
        resamples: how many.
    """
    cluster, count = numbered(clusters)
    tables = np.zeros((count, *counts.shape[1:]))
    np.add.at(tables, cluster, counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(statistic(tables.sum(axis=0)))
        draws = statistic(np.tensordot(drawn(count, resamples, seed).astype(float), tables, axes=1))
    return percentiles(value, draws, count)
