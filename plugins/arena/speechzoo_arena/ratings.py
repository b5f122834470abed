"""Ratings with intervals and ranks, which systems differ, and how many battles would settle a pair."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import norm, rankdata
from speechzoo.stats import LEVEL, POWER, Estimate, holm

from speechzoo_arena.bradley_terry import (
    POINTS,
    Control,
    Fit,
    Likelihood,
    NoRatingsError,
    bradley_terry,
    controlled,
)
from speechzoo_arena.intervals import Floats, drawn, numbered, percentiles, share
from speechzoo_arena.records import Battle

RESAMPLES = 1_000
SIGNIFICANT = 1 - LEVEL
_NAN = float("nan")


@dataclass(frozen=True)
class Ratings:
    """Ratings and the same over resampled clusters of dialogues.

    Attributes:
        fit: over all battles.
        draws: the ratings of each resample, shape [resamples, systems]; NaN where it determines none.
        effect_draws: the controls' effects, shape [resamples, controls].
        battles: how many there are.
        clusters: of dialogues.
        prior: standard deviation in points of the normal prior, None for none; state it with the ratings.
        met: how many battles each pair of systems has had, by sorted names.
    """

    fit: Fit
    draws: Floats
    effect_draws: Floats
    battles: int
    clusters: int
    prior: float | None
    met: dict[tuple[str, str], int]

    @property
    def undefined(self) -> float:
        """The share of resamples that determine no ratings; above 5 % there are no intervals."""
        return float(np.isnan(self.draws[:, 0]).mean())

    def rating(self, system: str) -> Estimate:
        """In points."""
        return percentiles(self.fit.rating(system), self._draws(system), self.clusters)

    def effect(self, control: Control) -> Estimate:
        """In points of the control's unit."""
        column = list(self.fit.effects).index(control)
        return percentiles(self.fit.effects[control], self.effect_draws[:, column], self.clusters)

    def difference(self, first: str, second: str) -> Estimate:
        """Rating of ``first`` minus that of ``second``, in points; both are of the same resample."""
        value = self.fit.rating(first) - self.fit.rating(second)
        return percentiles(value, self._draws(first) - self._draws(second), self.clusters)

    def difference_error(self, first: str, second: str) -> float:
        """Standard error of the difference: the standard deviation over resamples; NaN where unknown."""
        draws = self._draws(first) - self._draws(second)
        known = self.clusters > 1 and not math.isnan(self.difference(first, second).low)
        return float(np.nanstd(draws, ddof=1)) if known else _NAN

    def rank(self, system: str) -> Estimate:
        """The rank among all systems, 1 for the highest rating, and the interval over resamples.

        Of equal ratings each has the better rank.
        """
        column = self.fit.systems.index(system)
        # Ratings that differ by rounding errors alone are equal.
        value = float(rankdata(-self.fit.ratings.round(6), method="min")[column])
        ranks = rankdata(-self.draws.round(6), method="min", axis=1, nan_policy="propagate")[:, column]
        told = percentiles(value, ranks, self.clusters, whole=True)
        return Estimate(
            value, *(end if math.isnan(end) else float(round(end)) for end in (told.low, told.high))
        )

    def _draws(self, system: str) -> Floats:
        found: Floats = self.draws[:, self.fit.systems.index(system)]
        return found


