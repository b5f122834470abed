"""One model of the votes of judges and people: common strengths, but ties and places of each rater's own.

With log strengths s of the systems, a rater r names first : tie : second as

    exp((s1 - s2 + g) / 2) : v : exp(-(s1 - s2 + g) / 2)

Davidson's ties (1970, doi:10.1080/01621459.1970.10481082) with Davidson and Beaver's effect of the order
heard (1977, doi:10.2307/2529467); g and v are the rater's own. Each verdict is taken in the order it was
given in: merged orders have no place to tell of. The raters' log likelihoods are added up with weights:

* what a rater says of one pair on one dialogue, in both orders or by several people, is one opinion;
* people have one half of the weight, all judges together the other, shared equally. A judge's verdicts cost
  next to nothing, so their number must not decide whose opinion a rating is.

As the number of a rater's verdicts with a winner that name one place alone grows, g does so without end, and
what they tell of the strengths vanishes. Such a rater, and one of ties alone, is left out: it adds nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from speechzoo.stats import Estimate

from speechzoo_arena.bradley_terry import (
    MEAN,
    POINTS,
    SUSPICIOUS,
    Control,
    Fit,
    Likelihood,
    NoRatingsError,
    explain,
    full_rank,
    minimum,
    systems_of,
    unbounded,
)
from speechzoo_arena.intervals import NAN, Floats, Integers, drawn, numbered, percentiles
from speechzoo_arena.ratings import RESAMPLES, Ratings
from speechzoo_arena.records import Battle, Verdict

Raters = Mapping[str, Sequence[Battle]]
"""The battles of each judge and of all people together, each verdict by itself (`orders.one_order`)."""

SIMULATED = 999
_PLACE: Control = "position"


def opinions(battles: Sequence[Battle]) -> Floats:
    """The weight of each battle of one rater, so that each pair on a dialogue has 1, shape [battles]."""
    met = Counter((battle.dialogue, battle.pair) for battle in battles)
    return np.array([1 / met[battle.dialogue, battle.pair] for battle in battles])


def adds_nothing(battles: Sequence[Battle]) -> str:
    """Why a rater's battles tell nothing of strengths that ties and places do not explain; "" if they do."""
    outcomes = Counter(battle.outcome for battle in battles)
    if not outcomes["first"] and not outcomes["second"]:
        return f"all its {len(battles)} verdicts are ties"
    if outcomes["first"] and outcomes["second"]:
        return ""
    place: Verdict = "first" if outcomes["first"] else "second"
    return f"all its {outcomes[place]} verdicts with a winner name who was heard {place}"


@dataclass(frozen=True)
class JointFit:
    """The maximum of the weighted likelihood.

    Attributes:
        systems: sorted by name.
        ratings: common to all raters, in points, mean 1000, shape [systems].
        place: g of each rater that adds something, in points for being heard first.
        tie: v of each of them; 0 where none of its verdicts is a tie.
        weight: the share of each in all weight.
        information: the share of each in the (weighted) information on strengths, its g and v being unknown.
    """

    systems: tuple[str, ...]
    ratings: Floats
    place: dict[str, float]
    tie: dict[str, float]
    weight: dict[str, float]
    information: dict[str, float]


@dataclass(frozen=True)
class _Part:
    """A rater's likelihood, and how each of its battles counts."""

    likelihood: Likelihood
    opinion: Floats
    cluster: Integers
    human: bool


@dataclass(frozen=True)
class _Voice:
    """What a rater brings into one fit: weights of its battles, and where its parameters are among all."""

    part: _Part
    counts: Floats
    weights: Floats
    ties: bool
    places: Integers

    def spread(self, rows: Floats, size: int) -> Floats:
        """Rows over the rater's own parameters as rows over all, shape [..., size]."""
        found = np.zeros((*rows.shape[:-1], size))
        found[..., self.places[: rows.shape[-1]]] = rows
        return found

    def slopes(self, parameters: Floats, cluster: int | None = None) -> tuple[Floats, Floats]:
        """Gradient and Hessian of the rater's loss over all parameters, of one cluster's part if asked."""
        size, likelihood = len(parameters), self.part.likelihood
        own = self.part.cluster == cluster
        weights = self.weights if cluster is None else likelihood.tally(self.counts * own)
        gradient, hessian = likelihood.slopes(weights, self.ties, parameters[self.places])
        return self.spread(gradient, size), self.spread(self.spread(hessian, size).T, size)


