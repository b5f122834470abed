"""One model of judges and people: what it recovers, what it ignores, and when it says that they differ."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.optimize import minimize

from speechzoo_arena.bradley_terry import POINTS, NoRatingsError
from speechzoo_arena.joint import (
    JointLikelihood,
    adds_nothing,
    opinions,
    rate_apart,
    rate_jointly,
    same_strengths,
)
from speechzoo_arena.records import Battle, Kind

from .conftest import a_battle

OUTCOMES = ("first", "tie", "second")
TRUE = (150.0, 0.0, -150.0)


def verdicts(
    seed: int,
    rater: str,
    true: Sequence[float],
    dialogues: int,
    *,
    place: float = 0.0,
    tie: float = 0.4,
    pairs: int = 3,
    orders: int = 2,
    kind: Kind = "model",
) -> list[Battle]:
    """Of each dialogue so many pairs in so many orders; a dialogue favours systems of its own a little."""
    draw = np.random.default_rng(seed)
    liked = np.random.default_rng(99).normal(0, 60, (dialogues, len(true)))
    every = [(one, two) for one in range(len(true)) for two in range(one)]
    found = []
    for dialogue in range(dialogues):
        for pair in draw.permutation(len(every))[:pairs]:
            one, two = every[pair] if draw.random() < 0.5 else every[pair][::-1]
            for first, second in ((one, two), (two, one))[:orders]:
                better = true[first] + liked[dialogue, first] - true[second] - liked[dialogue, second]
                odds = (better + place) / POINTS
                worth = np.array([math.exp(odds / 2), tie, math.exp(-odds / 2)])
                outcome = OUTCOMES[draw.choice(3, p=worth / worth.sum())]
                names = f"s{first}", f"s{second}"
                found.append(a_battle(*names, outcome, f"d{dialogue}", judge=rater, kind=kind))
    return found


def people(seed: int, dialogues: int = 40, true: Sequence[float] = TRUE) -> list[Battle]:
    return verdicts(seed, "anna", true, dialogues, pairs=1, orders=1, kind="human", place=40, tie=0.2)


def test_it_is_what_brute_force_finds() -> None:
    """Otherwise the formula that is printed would not be the one behind the ratings."""
    raters = {"judge": verdicts(1, "judge", TRUE, 12, place=120, tie=0.8), "people": people(2, 30)}
    found = JointLikelihood(raters).fit()

    def loss(own: np.ndarray) -> float:
        strengths = {"s0": 0.0, "s1": own[0], "s2": own[1]}
        total = 0.0
        for number, battles in enumerate(raters.values()):
            place, tie = own[2 + 2 * number : 4 + 2 * number]
            weights = opinions(battles)
            for battle, weight in zip(battles, weights / weights.sum(), strict=True):
                odds = strengths[battle.first] - strengths[battle.second] + place
                worth = {"first": math.exp(odds / 2), "tie": math.exp(tie), "second": math.exp(-odds / 2)}
                total -= weight / 2 * math.log(worth[battle.outcome] / sum(worth.values()))
        return total

    options = {"xatol": 1e-9, "fatol": 1e-13, "maxiter": 20_000, "maxfev": 20_000, "adaptive": True}
    best = minimize(loss, np.zeros(6), method="Nelder-Mead", options=options).x
    strengths = np.array([0.0, *best[:2]])
    assert found.ratings == pytest.approx(1000 + POINTS * (strengths - strengths.mean()), abs=1e-2)
    assert list(found.place.values()) == pytest.approx([POINTS * best[2], POINTS * best[4]], abs=1e-2)
    assert list(found.tie.values()) == pytest.approx([math.exp(best[3]), math.exp(best[5])], abs=1e-4)
    assert sum(found.information.values()) == pytest.approx(1)


def test_known_strengths_are_found_where_all_agree() -> None:
    """Otherwise putting votes together would bend them."""
    raters = {"judge": verdicts(3, "judge", TRUE, 300, place=200, tie=1.0), "people": people(4, 300)}
    found = rate_jointly(raters, seed=0, resamples=100)
    for name, true in zip(("s0", "s1", "s2"), TRUE, strict=True):
        own = found.ratings.rating(name)
        assert own.low <= 1000 + true <= own.high and abs(own.value - 1000 - true) < 30
    assert found.fit.place["judge"] == pytest.approx(200, abs=40)
    assert found.fit.place["people"] == pytest.approx(40, abs=50)
    assert found.fit.tie["judge"] > 3 * found.fit.tie["people"]


@pytest.mark.parametrize("always", [True, False])
def test_a_judge_of_places_leaves_peoples_ratings_as_they_are(always: bool) -> None:
    """Otherwise who names whoever comes first would pull all systems together."""
    voters = people(5, 60)
    alone = JointLikelihood({"people": voters}).fit()
    judge = verdicts(6, "judge", (0, 0, 0), 60, place=20_000 if always else 800, tie=0.0)
    found = rate_jointly({"judge": judge, "people": voters}, seed=0, resamples=20)
    near = 1e-4 if always else 0.1 * float(np.ptp(alone.ratings))
    assert found.fit.ratings == pytest.approx(alone.ratings, abs=near)
    assert bool(adds_nothing(judge)) == always
    assert ("judge" in found.fit.place) != always
    if always:
        assert adds_nothing(judge) == "all its 360 verdicts with a winner name who was heard first"
        with pytest.raises(NoRatingsError, match="only one of the two"):
            same_strengths({"judge": judge, "people": voters}, seed=0)
    else:
        assert found.fit.information["judge"] < 0.1


def test_a_judge_of_ties_alone_adds_nothing() -> None:
    """Otherwise a judge without an opinion would be read as one that finds all systems alike."""
    judge = verdicts(6, "judge", TRUE, 60, tie=1e9)
    voters = people(5, 60)
    assert adds_nothing(judge) == "all its 360 verdicts are ties"
    found = JointLikelihood({"judge": judge, "people": voters}).fit()
    assert found.ratings == pytest.approx(JointLikelihood({"people": voters}).fit().ratings)
    with pytest.raises(NoRatingsError, match="no rater's verdicts tell"):
        JointLikelihood({"judge": judge}).fit()


def test_a_judge_that_sees_the_opposite_is_exposed() -> None:
    """Otherwise a rating would be printed on which nobody agrees."""
    raters = {"judge": verdicts(7, "judge", TRUE[::-1], 40), "people": people(8, 40)}
    assert same_strengths(raters, seed=0) < 0.05
    apart = rate_apart(raters, seed=0, resamples=200)
    assert apart.differences["s0"].low > 0 > apart.differences["s2"].high
    assert apart.differences["s0"].value == pytest.approx(300, abs=200)


def test_raters_that_agree_are_said_to_differ_no_more_often_than_it_says() -> None:
    """Otherwise a p of 0.05 would mean something else. The judge's orders depend on each other."""
    alarms = sum(
        same_strengths(
            {"judge": verdicts(seed, "judge", TRUE, 30, place=200), "people": people(1_000 + seed, 30)},
            seed=0,
        )
        < 0.05
        for seed in range(200)
    )
    # 95 % of the binomial distribution of 200 at 0.05, rounded outwards.
    assert 4 <= alarms <= 17