def rate(
    battles: Sequence[Battle],
    *,
    seed: int,
    controls: Sequence[Control] = (),
    prior: float | None = None,
    resamples: int = RESAMPLES,
) -> Ratings:
    """Bradley-Terry ratings with intervals by a bootstrap over clusters of dialogues.

    Battles of one dialogue are dependent, so whole clusters are drawn. Resamples that determine no finite
    ratings, such as one in which a system never wins, are counted in ``undefined`` and left out.

    Under a prior each resample has a prior of its own, whose middle is drawn from the prior: where battles
    all say the same, resamples of them do not differ, and yet nobody knows how far the best is ahead. With
    normal likelihoods such draws are the posterior's (Papandreou and Yuille 2010, Gaussian sampling by local
    perturbations).

    Args:
        battles: in any order.
        seed: equal seeds give equal intervals.
        controls: what is held equal; each has to be known in each battle (`controlled` keeps those).
        prior: as in `bradley_terry`.
        resamples: how many.

    Raises:
        NoRatingsError: without a prior, the battles determine no finite ratings.
        SpeechzooError: there are no battles, or a control is not known in one.
    """
    fit = bradley_terry(battles, controls, prior)
    likelihood = Likelihood(battles, controls, prior)
    cluster, count = numbered([battle.cluster for battle in battles])
    draws = np.full((resamples, len(fit.systems)), np.nan)
    effects = np.full((resamples, len(controls)), np.nan)
    middles = np.random.default_rng([seed, 1]).normal(
        scale=(prior or 0.0) / POINTS, size=(resamples, likelihood.width)
    )
    for number, times in enumerate(drawn(count, resamples, seed)):
        try:
            found = likelihood.fit(times[cluster].astype(float), fit, middles[number])
        except NoRatingsError:
            continue
        draws[number], effects[number] = found.ratings, list(found.effects.values())
    met = Counter(battle.pair for battle in battles)
    return Ratings(fit, draws, effects, len(battles), count, prior, dict(met))


def rate_groups(
    battles: Sequence[Battle], *, seed: int, prior: float | None = None, resamples: int = RESAMPLES
) -> dict[str, Ratings | NoRatingsError]:
    """A fit for each group, and one pooled over all of them under ``""`` if there are several."""
    groups: defaultdict[str, list[Battle]] = defaultdict(list)
    for battle in battles:
        groups[battle.group].append(battle)
    if len(groups) > 1:
        groups[""] = list(battles)
    found: dict[str, Ratings | NoRatingsError] = {}
    for name in sorted(groups):
        try:
            found[name] = rate(groups[name], seed=seed, prior=prior, resamples=resamples)
        except NoRatingsError as error:
            found[name] = error
    return found


@dataclass(frozen=True)
class Controlled:
    """Ratings with something held equal, beside those without over the same battles.

    Attributes:
        controls: what is held equal.
        adjusted: the ratings with it.
        plain: the ratings without it, over the same battles.
        left_out: battles in which it is not known.
    """

    controls: tuple[Control, ...]
    adjusted: Ratings
    plain: Ratings
    left_out: int


def rate_controlled(
    battles: Sequence[Battle],
    controls: Sequence[Control],
    *,
    seed: int,
    prior: float | None = None,
    resamples: int = RESAMPLES,
) -> Controlled:
    """What the ratings would be if the controls were equal, as length-controlled AlpacaEval asks.

    A covariate of the log odds (Dubois et al. 2024, arXiv:2404.04475; for position, Davidson and Beaver 1977,
    doi:10.2307/2529467). It takes away what goes with length or place, deserved or not.

    Raises:
        NoRatingsError: as for `rate`.
        SpeechzooError: a control is known in no battle.
    """
    known = controlled(battles, controls)
    return Controlled(
        controls=tuple(controls),
        adjusted=rate(known, seed=seed, controls=controls, prior=prior, resamples=resamples),
        plain=rate(known, seed=seed, prior=prior, resamples=resamples),
        left_out=len(battles) - len(known),
    )


@dataclass(frozen=True)
class PairTest:
    """Two systems, and whether their ratings differ.

    Attributes:
        first: the one with the higher rating.
        second: the other.
        lead: of the first, in points.
        p: two-sided, of lead / standard error under the normal distribution, the error being that of the
            bootstrap; NaN where there is none. At least 2 / 2^clusters: so often do all of them agree by
            chance, however small the error.
        p_holm: adjusted for all pairs tested (Holm 1979).
        settled: the interval lies off 0 and p_holm is below 0.05.
        met: battles that they had with each other.
        more: further battles between them, each on a dialogue of its own, after which a lead like this one
            would be settled in 80 % of cases, if it is the true one: at the level that Holm asks of the next
            pair. 0 where it is settled; None where there is no error or no lead, or the interval or too few
            clusters alone keep it from being settled.
    """

    first: str
    second: str
    lead: Estimate
    p: float
    p_holm: float
    settled: bool
    met: int
    more: int | None


