"""What a judge is given of finished runs, and what is no battle."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from plugins.arena.tests.players import NAMES, arena_of, report_of, run_of, votes_in
from speechzoo import Failure, SpeechzooError
from speechzoo.audio import silence

from speechzoo_arena.entries import KeptTranscriber
from speechzoo_arena.records import Failed


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
