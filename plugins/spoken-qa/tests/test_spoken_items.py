"""Folders of spoken questions: what ``speechzoo synth`` writes is read, what is damaged is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from speechzoo import Condition, ReplyAnswer, SetupError, SpeechzooError

from .conftest import MakeTask, write_items

FRANCE = {"question": "What is the capital of France?", "answers": ["Paris"]}
TREES = {"question": "What grows?", "options": ["stones", "trees"], "correct": 1}


def test_a_synthesised_folder_is_asked(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise speech made of one's own questions could not be measured with, or hides who chose it."""
    rows = [
        {**FRANCE, "spoken": "what is the capital", "channel": "phone", "attributes": {"topic": "maps"}},
        {**FRANCE, "voice": "amy"},
        {"question": "How many is 3?", "answers": ["three"], "spoken": "How many is three?"},
    ]  # fmt: skip
    task = make("spoken-qa", write_items(tmp_path, rows))
    first, second, third = task.items()
    assert first.attributes == {"topic": "maps", "voice": "joe", "channel": "phone", "question_words": "5-9"}
    assert first.data["clip"].transcript == "what is the capital"
    assert first.cluster == second.cluster == FRANCE["question"] and third.cluster is None
    assert task.ask(third, Condition.T2T).dialogue[0].text == "How many is 3?"
    assert [metric.name for metric in task.metrics] == ["normalised", "exist", "reply_wer"]
    assert task.notes == ()
    chosen = make("spoken-qa", write_items(tmp_path / "chosen", rows, chosen_by="The ears chose."))
    assert chosen.notes == ("The ears chose.",)


def test_items_nobody_understood_are_left_out_and_counted(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise a broken synthesis is counted as what the model does not hear."""
    rows = [FRANCE, {**FRANCE, "question": "Again?", "flags": ["clipped", "unintelligible"]}]
    folder = write_items(tmp_path, rows)
    task = make("spoken-qa", folder)
    assert [item.id for item in task.items()] == ["i0"]
    assert task.notes[0].startswith("1 of 2 items are left out")
    kept = make("spoken-qa", folder, flagged="keep")
    assert [item.id for item in kept.items()] == ["i0", "i1"] and kept.notes == ()


def test_options_that_are_not_spoken_stand_after_the_question_in_all_arms(
    tmp_path: Path, make: MakeTask
) -> None:
    """Otherwise one arm would have to guess what the other is told."""
    named = {"question": "What grows? A. stones B. trees", "options": ["stones", "trees"], "correct": 1}
    task = make("spoken-qa", write_items(tmp_path, [TREES, named]))
    unnamed, told = task.items()
    assert task.ask(unnamed, Condition.T2T).dialogue[0].parts == ("What grows?\nA. stones\nB. trees",)
    assert task.ask(unnamed, Condition.S2T).dialogue[0].parts == (
        unnamed.data["clip"],
        "\nA. stones\nB. trees",
    )
    assert task.ask(told, Condition.S2T).dialogue[0].parts == (told.data["clip"],)
    assert unnamed.chance == 0.5


def test_rows_of_several_kinds_share_a_score(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise items whose metrics differ would be averaged as if they were one, or not at all."""
    task = make("spoken-qa", write_items(tmp_path, [FRANCE, TREES]))
    assert task.metrics[0].name == "score"
    grade = task.grade(task.items()[0], Condition.T2T, ReplyAnswer("It is Paris."))
    assert grade.values == {"score": 1.0, "normalised": 1.0, "exist": 1.0}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"question": ""}, "'question' must be a text"),
        ({"answers": "Paris"}, "'answers' must be a list of texts"),
        ({"answers": ["the"]}, "has no word that could be found"),
        ({"options": ["a", "b"], "correct": 0}, "exclude each other"),
        ({"answers": None, "options": ["a", "b"], "correct": 2}, "index of one of 2 options, not 2"),
        ({"answers": None, "options": ["a", "b"], "correct": True}, "not True"),
        ({"answers": None, "options": ["a"], "correct": 0}, "2 to 26 options, not 1"),
        ({"audio": "../a.flac"}, "leaves the data folder"),
        ({"attributes": ["x"]}, "'attributes' must be an object"),
        ({"id": "i0"}, "stands in line 1 already"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, make: MakeTask, row: dict[str, Any], told: str) -> None:
    """Otherwise an item is graded by what somebody mistyped."""
    folder = write_items(tmp_path / "data", [FRANCE, {**FRANCE, **row}])
    with pytest.raises(SpeechzooError) as caught:
        make("spoken-qa", folder)
    assert f"{folder / 'items.jsonl'}:2: " in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ([], "must be an object, not list"),
        ({"files": None}, "'files' must tell the SHA-256 of each file by its name, not None"),
        ({"files": ["items.jsonl"]}, "'files' must tell the SHA-256"),
        ({"files": {"items.jsonl": 7}}, "'files' must tell the SHA-256"),
        ({"files": {}}, "does not tell the SHA-256 of items.jsonl"),
    ],
)
def test_a_damaged_manifest_is_named(tmp_path: Path, make: MakeTask, manifest: Any, told: str) -> None:
    """Otherwise the user sees where the program stopped and not what to mend."""
    file = write_items(tmp_path, [FRANCE]) / "manifest.json"
    whole = {**json.loads(file.read_text()), **manifest} if isinstance(manifest, dict) else manifest
    file.write_text(json.dumps(whole))
    with pytest.raises(SpeechzooError) as caught:
        make("spoken-qa", tmp_path)
    assert str(file) in str(caught.value) and told in str(caught.value)


