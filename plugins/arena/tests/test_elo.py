"""Elo against the reference's own function."""

from typing import Any

import pytest

from speechzoo_arena.elo import elo, elo_update


@pytest.mark.parametrize(
    ("first", "second", "score", "expected"),
    [
        (1000, 1000, 1, (1002.0, 998.0)),
        (1000, 1000, 0, (998.0, 1002.0)),
        (1100, 900, 0, (1096.9610122934082, 903.0389877065918)),
        (1002, 998, 1, (1003.9769751663554, 996.0230248336446)),
    ],
)
def test_an_update_is_the_references(
    first: float, second: float, score: float, expected: tuple[float, float]
) -> None:
    """Otherwise ratings made for comparison with the published ones could not be compared."""
    assert elo_update(first, second, score) == expected


def test_a_series_is_the_references_to_the_last_digit(battles: Any) -> None:
    """Otherwise the published protocol would not be reproduced over more than one battle."""
    played = battles("XY1 YZ1 XZ0 ZY1 XY1")
    assert elo(played) == {"X": 1001.9655952955926, "Y": 996.0228267819319, "Z": 1002.0115779224755}


def test_the_same_games_in_another_order_have_another_leader(battles: Any) -> None:
    """Otherwise the order of completion would not be what the reference's ratings depend on."""
    ratings = elo(battles("XY1 YZ1 XZ0 ZY1 XY1")[::-1])
    assert ratings == {"X": 1001.9887518602122, "Y": 996.0686061353199, "Z": 1001.9426420044679}


def test_a_tie_is_half_a_win(battle: Any) -> None:
    """Otherwise a tie would move equal systems apart."""
    assert elo([battle("A", "B", "tie")]) == {"A": 1000.0, "B": 1000.0}