class JointLikelihood:
    """Of common strengths, and each rater's place effect and ties.

    Args:
        raters: at least one, each with battles of single orders.

    Raises:
        SpeechzooError: a rater has no battles.
    """

    def __init__(self, raters: Raters) -> None:
        every = [battle for battles in raters.values() for battle in battles]
        self.systems = systems_of(every)
        cluster, self.clusters = numbered([battle.cluster for battle in every])
        ends = np.cumsum([len(battles) for battles in raters.values()])[:-1]
        self._battles = raters
        self.parts = {
            name: _Part(
                Likelihood(battles, (_PLACE,), systems=self.systems),
                opinions(battles),
                own,
                battles[0].kind == "human",
            )
            for (name, battles), own in zip(raters.items(), np.split(cluster, ends), strict=True)
        }
        self._free = len(self.systems) - 1

    def fit(self, times: Floats | None = None, start: JointFit | None = None) -> JointFit:
        """The maximum.

        Args:
            times: how often each cluster counts, shape [clusters]; None for once each.
            start: where to begin looking.

        Raises:
            NoRatingsError: there is no maximum, or no single one.
        """
        return self._as_fit(*self.solve(times, start))

    def solve(
        self, times: Floats | None = None, start: JointFit | None = None
    ) -> tuple[dict[str, _Voice], Floats]:
        """The raters that add something, and all parameters at the maximum."""
        voices = self._voices(np.ones(self.clusters) if times is None else times)
        size = 1 + max((int(voice.places.max()) for voice in voices.values()), default=-1)
        if not voices:
            raise NoRatingsError("no rater's verdicts tell of anything but ties and places")
        designs = [voice.spread(voice.part.likelihood.seen(voice.weights), size) for voice in voices.values()]
        used = [own for voice in voices.values() for own in voice.places[: self._free + 1]]
        if not full_rank(np.concatenate(designs)[:, np.unique(used)]):
            raise NoRatingsError(
                self._why(voices) or "the place heard and the strengths cannot be told apart: too few orders"
            )
        found = minimum(
            lambda own: sum(
                voice.part.likelihood.loss(voice.weights, voice.ties, own[voice.places])
                for voice in voices.values()
            ),
            lambda own: _sum_of_slopes(voices.values(), own),
            self._start(voices, size, start),
        )
        self._refuse_unbounded(voices, found)
        return voices, found

    def _voices(self, times: Floats) -> dict[str, _Voice]:
        """One half of the weight for people, one for all judges, of those that add something."""
        telling: dict[str, tuple[_Part, Floats]] = {}
        for name, part in self.parts.items():
            counts = part.opinion * times[part.cluster]
            firsts, _, seconds = part.likelihood.tally(counts).sum(axis=0)
            if firsts and seconds:
                telling[name] = part, counts / counts.sum()
        alike = Counter(part.human for part, _ in telling.values())
        voices, end = {}, self._free
        for name, (part, shares) in telling.items():
            counts = shares / (len(alike) * alike[part.human])
            weights = part.likelihood.tally(counts)
            ties = bool(weights[:, 1].any())
            places = np.array([*range(self._free), *range(end, end + 1 + ties)])
            voices[name] = _Voice(part, counts, weights, ties, places)
            end += 1 + ties
        return voices

    def _start(self, voices: Mapping[str, _Voice], size: int, start: JointFit | None) -> Floats:
        found = np.zeros(size)
        if start is None:
            return found
        for name, voice in voices.items():
            found[: self._free] = voice.part.likelihood.coordinates(start.ratings)
            found[voice.places[self._free]] = start.place.get(name, 0.0) / POINTS
            if voice.ties and start.tie.get(name):
                found[voice.places[-1]] = np.log(start.tie[name])
        return found

    def _refuse_unbounded(self, voices: Mapping[str, _Voice], parameters: Floats) -> None:
        own = [(voice, parameters[voice.places]) for voice in voices.values()]
        if max(voice.part.likelihood.reach(voice.ties, told) for voice, told in own) < SUSPICIOUS:
            return
        gains = [
            voice.spread(voice.part.likelihood.gains(voice.weights, voice.ties), len(parameters))
            for voice in voices.values()
        ]
        if unbounded(np.concatenate(gains)):
            raise NoRatingsError(
                self._why(voices) or "strengths, ties and places can grow together without end"
            )

    def _why(self, voices: Mapping[str, _Voice]) -> str | None:
        """What in the graph of wins leaves the ratings open."""
        place = {name: number for number, name in enumerate(self.systems)}
        number = {"first": 0, "tie": 1, "second": 2}
        seen = [
            (place[battle.first], place[battle.second], number[battle.outcome])
            for name, voice in voices.items()
            for battle, count in zip(self._battles[name], voice.counts, strict=True)
            if count
        ]
        return explain(self.systems, *np.array(seen).T)

    def _as_fit(self, voices: Mapping[str, _Voice], parameters: Floats) -> JointFit:
        free = self._free
        told = {name: _information(voice, parameters, free) for name, voice in voices.items()}
        basis = next(iter(voices.values())).part.likelihood.basis
        return JointFit(
            systems=self.systems,
            ratings=MEAN + POINTS * (basis @ parameters[:free]),
            place={name: POINTS * float(parameters[own.places[free]]) for name, own in voices.items()},
            tie={
                name: float(np.exp(parameters[own.places[-1]])) if own.ties else 0.0
                for name, own in voices.items()
            },
            weight={name: float(own.counts.sum()) for name, own in voices.items()},
            information={name: own / sum(told.values()) for name, own in told.items()},
        )


