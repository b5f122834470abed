"""What the report on an arena makes of votes, grades and runs."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from plugins.arena.tests.players import NAMES, arena_of, pooled, report_of, run_of
from speechzoo import SpeechzooError
from speechzoo.run.store import AppendFile

from speechzoo_arena.arena_file import read_arena
from speechzoo_arena.arena_report import arena_report
from speechzoo_arena.records import FILE


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
    assert "graded by different judges" in report.uncompared
    assert not report.rubrics and not report.trends
    own[1] = run_of("long", tmp_path / "c", of_task={"judge": "longer"})
    alike = report_of(own, tmp_path / "alike", "longer")
    assert alike.rubrics and alike.trends and not any("different parts" in note for note in alike.notes)


def test_people_stand_beside_models_and_are_mixed_on_no_board_of_theirs(
    runs: list[Path], tmp_path: Path, vote: Any
) -> None:
    """Otherwise a rating would be half a model's and half a person's, and nobody could tell.

    A board of a judge or of people, agreement and battles rest on nobody else's votes. The one rating of both
    is on a board that says so, and never the headline where one of them adds nothing.
    """
    folder = arena_of(runs, tmp_path / "arena", "longer")
    people = tmp_path / "people"
    people.mkdir()
    more = {"kind": "human", "cluster": "chat-0", "group": "semantic", "created": datetime.now(UTC)}
    own = [
        vote(
            "short",
            "long",
            "first",
            f"chat-{n}",
            judge=who,
            seconds={"first": 2.0, "second": 4.0},
            **{**more, "cluster": f"chat-{n}"},
        )
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
    assert {board.rater for board in report.boards} == {"longer", "people"}
    assert report.joint is not None and not report.joint.trusted
    assert (
        "people adds nothing: all its 6 verdicts with a winner name who was heard first." in report.joint.told
    )
    assert "together" not in report.headline
    assert any("longer replies in 100.0 %" in own and "people do in 0.0 %." in own for own in report.warnings)
    assert arena_report(folder).joint is None
    assert any("1 votes in" in note and "other systems" in note for note in report.notes)
    assert "6 of 6 votes of people do not say that all was heard to its end." in report.warnings
    assert report.judges is not None and report.judges.judges[1].people == 2
    (agreed,) = [row for row in report.judges.agreements if not row.group]
    assert agreed.battles == 3 and agreed.rate.value == 0.0
    meeting = next(
        m for m in report.meetings if m.dialogue == "chat-2" and m.two == "short" and m.one == "long"
    )
    assert meeting.results == {"longer": "first", "people": "second"} and meeting.disagree
    with pytest.raises(SpeechzooError, match="holds no votes"):
        arena_report(folder, [tmp_path])


def test_where_a_judge_rates_nobody_the_headline_is_of_who_does(
    runs: list[Path], tmp_path: Path, vote: Any
) -> None:
    """Otherwise a page full of people's ratings would begin with there being none."""
    folder = arena_of(runs, tmp_path / "arena", "always-first")
    assert arena_report(folder).headline == "No finite ratings from always-first, 24 battles"
    dialogues = [f"chat-{n}" for n in range(8)]
    heard = {
        "kind": "human",
        "judge": "ada",
        "heard": {"first": 1, "second": 1},
        "created": datetime.now(UTC),
    }
    pairs = [("short", "long"), ("long", "middle"), ("middle", "short"), ("long", "short")]
    own = [
        vote(*pairs[n % 4], "first", dialogue, **{**heard, "cluster": dialogue, "group": "semantic"})
        for n, dialogue in enumerate(dialogues)
    ]
    file = AppendFile(folder / FILE)
    file.append(own)
    file.close()
    report = arena_report(folder)
    assert "by people, 8 battles" in report.headline
    assert not any("heard to its end" in told for told in report.warnings)
    (words,) = [row for row in report.controls if (row.rater, row.control) == ("people", "words")]
    assert words.unrated == "it is known of none of these battles" and words.left_out == 8


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
