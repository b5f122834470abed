"""Several arms (conditions, or models) over the same items: what they reach and how they differ."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress, pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speechzoo import stats
from speechzoo.gap.terms import Estimate
from speechzoo.run.records import MetricInfo, Results
from speechzoo.task import Grade


@dataclass(frozen=True)
class Sample:
    """Several arms over the same items.

    Attributes:
        names: of the arms.
        items: by id.
        values: of the metric, shape [arms, items].
        weights: likewise.
        bootstrap: means over resampled clusters.
        clusters: the cluster of each item, by number.
        seed: of what is drawn.
        metric: which.
        chances: expected value of each item for an answer drawn at random, [items]; None if unknown.
    """

    names: tuple[str, ...]
    items: tuple[str, ...]
    values: stats.Floats
    weights: stats.Floats
    bootstrap: stats.Bootstrap
    clusters: stats.Integers
    seed: int
    metric: MetricInfo
    chances: stats.Floats | None = None

    def over(self, items: Collection[str]) -> "Sample | None":
        """The same over some of its items, resampled among themselves; None if it has none of them."""
        places = sorted(self._places[item] for item in items if item in self._places)
        if not places:
            return None
        if len(places) == len(self.items):
            return self
        values, weights, clusters = self.values[:, places], self.weights[:, places], self.clusters[places]
        return replace(
            self,
            items=tuple(self.items[place] for place in places),
            values=values,
            weights=weights,
            bootstrap=stats.bootstrap(values, weights, clusters, seed=self.seed),
            clusters=clusters,
            chances=None if self.chances is None else self.chances[places],
        )

    @cached_property
    def _places(self) -> dict[str, int]:
        return {item: place for place, item in enumerate(self.items)}

    def mean(self, name: str) -> float:
        return float(self.bootstrap.means[self.names.index(name)])

    @cached_property
    def independent(self) -> bool:
        """Every item is a cluster of its own."""
        return len(np.unique(self.clusters)) == len(self.items)

    def method(self, name: str) -> Literal["wilson", "bootstrap"]:
        """Wilson for items that are right or wrong, weigh the same and share nothing; else bootstrap."""
        return "wilson" if self._counted(name) else "bootstrap"

    def _counted(self, *names: str) -> bool:
        """Items are right or wrong, weigh the same and share nothing: counts of them say everything."""
        arms = [self.names.index(name) for name in names]
        values, weights = self.values[arms], self.weights[arms]
        # A number of seconds that happens to be 0 or 1 everywhere is no count of successes.
        right_or_wrong = (self.metric.low, self.metric.high) == (0.0, 1.0)
        equal = right_or_wrong and self.independent and bool((weights == weights[0, 0]).all())
        return equal and bool(((values == 0) | (values == 1)).all())

    def estimate(self, name: str) -> Estimate:
        """The weighted mean, by the method above."""
        arm = self.names.index(name)
        if self.method(name) == "wilson":
            return estimate_of(stats.wilson(int(self.values[arm].sum()), len(self.items)))
        return estimate_of(self.bootstrap.mean(arm))

    def loss(self, first: str, second: str) -> Estimate:
        """What is lost from first to second; positive is worse, whichever way the metric points."""
        pair = (first, second) if self.metric.higher_is_better else (second, first)
        return estimate_of(self.bootstrap.difference(*map(self.names.index, pair)))

    def changes(self, first: str, second: str) -> tuple[int, int]:
        """Items lost (worth less in second) and gained (worth more)."""
        fall = self.values[self.names.index(first)] - self.values[self.names.index(second)]
        down, up = int((fall > 0).sum()), int((fall < 0).sum())
        return (down, up) if self.metric.higher_is_better else (up, down)

    @cached_property
    def shares(self) -> stats.Floats:
        """What each item adds to the weighted mean of each arm, shape [arms, items]."""
        shares: stats.Floats = self.values * (self.weights / self.weights.sum(axis=1, keepdims=True))
        return shares

    def p_flip(self, first: str, second: str) -> float | None:
        """p of the difference of the means by `stats.sign_flip`.

        None where McNemar's test is of the same: items are right or wrong, weigh the same and share nothing.
        """
        if self._counted(first, second):
            return None
        difference = self.shares[self.names.index(first)] - self.shares[self.names.index(second)]
        return stats.sign_flip(difference, self.clusters, seed=self.seed)

    def power(self, first: str, second: str, difference: float) -> stats.Power | None:
        """What the comparison of the two could have told; see `stats.power`."""
        error = self.bootstrap.difference_error(self.names.index(first), self.names.index(second))
        return stats.power(error, len(self.items), difference)

    def chance(self, name: str) -> float | None:
        """Expected mean of an arm whose answers are drawn at random, None if that is not known."""
        if self.chances is None:
            return None
        return float(np.average(self.chances, weights=self.weights[self.names.index(name)]))

    def retention(self, first: str, second: str) -> Estimate | None:
        """(second - chance) / (first - chance); None unless first's own interval is better than chance."""
        chance, before = self.chance(first), self.estimate(first)
        if chance is None or before.low is None or before.high is None:
            return None
        better = before.low > chance if self.metric.higher_is_better else before.high < chance
        if not better:
            return None
        return estimate_of(
            self.bootstrap.retention(self.names.index(first), self.names.index(second), chance)
        )


