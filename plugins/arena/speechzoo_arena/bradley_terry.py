"""Bradley-Terry ratings with ties by maximum likelihood, with or without controls.

The model is Davidson's (1970, doi:10.1080/01621459.1970.10481082): with strengths p1, p2 and a tie parameter
v, first wins : tie : second wins = p1 : v sqrt(p1 p2) : p2. Without ties it is Bradley and Terry's (1952,
doi:10.1093/biomet/39.3-4.324). In logarithms it is a multinomial logit, so its likelihood is concave.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import helmert
from scipy.optimize import linprog
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from speechzoo import SpeechzooError

from speechzoo_arena.records import Battle, Verdict

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MEAN = 1000.0
POINTS = 400 / math.log(10)
"""Rating points a unit of log strength: 400 points are ten to one, as in Elo."""

Control = Literal["position", "seconds", "words"]
"""What is held equal: being heard first, the logarithm of the replies' length, the count of their words."""

UNITS: dict[Control, str] = {
    "position": "points for being heard first",
    "seconds": "points for replies twice as long",
    "words": "points for 10 words more",
}
_WORDS = 10.0

_OUTCOME: dict[Verdict, int] = {"first": 0, "tie": 1, "second": 2}
_PARTS = np.array([0.5, 0.0, -0.5])  # of the log odds, in each outcome's logit
# Log odds without a limit grow beyond this before the gradient vanishes; see `unbounded`.
SUSPICIOUS = 8.0
_GRADIENT = 1e-8
_ITERATIONS = 200


class NoRatingsError(SpeechzooError):
    """The battles determine no finite ratings. The message says which systems they leave open."""


@dataclass(frozen=True)
class Fit:
    """Ratings at the maximum of the likelihood.

    Attributes:
        systems: sorted by name.
        ratings: in points, mean 1000, shape [systems].
        tie: Davidson's v; 0 where no battle is a tie.
        effects: of each control, in points of its unit (`UNITS`).
        covariance: of the ratings by the inverse information, as if all battles were independent, in points
            squared, shape [systems, systems]. Intervals for reports come from resampling.
    """

    systems: tuple[str, ...]
    ratings: Floats
    tie: float
    effects: dict[Control, float]
    covariance: Floats

    def rating(self, system: str) -> float:
        return float(self.ratings[self.systems.index(system)])

    def chances(self, first: str, second: str) -> tuple[float, float, float]:
        """That the first wins, of a tie, and that the second wins, with all controls equal."""
        logits = (self.rating(first) - self.rating(second)) / POINTS * _PARTS
        worth = np.exp(logits - logits.max()) * [1.0, self.tie, 1.0]
        first_wins, tie, second_wins = (worth / worth.sum()).tolist()
        return first_wins, tie, second_wins


def controlled(battles: Sequence[Battle], controls: Sequence[Control]) -> list[Battle]:
    """The battles in which each of the controls is known; replies of no length have no logarithm."""
    return [battle for battle in battles if all(_measure(battle, own) is not None for own in controls)]


def _measure(battle: Battle, control: Control) -> float | None:
    """How far the first system's replies are ahead in what is held equal."""
    if control == "position":
        return 1.0 if battle.orders == 1 else 0.0
    if control == "words":
        return (battle.words.first - battle.words.second) / _WORDS if battle.words else None
    if battle.seconds is None or 0 in (battle.seconds.first, battle.seconds.second):
        return None
    return math.log2(battle.seconds.first / battle.seconds.second)


