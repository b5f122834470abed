"""Data files are read strictly: nothing bent, nothing guessed."""

from pathlib import Path

import pytest

from speechzoo.errors import SpeechzooError
from speechzoo.jsonl import Row, read_jsonl, refuse_duplicates


def write(folder: Path, content: bytes) -> Path:
    file = folder / "data.jsonl"
    file.write_bytes(content)
    return file


def test_a_file_saved_on_windows_reads_like_any_other(tmp_path: Path) -> None:
    """Otherwise a user who opened the data in an editor could not use them any more."""
    plain = read_jsonl(write(tmp_path, b'{"a": 1}\n{"a": 2}'))
    windows = read_jsonl(write(tmp_path, b'\xef\xbb\xbf{"a": 1}\r\n{"a": 2}\r\n\r\n'))
    assert plain == windows
    assert [(row.line, row.values) for row in windows] == [(1, {"a": 1}), (2, {"a": 2})]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"a": "\xff"}', "not UTF-8 at byte 8"),
        (b'{"a": NaN}', "NaN is no finite number"),
        (b'{"a": -Infinity}', "-Infinity is no finite number"),
        (b'{"a": 1e999}', "1e999 is no finite number"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b'{"a": {"b": 1, "b": 2}}', "'b' stands twice"),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b"[1, 2]", "must be an object, not list"),
        (b'{"a": 1', "no JSON: Expecting ',' delimiter at column 8"),
        (b"", "no JSON: Expecting value at column 1"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes, told: str) -> None:
    """Otherwise a user would score a bent value, or search a large file for the fault."""
    file = write(tmp_path, b'{"a": 0}\n' + line + b'\n{"a": 3}\n')
    with pytest.raises(SpeechzooError) as caught:
        read_jsonl(file)
    assert f"{file}:2: " in str(caught.value)
    assert told in str(caught.value)


def test_a_missing_or_empty_file_is_named(tmp_path: Path) -> None:
    """Otherwise an interrupted download would look like a data set without items."""
    with pytest.raises(SpeechzooError, match=r"data\.jsonl is empty"):
        read_jsonl(write(tmp_path, b"\n"))
    with pytest.raises(SpeechzooError, match=r"nowhere\.jsonl: No such file"):
        read_jsonl(tmp_path / "nowhere.jsonl")


def test_duplicates_name_both_lines(tmp_path: Path) -> None:
    """Otherwise one of two records would silently overwrite the other's score."""
    rows = read_jsonl(write(tmp_path, b'{"id": 1}\n{"id": "x"}\n{"id": 1}\n'))
    refuse_duplicates(rows[:2], "id")
    with pytest.raises(SpeechzooError, match=r"data\.jsonl:3: id 1 stands in line 1 already"):
        refuse_duplicates(rows, "id")


@pytest.mark.parametrize("lines", [b'{"id": 0}\n{"id": "0"}\n', b'{"id": "0"}\n{"id": 0}\n'])
def test_a_number_and_its_text_are_duplicates(tmp_path: Path, lines: bytes) -> None:
    """Otherwise two records would share one file, one item and one score."""
    with pytest.raises(SpeechzooError, match=r"data\.jsonl:2: id 0 stands in line 1 already"):
        refuse_duplicates(read_jsonl(write(tmp_path, lines)), "id")


@pytest.mark.parametrize("value", [None, "", "  ", 7])
def test_a_text_field_holds_text(tmp_path: Path, value: object) -> None:
    """Otherwise an empty continuation would win every comparison."""
    with pytest.raises(SpeechzooError, match=r"data\.jsonl:4: 'last' must be a text"):
        Row(tmp_path / "data.jsonl", 4, {"last": value}).text("last")


def test_a_path_cannot_leave_the_data_folder(tmp_path: Path) -> None:
    """Otherwise a downloaded data set could have any file of the user's opened and sent to a model."""
    folder = tmp_path / "data"
    (folder / "audio").mkdir(parents=True)
    secret = tmp_path / "secret.wav"
    secret.touch()
    (folder / "audio" / "good.wav").touch()
    for name in ("../secret.wav", "audio/../../secret.wav", str(secret)):
        with pytest.raises(SpeechzooError, match="leaves the data folder"):
            Row(folder / "x.jsonl", 1, {"audio": name}).path("audio", folder)
    good = Row(folder / "x.jsonl", 1, {"audio": "audio/good.wav"}).path("audio", folder)
    assert good == folder / "audio" / "good.wav"


def test_links_are_followed(tmp_path: Path) -> None:
    """Otherwise data kept once, in the hub's own cache, could not be read."""
    kept, folder = tmp_path / "blobs" / "0a1b", tmp_path / "data"
    kept.parent.mkdir()
    kept.write_bytes(b"sound")
    folder.mkdir()
    (folder / "a.wav").symlink_to(kept)
    row = Row(folder / "rows.jsonl", 1, {"audio": "a.wav"})
    assert row.path("audio", folder).read_bytes() == b"sound"