def _sum_of_slopes(
    voices: Iterable[_Voice], parameters: Floats, cluster: int | None = None
) -> tuple[Floats, Floats]:
    slopes = [voice.slopes(parameters, cluster) for voice in voices]
    return np.sum([own for own, _ in slopes], axis=0), np.sum([own for _, own in slopes], axis=0)


def _information(voice: _Voice, parameters: Floats, free: int) -> float:
    """Trace of the rater's information on strengths, less what its own place and ties take."""
    _, hessian = voice.part.likelihood.slopes(voice.weights, voice.ties, parameters[voice.places])
    own = hessian[:free, free:]
    return float(np.trace(hessian[:free, :free] - own @ np.linalg.pinv(hessian[free:, free:]) @ own.T))


@dataclass(frozen=True)
class Joint:
    """Ratings by all raters together.

    Attributes:
        fit: over all battles.
        ratings: the same with what resampling tells; ``fit.tie`` of it is nobody's, and 0.
        place: g of each rater that adds something, in points for being heard first.
    """

    fit: JointFit
    ratings: Ratings
    place: dict[str, Estimate]


def rate_jointly(raters: Raters, *, seed: int, resamples: int = RESAMPLES) -> Joint:
    """Common ratings with intervals by a bootstrap over clusters of dialogues, which all raters share.

    Args:
        raters: of people and at least one judge.
        seed: equal seeds give equal intervals.
        resamples: how many.

    Raises:
        NoRatingsError: the battles determine no finite ratings.
    """
    likelihood = JointLikelihood(raters)
    fit = likelihood.fit()
    draws = np.full((resamples, len(fit.systems)), np.nan)
    places = {name: np.full(resamples, np.nan) for name in fit.place}
    for number, times in enumerate(drawn(likelihood.clusters, resamples, seed)):
        try:
            found = likelihood.fit(times.astype(float), fit)
        except NoRatingsError:
            continue
        draws[number] = found.ratings
        for name, value in found.place.items():
            places[name][number] = value
    every = [battle for battles in raters.values() for battle in battles]
    count = len(fit.systems)
    common = Fit(fit.systems, fit.ratings, 0.0, {}, np.full((count, count), np.nan))
    met = dict(Counter(battle.pair for battle in every))
    return Joint(
        fit=fit,
        ratings=Ratings(common, draws, np.empty((resamples, 0)), len(every), likelihood.clusters, None, met),
        place={name: percentiles(fit.place[name], places[name], likelihood.clusters) for name in fit.place},
    )