class Likelihood:
    """Of the parameters, given battles in which each counts any number of times.

    Parameters are coordinates of the log strengths in the space of mean 0, then the controls' effects in
    units of their root mean square, then the logarithm of v if there are ties.

    Args:
        battles: at least one, each control of each known.
        controls: what is held equal.
        prior: standard deviation, in points, of a normal prior around 0 on every parameter; None for none.
        systems: that have strengths, where these are more than the battles name.

    Raises:
        SpeechzooError: there are no battles.
    """

    def __init__(
        self,
        battles: Sequence[Battle],
        controls: Sequence[Control] = (),
        prior: float | None = None,
        systems: Sequence[str] = (),
    ) -> None:
        if not battles:
            raise SpeechzooError("there are no battles to rate")
        self.systems = systems_of(battles, systems)
        self.controls = tuple(controls)
        self._precision = 0.0 if prior is None else (POINTS / prior) ** 2
        place = {name: number for number, name in enumerate(self.systems)}
        self._first = np.array([place[battle.first] for battle in battles])
        self._second = np.array([place[battle.second] for battle in battles])
        self._outcome = np.array([_OUTCOME[battle.outcome] for battle in battles])
        self.basis = helmert(len(self.systems)).T
        measured = np.array([[_measure(battle, own) for own in controls] for battle in battles], float)
        self._spread = np.sqrt((measured**2).mean(axis=0))
        self._spread[self._spread == 0] = 1.0
        strengths = self.basis[self._first] - self.basis[self._second]
        design = np.hstack([strengths, measured / self._spread])
        # Battles of one pair without controls are alike: their likelihood is summed once.
        self._design, rows = np.unique(design, axis=0, return_inverse=True)
        self._cell = 3 * rows.ravel() + self._outcome
        self.size = len(battles)

    @property
    def width(self) -> int:
        """Of the parameters, the one for ties among them."""
        return len(self.basis.T) + len(self.controls) + 1

    def fit(
        self, counts: Floats | None = None, start: Fit | None = None, middle: Floats | None = None
    ) -> Fit:
        """The maximum.

        Args:
            counts: how often each battle counts, shape [battles]; None for once each.
            start: where to begin looking.
            middle: of the prior, shape [width]; None for 0.

        Raises:
            NoRatingsError: there is no maximum, or no single one.
        """
        weights = self.tally(counts)
        ties = bool(weights[:, 1].any())
        if not self._precision:
            self._refuse_unconnected(counts, weights)
        begin = self._start(start, ties)
        off = np.zeros(len(begin)) if middle is None else middle[: len(begin)]
        parameters = minimum(
            lambda own: self.loss(weights, ties, own, off),
            lambda own: self.slopes(weights, ties, own, off),
            begin,
        )
        if not self._precision:
            self._refuse_unbounded(counts, weights, ties, parameters)
        return self._as_fit(weights, ties, parameters)

    def tally(self, counts: Floats | None = None) -> Floats:
        """How often each outcome was seen in each row of the design, shape [rows, 3]."""
        found: Floats = np.bincount(self._cell, counts, 3 * len(self._design)).astype(float).reshape(-1, 3)
        return found

    def coordinates(self, ratings: Floats) -> Floats:
        """Of ratings in points among the parameters, shape [systems - 1]."""
        found: Floats = (ratings - MEAN) / POINTS @ self.basis
        return found

    def _start(self, start: Fit | None, ties: bool) -> Floats:
        """Parameters of an earlier fit with the same systems and controls, or all strengths equal."""
        found = np.zeros(self._design.shape[1] + ties)
        if start is not None:
            effects = [start.effects[own] / POINTS for own in self.controls]
            found[: self._design.shape[1]] = [
                *self.coordinates(start.ratings),
                *(np.array(effects) * self._spread),
            ]
            if ties and start.tie:
                found[-1] = math.log(start.tie)
        return found

    def _chances(self, parameters: Floats, ties: bool) -> tuple[Floats, Floats]:
        """Log likelihood and probability of each outcome, shapes [rows, 3]."""
        width = self._design.shape[1]
        logits = np.outer(self._design @ parameters[:width], _PARTS)
        logits[:, 1] += parameters[-1] if ties else -np.inf
        logits -= logits.max(axis=1, keepdims=True)
        told = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return told, np.exp(told)

    def loss(self, weights: Floats, ties: bool, parameters: Floats, middle: Floats | float = 0.0) -> float:
        told, _ = self._chances(parameters, ties)
        seen, off = weights > 0, parameters - middle
        return float(-(weights[seen] * told[seen]).sum() + self._precision / 2 * off @ off)

    def slopes(
        self, weights: Floats, ties: bool, parameters: Floats, middle: Floats | float = 0.0
    ) -> tuple[Floats, Floats]:
        """Gradient and Hessian of the loss, with a last parameter for ties if there are any."""
        _, chances = self._chances(parameters, ties)
        total = weights.sum(axis=1)
        mean = chances @ _PARTS
        lean = weights @ _PARTS - total * mean
        curve = total * (chances @ _PARTS**2 - mean**2)
        gradient = self._design.T @ lean
        hessian = (self._design.T * curve) @ self._design
        if ties:
            across = self._design.T @ (total * chances[:, 1] * mean)
            corner = (total * chances[:, 1] * (1 - chances[:, 1])).sum()
            gradient = np.append(gradient, (weights[:, 1] - total * chances[:, 1]).sum())
            hessian = np.block([[hessian, -across[:, None]], [-across[None, :], np.array([[corner]])]])
        width = len(parameters)
        return self._precision * (parameters - middle) - gradient, hessian + self._precision * np.eye(width)

    def scores(self, ties: bool, parameters: Floats) -> tuple[Floats, Floats]:
        """The gradient of each battle's log likelihood, had it each outcome, and the chance of each.

        Returns:
            Shapes [battles, 3, parameters] and [battles, 3].
        """
        _, chances = self._chances(parameters, ties)
        row = self._cell // 3
        lean = _PARTS[None, :] - (chances @ _PARTS)[row, None]
        found: Floats = self._design[row][:, None, :] * lean[:, :, None]
        if ties:
            own = np.array([0.0, 1.0, 0.0])[None, :] - chances[row, 1, None]
            found = np.concatenate([found, own[:, :, None]], axis=2)
        return found, chances[row]

    def seen(self, weights: Floats) -> Floats:
        """The rows of the design that have an outcome, shape [rows seen, strengths and controls]."""
        found: Floats = self._design[weights.sum(axis=1) > 0]
        return found

    def gains(self, weights: Floats, ties: bool) -> Floats:
        """What each outcome seen gains on each other outcome by a step, shape [gains, parameters]."""
        return _gains(self._design, weights, ties)

    def reach(self, ties: bool, parameters: Floats) -> float:
        """The largest log odds."""
        width = self._design.shape[1]
        found = float(np.abs(self._design @ parameters[:width]).max())
        return max(found, abs(float(parameters[-1]))) if ties else found

    def _refuse_unconnected(self, counts: Floats | None, weights: Floats) -> None:
        """Strengths and controls can be told apart only if the design has full rank."""
        if full_rank(self.seen(weights)):
            return
        raise NoRatingsError(
            self._why(counts)
            or "a control's effect and the ratings cannot be told apart: it never varies by itself"
        )

    def _refuse_unbounded(
        self, counts: Floats | None, weights: Floats, ties: bool, parameters: Floats
    ) -> None:
        if self.reach(ties, parameters) >= SUSPICIOUS and unbounded(self.gains(weights, ties)):
            raise NoRatingsError(self._why(counts) or self._what_grows(weights))

    def _what_grows(self, weights: Floats) -> str:
        """Where the graph of wins leaves nothing open."""
        if not weights[:, [0, 2]].any():
            return "every battle is a tie"
        if self.controls:
            told = ", ".join(self.controls)
            return f"no verdict speaks against {told}, so the effect of that can grow without end"
        return "ratings and ties can grow together without end and fit ever better"

    def _why(self, counts: Floats | None) -> str | None:
        """What in the graph of wins leaves the ratings open."""
        seen = np.ones(self.size, bool) if counts is None else counts > 0
        return explain(self.systems, self._first[seen], self._second[seen], self._outcome[seen])

    def _as_fit(self, weights: Floats, ties: bool, parameters: Floats) -> Fit:
        _, hessian = self.slopes(weights, ties, parameters)
        free = len(self.systems) - 1
        spread = self.basis @ np.linalg.pinv(hessian)[:free, :free] @ self.basis.T
        effects = parameters[free : self._design.shape[1]] / self._spread * POINTS
        return Fit(
            systems=self.systems,
            ratings=MEAN + POINTS * (self.basis @ parameters[:free]),
            tie=math.exp(parameters[-1]) if ties else 0.0,
            effects=dict(zip(self.controls, effects.tolist(), strict=True)),
            covariance=POINTS**2 * spread,
        )


