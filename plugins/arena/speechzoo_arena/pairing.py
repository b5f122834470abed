"""Which systems meet next: a whole plan, the reference's rule, and active pairing, all of them seeded."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import norm

from speechzoo_arena.bradley_terry import Fit, bradley_terry
from speechzoo_arena.elo import INITIAL
from speechzoo_arena.intervals import Floats
from speechzoo_arena.ratings import information
from speechzoo_arena.records import Battle

CLOSEST = 3
PRIOR = 200.0
"""Standard deviation in points of the prior under which active pairing looks ahead; no rating rests on it."""
AHEAD = 30
"""Battles of a pair that active pairing looks ahead: a single one hardly ever turns an order round."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True)
class Meeting:
    """A dialogue and the two systems to be judged on it, in the order to be heard."""

    dialogue: str
    first: str
    second: str

    @property
    def swapped(self) -> "Meeting":
        return Meeting(self.dialogue, self.second, self.first)


Entries = Mapping[str, Sequence[str]]
"""The systems that have replies to each dialogue; one alone takes no part."""


def plan(entries: Entries, pairs: int, *, seed: int, both: bool = True) -> list[Meeting]:
    """Each dialogue with some of its pairs, so that pairs come equally often as far as they can.

    Args:
        entries: who can meet on which dialogue.
        pairs: at most so many of a dialogue.
        seed: of the order of dialogues, the choice among pairs met equally often, and who is heard first.
        both: each pair in both orders, one after the other; otherwise in one, drawn.
    """
    generator = np.random.default_rng(seed)
    met: Counter[tuple[str, str]] = Counter()
    meetings: list[Meeting] = []
    for dialogue in generator.permutation(sorted(entries)).tolist():
        candidates = list(combinations(sorted(entries[dialogue]), 2))
        generator.shuffle(candidates)
        for pair in sorted(candidates, key=met.__getitem__)[:pairs]:
            met[pair] += 1
            meeting = _in_drawn_order(dialogue, pair, generator)
            meetings += [meeting, meeting.swapped] if both else [meeting]
    return meetings


def reference_pair(
    ratings: Mapping[str, float], systems: Sequence[str], generator: np.random.Generator
) -> tuple[str, str]:
    """The reference's choice: of the three pairs with the closest ratings one is drawn, then who is first.

    As in github.com/FreedomIntelligence/MTalk-Bench at eff34a2; equally close pairs keep the order of
    ``systems``. Systems without a rating have 1000 points.

    Raises:
        ValueError: there are fewer than two systems.
    """
    if len(systems) < 2:
        raise ValueError(f"a battle needs two systems, not {len(systems)}")
    pairs = sorted(
        combinations(systems, 2),
        key=lambda pair: abs(ratings.get(pair[0], INITIAL) - ratings.get(pair[1], INITIAL)),
    )
    first, second = pairs[int(generator.integers(min(CLOSEST, len(pairs))))]
    return (second, first) if generator.random() < 0.5 else (first, second)


def next_meeting(battles: Sequence[Battle], candidates: Sequence[Meeting], *, seed: int) -> Meeting:
    """The candidate after which the ranking is expected to be least uncertain.

    Uncertainty is the expected number of pairs of systems in wrong order. Ratings are taken as normal around
    the maximum posterior; a battle's information is Fisher's at that point; what 30 of them would change is a
    rank-one update, averaged over what they might show (a knowledge gradient that looks several steps ahead:
    Frazier and Powell 2010, Paradoxes in Learning and the Marginal Value of Information). Pairs that have met
    often tell less, close pairs more. While the systems are not yet connected by battles, only meetings that
    connect two parts are chosen from. Equal candidates: the pair with fewest battles, then the dialogue with
    fewest, then by lot.

    Args:
        battles: so far, in any order; may be empty.
        candidates: what can be played next; the order heard is the candidate's.
        seed: of the lot; with equal battles and candidates it gives the same choice.

    Raises:
        ValueError: there are no candidates.
    """
    if not candidates:
        raise ValueError("there is no meeting to choose from")
    named: list[Battle | Meeting] = [*battles, *candidates]
    systems = sorted({name for own in named for name in (own.first, own.second)})
    open_to_choice = _connecting(systems, battles, candidates) or list(candidates)
    pairs = sorted({_pair(own) for own in open_to_choice})
    drops = dict(zip(pairs, _expected_drops(systems, battles, pairs), strict=True))
    met = Counter(battle.pair for battle in battles)
    heard = Counter(battle.dialogue for battle in battles)
    lots = np.random.default_rng([seed, len(battles)]).permutation(len(open_to_choice)).tolist()
    ranked = sorted(
        zip(open_to_choice, lots, strict=True),
        # Rounded, so that rounding errors of equal drops decide nothing.
        key=lambda own: (-round(drops[_pair(own[0])], 9), met[_pair(own[0])], heard[own[0].dialogue], own[1]),
    )
    return ranked[0][0]


