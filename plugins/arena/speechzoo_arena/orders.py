"""From votes to battles: each order by itself, or both orders merged into one result."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from speechzoo_arena.records import SWAPPED, Battle, Verdict, Vote

_SHARED = {"dialogue", "group", "cluster", "first", "second", "judge", "kind", "repeat", "seconds", "words"}


@dataclass(frozen=True)
class Merged:
    """Battles of both orders, and how far the orders agree.

    Attributes:
        battles: one a judge, dialogue, pair and repeat, in order of completion.
        both: how many of them were judged in both orders.
        reversed: of those, where the two verdicts name different winners: ties, in ``battles``.
        half: of those, where one verdict is a tie and the other is not: ties too.
        incomplete: pairs of orders of which one has no verdict; they are no battle.
    """

    battles: tuple[Battle, ...]
    both: int
    reversed: int
    half: int
    incomplete: int

    @property
    def disagreement(self) -> float | None:
        """The share of battles in both orders whose verdicts differ; None where there are none."""
        return (self.reversed + self.half) / self.both if self.both else None


def one_order(votes: Sequence[Vote]) -> list[Battle]:
    """Each verdict as a battle of its own, in order of completion; what has no verdict is left out."""
    return [_battle(vote, vote.verdict) for vote in votes if vote.verdict is not None]


def both_orders(votes: Sequence[Vote]) -> Merged:
    """Merges the two verdicts of one judge on one dialogue, pair and repeat.

    Verdicts that agree count once; verdicts that disagree are a tie, as in MT-Bench (Zheng et al. 2023,
    arXiv:2306.05685, section 3.4). What was put to the judge in one order alone stays a battle of that order.
    """
    groups: defaultdict[tuple[object, ...], list[Vote]] = defaultdict(list)
    for vote in votes:
        groups[vote.judge, vote.dialogue, vote.pair, vote.repeat].append(vote)
    battles: list[Battle] = []
    both = turned = half = incomplete = 0
    for group in groups.values():
        verdicts = [own.verdict for own in group]
        if None in verdicts:
            incomplete += len(group) == 2
        elif len(group) == 1:
            battles += one_order(group)
        else:
            one, two = _as_in(group[0], group)
            both += 1
            turned += one != two and "tie" not in (one, two)
            half += one != two and "tie" in (one, two)
            battles.append(_battle(group[0], one if one == two else "tie").model_copy(update={"orders": 2}))
    return Merged(tuple(battles), both, turned, half, incomplete)


def _as_in(order: Vote, votes: Sequence[Vote]) -> list[Verdict]:
    """The verdicts as if all had been given in one order."""
    return [
        own.verdict if own.first == order.first else SWAPPED[own.verdict]
        for own in votes
        if own.verdict is not None
    ]


def _battle(vote: Vote, outcome: Verdict) -> Battle:
    return Battle(**{name: getattr(vote, name) for name in _SHARED}, outcome=outcome)
