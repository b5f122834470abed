"""Replies that systems gave elsewhere become runs, and everything that does not is told."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from speechzoo import DialogueAnswer, Failure, ReplyAnswer, SpeechzooError
from speechzoo.run.results import read_results

from speechzoo_mtalk_bench.replies import read_replies
from speechzoo_mtalk_bench.task import MTalkBench

Make = Callable[..., Any]
Speechzoo = Callable[..., subprocess.CompletedProcess[str]]

SEMANTIC, PARALINGUISTIC, AMBIENT = "Semantic information", "Paralinguistic information", "Ambient sound"


def turn(question: str, **replies: str) -> dict[str, Any]:
    return {
        "question": question,
        "dialogue": replies,
        "question_transcription": "...",
        "dialogue_transcription": {system: f"{system} says so." for system in replies},
    }


@pytest.fixture
def file(tmp_path: Path, tone: Make) -> Path:
    """Two systems; one fell silent in a turn, one reply is damaged, and there are things to be skipped."""
    root = tmp_path / "systems"
    for number, name in enumerate(("a1", "a2", "a3", "b1", "c1")):
        (root / name[0]).mkdir(parents=True, exist_ok=True)
        (root / name[0] / f"{name}.wav").write_bytes(tone(0.4 + 0.1 * number, number))
    (root / "b" / "b2.wav").write_bytes(tone(1.0, 9)[:5_000])
    content = {
        SEMANTIC: [
            [
                turn("data/scene1/record_1-2/1-2-turn1_sem.wav", A="a/a1.wav", B="./b/b1.wav"),
                turn("data/scene1/record_1-2/1-2-turn2_sem.wav", A="", B="b/b2.wav"),
                turn("data/scene1/record_1-2/1-2-turn3_sem.wav", A="a/a2.wav"),
                turn("data/scene1/record_1-2/1-2-turn4_sem.wav", A="a/a3.wav"),
            ],
            [turn("data/scene9/record_9-9/9-9-turn1_sem.wav", A="a/a1.wav")],
            [turn("data/nothing.wav", A="a/a1.wav")],
            [turn("data/scene1/record_1-2/1-2-turn1_sem.wav", A="a/a1.wav")],
        ],
        PARALINGUISTIC: [[turn("data/1-1-turn1_para.wav", A="a/a3.wav", C="c/c1.wav")]],
        AMBIENT: [[turn("data/1-1-turn1_para.wav", A="a/a3.wav")], []],
        "Extra": [],
    }
    path = root / "replies.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def speechzoo(tmp_path: Path, cache: Path) -> Speechzoo:
    """Runs ``speechzoo ARGUMENTS`` in a fresh process with an empty cache: nothing was fetched."""
    environment = {**os.environ, "SPEECHZOO_PLUGINS": "mtalk-bench,cascade"}

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "speechzoo", *arguments],
            capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr + done.stdout
        return done

    return run


def test_replies_are_found_by_record_or_file_name(file: Path, folder: Path, setup_of: Make) -> None:
    """Otherwise replies are judged against another dialogue's questions."""
    read = read_replies(file, MTalkBench(setup_of(folder)).items())
    found = {system: {item: sorted(own) for item, own in of.items()} for system, of in read.systems.items()}
    assert found == {
        "A": {"semantic-1-2": [1, 3], "paralinguistic-1-1": [1]},
        "B": {"semantic-1-2": [1, 2]},
        "C": {"paralinguistic-1-1": [1]},
    }
    reply = read.systems["A"]["semantic-1-2"][3]
    assert reply.clip.data == file.parent / "a/a2.wav" and reply.text == "A says so."


def test_every_skip_is_told(file: Path, folder: Path, setup_of: Make) -> None:
    """Otherwise a third of a system's replies are missing and its score looks complete."""
    assert read_replies(file, MTalkBench(setup_of(folder)).items()).skipped == [
        f"{SEMANTIC}, dialogue 1, turn 2: A has no path",
        f"{SEMANTIC}, dialogue 1, turn 4: semantic-1-2 has 3 turns",
        f"{SEMANTIC}, dialogue 2: semantic-9-9 is no item of the task",
        f"{SEMANTIC}, dialogue 3: its question names no such dialogue",
        f"{SEMANTIC}, dialogue 4: semantic-1-2 stands in the file already",
        f"{AMBIENT}, dialogue 1: its question names no such dialogue",
        f"{AMBIENT}, dialogue 2: is no list of turns",
        f"Extra: is none of {SEMANTIC}, {PARALINGUISTIC}, {AMBIENT}",
    ]


