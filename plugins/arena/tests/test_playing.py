"""Who meets whom, and judges whose leanings are known: what an arena makes of them."""

from collections import Counter
from pathlib import Path

import pytest
from plugins.arena.tests.players import NAMES, arena_of, pooled, report_of, votes_in

from speechzoo_arena.arena_file import Options
from speechzoo_arena.arena_report import arena_report
from speechzoo_arena.elo import elo
from speechzoo_arena.orders import one_order
from speechzoo_arena.records import FILE


def test_a_judge_that_likes_length_is_caught(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise the most talkative system would win, and nobody would learn why."""
    report = report_of(runs, tmp_path / "arena", "longer")
    board = pooled(report, "longer")
    assert board.battles == 24 and board.dialogues == 8
    assert [(row.system, row.wins, row.losses) for row in board.standings] == [
        ("long", 16, 0),
        ("middle", 8, 8),
        ("short", 0, 16),
    ]
    assert "rated infinitely high above the others: long" in board.unrated
    assert any("no ratings" in told and "--prior" in told for told in report.warnings)
    assert report.judges is not None
    (judge,) = report.judges.judges
    assert (judge.both_orders, judge.reversed, judge.half) == (24, 0.0, 0.0)
    assert judge.position is not None and judge.position.share.value == pytest.approx(0.5)
    seconds, words = judge.lengths
    assert seconds.lean is not None and seconds.lean.share.value == 1.0 and seconds.margin.value > 0
    assert words.lean is not None and words.lean.share.value == 1.0
    told = (
        "longer gives the win to the longer replies in 100.0 % of its verdicts with a winner; would people?"
    )
    assert told in report.warnings
    assert {(own.one, own.two, own.results["longer"]) for own in report.meetings} == {
        ("long", "middle", "first"),
        ("long", "short", "first"),
        ("middle", "short", "first"),
    }
    with_prior = pooled(arena_report(tmp_path / "arena", prior=200.0), "longer")
    ratings = [row.rating.value for row in with_prior.standings if row.rating]
    assert len(ratings) == 3 and ratings == sorted(ratings, reverse=True)


def test_a_judge_that_names_whoever_is_first_is_caught(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise a judge that hears nothing would seem to find all systems equally good."""
    report = report_of(runs, tmp_path / "arena", "always-first")
    board = pooled(report, "always-first")
    assert all((row.wins, row.ties, row.losses) == (0, 16, 0) for row in board.standings)
    assert board.unrated == "every battle is a tie"
    assert report.judges is not None
    (judge,) = report.judges.judges
    assert judge.reversed == 1.0 and judge.position is not None and judge.position.share.value == 1.0
    told = " ".join(report.warnings)
    assert "leans to who is heard first: 100.0 %" in told
    assert "longer replies" not in told and "--prior" not in told, "a prior makes nothing of ties alone"
    assert "contradicts itself when the order is turned round, in 100.0 % of 24" in told
    assert all(own.disagree and own.results == {"always-first": "tie"} for own in report.meetings)


def test_one_order_is_drawn(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise a system would always be heard first, and a judge's leaning would pass for its merit."""
    folder = arena_of(runs, tmp_path / "arena", "always-first", options=Options(orders="one"))
    votes = votes_in(folder)
    assert len(votes) == 24 and len({(vote.dialogue, vote.pair) for vote in votes}) == 24
    first = Counter(vote.first for vote in votes)
    assert all(3 <= first[name] <= 13 for name in NAMES)
    board = pooled(arena_report(folder), "always-first")
    assert [(row.wins + row.losses, row.ties) for row in board.standings] == [(16, 0)] * 3


def test_self_consistency_is_measured_on_verdicts_drawn_by_lot(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise a judge that tosses a coin would look like one that knows."""
    folder = arena_of(runs, tmp_path / "arena", "moody", repeats=10)
    again = [vote for vote in votes_in(folder) if vote.repeat]
    assert len(again) == 10 and {vote.repeat for vote in again} == {1}
    arena_of(runs, folder, "moody", repeats=14)
    assert sum(vote.repeat for vote in votes_in(folder)) == 14
    report = arena_report(folder)
    assert report.judges is not None
    (judge,) = report.judges.judges
    assert judge.repeated == 14 and judge.consistency is not None and judge.consistency.value < 1
    # Repeats are no battles of their own.
    assert pooled(report, "moody").battles == 24


def test_battles_are_spread_over_dialogues(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise a small arena would be about one dialogue, and its intervals about nothing."""
    folder = arena_of(runs, tmp_path / "arena", "longer", battles=8)
    votes = votes_in(folder)
    assert len({vote.dialogue for vote in votes}) == 8
    assert max(Counter(vote.pair for vote in votes).values()) <= 2 * 3


def test_the_reference_pairs_by_elo_one_battle_a_dialogue(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise nobody could hold an own arena beside the published one."""
    options = Options(pairing="reference", orders="one", ties=False)
    folder = arena_of(runs, tmp_path / "arena", "always-first", options=options)
    votes = votes_in(folder)
    assert len(votes) == 8 == len({vote.dialogue for vote in votes})
    assert {vote.verdict for vote in votes} == {"first"}
    board = pooled(arena_report(folder), "always-first")
    # By hand: an arena a dimension, from 1000, K = 4; overall is their mean.
    arenas = {group: dict.fromkeys(NAMES, 1000.0) for group in ("semantic", "ambient")}
    for own in votes:
        arena = arenas[own.group]
        gain = 4 * (1 - 1 / (1 + 10 ** ((arena[own.second] - arena[own.first]) / 400)))
        arena[own.first] += gain
        arena[own.second] -= gain
    expected = {name: (arenas["semantic"][name] + arenas["ambient"][name]) / 2 for name in NAMES}
    assert expected != pytest.approx(elo(one_order(votes)), abs=0.01)
    assert {row.system: row.elo for row in board.standings} == pytest.approx(expected)
    assert sum(expected.values()) == pytest.approx(3000)
    same = arena_of(runs, tmp_path / "same", "always-first", options=options)
    assert [vote.key for vote in votes_in(same)] == [vote.key for vote in votes]
    other = options.model_copy(update={"seed": 1})
    different = arena_of(runs, tmp_path / "other", "always-first", options=other)
    assert [vote.key for vote in votes_in(different)] != [vote.key for vote in votes]


def test_active_pairing_stops_at_the_ceiling_and_goes_on_from_there(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise a stopped arena would pay for the same battles again, or go beyond its budget."""
    options = Options(pairing="active")
    folder = arena_of(runs, tmp_path / "arena", "moody", options=options, battles=5)
    assert len(votes_in(folder)) == 10
    # Killed between the two orders of a battle: that battle comes first.
    lines = (folder / FILE).read_bytes().splitlines(keepends=True)
    (folder / FILE).write_bytes(b"".join(lines[:-1]))
    arena_of(runs, folder, "moody", options=options, battles=6)
    votes = votes_in(folder)
    assert len(votes) == 12 and len({vote.key for vote in votes}) == 12
    assert votes[9].pair == votes[8].pair and votes[9].dialogue == votes[8].dialogue
    assert all(count == 2 for count in Counter((vote.dialogue, vote.pair) for vote in votes).values())
