"""Who meets next."""

from collections import Counter
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest

from speechzoo_arena.bradley_terry import bradley_terry
from speechzoo_arena.pairing import Meeting, next_meeting, parts, plan, reference_pair
from speechzoo_arena.records import Battle

from .conftest import a_battle, some_battles

SYSTEMS = ("A", "B", "C", "D", "E")


def test_a_plan_has_every_pair_equally_often() -> None:
    """Otherwise some systems would be known worse than others for no reason."""
    meetings = plan({f"d{n}": SYSTEMS for n in range(20)}, 2, seed=0)
    assert len(meetings) == 80
    assert set(Counter(frozenset((own.first, own.second)) for own in meetings).values()) == {8}
    assert all(two == one.swapped for one, two in zip(meetings[::2], meetings[1::2], strict=True))
    one_order = plan({f"d{n}": SYSTEMS for n in range(400)}, 1, seed=0, both=False)
    assert len(one_order) == 400
    ahead = sum(own.first < own.second for own in one_order)
    assert 150 < ahead < 250


def test_a_plan_needs_two_systems_and_repeats_nothing() -> None:
    """Otherwise a dialogue with one reply would be planned, or a pair met twice on one dialogue."""
    meetings = plan({"lone": ["A"], "three": ["A", "B", "C"], "none": []}, 9, seed=0, both=False)
    assert {own.dialogue for own in meetings} == {"three"} and len(meetings) == 3
    assert len({frozenset((own.first, own.second)) for own in meetings}) == 3


def test_equal_seeds_give_equal_plans() -> None:
    """Otherwise an arena could not be resumed or made again."""
    entries = {f"d{n}": SYSTEMS for n in range(9)}
    assert plan(entries, 2, seed=3) == plan(dict(reversed(entries.items())), 2, seed=3)
    assert plan(entries, 2, seed=3) != plan(entries, 2, seed=4)


def test_the_references_rule_draws_among_the_three_closest() -> None:
    """Otherwise an arena run as the reference's would meet other pairs."""
    ratings = {"A": 1100.0, "B": 1060, "C": 1030, "D": 990, "E": 900}
    generator = np.random.default_rng(0)
    met = Counter(reference_pair(ratings, SYSTEMS, generator) for _ in range(6_000))
    closest = [("B", "C"), ("A", "B"), ("C", "D")]
    assert set(met) == {order for pair in closest for order in permutations(pair)}
    assert all(800 < count < 1_200 for count in met.values())
    assert {frozenset(reference_pair({}, ["A", "B"], generator)) for _ in range(9)} == {frozenset("AB")}
    with pytest.raises(ValueError, match="two systems"):
        reference_pair({}, ["A"], generator)


def candidates(systems: str = "ABCD", dialogues: int = 3) -> list[Meeting]:
    return [Meeting(f"d{n}", *pair) for n in range(dialogues) for pair in combinations(systems, 2)]


def test_systems_are_connected_first() -> None:
    """Otherwise two groups would be rated apart, and their ratings mean nothing together."""
    played: list[Battle] = []
    for _ in range(3):
        chosen = next_meeting(played, candidates(), seed=0)
        before = parts("ABCD", played)
        assert before[chosen.first] != before[chosen.second]
        played.append(a_battle(chosen.first, chosen.second, dialogue=chosen.dialogue))
    assert len(set(parts("ABCD", played).values())) == 1


def test_close_pairs_meet_rather_than_settled_ones() -> None:
    """Otherwise battles would be spent on what is known."""
    draw = np.random.default_rng(0)
    true = {"A": 1300.0, "B": 1010.0, "C": 990.0, "D": 700.0}
    played: list[Battle] = []
    for number in range(150):
        own = next_meeting(played, candidates(), seed=1)
        better = 1 / (1 + 10 ** ((true[own.second] - true[own.first]) / 400))
        outcome = "first" if draw.random() < better else "second"
        played.append(a_battle(own.first, own.second, outcome, dialogue=f"n{number}"))
    met = Counter(own.pair for own in played)
    assert met.most_common(1)[0][0] == ("B", "C")
    assert met["A", "D"] < 15 < met["B", "C"]


def test_a_pair_that_met_often_gives_way() -> None:
    """Otherwise the closest pair would be asked for ever."""
    played = some_battles(" ".join(["AB1", "AB0"] * 40 + ["CD1", "CD0", "AC1", "AC0"]))
    chosen = next_meeting(played, candidates(), seed=0)
    assert {chosen.first, chosen.second} != {"A", "B"}


def test_the_choice_depends_on_seed_and_battles_alone() -> None:
    """Otherwise a resumed arena would go another way."""
    played = some_battles("AB1 BC1 CA1 CD1 DC1")
    meetings = candidates()
    chosen = next_meeting(played, meetings, seed=5)
    assert chosen == next_meeting(played, meetings, seed=5)
    renamed = next_meeting(played[::-1], meetings, seed=5)
    assert renamed == chosen
    with pytest.raises(ValueError, match="no meeting"):
        next_meeting(played, [], seed=0)


def test_dialogues_heard_least_come_first() -> None:
    """Otherwise one dialogue would decide a pair."""
    played = [a_battle("A", "B", own, "d0") for own in ("first", "second")]
    chosen = next_meeting(played, [Meeting("d0", "A", "B"), Meeting("d1", "B", "A")], seed=0)
    assert chosen == Meeting("d1", "B", "A")


def test_active_pairing_orders_systems_sooner_than_chance() -> None:
    """Otherwise it would be trouble for nothing. Pairs in wrong order after 60 battles, over 30 arenas."""
    draw = np.random.default_rng(11)
    true = dict(zip("ABCDE", (1150.0, 1120.0, 1000.0, 880.0, 850.0), strict=True))
    meetings = candidates("ABCDE", 1)
    wrong = {"active": 0, "random": 0}
    for arena in range(30):
        for rule in wrong:
            played: list[Battle] = []
            for number in range(60):
                own: Any = (
                    next_meeting(played, meetings, seed=arena)
                    if rule == "active"
                    else meetings[draw.integers(len(meetings))]
                )
                better = 1 / (1 + 10 ** ((true[own.second] - true[own.first]) / 400))
                outcome = "first" if draw.random() < better else "second"
                played.append(a_battle(own.first, own.second, outcome, f"n{number}"))
            fit = bradley_terry(played, prior=300.0)
            wrong[rule] += sum(fit.rating(one) < fit.rating(two) for one, two in combinations("ABCDE", 2))
    assert wrong["active"] < wrong["random"]
