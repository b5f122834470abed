"""The published layout: which rows become which dialogue, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from speechzoo import Condition, ItemError, SpeechzooError

from speechzoo_mtalk_bench.dialogues import make_dialogues
from speechzoo_mtalk_bench.rows import cues_of, read_rows, words_of
from speechzoo_mtalk_bench.task import MTalkBench

Row = dict[str, Any]
Make = Callable[..., Any]


def test_a_number_that_every_type_has_is_three_dialogues(folder: Path, setup_of: Make) -> None:
    """Otherwise turns of three users are mixed to one conversation that nobody ever had."""
    items = {item.id: item for item in MTalkBench(setup_of(folder)).items()}
    assert list(items) == [
        "semantic-1-1",
        "semantic-1-2",
        "semantic-1-10",
        "paralinguistic-1-1",
        "ambient-1-1",
    ]
    said = [clip.transcript for clip in items["semantic-1-1"].data["turns"]]
    assert said == ["Hello."]


def test_turns_are_in_the_order_of_their_numbers(folder: Path, setup_of: Make) -> None:
    """Otherwise the user answers before the model was asked."""
    (item,) = [item for item in MTalkBench(setup_of(folder)).items() if item.id == "semantic-1-2"]
    said = [clip.transcript for clip in item.data["turns"]]
    assert said == ["The first question.", "The second question.", "And the third?"]
    assert item.attributes == {"subset": "semantic", "scenario": "1", "turns": 3}


def test_prompts_are_those_of_the_first_turn_that_has_them(folder: Path, setup_of: Make) -> None:
    """Otherwise a dialogue whose first row is empty is never judged."""
    (item,) = [item for item in MTalkBench(setup_of(folder)).items() if item.id == "semantic-1-2"]
    assert item.data["arena_prompt"] == "Which is better in sem?"
    assert item.data["rubric_prompt_specific"] == "criteria_d_1: the reply names 1-2."


def test_a_text_arm_reads_the_words_and_not_the_cues(folder: Path, setup_of: Make) -> None:
    """Otherwise a model that reads is told what a model that listens has to hear for itself."""
    task = MTalkBench(setup_of(folder, None), subset="paralinguistic")
    (item,) = task.items()
    assert task.ask(item, Condition.T2T).turns[0].text == "Hello there."
    assert item.data["cues"] == [["whispering"]]
    assert item.data["transcriptions"] == ["[whispering] Hello there."]


def test_a_turn_of_sounds_alone_is_heard_and_cannot_be_read(folder: Path, setup_of: Make) -> None:
    """Otherwise a model is asked nothing at all, and its reply is judged."""
    task = MTalkBench(setup_of(folder), subset="ambient")
    (item,) = task.items()
    assert len(task.ask(item, Condition.S2S).turns) == 2
    with pytest.raises(ItemError, match="no_words"):
        task.ask(item, Condition.T2S)


@pytest.mark.parametrize(
    ("transcription", "words", "cues"),
    [
        ("No cues.", "No cues.", []),
        ("[a] One (b, c) two [d].", "One two .", ["a", "b, c", "d"]),
        ("【风声】 Hello （雷声）", "Hello", ["风声", "雷声"]),
        ("An [open bracket", "An [open bracket", []),
    ],
)
def test_cues_and_words_are_told_apart(transcription: str, words: str, cues: list[str]) -> None:
    """Otherwise cues are spoken, or words are lost."""
    assert words_of(transcription) == words
    assert cues_of(transcription) == cues


def test_audio_is_unpacked_once_and_by_its_content(
    folder: Path, cache: Path, setup_of: Make, row: Make
) -> None:
    """Otherwise each start writes 250 MB anew, or new data are answered with old recordings."""
    first = [clip.data for item in MTalkBench(setup_of(folder)).items() for clip in item.data["turns"]]
    times = {path: path.stat().st_mtime_ns for path in first}
    again = [clip.data for item in MTalkBench(setup_of(folder)).items() for clip in item.data["turns"]]
    assert again == first and times == {path: path.stat().st_mtime_ns for path in first}
    assert all(cache in path.parents for path in first)
    assert first[0].read_bytes() == row("sem", "1-1", 1, "")["audio"]["bytes"]


def test_audio_beside_the_table_is_found_by_its_path(
    tmp_path: Path, cache: Path, row: Make, write_parquet: Make
) -> None:
    """Otherwise data whose audio was not packed into the table cannot be used."""
    rows = [row("sem", "1-1", 1, "Hello.", audio={"bytes": None, "path": "audio/1.wav"})]
    folder = write_parquet(tmp_path / "data-set", rows)
    (read,) = read_rows(folder, {"sem"})
    assert read.clip.data == folder / "audio/1.wav"


def test_a_broken_recording_is_the_fault_of_its_dialogue_alone(
    tmp_path: Path, cache: Path, row: Make, tone: Make, write_parquet: Make
) -> None:
    """Otherwise one bad row of 568 stops everything, or nobody learns which it is."""
    rows = [
        row("sem", "1-1", 1, "Cut.", audio={"bytes": tone(1.0, 3)[:20_000], "path": "x.wav"}),
        row("sem", "1-2", 1, "Whole."),
    ]
    cut, whole = read_rows(write_parquet(tmp_path / "d", rows), {"sem"})
    assert whole.clip.seconds == pytest.approx(0.5)
    with pytest.raises(ItemError, match=r"truncated_audio.*sem-1-1-turn1"):
        _ = cut.clip.seconds


def test_replies_among_the_rows_are_no_turns_of_the_user(folder: Path, setup_of: Make) -> None:
    """Otherwise a model is asked another model's answer."""
    task = MTalkBench(setup_of(folder))
    assert task.replies["Parrot"]["semantic-1-1"][1].text == "My reply."
    assert any("1 replies of Parrot" in note for note in task.notes)


