"""`speechzoo validate` and what is behind it: everything that is wrong with a task's data, at once."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from speechzoo import AudioClip, Condition, Grade, Item, ItemError, Metric, ScoreAsk, TaskSpec, raw
from speechzoo.catalogue import open_catalogue
from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.loading import Component
from speechzoo.registry import DataEntry
from speechzoo.run.progress import Silent
from speechzoo.run.validate import Finding, Validation, examine, validate
from speechzoo.setup import Setup

Speechzoo = Callable[..., subprocess.CompletedProcess[str]]
Rows = list[dict[str, Any]]


def wav(path: Path, pitch: float, *, seconds: float = 0.5, rate: int = 16_000, loud: float = 0.3) -> None:
    samples = loud * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)
    soundfile.write(path, samples.astype(np.float32), rate)


def row(number: int, **changed: object) -> dict[str, Any]:
    usual = {"id": f"i{number}", "text": f"text {number}", "audio": f"{number}.wav", "ends": [" a", " b"]}
    return {**usual, **changed}


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Six good rows; their recordings lie beside."""
    for number in range(6):
        wav(tmp_path / f"{number}.wav", 200 + 10 * number)
    return [row(number) for number in range(6)]


@pytest.fixture
def found(instrument: dict[str, str], tmp_path: Path) -> Callable[..., Validation]:
    def look(rows: Rows, *, decode: bool = False) -> Validation:
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
        component = open_catalogue().task("recordings", {"folder": str(tmp_path)})
        return validate(component, decode=decode, progress=Silent())

    return look


Found = Callable[..., Validation]


def kinds(findings: tuple[Finding, ...]) -> Counter[str]:
    return Counter(finding.kind for finding in findings)


def test_good_data_are_clean(found: Found, rows: Rows) -> None:
    """Otherwise: every data set has problems, and nobody looks at them any more."""
    told = found(rows, decode=True)
    assert told.problems == () and kinds(told.remarks) == {"note": 1}
    assert told.items == 6 and told.conditions == (Condition.T2T, Condition.S2T)
    assert told.clips is not None and told.clips.count == 6
    assert (told.clips.rates, told.clips.channels) == ({16_000: 6}, {1: 6})
    assert (told.clips.shortest, told.clips.median, told.clips.total) == (0.5, 0.5, 3.0)


def test_every_broken_recording_is_named_with_its_item(found: Found, rows: Rows, tmp_path: Path) -> None:
    """Otherwise: one repairs a file, starts again, and meets the next one."""
    (tmp_path / "0.wav").unlink()
    (tmp_path / "1.wav").write_text("<html>not found</html>")
    (tmp_path / "2.wav").write_bytes((tmp_path / "2.wav").read_bytes()[:-200])
    wav(tmp_path / "3.wav", 200, seconds=0.05)
    wav(tmp_path / "4.wav", 200, seconds=601, rate=4_000)
    told = found(rows)
    by_item = {finding.items: (finding.kind, finding.detail) for finding in told.problems}
    assert {items: kind for items, (kind, _) in by_item.items()} == {
        ("i0",): "missing_file",
        ("i1",): "not_audio",
        ("i2",): "truncated_audio",
        ("i3",): "too_short",
        ("i4",): "too_long",
    }
    assert all(str(tmp_path / f"{n}.wav") in by_item[f"i{n}",][1] for n in range(5))
    assert told.clips is not None and told.clips.count == 1


def test_both_recordings_of_a_pair_are_looked_at(found: Found, rows: Rows, tmp_path: Path) -> None:
    """Otherwise: the second broken file of an item shows only when the first is repaired."""
    told = found([row(0, audio=["gone.wav", "away.wav"])])
    assert kinds(told.problems) == {"missing_file": 2}


def test_damage_that_a_header_hides_is_found_by_decoding(found: Found, rows: Rows, tmp_path: Path) -> None:
    """Otherwise: a clip that is cut or silent is scored as if it had been heard."""
    wav(tmp_path / "whole.flac", 200)
    content = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])
    wav(tmp_path / "1.wav", 200, loud=0.0005)
    rows[0]["audio"] = "cut.flac"
    assert found(rows).problems == ()
    told = found(rows, decode=True)
    assert [(p.kind, p.items) for p in told.problems] == [("truncated_audio", ("i0",))]
    assert [r.items for r in told.remarks if r.kind == "silence"] == [("i1",)]


def test_one_recording_of_two_texts_is_a_problem_and_of_one_text_a_remark(
    found: Found, rows: Rows, tmp_path: Path
) -> None:
    """Otherwise: recordings that were mixed up when they were named are scored against the wrong text."""
    (tmp_path / "1.wav").write_bytes((tmp_path / "0.wav").read_bytes())
    rows[1]["ends"] = [" e", " f"]
    rows[3] |= {"audio": "2.wav", "text": rows[2]["text"], "ends": [" c", " d"]}
    told = found(rows)
    (problem,) = told.problems
    assert problem.kind == "one_audio_two_texts" and problem.items == ("i0", "i1")
    assert "0.wav" in problem.detail and "1.wav" in problem.detail and "'text 1'" in problem.detail
    assert [r.items for r in told.remarks if r.kind == "shared_audio"] == [("i2", "i3")]


