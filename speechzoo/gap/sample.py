"""Several arms (conditions, or models) over the same items: what they reach and how they differ."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from speechzoo import stats
from speechzoo.gap.findings import Estimate
from speechzoo.run.records import MetricInfo, Results
from speechzoo.task import Grade


@dataclass(frozen=True)
class Sample:
    """Values and weights of shape [arms, items], each item's cluster, and means over resampled clusters."""

    names: tuple[str, ...]
    items: tuple[str, ...]
    values: stats.Floats
    weights: stats.Floats
    bootstrap: stats.Bootstrap
    clusters: tuple[str, ...]
    seed: int
    metric: MetricInfo

    def mean(self, name: str) -> float:
        return float(self.bootstrap.means[self.names.index(name)])

    def method(self, name: str) -> Literal["wilson", "bootstrap"]:
        """Wilson for items that are right or wrong, weigh the same and share nothing; else bootstrap."""
        arm = self.names.index(name)
        independent = self.bootstrap.clusters == len(self.items) and len(set(self.weights[arm])) == 1
        return "wilson" if independent and set(self.values[arm]) <= {0.0, 1.0} else "bootstrap"

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

    def p_clustered(self, first: str, second: str) -> float | None:
        """p of the difference by `stats.sign_flip`; None if every item is a cluster of its own."""
        if self.bootstrap.clusters == len(self.items):
            return None
        shares = self.values * self.weights / self.weights.sum(axis=1, keepdims=True)
        difference = shares[self.names.index(first)] - shares[self.names.index(second)]
        return stats.sign_flip(difference, self.clusters, seed=self.seed)

    def retention(self, first: str, second: str) -> Estimate | None:
        """(second - chance) / (first - chance); None unless first is clearly better than chance."""
        chance = self.metric.chance
        if chance is None or (self.mean(first) > chance) != self.metric.higher_is_better:
            return None
        kept = self.bootstrap.retention(self.names.index(first), self.names.index(second), chance)
        return estimate_of(kept) if kept else None


Arms = Mapping[str, Mapping[str, Grade]]


def common_items(arms: Arms) -> list[str]:
    """Items valid in every arm that has any valid item, in the first's order."""
    valid = [grades for grades in arms.values() if grades]
    return [item for item in valid[0] if all(item in grades for grades in valid)] if valid else []


def sample(arms: Arms, items: Sequence[str], results: Results) -> Sample | None:
    """The arms that have valid items, over ``items``; None if there is nothing to resample."""
    metric = results.run.task.metrics[0]
    valid = {name: grades for name, grades in arms.items() if grades}
    if not valid or not items:
        return None
    values = np.array([[grades[item].values[metric.name] for item in items] for grades in valid.values()])
    weights = np.array([[grades[item].weight for item in items] for grades in valid.values()])
    clusters = tuple(results.items[item].cluster for item in items)
    seed = results.run.seed
    resampled = stats.bootstrap(values, weights, clusters, seed=seed)
    return Sample(tuple(valid), tuple(items), values, weights, resampled, clusters, seed, metric)


def estimate_of(estimate: stats.Estimate) -> Estimate:
    """As it is written down: NaN ends become null."""
    low, high = (None if math.isnan(end) else end for end in (estimate.low, estimate.high))
    return Estimate(value=estimate.value, low=low, high=high)
