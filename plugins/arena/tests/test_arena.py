"""Playing an arena: real runs, judges whose bias is known, and what the report makes of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from plugins.arena.tests.players import arena_of, report_of, run_of, votes_in
from speechzoo import Failure, SpeechzooError
from speechzoo.audio import silence
from speechzoo.catalogue import open_catalogue
from speechzoo.errors import StoreError
from speechzoo.loading import fetch
from speechzoo.run.judge import ASKS_A_CALL
from speechzoo.run.records import JudgementRecord
from speechzoo.run.store import AppendFile, read_lines

from speechzoo_arena.arena_file import Options, locked, read_arena
from speechzoo_arena.arena_findings import Board
from speechzoo_arena.arena_report import arena_report
from speechzoo_arena.elo import elo
from speechzoo_arena.entries import KeptTranscriber
from speechzoo_arena.orders import one_order
from speechzoo_arena.records import FILE, Failed

NAMES = ("short", "middle", "long")


@pytest.fixture(scope="module")
def runs(players: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three finished runs: two words, four and eight in the first turn."""
    folder = tmp_path_factory.mktemp("runs")
    return [run_of(name, folder / name) for name in NAMES]


def pooled(report: Any, rater: str) -> Board:
    return next(own for own in report.boards if own.rater == rater and not own.group)


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