def pair_tests(ratings: Ratings) -> list[PairTest]:
    """Every pair of systems, by rating."""
    by_rating = sorted(ratings.fit.systems, key=lambda name: (-ratings.fit.rating(name), name))
    pairs = list(combinations(by_rating, 2))
    leads = [ratings.difference(*pair) for pair in pairs]
    errors = [ratings.difference_error(*pair) for pair in pairs]
    least = 2.0 ** (1 - ratings.clusters)
    p_values = [_p_value(lead.value, error, least) for lead, error in zip(leads, errors, strict=True)]
    # What cannot be tested claims nothing, but is one of the family.
    adjusted = holm([1.0 if math.isnan(p) else p for p in p_values])
    rejected = sum(p < SIGNIFICANT for p in adjusted)
    level = SIGNIFICANT / max(1, len(pairs) - rejected)
    found = []
    for (first, second), lead, error, p, p_holm in zip(pairs, leads, errors, p_values, adjusted, strict=True):
        settled = not math.isnan(p) and p_holm < SIGNIFICANT and not lead.low <= 0 <= lead.high
        more = 0 if settled else more_battles(ratings.fit, first, second, error, level) or None
        found.append(
            PairTest(
                first=first,
                second=second,
                lead=lead,
                p=p,
                p_holm=_NAN if math.isnan(p) else p_holm,
                settled=settled,
                met=ratings.met.get((min(first, second), max(first, second)), 0),
                more=more,
            )
        )
    return found


def _p_value(lead: float, error: float, least: float) -> float:
    if math.isnan(error):
        return _NAN
    if error == 0:
        return 1.0 if lead == 0 else least
    return max(least, float(2 * norm.sf(abs(lead) / error)))


def information(fit: Fit, first: str, second: str) -> float:
    """What one battle of two systems tells about their difference, in 1 / points squared.

    Fisher's information of the model at the fit: the variance of the score (1, 1/2, 0) over points squared.
    """
    win, tie, _ = fit.chances(first, second)
    mean = win + tie / 2
    return (win + tie / 4 - mean**2) / POINTS**2


def more_battles(fit: Fit, first: str, second: str, error: float, level: float) -> int | None:
    """How many more battles between two systems would settle which is better; see `PairTest`.

    The error that finds the lead d with a power of 80 % is d / (z(1 - level / 2) + z(0.8)) (Cohen 1988,
    Statistical Power Analysis, chapter 2). m further battles between the two, each with information i, make
    1 / error^2 into 1 / error^2 + m i: a rank-one update of the information matrix.

    Args:
        fit: the ratings now.
        first: a system.
        second: another.
        error: standard error of their difference now, in points.
        level: of the two-sided test.

    Returns:
        0 where the error is small enough already, None where there is none or no lead.
    """
    lead = fit.rating(first) - fit.rating(second)
    if math.isnan(error) or lead == 0 or error == 0:
        return None
    wanted = abs(lead) / float(norm.ppf(1 - level / 2) + norm.ppf(POWER))
    return max(0, math.ceil((wanted**-2 - error**-2) / information(fit, first, second)))


@dataclass(frozen=True)
class WinRate:
    """How one system did against another.

    Attributes:
        wins: of the row's system.
        ties: between them.
        losses: of the row's system.
        score: (wins + ties / 2) / battles, with the interval of `share` over clusters.
    """

    wins: int
    ties: int
    losses: int
    score: Estimate

    @property
    def battles(self) -> int:
        return self.wins + self.ties + self.losses


def win_rates(battles: Sequence[Battle]) -> dict[tuple[str, str], WinRate]:
    """Of each system against each other one that it met, in both directions."""
    met: defaultdict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for battle in battles:
        met[battle.first, battle.second].append((battle.score, battle.cluster))
        met[battle.second, battle.first].append((1 - battle.score, battle.cluster))
    return {pair: _win_rate(results) for pair, results in sorted(met.items())}


def _win_rate(results: Sequence[tuple[float, str]]) -> WinRate:
    scores = [score for score, _ in results]
    return WinRate(
        wins=scores.count(1.0),
        ties=scores.count(0.5),
        losses=scores.count(0.0),
        score=share(scores, [cluster for _, cluster in results]),
    )
