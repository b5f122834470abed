"""How sure a number is: intervals, paired tests. Knows arrays only."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from math import ceil, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import fftconvolve
from scipy.stats import binom, binomtest, norm

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEVEL = 0.95
RESAMPLES = 10_000
POWER = 0.8
# Numbers drawn at once: more of them fall out of a core's cache, and take five times as long.
_CHUNK = 2**16
# Drawn at once where kinds are counted: of many kinds all resamples together would take gigabytes.
_MOST_DRAWN = 2**22
# Drawing how often a kind of clusters comes takes about as long as drawing this many clusters.
_KIND = 16
# A unit of a sum is its smallest or a part of that: halves come of ties, thirds of three comparisons.
_MOST_PARTS = 6
_MOST_MULTIPLES = 2**18
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


def paired_difference(first: int, second: int, both: int, n: int) -> Estimate:
    """A difference of two proportions of the same items, with its score interval.

    Method 10 of Newcombe (1998, doi:10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C):
    Wilson's intervals of the two, squared and added, with their correlation. Right for independent items also
    where all of them change or none does, where a bootstrap's interval has no width.

    Args:
        first: items that are a success in the first alone.
        second: in the second alone.
        both: in both.
        n: all items.
    """
    one, two = wilson(both + first, n), wilson(both + second, n)
    neither = n - first - second - both
    product = both * neither - first * second
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    covariance = max(product - n / 2, 0) if product > 0 else product
    correlation = covariance / sqrt(margins) if margins else 0.0

    def apart(a: float, b: float) -> float:
        return sqrt(max(a * a - 2 * correlation * a * b + b * b, 0.0))

    value = (first - second) / n
    low = value - apart(one.value - one.low, two.high - two.value)
    high = value + apart(one.high - one.value, two.value - two.low)
    return Estimate(value, low, high)


def mcnemar(lost: int, gained: int) -> float:
    """Two-sided exact p of ``lost`` against ``gained`` items, each as likely as the other if nothing differs.

    For values of 0 and 1 this is McNemar's test with the exact binomial in place of chi-square
    (McNemar 1947, doi:10.1007/BF02295996); for other values it is the exact sign test.
    """
    return float(binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0


def sign_flip(differences: ArrayLike, clusters: ArrayLike, *, seed: int, draws: int = RESAMPLES) -> float:
    """Two-sided p of the sum of paired differences, of which whole clusters are independent.

    If nothing differs, a cluster's summed difference is as likely with either sign. p is the probability
    of a sum at least as far from 0 as the observed one: exact where the sums are multiples of one unit, as
    differences of right and wrong are; otherwise the share of drawn signs, the observed ones counted in
    (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585).

    Args:
        differences: weighted, shape [items].
        clusters: the cluster of each item, a name or number.
        seed: equal seeds give equal p.
        draws: how many signs are drawn for each cluster, where they have to be.
    """
    names, cluster = np.unique(np.asarray(clusters), return_inverse=True)
    difference = np.asarray(differences, float)
    sums = np.bincount(cluster, difference, len(names)).astype(float)
    # What is left of equal terms with opposite signs is rounding.
    sums = sums[np.abs(sums) > 1e-12 * np.abs(difference).sum()]
    if not len(sums):
        return 1.0
    if (multiples := _multiples(sums)) is not None:
        return _exact_sign_flip(multiples)
    # Sums of the same terms in another order are equal only up to rounding.
    reached = abs(sums.sum()) - 1e-9 * np.abs(difference).sum()
    far = int(np.count_nonzero(np.abs(_signed_sums(sums, draws, seed)) >= reached))
    return (1 + far) / (1 + draws)


def _multiples(sums: Floats) -> Integers | None:
    """The sums in multiples of a unit, if there is one that makes them small integers."""
    for parts in range(1, _MOST_PARTS + 1):
        multiples = sums * parts / np.abs(sums).min()
        whole: Integers = np.rint(multiples).astype(np.int64)
        if np.abs(multiples - whole).max() < 1e-6 and np.abs(whole).sum() <= _MOST_MULTIPLES:
            return whole
    return None


def _exact_sign_flip(multiples: Integers) -> float:
    """The probability that the sum under random signs is as far from 0 as without them."""
    chances = np.ones(1)
    for size, count in zip(*np.unique(np.abs(multiples), return_counts=True), strict=True):
        own = np.zeros(2 * size * count + 1)
        own[:: 2 * size] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = fftconvolve(chances, own)
    reach = (len(chances) - 1) // 2
    far = np.abs(np.arange(-reach, reach + 1)) >= abs(int(multiples.sum()))
    return float(np.clip(chances[far].sum(), 0.0, 1.0))


def _signed_sums(sums: Floats, draws: int, seed: int) -> Floats:
    """The sum of ``sums`` under random signs, shape [draws]."""
    # One random byte holds the signs of eight sums: which of their 256 totals it draws is looked up.
    eights = np.pad(sums, (0, -len(sums) % 8)).reshape(-1, 8)
    signs = 2 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(float) - 1
    generator = np.random.default_rng(seed)
    total = np.zeros(draws)
    for start in range(0, len(eights), _CHUNK // 256):
        for totals in eights[start : start + _CHUNK // 256] @ signs.T:
            total += totals.take(generator.integers(256, size=draws, dtype=np.uint8))
    return total


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
        clusters: how many have any weight in an arm, shape [arms].
    """

    means: Floats
    draws: Floats
    clusters: Integers

    def of(self, arms: Sequence[int]) -> "Bootstrap":
        """Some of the arms, in this order."""
        places = list(arms)
        return Bootstrap(self.means[places], self.draws[:, places], self.clusters[places])

    def mean(self, arm: int) -> Estimate:
        """The mean of one arm."""
        return self._estimate(self.means[arm], self.draws[:, arm], arm)

    def difference(self, first: int, second: int) -> Estimate:
        """Mean of ``first`` minus mean of ``second``, paired: both are of the same resample."""
        draws = self.draws[:, first] - self.draws[:, second]
        return self._estimate(self.means[first] - self.means[second], draws, first, second)

    def difference_error(self, first: int, second: int) -> float:
        """Standard error of the paired difference: the standard deviation over resamples."""
        if self.clusters[[first, second]].min() < 2:
            return _NAN
        return float(np.nanstd(self.draws[:, first] - self.draws[:, second], ddof=1))

    def retention(self, first: int, second: int, chance: float) -> Estimate:
        """What ``second`` keeps of ``first``'s margin over chance: (second - chance) / (first - chance).

        Only for a ``first`` that clearly differs from chance: a ratio to a margin that may be 0 says
        nothing. The few resamples in which the margin changes sign are left out.
        """
        margin = self.means[first] - chance
        kept = (self.draws[:, first] - chance) * np.sign(margin) > 0
        draws = self.draws[kept]
        ratios = (draws[:, second] - chance) / (draws[:, first] - chance)
        return self._estimate((self.means[second] - chance) / margin, ratios, first, second)

    def _estimate(self, value: float, draws: Floats, *arms: int) -> Estimate:
        if self.clusters[list(arms)].min() < 2:
            return Estimate(float(value), _NAN, _NAN)
        tail = 100 * (1 - LEVEL) / 2
        low, high = np.nanpercentile(draws, [tail, 100 - tail])
        return Estimate(float(value), min(float(low), float(value)), max(float(high), float(value)))


