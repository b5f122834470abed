"""Maximum likelihood against closed forms, other implementations and brute force."""

import math
from itertools import combinations
from typing import Any

import choix
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from speechzoo import SpeechzooError

from speechzoo_arena.bradley_terry import POINTS, Fit, NoRatingsError, bradley_terry, controlled
from speechzoo_arena.records import Battle

from .conftest import a_battle, some_battles

OUTCOMES = ("first", "tie", "second")
SWAPPED = {"first": "second", "second": "first", "tie": "tie"}


def repeated(first: str, second: str, wins: int, ties: int, losses: int) -> list[Battle]:
    outcomes = ["first"] * wins + ["tie"] * ties + ["second"] * losses
    return [a_battle(first, second, own) for own in outcomes]


def random_battles(seed: int, systems: int, count: int, ties: float, **effects: float) -> list[Battle]:
    """Of systems 40 points apart, with effects in log odds: first, and twice as long."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        one, two = draw.choice(systems, 2, replace=False).tolist()
        seconds = np.round(draw.uniform(4, 40, 2), 2).tolist()
        odds = (two - one) * 40 / POINTS + effects.get("position", 0.0)
        odds += effects.get("seconds", 0.0) * math.log2(seconds[0] / seconds[1])
        worth = np.array([math.exp(odds / 2), ties, math.exp(-odds / 2)])
        outcome = OUTCOMES[draw.choice(3, p=worth / worth.sum())]
        found.append(
            a_battle(
                f"s{one}", f"s{two}", outcome, f"d{number // 5}",
                seconds={"first": seconds[0], "second": seconds[1]},
                words={"first": int(draw.integers(5, 90)), "second": int(draw.integers(5, 90))},
            )
        )  # fmt: skip
    return found


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 50))
def test_two_systems_have_a_closed_form(wins: int, ties: int, losses: int) -> None:
    """Otherwise ratings would not be on Elo's scale, or ties would draw them the wrong way."""
    fit = bradley_terry(repeated("A", "B", wins, ties, losses))
    assert fit.rating("A") - fit.rating("B") == pytest.approx(400 * math.log10(wins / losses), abs=1e-6)
    assert fit.tie == pytest.approx(ties / math.sqrt(wins * losses))
    assert fit.chances("A", "B") == pytest.approx(np.array([wins, ties, losses]) / (wins + ties + losses))
    assert fit.ratings.mean() == pytest.approx(1000)


@pytest.mark.parametrize("seed", range(5))
def test_without_ties_it_is_what_choix_finds(seed: int) -> None:
    """Otherwise the ratings would not be Bradley and Terry's."""
    played = random_battles(seed, systems=6, count=150, ties=0.0)
    fit = bradley_terry(played)
    won = [(own.first, own.second) if own.outcome == "first" else (own.second, own.first) for own in played]
    places = [(fit.systems.index(one), fit.systems.index(two)) for one, two in won]
    strengths = choix.ilsr_pairwise(6, places, alpha=0.0, tol=1e-12)
    assert fit.ratings == pytest.approx(1000 + POINTS * (strengths - strengths.mean()), abs=1e-4)
    assert fit.tie == 0


def test_with_a_prior_it_is_what_choix_finds() -> None:
    """Otherwise the stated prior would be another one than is used."""
    played = some_battles("AB1 BC1 CD1 AB1")
    fit = bradley_terry(played, prior=200.0)
    places = [(fit.systems.index(own.first), fit.systems.index(own.second)) for own in played]
    strengths = choix.opt_pairwise(4, places, alpha=(POINTS / 200) ** 2 / 2, method="Newton-CG", tol=1e-10)
    assert fit.ratings == pytest.approx(1000 + POINTS * strengths, abs=1e-3)


def brute_force(played: list[Battle], systems: list[str]) -> tuple[np.ndarray[Any, Any], float, list[float]]:
    """Davidson's model written out in strengths, with effects of position and length; without slopes."""

    def loss(parameters: Any) -> float:
        strengths = dict(zip(systems, [0.0, *parameters[: len(systems) - 1]], strict=True))
        tie, position, seconds = parameters[len(systems) - 1 :]
        total = 0.0
        for own in played:
            assert own.seconds is not None
            longer = math.log2(own.seconds.first / own.seconds.second)
            first = math.exp(strengths[own.first] + position + seconds * longer)
            second = math.exp(strengths[own.second])
            draw = math.exp(tie) * math.sqrt(first * second)
            chance = {"first": first, "tie": draw, "second": second}[own.outcome] / (first + draw + second)
            total -= math.log(chance)
        return total

    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 20_000, "maxfev": 20_000, "adaptive": True}
    found = minimize(loss, np.zeros(len(systems) + 2), method="Nelder-Mead", options=options).x
    strengths = np.array([0.0, *found[: len(systems) - 1]])
    return strengths - strengths.mean(), math.exp(found[-3]), [found[-2], found[-1]]


def test_ties_and_controls_together_are_what_brute_force_finds() -> None:
    """Otherwise a rating with something held equal would be held at something else."""
    played = random_battles(3, systems=3, count=120, ties=0.8, position=0.5, seconds=0.4)
    fit = bradley_terry(played, controls=("position", "seconds"))
    strengths, tie, effects = brute_force(played, list(fit.systems))
    assert fit.ratings == pytest.approx(1000 + POINTS * strengths, abs=1e-2)
    assert fit.tie == pytest.approx(tie, abs=1e-4)
    assert list(fit.effects.values()) == pytest.approx([POINTS * own for own in effects], abs=1e-2)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0, 2))
