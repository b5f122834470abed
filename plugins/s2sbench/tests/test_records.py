"""Data faults are found before a model is asked, and named."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from speechzoo import SpeechzooError

from speechzoo_s2sbench.records import Stories, read_choices, read_stories

CHOICE = {"uttid": 0, "first": "Stem", "A": "a.", "B": "b.", "C": "c.", "D": "d.", "answer": "B"}


def story(uttid: int | str, first: str = "Context.", last: str | None = None) -> dict[str, Any]:
    return {"uttid": uttid, "first": first, "last": last or f"Ending {uttid}."}


def write(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    file = folder / "data.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def test_pairs_are_found_in_any_order(tmp_path: Path) -> None:
    """Otherwise a shuffled file would compare endings of different stories."""
    rows = [story("3_x", "Two."), story(1, "One."), story(2, "Two."), story("0_y", "One.")]
    pairs = read_stories(write(tmp_path, rows)).pairs
    found = [(p.plausible.key, p.implausible.key, p.plausible.first) for p in pairs]
    assert found == [(0, 1, "One."), (2, 3, "Two.")]


def test_all_pairs_at_fault_are_named_by_their_keys(tmp_path: Path) -> None:
    """Otherwise one missing record would shift every later pair, as in the reference code."""
    rows = [
        *(story(key) for key in (0, 1, 2, 5, 6)),
        story(7, "Other."),
        *(story(key) for key in (10, 11, "11_again")),
    ]
    with pytest.raises(SpeechzooError) as caught:
        read_stories(write(tmp_path, rows))
    *faults, way_out = str(caught.value).splitlines()[1:]
    assert "--set pairing=sorted_adjacent" in way_out and "--set pairing=parity" in way_out
    assert faults == [
        "  2: has no partner",
        "  5: has no partner",
        "  6, 7: the contexts differ",
        "  10, 11, 11: a key stands twice",
    ]


def test_pairs_that_begin_with_an_odd_key_are_refused(tmp_path: Path) -> None:
    """Otherwise the implausible endings could be taken for the plausible ones."""
    with pytest.raises(SpeechzooError, match="1: has no partner"):
        read_stories(write(tmp_path, [story(1, "One."), story(2, "One.")]))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"answer": "E"}, "'answer' is 'E', which is none of A, B, C, D"),
        ({"answer": "AB"}, "'answer' is 'AB'"),
        ({"C": " "}, "'C' must be a text with something in it"),
        ({"first": None}, "'first' must be a text with something in it"),
    ],
)
def test_a_bad_question_is_named(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    """Otherwise an item with a wrong key would be graded, always against the model."""
    file = write(tmp_path, [CHOICE, {**CHOICE, "uttid": 1, **changed}])
    with pytest.raises(SpeechzooError) as caught:
        read_choices(file)
    assert f"{file}:2: {told}" in str(caught.value)


def test_duplicate_ids_name_both_lines(tmp_path: Path) -> None:
    """Otherwise the last of two records would win, as in the reference code."""
    for read, row in ((read_stories, story(0)), (read_choices, CHOICE)):
        with pytest.raises(SpeechzooError, match=r":2: uttid 0 stands in line 1 already"):
            read(write(tmp_path, [row, row]))


@pytest.mark.parametrize("uttid", [None, True, 1.5, "x_1"])
def test_an_id_without_a_number_is_named(tmp_path: Path, uttid: Any) -> None:
    """Otherwise such a record could not be paired, and the failure would not say which it is."""
    with pytest.raises(SpeechzooError, match=r":1: 'uttid'"):
        read_stories(write(tmp_path, [story(uttid)]))


def test_an_empty_continuation_is_named(tmp_path: Path) -> None:
    """Otherwise a continuation without tokens would have to be given a likelihood."""
    with pytest.raises(SpeechzooError, match=r":2: 'last' must be a text"):
        read_stories(write(tmp_path, [story(0), {**story(1), "last": ""}]))


def test_a_file_saved_on_windows_is_accepted(tmp_path: Path) -> None:
    """Otherwise data that went through an editor could not be used."""
    file = write(tmp_path, [story(0), story(1)])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert len(read_stories(file).pairs) == 1


def keys(stories: Stories) -> list[tuple[int, int]]:
    return [(pair.plausible.key, pair.implausible.key) for pair in stories.pairs]


def test_sorted_adjacent_pairs_neighbours_whatever_their_keys(tmp_path: Path) -> None:
    """Otherwise the reference's pairs could not be had where its rule and the check disagree."""
    file = write(tmp_path, [story(key) for key in (9, 1, 2, 5, 3)])
    found = read_stories(file, "sorted_adjacent")
    assert keys(found) == [(1, 2), (3, 5)]
    assert ([s.key for s in found.left_over], found.records) == ([9], 5)


def test_parity_pairs_an_even_key_with_the_next(tmp_path: Path) -> None:
    """Otherwise one missing record would turn right and wrong endings round in all later pairs."""
    file = write(tmp_path, [story(key) for key in (1, 2, 3, 5, 4, 6, "6_b", 8, 9, "9_b")])
    found = read_stories(file, "parity")
    assert keys(found) == [(2, 3), (4, 5)]
    assert [s.uttid for s in found.left_over] == ["1", "6", "6_b", "8", "9", "9_b"]


def test_a_long_list_of_faults_is_cut(tmp_path: Path) -> None:
    """Otherwise a file of the plausible endings alone would fill the screen and hide the way out."""
    with pytest.raises(SpeechzooError, match="and 81 more"):
        read_stories(write(tmp_path, [story(key) for key in range(0, 202, 2)]))


@pytest.mark.parametrize("uttid", ["1_../../../etc/passwd", "1_a/b", "1_a\\b", "1_\0"])
def test_an_id_that_leaves_the_audio_folder_is_refused(tmp_path: Path, uttid: str) -> None:
    """Otherwise a data set could have any WAV file of the user's sent to a model."""
    for read, row in ((read_stories, story(uttid)), (read_choices, {**CHOICE, "uttid": uttid})):
        with pytest.raises(SpeechzooError, match=r":1: 'uttid' .* cannot be the name of a file"):
            read(write(tmp_path, [row]))