def systems_of(battles: Sequence[Battle], more: Sequence[str] = ()) -> tuple[str, ...]:
    """Who met, and who else, by name."""
    return tuple(sorted({name for battle in battles for name in (battle.first, battle.second)} | {*more}))


def minimum(
    loss: Callable[[Floats], float], slopes: Callable[[Floats], tuple[Floats, Floats]], parameters: Floats
) -> Floats:
    """Newton's method with steps halved until they gain.

    Thousands of resamples start near their minimum, where it takes three or four steps.

    Args:
        loss: convex.
        slopes: its gradient and Hessian.
        parameters: where to begin.

    Raises:
        NoRatingsError: it was not reached.
    """
    value = loss(parameters)
    for _ in range(_ITERATIONS):
        gradient, hessian = slopes(parameters)
        if np.abs(gradient).max() <= _GRADIENT:
            return parameters
        # Where a likelihood has no maximum its Hessian runs out of digits; a trace of ridge steps on.
        step = np.linalg.solve(hessian + 1e-12 * np.trace(hessian) * np.eye(len(hessian)), gradient)
        size, rounding = 1.0, 1e-12 * (1 + abs(value))
        while (found := loss(parameters - size * step)) > value + rounding:
            size /= 2
        parameters, value = parameters - size * step, found
    raise NoRatingsError(f"the best ratings were not reached in {_ITERATIONS} steps")


