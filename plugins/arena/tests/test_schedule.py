"""Which meetings are played: how many, which first, and what is left of them."""

from itertools import combinations
from typing import Any

import pytest

from speechzoo_arena.arena_file import Options, Pairing
from speechzoo_arena.pairing import Meeting
from speechzoo_arena.schedule import Scores, drawn_again, most_battles, schedule

ENTRIES = {f"d{n}": ["A", "B", "C"] for n in range(6)} | {"d6": ["A", "B"], "d7": ["A"]}


def played(options: Options, ceiling: int, vote: Any, scores: Scores | None = None) -> list[Meeting]:
    """All that is scheduled when whoever is heard first always wins."""
    found = []
    own = scores if scores is not None else Scores([])
    for _, meetings in schedule(ENTRIES, options, own, ceiling):
        for meeting in meetings:
            own.add(vote(meeting.first, meeting.second, "first", meeting.dialogue))
            found.append(meeting)
    return found


def pairs(meetings: list[Meeting]) -> set[tuple[str, frozenset[str]]]:
    return {(own.dialogue, frozenset((own.first, own.second))) for own in meetings}


@pytest.mark.parametrize("pairing", ["plan", "active", "reference"])
def test_everything_is_played_once_in_the_orders_asked_for(pairing: Pairing, vote: Any) -> None:
    """Otherwise battles would be missing, or paid for twice."""
    one, both = (Options(pairing=pairing, orders=orders) for orders in ("one", "both"))
    everything = most_battles(ENTRIES, one)
    assert everything == (7 if pairing == "reference" else 19)
    single, double = played(one, 1000, vote), played(both, 1000, vote)
    assert len(single) == len(set(single)) == len(pairs(single)) == everything
    assert len(double) == len(set(double)) == 2 * everything == 2 * len(pairs(double))
    assert {own.swapped for own in double} == set(double)
    if pairing != "reference":
        wanted = {
            (dialogue, frozenset(pair))
            for dialogue, systems in ENTRIES.items()
            for pair in combinations(systems, 2)
        }
        assert pairs(single) == wanted


@pytest.mark.parametrize("pairing", ["plan", "active", "reference"])
def test_a_stopped_arena_goes_on_where_it_was(pairing: Pairing, vote: Any) -> None:
    """Otherwise what is played would depend on when the machine was switched off."""
    options = Options(pairing=pairing)
    whole = played(options, 6, vote)
    scores = Scores([])
    first = played(options, 3, vote, scores)
    rest = played(options, 6, vote, scores)
    assert first + rest == whole
    assert played(options, 6, vote, scores) == []


def test_a_failure_is_no_verdict_and_is_tried_again(vote: Any) -> None:
    """Otherwise an outage of the judge would cost its battles for good."""
    options = Options()
    scores = Scores([])
    first = played(options, 4, vote, scores)
    lost = first[3]
    failed = vote(lost.first, lost.second, {"reason": "judge_error"}, lost.dialogue)
    again = Scores([*(own for own in scores.votes() if own.key != failed.key), failed])
    assert played(options, 4, vote, again) == [lost]


def test_the_reference_pairs_by_the_ratings_of_the_dialogues_own_group(vote: Any) -> None:
    """Otherwise who is good at one dimension would decide who meets in another, as nowhere published."""
    entries = {"loud": ["A", "B", "C", "D"], "quiet": ["A", "B", "C", "D"]}
    # In the group of "loud" A is far ahead of all, so that its pairs are the three most distant ones.
    votes = [vote("A", other, "first", f"{n}-{other}") for n in range(9) for other in "BCD"]
    groups = {"loud": "noise", "quiet": "calm"} | {own.dialogue: "noise" for own in votes}
    met: dict[str, set[frozenset[str]]] = {"loud": set(), "quiet": set()}
    for seed in range(30):
        options = Options(pairing="reference", orders="one", seed=seed)
        for _, meetings in schedule(entries, options, Scores(votes), 2, groups):
            for own in meetings:
                met[own.dialogue].add(frozenset((own.first, own.second)))
    assert met["loud"] == {frozenset("BC"), frozenset("BD"), frozenset("CD")}
    assert met["quiet"] == {frozenset("AB"), frozenset("AC"), frozenset("AD")}, "all are at 1000 there"


def test_few_battles_are_spread_over_dialogues_and_pairs(vote: Any) -> None:
    """Otherwise a small arena would tell of one dialogue, or of one pair."""
    meetings = played(Options(orders="one"), 7, vote)
    assert len({own.dialogue for own in meetings}) == 7
    counts = [
        sum({own.first, own.second} == set(pair) for own in meetings) for pair in combinations("ABC", 2)
    ]
    assert max(counts) - min(counts) <= 1


def test_repeats_are_drawn_by_lot_and_stay_drawn(vote: Any) -> None:
    """Otherwise raising their number would ask for verdicts that say nothing about the ones there are."""
    scores = Scores([])
    played(Options(), 10, vote, scores)
    few, more = drawn_again(scores, 4, 0), drawn_again(scores, 8, 0)
    assert more[:4] == few and len(set(more)) == 8
    assert drawn_again(scores, 8, 1) != more
    assert drawn_again(Scores([]), 5, 0) == []