def bootstrap(
    values: ArrayLike, weights: ArrayLike, clusters: ArrayLike, *, seed: int, resamples: int = RESAMPLES
) -> Bootstrap:
    """Resamples clusters with replacement: items that share material are not independent.

    Args:
        values: shape [arms, items]; at least one item.
        weights: shape [arms, items], not negative, not all 0 in an arm.
        clusters: the cluster of each item, a name or number.
        seed: equal seeds give equal intervals.
        resamples: how many.
    """
    value, weight = np.asarray(values, float), np.asarray(weights, float)
    scale = np.array([magnitude(arm) for arm in value])
    names, cluster = np.unique(np.asarray(clusters), return_inverse=True)
    columns = [*(value / scale[:, None] * weight), *weight]
    sums = np.stack([np.bincount(cluster, column, len(names)).astype(float) for column in columns], axis=1)
    drawn = _resampled_sums(sums, resamples, seed)
    arms = len(value)
    totals = sums.sum(axis=0)
    with np.errstate(invalid="ignore"):  # a resample of weightless clusters only is NaN, and left out
        draws = drawn[:, :arms] / drawn[:, arms:] * scale
    return Bootstrap(totals[:arms] / totals[arms:] * scale, draws, np.count_nonzero(sums[:, arms:], axis=0))