def _pair(meeting: Meeting) -> tuple[str, str]:
    return min(meeting.first, meeting.second), max(meeting.first, meeting.second)


def _in_drawn_order(dialogue: str, pair: tuple[str, str], generator: np.random.Generator) -> Meeting:
    meeting = Meeting(dialogue, *pair)
    return meeting.swapped if generator.random() < 0.5 else meeting


def parts(systems: Sequence[str], battles: Iterable[Battle]) -> dict[str, int]:
    """Which systems are connected by battles: those of one number are, directly or through others."""
    place = {name: number for number, name in enumerate(systems)}
    met = [(place[battle.first], place[battle.second]) for battle in battles]
    ends = np.array(met, dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(systems), len(systems)))
    _, part = connected_components(graph, connection="weak")
    return dict(zip(systems, part.tolist(), strict=True))


def _connecting(
    systems: Sequence[str], battles: Sequence[Battle], candidates: Sequence[Meeting]
) -> list[Meeting]:
    part = parts(systems, battles)
    return [own for own in candidates if part[own.first] != part[own.second]]


def _expected_drops(
    systems: Sequence[str], battles: Sequence[Battle], pairs: Sequence[tuple[str, str]]
) -> list[float]:
    """By how much battles of each pair are expected to lower the number of pairs in wrong order."""
    fit, covariance = _posterior(systems, battles)
    place = {name: number for number, name in enumerate(systems)}
    ends = np.array(list(combinations(range(len(systems)), 2)))
    lead = fit.ratings[ends[:, 0]] - fit.ratings[ends[:, 1]]
    across = covariance[:, ends[:, 0]] - covariance[:, ends[:, 1]]
    variance = across[ends[:, 0], np.arange(len(ends))] - across[ends[:, 1], np.arange(len(ends))]
    now = norm.sf(np.abs(lead) / np.sqrt(variance)).sum()
    drops = []
    for first, second in pairs:
        told = AHEAD * information(fit, first, second)
        one, two = place[first], place[second]
        own = covariance[one, one] + covariance[two, two] - 2 * covariance[one, two]
        taken = told * (across[one] - across[two]) ** 2 / (1 + told * own)
        drops.append(float(now - _wrong(lead, variance, taken)))
    return drops


def _wrong(lead: Floats, variance: Floats, taken: Floats) -> float:
    """Expected pairs in wrong order once ``taken`` of each difference's variance has become its mean's."""
    left = np.sqrt(np.maximum(variance - taken, 1e-12 * variance))
    later = lead[:, None] + np.sqrt(taken)[:, None] * _NODES
    return float((norm.sf(np.abs(later) / left[:, None]) @ _WEIGHTS).sum())


def _posterior(systems: Sequence[str], battles: Sequence[Battle]) -> tuple[Fit, Floats]:
    """Ratings and their covariance in points squared, also of systems that have not met anyone."""
    prior = PRIOR**2 * (np.eye(len(systems)) - 1 / len(systems))
    if not battles:
        level = np.full(len(systems), INITIAL)
        return Fit(tuple(systems), level, 0.0, {}, prior), prior
    found = bradley_terry(battles, prior=PRIOR)
    seen = [systems.index(name) for name in found.systems]
    ratings, covariance = np.full(len(systems), INITIAL), PRIOR**2 * np.eye(len(systems))
    ratings[seen] = found.ratings
    covariance[np.ix_(seen, seen)] = found.covariance
    return Fit(tuple(systems), ratings, found.tie, {}, covariance), covariance