def test_what_is_on_disk_is_not_asked_again_after_a_kill(
    players: dict[str, str], runs: list[Path], tmp_path: Path
) -> None:
    """Otherwise a crash would cost a user all the money that the judge had taken so far."""
    log, folder = tmp_path / "log", tmp_path / "arena"
    command = [
        sys.executable, "-m", "speechzoo", "arena", *map(str, runs), "--judge", "longer",
        "--out", str(folder), "--set", f"judge.log={log}", "--set", "judge.delay=0.05",
    ]  # fmt: skip
    first = subprocess.Popen(command, env=players, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 100
    while not (folder / FILE).exists() or (folder / FILE).stat().st_size == 0:
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    first.kill()
    first.wait()
    kept = len(list(read_lines(folder / "judgements.jsonl", JudgementRecord)))
    assert 0 < kept < 48
    with (folder / FILE).open("ab") as file:
        file.write(b'{"dialogue":"cut by the ki')
    done = subprocess.run(command, env=players, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert len(votes_in(folder)) == 48 and len({vote.key for vote in votes_in(folder)}) == 48
    asked = Counter(log.read_text().split())
    assert len(asked) == 48
    # Only what the judge was about to answer when it was killed can be asked twice.
    assert sum(asked.values()) - 48 <= ASKS_A_CALL and max(asked.values()) <= 2
    before = log.read_text()
    again = subprocess.run(command, env=players, capture_output=True, text=True, timeout=200, check=False)
    assert again.returncode == 0 and log.read_text() == before


def test_ctrl_c_leaves_an_arena_that_can_be_taken_up_again(
    players: dict[str, str], runs: list[Path], tmp_path: Path
) -> None:
    """Otherwise a script could not tell a stopped arena from a finished one."""
    folder = tmp_path / "arena"
    command = [
        sys.executable, "-m", "speechzoo", "arena", *map(str, runs), "--judge", "longer",
        "--out", str(folder), "--set", "judge.delay=0.3",
    ]  # fmt: skip
    running = subprocess.Popen(
        command, env=players, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 100
    while not (folder / "judgements.jsonl").exists():
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 143 and "the same command takes the arena up again" in told
    assert any("of 24 battles were played" in warning for warning in arena_report(folder).warnings)


def test_other_options_are_refused_with_what_differs(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise verdicts of two protocols would be mixed in one table."""
    folder = arena_of(runs, tmp_path / "arena", "longer", battles=3)
    assert len(votes_in(folder)) == 6
    with pytest.raises(StoreError, match=r"options.ties: True there, False now"):
        arena_of(runs, folder, "longer", options=Options(ties=False))
    with pytest.raises(StoreError, match=r"judge.adapter: longer there, moody now"):
        arena_of(runs, folder, "moody")
    with pytest.raises(StoreError, match=r"systems.short"):
        arena_of(runs[1:], folder, "longer")
    # A higher ceiling is no other arena: what was judged stays.
    arena_of(runs, folder, "longer", battles=10)
    assert len(votes_in(folder)) == 20


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


def test_judges_that_fail_are_counted_and_asked_again(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise an outage would pass for ties, or its battles would be lost for good."""
    folder = arena_of(runs, tmp_path / "arena", "longer", settings=["judge.fault=unreachable"])
    failed = [vote for vote in votes_in(folder) if vote.verdict is None]
    assert 0 < len(failed) < 48
    assert {vote.outcome.reason for vote in failed if isinstance(vote.outcome, Failed)} == {"judge_error"}
    arena_of(runs, folder, "longer", settings=["judge.fault=unreachable"])
    assert len(votes_in(folder)) == 48, "the same failure is written down once"
    report = arena_report(folder)
    assert report.judges is not None and report.judges.judges[0].failed == {"judge_error": len(failed)}
    assert any(f"{len(failed)} of 48 votes have no verdict" in told for told in report.warnings)
    assert sum(bool(vote.failure) for own in report.meetings for vote in own.votes) == len(failed)
    (cost,) = report.costs
    assert cost.input_tokens == 100 * (48 - len(failed)) and cost.cost is None


def test_what_is_no_valid_form_is_asked_for_again_once_a_call(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise one slip of the judge would leave a battle without a result for good."""
    log = tmp_path / "log"
    settings = ["judge.fault=no-form", f"judge.log={log}"]
    folder = arena_of(runs, tmp_path / "arena", "longer", settings=settings)
    failed = sum(vote.verdict is None for vote in votes_in(folder))
    assert 0 < failed < 48 and set(Counter(log.read_text().split()).values()) == {1}
    arena_of(runs, folder, "longer", settings=settings)
    assert Counter(Counter(log.read_text().split()).values()) == {1: 48 - failed, 2: failed}
    assert len(votes_in(folder)) == 48


def test_a_ceiling_of_cost_holds_and_can_be_raised(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise an arena could cost a user more than they allowed."""
    settings = ["judge.price=0.1"]
    folder = arena_of(runs, tmp_path / "arena", "longer", settings=settings, max_cost=1.5)
    assert len(votes_in(folder)) == 15
    assert all(vote.verdict is not None for vote in votes_in(folder))
    report = arena_report(folder)
    assert report.costs[0].cost == pytest.approx(1.5)
    assert report.arena.planned and (report.played, report.arena.planned.battles) == (7, 24)
    assert any("7 of 24 battles were played" in told for told in report.warnings)
    arena_of(runs, folder, "longer", settings=settings, max_cost=100.0)
    assert len(votes_in(folder)) == 48
    whole = arena_report(folder)
    assert whole.costs[0].cost == pytest.approx(4.8) and whole.played == 24
    assert not any("were played" in told for told in whole.warnings)


def test_an_arena_that_is_not_played_out_exits_with_1(
    players: dict[str, str], runs: list[Path], tmp_path: Path
) -> None:
    """Otherwise a script would take a third of an arena for all of it."""
    command = [
        sys.executable, "-m", "speechzoo", "arena", *map(str, runs), "--judge", "longer",
        "--out", str(tmp_path / "arena"), "--set", "judge.price=0.1", "--max-judge-cost",
    ]  # fmt: skip

    def play(cost: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, cost], env=players, capture_output=True, text=True, timeout=200, check=False
        )

    stopped = play("0.5")
    assert stopped.returncode == 1 and "of 24 battles were played" in stopped.stdout, stopped.stderr
    assert play("100").returncode == 0


def test_votes_on_other_replies_are_left_out(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise verdicts on what a system of the same name said elsewhere would count for this one."""
    one = [run_of(name, tmp_path / "text" / name, conditions=("s2t",)) for name in NAMES]
    two = [run_of(name, tmp_path / "texts" / name, conditions=("s2t",), says="other") for name in NAMES]
    folder = arena_of(one, tmp_path / "arena", "longer")
    stranger = arena_of(two, tmp_path / "stranger", "always-first")
    same = arena_of(one, tmp_path / "same", "moody")
    report = arena_report(folder, [stranger, same])
    assert {board.rater for board in report.boards} == {"longer", "moody"}
    (left_out,) = [note for note in report.notes if "rest on other replies" in note]
    assert left_out.startswith(f"48 votes in {stranger} ")


def test_a_battle_of_which_one_order_failed_has_no_winner_anywhere(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise the list would name a winner, and agreement count one, that no rating knows of."""
    folder = arena_of(runs, tmp_path / "arena", "longer", settings=["judge.fault=unreachable"])
    people = arena_of(runs, tmp_path / "other", "moody")
    report = arena_report(folder, [people])
    name = "longer (fault=unreachable)"
    half = [
        own
        for own in report.meetings
        if {bool(vote.failure) for vote in own.votes if vote.rater == name} == {True, False}
    ]
    assert half and all(name not in own.results and "moody" in own.results for own in half)
    decided = sum(name in own.results for own in report.meetings)
    assert decided == pooled(report, name).battles < 24
    assert report.judges is not None
    (agreed,) = [row for row in report.judges.agreements if not row.group]
    assert agreed.battles == decided


def test_runs_graded_by_different_judges_are_not_compared_by_grade(
    players: dict[str, str], runs: list[Path], tmp_path: Path
) -> None:
    """Otherwise a lenient judge's run would seem better than a strict one's."""
    own = [
        run_of("short", tmp_path / "a", of_task={"judge": "longer"}),
        run_of("long", tmp_path / "b", of_task={"judge": "moody"}),
    ]
    report = report_of(own, tmp_path / "arena", "longer")
    assert any("judge: longer" in note and "for short, moody" in note for note in report.notes)
    assert any("graded by different judges" in note for note in report.notes)
    assert not report.rubrics and not report.trends
    own[1] = run_of("long", tmp_path / "c", of_task={"judge": "longer"})
    alike = report_of(own, tmp_path / "alike", "longer")
    assert alike.rubrics and alike.trends and not any("different parts" in note for note in alike.notes)


def test_damaged_clips_make_no_verdicts(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise a judge would decide on half a dialogue, as if that were all the system had said."""
    own = [shutil.copytree(run, tmp_path / run.name) for run in runs]
    lost = sorted((own[2] / "audio").glob("*.flac"), key=lambda path: path.stat().st_size)[-1]
    lost.unlink()
    report = report_of(own, tmp_path / "arena", "longer")
    failed = [vote for meeting in report.meetings for vote in meeting.votes if vote.failure]
    assert failed and all("long" in (vote.first, vote.second) for vote in failed)
    assert all("invalid_material: long: missing_file" in vote.failure for vote in failed)
    assert all(lost.name in vote.failure for vote in failed)
    unusable = {row.system: 0 for row in report.coverage}
    for row in report.coverage:
        unusable[row.system] += row.unusable
    assert unusable["short"] == unusable["middle"] == 0 < unusable["long"]


def test_a_user_that_cannot_be_heard_is_no_battle_for_ears(players: dict[str, str], tmp_path: Path) -> None:
    """Otherwise a judge that hears would judge replies to it knows not what."""
    for dialogue in range(8):
        for turn in (0, 1):
            samples = 0.2 * np.sin(np.arange(8000) / (5.0 + dialogue + 10 * turn))
            soundfile.write(tmp_path / f"{dialogue}-{turn}.flac", samples, 16_000)
    about = {"folder": str(tmp_path)}
    own = [run_of(name, tmp_path / name, of_task=about) for name in NAMES[:2]]
    damaged = tmp_path / "3-1.flac"
    damaged.write_bytes(damaged.read_bytes()[:2000])
    report = report_of(own, tmp_path / "arena", "always-first", settings=["judge.hears=true"])
    failed = {meeting.dialogue for meeting in report.meetings for vote in meeting.votes if vote.failure}
    assert failed == {"chat-3"}
    assert "3-1.flac" in next(v.failure for m in report.meetings for v in m.votes if v.failure)
    assert not any("transcripts alone" in told for told in report.warnings)


def test_what_is_too_long_to_hear_is_not_asked(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise a judge would hear the first half, or its call would fail for a reason nobody knows."""
    settings = ["judge.hears=true", "judge.longest_seconds=36.5"]
    folder = arena_of(runs, tmp_path / "arena", "always-first", settings=settings)
    reasons = Counter(vote.outcome.reason for vote in votes_in(folder) if isinstance(vote.outcome, Failed))
    assert 0 < reasons["too_long_for_judge"] == sum(reasons.values()) < 48
    assert not (folder / "heard.jsonl").exists(), "nobody has to transcribe for a judge that hears"


def test_who_does_not_answer_is_in_the_coverage(
    players: dict[str, str], runs: list[Path], tmp_path: Path
) -> None:
    """Otherwise a system could win by answering only what it can."""
    shy = run_of("middle", tmp_path / "shy", silent="question 5")
    report = report_of([runs[0], runs[1], shy], tmp_path / "arena", "longer")
    names = [system.name for system in report.arena.systems]
    assert names == ["short", "middle (middle)", "middle (shy)"]
    rows = {(row.system, row.group): row for row in report.coverage}
    assert rows["middle (shy)", "ambient"].absent == {"refused": 1}
    assert rows["middle (shy)", "ambient"].answered == 3
    assert rows["short", "ambient"].answered == 4
    assert not [m for m in report.meetings if m.dialogue == "chat-5" and "middle (shy)" in (m.one, m.two)]


def test_a_turn_without_a_reply_is_judged_and_counted(
    players: dict[str, str], runs: list[Path], tmp_path: Path
) -> None:
    """Otherwise a system that falls silent in the middle would lose nothing by it."""
    shy = run_of("long", tmp_path / "shy", silent="question 5 of turn 2")
    report = report_of([runs[0], shy], tmp_path / "arena", "longer")
    rows = {(row.system, row.group): row for row in report.coverage}
    assert rows["long", "ambient"].silent_turns == 1 and rows["long", "ambient"].answered == 4
    reply = report.dialogues["chat-5"].replies["long"][1]
    assert reply.text is None and reply.clip is None


def test_a_reading_judge_of_sounds_is_flagged(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise verdicts on what a transcript does not hold would look like any others."""
    report = report_of(runs, tmp_path / "arena", "longer", battles=3)
    assert any("its verdicts on ambient dialogues are from transcripts alone" in t for t in report.warnings)


def test_replies_are_judged_by_what_is_heard(
    players: dict[str, str], runs: list[Path], tmp_path: Path
) -> None:
    """Otherwise a system would be judged by the text it meant, not by the speech that came out."""
    liar = run_of("short", tmp_path / "liar", says="many-many-many-many-many-words")
    report = report_of([liar, runs[1]], tmp_path / "arena", "longer", condition="s2s")
    assert {own.results["longer"] for own in report.meetings} == {"first"}, "the middle one, by ear"
    text = report_of([liar, runs[1]], tmp_path / "text", "longer", condition="s2t")
    assert {own.results["longer"] for own in text.meetings} == {"second"}, "the short one, by its text"
    heard = (tmp_path / "arena" / "heard.jsonl").read_text()
    assert "many" not in heard and heard.count("\n") == 4


def test_plain_replies_meet_too(players: dict[str, str], tmp_path: Path) -> None:
    """Otherwise only dialogue tasks could be judged in pairs."""
    own = [run_of(name, tmp_path / name, task="questions", conditions=("s2s", "t2t")) for name in NAMES[:2]]
    with pytest.raises(SpeechzooError, match="name a --transcriber"):
        arena_of(own, tmp_path / "arena", "longer")
    report = report_of(own, tmp_path / "arena", "longer", transcriber="counting-ears")
    assert report.arena.condition == "s2s" and len(report.meetings) == 4
    assert {turn.text for turn in report.dialogues["q2"].turns} == {"question 2"}
    as_text = report_of(own, tmp_path / "text", "longer", condition="t2t")
    assert {m.results["longer"] for m in as_text.meetings} == {"first"}


def test_runs_that_do_not_belong_together_are_refused(
    players: dict[str, str], runs: list[Path], tmp_path: Path
) -> None:
    """Otherwise systems would be ranked by how easy their data were."""
    other = run_of("short", tmp_path / "other", task="questions", conditions=("s2s", "t2t"))
    with pytest.raises(SpeechzooError, match="not runs of the same task and data; they differ in name"):
        arena_of([runs[0], other], tmp_path / "arena", "longer")
    text = run_of("long", tmp_path / "text", conditions=("t2t",))
    with pytest.raises(SpeechzooError, match=r"no condition in common.*has t2t"):
        arena_of([runs[0], text], tmp_path / "arena", "longer")
    with pytest.raises(SpeechzooError, match="a run is named twice"):
        arena_of([runs[0], runs[0]], tmp_path / "arena", "longer")
    with pytest.raises(SpeechzooError, match="at least two"):
        arena_of(runs[:1], tmp_path / "arena", "longer")
    with pytest.raises(SpeechzooError, match="is a transcriber, it has to be a judge"):
        arena_of(runs, tmp_path / "arena", "counting-ears")
    with pytest.raises(SpeechzooError, match=r"say whose it is, judge\.delay"):
        arena_of(runs, tmp_path / "arena", "longer", settings=["delay=1"])
    spoken = run_of("long", tmp_path / "spoken", of_task={"history": "speech"})
    report = report_of([runs[0], spoken], tmp_path / "arena", "longer", battles=1)
    assert any("history: text for short, speech for long" in note for note in report.notes)


def test_people_stand_beside_models_and_are_never_mixed(runs: list[Path], tmp_path: Path, vote: Any) -> None:
    """Otherwise a rating would be half a model's and half a person's, and nobody could tell."""
    folder = arena_of(runs, tmp_path / "arena", "longer")
    people = tmp_path / "people"
    people.mkdir()
    more = {"kind": "human", "cluster": "chat-0", "group": "semantic", "created": datetime.now(UTC)}
    own = [
        vote("short", "long", "first", f"chat-{n}", judge=who, **{**more, "cluster": f"chat-{n}"})
        for n in (0, 2, 4)
        for who in ("ada", "bob")
    ]
    stranger = vote("short", "elsewhere", "first", "chat-0", judge="ada", **more)
    file = AppendFile(people / FILE)
    file.append([*own, stranger])
    file.close()
    report = arena_report(folder, [people])
    model, human = pooled(report, "longer"), pooled(report, "people")
    assert model == pooled(arena_report(folder), "longer")
    assert (human.kind, human.battles) == ("human", 6)
    assert any("1 votes in" in note and "other systems" in note for note in report.notes)
    assert report.judges is not None and report.judges.judges[1].people == 2
    (agreed,) = [row for row in report.judges.agreements if not row.group]
    assert agreed.battles == 3 and agreed.rate.value == 0.0
    meeting = next(
        m for m in report.meetings if m.dialogue == "chat-2" and m.two == "short" and m.one == "long"
    )
    assert meeting.results == {"longer": "first", "people": "second"} and meeting.disagree
    with pytest.raises(SpeechzooError, match="holds no votes"):
        arena_report(folder, [tmp_path])


def test_grades_and_turns_of_the_runs_are_shown(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise nobody would see whether the arena and the rubrics agree, or where dialogues go wrong."""
    folder = arena_of(runs, tmp_path / "arena", "longer")
    report = arena_report(folder)
    (rubric,) = report.rubrics
    assert (rubric.metric, rubric.graded_by, rubric.battles) == ("satisfied", "", 24)
    assert rubric.rate.value == 1.0, "the fixed grade and the judge both like length"
    turns = {(own.quantity, own.system): own for own in report.trends}
    assert {quantity for quantity, _ in turns} == {"seconds", "words_per_second", "content_density"}
    seconds = turns["seconds", "middle"]
    assert [own and round(own.value, 6) for own in seconds.turns] == [0.8, 1.0]
    assert seconds.dialogues == (8, 8)


def test_the_report_alone_needs_neither_judge_nor_task_nor_runs(
    runs: list[Path], tmp_path: Path, speechzoo: Any
) -> None:
    """Otherwise an arena of last year could not be looked at any more."""
    own = [shutil.copytree(run, tmp_path / "runs" / run.name) for run in runs]
    folder = arena_of(own, tmp_path / "runs" / "arena", "longer", battles=6)
    moved = tmp_path / "moved"
    shutil.move(tmp_path / "runs", moved)
    report = arena_report(moved / "arena")
    assert report.rubrics and read_arena(moved / "arena").fingerprint == report.arena.fingerprint
    shutil.rmtree(moved / "long")
    done = speechzoo("arena", str(moved / "arena"))
    assert "report:" in done.stdout and max(map(len, done.stdout.splitlines()[:-1])) <= 80
    figures = json.loads((moved / "arena" / "figures.json").read_text())
    assert any("run of long cannot be read" in note for note in figures["notes"])
    assert "without a judge" in speechzoo("arena", str(moved / "arena"), "--judge", "x", code=2).stderr
    ignored = speechzoo("arena", str(moved / "arena"), "--repeats", "9", "--no-ties", code=2).stderr
    assert "--repeats" in ignored and "--no-ties" in ignored and "Name the runs" in ignored
    assert folder.name == "arena"


def test_two_cannot_play_in_one_folder(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise two processes would pay for the same verdicts and write over each other."""
    with locked(tmp_path / "arena"), pytest.raises(StoreError, match="in use"):
        arena_of(runs, tmp_path / "arena", "longer")


def test_what_could_not_be_heard_is_heard_by_a_later_call(tmp_path: Path) -> None:
    """Otherwise one moment without memory would put a system's reply out of the arena for good."""
    clips = [silence(0.2), silence(0.4)]

    class Ears:
        deaf = True
        asked = 0

        def transcribe(self, clips: list[Any]) -> list[Any]:
            self.asked += len(clips)
            if self.deaf and any(clip.seconds > 0.3 for clip in clips):
                raise MemoryError
            return ["word"] * len(clips)

        def close(self) -> None:
            pass

    ears = Ears()
    first = KeptTranscriber(tmp_path, lambda: ears).transcribe(clips)
    assert first[0] == "word" and isinstance(first[1], Failure) and first[1].reason == "out_of_memory"
    ears.deaf, ears.asked = False, 0
    assert KeptTranscriber(tmp_path, lambda: ears).transcribe(clips) == ["word", "word"]
    assert ears.asked == 1


@pytest.mark.slow
@pytest.mark.stack
def test_the_embedded_stack_plays_end_to_end(tmp_path: Path) -> None:
    """Otherwise the README's arena would not run on a machine without a network."""
    fetch(open_catalogue().model("cascade"), print)
    environment = {key: value for key, value in os.environ.items() if key != "SPEECHZOO_PLUGINS"}

    def speechzoo(*arguments: str) -> str:
        command = [sys.executable, "-m", "speechzoo", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=3000, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    common = ["--model", "cascade", "--task", "mtalk-mini", "--conditions", "s2s", "--limit", "2"]
    common += ["--set", "max_tokens=24", "--max-errors", "100%", "--time-limit", "3000"]
    speechzoo("eval", *common, "--out", "plain")
    speechzoo("eval", *common, "--set", "llm.temperature=0.9", "--set", "voice.speed=1.3", "--out", "warm")
    told = speechzoo("arena", "plain", "warm", "--judge", "local-judge", "--out", "arena")
    assert "cascade (plain)" in told and "cascade (warm)" in told
    votes = votes_in(tmp_path / "arena")
    assert len(votes) == 4 and all(vote.verdict is not None for vote in votes)
    assert all(vote.seconds and vote.words for vote in votes)
    report = arena_report(tmp_path / "arena")
    assert any("cascade (plain) (smollm2-135m)" in told for told in report.warnings)
    assert all(len(own.turns) > 1 for own in report.dialogues.values())