@pytest.mark.parametrize("content", ["", "[]", '{"Semantic": []}', '{"Ambient sound": {}}'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    """Otherwise a wrong file is an import of nothing."""
    path = tmp_path / "replies.json"
    path.write_text(content)
    with pytest.raises(SpeechzooError, match=r"replies\.json"):
        read_replies(path, [])


def test_each_system_becomes_a_run(file: Path, folder: Path, tmp_path: Path, speechzoo: Speechzoo) -> None:
    """Otherwise systems that were recorded elsewhere cannot be rated beside one's own."""
    told = speechzoo(
        "mtalk-import", str(file), "--data", str(folder), "--out", "runs", "--set", "transcriber="
    )
    assert told.stdout.count("skipped: ") == 8
    read = read_results(tmp_path / "runs" / "A")
    answers = {key.item: result.answer for key, result in read.results.items()}
    answer = answers["semantic-1-2"]
    assert isinstance(answer, DialogueAnswer)
    first, second, third = answer.replies
    assert isinstance(first, ReplyAnswer) and isinstance(third, ReplyAnswer)
    assert first.text == "A says so." and isinstance(second, Failure) and second.reason == "no_reply"
    assert first.clip is not None and third.clip is not None
    assert first.clip.name.endswith(f"{first.clip.digest}.flac") and first.clip.header.rate == 24_000
    assert third.clip.seconds == pytest.approx(0.5)
    assert isinstance(answers["semantic-1-1"], Failure)
    damaged = read_results(tmp_path / "runs" / "B").results
    (own,) = [one.answer for key, one in damaged.items() if key.item == "semantic-1-2"]
    assert isinstance(own, DialogueAnswer)
    assert [getattr(reply, "reason", "") for reply in own.replies] == ["", "truncated_audio", "no_reply"]
    assert {one.outcome.reason for one in damaged.values()} == {"not_judged", "no_reply"}


def test_a_system_that_is_there_is_kept(
    file: Path, folder: Path, tmp_path: Path, speechzoo: Speechzoo
) -> None:
    """Otherwise a second import overwrites replies that were judged already."""
    arguments = ("mtalk-import", str(file), "--data", str(folder), "--out", "runs")
    speechzoo(*arguments)
    before = (tmp_path / "runs" / "A" / "answers.jsonl").read_bytes()
    (file.parent / "a" / "a1.wav").write_bytes((file.parent / "a" / "a2.wav").read_bytes())
    told = speechzoo(*arguments)
    assert "holds other replies of A" in told.stdout and "replies of C" not in told.stdout
    assert (tmp_path / "runs" / "A" / "answers.jsonl").read_bytes() == before


def test_replies_among_the_data_are_imported_as_well(
    folder: Path, tmp_path: Path, speechzoo: Speechzoo
) -> None:
    """Otherwise replies that come with the data cannot be used."""
    speechzoo("mtalk-import", "--data", str(folder), "--out", "runs")
    results = read_results(tmp_path / "runs" / "Parrot").results
    (answer,) = [one.answer for key, one in results.items() if key.item == "semantic-1-1"]
    assert isinstance(answer, DialogueAnswer)
    (reply,) = answer.replies
    assert isinstance(reply, ReplyAnswer) and reply.text == "My reply."


def test_what_was_exported_is_imported_as_it_was(
    file: Path, folder: Path, tmp_path: Path, speechzoo: Speechzoo
) -> None:
    """Otherwise the benchmark's own code judges other replies than one's own runs hold."""
    speechzoo("mtalk-import", str(file), "--data", str(folder), "--out", "runs")
    data = ("--data", str(folder))
    speechzoo("mtalk-export", "runs/A", "runs/B", *data, "--out", "exported")
    speechzoo("mtalk-import", "exported/replies.json", *data, "--out", "again")
    for system in ("A", "B"):
        before, after = (read_results(tmp_path / where / system).results for where in ("runs", "again"))
        for key, result in before.items():
            assert shape(after[key].answer) == shape(result.answer)
    speechzoo("mtalk-export", "runs/A", *data, "--out", "exported", code=2)


def test_two_runs_of_one_model_are_told_apart(
    file: Path, folder: Path, tmp_path: Path, speechzoo: Speechzoo
) -> None:
    """Otherwise two checkpoints or settings of one model cannot be held against each other."""
    data = ("--data", str(folder))
    speechzoo("mtalk-import", str(file), *data, "--out", "runs")
    shutil.copytree(tmp_path / "runs" / "A", tmp_path / "later")
    shutil.copytree(tmp_path / "runs" / "A", tmp_path / "elsewhere" / "later")
    speechzoo("mtalk-export", "runs/A", "later", "runs/B", *data, "--out", "exported")
    turns = json.loads((tmp_path / "exported" / "replies.json").read_text())[SEMANTIC]
    systems = {system for dialogue in turns for turn in dialogue for system in turn["dialogue"]}
    assert systems == {"A (A)", "A (later)", "B"}
    speechzoo("mtalk-export", "later", "elsewhere/later", *data, "--out", "both")
    assert f"A ({tmp_path / 'later'})" in (tmp_path / "both" / "replies.json").read_text()
    told = speechzoo("mtalk-export", "later", "later", *data, "--out", "none", code=2)
    assert "a run is named twice" in told.stderr


def test_a_judges_cost_has_a_ceiling(file: Path, folder: Path, speechzoo: Speechzoo) -> None:
    """Otherwise an import that judges may cost any sum."""
    arguments = ("mtalk-import", str(file), "--data", str(folder), "--out", "runs", "--max-judge-cost", "1")
    told = speechzoo(*arguments, code=2).stderr.replace("\n", " ")
    assert "--max-judge-cost: no judge is asked for mtalk-bench" in told


def shape(answer: object) -> list[tuple[str | None, float] | None]:
    """Text and seconds of each turn; None of one that failed."""
    if not isinstance(answer, DialogueAnswer):
        return []
    return [
        (reply.text, round(reply.clip.seconds, 3)) if isinstance(reply, ReplyAnswer) and reply.clip else None
        for reply in answer.replies
    ]