def test_a_row_that_repeats_a_turn_is_refused_by_name(
    tmp_path: Path, cache: Path, row: Make, write_parquet: Make, published_rows: list[Row]
) -> None:
    """Otherwise one of two recordings of a turn is dropped without a word."""
    rows = [*published_rows, row("sem", "1-1", 1, "Hello again.")]
    with pytest.raises(SpeechzooError, match=r"row 10: turn 1 of sem 1-1 .* row 8 already"):
        make_dialogues(read_rows(write_parquet(tmp_path / "d", rows), {"sem"}), None)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"type": "semantic"}, "row 1: type is one of sem, para, amb"),
        ({"number": "1"}, "row 1: number is scenario-record"),
        ({"turn": "2"}, "row 1: turn is turn1, turn2"),
        ({"audio": {"bytes": None, "path": "../x.wav"}}, "row 1: 'audio' leaves the data folder"),
        ({"audio": None}, "row 1: 'audio' has neither bytes nor a path"),
    ],
)
def test_a_malformed_row_is_named(
    tmp_path: Path, cache: Path, fault: dict[str, object], told: str, row: Make, write_parquet: Make
) -> None:
    """Otherwise nobody finds the row to be mended."""
    folder = write_parquet(tmp_path / "d", [{**row("sem", "1-1", 1, "Hello."), **fault}])
    with pytest.raises(SpeechzooError, match=told):
        list(read_rows(folder, {"sem", "para", "amb"}))


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    """Otherwise a mistyped folder is an empty benchmark."""
    with pytest.raises(SpeechzooError, match="holds no MTalk-Bench"):
        list(read_rows(tmp_path, {"sem"}))


def test_notes_count_what_is_there_and_what_is_not(
    tmp_path: Path, cache: Path, row: Make, write_parquet: Make
) -> None:
    """Otherwise nobody sees that a third of the data were lost on the way."""
    rows = [
        row("sem", "1-1", 1, "One."),
        row("sem", "1-1", 3, "Three."),
        row("sem", "2-1", 1, "Two.", rubric_prompt_general=" "),
        row("sem", "3-1", 1, "A reply to nothing.", source="Parrot"),
    ]
    found = make_dialogues(read_rows(write_parquet(tmp_path / "d", rows), {"sem"}), None)
    assert found.notes == (
        "semantic: 2 dialogues (1 of 1 turns, 1 of 2 turns).",
        "dialogues that lack a turn of the user, or all of them: 2 (semantic-1-1, semantic-3-1).",
        "dialogues without rubric_prompt_general: 1 (semantic-2-1).",
        "the data hold 1 replies of Parrot: speechzoo mtalk-import makes a run of them.",
        "replies to turns that are not there: 1.",
    )


def test_capabilities_are_an_attribute(folder: Path, tmp_path: Path, setup_of: Make) -> None:
    """Otherwise results cannot be broken down by what a dialogue tests."""
    file = tmp_path / "capabilities.jsonl"
    file.write_text(json.dumps({"type": "sem", "number": "1-1", "capability": "Memory"}) + "\n")
    task = MTalkBench(setup_of(folder), subset="semantic", capabilities=str(file))
    assert [item.attributes["capability"] for item in task.items()] == ["Memory", "unknown", "unknown"]
    assert "dialogues of unknown capability: 2 (semantic-1-10, semantic-1-2)." in task.notes