def test_few_votes_of_people_do_not_vanish_among_many_verdicts() -> None:
    """Otherwise the joint rating would be the judge's, with people for decoration."""
    judge, voters = verdicts(9, "judge", (-150, 0, 150), 500), people(10, 40)
    assert len(judge) == 3_000 and len(voters) == 40
    together = JointLikelihood({"judge": judge, "people": voters}).fit()
    own, other = (JointLikelihood({"one": battles}).fit() for battles in (voters, judge))
    share = (together.ratings - other.ratings)[0] / (own.ratings - other.ratings)[0]
    assert 0.35 < share < 0.65
    assert 0.35 < together.information["people"] < 0.65


def test_saying_the_same_thing_again_makes_no_second_opinion() -> None:
    """Otherwise a pair that ten people heard would count ten times as much as one that one heard."""
    voters = people(11, 40)
    judge = verdicts(12, "judge", TRUE, 40)
    once = JointLikelihood({"judge": judge, "people": voters}).fit()
    copied = [*voters, *voters[:10], *voters[:10]]
    again = JointLikelihood({"judge": judge, "people": copied}).fit()
    assert again.ratings == pytest.approx(once.ratings, abs=1e-4)


def test_people_have_half_the_weight_however_many_judges_there_are() -> None:
    """Otherwise a second judge would outvote people."""
    judge, voters = verdicts(9, "judge", (-150, 0, 150), 60), people(10, 60)
    one = JointLikelihood({"judge": judge, "people": voters}).fit()
    two = JointLikelihood({"judge": judge, "twin": judge, "people": voters}).fit()
    assert two.ratings == pytest.approx(one.ratings, abs=1e-4)
    assert two.information["people"] == pytest.approx(one.information["people"], abs=1e-6)


def test_strengths_that_grow_without_end_are_refused() -> None:
    """Otherwise an optimiser's last step would be printed as a rating."""
    won = [a_battle("A", "B", "first", "d0"), a_battle("B", "A", "second", "d0")]
    voters = [own.model_copy(update={"judge": "anna", "kind": "human"}) for own in won]
    with pytest.raises(NoRatingsError, match="rated infinitely high above the others: A"):
        JointLikelihood({"judge": won, "people": voters}).fit()
