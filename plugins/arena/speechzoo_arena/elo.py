"""Elo ratings as MTalk-Bench's reference code has them: they depend on the order of completion."""

from collections.abc import Sequence

from speechzoo_arena.records import Battle

INITIAL = 1000.0
K = 4.0
SCALE = 400.0


def elo_update(first: float, second: float, score: float) -> tuple[float, float]:
    """Both ratings after a battle.

    e1 = 1 / (1 + 10^((r2 - r1) / 400)), e2 the same the other way round; r1 += K (s - e1),
    r2 += K ((1 - s) - e2), as in the reference (github.com/FreedomIntelligence/MTalk-Bench at eff34a2).

    Args:
        first: rating of the first system, in points.
        second: rating of the second.
        score: of the first: 1, 0.5 or 0. The reference knows no ties; half a win is the usual extension.
    """
    expected_first = 1 / (1 + 10 ** ((second - first) / SCALE))
    expected_second = 1 / (1 + 10 ** ((first - second) / SCALE))
    return first + K * (score - expected_first), second + K * ((1 - score) - expected_second)


def elo(battles: Sequence[Battle]) -> dict[str, float]:
    """The rating of each system in points, from 1000 each.

    Args:
        battles: in order of completion. The same battles in another order give other ratings.
    """
    ratings: dict[str, float] = {}
    for battle in battles:
        first, second = (ratings.get(name, INITIAL) for name in (battle.first, battle.second))
        ratings[battle.first], ratings[battle.second] = elo_update(first, second, battle.score)
    return ratings
