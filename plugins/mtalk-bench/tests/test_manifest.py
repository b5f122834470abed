"""Data with a manifest are the files that it names, and nothing else."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from speechzoo import Setup, SpeechzooError

from speechzoo_mtalk_bench.task import MTalkBench

Make = Callable[..., Any]


@pytest.fixture
def data(tmp_path: Path, tone: Make) -> Path:
    """Two dialogues as JSON Lines, their audio beside them, and what the capabilities are."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = []
    for number in ("1-1", "1-2"):
        (folder / f"{number}.wav").write_bytes(tone(0.5, int(number[-1])))
        row = {"type": "sem", "number": number, "turn": "turn1", "audio": f"{number}.wav"}
        rows.append({**row, "transcription": "Hello."})
    (folder / "dialogues.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def name_files(folder: Path, *names: str) -> None:
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))


def load(folder: Path) -> MTalkBench:
    return MTalkBench(Setup(name="mtalk-bench", folder=folder))


def test_a_whole_folder_is_read_with_and_without_a_manifest(data: Path) -> None:
    """Otherwise nobody can bring data of their own."""
    assert len(load(data).items()) == 2
    name_files(data, "dialogues.jsonl", "1-1.wav", "1-2.wav")
    assert len(load(data).items()) == 2


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ("[]", "'files' must be an object"),
        ("{}", "'files' must be an object"),
        ('{"files": ["dialogues.jsonl"]}', "'files' must be an object"),
        ('{"files": {"dialogues.jsonl": 7}}', "'files' must be an object"),
        ('{"files": ', "manifest.json cannot be read"),
    ],
)
def test_a_manifest_that_is_none_is_named(data: Path, manifest: str, told: str) -> None:
    """Otherwise a damaged folder ends in a traceback that names neither the file nor what is wrong."""
    (data / "manifest.json").write_text(manifest)
    with pytest.raises(SpeechzooError, match=told) as error:
        load(data)
    assert str(data / "manifest.json") in str(error.value)


def test_a_file_that_was_changed_is_refused(data: Path, tone: Make) -> None:
    """Otherwise two people measure on two sets of one name."""
    name_files(data, "dialogues.jsonl", "1-1.wav", "1-2.wav")
    (data / "1-2.wav").write_bytes(tone(0.5, 9))
    with pytest.raises(SpeechzooError, match=r"1-2\.wav is not the registered file"):
        load(data)


@pytest.mark.parametrize("unnamed", ["1-2.wav", "dialogues.jsonl"])
def test_a_file_that_the_manifest_does_not_name_is_refused(data: Path, unnamed: str) -> None:
    """Otherwise a clip that nobody ever verified is heard under the name of the set."""
    name_files(data, *({"dialogues.jsonl", "1-1.wav", "1-2.wav"} - {unnamed}))
    with pytest.raises(SpeechzooError, match=rf"{unnamed} is not among the files of .*manifest\.json"):
        load(data)