def test_expected_scores_are_the_observed_ones(seed: int, systems: int, ties: float) -> None:
    """Otherwise it would not be the maximum: there, each system's score is what the model expects of it."""
    played = random_battles(seed, systems, 60, ties)
    fit = _fit_or_skip(played)
    for name in fit.systems:
        own = [battle for battle in played if name in battle.pair]
        observed = sum(battle.score if battle.first == name else 1 - battle.score for battle in own)
        assert sum(_expected(fit, name, battle) for battle in own) == pytest.approx(observed, abs=1e-6)
    expected_ties = sum(fit.chances(*battle.pair)[1] for battle in played)
    assert expected_ties == pytest.approx(sum(battle.outcome == "tie" for battle in played), abs=1e-6)


def _fit_or_skip(played: list[Battle]) -> Fit:
    try:
        return bradley_terry(played)
    except NoRatingsError:
        assume(False)
        raise


def _expected(fit: Fit, name: str, battle: Battle) -> float:
    win, tie, _ = fit.chances(name, battle.second if battle.first == name else battle.first)
    return win + tie / 2


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_who_is_named_first_changes_nothing_without_controls(seed: int) -> None:
    """Otherwise the order of names in a file would move ratings."""
    played = random_battles(seed, 4, 60, 0.5)
    fit = _fit_or_skip(played)
    swapped = [a_battle(own.second, own.first, SWAPPED[own.outcome]) for own in played[::-1]]
    assert bradley_terry(swapped).ratings == pytest.approx(fit.ratings, abs=1e-6)


@pytest.mark.parametrize(
    ("played", "told"),
    [
        ("AB1 AB0 CD1 CD0", r"never met, so .*: A, B; C, D"),
        ("AB1 AB1 BC1 BC0", r"never beaten nor held to a tie .*: A$"),
        ("AB1 BA1 CD1 DC1 AC1 AD1 BC1", r"never beaten nor held to a tie .*: A, B$"),
        # Wins in one order and ties between neighbours: the tie parameter grows with the ratings.
        ("AB1 AB=", "grow together without end"),
        ("AB= BC=", "every battle is a tie"),
    ],
)
def test_battles_that_determine_no_ratings_say_so(played: str, told: str) -> None:
    """Otherwise an optimiser's last step would be printed as a rating."""
    with pytest.raises(NoRatingsError, match=told):
        bradley_terry(some_battles(played))
    with_prior = bradley_terry(some_battles(played), prior=100.0)
    assert np.isfinite(with_prior.ratings).all() and np.abs(with_prior.ratings - 1000).max() < 400


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(combinations("ABCD", 2))), st.sampled_from("10")), min_size=1))
def test_without_ties_ratings_are_finite_just_where_wins_go_round(
    drawn: list[tuple[tuple[str, str], str]],
) -> None:
    """Otherwise separation would be missed, or good battles refused: Ford's condition, searched out."""
    played = some_battles(" ".join(f"{one}{two}{result}" for (one, two), result in drawn))
    beats = {(own.first, own.second) if own.outcome == "first" else (own.second, own.first) for own in played}
    names = sorted({name for pair in beats for name in pair})
    reach = set(beats)
    for _ in names:
        reach |= {(one, four) for one, two in reach for three, four in reach if two == three}
    round_about = all((one, two) in reach for one in names for two in names if one != two)
    if round_about:
        assert np.isfinite(bradley_terry(played).ratings).all()
    else:
        with pytest.raises(NoRatingsError):
            bradley_terry(played)


def test_a_long_finite_chain_is_not_refused() -> None:
    """Otherwise true, very unequal systems would be said to be infinitely far apart."""
    played = [own for one, two in ("AB", "BC", "CD", "DE") for own in repeated(one, two, 2_000, 0, 1)]
    fit = bradley_terry(played)
    assert fit.rating("A") - fit.rating("E") == pytest.approx(4 * 400 * math.log10(2_000), abs=1e-3)


def test_a_control_that_never_varies_by_itself_is_refused() -> None:
    """Otherwise a position effect would be made up where every battle is merged from both orders."""
    played = [a_battle("A", "B", own, orders=2) for own in ("first", "second", "tie")]
    with pytest.raises(NoRatingsError, match="cannot be told apart"):
        bradley_terry(played, controls=("position",))


def test_controls_need_what_they_measure() -> None:
    """Otherwise a silent reply would be infinitely short, or an unknown length 0."""
    silent = a_battle("A", "B", seconds={"first": 0, "second": 4})
    known = a_battle("B", "A", seconds={"first": 3, "second": 4})
    assert controlled([silent, a_battle("A", "B"), known], ("seconds",)) == [known]
    with pytest.raises(SpeechzooError, match="2 of 3 battles lack what seconds needs"):
        bradley_terry([silent, a_battle("A", "B"), known], controls=("seconds",))


def test_covariance_is_the_inverse_information() -> None:
    """Otherwise active pairing would look ahead from wrong errors. Two systems: 1 / (n p (1 - p))."""
    fit = bradley_terry(repeated("A", "B", 30, 0, 10))
    variance = fit.covariance[0, 0] + fit.covariance[1, 1] - 2 * fit.covariance[0, 1]
    assert variance == pytest.approx(POINTS**2 / (40 * 0.75 * 0.25))