def full_rank(design: Floats) -> bool:
    """Whether the parameters of a design can be told apart."""
    return bool(np.linalg.matrix_rank(design.T @ design, hermitian=True) == design.shape[1])


def unbounded(gains: Floats) -> bool:
    """A likelihood has no maximum if some direction makes no battle less likely, and one more likely.

    As for logistic regression (Albert and Anderson 1984, doi:10.1093/biomet/71.1.1), by a linear programme.
    It needs solving only where log odds are large: elsewhere the gradient has vanished at finite parameters,
    which is the maximum.

    Args:
        gains: of each outcome seen on each other outcome, shape [gains, parameters].

    Raises:
        NoRatingsError: the programme could not be solved.
    """
    told = linprog(-gains.sum(axis=0), A_ub=-gains, b_ub=np.zeros(len(gains)), bounds=(-1, 1), method="highs")
    if told.x is None:
        raise NoRatingsError(f"whether the ratings are finite could not be decided: {told.message}")
    return bool((gains @ told.x).sum() > 1e-7)


def _gains(design: Floats, weights: Floats, ties: bool) -> Floats:
    """What each outcome seen gains on each other outcome along a direction, shape [gains, parameters]."""
    logits = _PARTS[None, :, None] * design[:, None, :]
    if ties:
        own = np.broadcast_to(np.array([0.0, 1.0, 0.0])[None, :, None], (len(design), 3, 1))
        logits = np.concatenate([logits, own], axis=2)
    others = (0, 1, 2) if ties else (0, 2)
    found = [
        logits[weights[:, outcome] > 0, outcome] - logits[weights[:, outcome] > 0, other]
        for outcome in others
        for other in others
        if other != outcome
    ]
    return np.concatenate(found)


def explain(systems: Sequence[str], first: Integers, second: Integers, outcome: Integers) -> str | None:
    """Why battles leave ratings arbitrary or infinite; None if wins and ties lead from each system to each.

    Ratings are finite only if in every split of the systems in two each part has a win or a tie against the
    other (Ford 1957, doi:10.2307/2308513).

    Args:
        systems: their names.
        first: the place of each battle's first system among them, shape [battles].
        second: of its second.
        outcome: 0 the first won, 1 a tie, 2 the second won.
    """
    winner = np.concatenate([first[outcome != 2], second[outcome != 0]])
    loser = np.concatenate([second[outcome != 2], first[outcome != 0]])
    graph = coo_array((np.ones(len(winner)), (winner, loser)), shape=(len(systems), len(systems)))
    parts, part = connected_components(graph, connection="weak")
    if parts > 1:
        told = "; ".join(_names(systems, part == own) for own in range(parts))
        return f"these groups of systems never met, so their ratings cannot be compared: {told}"
    parts, part = connected_components(graph, connection="strong")
    if parts == 1:
        return None
    beaten = {int(own) for own in part[loser[part[winner] != part[loser]]]}
    on_top = [own for own in range(parts) if own not in beaten]
    told = "; ".join(_names(systems, part == own) for own in on_top)
    return f"never beaten nor held to a tie from outside, so rated infinitely high above the others: {told}"


def _names(systems: Sequence[str], chosen: NDArray[np.bool_]) -> str:
    return ", ".join(name for name, own in zip(systems, chosen, strict=True) if own)


def bradley_terry(
    battles: Sequence[Battle], controls: Sequence[Control] = (), prior: float | None = None
) -> Fit:
    """Ratings by maximum likelihood; with a prior, by maximum posterior.

    Args:
        battles: in any order.
        controls: what is held equal.
        prior: standard deviation in points of a normal prior on every parameter, which makes ratings finite
            whatever the battles and draws them towards 1000. It belongs beside the ratings.

    Raises:
        NoRatingsError: without a prior, the battles determine no finite ratings.
        SpeechzooError: there are no battles, or a control is not known in one.
    """
    lacking = len(battles) - len(controlled(battles, controls))
    if lacking:
        raise SpeechzooError(
            f"{lacking} of {len(battles)} battles lack what {', '.join(controls)} needs; leave them out first"
        )
    return Likelihood(battles, controls, prior).fit()