def test_pairs_are_counted_by_how_they_were_recorded(found: Found, rows: Rows, tmp_path: Path) -> None:
    """Otherwise: nobody knows whether a difference of two scores comes from two recordings."""
    wav(tmp_path / "other.wav", 900)
    rows[0]["audio"] = ["0.wav", "other.wav"]
    rows[1]["audio"] = ["1.wav", "1.wav"]
    told = {r.kind: r for r in found(rows).remarks}
    assert told["own_recordings"].items == ("i0",) and told["one_recording"].items == ("i1",)
    assert told["own_recordings"].conditions == (Condition.S2T,)


def test_texts_that_cannot_be_compared_are_problems(found: Found, rows: Rows) -> None:
    """Otherwise: an item is decided by a tie, or counts twice, and no figure says so."""
    rows[0]["ends"] = [" a", " a"]
    rows[1]["ends"] = [" a", "  "]
    rows[2]["text"] = " "
    rows[4] |= {"text": rows[3]["text"], "audio": rows[3]["audio"]}
    told = found(rows)
    assert {(p.kind, p.items, p.conditions) for p in told.problems} == {
        ("equal_continuations", ("i0",), (Condition.T2T, Condition.S2T)),
        ("empty_text", ("i1",), (Condition.T2T, Condition.S2T)),
        ("empty_text", ("i2",), (Condition.T2T,)),
        ("empty_text", ("i2",), (Condition.S2T,)),  # the clip's transcript
        ("equal_asks", ("i3", "i4"), (Condition.T2T, Condition.S2T)),
    }


def test_a_task_that_cannot_be_made_says_why(found: Found, rows: Rows, tmp_path: Path) -> None:
    """Otherwise: a bad line in the data ends in a traceback, without the line."""
    (problem,) = found([*rows, {"id": float("nan")}]).problems
    assert problem.kind == "unusable_task" and "rows.jsonl:7" in problem.detail
    (problem,) = found([{"name": "x"}]).problems
    assert problem.kind == "unusable_task" and "KeyError: 'id'" in problem.detail


class Odd:
    """Items of every malformed sort, and some that cannot be asked."""

    version = "1"
    conditions = (Condition.T2T, Condition.S2T)
    metrics = (Metric("accuracy"),)

    def items(self) -> list[Item]:
        odd = [Item("", {}), Item("a", {}, {"x": float("inf")})]
        return [*odd, *(Item(name, {}) for name in ("a", "b", "b", "c", "d"))]

    def ask(self, item: Item, condition: Condition) -> ScoreAsk:
        if item.id == "c":
            raise ItemError("no_text", "row 12 has none")
        if item.id == "d" and condition.speech_in:
            raise KeyError("audio")
        return ScoreAsk(raw(f"{item.id}{id(item)}"), (" x", " y"))

    def grade(self, item: Item, condition: Condition, answer: object) -> Grade:
        raise AssertionError("nothing is graded")


def test_items_that_are_malformed_or_cannot_be_asked_are_all_named() -> None:
    """Otherwise: a run that was to last a night ends at the second bad item."""
    task = Odd()
    told = examine("odd", [(task, task.items())], decode=False, progress=Silent())
    assert kinds(told.problems) == {"malformed_item": 2, "equal_ids": 1, "no_text": 1, "ask_error": 1}
    by_kind = {p.kind: p for p in told.problems}
    assert by_kind["no_text"].items == ("c",) and by_kind["no_text"].conditions == task.conditions
    assert by_kind["ask_error"].conditions == (Condition.S2T,) and "'audio'" in by_kind["ask_error"].detail
    assert kinds(examine("odd", [(task, [])], decode=False, progress=Silent()).problems) == {"no_items": 1}


def test_spoken_endings_are_compared_by_their_sound(tmp_path: Path, instrument: dict[str, str]) -> None:
    """Otherwise: two names of one recording pass for two endings."""
    wav(tmp_path / "a.wav", 300)
    (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes())

    class Spoken(Odd):
        conditions = (Condition.T2T,)

        def ask(self, item: Item, condition: Condition) -> ScoreAsk:
            ends = tuple(AudioClip.from_file(tmp_path / name) for name in ("a.wav", "b.wav"))
            return ScoreAsk(raw("text"), ends)

    told = examine("spoken", [(Spoken(), [Item("one", {})])], decode=True, progress=Silent())
    (problem,) = told.problems
    assert problem.kind == "equal_continuations" and "b.wav" in problem.detail