def test_audio_that_the_manifest_does_not_name_is_refused(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise a recording could be exchanged under a set that says it is whole."""
    file = write_items(tmp_path, [FRANCE]) / "manifest.json"
    manifest = json.loads(file.read_text())
    del manifest["files"]["audio/0.flac"]
    file.write_text(json.dumps(manifest))
    with pytest.raises(SpeechzooError, match=r"items.jsonl:1: the manifest does not tell .* audio/0.flac"):
        make("spoken-qa", tmp_path)


def test_options_are_named_by_whole_words_only(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise "no" and "at" would stand in "know" and "cats", and nobody would be told the options."""
    row = {"question": "What do you know about cats?", "options": ["no", "at"], "correct": 1}
    (item,) = (task := make("spoken-qa", write_items(tmp_path, [row]))).items()
    assert task.ask(item, Condition.T2T).dialogue[0].text.endswith("\nA. no\nB. at")


def test_questions_in_chinese_are_graded(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise every reply to them is wrong: nothing stands between its words."""
    row = {"question": "日本的首都是什么？", "answers": ["东京"], "language": "zh"}
    task = make("spoken-qa", write_items(tmp_path, [row]))
    outcome = task.grade(task.items()[0], Condition.T2T, ReplyAnswer("日本的首都是东京。"))
    assert outcome.values["normalised"] == 1.0  # type: ignore[union-attr]


def test_another_folder_and_a_changed_file_are_refused(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise a half-written set, or one edited by hand, is measured under the name of the whole."""
    with pytest.raises(SpeechzooError, match=r"is .* a folder that speechzoo synth wrote"):
        make("spoken-qa", tmp_path)
    write_items(tmp_path / "future", [FRANCE], version=2)
    with pytest.raises(SpeechzooError, match=r"the format is speechzoo-spoken-items 1, not .* 2"):
        make("spoken-qa", tmp_path / "future")
    folder = write_items(tmp_path / "changed", [FRANCE])
    (folder / "items.jsonl").write_text(json.dumps({**FRANCE, "id": "x"}))
    with pytest.raises(SetupError, match="is not the registered file"):
        make("spoken-qa", folder)
