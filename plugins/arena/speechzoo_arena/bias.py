"""What a judge leans to besides quality: who is heard first, and how long the replies are."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from speechzoo.stats import Estimate, bootstrap, sign_flip

from speechzoo_arena.intervals import NAN, SAME, share
from speechzoo_arena.records import Battle

Length = Literal["seconds", "words"]


@dataclass(frozen=True)
class Lean:
    """How often one of two sides wins, over battles with a winner.

    Attributes:
        share: of wins of the side asked about, with the interval of `share` over clusters; the other side has
            the rest.
        difference: that share minus the rest, -1 to 1.
        p: two-sided, of a difference of 0, by flipping the signs of whole clusters (`sign_flip`).
        battles: with a winner, which the values are over.
        ties: battles without one.
    """

    share: Estimate
    difference: Estimate
    p: float
    battles: int
    ties: int


@dataclass(frozen=True)
class LengthLean:
    """The same for the longer against the shorter side.

    Attributes:
        lean: of the longer.
        margin: mean length of winner minus loser, in seconds or words, with a bootstrap interval over
            clusters, NaN where that has no width; battles of equal lengths count as 0.
        equal: battles with a winner whose sides are equally long; in no share.
        unknown: battles of which a length is not known.
    """

    lean: Lean | None
    margin: Estimate
    equal: int
    unknown: int


def position_bias(battles: Sequence[Battle], *, seed: int) -> Lean | None:
    """The share of wins of the system heard first (TPR of the published table; BPR is the rest).

    Only battles of a single order tell: take them from `one_order`. Where systems were not heard first and
    second equally often, better systems in first place look like bias.

    Returns:
        None where no battle of a single order has a winner.
    """
    single = [battle for battle in battles if battle.orders == 1]
    won = [battle for battle in single if battle.outcome != "tie"]
    return _lean(won, [battle.score for battle in won], len(single) - len(won), seed) if won else None


def length_bias(battles: Sequence[Battle], length: Length = "seconds", *, seed: int) -> LengthLean | None:
    """The share of wins of the longer side (LPR of the published table; SPR is the rest), and its margin.

    Longer replies may be better replies: this describes a judge, and becomes a bias where people, on the same
    battles, lean less.

    Returns:
        None where no battle with known lengths has a winner.
    """
    known = [battle for battle in battles if getattr(battle, length) is not None]
    won = [battle for battle in known if battle.outcome != "tie"]
    if not won:
        return None
    ahead = [_ahead(battle, length) for battle in won]
    margins = [lead if battle.outcome == "first" else -lead for battle, lead in zip(won, ahead, strict=True)]
    unequal = [place for place, margin in enumerate(margins) if margin]
    means = bootstrap([margins], np.ones((1, len(won))), [battle.cluster for battle in won], seed=seed)
    longer = [float(margins[place] > 0) for place in unequal]
    return LengthLean(
        lean=_lean([won[place] for place in unequal], longer, len(known) - len(won), seed)
        if unequal
        else None,
        margin=_with_width(means.mean(0)),
        equal=len(won) - len(unequal),
        unknown=len(battles) - len(known),
    )


def _with_width(estimate: Estimate) -> Estimate:
    """Resamples that are all alike say nothing of how sure a mean is."""
    alike = estimate.high - estimate.low <= SAME
    return Estimate(estimate.value, NAN, NAN) if alike else estimate


def _ahead(battle: Battle, length: Length) -> float:
    own = getattr(battle, length)
    return float(own.first - own.second)


def _lean(won: Sequence[Battle], values: Sequence[float], ties: int, seed: int) -> Lean:
    clusters = [battle.cluster for battle in won]
    own = share(values, clusters)
    return Lean(
        share=own,
        difference=Estimate(2 * own.value - 1, 2 * own.low - 1, 2 * own.high - 1),
        p=sign_flip([2 * value - 1 for value in values], clusters, seed=seed),
        battles=len(won),
        ties=ties,
    )


@dataclass(frozen=True)
class Consistency:
    """Whether a judge gives the same verdict again.

    Attributes:
        share: of pairs of repeats with the same verdict, each material weighing the same.
        materials: dialogues, pairs and orders that were judged at least twice.
    """

    share: Estimate
    materials: int


def self_consistency(battles: Sequence[Battle]) -> Consistency | None:
    """Agreement of one judge's repeats, in the same order; None where nothing was judged twice."""
    groups: defaultdict[tuple[str, str, str, str], list[Battle]] = defaultdict(list)
    for battle in battles:
        groups[battle.judge, battle.dialogue, battle.first, battle.second].append(battle)
    repeated = [group for group in groups.values() if len(group) > 1]
    if not repeated:
        return None
    agreeing = [
        float(np.mean([one.outcome == two.outcome for one, two in combinations(group, 2)]))
        for group in repeated
    ]
    return Consistency(share(agreeing, [group[0].cluster for group in repeated]), len(repeated))