def magnitude(values: Floats) -> float:
    """The power of two below the largest of the values, which no sum of values divided by it overflows.

    Nothing is lost in dividing by it, which changes no digit.
    """
    return float(np.exp2(np.frexp(np.abs(values).max())[1] - 1))


def _resampled_sums(sums: Floats, resamples: int, seed: int) -> Floats:
    """Column sums over clusters drawn with replacement, shape [resamples, columns]."""
    # Equal columns are summed once: faster, and two equal arms stay equal to the last bit.
    columns, place = _unique_columns(sums)
    kinds, count = np.unique(columns, axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    if _KIND * len(kinds) <= len(columns):
        # Clusters of one kind are the same cluster: how often each kind is drawn is multinomial.
        drawn = _drawn_by_kind(kinds, count, resamples, generator)
    else:
        drawn = _drawn_one_by_one(columns, resamples, generator)
    result: Floats = drawn[:, place]
    return result


def _unique_columns(sums: Floats) -> tuple[Floats, Integers]:
    """As `numpy.unique` with an axis and the inverse, which takes a kilobyte a row to compare columns."""

    def compared(one: int, two: int) -> int:
        row = np.argmax(sums[:, one] != sums[:, two])
        return int(np.sign(sums[row, one] - sums[row, two]))

    order = np.array(sorted(range(sums.shape[1]), key=cmp_to_key(compared)))
    ordered = sums[:, order]
    new = np.append(True, (ordered[:, 1:] != ordered[:, :-1]).any(axis=0))
    place = np.empty(len(order), np.int64)
    place[order] = np.cumsum(new) - 1
    return ordered[:, new], place


def _drawn_by_kind(kinds: Floats, count: Integers, resamples: int, generator: np.random.Generator) -> Floats:
    n, rows = int(count.sum()), max(1, _MOST_DRAWN // len(kinds))
    blocks = (min(rows, resamples - start) for start in range(0, resamples, rows))
    return np.concatenate([generator.multinomial(n, count / n, size=size) @ kinds for size in blocks])


def _drawn_one_by_one(columns: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    n = len(columns)
    drawn = []
    for start in range(0, resamples, rows := max(1, _CHUNK // n)):
        size = min(rows, resamples - start)
        chosen = generator.integers(n, size=(size, n), dtype=np.int32) + n * np.arange(size)[:, None]
        counts = np.bincount(chosen.ravel(), minlength=size * n).reshape(size, n)
        drawn.append(counts.astype(float) @ columns)
    return np.concatenate(drawn)


@dataclass(frozen=True)
class Power:
    """What a paired comparison can tell, for a two-sided test at 5 % with a power of 80 %.

    Attributes:
        smallest: the difference that is found in 80 % of runs like this one.
        items: how many would be needed to find ``difference`` as often.
    """

    smallest: float
    items: int


def power(error: float, n: int, difference: float) -> Power | None:
    """From the standard error of a paired difference over ``n`` items, by the normal approximation.

    smallest = (z(1 - 0.05 / 2) + z(0.8)) error; items = n (smallest / difference)^2, as the error falls
    with the root of n (Cohen 1988, Statistical Power Analysis, chapter 2; sample size of a paired design).
    None where no item differs or no error can be given: that tells nothing of other items.
    """
    if not error > 0:
        return None
    smallest = float(norm.ppf(1 - (1 - LEVEL) / 2) + norm.ppf(POWER)) * error
    return Power(smallest, ceil(n * (smallest / difference) ** 2))