def same_strengths(raters: Raters, *, seed: int) -> float:
    """p of the hypothesis that a judge and people see the same strengths.

    A score test: at the joint fit, how far would people's verdicts move strengths of their own? Each cluster
    of dialogues has its part of that, adjusted for the common strengths and everybody's place and ties. Their
    spread is the unit (Boos 1992, doi:10.1080/00031305.1992.10475921), so neither weights nor verdicts that
    depend on each other within a dialogue make it too sure. Each part is taken at a fit without its cluster,
    to first order, as in the jackknife (MacKinnon and White 1985, doi:10.1016/0304-4076(85)90158-7). p is how
    often verdicts drawn from the joint fit go as far. It needs no finite ratings of each rater by itself.

    Args:
        raters: the battles of a judge, and those of people.
        seed: equal seeds give equal p.

    Raises:
        NoRatingsError: there is no joint fit, or only one of the two adds something to it.
    """
    likelihood = JointLikelihood(raters)
    voices, parameters = likelihood.solve()
    if len(voices) != 2:
        raise NoRatingsError("only one of the two tells of strengths")
    free = len(likelihood.systems) - 1
    people = next(voice for voice in voices.values() if voice.part.human)
    _, hessian = _sum_of_slopes(voices.values(), parameters)
    across = people.slopes(parameters)[1][:free]
    adjust = across @ np.linalg.pinv(hessian, hermitian=True)
    score = -people.slopes(parameters)[0][:free]
    parts = []
    for cluster in range(likelihood.clusters):
        lean, curve = _sum_of_slopes(voices.values(), parameters, cluster)
        own_lean, own_curve = people.slopes(parameters, cluster)
        step = np.linalg.pinv(hessian - curve, hermitian=True) @ lean
        without = lean + curve @ step
        parts.append(adjust @ without - (own_lean + own_curve @ step)[:free])
    value = _statistic(score, np.array(parts))
    drawn_values = _simulated(voices.values(), parameters, adjust, likelihood.clusters, seed)
    return (1 + int((drawn_values >= value).sum())) / (SIMULATED + 1)


def _statistic(score: Floats, parts: Floats) -> Floats:
    """The squared score in units of the spread of its clusters' parts.

    Args:
        score: shape [..., strengths].
        parts: shape [..., clusters, strengths].
    """
    spread = np.linalg.pinv(np.swapaxes(parts, -1, -2) @ parts, hermitian=True)
    found: Floats = np.einsum("...i,...ij,...j->...", score, spread, score)
    return found


def _simulated(
    voices: Iterable[_Voice], parameters: Floats, adjust: Floats, clusters: int, seed: int
) -> Floats:
    """The statistic where verdicts are drawn from the joint fit, shape [SIMULATED]."""
    draw = np.random.default_rng(seed)
    parts = np.zeros((clusters, SIMULATED, len(adjust)))
    for voice in voices:
        scores, chances = voice.part.likelihood.scores(voice.ties, parameters[voice.places])
        own = -voice.spread(scores, len(parameters)) @ adjust.T
        if voice.part.human:
            own += scores[..., : len(adjust)]
        own *= voice.counts[:, None, None]
        for battle, cluster in enumerate(voice.part.cluster):
            outcomes = np.searchsorted(chances[battle].cumsum()[:2], draw.random(SIMULATED), side="right")
            parts[cluster] += own[battle][outcomes]
    return _statistic(parts.sum(axis=0), np.swapaxes(parts, 0, 1))


@dataclass(frozen=True)
class Apart:
    """Ratings of two raters by themselves, each with its own strengths, ties and place effect.

    Attributes:
        systems: sorted by name.
        one: of the first rater, shape [systems].
        two: of the second.
        differences: ``two`` minus ``one`` by system, over the same resamples.
    """

    systems: tuple[str, ...]
    one: Floats
    two: Floats
    differences: dict[str, Estimate]


def rate_apart(raters: Raters, *, seed: int, resamples: int = RESAMPLES) -> Apart:
    """The fit in which two raters have strengths of their own, with the same weights and resamples.

    Raises:
        NoRatingsError: the battles of one of them determine no finite ratings.
    """
    likelihood = JointLikelihood(raters)
    one, two = likelihood.parts.values()
    fits = [part.likelihood.fit(part.opinion) for part in (one, two)]
    draws = np.full((resamples, len(likelihood.systems)), NAN)
    for number, times in enumerate(drawn(likelihood.clusters, resamples, seed)):
        try:
            found = [
                part.likelihood.fit(part.opinion * times[part.cluster], fit)
                for part, fit in zip((one, two), fits, strict=True)
            ]
        except NoRatingsError:
            continue
        draws[number] = found[1].ratings - found[0].ratings
    values = fits[1].ratings - fits[0].ratings
    return Apart(
        systems=likelihood.systems,
        one=fits[0].ratings,
        two=fits[1].ratings,
        differences={
            name: percentiles(float(value), draws[:, column], likelihood.clusters)
            for column, (name, value) in enumerate(zip(likelihood.systems, values, strict=True))
        },
    )