Arms = Mapping[str, Mapping[str, Grade]]


def common_items(arms: Arms) -> list[str]:
    """Items valid in every arm that has any valid item, in the first's order."""
    valid = [grades for grades in arms.values() if grades]
    return [item for item in valid[0] if all(item in grades for grades in valid)] if valid else []


def sample(
    arms: Arms, items: Sequence[str], results: Results, metric: MetricInfo | None = None
) -> Sample | None:
    """The arms that have valid items, over ``items``; None if there is nothing to resample.

    ``metric`` is the task's first unless another is named, which all grades have to have.
    """
    metric = metric or results.run.task.metrics[0]
    valid = {name: grades for name, grades in arms.items() if grades}
    if not valid or not items:
        return None
    values, weights = _columns(valid, items, metric), _weights(valid, items)
    clusters = _clusters(items, results)
    seed = results.run.seed
    resampled = stats.bootstrap(values, weights, clusters, seed=seed)
    chances = _chances(items, results, metric)
    return Sample(tuple(valid), tuple(items), values, weights, resampled, clusters, seed, metric, chances)


def other_samples(arms: Arms, items: Sequence[str], results: Results) -> list[Sample]:
    """One for each metric after the first: its arms are those that have it, its items have it in all of them.

    All are over the same resamples, in which an item without the metric has no weight.
    """
    valid = {name: grades for name, grades in arms.items() if grades}
    metrics = results.run.task.metrics[1:] if items else ()
    found = [own for metric in metrics if (own := _having(valid, items, metric)) is not None]
    if not found:
        return []
    clusters, seed = _clusters(items, results), results.run.seed
    values = np.concatenate([own.values for own in found])
    weights = np.concatenate([own.weights for own in found])
    resampled = stats.bootstrap(values, weights, clusters, seed=seed)
    ends = np.cumsum([0, *(len(own.names) for own in found)])
    return [
        Sample(
            names=own.names,
            items=tuple(compress(items, own.having)),
            values=own.values[:, own.having],
            weights=own.weights[:, own.having],
            bootstrap=resampled.of(range(start, end)),
            clusters=clusters[own.having],
            seed=seed,
            metric=own.metric,
        )
        for own, (start, end) in zip(found, pairwise(ends), strict=True)
    ]


@dataclass(frozen=True)
class _Having:
    """A metric's arms over all items; values and weights are 0 but where ``having``."""

    metric: MetricInfo
    names: tuple[str, ...]
    values: stats.Floats
    weights: stats.Floats
    having: NDArray[np.bool_]


def _having(arms: Arms, items: Sequence[str], metric: MetricInfo) -> _Having | None:
    columns = dict(zip(arms, _columns(arms, items, metric), strict=True))
    own = {name: arms[name] for name, column in columns.items() if np.isfinite(column).any()}
    having = np.all([np.isfinite(columns[name]) for name in own], axis=0)
    if not own or not having.any():
        return None
    values = np.where(having, [columns[name] for name in own], 0.0)
    weights = np.where(having, _weights(own, items), 0.0)
    return _Having(metric, tuple(own), values, weights, having)


def _columns(arms: Arms, items: Sequence[str], metric: MetricInfo) -> stats.Floats:
    """Values of a metric, shape [arms, items]; NaN where there is none that is finite."""
    found = [[grades[item].values.get(metric.name, math.nan) for item in items] for grades in arms.values()]
    values: stats.Floats = np.array(found, float)
    values[~np.isfinite(values)] = math.nan
    return values


def _weights(arms: Arms, items: Sequence[str]) -> stats.Floats:
    return np.array([[grades[item].weight for item in items] for grades in arms.values()], float)


def _chances(items: Sequence[str], results: Results, metric: MetricInfo) -> stats.Floats | None:
    of_items = (results.items[item].chance for item in items)
    known = [metric.chance if own is None else own for own in of_items]
    return None if None in known else np.array(known, float)


def _clusters(items: Sequence[str], results: Results) -> stats.Integers:
    return np.unique([results.items[item].cluster for item in items], return_inverse=True)[1]


def estimate_of(estimate: stats.Estimate) -> Estimate:
    """As it is written down: NaN ends become null."""
    low, high = (None if math.isnan(end) else end for end in (estimate.low, estimate.high))
    return Estimate(value=estimate.value, low=low, high=high)