def test_numbers_are_held_against_the_registry(found: Found, rows: Rows, tmp_path: Path) -> None:
    """Otherwise: half a data set is measured, and its score set beside the published one."""
    for one in rows:
        one["subset"] = "stories"
    found(rows)
    component = open_catalogue().task("recordings", {"folder": str(tmp_path)})
    entry = DataEntry(summary="", licence="", citation="", expected={"items": 8, "stories": (6, 7)})
    told = validate(replace(component, entry=entry), decode=False, progress=Silent())
    wrong = [(r.kind, r.detail) for r in told.remarks if r.kind == "wrong_count"]
    assert wrong == [("wrong_count", "6 items, the registry expects 8")] and told.problems == ()
    assert told.subsets == {"stories": 6}


class Exam(Odd):
    """Two good subsets and two bad ones; the first bad one stops the whole."""

    conditions = (Condition.T2T,)

    def __init__(self, setup: Setup, *, subset: str) -> None:
        self.notes = ("of an exam", f"with {subset}")
        bad = {"latin": SpeechzooError("latin.jsonl:3"), "greek": KeyError("id")}
        wanted = [subset] if subset else ["maths", *bad, "history"]
        if error := next((bad[name] for name in wanted if name in bad), None):
            raise error
        self._names = wanted

    def items(self) -> list[Item]:
        return [Item(f"{name}-{n}", {}, {"subset": name}) for name in self._names for n in range(2)]

    def ask(self, item: Item, condition: Condition) -> ScoreAsk:
        return ScoreAsk(raw(item.id), (" x", " x") if item.id == "history-1" else (" x", " y"))


def exam(*subsets: str, **expected: int) -> Validation:
    spec = TaskSpec("exam", f"{__name__}:Exam", "", subsets=subsets)
    entry = DataEntry(summary="", licence="", citation="", expected=expected)
    component = Component("task", "exam", spec, "package 1", {"subset": ""}, entry=entry)
    return validate(component, decode=False, progress=Silent())


def test_a_bad_subset_hides_no_other() -> None:
    """Otherwise: one repairs a subset, starts again, and meets the next one."""
    told = exam("maths", "latin", "greek", "history", items=9, maths=2, history=3)
    assert [(p.kind, p.detail) for p in told.problems if not p.items] == [
        ("unusable_task", "exam/latin: latin.jsonl:3"),
        ("unusable_task", "exam/greek: KeyError: 'id'"),
    ]
    assert [p.items for p in told.problems if p.kind == "equal_continuations"] == [("history-1",)]
    assert (told.task, told.items, told.subsets) == ("exam", 4, {"maths": 2, "history": 2})
    assert [r.detail for r in told.remarks] == [
        "2 items of history, the registry expects 3", "of an exam", "with maths", "with history"
    ]  # fmt: skip


def test_what_is_wrong_with_the_whole_is_told_once() -> None:
    """Otherwise: one cause reads as several, or is gone because each subset alone is good."""
    assert [p.detail for p in exam("latin").problems] == ["latin.jsonl:3"]
    told = exam("maths")
    assert [p.detail for p in told.problems] == ["latin.jsonl:3"] and told.items == 2


def test_data_that_are_not_there_are_no_finding() -> None:
    """Otherwise: data that were never fetched pass for damaged."""
    catalogue = open_catalogue()
    spec = TaskSpec("mine", "nowhere:Task", "", requires=("a-package-nobody-has",))
    component = replace(catalogue.task("s2sbench-mini"), spec=spec)
    with pytest.raises(SetupError, match="pip install a-package-nobody-has"):
        validate(component, decode=False, progress=Silent())


def test_the_command_groups_what_it_found(speechzoo: Speechzoo, rows: Rows, tmp_path: Path) -> None:
    """Otherwise: thousands of lines about one cause hide the other, or a script takes bad data for good."""
    for number in range(6, 16):
        rows.append(row(number))
    rows[0]["ends"] = [" a", " a"]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    arguments = ("validate", "recordings", "--set", f"folder={tmp_path}")
    done = speechzoo(*arguments, "--json", "found.json", code=1)
    assert "missing_file (10)" in done.stdout and "... and 5 more" in done.stdout
    assert "equal_continuations (1)" in done.stdout and "i0 (t2t, s2t): two continuations" in done.stdout
    assert "clips: 6" in done.stdout and "6 at 16000 Hz; 6 with 1 channel" in done.stdout
    everything = Validation.model_validate_json((tmp_path / "found.json").read_bytes())
    assert len(everything.problems) == 11
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row(n)) + "\n" for n in range(6)))
    assert "problems: none" in speechzoo(*arguments, "--decode", code=0).stdout
    assert "the task 'nonsense'" in speechzoo("validate", "nonsense", code=2).stderr


def test_data_cannot_write_on_the_terminal(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: a text in a downloaded data set hides the problems that are printed before it."""
    (tmp_path / "rows.jsonl").write_text(json.dumps(row(0, audio="\x1b[2Jx.wav")) + "\n")
    done = speechzoo("validate", "recordings", "--set", f"folder={tmp_path}", code=1)
    assert "\x1b" not in done.stdout and "missing_file" in done.stdout
